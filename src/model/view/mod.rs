//! What the model has worked out at one moment: plain data, the same for the screen, for
//! `snapshot --json`, for `check` and for exports. Drawing never computes a figure.

mod rows;
mod told;

pub use self::rows::{
    FailureGroup, Ledger, LedgerLine, ProbeView, Provider, Queue, QueueState, Webhook, WebhookMode, Worker,
    WorkerAccount, WorkerCondition, WorkerState,
};
pub(in crate::model) use self::told::LETTERS_DIED;
pub use self::told::{Answer, Event, EventKind, Hush, Severity, Verdict};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::{Moment, Timestamp};
use crate::model::letters::Group;
use crate::model::reading::Reading;
use crate::sample::{DatabaseReading, Panel, ServerReading, SourceId, SubjectsReading};

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
