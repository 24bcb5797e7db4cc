//! What the model has worked out at one moment: plain data, the same for the screen, for
//! `snapshot --json`, for `check` and for exports. Drawing never computes a figure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::letters::Group;
use super::reading::Reading;
use crate::base::time::{Moment, Timestamp};
use crate::sample::{
    ConsumerConfig, DatabaseReading, Panel, ProbeCheck, ProbeState, ServerReading, SourceId, StreamConfig,
    SubjectsReading,
};

/// Everything that is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The moment it describes.
    pub now: Moment,
    /// When the session started.
    pub started: Timestamp,
    /// The profile.
    pub profile: Arc<str>,
    /// The span that rates are over, seconds: 10, or since the first sample if shorter.
    pub window_s: f64,
    /// Sources, sorted by kind and name.
    pub sources: Vec<SourceView>,
    /// The five hops.
    pub flow: Flow,
    /// Providers, busiest first, then by name.
    pub providers: Vec<Provider>,
    /// Streams and consumers, sorted by stream and consumer.
    pub queues: Vec<Queue>,
    /// Messages per subject, of the streams for which they were asked, by stream.
    #[serde(default)]
    pub subjects: BTreeMap<Arc<str>, SubjectsReading>,
    /// Workers, sorted by name.
    pub workers: Vec<Worker>,
    /// Webhooks that the pipeline sends, by webhook and subject: those that fail most first.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// Queue, NATS and both, side by side.
    #[serde(default)]
    pub modes: Vec<WebhookMode>,
    /// Webhooks and subjects left out because there are too many.
    #[serde(default)]
    pub webhooks_left_out: u64,
    /// The latest failures that Postgres tells, by their cause.
    #[serde(default)]
    pub failures: Vec<FailureGroup>,
    /// Failures that Postgres has besides.
    #[serde(default)]
    pub failures_left_out: u64,
    /// Health endpoints, by name.
    #[serde(default)]
    pub probes: Vec<ProbeView>,
    /// The ledger.
    pub ledger: Ledger,
    /// Active verdicts, most severe first, root causes before symptoms.
    pub verdicts: Vec<Verdict>,
    /// What happened, newest last, at most 1,000.
    pub events: Vec<Event>,
    /// The NATS server.
    pub server: Option<ServerReading>,
    /// Requests that we ourselves send to its API, over the last minute: what watching costs it.
    #[serde(default)]
    pub api_calls_per_s: Reading,
    /// The Postgres server.
    pub database: Option<DatabaseReading>,
    /// Panels that are switched off, and why.
    pub panels_off: Vec<(Panel, String)>,
    /// Providers, workers and other labels left out because there are too many.
    pub left_out: u64,
    /// The critical age of a waiting message by the followed stream's own metadata, seconds; `None`:
    /// it says none, or the configuration does.
    #[serde(default)]
    pub lag_critical_s: Option<f64>,
    /// Dead letters by cause, largest first; `None`: nobody has read them yet. No recording
    /// keeps them: they are strangers' words.
    #[serde(skip)]
    pub letter_groups: Option<Arc<[Group]>>,
}

impl View {
    /// An empty view: nothing is known yet.
    #[must_use]
    pub fn empty(profile: &str, now: Moment) -> Self {
        Self {
            now,
            started: now.at,
            profile: profile.into(),
            window_s: 0.0,
            sources: Vec::new(),
            flow: Flow::default(),
            providers: Vec::new(),
            queues: Vec::new(),
            subjects: BTreeMap::new(),
            workers: Vec::new(),
            webhooks: Vec::new(),
            modes: Vec::new(),
            webhooks_left_out: 0,
            failures: Vec::new(),
            failures_left_out: 0,
            probes: Vec::new(),
            ledger: Ledger::default(),
            verdicts: Vec::new(),
            events: Vec::new(),
            server: None,
            api_calls_per_s: Reading::unknown(),
            database: None,
            panels_off: Vec::new(),
            left_out: 0,
            lag_critical_s: None,
            letter_groups: None,
        }
    }
}

/// The state of a source as a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Answers.
    Ok,
    /// Has not answered for three periods.
    Stale,
    /// Its last reading failed.
    Failing,
    /// Not connected yet.
    Connecting,
    /// Not configured.
    Off,
}

impl Health {
    /// How bad it is, to find the worst of several: nothing that was asked for first.
    #[must_use]
    pub fn badness(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Ok => 1,
            Self::Connecting => 2,
            Self::Stale => 3,
            Self::Failing => 4,
        }
    }
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceView {
    /// Which.
    pub id: SourceId,
    /// How it is.
    pub state: Health,
    /// Since when it is so.
    pub since: Timestamp,
    /// Age of its last good reading.
    pub age: Option<Duration>,
    /// Round-trip time of its last good reading.
    pub latency: Option<Duration>,
    /// How often it is read, once it has said so.
    #[serde(default)]
    pub period: Option<Duration>,
    /// Why it fails, and what to do.
    pub error: Option<String>,
    /// When it is tried again.
    pub retry_in: Option<Duration>,
}

/// The pipeline's hops. Rates are per second, times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Webhooks that reached the gateway.
    pub received_per_s: Reading,
    /// Their number since session start.
    pub received_total: Reading,
    /// 99th percentile of the gateway's answer.
    pub response_p99_s: Reading,
    /// Webhooks that the stream confirmed (`PubAck`).
    pub queued_per_s: Reading,
    /// Their number since session start.
    pub queued_total: Reading,
    /// Answered with 4xx since session start.
    pub refused_total: Reading,
    /// Not confirmed by the stream (answered 503) since session start.
    pub unconfirmed_total: Reading,
    /// Messages that the stream stored: Δ`last_seq`.
    pub stored_per_s: Reading,
    /// Waiting and held: `num_pending` + `num_ack_pending` of the watched consumer.
    pub backlog: Reading,
    /// Slope of the backlog: positive grows.
    pub backlog_per_s: Reading,
    /// Age of the oldest message that no worker has seen.
    pub oldest_waiting_s: Reading,
    /// Age of the oldest message that a worker holds.
    pub oldest_held_s: Reading,
    /// Time until the backlog is empty at this pace; unknown when it does not shrink.
    pub drain_eta_s: Reading,
    /// Time until the next limit of the stream is reached at this pace.
    pub limit_eta_s: Reading,
    /// Which limit that is (`max_bytes`, …).
    pub limit: Option<String>,
    /// Webhooks that workers have processed.
    pub processed_per_s: Reading,
    /// Their number since session start.
    pub processed_total: Reading,
    /// 95th percentile of a batch.
    pub batch_p95_s: Reading,
    /// Rows that Postgres has taken.
    pub written_per_s: Reading,
    /// Their number since session start.
    pub written_total: Reading,
    /// 95th percentile of the bulk update.
    pub update_p95_s: Reading,
    /// Letters in the dead letter stream.
    pub dead: Reading,
    /// Letters that died in the last minute.
    pub dead_per_min: Reading,
}

/// One provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Its name: a stranger's text, made safe and cut.
    pub name: Arc<str>,
    /// Webhooks received.
    pub received_per_s: Reading,
    /// Webhooks processed.
    pub processed_per_s: Reading,
    /// Refused, unconfirmed and failed over received, last 60 s.
    pub error_ratio: Reading,
    /// Median of the gateway's answer.
    pub response_p50_s: Reading,
    /// 99th percentile of the gateway's answer.
    pub response_p99_s: Reading,
}

/// What a consumer is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// Nothing to do.
    Idle,
    /// Keeps up.
    Draining,
    /// The backlog grows.
    Growing,
    /// Backlog, and nothing is completed.
    Stalled,
    /// `num_ack_pending` is at its maximum.
    Saturated,
    /// Nobody pulls.
    NoWorkers,
    /// Paused (2.11+).
    Paused,
    /// The consumer is gone.
    Missing,
    /// Not enough samples.
    #[default]
    Unknown,
}

/// A consumer, or a stream without one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// The stream.
    pub stream: Arc<str>,
    /// The consumer; `None`: the stream has none.
    pub consumer: Option<Arc<str>>,
    /// Messages in the stream.
    pub messages: Reading,
    /// Bytes in the stream.
    pub bytes: Reading,
    /// Never delivered.
    pub pending: Reading,
    /// Delivered, not acked.
    pub ack_pending: Reading,
    /// Pulls that wait.
    pub waiting: Reading,
    /// Gauge of redelivered messages.
    pub redelivered: Reading,
    /// Past `max_deliver` and still stored: lower bound, three readings running.
    pub parked: Reading,
    /// Acked before a server crash and still stored: lower bound.
    pub orphaned: Reading,
    /// Under no consumer's filter.
    pub unmatched: Reading,
    /// Δ`last_seq` per second.
    pub ingest_per_s: Reading,
    /// Completed per second.
    pub completed_per_s: Reading,
    /// Δ`delivered.consumer_seq` per second.
    pub attempts_per_s: Reading,
    /// Retries per second.
    pub retries_per_s: Reading,
    /// Age of the oldest waiting message.
    pub oldest_age_s: Reading,
    /// Age of the oldest held message.
    pub oldest_held_s: Reading,
    /// Time until empty.
    pub drain_eta_s: Reading,
    /// Time until the next limit.
    pub limit_eta_s: Reading,
    /// What it is doing.
    pub state: QueueState,
    /// The leader's name.
    pub leader: Option<String>,
    /// Replicas, at least 1.
    pub replicas: u32,
    /// The stream's configuration.
    pub stream_config: Arc<StreamConfig>,
    /// The consumer's configuration.
    pub consumer_config: Option<Arc<ConsumerConfig>>,
}

/// How a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// Seen lately by every source that knows it.
    Up,
    /// Not seen for three periods.
    Stale,
    /// Its endpoint refuses, or it said that it stopped.
    Down,
}

/// The same, with why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerCondition {
    /// Heard of lately.
    #[default]
    Running,
    /// Not heard of for too long.
    Silent,
    /// Nobody listens at its endpoint, or its connections are gone: it did not say that it would stop.
    Dead,
    /// It said that it stopped.
    Stopped,
    /// It is registered, and has never done anything.
    NeverStarted,
}

impl WorkerCondition {
    /// It in a word or two.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "up",
            Self::Silent => "stale",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
            Self::NeverStarted => "never ran",
        }
    }
}

/// What one source says of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerAccount {
    /// The source: `metrics`, `postgres`, `nats`.
    pub source: Arc<str>,
    /// Whether it runs, by this source; `None`: it cannot tell.
    pub up: Option<bool>,
    /// What it says: safe text.
    pub text: String,
}

/// One worker, merged from every source that knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its name.
    pub name: Arc<str>,
    /// How it is.
    pub state: WorkerState,
    /// Who sees it: `metrics`, `postgres`, `nats`.
    pub seen_by: Vec<Arc<str>>,
    /// Webhooks processed per second.
    pub rate_per_s: Reading,
    /// Rates of the last 60 s, oldest first, one a second; `None`: a gap.
    pub recent: Vec<Option<f32>>,
    /// Mean batch size over the window.
    pub batch_size: Reading,
    /// 95th percentile of its batches.
    pub batch_p95_s: Reading,
    /// Failed attempts per second.
    pub errors_per_s: Reading,
    /// Circuit breaker: 0 closed, 1 open, 2 half-open.
    pub breaker: Reading,
    /// CPU seconds per second.
    pub cpu: Reading,
    /// Resident memory, bytes.
    pub memory: Reading,
    /// Age of the last sign of life.
    pub last_seen_s: Reading,
    /// How it is, and why.
    #[serde(default)]
    pub condition: WorkerCondition,
    /// What each source says of it.
    #[serde(default)]
    pub accounts: Vec<WorkerAccount>,
}

impl Worker {
    /// Whether one source says that it runs and another that it does not.
    #[must_use]
    pub fn is_disputed(&self) -> bool {
        let says = |up| self.accounts.iter().any(|account| account.up == Some(up));
        says(true) && says(false)
    }
}

/// A webhook that the pipeline sends, by one way: over NATS on one subject, or by HTTP from the
/// queue in Postgres. Names are strangers' texts, made safe and cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name.
    pub name: Arc<str>,
    /// The subject; `None`: by HTTP from the queue.
    pub subject: Option<Arc<str>>,
    /// How it is configured: `queue`, `nats`, `both`.
    pub mode: Option<Arc<str>>,
    /// Attempts, over everything that Postgres keeps.
    pub total: Reading,
    /// Those that failed.
    pub failed: Reading,
    /// Successful over successful and failed; unknown without attempts.
    pub success_ratio: Reading,
    /// Attempts of the last 60 s.
    pub recent_attempts: Reading,
    /// The success ratio of the last 60 s.
    pub recent_success_ratio: Reading,
    /// Mean latency of the last 60 s.
    pub recent_latency_s: Reading,
    /// Median latency, over what the pipeline's own view covers (24 h).
    pub latency_p50_s: Reading,
    /// 95th percentile of the same.
    pub latency_p95_s: Reading,
    /// 99th percentile of the same.
    pub latency_p99_s: Reading,
    /// Mean latency over everything that Postgres keeps.
    pub latency_avg_s: Reading,
    /// Calls that wait in the queue.
    pub waiting: Reading,
    /// Calls that wait to be tried again.
    pub retrying: Reading,
    /// Since when the oldest waiting call is due.
    pub oldest_waiting_s: Reading,
    /// The latest attempt.
    pub last_at: Option<Timestamp>,
}

/// The webhooks of one publish mode together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookMode {
    /// `queue`, `nats`, `both`, `other`.
    pub mode: Arc<str>,
    /// Webhooks.
    pub webhooks: u64,
    /// Messages published to NATS.
    pub published: Reading,
    /// Success ratio of those.
    pub published_ratio: Reading,
    /// Calls that were queued in Postgres.
    pub called: Reading,
    /// Success ratio of those that are settled.
    pub called_ratio: Reading,
    /// Calls that wait.
    pub waiting: Reading,
    /// Calls that wait to be tried again.
    pub retrying: Reading,
    /// Calls that have failed for good: the queue's dead letters.
    pub failed: Reading,
}

/// Failures of one cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The cause: the text without numbers, ids and times. Safe to show.
    pub kind: String,
    /// The relation that tells of them.
    pub relation: Arc<str>,
    /// How many of those that were read.
    pub count: u64,
    /// Per second, over the last 60 s, as far as they were read.
    pub per_s: Reading,
    /// The latest one.
    pub last_at: Option<Timestamp>,
    /// What the latest one says: safe and cut.
    pub example: String,
    /// The webhook of the latest one, and its subject.
    pub about: Arc<str>,
    /// How many other webhooks have failed so.
    pub others: u64,
}

/// A health endpoint: what a service says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeView {
    /// Its name.
    pub name: Arc<str>,
    /// How the service is; `None`: it does not answer, or not yet.
    pub state: Option<ProbeState>,
    /// What it said last.
    pub last: Option<ProbeState>,
    /// The HTTP status of its last answer.
    pub status: Option<u16>,
    /// The service's name, where it says it.
    pub service: Option<Arc<str>>,
    /// Its version.
    pub version: Option<Arc<str>>,
    /// Its checks: safe and cut.
    pub checks: Vec<ProbeCheck>,
    /// Checks left out because there are too many.
    pub left_out: u64,
    /// How long its answer took.
    pub response_s: Reading,
    /// Why it does not answer, and what to do.
    pub error: Option<String>,
}

/// The ledger: did we lose any?
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Since when it counts; `None`: not all terms have been read yet.
    pub since: Option<Timestamp>,
    /// Its lines, in the order of the pipeline.
    pub lines: Vec<LedgerLine>,
}

impl Ledger {
    /// `Some(true)` when every checked line balances, `Some(false)` when one does not, `None`
    /// when no line could be checked.
    #[must_use]
    pub fn balanced(&self) -> Option<bool> {
        let mut checked = self.lines.iter().filter_map(|line| line.balanced).peekable();
        checked.peek()?;
        Some(checked.all(|balanced| balanced))
    }
}

/// One line of the ledger: left side = right side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Its id in the JSON contract: `received`, `stored`, `left`, `acked`, `written`, `total`.
    pub line: Arc<str>,
    /// The left side's name.
    pub left_label: Arc<str>,
    /// The left side, as of the newest reading.
    pub left: Option<f64>,
    /// The right side.
    pub right: Option<f64>,
    /// The right side's terms: name and value; `None`: the term has no source.
    pub terms: Vec<(Arc<str>, Option<f64>)>,
    /// Left minus right, as an interval's point nearest to 0: 0 when the intervals meet.
    pub difference: Option<f64>,
    /// By how much it may differ.
    pub tolerance: Option<f64>,
    /// Whether it balances; `None`: unchecked, because a term has no source.
    pub balanced: Option<bool>,
}

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
