//! The loop: input, data, time and signals in; frames and effects out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use rustix::process::{Signal as Kill, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

mod deck;
#[cfg(test)]
mod deck_tests;
mod job;
mod keep;

pub use deck::Recorded;
pub use keep::Shelf;

use self::deck::Deck;
use self::job::{Done, Jobs};
use super::app::{self, App, Drawn, Effect, Msg, Options, update};
use super::bench::Supply;
use super::command::Mode;
use super::glyph::Charset;
use super::kept::Kept;
use super::keymap::Keymap;
use super::letters::Office;
use super::outside::{Happening, Outside};
use super::screen::Badge;
use super::terminal::{Terminal, TerminalError};
use super::theme::colour::Depth;
use super::theme::{Library, Theme, ThemeError};
use crate::act::firing::Firing;
use crate::base::time::{Moment, SharedClock};
use crate::model::{History, Settings, Severity};
use crate::sample::{Envelope, Interest};
use crate::session::clerk::Clerk;
use crate::session::{Alarms, Tap, Ticker};

/// A live session.
#[derive(Debug)]
pub struct Live {
    /// When it started.
    pub started: Moment,
    /// Where what the model is given goes besides: the last 15 minutes, a recording.
    pub tap: Tap,
    /// What was before the session started, once it is known, or why it is not.
    pub history: Option<oneshot::Receiver<Result<History, String>>>,
    /// What the sources see.
    pub envelopes: mpsc::Receiver<Envelope>,
    /// What the sources are told is on screen.
    pub interest: watch::Sender<Interest>,
    /// Whoever is told of verdicts besides the screen.
    pub alarms: Alarms,
}

/// What a console shows.
#[derive(Debug)]
pub enum Subject {
    /// What happens now.
    Live(Box<Live>),
    /// A recording. There is no source and no actor behind it: nothing can be changed.
    Recording(Box<Recorded>),
}

/// What the console needs.
#[derive(Debug)]
pub struct RunOptions {
    /// The profile, as the model sees it.
    pub settings: Settings,
    /// What it shows.
    pub subject: Subject,
    /// Where recordings without a name go.
    pub shelf: Shelf,
    /// The one clock.
    pub clock: SharedClock,
    /// On what one works.
    pub badges: Vec<Badge>,
    /// The profile's own label.
    pub label: Option<Arc<str>>,
    /// Every theme.
    pub themes: Library,
    /// The theme to begin with.
    pub theme: String,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// Which characters the terminal shows.
    pub charset: Charset,
    /// The zone of local time; `None`: UTC only.
    pub local: Option<TimeZone>,
    /// Whether to begin in local time.
    pub local_first: bool,
    /// Whether clicks and wheel go to the console.
    pub mouse: bool,
    /// Which keys do what.
    pub keymap: Keymap,
    /// Who may change something; `None`: nobody, and no letters are read.
    pub office: Option<Office>,
    /// Who reads and replays letters; `None`: nobody.
    pub clerk: Option<Clerk>,
    /// What was kept of the run before.
    pub kept: Kept,
    /// Where that is kept; `None`: nowhere.
    pub kept_file: Option<PathBuf>,
    /// What fires test webhooks, and of what they are made; `None`: none can be fired.
    pub firing: Option<(Firing, Supply)>,
    /// What is run to edit a body; may have arguments.
    pub editor: String,
    /// What went wrong before there was a screen (a theme that was refused), to be shown on it.
    pub notices: Vec<String>,
}

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

/// How long to wait for being stopped before the terminal is taken again: where no shell
/// controls jobs, nobody stops us.
const STOPPING: Duration = Duration::from_millis(250);

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

/// What the loop drives.
struct Works {
    live: Option<Box<Live>>,
    outside: Outside,
    deck: Deck,
    jobs: Jobs,
    shelf: Shelf,
    clock: SharedClock,
}

/// What somebody does to the console from outside: keys, and signals.
struct Hands {
    signals: Signals,
    /// None while somebody else has the terminal.
    input: Option<EventStream>,
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
    fn new(app: &mut App, subject: Subject, outside: Outside, shelf: Shelf, clock: SharedClock) -> Self {
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
            dirty |= self.deck.advance(now.mono, app);
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
                past = arrival(&mut history) => { app.remember(past, self.clock.now()); dirty = true; Vec::new() }
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
                        Happening::Told(told) => update(app, Msg::Told(self.clock.now(), told), &drawn.hits),
                        Happening::Edited(what, edited) => {
                            terminal.resume()?;
                            discard_keys();
                            hands.input = Some(EventStream::new());
                            update(app, Msg::Edited(self.clock.now(), what, edited), &drawn.hits)
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

    /// Does what the console wants done; how it ends, when that is wanted.
    async fn perform(
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
                Effect::Edit { what, text } => {
                    // Whoever reads keys besides the editor would take some of them away.
                    hands.input = None;
                    discard_keys();
                    terminal.leave();
                    if let Err(reason) = self.outside.edit(what.clone(), &text) {
                        terminal.resume()?;
                        hands.input = Some(EventStream::new());
                        update(app, Msg::Edited(self.clock.now(), what, Err(reason)), &drawn.hits);
                    }
                }
                other => self.outside.perform(other),
            }
        }
        Ok(None)
    }

    /// The model works out its figures. Returns what the terminal is told of alarms.
    fn tick(&mut self, app: &mut App, now: Moment, drawn: &Drawn) -> String {
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
    fn tell_interest(&self, app: &App, drawn: &Drawn) {
        if let Some(live) = self.live.as_ref().filter(|_| app.mode() == Mode::Live) {
            live.interest
                .send_if_modified(|known| replace(known, app.interest(&drawn.hits)));
        }
    }

    fn take_in(&mut self, batch: &mut Vec<Envelope>, app: &mut App, drawn: &Drawn) {
        let Some(live) = &mut self.live else { return };
        for envelope in batch.drain(..) {
            live.tap.envelope(&envelope);
            update(app, Msg::Data(envelope), &drawn.hits);
        }
    }

    /// Something that was done away from the screen is done.
    fn done(&mut self, done: Done, app: &mut App) {
        match done {
            Done::Sought(number, past) => self
                .deck
                .sought(number, past, self.clock.now().mono, app, &mut self.jobs),
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

/// Takes what was typed for somebody else away. After a stream of events has ended this also takes
/// its last wake-up, which would hide keys that come together with it.
fn discard_keys() {
    while crossterm::event::poll(Duration::ZERO).unwrap_or(false) {
        if crossterm::event::read().is_err() {
            return;
        }
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

/// What was kept of the run before. A file that is not there keeps nothing.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load_kept(file: &Path) -> Result<Kept, String> {
    let named = |problem: String| {
        format!(
            "{}: {problem} → it is left out, and written anew at the end",
            file.display()
        )
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Kept::parse(&text).map_err(named),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(named(error.to_string())),
    }
}

/// The keymap of a file. A file that is not there changes nothing. Returns also what was refused.
#[must_use]
pub fn load_keymap(file: &Path) -> (Keymap, Vec<String>) {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let (keymap, errors) = Keymap::with_file(&file.display().to_string(), &text);
            (keymap, errors.iter().map(ToString::to_string).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Keymap::default(), Vec::new()),
        Err(error) => (Keymap::default(), vec![format!("{}: {error}", file.display())]),
    }
}

/// Keeps it. Whoever cannot write there has lost a sort order, not a console.
fn save_kept(file: &Path, kept: &Kept) {
    let write = || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Written aside, then renamed: two consoles that end together leave one whole file.
        let aside = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&aside, kept.text())?;
        std::fs::rename(&aside, file)
    };
    if let Err(error) = write() {
        tracing::warn!(%error, file = %file.display(), "keep the console's choices");
    }
}

/// A user's theme file is refused above this size, bytes.
const LARGEST: u64 = 256 * 1024;

/// Adds the `*.toml` files of a folder to the themes. A folder that does not exist holds none.
/// Returns what was refused and why; the others work.
#[must_use]
pub fn add_user_themes(library: &mut Library, folder: &Path) -> Vec<ThemeError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![unreadable(folder, &error)],
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let size = std::fs::metadata(&path).map(|metadata| metadata.len());
        match size.and_then(|size| {
            if size > LARGEST {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                std::fs::read_to_string(&path)
            }
        }) {
            Ok(text) => files.push((path, text)),
            Err(error) => errors.push(unreadable(&path, &error)),
        }
    }
    errors.extend(library.add_files(files.iter().map(|(path, text)| (path.as_path(), text.as_str()))));
    errors
}

fn unreadable(path: &Path, reason: &io::Error) -> ThemeError {
    ThemeError {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        problem: format!("cannot be read: {reason}"),
        nearest: None,
    }
}

/// Every theme for this terminal, in the order of their names.
fn resolve(library: &Library, first: &str, depth: Depth, charset: Charset) -> Result<Vec<Theme>, ThemeError> {
    library.theme(first, depth, charset)?;
    library
        .names()
        .iter()
        .map(|name| library.theme(name, depth, charset))
        .collect()
}

fn replace(known: &mut Interest, wanted: Interest) -> bool {
    let changed = *known != wanted;
    *known = wanted;
    changed
}

/// Gives the terminal and the process group to the shell, as ^Z does, and takes the terminal
/// again when the shell lets us go on.
async fn suspend(terminal: &mut Terminal, signals: &mut Signals) -> Result<(), Error> {
    terminal.leave();
    if let Err(error) = kill_current_process_group(Kill::TSTP) {
        tracing::warn!(%error, "suspend");
    }
    let _ = tokio::time::timeout(STOPPING, signals.go_on.recv()).await;
    terminal.resume()?;
    Ok(())
}

/// The signals that concern a console.
struct Signals {
    end: [(i32, Signal); 3],
    go_on: Signal,
}

/// What a signal asks for.
enum Received {
    End(i32),
    Continue,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let listen = |kind: SignalKind| Ok::<_, io::Error>((kind.as_raw_value(), signal(kind)?));
        Ok(Self {
            end: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
            go_on: signal(SignalKind::from_raw(Kill::CONT.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Received {
        let [
            (interrupt, on_interrupt),
            (terminate, on_terminate),
            (hangup, on_hangup),
        ] = &mut self.end;
        tokio::select! {
            _ = on_interrupt.recv() => Received::End(*interrupt),
            _ = on_terminate.recv() => Received::End(*terminate),
            _ = on_hangup.recv() => Received::End(*hangup),
            _ = self.go_on.recv() => Received::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_themes_of_a_folder_are_added_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
        write("mine.toml", b"inherits = \"dark\"\n");
        write("notes.txt", b"not a theme");
        write("odd.toml", b"\xff\xfe");
        write("vast.toml", &vec![b'#'; 300 * 1024]);
        let mut library = Library::embedded().unwrap();
        let errors = add_user_themes(&mut library, folder.path());
        assert!(library.theme("mine", Depth::True, Charset::Unicode).is_ok());
        let named: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(
            named[0].contains("odd.toml: cannot be read") && named[1].contains("vast.toml: cannot be read"),
            "{named:?}"
        );
        assert!(add_user_themes(&mut library, &folder.path().join("missing")).is_empty());
    }

    #[test]
    fn what_is_kept_is_there_in_the_next_run_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("console.toml");
        assert_eq!(load_kept(&file), Ok(Kept::default()));
        let kept = Kept {
            theme: Some("light".to_owned()),
            ..Kept::default()
        };
        save_kept(&file, &kept);
        assert_eq!(load_kept(&file), Ok(kept));
        std::fs::write(&file, "theme = [").unwrap();
        let error = load_kept(&file).unwrap_err();
        assert!(error.contains("console.toml: line 1: "), "{error}");
    }
}
