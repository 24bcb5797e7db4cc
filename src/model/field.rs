//! How a figure is named, formatted and exported: declared once, for screen, JSON, CSV and help.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reading::{Reading, ReadingState};
use crate::base::text;

/// The unit of a figure; it decides how the figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number.
    Count,
    /// Per second.
    PerSecond,
    /// Per minute.
    PerMinute,
    /// Seconds.
    Seconds,
    /// A ratio of 1, written as per cent.
    Ratio,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// A value as text, with its unit.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded; negative values are handled apart and infinities are unknown"
    )]
    pub fn format(self, value: f64) -> String {
        if !value.is_finite() {
            return text::UNKNOWN.to_owned();
        }
        match self {
            Self::Count if value < 0.0 => text::signed(value.round() as i64),
            Self::Count => text::count(value.round() as u64),
            Self::PerSecond => format!("{}/s", text::per_second(value)),
            Self::PerMinute => format!("{}/min", text::per_second(value)),
            Self::Seconds => {
                Duration::try_from_secs_f64(value).map_or_else(|_| text::UNKNOWN.to_owned(), text::duration)
            }
            Self::Ratio => text::percent(value),
            Self::Bytes => text::bytes(value.max(0.0) as u64),
        }
    }
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])* $name:ident = $key:literal, $label:literal, $unit:ident, $formula:literal;)*) => {
        /// A figure that can be named: charted, sorted by, explained, exported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[doc = $doc])* $name,)* }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its key in JSON and CSV.
            #[must_use]
            pub fn key(self) -> &'static str { match self { $(Self::$name => $key,)* } }

            /// Its name on screen.
            #[must_use]
            pub fn label(self) -> &'static str { match self { $(Self::$name => $label,)* } }

            /// Its unit.
            #[must_use]
            pub fn unit(self) -> Unit { match self { $(Self::$name => Unit::$unit,)* } }

            /// How it is worked out, from the names that sources give their raw figures.
            #[must_use]
            pub fn formula(self) -> &'static str { match self { $(Self::$name => $formula,)* } }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* } }
        }
    };
}

fields! {
    /// Webhooks that reach the gateway.
    ReceivedPerS = "received_per_s", "received", PerSecond, "increase of the gateways' received counter over the window, divided by it";
    /// Webhooks that the stream confirmed.
    QueuedPerS = "queued_per_s", "queued", PerSecond, "increase of the gateways' queued counter over the window, divided by it";
    /// Messages that the stream stored.
    StoredPerS = "stored_per_s", "ingest", PerSecond, "increase of the stream's last_seq over the window, divided by it";
    /// Webhooks that workers have processed.
    ProcessedPerS = "processed_per_s", "processing", PerSecond, "increase of the workers' processed counters over the window, divided by it";
    /// Rows that Postgres has taken.
    WrittenPerS = "written_per_s", "written", PerSecond, "increase of the rows written over the window, divided by it";
    /// Messages waiting and held.
    Backlog = "backlog", "backlog", Count, "num_pending + num_ack_pending of the watched consumer";
    /// How fast the backlog grows; negative shrinks.
    BacklogPerS = "backlog_per_s", "backlog change", PerSecond, "slope of the backlog over the window";
    /// Age of the oldest message that no worker has seen.
    OldestWaiting = "oldest_unprocessed_s", "oldest waiting", Seconds, "server time minus the time of the first message behind delivered.stream_seq that matches the filter";
    /// Age of the oldest message that a worker holds.
    OldestHeld = "oldest_held_s", "oldest held", Seconds, "server time minus the time of the first message behind ack_floor.stream_seq that is still stored";
    /// Time until the backlog is empty at this pace.
    DrainEta = "drain_eta_s", "empty in", Seconds, "backlog / (completed - ingest), smoothed; unknown while it does not shrink";
    /// Time until the next limit of the stream is reached at this pace.
    LimitEta = "limit_eta_s", "limit in", Seconds, "(limit - used) / slope of what is used, the nearest of max_msgs, max_bytes and max_age";
    /// Letters in the dead letter stream.
    Dead = "dead", "dead letters", Count, "messages of the dead letter stream";
    /// 99th percentile of the gateway's answer.
    ResponseP99 = "response_p99_s", "ack p99", Seconds, "histogram_quantile(0.99) over the increase of the gateways' response buckets";
    /// Median of the gateway's answer.
    ResponseP50 = "response_p50_s", "ack p50", Seconds, "histogram_quantile(0.5) over the increase of the gateways' response buckets";
    /// 95th percentile of the bulk update.
    UpdateP95 = "update_p95_s", "update p95", Seconds, "histogram_quantile(0.95) over the increase of the workers' update buckets";
    /// Refused, unconfirmed and failed over what was tried.
    ErrorRatio = "error_ratio", "errors", Ratio, "(refused + unconfirmed + failed) / max(received, those + processed), last 60 s";
    /// Webhooks that one worker has processed.
    WorkerRate = "rate_per_s", "rate", PerSecond, "increase of this worker's processed counter over the window, divided by it";
    /// Webhooks in one batch of a worker, on average.
    BatchSize = "batch_size", "batch", Count, "increase of the batch size sum over the increase of its count";
    /// 95th percentile of a worker's batch.
    BatchP95 = "batch_p95_s", "batch p95", Seconds, "histogram_quantile(0.95) over the increase of the batch buckets";
    /// Attempts that failed.
    ErrorsPerS = "errors_per_s", "errors", PerSecond, "increase of the failed counter over the window, divided by it";
    /// Circuit breaker: 0 closed, 1 open, 2 half-open.
    Breaker = "breaker", "breaker", Count, "the worker's breaker gauge, never inferred";
    /// CPU seconds per second.
    Cpu = "cpu", "CPU", Ratio, "increase of process_cpu_seconds_total over the window, divided by it";
    /// Resident memory.
    Memory = "memory", "memory", Bytes, "process_resident_memory_bytes";
    /// Age of the last sign of life.
    LastSeen = "last_seen_s", "last seen", Seconds, "now minus the latest of scrape, heartbeat and connection activity";
    /// Messages in the stream.
    Messages = "messages", "messages", Count, "state.messages of STREAM.INFO";
    /// Bytes in the stream.
    StreamBytes = "bytes", "bytes", Bytes, "state.bytes of STREAM.INFO";
    /// Messages that were never delivered.
    Pending = "pending", "pending", Count, "num_pending of CONSUMER.INFO";
    /// Messages that were delivered and not acked.
    AckPending = "ack_pending", "ack pending", Count, "num_ack_pending of CONSUMER.INFO; delayed naks included";
    /// Pull requests that wait for messages.
    WaitingPulls = "waiting", "pulls", Count, "num_waiting of CONSUMER.INFO";
    /// Messages that were delivered more than once and not acked.
    Redelivered = "redelivered", "redelivered", Count, "num_redelivered of CONSUMER.INFO: a gauge, parked ones stay in it";
    /// Messages past their last delivery and still stored: a lower bound.
    Parked = "parked", "parked", Count, "messages - what consumers wait for and hold, at least, in three readings running; no more than num_redelivered";
    /// Messages acked before a server crash and still stored: a lower bound.
    Orphaned = "orphaned", "orphaned", Count, "messages in no consumer's backlog, in three readings running, minus the parked ones";
    /// Messages under no consumer's filter.
    Unmatched = "unmatched", "unmatched", Count, "counts per subject under no filter, in two sweeps";
    /// Messages that a consumer has completed.
    CompletedPerS = "completed_per_s", "completed", PerSecond, "(attempts - growth of num_ack_pending) over the window; the workers' acks or what left the stream where that says more";
    /// Deliveries, retries included.
    AttemptsPerS = "attempts_per_s", "attempts", PerSecond, "increase of delivered.consumer_seq over the window, divided by it";
    /// Deliveries that were not the first of their message.
    RetriesPerS = "retries_per_s", "retries", PerSecond, "attempts + growth of num_pending - growth of last_seq over the window; else the workers' naks";
    /// Attempts to send a webhook, over everything that Postgres keeps.
    Sent = "total", "sent", Count, "total_published of nats_publish_summary, total_calls of webhook_status_summary, else the rows of rule_webhook_calls";
    /// Attempts that failed, over everything that Postgres keeps.
    SendFailed = "failed", "failed", Count, "failed of nats_publish_summary, failed_calls of webhook_status_summary, else the failed rows of rule_webhook_calls";
    /// Successful attempts over those that are settled.
    SuccessRatio = "success_ratio", "success", Ratio, "successful / (successful + failed), over everything that Postgres keeps";
    /// Attempts of the last minute.
    RecentAttempts = "recent_attempts", "last 60 s", Count, "growth of what was sent over the last 60 s; readings between which old rows went are left out";
    /// Success of the last minute.
    RecentSuccess = "recent_success_ratio", "success 60 s", Ratio, "1 - growth of failed / growth of sent, last 60 s";
    /// Mean latency of the last minute.
    RecentLatency = "recent_latency_s", "mean 60 s", Seconds, "growth of (mean latency × number) / growth of the number, last 60 s";
    /// Median latency.
    SendP50 = "latency_p50_s", "p50", Seconds, "p50 of nats_performance_stats (24 h) or webhook_performance_stats, as the view says it";
    /// 95th percentile of the latency.
    SendP95 = "latency_p95_s", "p95", Seconds, "p95 of nats_performance_stats (24 h) or webhook_performance_stats, as the view says it";
    /// 99th percentile of the latency.
    SendP99 = "latency_p99_s", "p99", Seconds, "p99 of nats_performance_stats (24 h) or webhook_performance_stats, as the view says it";
    /// Mean latency over everything that Postgres keeps.
    SendMean = "latency_avg_s", "mean", Seconds, "avg_latency_ms of nats_publish_summary, avg_execution_time_ms of webhook_status_summary";
    /// Calls that wait in the queue in Postgres.
    CallsWaiting = "calls_waiting", "waiting", Count, "rows of rule_webhook_calls with status pending, else pending_calls of webhook_status_summary";
    /// Calls that wait to be tried again.
    CallsRetrying = "retrying", "retrying", Count, "rows of rule_webhook_calls with status retrying, else retrying_calls of webhook_status_summary";
    /// For how long the oldest waiting call has been due.
    CallsOldest = "calls_oldest_s", "oldest due", Seconds, "the database's time minus the least scheduled_at of pending and retrying rows";
    /// Time of a health endpoint's answer.
    ProbeAnswer = "response_s", "answer", Seconds, "from sending the request to the last byte";
    /// Failures per second.
    FailuresPerS = "per_s", "failing", PerSecond, "failures of the last 60 s by their own times, divided by 60";
}

/// A reading as it stands on screen: its value with its unit, `≤` before a bound, `–` when unknown.
#[must_use]
pub fn show(reading: &Reading, unit: Unit) -> String {
    match (reading.value, reading.state) {
        (None, _) | (_, ReadingState::Unknown) => text::UNKNOWN.to_owned(),
        (Some(value), ReadingState::AtMost) => format!("≤{}", unit.format(value)),
        (Some(value), _) => unit.format(value),
    }
}
