//! The loop: input, data, time and signals in; frames and effects out.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use tokio::signal::unix::SignalKind;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

mod deck;
#[cfg(test)]
mod deck_tests;
mod files;
mod job;
mod keep;
mod options;
mod playing;
mod reel;
mod signals;
mod works;

pub use files::{add_user_themes, load_kept, load_keymap};
pub use keep::Shelf;
pub use options::{Live, RunOptions, Subject};
pub use reel::Recorded;

use self::files::{resolve, save_kept};
use self::signals::{Received, Signals};
use self::works::{Hands, Works, discard_keys};
use super::app::{self, App, Drawn, Msg, Options, update};
use super::outside::{Happening, Outside};
use super::terminal::{Terminal, TerminalError};
use super::theme::{Theme, ThemeError};
use crate::model::{History, Severity};
use crate::sample::Envelope;
use crate::session::Ticker;

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

/// Envelopes that are taken in before anything else has its turn.
const BATCH: usize = 256;

/// Runs the console until somebody ends it.
///
/// # Errors
/// When there is no terminal, the theme is not there, or the terminal fails.
pub async fn run(mut options: RunOptions, stop: CancellationToken) -> Result<Exit, Error> {
    let themes = resolve(&options.themes, &options.theme, options.depth, options.charset)?;
    let (firing, supply) = options.firing.take().unzip();
    let shown = Options {
        supply,
        ..appearance(&options)
    };
    let clerk = options.clerk.take();
    let outside = Outside::new(options.settings.profile.clone(), firing, clerk, options.editor.clone());
    let mut app = match &options.subject {
        Subject::Live(live) => App::live(options.settings.clone(), shown, live.started),
        Subject::Recording(_) => App::recorded(&options.settings, shown, options.clock.now()),
    };
    for notice in &options.notices {
        app.flash(Severity::Warning, notice.as_str());
    }
    let kept_file = options.kept_file.clone();
    let ended = drive(&mut app, &themes, options, outside, stop).await;
    if let Some(file) = kept_file {
        save_kept(&file, &app.kept());
    }
    ended
}

/// The loop.
async fn drive(
    app: &mut App,
    themes: &[Theme],
    options: RunOptions,
    outside: Outside,
    stop: CancellationToken,
) -> Result<Exit, Error> {
    let mut terminal = Terminal::enter(options.mouse)?;
    let mut works = Works::new(app, options.subject, outside, options.shelf, options.clock);
    let ended = works.drive(app, themes, &mut terminal, &stop).await;
    // The terminal is given back first: a slow disk keeps nobody from it.
    drop(terminal);
    let Works { live, jobs, .. } = works;
    drop(live);
    jobs.finish().await;
    ended
}

impl Works {
    async fn drive(
        &mut self,
        app: &mut App,
        themes: &[Theme],
        terminal: &mut Terminal,
        stop: &CancellationToken,
    ) -> Result<Exit, Error> {
        let mut hands = Hands {
            signals: Signals::listen().map_err(Error::Signals)?,
            input: Some(EventStream::new()),
        };
        let mut batch = Vec::with_capacity(BATCH);
        let mut drawn = Drawn::default();
        let mut history = self.live.as_mut().and_then(|live| live.history.take());
        let mut ticker = Ticker::new(self.clock.now());
        let (mut frame_at, mut answer_at, mut dirty) = (Duration::ZERO, Duration::ZERO, true);
        loop {
            let now = self.clock.now();
            if ticker.is_due(now) {
                terminal.send(&self.tick(app, now, &drawn))?;
                dirty = true;
            }
            dirty |= self.deck.advance(now.mono, app, &mut self.jobs);
            let is_ours = !self.outside.has_terminal();
            if dirty && is_ours && now.mono >= frame_at {
                let theme = &themes[app.theme()];
                drawn = terminal.draw(|area, buffer| {
                    let drawn = app::draw(app, theme, area, buffer);
                    let cursor = drawn.cursor;
                    (drawn, cursor)
                })?;
                (frame_at, answer_at, dirty) = (now.mono + FRAME, now.mono + ANSWER, false);
                self.tell_interest(app, &drawn);
            }
            let next = self.deck.wake().map_or(ticker.at(), |at| at.min(ticker.at()));
            let wake = if dirty && is_ours { next.min(frame_at) } else { next };
            let pause = wake.saturating_sub(self.clock.now().mono);
            let effects = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Exit::Stopped),
                signal = hands.signals.next() => match signal {
                    // ^C in an editor is the editor's.
                    Received::End(number) if is_ours || number != SignalKind::interrupt().as_raw_value() => return Ok(Exit::Signal(number)),
                    Received::Continue if is_ours => { terminal.resume()?; dirty = true; Vec::new() }
                    _ => Vec::new(),
                },
                event = next_event(&mut hands.input) => {
                    let event = event.map_err(Error::Input)?;
                    (frame_at, dirty) = (frame_at.min(answer_at), true);
                    update(app, Msg::Input(self.clock.now(), event), &drawn.hits)
                }
                done = self.jobs.next() => { self.done(done, app); dirty = true; Vec::new() }
                past = arrival(&mut history) => { self.remember(past, app); dirty = true; Vec::new() }
                () = receive(&mut self.live, &mut batch) => {
                    self.take_in(&mut batch, app, &drawn);
                    if app.has_news() { ticker.hurry(self.clock.now()); }
                    Vec::new()
                }
                happening = self.outside.next() => {
                    dirty = true;
                    match happening {
                        Happening::Fired(report) => {
                            if report.is_news() { ticker.hurry(self.clock.now()); }
                            let tap = self.live.as_mut().map(|live| &mut live.tap);
                            self.outside.tell(app, tap, report, self.clock.now(), &drawn.hits)
                        }
                        Happening::Told(told) => update(app, Msg::Told(told), &drawn.hits),
                        Happening::Edited(template, edited) => {
                            terminal.resume()?;
                            discard_keys();
                            hands.input = Some(EventStream::new());
                            update(app, Msg::Edited(self.clock.now(), template, edited), &drawn.hits)
                        }
                    }
                }
                () = tokio::time::sleep(pause) => Vec::new(),
            };
            if let Some(exit) = self.perform(effects, app, terminal, &mut hands, &drawn).await? {
                return Ok(exit);
            }
        }
    }
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

/// Waits for what the sources see. For ever, where there are none any more.
async fn receive(live: &mut Option<Box<Live>>, batch: &mut Vec<Envelope>) {
    match live {
        Some(live) if !live.envelopes.is_closed() || !live.envelopes.is_empty() => {
            live.envelopes.recv_many(batch, BATCH).await;
        }
        _ => std::future::pending().await,
    }
}

fn appearance(options: &RunOptions) -> Options {
    let names = options.themes.names();
    Options {
        badges: options.badges.clone(),
        label: options.label.clone(),
        themes: names.to_vec(),
        theme: names.iter().position(|name| **name == *options.theme).unwrap_or(0),
        local: options.local.clone(),
        local_first: options.local_first,
        no_mouse: !options.mouse,
        keymap: options.keymap.clone(),
        kept: options.kept.clone(),
        office: options.office.clone(),
        supply: None,
    }
}
