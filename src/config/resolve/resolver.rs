//! Collecting what is resolved, what is wrong with it and what of it is secret.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{ConsoleOptions, Resolved, Shown};
use crate::base::secret::Redactor;
use crate::base::text;
use crate::config::document::{Key, Setting};
use crate::config::duration::format_duration;
use crate::config::endpoint::BadUrl;
use crate::config::paths::Surroundings;
use crate::config::problem::{Origin, Problem, Problems};
use crate::config::profile::Profile;

/// Collects what is resolved, what is wrong and what is secret.
pub(super) struct Resolver<'a> {
    pub(super) surroundings: &'a Surroundings<'a>,
    /// The file's folder: paths in it are relative to it.
    pub(super) folder: Option<PathBuf>,
    pub(super) redactor: Redactor,
    pub(super) values: Vec<Shown>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(surroundings: &'a Surroundings<'a>, file: Option<&Path>) -> Self {
        Self {
            surroundings,
            folder: file.and_then(Path::parent).map(Path::to_path_buf),
            redactor: Redactor::default(),
            values: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn finish(self, mut profile: Profile, console: ConsoleOptions) -> Result<Resolved, Problems> {
        let clean = |text: &str| text::safe(&self.redactor.clean(text)).into_owned();
        if !self.problems.is_empty() {
            let problems = self.problems.into_iter().map(|problem| Problem {
                what: clean(&problem.what),
                next: clean(&problem.next),
                at: problem.at,
            });
            return Err(Problems(problems.collect()));
        }
        let values = self.values.into_iter().map(|shown| Shown {
            key: clean(&shown.key),
            value: clean(&shown.value),
            origin: shown.origin,
        });
        let values = values.collect();
        let warnings = self.warnings.iter().map(|warning| clean(warning)).collect();
        profile.redactor = self.redactor;
        Ok(Resolved {
            profile,
            console,
            values,
            warnings,
            file: None,
            profiles: Vec::new(),
        })
    }

    /// Notes a value for [`Resolved::values`].
    pub(super) fn show(&mut self, key: impl Into<String>, value: impl Into<String>, origin: &Origin) {
        self.values.push(Shown {
            key: key.into(),
            value: value.into(),
            origin: origin.clone(),
        });
    }

    /// Notes a value that may be unset.
    pub(super) fn show_key(&mut self, key: &str, value: Option<&Setting<String>>) {
        match value {
            Some(setting) => self.show(key, setting.value.clone(), &setting.origin),
            None => self.show(key, text::UNKNOWN, &Origin::Default),
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn bad_url(&mut self, key: &str, origin: &Origin, bad: &BadUrl) {
        let what = format!("the URL of `{key}` cannot be used: {}", bad.reason);
        self.problem(Problem::new(origin, what).next(bad.next));
    }

    pub(super) fn warn(&mut self, origin: &Origin, text: &str) {
        self.warnings.push(format!("{origin}: {text}"));
    }

    /// The absolute form of a path: relative to the file that it stands in, else to where we run.
    pub(super) fn path(&mut self, key: &str, setting: &Setting<String>) -> Option<PathBuf> {
        let base = matches!(setting.origin, Origin::File(..))
            .then_some(self.folder.as_deref())
            .flatten();
        match self.surroundings.expand(&setting.value, base) {
            Ok(path) => Some(path),
            Err(reason) => {
                let next = "set it, or write the path out";
                self.problem(Problem::new(&setting.origin, format!("`{key}`: {reason}")).next(next));
                None
            }
        }
    }

    /// A path to a file that must be readable.
    pub(super) fn readable(&mut self, key: &str, setting: &Setting<String>) -> Option<PathBuf> {
        let path = self.path(key, setting)?;
        match fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(error) => {
                let what = format!("cannot read `{key}` {}: {error}", path.display());
                self.problem(Problem::new(&setting.origin, what).next("check the path and its permissions"));
                None
            }
        }
    }

    /// Refuses a duration that is too short.
    pub(super) fn at_least(&mut self, key: &str, setting: &Setting<Duration>, least: Duration) {
        if setting.value < least {
            let what = format!("{key} is shorter than {}", format_duration(least));
            self.problem(Problem::new(&setting.origin, what).next("choose a longer one"));
        }
    }

    /// A switch, or its default.
    pub(super) fn switch(&mut self, key: &str, setting: Key<bool>, default: bool) -> bool {
        let setting = setting.unwrap_or(Setting::new(default, Origin::Default));
        self.show(key, setting.value.to_string(), &setting.origin);
        setting.value
    }
}

/// The first layer's value wins.
pub(super) fn pick<L, T: Clone>(layers: &[L], key: impl Fn(&L) -> &Key<T>) -> Key<T> {
    layers.iter().find_map(|layer| key(layer).clone())
}
