//! A profile, resolved: every file read, every variable looked up, every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// A connection to NATS.
#[derive(Clone, Debug)]
pub struct NatsLink {
    /// Server URLs, credentials removed.
    pub servers: Vec<String>,
    /// How to log in.
    pub auth: NatsAuth,
    /// TLS.
    pub tls: Tls,
    /// Whether TLS comes before the server's greeting.
    pub tls_first: bool,
    /// Prefix of inboxes, where rights are narrow.
    pub inbox_prefix: Option<String>,
    /// Prefix of the JetStream API: `$JS.API`, `$JS.<domain>.API`, or an imported one.
    pub api_prefix: String,
    /// The monitoring endpoint (`http://host:8222`), where given.
    pub monitoring: Option<String>,
}

/// How to log in at NATS. Precedence: user, credentials, nkey, JWT; a token applies besides.
#[derive(Clone, Debug, Default)]
pub struct NatsAuth {
    /// User and password.
    pub user: Option<(String, SecretString)>,
    /// The text of a `.creds` file.
    pub credentials: Option<SecretString>,
    /// An nkey seed.
    pub nkey: Option<SecretString>,
    /// A user JWT and its seed.
    pub jwt: Option<(SecretString, SecretString)>,
    /// A token.
    pub token: Option<SecretString>,
}

/// Certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What a target's address stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// One endpoint.
    #[default]
    One,
    /// Every address of its host name, each an endpoint; looked up again and again.
    Dns,
    /// The targets in a Prometheus `file_sd` file, read again when it changes.
    File(PathBuf),
    /// Every instance that a Prometheus server's `/federate` tells of.
    Federation,
}

/// An HTTP endpoint: of metrics, or of health.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name on screen.
    pub name: Arc<str>,
    /// Its URL, credentials removed. Of a file with targets, what they share.
    pub url: String,
    /// What that stands for.
    pub discovery: Discovery,
    /// How to log in.
    pub auth: Option<HttpAuth>,
    /// Further headers.
    pub headers: Vec<(String, SecretString)>,
    /// TLS.
    pub tls: Tls,
    /// How often it is scraped.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
}

/// How to log in at an HTTP endpoint.
#[derive(Clone, Debug)]
pub enum HttpAuth {
    /// `Authorization: Bearer`.
    Bearer(SecretString),
    /// `Authorization: Basic`.
    Basic(String, SecretString),
}

/// A connection to Postgres.
#[derive(Clone, Debug)]
pub struct PostgresLink {
    /// The whole URL, password included.
    pub url: SecretString,
    /// The same without secrets, to show.
    pub shown: String,
    /// Limit of a statement's run time.
    pub statement_timeout: Duration,
    /// Connections at most.
    pub pool: u32,
}

/// What a metrics family means to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Counter: reached the gateway. `provider`, `event_type`, `status`.
    Received,
    /// Counter: answered 4xx. `provider`, `reason`.
    Refused,
    /// Counter: no `PubAck`. `provider`.
    Unconfirmed,
    /// Counter: `PubAck` received, duplicates included. `provider`, `event_type`.
    Queued,
    /// Counter: `PubAck` said duplicate. `provider`.
    Duplicate,
    /// Counter: published to the stream by others than the gateway.
    OtherPublished,
    /// Counter: signature checks. `provider`, `status`.
    Signature,
    /// Histogram: the gateway's answer, seconds. `provider`.
    Response,
    /// Gauge: requests in flight at the gateway.
    InFlight,
    /// Counter: processed by a worker. `provider`, `event_type`, `status` = `success` or `failure`.
    Processed,
    /// Counter: acks that the server confirmed.
    Acked,
    /// Counter: messages terminated.
    Terminated,
    /// Counter: refused for now (nak).
    Naked,
    /// Counter: copied to the dead letter stream. `provider`, `reason`.
    DeadLettered,
    /// Counter: rows written. `provider`.
    Written,
    /// Counter: idempotent skips. `provider`.
    Skipped,
    /// Histogram: messages in a batch.
    BatchSize,
    /// Histogram: a batch, seconds.
    Processing,
    /// Histogram: a database operation, seconds. `operation`.
    Update,
    /// Gauge: the worker's own idea of queue depth. `provider`.
    Depth,
    /// Gauge: age of the oldest unprocessed, seconds. `provider`.
    Lag,
    /// Gauge: 0 closed, 1 open, 2 half-open.
    Breaker,
    /// Gauge: unix time at which the process started.
    ProcessStart,
    /// Counter: CPU seconds.
    ProcessCpu,
    /// Gauge: resident bytes.
    ProcessMemory,
    /// Gauge, always 1: `version`, `role` = `gateway` or `worker`, `name`.
    BuildInfo,
}

impl Family {
    /// Every family.
    pub const ALL: &[Self] = &[
        Self::Received,
        Self::Refused,
        Self::Unconfirmed,
        Self::Queued,
        Self::Duplicate,
        Self::OtherPublished,
        Self::Signature,
        Self::Response,
        Self::InFlight,
        Self::Processed,
        Self::Acked,
        Self::Terminated,
        Self::Naked,
        Self::DeadLettered,
        Self::Written,
        Self::Skipped,
        Self::BatchSize,
        Self::Processing,
        Self::Update,
        Self::Depth,
        Self::Lag,
        Self::Breaker,
        Self::ProcessStart,
        Self::ProcessCpu,
        Self::ProcessMemory,
        Self::BuildInfo,
    ];

    /// Its key in `[metrics.names]`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Refused => "refused",
            Self::Unconfirmed => "unconfirmed",
            Self::Queued => "queued",
            Self::Duplicate => "duplicate",
            Self::OtherPublished => "other_published",
            Self::Signature => "signature",
            Self::Response => "response",
            Self::InFlight => "in_flight",
            Self::Processed => "processed",
            Self::Acked => "acked",
            Self::Terminated => "terminated",
            Self::Naked => "naked",
            Self::DeadLettered => "dead_lettered",
            Self::Written => "written",
            Self::Skipped => "skipped",
            Self::BatchSize => "batch_size",
            Self::Processing => "processing",
            Self::Update => "update",
            Self::Depth => "depth",
            Self::Lag => "lag",
            Self::Breaker => "breaker",
            Self::ProcessStart => "process_start",
            Self::ProcessCpu => "process_cpu",
            Self::ProcessMemory => "process_memory",
            Self::BuildInfo => "build_info",
        }
    }
}

/// Which names a pipeline's metrics have. Several names may mean the same family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Families {
    /// Name on the page (without `_bucket`, `_sum`, `_count`) and meaning.
    pub names: BTreeMap<Arc<str>, Family>,
}

impl Default for Families {
    fn default() -> Self {
        use Family as F;
        let names = [
            ("webhook_received_total", F::Received),
            ("webhooks_received_total", F::Received),
            ("webhook_refused_total", F::Refused),
            ("webhook_unconfirmed_total", F::Unconfirmed),
            ("webhook_queued_total", F::Queued),
            ("webhook_duplicate_total", F::Duplicate),
            ("webhook_other_published_total", F::OtherPublished),
            ("webhook_signature_verification_total", F::Signature),
            ("webhook_response_duration_seconds", F::Response),
            ("webhook_in_flight", F::InFlight),
            ("webhook_processed_total", F::Processed),
            ("webhooks_processed_total", F::Processed),
            ("webhook_acked_total", F::Acked),
            ("webhook_terminated_total", F::Terminated),
            ("webhook_naked_total", F::Naked),
            ("webhook_dead_lettered_total", F::DeadLettered),
            ("webhook_rows_written_total", F::Written),
            ("webhook_skipped_total", F::Skipped),
            ("webhook_batch_size", F::BatchSize),
            ("webhook_processing_duration_seconds", F::Processing),
            ("webhook_db_update_duration_seconds", F::Update),
            ("webhook_queue_depth", F::Depth),
            ("webhook_processing_lag_seconds", F::Lag),
            ("webhook_circuit_breaker_state", F::Breaker),
            ("process_start_time_seconds", F::ProcessStart),
            ("process_cpu_seconds_total", F::ProcessCpu),
            ("process_resident_memory_bytes", F::ProcessMemory),
            ("webhook_build_info", F::BuildInfo),
        ];
        Self {
            names: names.into_iter().map(|(name, family)| (name.into(), family)).collect(),
        }
    }
}

/// As in `[metrics.names]`, the other way round: name and key.
impl Serialize for Families {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names.iter().map(|(name, family)| (name, family.key())))
    }
}

/// A meaning that this version does not know is left out.
impl<'de> Deserialize<'de> for Families {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = BTreeMap::<Arc<str>, String>::deserialize(deserializer)?;
        let known = |key: &str| Family::ALL.iter().copied().find(|family| family.key() == key);
        Ok(Self {
            names: names
                .into_iter()
                .filter_map(|(name, key)| Some((name, known(&key)?)))
                .collect(),
        })
    }
}

impl Families {
    /// The meaning of a sample name, its histogram suffix removed.
    #[must_use]
    pub fn of(&self, sample_name: &str) -> Option<Family> {
        if let Some(family) = self.names.get(sample_name) {
            return Some(*family);
        }
        ["_bucket", "_sum", "_count", "_total"]
            .iter()
            .find_map(|suffix| self.names.get(sample_name.strip_suffix(suffix)?).copied())
    }
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
