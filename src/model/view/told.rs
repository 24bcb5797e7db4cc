//! What is told: verdicts, and events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One rule's conclusion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule's stable id (`backlog_growing`).
    pub id: Arc<str>,
    /// What it is about, where a rule can hold for several (a consumer, a provider, a target).
    pub subject: Option<Arc<str>>,
    /// How bad.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// One sentence.
    pub text: String,
    /// What it rests on, one fact a line.
    pub evidence: Vec<String>,
    /// What to do next.
    pub next: String,
    /// Where the configuration says how to deal with it.
    #[serde(default)]
    pub runbook: Option<Arc<str>>,
    /// Whether somebody has acknowledged or silenced it. It stays on the list then, and says nothing.
    #[serde(default)]
    pub hush: Option<Hush>,
}

/// What somebody answered a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hush {
    /// Seen: quiet until it clears.
    Acknowledged {
        /// When.
        at: Timestamp,
    },
    /// Not to be heard of, whether it clears and comes back or not.
    Silenced {
        /// Until when.
        until: Timestamp,
    },
}

/// What somebody answered a verdict, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The rule.
    pub id: Arc<str>,
    /// What the verdict is about.
    pub subject: Option<Arc<str>>,
    /// The answer.
    pub hush: Hush,
}

/// What kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A source changed state.
    Source,
    /// A verdict was raised or cleared.
    Verdict,
    /// An advisory of the server.
    Advisory,
    /// A process started, stopped or changed its version.
    Process,
    /// Somebody acted.
    Action,
    /// The console itself.
    Console,
}

impl EventKind {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Verdict => "verdict",
            Self::Advisory => "advisory",
            Self::Process => "process",
            Self::Action => "action",
            Self::Console => "console",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: EventKind,
    /// How bad; `Info` for good news too.
    pub severity: Severity,
    /// What, in a few words: safe text.
    pub text: String,
    /// More, or empty.
    pub detail: String,
    /// How many alike it stands for, at least 1.
    pub count: u64,
}

/// How one letter that died is told, and several.
pub(in crate::model) const LETTERS_DIED: (&str, &str) = ("1 letter dead", "{n} letters dead");

impl Event {
    /// Whether it tells that letters died: of what, the letters themselves tell.
    #[must_use]
    pub fn tells_letters(&self) -> bool {
        let (one, many) = LETTERS_DIED;
        let counted = || self.text.split_once(' ').is_some_and(|(_, rest)| many.ends_with(rest));
        self.kind == EventKind::Process && (self.text == one || counted())
    }

    /// How many alike it stands for, where its text does not begin with that number.
    #[must_use]
    pub fn times(&self) -> Option<u64> {
        let counted = crate::base::text::count(self.count);
        let told = self.text.split(' ').next() == Some(&*counted);
        (self.count > 1 && !told).then_some(self.count)
    }
}
