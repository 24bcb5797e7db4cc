//! A profile in the console: its own state and figures, and all that goes on for it, whether it
//! fills the screens or stands beside another.

use std::time::Duration;

use tokio::sync::oneshot;

use super::deck::Deck;
use super::job::{Done, Jobs};
use super::keep::{self, Shelf};
use super::{BATCH, Live, Seat, Subject, replace};
use crate::base::time::{Moment, SharedClock};
use crate::console::app::{App, Drawn, Effect, Msg, Options, update};
use crate::console::command::Mode;
use crate::console::fleet::Lane;
use crate::console::outside::{Happening, Outside};
use crate::console::player::{Control, Keep};
use crate::console::screen::Badge;
use crate::model::{History, Severity};
use crate::sample::{Envelope, Interest};
use crate::session::Ticker;

/// A profile in the console.
pub(super) struct Desk {
    pub(super) app: App,
    pub(super) outside: Outside,
    /// What was drawn of it last, and what is where there.
    pub(super) drawn: Drawn,
    /// Whether somebody has agreed to leave what goes on here.
    pub(super) leaves: bool,
    live: Option<Box<Live>>,
    deck: Deck,
    jobs: Jobs,
    shelf: Shelf,
    clock: SharedClock,
    ticker: Ticker,
    history: Option<oneshot::Receiver<Result<History, String>>>,
    batch: Vec<Envelope>,
    protected: bool,
}

/// What goes on at a desk.
pub(super) enum Stirring {
    /// Something that was done away from the screen is done.
    Done(Done),
    /// What was before the session is known, or not.
    Past(Result<History, String>),
    /// The sources have seen something.
    Data,
    /// Something happened outside.
    Outside(Happening),
}

impl Desk {
    /// A desk for a profile, with how the console looks and what edits a file.
    pub(super) fn new(seat: Seat, looks: Options, editor: String, clock: SharedClock) -> Self {
        let (firing, supply) = seat.firing.unzip();
        let shown = Options {
            supply,
            office: seat.office,
            label: seat.label,
            badges: seat.badges,
            ..looks
        };
        let protected = shown.badges.contains(&Badge::Prod);
        let outside = Outside::new(seat.settings.profile.clone(), firing, seat.clerk, editor);
        let mut jobs = Jobs::new();
        let (app, mut live, deck) = match seat.subject {
            Subject::Live(live) => {
                let app = App::live(seat.settings, shown, live.started);
                (app, Some(live), Deck::empty())
            }
            Subject::Recording(recorded) => {
                let mut app = App::recorded(&seat.settings, shown, clock.now());
                let deck = Deck::recorded(*recorded, &mut app, &mut jobs);
                (app, None, deck)
            }
        };
        Self {
            app,
            outside,
            drawn: Drawn::default(),
            leaves: false,
            history: live.as_mut().and_then(|live| live.history.take()),
            live,
            deck,
            jobs,
            shelf: seat.shelf,
            ticker: Ticker::new(clock.now()),
            clock,
            batch: Vec::with_capacity(BATCH),
            protected,
        }
    }

    /// Its line in the fleet, where there is a live session behind it.
    pub(super) fn lane(&self) -> Lane {
        Lane::of(self.app.live_view().unwrap_or(self.app.view()), self.protected)
    }

    /// Moves on with the time. Returns whether anything changed, and what the terminal is told of
    /// alarms: a desk rings whether or not it is on screen.
    pub(super) fn advance(&mut self, now: Moment) -> (bool, String) {
        let due = self.ticker.is_due(now);
        let alarms = if due { self.tick(now) } else { String::new() };
        let moved = self.deck.advance(now.mono, &mut self.app, &mut self.jobs);
        (due || moved, alarms)
    }

    /// When it has to be moved on, time since session start.
    pub(super) fn wake(&self) -> Duration {
        let at = self.ticker.at();
        self.deck.wake().map_or(at, |wake| wake.min(at))
    }

    /// What goes on here next; nothing is lost when this is dropped and called again.
    pub(super) async fn stir(&mut self) -> Stirring {
        tokio::select! {
            biased;
            done = self.jobs.next() => Stirring::Done(done),
            past = arrival(&mut self.history) => Stirring::Past(past),
            () = receive(&mut self.live, &mut self.batch) => Stirring::Data,
            happening = self.outside.next() => Stirring::Outside(happening),
        }
    }

    /// Takes in what goes on.
    pub(super) fn take(&mut self, stirring: Stirring) -> Vec<Effect> {
        match stirring {
            Stirring::Done(done) => self.done(done),
            Stirring::Past(past) => self.remember(past),
            Stirring::Data => self.take_in(),
            Stirring::Outside(Happening::Fired(report)) => {
                if report.is_news() {
                    self.ticker.hurry(self.clock.now());
                }
                let tap = self.live.as_mut().map(|live| &mut live.tap);
                let now = self.clock.now();
                return self.outside.tell(&mut self.app, tap, report, now, &self.drawn.hits);
            }
            Stirring::Outside(Happening::Told(told)) => return self.update(Msg::Told(told)),
            Stirring::Outside(Happening::Edited(template, edited)) => {
                let now = self.clock.now();
                return self.update(Msg::Edited(now, template, edited));
            }
        }
        Vec::new()
    }

    /// Changes its state, with what is where on screen.
    pub(super) fn update(&mut self, msg: Msg) -> Vec<Effect> {
        update(&mut self.app, msg, &self.drawn.hits)
    }

    fn take_in(&mut self) {
        let Some(live) = &mut self.live else { return };
        for envelope in self.batch.drain(..) {
            live.tap.envelope(&envelope);
            update(&mut self.app, Msg::Data(envelope), &self.drawn.hits);
        }
        if self.app.has_news() {
            self.ticker.hurry(self.clock.now());
        }
    }

    /// The model works out its figures. Returns what the terminal is told of alarms.
    fn tick(&mut self, now: Moment) -> String {
        for effect in self.update(Msg::Tick(now)) {
            self.outside.perform(effect);
        }
        let Some(live) = &mut self.live else {
            return String::new();
        };
        let Some(view) = self.app.live_view() else {
            return String::new();
        };
        let raised = live.alarms.note(view);
        let alarms = raised.iter().map(|alert| live.alarms.terminal(alert)).collect();
        live.tap.tick(view);
        keep::tell_tape(&mut live.tap, &mut self.app);
        alarms
    }

    /// Sources read what is on screen; while the past is, they go on with what was.
    pub(super) fn tell_interest(&self) {
        if let Some(live) = self.live.as_ref().filter(|_| self.app.mode() == Mode::Live) {
            let wanted = self.app.interest(&self.drawn.hits);
            live.interest.send_if_modified(|known| replace(known, wanted));
        }
    }

    /// It is not on screen any more: sources read what the profile names.
    pub(super) fn step_aside(&self) {
        if let Some(live) = &self.live {
            live.interest
                .send_if_modified(|known| replace(known, Interest::default()));
        }
    }

    /// Moves in the past.
    pub(super) fn play(&mut self, control: Control) {
        let tap = self.live.as_mut().map(|live| &mut live.tap);
        let now = self.clock.now();
        self.deck.control(control, now, &mut self.app, tap, &mut self.jobs);
    }

    /// Keeps what is seen.
    pub(super) fn keep(&mut self, wanted: Keep) {
        let tap = self.live.as_mut().map(|live| &mut live.tap);
        let (now, retro) = (self.clock.now(), &self.deck.retro);
        keep::keep(wanted, now, &self.shelf, retro, &mut self.app, tap, &mut self.jobs);
    }

    /// What was before the session is known, or why it is not.
    fn remember(&mut self, past: Result<History, String>) {
        if let (Ok(history), Some(live)) = (&past, &self.live) {
            live.tap.remember(history);
        }
        self.app.remember(past, self.clock.now());
    }

    /// Something that was done away from the screen is done.
    fn done(&mut self, done: Done) {
        let (app, jobs) = (&mut self.app, &mut self.jobs);
        match done {
            Done::Sought(number, past) => self.deck.sought(number, past, self.clock.now().mono, app, jobs),
            Done::Read(number, loaded) => self.deck.read(number, loaded, app, jobs),
            Done::Rewound(playback, back) => self.deck.rewound(playback, &back, app, jobs),
            Done::Recording(recorder) => {
                jobs.beginning = false;
                keep::started(recorder, app, self.live.as_mut().map(|live| &mut live.tap));
            }
            Done::Written(Ok(told)) => app.flash(Severity::Info, told),
            Done::Written(Err(reason)) => app.flash(Severity::Warning, reason),
        }
    }

    /// Ends what goes on, and waits for what is being written.
    pub(super) async fn finish(self) {
        let Self { live, jobs, .. } = self;
        drop(live);
        jobs.finish().await;
    }
}

/// The next thing that goes on at any desk, and which: beginning with the desk after `last`, so
/// that none that has much to tell keeps the others waiting.
pub(super) async fn next_of(desks: &mut [Desk], last: usize) -> (usize, Stirring) {
    if let [only] = desks {
        return (0, only.stir().await);
    }
    let first = if last + 1 < desks.len() { last + 1 } else { 0 };
    let (before, from) = desks.split_at_mut(first);
    let numbered = (first..).zip(from).chain((0..).zip(before));
    let waiting = numbered.map(|(index, desk)| Box::pin(async move { (index, desk.stir().await) }));
    futures_util::future::select_all(waiting).await.0
}

/// What was before the session, when it is there. Never, when nobody asked for it.
async fn arrival(history: &mut Option<oneshot::Receiver<Result<History, String>>>) -> Result<History, String> {
    let Some(job) = history else {
        return std::future::pending().await;
    };
    let arrived = job.await;
    *history = None;
    arrived.unwrap_or_else(|_| Err("--history: reading it came to no end".to_owned()))
}

/// Waits for what the sources see. For ever, where there are none any more.
async fn receive(live: &mut Option<Box<Live>>, batch: &mut Vec<Envelope>) {
    match live {
        Some(live) if !live.envelopes.is_closed() || !live.envelopes.is_empty() => {
            live.envelopes.recv_many(batch, BATCH).await;
        }
        _ => std::future::pending().await,
    }
}
