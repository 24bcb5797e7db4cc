//! Where configuration is kept, and `~` and `$VAR` in paths.

use std::path::{Path, PathBuf};

use super::profile::Environment;

/// What a configuration is resolved against: nothing here asks the process itself.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// The home folder, where there is one.
    pub home: Option<&'a Path>,
}

impl Surroundings<'_> {
    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The XDG configuration folder: `$XDG_CONFIG_HOME` if it is absolute, else `~/.config`, on
    /// every system (the NATS CLI and most terminal programs do the same on macOS).
    #[must_use]
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(self.home?.join(".config")))
    }

    /// `$XDG_STATE_HOME`, else `~/.local/state`: what a program keeps between runs.
    #[must_use]
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.variable("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(self.home?.join(".local").join("state")))
    }

    /// Where `hookwatch.toml` is looked for.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        Some(self.config_folder()?.join("hookwatch").join("hookwatch.toml"))
    }

    /// `path` with a leading `~` and every `$VAR` and `${VAR}` replaced; relative to `base`.
    ///
    /// # Errors
    /// Names the variable that is not set, or says that there is no home folder.
    pub(super) fn expand(&self, path: &str, base: Option<&Path>) -> Result<PathBuf, String> {
        let path = self.expand_variables(path)?;
        let expanded = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.home.ok_or("there is no home folder for `~`")?;
                home.join(rest.trim_start_matches('/'))
            }
            _ => PathBuf::from(path),
        };
        Ok(match base {
            Some(base) => base.join(expanded),
            None => expanded,
        })
    }

    fn expand_variables(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (name, after) = if let Some(inner) = rest.strip_prefix('{') {
                let end = inner.find('}').ok_or("`${` has no `}`")?;
                (&inner[..end], &inner[end + 1..])
            } else {
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                rest.split_at(end)
            };
            if name.is_empty() {
                return Err("`$` has no variable's name".to_owned());
            }
            out.push_str(
                self.variable(name)
                    .ok_or_else(|| format!("the variable `{name}` is not set"))?,
            );
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_config_folder_is_xdgs() {
        let home = Some(Path::new("/home/ann"));
        for (variables, expected) in [
            (environment(&[]), "/home/ann/.config/hookwatch/hookwatch.toml"),
            (
                environment(&[("XDG_CONFIG_HOME", "/etc/xdg")]),
                "/etc/xdg/hookwatch/hookwatch.toml",
            ),
            // The specification: a relative path is invalid and ignored.
            (
                environment(&[("XDG_CONFIG_HOME", "xdg")]),
                "/home/ann/.config/hookwatch/hookwatch.toml",
            ),
            (
                environment(&[("XDG_CONFIG_HOME", "")]),
                "/home/ann/.config/hookwatch/hookwatch.toml",
            ),
        ] {
            let surroundings = Surroundings {
                environment: &variables,
                home,
            };
            assert_eq!(surroundings.config_file().unwrap(), Path::new(expected));
        }
        let surroundings = Surroundings {
            environment: &environment(&[]),
            home: None,
        };
        assert_eq!(surroundings.config_file(), None);
    }

    #[test]
    fn tilde_and_variables_expand_in_paths() {
        let variables = environment(&[("KEYS", "/run/keys"), ("N", "7")]);
        let surroundings = Surroundings {
            environment: &variables,
            home: Some(Path::new("/home/ann")),
        };
        for (text, expected) in [
            ("~/a.creds", "/home/ann/a.creds"),
            ("~", "/home/ann"),
            ("~bob/a", "/etc/~bob/a"),
            ("$KEYS/a${N}.nk", "/run/keys/a7.nk"),
            ("a.creds", "/etc/a.creds"),
            ("/x", "/x"),
        ] {
            assert_eq!(
                surroundings.expand(text, Some(Path::new("/etc"))),
                Ok(expected.into()),
                "{text}"
            );
        }
        assert_eq!(
            surroundings.expand("$NOPE/a", None),
            Err("the variable `NOPE` is not set".to_owned())
        );
        assert_eq!(surroundings.expand("${KEYS", None), Err("`${` has no `}`".to_owned()));
        assert_eq!(
            surroundings.expand("a$", None),
            Err("`$` has no variable's name".to_owned())
        );
    }
}
