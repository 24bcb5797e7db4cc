//! What is asked of Postgres and how its answers read. Every panel is one statement that returns
//! one JSON value, so that any set of panels fits into one round trip.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::base::time::Timestamp;
use crate::sample::{self, Blocked, CounterReading, DatabaseReading, Heartbeat, HeartbeatReading, ProviderCounters};

/// Providers beyond which the counters are not taken: a sum of some would be wrong.
const PROVIDERS: usize = 10_000;

/// The panels that Postgres feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Panel {
    Counters,
    Heartbeats,
    Health,
}

impl Panel {
    /// The same among the panels of every source.
    pub(super) fn shown(self) -> sample::Panel {
        match self {
            Self::Counters => sample::Panel::Counters,
            Self::Heartbeats => sample::Panel::Heartbeats,
            Self::Health => sample::Panel::Health,
        }
    }

    /// The relation that is read for it.
    pub(super) fn relation(self) -> &'static str {
        self.shown().relation()
    }
}

/// Every panel, in the order in which they are asked.
pub(super) const PANELS: [Panel; 3] = [Panel::Counters, Panel::Heartbeats, Panel::Health];

/// The statement behind a panel.
pub(super) fn statement(panel: Panel) -> &'static str {
    match panel {
        Panel::Counters => include_str!("counters.sql"),
        Panel::Heartbeats => include_str!("heartbeats.sql"),
        Panel::Health => include_str!("health.sql"),
    }
}

/// One statement that asks for all these panels: a column each.
pub(super) fn combined(panels: &[Panel]) -> String {
    let columns: Vec<String> = panels.iter().map(|&panel| format!("({})", statement(panel))).collect();
    format!("SELECT {}", columns.join(","))
}

/// The columns that a panel's relation must have.
pub(super) fn columns(panel: Panel) -> &'static str {
    match panel {
        Panel::Counters => "provider text, rows_written bigint, skipped bigint",
        Panel::Heartbeats => {
            "worker text, started_at timestamptz, last_seen_at timestamptz, version text, state text, processed bigint"
        }
        Panel::Health => "what PostgreSQL 10 and later have",
    }
}

/// Why an answer is unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("its answer is not what was asked for: {0}")]
    Shape(String),
    #[error("a counter is unknown or below 0")]
    Counter,
    #[error("more than 10,000 providers")]
    Providers,
}

fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Unusable> {
    serde_json::from_str(text).map_err(|error| Unusable::Shape(error.to_string()))
}

fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

pub(super) fn counters(text: &str, took: Duration) -> Result<CounterReading, Unusable> {
    let rows: Vec<(Arc<str>, Option<i64>, Option<i64>)> = decode(text)?;
    if rows.len() > PROVIDERS {
        return Err(Unusable::Providers);
    }
    let count = |value: Option<i64>| {
        value
            .and_then(|value| u64::try_from(value).ok())
            .ok_or(Unusable::Counter)
    };
    let mut providers = rows
        .into_iter()
        .map(|(provider, rows_written, skipped)| {
            Ok(ProviderCounters {
                provider,
                rows_written: count(rows_written)?,
                skipped: count(skipped)?,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    providers.sort_by(|a, b| a.provider.cmp(&b.provider));
    Ok(CounterReading { providers, took })
}

pub(super) fn heartbeats(text: &str) -> Result<HeartbeatReading, Unusable> {
    #[derive(Deserialize)]
    struct Row {
        worker: Arc<str>,
        started: Option<i64>,
        last_seen: Option<i64>,
        version: Option<String>,
        state: Option<String>,
        processed: Option<i64>,
    }
    #[derive(Deserialize)]
    struct Answer {
        now: i64,
        workers: Vec<Row>,
    }
    let answer: Answer = decode(text)?;
    let mut workers: Vec<Heartbeat> = answer
        .workers
        .into_iter()
        .map(|row| Heartbeat {
            worker: row.worker,
            last_seen: row.last_seen.and_then(time),
            started: row.started.and_then(time),
            state: row.state,
            version: row.version,
            processed: row.processed.and_then(|n| u64::try_from(n).ok()),
        })
        .collect();
    workers.sort_by(|a, b| a.worker.cmp(&b.worker));
    Ok(HeartbeatReading {
        workers,
        now: time(answer.now),
    })
}

/// The health, without the size of the database and the round-trip time, which are asked apart.
pub(super) fn health(text: &str) -> Result<DatabaseReading, Unusable> {
    #[derive(Deserialize)]
    struct Waiting {
        pid: i32,
        application: Option<String>,
        waited: i64,
        blocking_pid: i32,
        blocking_application: Option<String>,
        blocking_state: Option<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        version: String,
        started: Option<i64>,
        in_recovery: bool,
        max_connections: Option<u64>,
        connections: Option<u64>,
        hidden: u64,
        active: Option<u64>,
        idle_in_transaction: Option<u64>,
        longest_transaction: Option<i64>,
        commits: Option<u64>,
        rollbacks: Option<u64>,
        deadlocks: Option<u64>,
        blocked: Vec<Waiting>,
    }
    let answer: Answer = decode(text)?;
    let blocked = answer.blocked.into_iter().map(|row| Blocked {
        pid: row.pid,
        application: row.application.unwrap_or_default(),
        waited: duration(row.waited),
        blocking_pid: row.blocking_pid,
        blocking_application: row.blocking_application.unwrap_or_default(),
        blocking_state: row.blocking_state.unwrap_or_default(),
    });
    Ok(DatabaseReading {
        version: answer.version,
        started: answer.started.and_then(time),
        in_recovery: answer.in_recovery,
        latency: Duration::ZERO,
        connections: answer.connections,
        max_connections: answer.max_connections,
        active: answer.active,
        idle_in_transaction: answer.idle_in_transaction,
        longest_transaction: answer.longest_transaction.map(duration),
        commits: answer.commits,
        rollbacks: answer.rollbacks,
        deadlocks: answer.deadlocks,
        size: None,
        blocked: blocked.collect(),
        hidden: answer.hidden,
    })
}

/// Who asks, and the relations of a name that there are.
#[derive(Debug, Deserialize)]
pub(super) struct Relations {
    pub(super) role: String,
    pub(super) found: Vec<Relation>,
}

/// A relation and what the role may do with it.
#[derive(Debug, Deserialize)]
pub(super) struct Relation {
    pub(super) schema: String,
    /// Whether the role may enter the schema.
    pub(super) usage: bool,
    /// Whether it may read the relation.
    pub(super) select: bool,
}

/// The statement that asks for the relations of a panel's name.
pub(super) fn relations_statement(panel: Panel) -> String {
    include_str!("relation.sql").replace("$relation", panel.relation())
}

pub(super) fn relations(text: &str) -> Result<Relations, Unusable> {
    decode(text)
}
