//! Metrics families by what they mean, and the names that a pipeline has for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
