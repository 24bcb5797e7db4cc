//! A session and its model at work in the background, as the console has them: tests look at what
//! a person would see.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwatch::base::time::SharedClock;
use hookwatch::config::Profile;
use hookwatch::model::{Health, LedgerLine, Model, View};
use hookwatch::sample::Interest;
use hookwatch::session::{Session, Ticker};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Watches a profile until it is dropped.
pub(crate) struct Watcher {
    clock: SharedClock,
    views: watch::Receiver<Arc<View>>,
    history: Arc<Mutex<Vec<Arc<View>>>>,
    /// What is on screen.
    pub(crate) interest: watch::Sender<Interest>,
    task: JoinHandle<()>,
}

impl Watcher {
    pub(crate) fn start(profile: &Profile, clock: &SharedClock) -> Self {
        crate::support::choose_tls();
        let session = Session::live(profile, clock);
        let interest = session.interest.clone();
        let mut model = Model::new(session.settings.clone(), session.started);
        let (sender, views) = watch::channel(Arc::new(model.view().clone()));
        let history = Arc::new(Mutex::new(Vec::new()));
        let (clock, seen) = (clock.clone(), history.clone());
        let task = tokio::spawn({
            let clock = clock.clone();
            async move {
                // The whole of it: its sources end with its other fields.
                let mut session = session;
                let mut ticker = Ticker::new(clock.now());
                loop {
                    let now = clock.now();
                    if ticker.is_due(now) {
                        model.advance(now);
                        let view = Arc::new(model.view().clone());
                        seen.lock().unwrap().push(view.clone());
                        sender.send_replace(view);
                    }
                    tokio::select! {
                        Some(envelope) = session.envelopes.recv() => {
                            model.apply(&envelope);
                            if model.has_news() {
                                ticker.hurry(clock.now());
                            }
                        }
                        () = tokio::time::sleep(ticker.at().saturating_sub(now.mono)) => {}
                    }
                }
            }
        });
        Self {
            clock,
            views,
            history,
            interest,
            task,
        }
    }

    /// The newest view.
    pub(crate) fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Waits until a view shows it, no longer than `limit`. Returns whether one did.
    pub(crate) async fn lets_see(&mut self, limit: Duration, shows: impl Fn(&View) -> bool) -> bool {
        let seen = async {
            while !shows(&self.views.borrow_and_update()) {
                self.views.changed().await.expect("the watcher goes on");
            }
        };
        tokio::time::timeout(limit, seen).await.is_ok()
    }

    /// Waits until a view shows `what`, and says how long that took.
    pub(crate) async fn until(&mut self, what: &str, limit: Duration, shows: impl Fn(&View) -> bool) -> Duration {
        let begun = self.clock.now().mono;
        let in_time = self.lets_see(limit, shows).await;
        let took = self.clock.now().mono.saturating_sub(begun);
        assert!(in_time, "not within {limit:?}: {what}\n{}", picture(&self.view()));
        took
    }

    /// Watches for a while: every view of it.
    pub(crate) async fn during(&self, time: Duration) -> Vec<Arc<View>> {
        let from = self.history.lock().unwrap().len();
        tokio::time::sleep(time).await;
        self.history.lock().unwrap()[from..].to_vec()
    }

    /// Every view so far.
    pub(crate) fn all(&self) -> Vec<Arc<View>> {
        self.history.lock().unwrap().clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The state of a source.
pub(crate) fn health(view: &View, name: &str) -> Health {
    let source = view.sources.iter().find(|source| &*source.id.name == name);
    source.map_or(Health::Off, |source| source.state)
}

/// Every source answers.
pub(crate) fn all_answer(view: &View) -> bool {
    !view.sources.is_empty() && view.sources.iter().all(|source| source.state == Health::Ok)
}

/// A line of the ledger.
pub(crate) fn line<'a>(view: &'a View, id: &str) -> &'a LedgerLine {
    view.ledger.lines.iter().find(|line| &*line.line == id).unwrap()
}

/// Both sides of every line are known and equal.
pub(crate) fn is_settled(view: &View) -> bool {
    let lines = &view.ledger.lines;
    !lines.is_empty()
        && lines
            .iter()
            .all(|line| line.left.is_some() && line.left == line.right && line.balanced == Some(true))
}

/// What a failed test should say of a view.
pub(crate) fn picture(view: &View) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for source in &view.sources {
        let _ = writeln!(
            out,
            "source {} {:?} {:?} {:?}",
            source.id, source.state, source.age, source.error
        );
    }
    for line in &view.ledger.lines {
        let _ = writeln!(
            out,
            "ledger {}: {:?} = {:?} {:?} difference {:?} tolerance {:?} balanced {:?}",
            line.line, line.left, line.right, line.terms, line.difference, line.tolerance, line.balanced
        );
    }
    for queue in &view.queues {
        let _ = writeln!(
            out,
            "queue {}/{:?} {:?}: messages {:?} pending {:?} ack pending {:?}",
            queue.stream,
            queue.consumer,
            queue.state,
            queue.messages.value,
            queue.pending.value,
            queue.ack_pending.value
        );
    }
    for verdict in &view.verdicts {
        let _ = writeln!(out, "verdict {} {:?}: {}", verdict.id, verdict.subject, verdict.text);
    }
    for worker in &view.workers {
        let _ = writeln!(
            out,
            "worker {} {:?} {:?}",
            worker.name, worker.state, worker.rate_per_s.value
        );
    }
    out
}
