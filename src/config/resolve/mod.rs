//! From flags, environment, file and contexts to one profile.

mod dead_letters;
mod fire;
mod layers;
mod limits;
mod metrics;
mod nats;
mod postgres;
mod resolver;
mod secrets;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::layers::{VARIABLES, variable};
use self::resolver::{Resolver, pick};
pub use self::secrets::redactor_of;
use super::context;
use super::document::{Key, Reader, Setting};
use super::endpoint::Postgres;
use super::paths::Surroundings;
use super::problem::{Origin, Problem, Problems, nearest, suggest};
use super::profile::Profile;
use super::schema::{ConsoleSection, FileSection, NatsSection, ProfileSection};
use crate::base::text;

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--profile`, one or several
    pub profiles: Vec<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--nats`
    pub nats: Option<String>,
    /// `--creds`
    pub creds: Option<String>,
    /// `--monitoring`
    pub monitoring: Option<String>,
    /// `--metrics`, each a URL or `NAME=URL`
    pub metrics: Vec<String>,
    /// `--probe`, each a URL or `NAME=URL`
    pub probes: Vec<String>,
    /// `--postgres`
    pub postgres: Option<String>,
    /// `--stream`
    pub stream: Option<String>,
    /// `--consumer`
    pub consumer: Option<String>,
    /// `--dlq`
    pub dlq: Option<String>,
    /// `--read-only`
    pub read_only: bool,
    /// `--theme`
    pub theme: Option<String>,
    /// `--ascii`
    pub ascii: bool,
    /// `--no-mouse`
    pub no_mouse: bool,
    /// `--utc` or `--local`
    pub utc: Option<bool>,
}

/// What `console.colours` may be.
const COLOURS: [&str; 5] = ["auto", "true", "256", "16", "none"];

/// How the console looks and behaves.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that have nothing to do with each other"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// The theme's name; `None`: the console's own choice.
    pub theme: Option<Arc<str>>,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Whether times are UTC rather than local.
    pub utc: bool,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// How many colours the terminal shows: `true`, `256`, `16`, `none`; `None`: as it says itself.
    pub colours: Option<Arc<str>>,
}

/// One resolved value, to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its key.
    pub key: String,
    /// The value as text, without secrets.
    pub value: String,
    /// Where it is from.
    pub origin: Origin,
}

/// A configuration, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What to watch.
    pub profile: Profile,
    /// How the console looks.
    pub console: ConsoleOptions,
    /// Every value with where it is from.
    pub values: Vec<Shown>,
    /// What is allowed but unwise, one line each: secrets that others can see, overrides.
    pub warnings: Vec<String>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// The names of its profiles.
    pub profiles: Vec<String>,
}

impl Resolved {
    /// Refuses a configuration that names nothing to connect to.
    ///
    /// # Errors
    /// When there is neither NATS nor metrics nor Postgres nor a probe.
    pub fn require_something_to_watch(&self) -> Result<(), Problem> {
        if self.profile.is_empty() {
            let problem = Problem::general("nothing to watch: neither NATS nor metrics nor Postgres is configured");
            let next = if self.profiles.is_empty() {
                "give --nats, --metrics or --postgres, or write a profile: hookwatch config --example shows how"
                    .to_owned()
            } else {
                format!(
                    "choose a profile with --profile: {}",
                    text::safe(&self.profiles.join(", "))
                )
            };
            return Err(problem.next(next));
        }
        Ok(())
    }
}

/// Resolves a configuration: flags, then environment, then file, then defaults.
///
/// # Errors
/// Everything that is wrong with it; several profiles, where one is wanted.
pub fn resolve(overrides: &Overrides, surroundings: &Surroundings<'_>) -> Result<Resolved, Problems> {
    let file = read_file(overrides, surroundings)?;
    let chosen = choose_profiles(overrides, surroundings, file.as_ref())?;
    if let [first, _, ..] = chosen.as_slice() {
        let what = format!("this works on one profile, and {} are named", chosen.len());
        let names: Vec<&str> = chosen.iter().map(|name| name.value.as_str()).collect();
        let next = format!("give one with --profile: {}", text::safe(&names.join(", ")));
        return Err(Problem::new(&first.origin, what).next(next).into());
    }
    resolve_one(overrides, surroundings, file, chosen.into_iter().next())
}

/// Resolves every profile that is named, in the order in which they are: one, or several to be
/// watched side by side. Of several, each says itself where it connects to: flags that do are
/// refused, and variables that do (`NATS_URL` is set for many programs) are left out, with a warning.
///
/// # Errors
/// Everything that is wrong with the first of them that something is wrong with.
pub fn resolve_all(overrides: &Overrides, surroundings: &Surroundings<'_>) -> Result<Vec<Resolved>, Problems> {
    let file = read_file(overrides, surroundings)?;
    let chosen = choose_profiles(overrides, surroundings, file.as_ref())?;
    if chosen.len() < 2 {
        return Ok(vec![resolve_one(
            overrides,
            surroundings,
            file,
            chosen.into_iter().next(),
        )?]);
    }
    if let Some(flag) = layers::link_flags(overrides).first() {
        let what = format!("it would hold for each of {} profiles", chosen.len());
        let next = "leave it out, or name one profile";
        return Err(Problem::new(&Origin::Flag(flag), what).next(next).into());
    }
    let (environment, left_out) = layers::without_links(surroundings);
    let surroundings = Surroundings {
        environment: &environment,
        ..*surroundings
    };
    let mut all = Vec::new();
    for name in chosen {
        let label = text::safe(&name.value).into_owned();
        let mut resolved = resolve_one(overrides, &surroundings, file.clone(), Some(name))?;
        for warning in &mut resolved.warnings {
            *warning = format!("{label}: {warning}");
        }
        all.push(resolved);
    }
    if let Some(first) = all.first_mut().filter(|_| !left_out.is_empty()) {
        let names = left_out.join(", ");
        first.warnings.insert(
            0,
            format!("${names} left out: of several profiles, each says where it connects to"),
        );
    }
    Ok(all)
}

fn resolve_one(
    overrides: &Overrides,
    surroundings: &Surroundings<'_>,
    file: Option<(PathBuf, FileSection)>,
    chosen: Key<String>,
) -> Result<Resolved, Problems> {
    let mut work = Resolver::new(surroundings, file.as_ref().map(|(path, _)| path.as_path()));
    work.misspelt_variables();

    let mut layers = vec![layers::flags(overrides), layers::environment(surroundings)];
    let mut console = vec![
        layers::console_flags(overrides),
        layers::console_environment(surroundings),
    ];
    let mut profiles = Vec::new();
    let path = file.map(|(path, section)| {
        profiles.extend(section.profile.keys().cloned());
        let FileSection {
            console: looks,
            mut profile,
            common,
            ..
        } = section;
        layers.extend(
            chosen
                .as_ref()
                .and_then(|name| profile.remove(&name.value))
                .map(|nested| nested.0),
        );
        layers.push(common);
        console.push(looks.0);
        path
    });

    let name = work.name(chosen.as_ref(), &layers);
    let mut profile = Profile::empty(&name);
    work.switches(&layers, &mut profile);
    let links = work.nats_layers(&layers);
    profile.nats = work.nats(&links);
    profile.pipeline = work.pipeline(&layers);
    profile.targets = work.targets(&layers);
    profile.probes = work.probes(&layers);
    profile.postgres = work.postgres(&layers);
    profile.families = work.families(&layers);
    profile.thresholds = work.thresholds(&layers);
    profile.runbooks = work.runbooks(&layers);
    profile.alerts = work.alerts(&layers);
    profile.fire = work.fire(&layers);
    profile.dead_letters = Box::new(work.dead_letters(&layers));
    let console = work.console(&console);
    work.overridden(&layers);
    let mut resolved = work.finish(profile, console)?;
    resolved.file = path;
    resolved.profiles = profiles;
    Ok(resolved)
}

/// How the console looks, where what it watches is not configured (the demo).
///
/// # Errors
/// Everything that is wrong with the file, or with these options.
pub fn console_options(overrides: &Overrides, surroundings: &Surroundings<'_>) -> Result<ConsoleOptions, Problems> {
    let file = read_file(overrides, surroundings)?;
    let mut work = Resolver::new(surroundings, None);
    let mut layers = vec![
        layers::console_flags(overrides),
        layers::console_environment(surroundings),
    ];
    layers.extend(file.map(|(_, section)| section.console.0));
    let console = work.console(&layers);
    Ok(work.finish(Profile::empty("demo"), console)?.console)
}

/// The file, if there is one: the one that is asked for must be there, the default one need not.
fn read_file(
    overrides: &Overrides,
    surroundings: &Surroundings<'_>,
) -> Result<Option<(PathBuf, FileSection)>, Problems> {
    let asked = match (&overrides.config, surroundings.variable("HOOKWATCH_CONFIG")) {
        (Some(path), _) => Some((path.clone(), Origin::Flag("--config"))),
        (None, Some(path)) => Some((PathBuf::from(path), Origin::Variable("HOOKWATCH_CONFIG".into()))),
        (None, None) => None,
    };
    let must_exist = asked.is_some();
    let Some((path, origin)) = asked.or_else(|| Some((surroundings.config_file()?, Origin::Default))) else {
        return Ok(None);
    };
    let source = match fs::read_to_string(&path) {
        Ok(source) => source,
        Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("cannot read the configuration {}: {error}", path.display());
            let mut problem = Problem::new(&origin, what).next("hookwatch config --example prints one to start from");
            if origin == Origin::Default {
                problem.at = None;
            }
            return Err(problem.into());
        }
    };
    let (section, problems) = Reader::read::<FileSection>(&path, &source);
    if problems.is_empty() {
        Ok(Some((path, section)))
    } else {
        Err(Problems(problems))
    }
}

/// Which profiles: those that are named, else the file's default, else the only one there is.
fn choose_profiles(
    overrides: &Overrides,
    surroundings: &Surroundings<'_>,
    file: Option<&(PathBuf, FileSection)>,
) -> Result<Vec<Setting<String>>, Problems> {
    let section = file.map(|(_, section)| section);
    let flags =
        (!overrides.profiles.is_empty()).then(|| Setting::new(overrides.profiles.clone(), Origin::Flag("--profile")));
    let from_variable = || {
        let setting = variable(surroundings, "HOOKWATCH_PROFILE")?;
        let names = setting.value.split(',').map(|name| name.trim().to_owned());
        Some(Setting::new(names.collect(), setting.origin))
    };
    let asked = flags
        .or_else(from_variable)
        .or_else(|| section?.default_profile.clone());
    let profiles: Vec<&str> = section
        .iter()
        .flat_map(|s| s.profile.keys().map(String::as_str))
        .collect();
    let Some(asked) = asked else {
        let only = match profiles.as_slice() {
            [only] => vec![Setting::new((*only).to_owned(), Origin::Default)],
            _ => Vec::new(),
        };
        return Ok(only);
    };
    let mut chosen: Vec<Setting<String>> = Vec::new();
    for name in asked.value {
        if chosen.iter().any(|known| known.value == name) {
            continue;
        }
        let name = Setting::new(name, asked.origin.clone());
        if !profiles.contains(&name.value.as_str()) {
            return Err(unknown_profile(&name, &profiles, file.map(|(path, _)| path.as_path())).into());
        }
        chosen.push(name);
    }
    Ok(chosen)
}

fn unknown_profile(asked: &Setting<String>, profiles: &[&str], file: Option<&Path>) -> Problem {
    let place = match file {
        Some(path) => format!("in {}", path.display()),
        None => "because there is no configuration file".to_owned(),
    };
    let what = format!("there is no profile `{}` {place}", text::safe(&asked.value));
    let next = if profiles.is_empty() {
        "hookwatch config --example shows how to write one".to_owned()
    } else {
        suggest(&asked.value, profiles.iter().copied())
    };
    Problem::new(&asked.origin, what).next(next)
}

impl Resolver<'_> {
    /// A variable that is all but one of ours is a slip that would be silent.
    fn misspelt_variables(&mut self) {
        for name in self
            .surroundings
            .environment
            .keys()
            .filter(|name| name.starts_with("HOOKWATCH_"))
        {
            if VARIABLES.contains(&name.as_str()) {
                continue;
            }
            if let Some(meant) = nearest(
                &name[10..],
                VARIABLES.iter().filter_map(|v| v.strip_prefix("HOOKWATCH_")),
            ) {
                let text = format!("not a variable of hookwatch; did you mean HOOKWATCH_{meant}?");
                self.warnings.push(format!("${}: {text}", text::safe(name)));
            }
        }
    }

    /// The profile's name: as chosen, else the context's.
    fn name(&mut self, chosen: Option<&Setting<String>>, layers: &[ProfileSection]) -> String {
        let named = chosen.or_else(|| layers.iter().find_map(|layer| layer.nats.context.as_ref()));
        let (name, origin) = named.map_or_else(
            || ("default".to_owned(), Origin::Default),
            |setting| (text::safe(&setting.value).into_owned(), setting.origin.clone()),
        );
        self.show("profile", name.clone(), &origin);
        name
    }

    fn switches(&mut self, layers: &[ProfileSection], profile: &mut Profile) {
        let label = pick(layers, |layer| &layer.label);
        self.show_key("label", label.as_ref());
        profile.label = label.map(|label| text::safe(&label.value).as_ref().into());
        profile.protected = self.switch("protected", pick(layers, |layer| &layer.protected), false);
        profile.read_only = self.switch("read_only", pick(layers, |layer| &layer.read_only), false);
        profile.idempotent_workers = self.switch(
            "idempotent_workers",
            pick(layers, |layer| &layer.idempotent_workers),
            false,
        );
    }

    fn console(&mut self, layers: &[ConsoleSection]) -> ConsoleOptions {
        let theme = layers.iter().find_map(|layer| layer.theme.clone());
        self.show_key("console.theme", theme.as_ref());
        let ascii = self.switch(
            "console.ascii",
            layers.iter().find_map(|layer| layer.ascii.clone()),
            false,
        );
        let mouse = self.switch(
            "console.mouse",
            layers.iter().find_map(|layer| layer.mouse.clone()),
            true,
        );
        let time = layers
            .iter()
            .find_map(|layer| layer.time.clone())
            .unwrap_or(Setting::new("utc".to_owned(), Origin::Default));
        if !matches!(time.value.as_str(), "utc" | "local") {
            let problem = Problem::new(&time.origin, "`console.time` is neither `utc` nor `local`");
            self.problem(problem.next(suggest(&time.value, ["utc", "local"])));
        }
        self.show("console.time", time.value.clone(), &time.origin);
        let colours = layers.iter().find_map(|layer| layer.colours.clone());
        if let Some(colours) = &colours
            && !COLOURS.contains(&colours.value.as_str())
        {
            let problem = Problem::new(
                &colours.origin,
                "`console.colours` is none of `auto`, `true`, `256`, `16`, `none`",
            );
            self.problem(problem.next(suggest(&colours.value, COLOURS)));
        }
        self.show_key("console.colours", colours.as_ref());
        ConsoleOptions {
            colours: colours.map(|colours| colours.value.into()),
            theme: theme.map(|theme| theme.value.into()),
            ascii,
            mouse,
            utc: time.value == "utc",
            no_color: self.surroundings.variable("NO_COLOR").is_some(),
        }
    }

    /// `NATS_URL` and `DATABASE_URL` are set for many programs: where they displace what a
    /// profile says, the wrong pipeline could be on screen under the right name.
    fn overridden(&mut self, layers: &[ProfileSection]) {
        let [_, environment, file @ ..] = layers else { return };
        let pairs = [
            (
                environment.nats.url.as_ref().map(|url| &url.origin),
                file.iter().find_map(|l| {
                    let url = l.nats.url.as_ref().map(|url| &url.origin);
                    url.or(l.nats.context.as_ref().map(|context| &context.origin))
                }),
                layers[0].nats.url.is_some() || layers[0].nats.context.is_some(),
            ),
            (
                environment.postgres.url.as_ref().map(|url| &url.origin),
                file.iter().find_map(|l| {
                    let url = l.postgres.url.as_ref().map(|url| &url.origin);
                    url.or(l.postgres.url_env.as_ref().map(|url| &url.origin))
                }),
                layers[0].postgres.url.is_some(),
            ),
        ];
        for (variable, file, by_flag) in pairs {
            // Our own variables are meant for us.
            let general =
                variable.filter(|origin| !matches!(origin, Origin::Variable(v) if v.starts_with("HOOKWATCH_")));
            if let (Some(variable), Some(file), false) = (general, file, by_flag) {
                let text = format!("overrides what {file} says; unset it to use the profile");
                self.warn(variable, &text);
            }
        }
    }

    /// The sections that say where NATS is, first wins. A context is complete: what stands in
    /// layers below the one that names it does not mix with it.
    fn nats_layers(&mut self, layers: &[ProfileSection]) -> Vec<NatsSection> {
        let mut links = Vec::new();
        for layer in layers {
            links.push(layer.nats.0.clone());
            if let Some(name) = &layer.nats.context {
                self.add_context(name, &mut links);
                return links;
            }
        }
        let nothing = !links.iter().any(NatsSection::is_set)
            && layers
                .iter()
                .all(|l| l.metrics.0.targets.is_none() && l.probes.is_none())
            && layers
                .iter()
                .all(|l| l.postgres.url.is_none() && l.postgres.url_env.is_none())
            && Postgres::of_environment(self.surroundings.environment).is_none();
        if nothing && let Some(name) = context::selected(self.surroundings) {
            let folder = self.surroundings.config_folder().unwrap_or_default();
            let origin = Origin::File(folder.join("nats").join("context.txt").into(), 1);
            self.add_context(&Setting::new(name, origin), &mut links);
        }
        links
    }

    fn add_context(&mut self, name: &Setting<String>, links: &mut Vec<NatsSection>) {
        self.show("nats.context", name.value.clone(), &name.origin);
        match context::load(&name.value, &name.origin, self.surroundings) {
            Ok(mut section) => {
                // A context without a URL means the local server, as for the CLI.
                section.context = Some(name.clone());
                links.push(section);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }
}
