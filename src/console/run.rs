//! The loop: input, data, time and signals in; frames and effects out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use tokio::signal::unix::SignalKind;
use tokio_util::sync::CancellationToken;

mod deck;
#[cfg(test)]
mod deck_tests;
mod desk;
mod files;
mod job;
mod keep;
mod options;
mod playing;
mod reel;
mod signals;

pub use files::{add_user_themes, load_kept, load_keymap};
pub use keep::Shelf;
pub use options::{Live, RunOptions, Seat, Subject};
pub use reel::Recorded;

use self::desk::{Desk, Stirring};
use self::files::{resolve, save_kept};
use self::signals::{Received, Signals, suspend};
use super::app::{self, Drawn, Effect, Msg, Options};
use super::command::Command;
use super::fleet::Fleet;
use super::outside::Happening;
use super::screen::Hits;
use super::terminal::{Terminal, TerminalError};
use super::theme::{Theme, ThemeError};
use crate::base::time::{Moment, SharedClock};

/// How the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The person left.
    Quit,
    /// It was told to stop.
    Stopped,
    /// A signal ended it: its number.
    Signal(i32),
}

/// Why the console could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no terminal, or it failed.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The theme to begin with is not there.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// Keys cannot be read any more.
    #[error("read keys from the terminal: {0}")]
    Input(io::Error),
    /// Signals cannot be listened to.
    #[error("listen to signals: {0}")]
    Signals(io::Error),
}

/// The shortest time between two frames: no flood of data draws more than 60 frames a second.
/// Without input there is one a second.
const FRAME: Duration = Duration::from_millis(16);

/// The same after a key or a click, whose effect a person waits for.
const ANSWER: Duration = Duration::from_millis(4);

/// Runs the console until somebody ends it.
///
/// # Errors
/// When there is no terminal, the theme is not there, or the terminal fails.
pub async fn run(options: RunOptions, stop: CancellationToken) -> Result<Exit, Error> {
    let themes = resolve(&options.themes, &options.theme, options.depth, options.charset)?;
    let looks = appearance(&options);
    let RunOptions {
        seat,
        beside,
        clock,
        editor,
        notices,
        kept_file,
        mouse,
        ..
    } = options;
    let desk = |seat: Seat, notices: &[String]| Desk::new(seat, looks.clone(), notices, editor.clone(), clock.clone());
    // What is to be said is said where one begins.
    let mut desks = vec![desk(seat, &notices)];
    desks.extend(beside.into_iter().map(|seat| desk(seat, &[])));
    let mut works = Works {
        desks,
        here: 0,
        served: 0,
        clock,
    };
    let mut terminal = Terminal::enter(mouse)?;
    let ended = works.drive(&themes, &mut terminal, &stop).await;
    // The terminal is given back first: a slow disk keeps nobody from it.
    drop(terminal);
    if let Some(file) = kept_file {
        let mut kept = works.desk().app.kept();
        for desk in &works.desks {
            desk.app.keep_answers(&mut kept);
        }
        save_kept(&file, &kept);
    }
    for desk in works.desks {
        desk.finish().await;
    }
    ended
}

/// What the loop drives: a desk for each profile, of which one has the screen.
struct Works {
    /// At least one.
    desks: Vec<Desk>,
    here: usize,
    /// The desk that had its turn last.
    served: usize,
    clock: SharedClock,
}

/// What somebody does to the console from outside: keys, and signals.
struct Hands {
    signals: Signals,
    /// None while somebody else has the terminal.
    input: Option<EventStream>,
}

impl Works {
    /// The desk that has the screen.
    fn desk(&mut self) -> &mut Desk {
        &mut self.desks[self.here]
    }

    /// Whether nobody else has the terminal.
    fn is_ours(&self) -> bool {
        !self.desks.iter().any(|desk| desk.outside.has_terminal())
    }

    async fn drive(
        &mut self,
        themes: &[Theme],
        terminal: &mut Terminal,
        stop: &CancellationToken,
    ) -> Result<Exit, Error> {
        let mut hands = Hands {
            signals: Signals::listen().map_err(Error::Signals)?,
            input: Some(EventStream::new()),
        };
        let (mut frame_at, mut answer_at, mut dirty) = (Duration::ZERO, Duration::ZERO, true);
        loop {
            let now = self.clock.now();
            dirty |= self.advance(now, terminal)?;
            let is_ours = self.is_ours();
            if dirty && is_ours && now.mono >= frame_at {
                self.draw(themes, terminal)?;
                (frame_at, answer_at, dirty) = (now.mono + FRAME, now.mono + ANSWER, false);
            }
            let next = self.desks.iter().map(Desk::wake).min().unwrap_or(now.mono);
            let wake = if dirty && is_ours { next.min(frame_at) } else { next };
            let pause = wake.saturating_sub(self.clock.now().mono);
            let (at, effects) = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Exit::Stopped),
                signal = hands.signals.next() => {
                    match signal {
                        // ^C in an editor is the editor's.
                        Received::End(number) if is_ours || number != SignalKind::interrupt().as_raw_value() => return Ok(Exit::Signal(number)),
                        Received::Continue if is_ours => { terminal.resume()?; dirty = true; }
                        _ => {}
                    }
                    continue;
                }
                event = next_event(&mut hands.input) => {
                    let event = event.map_err(Error::Input)?;
                    (frame_at, dirty) = (frame_at.min(answer_at), true);
                    let now = self.clock.now();
                    (self.here, self.desk().update(Msg::Input(now, event)))
                }
                (at, stirring) = desk::next_of(&mut self.desks, self.served) => {
                    self.served = at;
                    // What the sources see is shown with the next figures.
                    dirty |= at == self.here && !matches!(stirring, Stirring::Data);
                    if matches!(stirring, Stirring::Outside(Happening::Edited(..))) {
                        terminal.resume()?;
                        discard_keys();
                        hands.input = Some(EventStream::new());
                    }
                    (at, self.desks[at].take(stirring))
                }
                () = tokio::time::sleep(pause) => continue,
            };
            if let Some(exit) = self.perform(at, effects, terminal, &mut hands).await? {
                return Ok(exit);
            }
        }
    }

    /// Every desk moves on with the time. Returns whether something is to be drawn.
    fn advance(&mut self, now: Moment, terminal: &mut Terminal) -> Result<bool, Error> {
        let is_ours = self.is_ours();
        let mut changed = false;
        for desk in &mut self.desks {
            let (moved, alarms) = desk.advance(now);
            changed |= moved;
            if is_ours && !alarms.is_empty() {
                terminal.send(&alarms)?;
            }
        }
        if changed {
            self.tell_fleet();
        }
        Ok(changed)
    }

    fn draw(&mut self, themes: &[Theme], terminal: &mut Terminal) -> Result<(), Error> {
        let desk = self.desk();
        let (app, theme) = (&desk.app, &themes[desk.app.theme()]);
        desk.drawn = terminal.draw(|area, buffer| {
            let drawn = app::draw(app, theme, area, buffer);
            let cursor = drawn.cursor;
            (drawn, cursor)
        })?;
        desk.tell_interest();
        Ok(())
    }

    /// The desk on screen is told how every profile is.
    fn tell_fleet(&mut self) {
        if self.desks.len() > 1 {
            let fleet = Fleet {
                lanes: self.desks.iter().map(Desk::lane).collect(),
                here: self.here,
            };
            self.desk().update(Msg::Fleet(Arc::new(fleet)));
        }
    }

    /// Another profile has the screen from here on.
    fn turn_to(&mut self, to: usize) {
        if to == self.here || to >= self.desks.len() {
            return;
        }
        let from = std::mem::replace(&mut self.here, to);
        self.desks[from].step_aside();
        // One of the two is in each half.
        let (low, high) = self.desks.split_at_mut(from.max(to));
        let (low, high) = (&mut low[from.min(to)], &mut high[0]);
        let (there, left) = if to < from { (low, high) } else { (high, low) };
        there.app.continue_from(&left.app);
        there.drawn = Drawn::default();
        self.tell_fleet();
    }

    /// Whether the console may end: a replay that runs for another profile is asked about there.
    fn may_quit(&mut self, at: usize) -> bool {
        self.desks[at].leaves = true;
        let busy = (0..self.desks.len()).find(|index| {
            let desk = &self.desks[*index];
            !desk.leaves && desk.app.is_busy()
        });
        let Some(busy) = busy else { return true };
        self.turn_to(busy);
        self.desk().app.run(Command::Quit, &Hits::default());
        false
    }

    /// Does what the console of a profile wants done; how it ends, when that is wanted.
    async fn perform(
        &mut self,
        at: usize,
        effects: Vec<Effect>,
        terminal: &mut Terminal,
        hands: &mut Hands,
    ) -> Result<Option<Exit>, Error> {
        for effect in effects {
            match effect {
                Effect::Quit if self.may_quit(at) => return Ok(Some(Exit::Quit)),
                Effect::Quit => {}
                Effect::Profile(to) => {
                    for desk in &mut self.desks {
                        desk.leaves = false;
                    }
                    self.turn_to(to);
                }
                Effect::Suspend => suspend(terminal, &mut hands.signals).await?,
                Effect::Redraw => terminal.forget(),
                Effect::Mouse(on) => terminal.set_mouse(on)?,
                Effect::Copy(text) => terminal.copy(&text)?,
                Effect::Play(control) => self.desks[at].play(control),
                Effect::Keep(wanted) => self.desks[at].keep(wanted),
                Effect::Edit { what, text } => {
                    // Whoever reads keys besides the editor would take some of them away.
                    hands.input = None;
                    discard_keys();
                    terminal.leave();
                    if let Err(reason) = self.desks[at].outside.edit(what.clone(), &text) {
                        terminal.resume()?;
                        hands.input = Some(EventStream::new());
                        let now = self.clock.now();
                        self.desks[at].update(Msg::Edited(now, what, Err(reason)));
                    }
                }
                other => self.desks[at].outside.perform(other),
            }
        }
        Ok(None)
    }
}

/// The next key, click, paste or resize; none while somebody else has the terminal.
async fn next_event(input: &mut Option<EventStream>) -> io::Result<Event> {
    match input {
        Some(input) => input
            .next()
            .await
            .unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into())),
        None => std::future::pending().await,
    }
}

/// Takes what was typed for somebody else away. After a stream of events has ended this also takes
/// its last wake-up, which would hide keys that come together with it.
fn discard_keys() {
    while crossterm::event::poll(Duration::ZERO).unwrap_or(false) {
        if crossterm::event::read().is_err() {
            return;
        }
    }
}

fn appearance(options: &RunOptions) -> Options {
    let names = options.themes.names();
    Options {
        themes: names.to_vec(),
        theme: names.iter().position(|name| **name == *options.theme).unwrap_or(0),
        local: options.local.clone(),
        local_first: options.local_first,
        no_mouse: !options.mouse,
        keymap: options.keymap.clone(),
        kept: options.kept.clone(),
        ..Options::default()
    }
}
