//! Secrets: from a variable, from a file, or, with a warning, from where others can see them.

use std::fs;

use base64::Engine as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use super::Resolver;
use crate::base::secret::Redactor;
use crate::config::document::{Key, Setting};
use crate::config::endpoint::names_a_secret;
use crate::config::problem::{Origin, Problem};
use crate::config::profile::Environment;

/// The three keys that may hold one secret.
#[derive(Clone, Copy)]
pub(super) struct SecretKeys<'k> {
    /// The plain key's name.
    pub(super) name: &'static str,
    /// The secret itself.
    pub(super) inline: &'k Key<String>,
    /// The name of a variable.
    pub(super) variable: &'k Key<String>,
    /// A file.
    pub(super) file: &'k Key<String>,
}

impl SecretKeys<'_> {
    /// Whether any of them is set, be it readable or not.
    pub(super) fn is_given(&self) -> bool {
        self.inline.is_some() || self.variable.is_some() || self.file.is_some()
    }
}

/// A secret and, in words, where it was found.
pub(super) struct Found {
    pub(super) secret: SecretString,
    pub(super) told: String,
    pub(super) origin: Origin,
}

impl Resolver<'_> {
    /// The secret that one of the three keys gives.
    pub(super) fn secret(&mut self, keys: SecretKeys<'_>) -> Option<Found> {
        let name = keys.name;
        let given: Vec<&Setting<String>> = [keys.inline, keys.variable, keys.file].into_iter().flatten().collect();
        if let [_, second, ..] = given.as_slice() {
            let what = format!("`{name}` is given twice");
            let next = format!("keep one of {name}, {name}_env and {name}_file");
            self.problem(Problem::new(&second.origin, what).next(next));
            return None;
        }
        if let Some(setting) = keys.inline {
            self.inline_secret(name, setting);
            return Some(Found {
                secret: setting.value.clone().into(),
                told: "written there".to_owned(),
                origin: setting.origin.clone(),
            });
        }
        if let Some(setting) = keys.variable {
            return self.variable_secret(name, setting);
        }
        self.file_secret(name, keys.file.as_ref()?)
    }

    /// Learns a secret that stands where it stands, and warns where others can see it there.
    pub(super) fn inline_secret(&mut self, name: &str, setting: &Setting<String>) {
        learn(&mut self.redactor, &setting.value);
        self.warn_of_inline(name, &setting.origin);
    }

    /// Warns of a secret that others can see.
    pub(super) fn warn_of_inline(&mut self, name: &str, origin: &Origin) {
        match origin {
            Origin::Flag(_) => self.warn(
                origin,
                &format!("everybody on this machine can see the {name} in the list of processes; use the environment or a profile"),
            ),
            Origin::File(..) => self.warn(
                origin,
                &format!("whoever can read this file can see the {name}; use {name}_env or {name}_file"),
            ),
            Origin::Variable(_) | Origin::Context(..) | Origin::Default => {}
        }
    }

    /// The secret in the variable that a key names.
    pub(super) fn variable_secret(&mut self, name: &str, setting: &Setting<String>) -> Option<Found> {
        let variable = &setting.value;
        let Some(value) = self.surroundings.variable(variable) else {
            let what = format!("the variable `{variable}` for the {name} is not set");
            self.problem(Problem::new(&setting.origin, what).next("set it before the start"));
            return None;
        };
        learn(&mut self.redactor, value);
        Some(Found {
            secret: value.to_owned().into(),
            told: format!("from ${variable}"),
            origin: setting.origin.clone(),
        })
    }

    /// The secret in the file that a key names, without a final line break.
    pub(super) fn file_secret(&mut self, name: &str, setting: &Setting<String>) -> Option<Found> {
        let path = self.path(name, setting)?;
        let what = match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => format!("the file of the {name}, {}, is empty", path.display()),
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                learn(&mut self.redactor, text);
                return Some(Found {
                    secret: text.to_owned().into(),
                    told: format!("from {}", path.display()),
                    origin: setting.origin.clone(),
                });
            }
            Err(error) => format!("cannot read the file of the {name}, {}: {error}", path.display()),
        };
        self.problem(Problem::new(&setting.origin, what).next("check the path and its permissions"));
        None
    }

    /// Learns a login that HTTP sends as one word.
    pub(super) fn learn_basic(&mut self, user: &str, password: &SecretString) {
        let password = password.expose_secret();
        learn(&mut self.redactor, password);
        let word = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.redactor.learn(&word);
    }
}

/// Learns a secret in every spelling in which it may turn up: as it is, in a URL, in a debug
/// print; of a text with several lines (a credentials file) each line that is not a frame.
pub(super) fn learn(redactor: &mut Redactor, secret: &str) {
    let lines = secret.lines().map(str::trim).filter(|line| !line.starts_with("---"));
    for line in lines {
        redactor.learn(line);
        redactor.learn(&utf8_percent_encode(line, NON_ALPHANUMERIC).to_string());
        if let Ok(mut url) = url::Url::parse("http://u@h")
            && url.set_password(Some(line)).is_ok()
            && let Some(encoded) = url.password()
        {
            redactor.learn(encoded);
        }
        redactor.learn(&form_urlencoded::byte_serialize(line.as_bytes()).collect::<String>());
        redactor.learn(line.escape_debug().to_string().as_str());
    }
}

/// Shorter values are not taken for secrets by their variable's name alone: `true` and `1000`
/// must stay readable.
const SHORTEST: usize = 8;

/// Knows what the environment holds under names that say that it is secret (`…_SECRET`,
/// `…_TOKEN`, …): for processes that are configured by the environment alone.
#[must_use]
pub fn redactor_of(environment: &Environment) -> Redactor {
    let mut redactor = Redactor::default();
    let secrets = environment
        .iter()
        .filter(|(name, value)| names_a_secret(name) && value.len() >= SHORTEST);
    for (_, value) in secrets {
        learn(&mut redactor, value);
    }
    redactor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_spelling() {
        let mut redactor = Redactor::default();
        learn(&mut redactor, "hun\"ter/2 x");
        for text in ["hun\"ter/2 x", "hun%22ter%2F2%20x", "hun%22ter%2F2+x", "hun\\\"ter/2 x"] {
            assert!(
                !redactor.clean(text).contains("ter"),
                "{text}: {}",
                redactor.clean(text)
            );
        }
    }

    #[test]
    fn the_environments_secrets_are_known_by_their_names() {
        let environment = [
            ("RESEND_WEBHOOK_SECRET", "whsec_abcdef"),
            ("WEBHOOK_BATCH_SIZE", "10000000"),
            ("X_KEY", "true"),
        ];
        let redactor = redactor_of(&environment.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(redactor.clean("whsec_abcdef 10000000 true"), "••• 10000000 true");
    }
}
