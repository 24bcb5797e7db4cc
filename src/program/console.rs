//! The console, and the lists that come from its tables.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use crate::act::fire;
use crate::act::firing::Firing;
use crate::act::trace::TracePlan;
use crate::base::text;
use crate::base::time::Moment;
use crate::config::{ConsoleOptions, Environment, Profile};
use crate::console::bench::Supply;
use crate::console::command::{Chapter, Command};
use crate::console::glyph::Charset;
use crate::console::kept::Kept;
use crate::console::keymap::Keymap;
use crate::console::letters::Office;
use crate::console::run::{self, Error, Exit, Live, Recorded, RunOptions, Seat, Shelf, Subject};
use crate::console::screen::Badge;
use crate::console::theme::Library;
use crate::console::theme::colour::Depth;
use crate::model::{History, Settings};
use crate::record::{Limits, RecordError, Target};
use crate::session::clerk::{Clerk, Setting};
use crate::session::{self, Before, Session, Tap};
use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Failure, Program, print};

/// The theme where none is named.
const THEME: &str = "dark";

/// Refuses a console where there is no terminal, before anything is started for it.
pub(crate) fn require_terminal() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    let reason = "the console needs a terminal → hookwatch snapshot prints one reading";
    Err(Failure::Refused(vec![reason.to_owned()]))
}

/// What the console watches.
pub(crate) struct Watch<'a> {
    /// The profiles, at least one: the first fills the screens to begin with.
    pub(crate) profiles: &'a [&'a Profile],
    /// How it looks.
    pub(crate) looks: &'a ConsoleOptions,
    /// What to say at its beginning.
    pub(crate) notices: Vec<String>,
    /// Of a demo: the variables that hold its keys.
    pub(crate) demo: Option<Environment>,
    /// Where it is recorded.
    pub(crate) record: Option<&'a Path>,
    /// Where what was before is read from.
    pub(crate) history: Option<&'a str>,
}

impl Program<'_> {
    /// Watches profiles on screen until somebody leaves.
    pub(crate) async fn console(&self, watch: Watch<'_>) -> Result<u8, Failure> {
        let mut notices = watch.notices.clone();
        if watch.record.is_some() {
            refuse_one_folder_for_two(watch.profiles)?;
        }
        let (mut seats, mut stops) = (Vec::new(), Vec::new());
        for profile in watch.profiles {
            let (seat, stop, untaken) = self.seat(profile, &watch)?;
            seats.push(seat);
            stops.push(stop);
            for notice in untaken {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        let options = self.screen(seats, watch.looks, notices)?;
        let ended = Box::pin(run::run(options, CancellationToken::new())).await;
        drop(stops);
        exit_code(ended)
    }

    /// A profile with its sources at work; what ends them, and what could not be taken.
    fn seat(&self, profile: &Profile, watch: &Watch<'_>) -> Result<(Seat, DropGuard, Vec<String>), Failure> {
        let several = watch.profiles.len() > 1;
        let record = watch.record.map(|path| place(path, profile, several)).transpose()?;
        let history = watch
            .history
            .map(|source| source_of(source, profile, several))
            .transpose()?;
        let Session {
            settings,
            envelopes,
            interest,
            alarms,
            stop,
            started,
            ..
        } = Session::live(profile, &self.clock);
        let badges = [
            (watch.demo.is_some(), Badge::Demo),
            // Nothing is changed until somebody unlocks it.
            (true, Badge::ReadOnly),
            (profile.protected, Badge::Prod),
        ];
        let history = history.map(|source| before(&source, &settings, started)).transpose()?;
        let (before, history) = history.unzip();
        let mut tap = Tap::new(profile, settings.clone())
            .with_ring(started)?
            .with_before(before);
        if let Some(target) = record {
            tap.record(target, started)?;
        }
        let subject = Subject::Live(Box::new(Live {
            started,
            tap,
            history,
            envelopes,
            interest,
            alarms,
        }));
        let mut environment = self.surroundings.environment.clone();
        environment.extend(
            watch
                .demo
                .iter()
                .flatten()
                .map(|(name, key)| (name.clone(), key.clone())),
        );
        let library = Arc::new(fire::Library::load(self.templates().as_deref()));
        let untaken = library.broken().iter().map(ToString::to_string).collect();
        let firing = self.firing(profile, &library, environment.clone());
        let office = Office::new(profile, &library);
        let clerk = Clerk::new(Setting {
            profile: profile.clone(),
            environment,
            library,
            who: self.operator(),
            state: self.state().ok(),
            clock: self.clock.clone(),
        });
        let seat = Seat {
            firing: Some(firing),
            office: Some(office),
            clerk: Some(clerk),
            label: profile.label.clone(),
            badges: badges
                .into_iter()
                .filter_map(|(on, badge)| on.then_some(badge))
                .collect(),
            ..self.bare_seat(settings, subject)
        };
        Ok((seat, stop, untaken))
    }

    /// A seat at which nobody can change anything.
    fn bare_seat(&self, settings: Settings, subject: Subject) -> Seat {
        let state_folder = self.surroundings.state_folder().map(|folder| folder.join("hookwatch"));
        Seat {
            shelf: Shelf {
                folder: state_folder.map(|folder| folder.join("recordings")),
                profile: settings.profile.to_string(),
            },
            settings,
            subject,
            badges: Vec::new(),
            label: None,
            office: None,
            clerk: None,
            firing: None,
        }
    }

    /// Plays a recording on screen until somebody leaves.
    pub(crate) async fn player(
        &self,
        recorded: Recorded,
        settings: Settings,
        looks: &ConsoleOptions,
        notices: Vec<String>,
        badges: Vec<Badge>,
    ) -> Result<u8, Failure> {
        let subject = Subject::Recording(Box::new(recorded));
        let seat = Seat {
            badges,
            ..self.bare_seat(settings, subject)
        };
        let options = self.screen(vec![seat], looks, notices)?;
        exit_code(Box::pin(run::run(options, CancellationToken::new())).await)
    }

    /// How the console looks and which keys it has.
    fn screen(&self, seats: Vec<Seat>, looks: &ConsoleOptions, notices: Vec<String>) -> Result<RunOptions, Failure> {
        let (themes, refused) = self.themes()?;
        let (keymap, wrong_keys) = self.keymap();
        let state_folder = self.surroundings.state_folder().map(|folder| folder.join("hookwatch"));
        let kept_file = state_folder.as_ref().map(|folder| folder.join("console.toml"));
        let (kept, unkept) = match kept_file.as_deref().map(run::load_kept) {
            None => (Kept::default(), None),
            Some(Ok(kept)) => (kept, None),
            Some(Err(problem)) => (Kept::default(), Some(problem)),
        };
        // What is asked for, else what was chosen last, if it is still there.
        let known = |name: &&str| themes.names().iter().any(|known| **known == **name);
        let last = kept.theme.as_deref().filter(known);
        let theme = looks.theme.as_deref().or(last).unwrap_or(THEME).to_owned();
        let environment = self.surroundings.environment;
        let mut seats = seats.into_iter();
        let seat = seats
            .next()
            .ok_or_else(|| Failure::Failed("there is no profile to watch".to_owned()))?;
        Ok(RunOptions {
            seat,
            beside: seats.collect(),
            clock: self.clock.clone(),
            themes,
            theme,
            depth: Depth::detect(environment, looks.colours.as_deref().and_then(Depth::parse).flatten()),
            charset: Charset::detect(environment, looks.ascii.then_some(Charset::Ascii)),
            local: Some(self.local_zone()),
            local_first: !looks.utc,
            mouse: looks.mouse,
            keymap,
            kept,
            kept_file,
            editor: self.editor(),
            notices: notices
                .into_iter()
                .chain(refused)
                .chain(wrong_keys)
                .chain(unkept)
                .collect(),
        })
    }

    /// This machine's time zone. Without TZ, from its own file: to find the file's name jiff lists
    /// every zone there is.
    pub(crate) fn local_zone(&self) -> TimeZone {
        if self.surroundings.environment.contains_key("TZ") {
            return TimeZone::system();
        }
        let file = std::fs::read("/etc/localtime").ok();
        let zone = file.and_then(|bytes| TimeZone::tzif("local", &bytes).ok());
        zone.unwrap_or_else(TimeZone::system)
    }

    /// What fires test webhooks, with the keys in `environment`.
    fn firing(&self, profile: &Profile, library: &Arc<fire::Library>, environment: Environment) -> (Firing, Supply) {
        let supply = Supply {
            library: library.clone(),
            fire: profile.fire.clone(),
            untraceable: TracePlan::of(profile).err().map(|error| error.to_string()),
            refusal: profile
                .read_only
                .then(|| "Nothing is fired from here: the profile is read-only.".to_owned()),
        };
        let firing = Firing::new(library.clone(), profile.clone(), environment, self.clock.clone());
        (firing, supply)
    }

    /// What edits a file here.
    fn editor(&self) -> String {
        let named = ["VISUAL", "EDITOR"]
            .into_iter()
            .find_map(|name| self.surroundings.variable(name));
        named.unwrap_or("vi").to_owned()
    }

    /// The keys, and what was refused of the user's own.
    fn keymap(&self) -> (Keymap, Vec<String>) {
        match self.surroundings.config_folder() {
            Some(folder) => run::load_keymap(&folder.join("hookwatch").join("keys.toml")),
            None => (Keymap::default(), Vec::new()),
        }
    }

    /// The themes in the binary and the user's own; those of the user that are refused, and why.
    pub(super) fn themes(&self) -> Result<(Library, Vec<String>), Failure> {
        let mut library = Library::embedded().map_err(|error| Failure::Failed(error.to_string()))?;
        let folder = self.surroundings.config_folder();
        let refused = folder.map_or_else(Vec::new, |folder| {
            run::add_user_themes(&mut library, &folder.join("hookwatch").join("themes"))
        });
        Ok((library, refused.iter().map(ToString::to_string).collect()))
    }

    /// Every theme, one a line. Themes that are refused make it partial.
    pub(crate) fn list_themes(&self) -> Result<u8, Failure> {
        let (library, refused) = self.themes()?;
        let names: Vec<_> = library.names().iter().map(|name| text::safe(name)).collect();
        print(format!("{}\n", names.join("\n")).as_bytes())?;
        if refused.is_empty() {
            Ok(0)
        } else {
            Err(Failure::Failed(refused.join("; ")))
        }
    }

    /// Every command with its keys, by chapter. Lines of a keymap that are refused make it partial.
    pub(crate) fn list_keys(&self) -> Result<u8, Failure> {
        let (keymap, refused) = self.keymap();
        print_keys(&keymap)?;
        if refused.is_empty() {
            Ok(0)
        } else {
            Err(Failure::Failed(refused.join("; ")))
        }
    }
}

fn exit_code(ended: Result<Exit, Error>) -> Result<u8, Failure> {
    match ended {
        Ok(Exit::Quit | Exit::Stopped) => Ok(0),
        Ok(Exit::Signal(number)) => Ok(u8::try_from(128 + number).unwrap_or(1)),
        Err(error @ Error::Theme(_)) => Err(Failure::Refused(vec![error.to_string()])),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

/// Two profiles whose names make the same folder would write into each other's recording.
fn refuse_one_folder_for_two(profiles: &[&Profile]) -> Result<(), Failure> {
    let folders: Vec<String> = profiles.iter().map(|profile| folder_of(profile)).collect();
    for (at, folder) in folders.iter().enumerate() {
        if folders[..at].contains(folder) {
            let reason = format!("--record: two profiles would be recorded into {folder} → record them one by one");
            return Err(Failure::Refused(vec![reason]));
        }
    }
    Ok(())
}

/// Where a profile is recorded: of several, each in a folder of its own.
fn place(path: &Path, profile: &Profile, several: bool) -> Result<Target, Failure> {
    if !several {
        return Ok(Target::of(path, false));
    }
    if path.is_file() || path.extension().is_some() && !path.is_dir() {
        let reason = "--record: each of several profiles has a recording of its own → name a folder";
        return Err(Failure::Refused(vec![reason.to_owned()]));
    }
    Ok(Target::Folder(path.join(folder_of(profile)), Limits::default()))
}

/// Where what was before is read from: of several profiles, each from the folder it records into.
fn source_of(source: &str, profile: &Profile, several: bool) -> Result<String, Failure> {
    if !several {
        return Ok(source.to_owned());
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        let reason =
            "--history: a Prometheus server does not tell several profiles apart → name one profile, or a folder";
        return Err(Failure::Refused(vec![reason.to_owned()]));
    }
    let folder = Path::new(source).join(folder_of(profile));
    Ok(folder.to_string_lossy().into_owned())
}

/// A folder's name for a profile.
fn folder_of(profile: &Profile) -> String {
    Shelf {
        folder: None,
        profile: profile.name.to_string(),
    }
    .plain_name()
}

/// What was before the session's start, once it is read.
type Reading = oneshot::Receiver<Result<History, String>>;

/// Begins to read what was before the session's start, away from the screen.
fn before(source: &str, settings: &Settings, started: Moment) -> Result<(Before, Reading), Failure> {
    let (sender, receiver) = oneshot::channel();
    let settings = settings.clone();
    if source.starts_with("http://") || source.starts_with("https://") {
        let server = source.to_owned();
        tokio::spawn(async move {
            let past = session::past_on(&server, &settings, started).await;
            let _ = sender.send(past.map_err(|error| error.to_string()));
        });
        return Ok((Before::Server, receiver));
    }
    let path = Path::new(source).to_owned();
    // Refused before there is a screen: a folder that is not there never will be.
    if let Err(reason) = path.metadata() {
        return Err(RecordError::Io {
            operation: "open",
            path,
            reason,
        }
        .into());
    }
    let before = Before::Recordings(path.clone());
    tokio::task::spawn_blocking(move || {
        let past = session::past_of(&path, &settings, started).map_err(|error| error.to_string());
        // Nobody waits any more when the console has ended.
        let _ = sender.send(past);
    });
    Ok((before, receiver))
}

fn print_keys(keymap: &Keymap) -> Result<u8, Failure> {
    let rows: Vec<(Chapter, String, &str)> = Command::ALL
        .chunk_by(|a, b| a.does_the_same(*b))
        .map(|group| (group[0].chapter(), keymap.written(group, " "), group[0].doc()))
        .collect();
    let width = rows.iter().map(|(_, keys, _)| text::width(keys)).max().unwrap_or(0);
    let mut page = String::new();
    for chapter in Chapter::ALL {
        let title = if page.is_empty() { "" } else { "\n" };
        page.extend([title, chapter.title(), "\n"]);
        for (_, keys, doc) in rows.iter().filter(|(of, _, _)| *of == chapter) {
            let gap = " ".repeat(width - text::width(keys));
            page.extend(["  ", keys.as_str(), &gap, "  ", doc, "\n"]);
        }
    }
    print(page.as_bytes())
}
