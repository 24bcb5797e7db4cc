//! What Postgres says: the pipeline's counters, the workers' heartbeats, the server's health.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// The counters of the reference schema, `webhook_counters`, summed per provider.
/// They only grow, and Postgres decides them in the workers' own transactions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CounterReading {
    /// Provider, rows written, idempotent skips; sorted by provider.
    pub providers: Vec<ProviderCounters>,
    /// From the query's start to its last row. The values are from somewhere in between.
    pub took: Duration,
}

/// The counters of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderCounters {
    /// The provider.
    pub provider: Arc<str>,
    /// Rows written since the schema was made.
    pub rows_written: u64,
    /// Webhooks that were there already.
    pub skipped: u64,
}

/// The workers' heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatReading {
    /// One per worker, sorted by name.
    pub workers: Vec<Heartbeat>,
    /// The database's own time.
    pub now: Option<Timestamp>,
}

/// One worker's heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The worker's name.
    pub worker: Arc<str>,
    /// When it was last heard of; `None`: never.
    pub last_seen: Option<Timestamp>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// What it says of itself: `running`, `stopped`, …
    pub state: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Webhooks that it has processed since it started.
    pub processed: Option<u64>,
}

/// A session that waits for another's lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocked {
    /// Who waits.
    pub pid: i32,
    /// Its application name.
    pub application: String,
    /// For how long it has waited.
    pub waited: Duration,
    /// Who holds the lock.
    pub blocking_pid: i32,
    /// The blocker's application name.
    pub blocking_application: String,
    /// The blocker's state (`idle in transaction`, …).
    pub blocking_state: String,
}

/// The health of a Postgres server, from `pg_stat_activity` and `pg_stat_database`. `None`
/// where the role may not see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseReading {
    /// Its version.
    pub version: String,
    /// When the server started: part of its identity.
    pub started: Option<Timestamp>,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// Round-trip time of an empty query.
    pub latency: Duration,
    /// Sessions.
    pub connections: Option<u64>,
    /// `max_connections`.
    pub max_connections: Option<u64>,
    /// Sessions that run a query.
    pub active: Option<u64>,
    /// Sessions that sit in a transaction.
    pub idle_in_transaction: Option<u64>,
    /// Age of the oldest open transaction.
    pub longest_transaction: Option<Duration>,
    /// Commits since the statistics were reset.
    pub commits: Option<u64>,
    /// Rollbacks since the statistics were reset.
    pub rollbacks: Option<u64>,
    /// Deadlocks since the statistics were reset.
    pub deadlocks: Option<u64>,
    /// Size of the database, bytes.
    pub size: Option<u64>,
    /// Sessions that wait for a lock, longest first, at most 10.
    pub blocked: Vec<Blocked>,
    /// Sessions whose query the role may not see.
    pub hidden: u64,
}

/// A group of relations, or of JetStream subjects, that feed one panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Panel {
    /// `webhook_counters`.
    Counters,
    /// `webhook_workers`.
    Heartbeats,
    /// `pg_stat_activity`, `pg_stat_database`.
    Health,
    /// `$JS.API.INFO`: the account's usage and limits.
    Account,
    /// `$JS.API.STREAM.NAMES`, `STREAM.LIST`, `CONSUMER.NAMES`, `CONSUMER.LIST`: what there is besides the profile's own.
    Inventory,
    /// `$JS.API.STREAM.MSG.GET`: ages of the oldest messages.
    Oldest,
    /// `$JS.EVENT.ADVISORY`: what the server tells unasked.
    Advisories,
    /// The profile's dead letter stream.
    DeadLetters,
    /// `/connz` of the server's monitoring port.
    Connections,
    /// `rule_webhooks`.
    Webhooks,
    /// `nats_publish_summary`.
    Published,
    /// `nats_performance_stats`.
    PublishLatency,
    /// `nats_recent_failures`.
    PublishFailures,
    /// `webhook_status_summary`.
    CallStatus,
    /// `webhook_performance_stats`.
    CallLatency,
    /// `webhook_recent_failures`.
    CallFailures,
    /// `rule_webhook_calls`.
    Calls,
    /// `rule_nats_consumer_stats`.
    ConsumerStats,
    /// `rule_webhook_calls` that have failed, where `webhook_recent_failures` cannot be read.
    FailedCalls,
}

impl Panel {
    /// The relation, or the subject, that is read for it.
    #[must_use]
    pub fn relation(self) -> &'static str {
        match self {
            Self::Counters => "webhook_counters",
            Self::Heartbeats => "webhook_workers",
            Self::Health => "pg_stat_activity",
            Self::Account => "$JS.API.INFO",
            Self::Inventory => "$JS.API.STREAM.LIST",
            Self::Oldest => "$JS.API.STREAM.MSG.GET",
            Self::Advisories => "$JS.EVENT.ADVISORY",
            Self::DeadLetters => "$JS.API.STREAM.INFO",
            Self::Connections => "/connz",
            Self::Webhooks => "rule_webhooks",
            Self::Published => "nats_publish_summary",
            Self::PublishLatency => "nats_performance_stats",
            Self::PublishFailures => "nats_recent_failures",
            Self::CallStatus => "webhook_status_summary",
            Self::CallLatency => "webhook_performance_stats",
            Self::CallFailures => "webhook_recent_failures",
            Self::Calls | Self::FailedCalls => "rule_webhook_calls",
            Self::ConsumerStats => "rule_nats_consumer_stats",
        }
    }
}

/// Whether what feeds a panel can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelReading {
    /// Which.
    pub panel: Panel,
    /// Why not, with the next step (`GRANT SELECT …`); `None`: they can.
    pub problem: Option<String>,
}
