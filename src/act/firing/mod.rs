//! Test webhooks of one profile while something else goes on: one run at a time, a canary beside
//! it, and both told step by step as plain data. What `hookwatch fire` does in one go.
//!
//! ```text
//! Request ─▶ Firing ─┬─ run ────┬─ Report ─▶ whoever watches
//!                    └─ canary ─┘
//! ```

mod history;

pub use history::{Ended, Fired, History};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::act::fire::{self, Composed, GuardError, Library, Plan, Progress, Refusal, Request, RequestError, host_of};
use crate::act::trace::{Outcome, Timeline, TracePlan, once};
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::config::{Environment, Profile};

/// What happens to a run or a canary. Plain data: safe text, no secrets.
#[derive(Clone, Debug)]
pub enum Report {
    /// The target is neither on this machine nor listed: somebody has to say that it is meant.
    Unconfirmed {
        /// What was asked for; with [`Request::every`] a canary.
        request: Box<Request>,
        /// The target, without credentials.
        to: String,
        /// Its host: what is typed.
        host: String,
    },
    /// A run has begun.
    Begun {
        /// What was asked for.
        request: Box<Request>,
        /// The target, without credentials.
        to: String,
        /// When.
        at: Timestamp,
        /// What is allowed but unwise.
        notices: Vec<String>,
    },
    /// Where a run stands.
    Progress(Box<Progress>),
    /// How far the one has come that is followed.
    Step(Timeline),
    /// A run has ended, or never begun.
    Ended(Box<Fired>),
    /// A canary flies.
    CanaryBegun {
        /// What it fires, and how often.
        request: Box<Request>,
        /// The target, without credentials.
        to: String,
    },
    /// How far its webhook has come.
    CanaryStep(Timeline),
    /// One of its runs is over.
    CanaryRan(Box<Outcome>),
    /// It has been stopped, or did not begin: why.
    CanaryEnded(Option<String>),
}

impl Report {
    /// Whether the model has to say something to it at once: a canary's run may be a verdict.
    #[must_use]
    pub fn is_news(&self) -> bool {
        matches!(self, Self::CanaryRan(_))
    }
}

/// Test webhooks of one profile. What goes on ends when this is dropped.
#[derive(Debug)]
pub struct Firing {
    shared: Arc<Shared>,
    tell: mpsc::UnboundedSender<(u64, Report)>,
    reports: mpsc::UnboundedReceiver<(u64, Report)>,
    run: Option<Job>,
    canary: Option<Job>,
    jobs: u64,
}

/// What every job needs.
#[derive(Debug)]
struct Shared {
    library: Arc<Library>,
    profile: Profile,
    environment: Environment,
    clock: SharedClock,
}

/// Something that goes on.
#[derive(Debug)]
struct Job {
    number: u64,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Whom a job tells.
#[derive(Clone, Debug)]
struct Teller {
    number: u64,
    to: mpsc::UnboundedSender<(u64, Report)>,
}

impl Teller {
    fn tell(&self, report: Report) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.to.send((self.number, report));
    }
}

impl Firing {
    /// Nothing goes on yet. `environment` holds the keys that the profile names.
    #[must_use]
    pub fn new(library: Arc<Library>, profile: Profile, environment: Environment, clock: SharedClock) -> Self {
        let (tell, reports) = mpsc::unbounded_channel();
        Self {
            shared: Arc::new(Shared {
                library,
                profile,
                environment,
                clock,
            }),
            tell,
            reports,
            run: None,
            canary: None,
            jobs: 0,
        }
    }

    /// The next thing that happens. May be dropped and called again.
    pub async fn next(&mut self) -> Report {
        loop {
            // The sender is ours, so there is always one.
            let Some((number, report)) = self.reports.recv().await else {
                std::future::pending::<()>().await;
                continue;
            };
            let is_known = |job: &Option<Job>| job.as_ref().is_some_and(|job| job.number == number);
            if number == 0 || is_known(&self.run) || is_known(&self.canary) {
                return report;
            }
        }
    }

    /// Fires, unless something is being fired. `confirmed`: the host that somebody has confirmed.
    pub fn fire(&mut self, request: Request, confirmed: Option<&str>) {
        let at = self.shared.clock.now().at;
        let busy = self.run.as_ref().is_some_and(|job| !job.task.is_finished());
        let refused = |to: String, reason: String, request: Request| {
            Report::Ended(Box::new(Fired {
                at,
                request,
                to,
                ended: Ended::Refused(reason),
            }))
        };
        if busy {
            let reason = "something is being fired → wait for its end, or stop it".to_owned();
            return self.say(refused(String::new(), reason, request));
        }
        match self.shared.prepare(&request, confirmed) {
            Err(Unready::Unconfirmed { to, host }) => self.say(Report::Unconfirmed {
                request: Box::new(request),
                to,
                host,
            }),
            Err(Unready::Refused(reason)) => {
                let to = self.shared.target(&request);
                self.say(refused(to, reason, request));
            }
            Ok(ready) => {
                let begun = Report::Begun {
                    request: Box::new(request.clone()),
                    to: ready.to.clone(),
                    at,
                    notices: ready.composed.notices.clone(),
                };
                self.run = Some(self.start(begun, |shared, stop, teller| async move {
                    Box::pin(shared.run(request, ready, at, stop, teller)).await;
                }));
            }
        }
    }

    /// Stops what is being fired; it ends with a summary of what was sent.
    pub fn stop(&mut self) {
        if let Some(job) = &self.run {
            job.stop.cancel();
        }
    }

    /// Starts a canary in place of the one that flies. `request.every` says how often.
    pub fn start_canary(&mut self, request: Request, confirmed: Option<&str>) {
        self.canary = None;
        match self.shared.prepare(&request, confirmed) {
            Err(Unready::Unconfirmed { to, host }) => self.say(Report::Unconfirmed {
                request: Box::new(request),
                to,
                host,
            }),
            Err(Unready::Refused(reason)) => self.say(Report::CanaryEnded(Some(reason))),
            Ok(ready) => {
                let begun = Report::CanaryBegun {
                    request: Box::new(request.clone()),
                    to: ready.to.clone(),
                };
                self.canary = Some(self.start(begun, |shared, stop, teller| async move {
                    Box::pin(shared.fly(request, ready, stop, teller)).await;
                }));
            }
        }
    }

    /// Stops the canary.
    pub fn stop_canary(&mut self) {
        if self.canary.take().is_some() {
            self.say(Report::CanaryEnded(None));
        }
    }

    /// Tells something that is no job's.
    fn say(&self, report: Report) {
        let teller = Teller {
            number: 0,
            to: self.tell.clone(),
        };
        teller.tell(report);
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        begun: Report,
        work: impl FnOnce(Arc<Shared>, CancellationToken, Teller) -> F,
    ) -> Job {
        self.jobs += 1;
        let teller = Teller {
            number: self.jobs,
            to: self.tell.clone(),
        };
        teller.tell(begun);
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(self.shared.clone(), stop.clone(), teller));
        Job {
            number: self.jobs,
            stop,
            task: AbortOnDropHandle::new(task),
        }
    }
}

/// What can be fired.
struct Ready {
    plan: Plan,
    composed: Composed,
    tracing: Option<TracePlan>,
    /// The target, to show.
    to: String,
}

/// What cannot be fired, or not yet.
enum Unready {
    Unconfirmed { to: String, host: String },
    Refused(String),
}

impl Shared {
    /// The target of a request, to show; empty where there is none.
    fn target(&self, request: &Request) -> String {
        let template = self.library.get(&request.order.template);
        let provider = template.map_or("", |template| template.provider());
        let (url, _) = request.order.directions(&self.profile.fire, provider);
        url.map_or_else(String::new, |url| shown(&url))
    }

    fn prepare(&self, request: &Request, confirmed: Option<&str>) -> Result<Ready, Unready> {
        let refused = |reason: String| Unready::Refused(self.clean(&reason));
        let is_confirmed = confirmed.is_some_and(|confirmed| {
            let template = self.library.get(&request.order.template);
            let provider = template.map_or("", |template| template.provider());
            let (url, _) = request.order.directions(&self.profile.fire, provider);
            url.and_then(|url| host_of(&url).ok())
                .is_some_and(|host| host.name == confirmed)
        });
        let (plan, composed) = request
            .prepare(&self.library, &self.profile, &self.environment, is_confirmed)
            .map_err(|error| match error {
                RequestError::Guard(GuardError::Refusal(Refusal::Unconfirmed { target, host })) => {
                    Unready::Unconfirmed { to: target, host }
                }
                error => refused(error.to_string()),
            })?;
        let tracing = if request.trace {
            Some(TracePlan::of(&self.profile).map_err(|error| refused(error.to_string()))?)
        } else {
            None
        };
        Ok(Ready {
            to: shown(&composed.url),
            plan,
            composed,
            tracing,
        })
    }

    fn clean(&self, reason: &str) -> String {
        text::safe(&self.profile.redactor.clean(reason)).into_owned()
    }

    /// A run from its beginning to its end.
    async fn run(
        self: Arc<Self>,
        request: Request,
        ready: Ready,
        at: Timestamp,
        stop: CancellationToken,
        teller: Teller,
    ) {
        let Ready {
            plan,
            composed,
            tracing,
            to,
        } = ready;
        let failed = |error: &dyn std::fmt::Display| {
            let clean = composed.redactor.clean(&error.to_string()).into_owned();
            Ended::Refused(text::safe(&clean).into_owned())
        };
        let ended = if let Some(tracing) = tracing {
            let (progress, watched) = watch::channel(Timeline::default());
            let name = request.order.template.clone();
            let way = once(Some(&tracing), plan.single(0), &name, &self.clock, &progress, &stop);
            let told = told(way, watched, |timeline| teller.tell(Report::Step(timeline)));
            match Box::pin(told).await {
                Ok(outcome) => Ended::Traced(Box::new(outcome)),
                Err(error) => failed(&error),
            }
        } else {
            let (seed, expect) = (plan.seed, plan.expect.clone());
            let (progress, watched) = watch::channel(Progress::default());
            let run = fire::run(plan, self.clock.clone(), progress, stop);
            let told = told(run, watched, |progress| {
                teller.tell(Report::Progress(Box::new(progress)));
            });
            match told.await {
                Ok(summary) => Ended::Counted {
                    checks: expect.iter().map(|expected| expected.check(&summary)).collect(),
                    summary: Box::new(summary),
                    seed,
                },
                Err(error) => failed(&error),
            }
        };
        teller.tell(Report::Ended(Box::new(Fired { at, request, to, ended })));
    }

    /// A canary, until it is stopped.
    async fn fly(self: Arc<Self>, request: Request, ready: Ready, stop: CancellationToken, teller: Teller) {
        let Ready {
            plan,
            composed,
            tracing,
            ..
        } = ready;
        let name = &request.order.template;
        let mut pace = tokio::time::interval(request.every.unwrap_or(EVERY).max(SHORTEST));
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for number in 0.. {
            pace.tick().await;
            let at = self.clock.now().at;
            let (progress, watched) = watch::channel(Timeline::default());
            let way = once(
                tracing.as_ref(),
                plan.single(number),
                name,
                &self.clock,
                &progress,
                &stop,
            );
            let told = told(way, watched, |timeline| teller.tell(Report::CanaryStep(timeline)));
            let outcome = Box::pin(told).await;
            let outcome = outcome.unwrap_or_else(|error| {
                let clean = composed.redactor.clean(&error.to_string()).into_owned();
                Outcome::failed(at, name, text::safe(&clean).into_owned())
            });
            teller.tell(Report::CanaryRan(Box::new(outcome)));
        }
    }
}

/// How often a canary flies where nobody says otherwise.
pub const EVERY: Duration = Duration::from_secs(30);

/// The shortest time from one run of a canary to the next.
const SHORTEST: Duration = Duration::from_millis(100);

fn shown(url: &str) -> String {
    text::safe(&strip_url_credentials(url)).into_owned()
}

/// Waits for `work`, and hands every change on.
async fn told<T, P: Clone>(
    work: impl Future<Output = T>,
    mut watched: watch::Receiver<P>,
    mut tell: impl FnMut(P),
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => {
                // The last change may have come together with the end.
                let last = watched.borrow();
                if last.has_changed() {
                    tell(last.clone());
                }
                drop(last);
                return ended;
            }
            Ok(()) = watched.changed() => tell(watched.borrow_and_update().clone()),
        }
    }
}

#[cfg(test)]
mod tests;
