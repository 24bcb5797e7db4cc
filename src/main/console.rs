//! The console, and the lists that come from its tables.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use hookwatch::act::fire;
use hookwatch::act::firing::Firing;
use hookwatch::act::trace::TracePlan;
use hookwatch::base::text;
use hookwatch::base::time::Moment;
use hookwatch::config::{ConsoleOptions, Environment, Profile};
use hookwatch::console::bench::Supply;
use hookwatch::console::command::{Chapter, Command};
use hookwatch::console::glyph::Charset;
use hookwatch::console::kept::Kept;
use hookwatch::console::keymap::Keymap;
use hookwatch::console::letters::Office;
use hookwatch::console::run::{self, Error, Exit, Live, Recorded, RunOptions, Shelf, Subject};
use hookwatch::console::screen::Badge;
use hookwatch::console::theme::Library;
use hookwatch::console::theme::colour::Depth;
use hookwatch::model::{History, Settings};
use hookwatch::record::{RecordError, Target};
use hookwatch::session::clerk::{Clerk, Setting};
use hookwatch::session::{self, Session, Tap};
use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{Failure, Program, print};

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

impl Program<'_> {
    /// Watches a profile on screen until somebody leaves. Of a demo: the variables that hold its keys.
    pub(crate) async fn console(
        &self,
        profile: &Profile,
        looks: &ConsoleOptions,
        notices: Vec<String>,
        demo: Option<Environment>,
        record: Option<&Path>,
        history: Option<&str>,
    ) -> Result<u8, Failure> {
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
            (demo.is_some(), Badge::Demo),
            // Nothing is changed until somebody unlocks it.
            (true, Badge::ReadOnly),
            (profile.protected, Badge::Prod),
        ];
        let history = history.map(|source| before(source, &settings, started)).transpose()?;
        let mut tap = Tap::new(profile, settings.clone()).with_ring(started)?;
        if let Some(path) = record {
            tap.record(Target::of(path, false), started)?;
        }
        let subject = Subject::Live(Box::new(Live {
            started,
            tap,
            history,
            envelopes,
            interest,
            alarms,
        }));
        let mut options = self.screen(settings, subject, looks, notices)?;
        let mut environment = self.surroundings.environment.clone();
        environment.extend(demo.into_iter().flatten());
        let library = Arc::new(fire::Library::load(self.templates().as_deref()));
        let untaken = library.broken().iter().map(ToString::to_string);
        options.notices.extend(untaken);
        options.firing = Some(self.firing(profile, &library, environment.clone()));
        options.office = Some(Office::new(profile, &library));
        options.clerk = Some(Clerk::new(Setting {
            profile: profile.clone(),
            environment,
            library,
            who: self.operator(),
            state: self.state().ok(),
            clock: self.clock.clone(),
        }));
        options.label.clone_from(&profile.label);
        options.badges = badges
            .into_iter()
            .filter_map(|(on, badge)| on.then_some(badge))
            .collect();
        let ended = run::run(options, CancellationToken::new()).await;
        drop(stop);
        exit_code(ended)
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
        let mut options = self.screen(settings, subject, looks, notices)?;
        options.badges = badges;
        exit_code(run::run(options, CancellationToken::new()).await)
    }

    /// How the console looks and which keys it has.
    fn screen(
        &self,
        settings: Settings,
        subject: Subject,
        looks: &ConsoleOptions,
        notices: Vec<String>,
    ) -> Result<RunOptions, Failure> {
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
        Ok(RunOptions {
            shelf: Shelf {
                folder: state_folder.map(|folder| folder.join("recordings")),
                profile: settings.profile.to_string(),
            },
            settings,
            subject,
            clock: self.clock.clone(),
            label: None,
            badges: Vec::new(),
            themes,
            theme,
            depth: Depth::detect(environment, looks.colours.as_deref().and_then(Depth::parse).flatten()),
            charset: Charset::detect(environment, looks.ascii.then_some(Charset::Ascii)),
            local: Some(TimeZone::system()),
            local_first: !looks.utc,
            mouse: looks.mouse,
            keymap,
            kept,
            kept_file,
            firing: None,
            office: None,
            clerk: None,
            editor: self.editor(),
            notices: notices
                .into_iter()
                .chain(refused)
                .chain(wrong_keys)
                .chain(unkept)
                .collect(),
        })
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
    fn themes(&self) -> Result<(Library, Vec<String>), Failure> {
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

/// Begins to read what was before the session's start, away from the screen.
fn before(
    source: &str,
    settings: &Settings,
    started: Moment,
) -> Result<oneshot::Receiver<Result<History, String>>, Failure> {
    let (sender, receiver) = oneshot::channel();
    let settings = settings.clone();
    if source.starts_with("http://") || source.starts_with("https://") {
        let server = source.to_owned();
        tokio::spawn(async move {
            let past = session::past_on(&server, &settings, started).await;
            let _ = sender.send(past.map_err(|error| error.to_string()));
        });
        return Ok(receiver);
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
    tokio::task::spawn_blocking(move || {
        let past = session::past_of(&path, &settings, started).map_err(|error| error.to_string());
        // Nobody waits any more when the console has ended.
        let _ = sender.send(past);
    });
    Ok(receiver)
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
