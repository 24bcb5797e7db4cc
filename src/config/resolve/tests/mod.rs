//! Rules of resolution, on files in temporary folders.

mod contexts;
mod example;
mod files;
mod metrics;
mod postgres;
mod precedence;
mod secrets;
mod sections;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::document::Section as _;
use crate::config::{EXAMPLE, Environment, Families, Family, HttpAuth, SecretPlace, Thresholds};

/// A home folder with files in it, an environment and a command line.
struct Case {
    home: tempfile::TempDir,
    environment: Environment,
    overrides: Overrides,
}

impl Case {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            environment: Environment::new(),
            overrides: Overrides::default(),
        }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".config/hookwatch/hookwatch.toml", text)
    }

    fn context(self, name: &str, text: &str) -> Self {
        self.file(&format!(".config/nats/context/{name}.json"), text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flags(mut self, change: impl FnOnce(&mut Overrides)) -> Self {
        change(&mut self.overrides);
        self
    }

    fn resolve(&self) -> Result<Resolved, Problems> {
        let surroundings = Surroundings {
            environment: &self.environment,
            home: Some(self.home.path()),
        };
        resolve(&self.overrides, &surroundings)
    }

    fn ok(&self) -> Resolved {
        self.resolve().unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn resolve_all(&self) -> Result<Vec<Resolved>, Problems> {
        let surroundings = Surroundings {
            environment: &self.environment,
            home: Some(self.home.path()),
        };
        resolve_all(&self.overrides, &surroundings)
    }

    /// The problems, one a line, the home folder written as `~`.
    fn problems(&self) -> Vec<String> {
        let problems = self.resolve().expect_err("a problem was expected");
        let home = self.home.path().to_str().unwrap();
        problems
            .0
            .iter()
            .map(|problem| problem.to_string().replace(home, "~"))
            .collect()
    }

    fn problem(&self) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }
}

fn servers(resolved: &Resolved) -> Vec<String> {
    resolved
        .profile
        .nats
        .as_ref()
        .map(|nats| nats.servers.clone())
        .unwrap_or_default()
}

fn origin(resolved: &Resolved, key: &str) -> String {
    let shown = resolved.values.iter().find(|shown| shown.key == key);
    shown.unwrap_or_else(|| panic!("no {key}")).origin.describe()
}

fn value<'r>(resolved: &'r Resolved, key: &str) -> &'r str {
    let shown = resolved.values.iter().find(|shown| shown.key == key);
    &shown.unwrap_or_else(|| panic!("no {key}")).value
}

const CREDS: &str = "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJIVU5URVIyIn0.c2lnbmF0dXJl\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSUAHUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2\n------END USER NKEY SEED------\n";
const SEED: &str = "SUAHUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2HUNTER2";
