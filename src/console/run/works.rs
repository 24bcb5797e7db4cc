//! What the loop drives: the session, the past, jobs, and whoever acts outside.

use std::time::Duration;

use crossterm::event::EventStream;

use super::deck::Deck;
use super::job::{Done, Jobs};
use super::keep::{self, Shelf};
use super::signals::{Signals, suspend};
use super::{Error, Exit, Live, Subject};
use crate::base::time::{Moment, SharedClock};
use crate::console::app::{App, Drawn, Effect, Msg, update};
use crate::console::command::Mode;
use crate::console::outside::Outside;
use crate::console::terminal::Terminal;
use crate::model::{History, Severity};
use crate::sample::{Envelope, Interest};

/// What the loop drives.
pub(super) struct Works {
    pub(super) live: Option<Box<Live>>,
    pub(super) outside: Outside,
    pub(super) deck: Deck,
    pub(super) jobs: Jobs,
    pub(super) shelf: Shelf,
    pub(super) clock: SharedClock,
}

/// What somebody does to the console from outside: keys, and signals.
pub(super) struct Hands {
    pub(super) signals: Signals,
    /// None while somebody else has the terminal.
    pub(super) input: Option<EventStream>,
}

impl Works {
    pub(super) fn new(app: &mut App, subject: Subject, outside: Outside, shelf: Shelf, clock: SharedClock) -> Self {
        let mut jobs = Jobs::new();
        let (live, deck) = match subject {
            Subject::Live(live) => (Some(live), Deck::empty()),
            Subject::Recording(recorded) => (None, Deck::recorded(*recorded, app, &mut jobs)),
        };
        Self {
            live,
            outside,
            deck,
            jobs,
            shelf,
            clock,
        }
    }

    /// Does what the console wants done; how it ends, when that is wanted.
    pub(super) async fn perform(
        &mut self,
        effects: Vec<Effect>,
        app: &mut App,
        terminal: &mut Terminal,
        hands: &mut Hands,
        drawn: &Drawn,
    ) -> Result<Option<Exit>, Error> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(Some(Exit::Quit)),
                Effect::Suspend => suspend(terminal, &mut hands.signals).await?,
                Effect::Redraw => terminal.forget(),
                Effect::Mouse(on) => terminal.set_mouse(on)?,
                Effect::Copy(text) => terminal.copy(&text)?,
                Effect::Play(control) => {
                    let tap = self.live.as_mut().map(|live| &mut live.tap);
                    self.deck.control(control, self.clock.now(), app, tap, &mut self.jobs);
                }
                Effect::Keep(wanted) => {
                    let tap = self.live.as_mut().map(|live| &mut live.tap);
                    let (now, retro) = (self.clock.now(), &self.deck.retro);
                    keep::keep(wanted, now, &self.shelf, retro, app, tap, &mut self.jobs);
                }
                Effect::Edit { template, text } => {
                    // Whoever reads keys besides the editor would take some of them away.
                    hands.input = None;
                    discard_keys();
                    terminal.leave();
                    if let Err(reason) = self.outside.edit(template.clone(), &text) {
                        terminal.resume()?;
                        hands.input = Some(EventStream::new());
                        update(app, Msg::Edited(self.clock.now(), template, Err(reason)), &drawn.hits);
                    }
                }
                other => self.outside.perform(other),
            }
        }
        Ok(None)
    }

    /// The model works out its figures. Returns what the terminal is told of alarms.
    pub(super) fn tick(&mut self, app: &mut App, now: Moment, drawn: &Drawn) -> String {
        for effect in update(app, Msg::Tick(now), &drawn.hits) {
            self.outside.perform(effect);
        }
        let Some(live) = &mut self.live else {
            return String::new();
        };
        let Some(view) = app.live_view() else {
            return String::new();
        };
        let raised = live.alarms.note(view);
        let raised = if self.outside.has_terminal() {
            Vec::new()
        } else {
            raised
        };
        let alarms = raised.iter().map(|alert| live.alarms.terminal(alert)).collect();
        live.tap.tick(view);
        keep::tell_tape(&mut live.tap, app);
        alarms
    }

    /// Sources read what is on screen; while the past is, they go on with what was.
    pub(super) fn tell_interest(&self, app: &App, drawn: &Drawn) {
        if let Some(live) = self.live.as_ref().filter(|_| app.mode() == Mode::Live) {
            live.interest
                .send_if_modified(|known| replace(known, app.interest(&drawn.hits)));
        }
    }

    pub(super) fn take_in(&mut self, batch: &mut Vec<Envelope>, app: &mut App, drawn: &Drawn) {
        let Some(live) = &mut self.live else { return };
        for envelope in batch.drain(..) {
            live.tap.envelope(&envelope);
            update(app, Msg::Data(envelope), &drawn.hits);
        }
    }

    /// What was before the session is known, or why it is not.
    pub(super) fn remember(&mut self, past: Result<History, String>, app: &mut App) {
        if let (Ok(history), Some(live)) = (&past, &self.live) {
            live.tap.remember(history);
        }
        app.remember(past, self.clock.now());
    }

    /// Something that was done away from the screen is done.
    pub(super) fn done(&mut self, done: Done, app: &mut App) {
        match done {
            Done::Sought(number, past) => self
                .deck
                .sought(number, past, self.clock.now().mono, app, &mut self.jobs),
            Done::Read(number, loaded) => self.deck.read(number, loaded, app, &mut self.jobs),
            Done::Rewound(playback, back) => self.deck.rewound(playback, &back, app, &mut self.jobs),
            Done::Recording(recorder) => {
                self.jobs.beginning = false;
                keep::started(recorder, app, self.live.as_mut().map(|live| &mut live.tap));
            }
            Done::Written(Ok(told)) => app.flash(Severity::Info, told),
            Done::Written(Err(reason)) => app.flash(Severity::Warning, reason),
        }
    }
}

/// Takes what was typed for somebody else away. After a stream of events has ended this also takes
/// its last wake-up, which would hide keys that come together with it.
pub(super) fn discard_keys() {
    while crossterm::event::poll(Duration::ZERO).unwrap_or(false) {
        if crossterm::event::read().is_err() {
            return;
        }
    }
}

fn replace(known: &mut Interest, wanted: Interest) -> bool {
    let changed = *known != wanted;
    *known = wanted;
    changed
}
