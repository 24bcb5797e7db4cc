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
mod desk;
mod job;
mod keep;

pub use deck::Recorded;
pub use keep::Shelf;

use self::desk::{Desk, Stirring};
use super::app::{self, Drawn, Effect, Msg, Options};
use super::bench::Supply;
use super::command::Command;
use super::fleet::Fleet;
use super::glyph::Charset;
use super::kept::Kept;
use super::keymap::Keymap;
use super::letters::Office;
use super::outside::Happening;
use super::screen::{Badge, Hits};
use super::terminal::{Terminal, TerminalError};
use super::theme::colour::Depth;
use super::theme::{Library, Theme, ThemeError};
use crate::act::firing::Firing;
use crate::base::time::{Moment, SharedClock};
use crate::model::{History, Settings, Severity};
use crate::sample::{Envelope, Interest};
use crate::session::clerk::Clerk;
use crate::session::{Alarms, Tap};

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

/// A profile with everything that is its own.
#[derive(Debug)]
pub struct Seat {
    /// The profile, as the model sees it.
    pub settings: Settings,
    /// What is shown of it.
    pub subject: Subject,
    /// Where recordings without a name go.
    pub shelf: Shelf,
    /// On what one works.
    pub badges: Vec<Badge>,
    /// The profile's own label.
    pub label: Option<Arc<str>>,
    /// Who may change something; `None`: nobody, and no letters are read.
    pub office: Option<Office>,
    /// Who reads and replays letters; `None`: nobody.
    pub clerk: Option<Clerk>,
    /// What fires test webhooks, and of what they are made; `None`: none can be fired.
    pub firing: Option<(Firing, Supply)>,
}

/// What the console needs.
#[derive(Debug)]
pub struct RunOptions {
    /// The profile that fills the screens to begin with.
    pub seat: Seat,
    /// The profiles beside it, a line each; often none.
    pub beside: Vec<Seat>,
    /// The one clock.
    pub clock: SharedClock,
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
    /// What was kept of the run before.
    pub kept: Kept,
    /// Where that is kept; `None`: nowhere.
    pub kept_file: Option<PathBuf>,
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
    let desks = std::iter::once(seat)
        .chain(beside)
        .map(|seat| Desk::new(seat, looks.clone(), editor.clone(), clock.clone()));
    let mut office = Works {
        desks: desks.collect(),
        here: 0,
        served: 0,
        clock,
    };
    for notice in &notices {
        office.desk().app.flash(Severity::Warning, notice.as_str());
    }
    let mut terminal = Terminal::enter(mouse)?;
    let ended = office.drive(&themes, &mut terminal, &stop).await;
    // The terminal is given back first: a slow disk keeps nobody from it.
    drop(terminal);
    if let Some(file) = kept_file {
        save_kept(&file, &office.desk().app.kept());
    }
    for desk in office.desks {
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
                Effect::Edit { template, text } => {
                    // Whoever reads keys besides the editor would take some of them away.
                    hands.input = None;
                    discard_keys();
                    terminal.leave();
                    if let Err(reason) = self.desks[at].outside.edit(template.clone(), &text) {
                        terminal.resume()?;
                        hands.input = Some(EventStream::new());
                        let now = self.clock.now();
                        self.desks[at].update(Msg::Edited(now, template, Err(reason)));
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
