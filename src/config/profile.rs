//! A profile, resolved: every file read, every variable looked up, every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::family::Families;
use super::link::{NatsLink, PostgresLink, Target};
use crate::base::secret::Redactor;

/// The environment as a map, so that tests need not change the process's own.
pub type Environment = BTreeMap<String, String>;

/// One pipeline to watch.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: Arc<str>,
    /// A badge to show beside the name (`PROD`).
    pub label: Option<Arc<str>>,
    /// Whether actions need its name typed, and load is refused.
    pub protected: bool,
    /// Whether every action is refused.
    pub read_only: bool,
    /// Whether its workers take a webhook twice without doing harm: then a replay sends letters
    /// in doubt again.
    pub idempotent_workers: bool,
    /// Where NATS is.
    pub nats: Option<NatsLink>,
    /// Metrics endpoints.
    pub targets: Vec<Target>,
    /// Health endpoints.
    pub probes: Vec<Target>,
    /// Where Postgres is.
    pub postgres: Option<PostgresLink>,
    /// The names of the pipeline's parts.
    pub pipeline: Pipeline,
    /// The names of its metrics.
    pub families: Families,
    /// When to raise an alarm.
    pub thresholds: Thresholds,
    /// Where it says what to do, by a verdict's id.
    pub runbooks: BTreeMap<Arc<str>, Arc<str>>,
    /// Who is told of alarms.
    pub alerts: Alerts,
    /// Test webhooks: where they go, how they are signed and followed.
    pub fire: Fire,
    /// What is peculiar to its dead letters.
    pub dead_letters: Box<DeadLetters>,
    /// Knows every secret of this profile.
    pub redactor: Redactor,
}

impl Profile {
    /// A profile that watches nothing, with every default: a base for those who know what to watch.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.into(),
            label: None,
            protected: false,
            read_only: false,
            idempotent_workers: false,
            nats: None,
            targets: Vec::new(),
            probes: Vec::new(),
            postgres: None,
            pipeline: Pipeline::default(),
            families: Families::default(),
            thresholds: Thresholds::default(),
            runbooks: BTreeMap::new(),
            alerts: Alerts::default(),
            fire: Fire::default(),
            dead_letters: Box::default(),
            redactor: Redactor::default(),
        }
    }

    /// Whether there is nothing to connect to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nats.is_none() && self.targets.is_empty() && self.probes.is_empty() && self.postgres.is_none()
    }
}

/// The ids of all verdicts, so that a runbook for one that does not exist is an error.
pub const VERDICTS: &[&str] = &[
    "loss",
    "leader_lost",
    "database_down",
    "database_slow",
    "breaker_open",
    "consumer_missing",
    "no_workers",
    "storage_full",
    "limit_eviction",
    "saturated",
    "stalled",
    "backlog_growing",
    "parked_messages",
    "unmatched_messages",
    "redelivery_storm",
    "metadata_threshold",
    "worker_inactive",
    "signature_failures",
    "error_rate",
    "slow_webhook",
    "provider_silent",
    "canary_failed",
    "probe_failing",
    "scrape_failing",
    "sources_disagree",
    "counter_reset",
];

/// Who is told of alarms besides the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// A command and its arguments, run for each alarm with JSON on its standard input; empty: none.
    pub command: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
    /// Two runs are at least this far apart; what comes in between waits.
    pub interval: Duration,
    /// The least severe verdict that it is run for: `info`, `warning` or `critical`.
    pub least: AlertLevel,
    /// Whether the terminal's bell rings.
    pub bell: bool,
    /// Whether the terminal shows a notification (OSC 9 and 777).
    pub notify: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            least: AlertLevel::Warning,
            bell: false,
            notify: false,
        }
    }
}

/// How severe a verdict must be for an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertLevel {
    /// Every verdict.
    Info,
    /// Warnings and critical ones.
    #[default]
    Warning,
    /// Critical ones.
    Critical,
}

/// Test webhooks. Keys are looked up when something is fired, not before: whoever only watches
/// need not have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fire {
    /// Where they go; `{provider}` in it stands for the template's provider. Without credentials.
    pub url: Option<String>,
    /// Hosts, or beginnings of URLs, that need no confirmation, besides [`Fire::url`]'s own.
    pub allow: Vec<String>,
    /// By provider, where its signing key is.
    pub secrets: BTreeMap<String, SecretPlace>,
    /// By provider, another scheme than its template's.
    pub schemes: BTreeMap<String, String>,
    /// How one is followed.
    pub trace: TraceSettings,
}

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In an environment variable of this name.
    Variable(String),
    /// In this file; its last line end does not count.
    File(PathBuf),
}

/// How a test webhook is found again on its way. What is not set has the reference pipeline's form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSettings {
    /// The message's header that holds the webhook's id, whole or after a prefix.
    pub header: Option<String>,
    /// A `JSONPath` to the id in the message's payload.
    pub path: Option<String>,
    /// A `JSONPath` to the stream sequence in the gateway's answer.
    pub sequence: Option<String>,
    /// The query that finds the row: `$1` is the id, `$2` the stream sequence.
    pub query: Option<String>,
    /// How long the whole way may take.
    pub within: Option<Duration>,
}

/// What is peculiar to a pipeline's dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// Further headers that say where a letter came from.
    pub headers: LetterHeaders,
    /// A query that returns a row when a webhook was processed: `$1` is its id, `$2` the id of the
    /// replay's message.
    pub processed: Option<String>,
    /// The header that holds the webhook's id; `None`: the usual ones.
    pub id_header: Option<String>,
    /// Or a `JSONPath` to the id in the payload.
    pub id_path: Option<String>,
}

/// Names of headers that say where a letter came from, besides those that everybody knows; in any
/// case, the most telling first. None of them belongs to the webhook: a replay strips them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LetterHeaders {
    /// The subject that the webhook was published to.
    pub subject: Vec<Arc<str>>,
    /// The stream that it was taken from.
    pub stream: Vec<Arc<str>>,
    /// Its sequence there.
    pub sequence: Vec<Arc<str>>,
    /// The consumer that gave it up.
    pub consumer: Vec<Arc<str>>,
    /// How often it was delivered.
    pub deliveries: Vec<Arc<str>>,
    /// The last error.
    pub reason: Vec<Arc<str>>,
    /// When it died.
    pub failed_at: Vec<Arc<str>>,
    /// Beginnings of names of further headers that are stripped.
    pub strip: Vec<Arc<str>>,
}

impl LetterHeaders {
    /// Whether nothing is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a header is one of these, so that it does not belong to the webhook.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let Self {
            subject,
            stream,
            sequence,
            consumer,
            deliveries,
            reason,
            failed_at,
            strip,
        } = self;
        let named = [subject, stream, sequence, consumer, deliveries, reason, failed_at];
        let begins = |prefix: &Arc<str>| {
            let beginning = name.as_bytes().get(..prefix.len());
            beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        named
            .into_iter()
            .flatten()
            .any(|known| known.eq_ignore_ascii_case(name))
            || strip.iter().any(begins)
    }
}

/// The names of a pipeline's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    /// The stream that webhooks wait in; `None`: every stream is shown, none is followed.
    pub stream: Option<Arc<str>>,
    /// The workers' consumer; `None`: the stream's only one.
    pub consumer: Option<Arc<str>>,
    /// The dead letter stream.
    pub dlq: Option<Arc<str>>,
}

/// When to raise an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// Age of the oldest waiting message: warning, critical.
    pub lag: (Duration, Duration),
    /// Whether `lag` is configured: then no metadata of a stream overrides it.
    pub lag_set: bool,
    /// Success ratio of a webhook below which it is a warning.
    pub success_ratio: f64,
    /// Mean latency above which a webhook is slow.
    pub latency: Duration,
    /// Silence after which a worker is inactive.
    pub worker_inactive: Duration,
    /// Failures over attempts above which there is an alarm.
    pub error_ratio: f64,
    /// Share of a limit's headroom below which there is an alarm.
    pub headroom: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            lag: (Duration::from_secs(5), Duration::from_secs(10)),
            lag_set: false,
            success_ratio: 0.95,
            latency: Duration::from_millis(100),
            worker_inactive: Duration::from_mins(5),
            error_ratio: 0.05,
            headroom: 0.10,
        }
    }
}
