//! What is wrong with a configuration, where, and what to do about it; and where a value is from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag(&'static str),
    /// In the environment.
    Variable(Arc<str>),
    /// In a file, on this line (from 1).
    File(Arc<Path>, usize),
    /// In a context of the NATS CLI: its name and its file.
    Context(Arc<str>, Arc<Path>),
    /// Nowhere: it is what holds when nothing is said.
    Default,
}

impl Origin {
    /// The same in words, as `hookwatch config` tells it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Flag(_) => format!("flag {self}"),
            Self::Variable(name) => format!("environment {name}"),
            Self::File(..) => format!("file {self}"),
            Self::Context(name, _) => format!("NATS context {name}"),
            Self::Default => "default".to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "{name}"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Context(name, path) => write!(f, "NATS context `{name}` ({})", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

/// One thing that is wrong. Holds no secret: values are never quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, if it is anywhere.
    pub at: Option<Origin>,
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty when that is plain.
    pub next: String,
}

impl Problem {
    /// A problem of the value at `origin`.
    pub fn new(at: &Origin, what: impl Into<String>) -> Self {
        Self {
            at: Some(at.clone()),
            what: what.into(),
            next: String::new(),
        }
    }

    /// A problem of the whole.
    pub fn general(what: impl Into<String>) -> Self {
        Self {
            at: None,
            what: what.into(),
            next: String::new(),
        }
    }

    /// The same with a next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        write!(f, "{}", self.what)?;
        if !self.next.is_empty() {
            write!(f, " → {}", self.next)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration: at least one problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// The candidate that `word` was most likely meant to be, if any comes close.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3).min(3))
        .map(|(_, candidate)| candidate)
}

/// "did you mean", or else what there is.
pub(super) fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(close) = nearest(word, candidates.clone()) {
        return format!("did you mean `{close}`?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    if all.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are: {}", all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_named_only_when_it_is_near() {
        let keys = ["url", "password", "password_env", "token"];
        assert_eq!(nearest("urll", keys), Some("url"));
        assert_eq!(nearest("pasword", keys), Some("password"));
        assert_eq!(nearest("TOKEN", keys), Some("token"));
        assert_eq!(nearest("subject", keys), None);
        assert_eq!(suggest("x", []), "there are none");
        assert_eq!(
            suggest("subject", keys),
            "there are: url, password, password_env, token"
        );
    }
}
