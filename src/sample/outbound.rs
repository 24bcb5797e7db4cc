//! What Postgres says about the webhooks that a pipeline sends: rows of its own views and tables,
//! one reading per relation. Names and texts are strangers', cut by the server and not yet safe.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Panel;
use crate::base::time::Timestamp;

/// One relation, read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboundReading {
    /// Which relation, by the panel that it feeds.
    pub panel: Panel,
    /// Its rows.
    pub rows: OutboundRows,
    /// Rows that there are besides: only so many are read.
    pub left_out: u64,
    /// The database's own time.
    pub now: Option<Timestamp>,
    /// From the query's start to its last row.
    pub took: Duration,
    /// How long until it is read again.
    pub period: Duration,
}

/// The rows of a relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboundRows {
    /// `rule_webhooks`: which webhooks there are.
    Known(Vec<KnownWebhook>),
    /// `nats_publish_summary`, `webhook_status_summary`: what was sent, over all that is kept.
    Sent(Vec<Sent>),
    /// `nats_performance_stats`, `webhook_performance_stats`: how long it took.
    Latency(Vec<SentLatency>),
    /// `rule_webhook_calls`: the queue in Postgres, counted by status.
    Calls(Vec<CallCount>),
    /// `nats_recent_failures`, `webhook_recent_failures`: the latest failures.
    Failures(Vec<SendFailure>),
    /// `rule_nats_consumer_stats`: the workers' own statistics.
    Workers(Vec<WorkerStats>),
}

/// A configured webhook. Its URL and headers hold secrets and are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownWebhook {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: Arc<str>,
    /// `queue`, `nats` or `both`.
    pub mode: Option<Arc<str>>,
    /// The subject that it publishes to.
    pub subject: Option<Arc<str>>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
}

/// What a webhook has sent. Counts are over all rows that are kept: they fall when old ones go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Its name.
    pub name: Arc<str>,
    /// The subject; `None`: by HTTP from the queue.
    pub subject: Option<Arc<str>>,
    /// `queue`, `nats` or `both`.
    pub mode: Option<Arc<str>>,
    /// All attempts.
    pub total: Option<u64>,
    /// Those that went well.
    pub successful: Option<u64>,
    /// Those that did not.
    pub failed: Option<u64>,
    /// Calls that wait.
    pub pending: Option<u64>,
    /// Calls that wait to be tried again.
    pub retrying: Option<u64>,
    /// The mean, milliseconds, as rounded by the view.
    pub avg_ms: Option<f64>,
    /// The longest, milliseconds.
    pub max_ms: Option<f64>,
    /// The latest attempt.
    pub last_at: Option<Timestamp>,
}

/// How long a webhook's attempts took, milliseconds. NaN and missing are `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SentLatency {
    /// Its name.
    pub name: Arc<str>,
    /// The subject; `None`: by HTTP from the queue.
    pub subject: Option<Arc<str>>,
    /// Attempts behind the figures.
    pub count: Option<u64>,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
}

/// Calls of one webhook in one status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallCount {
    /// The webhook's id.
    pub webhook: Option<i64>,
    /// `pending`, `processing`, `success`, `failed`, `retrying`, or what else stands there.
    pub status: Arc<str>,
    /// How many.
    pub count: u64,
    /// When the oldest of them was to be made.
    pub oldest: Option<Timestamp>,
}

/// An attempt that failed. Its payload is not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendFailure {
    /// The webhook's name.
    pub name: Arc<str>,
    /// The subject; `None`: by HTTP from the queue.
    pub subject: Option<Arc<str>>,
    /// What it says.
    pub error: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Its stream.
    pub stream: Option<Arc<str>>,
    /// Its name, which is its consumer's.
    pub name: Arc<str>,
    /// Messages acknowledged since it started.
    pub acknowledged: Option<u64>,
    /// Messages delivered since it started.
    pub delivered: Option<u64>,
    /// The mean time for one message, milliseconds.
    pub avg_ms: Option<f64>,
    /// When it last did something; `None`: never.
    pub last_active: Option<Timestamp>,
    /// Whether it says that it runs.
    pub active: Option<bool>,
}
