//! What there are several of: providers, queues, workers, webhooks, failures, probes, the ledger.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::model::reading::Reading;
use crate::sample::{ConsumerConfig, ProbeCheck, ProbeState, StreamConfig};

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
