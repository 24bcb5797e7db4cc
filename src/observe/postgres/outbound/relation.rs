//! The relations of a pipeline that publishes from Postgres: which columns are read of each.
//! Columns that hold secrets (URLs, headers, payloads, tokens) are on no list, so no statement can
//! name them.

use std::time::Duration;

use crate::sample::Panel;

/// What a column holds, and so how it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Text,
    Number,
    Time,
}

/// A column that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether the relation says nothing without it.
    pub(super) required: bool,
    /// Whether it is made by counting, and no column of the relation itself.
    pub(super) made: bool,
}

const fn need(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: true,
        made: false,
    }
}

const fn want(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: false,
        made: false,
    }
}

const fn make(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: true,
        made: true,
    }
}

/// A relation that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relation {
    pub(super) panel: Panel,
    pub(super) columns: &'static [Column],
    /// The column by which the first rows are the ones that matter, downwards.
    pub(super) order: &'static str,
    /// Rows that are read.
    pub(super) limit: u32,
    /// Counted on the server by these columns: [`TALLY`], and the least of another one as [`LEAST`].
    pub(super) counted: Option<(&'static [&'static str], &'static str)>,
    /// How often it is read at most.
    pub(super) period: Duration,
}

const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

/// What counting makes: how many rows, and the oldest of them.
pub(super) const TALLY: &str = "count";
pub(super) const LEAST: &str = "oldest";

/// The columns of a failed call; the first is the name of its webhook.
pub(super) const FAILED_CALL: &[Column] = &[
    need("webhook_name", Kind::Name),
    want("error_message", Kind::Text),
    want("response_status", Kind::Number),
    want("completed_at", Kind::Time),
    want("created_at", Kind::Time),
];

/// How many relations there are.
pub(super) const COUNT: usize = 10;

/// Every relation, in the order in which they are asked.
pub(super) const RELATIONS: [Relation; COUNT] = [
    Relation {
        panel: Panel::Published,
        columns: &[
            need("webhook_name", Kind::Name),
            want("subject", Kind::Name),
            want("publish_mode", Kind::Name),
            need("total_published", Kind::Number),
            want("successful", Kind::Number),
            want("failed", Kind::Number),
            want("avg_latency_ms", Kind::Number),
            want("max_latency_ms", Kind::Number),
            want("last_published_at", Kind::Time),
        ],
        order: "total_published",
        limit: 1_000,
        counted: None,
        period: SHORT,
    },
    Relation {
        panel: Panel::CallStatus,
        columns: &[
            need("webhook_name", Kind::Name),
            need("total_calls", Kind::Number),
            want("successful_calls", Kind::Number),
            want("failed_calls", Kind::Number),
            want("pending_calls", Kind::Number),
            want("retrying_calls", Kind::Number),
            want("avg_execution_time_ms", Kind::Number),
            want("last_call_at", Kind::Time),
        ],
        order: "total_calls",
        limit: 1_000,
        counted: None,
        period: SHORT,
    },
    Relation {
        panel: Panel::ConsumerStats,
        columns: &[
            want("stream_name", Kind::Name),
            need("consumer_name", Kind::Name),
            want("messages_acknowledged", Kind::Number),
            want("messages_delivered", Kind::Number),
            want("avg_processing_time_ms", Kind::Number),
            need("last_active_at", Kind::Time),
            want("active", Kind::Name),
        ],
        order: "last_active_at",
        limit: 2_000,
        counted: None,
        period: Duration::from_secs(2),
    },
    Relation {
        panel: Panel::Webhooks,
        columns: &[
            need("webhook_id", Kind::Number),
            need("webhook_name", Kind::Name),
            want("publish_mode", Kind::Name),
            want("nats_subject", Kind::Name),
            want("enabled", Kind::Name),
        ],
        order: "webhook_id",
        limit: 2_000,
        counted: None,
        period: LONG,
    },
    Relation {
        panel: Panel::Calls,
        columns: &[
            want("webhook_id", Kind::Number),
            need("status", Kind::Name),
            make(TALLY, Kind::Number),
            make(LEAST, Kind::Time),
        ],
        order: TALLY,
        limit: 5_000,
        counted: Some((&["webhook_id", "status"], "scheduled_at")),
        period: SHORT,
    },
    Relation {
        panel: Panel::PublishFailures,
        columns: &[
            need("webhook_name", Kind::Name),
            want("subject", Kind::Name),
            need("error_message", Kind::Text),
            want("published_at", Kind::Time),
        ],
        order: "published_at",
        limit: 200,
        counted: None,
        period: SHORT,
    },
    Relation {
        panel: Panel::CallFailures,
        columns: FAILED_CALL,
        order: "created_at",
        limit: 200,
        counted: None,
        period: SHORT,
    },
    Relation {
        panel: Panel::PublishLatency,
        columns: &[
            need("webhook_name", Kind::Name),
            want("subject", Kind::Name),
            want("message_count", Kind::Number),
            want("p50_latency_ms", Kind::Number),
            want("p95_latency_ms", Kind::Number),
            want("p99_latency_ms", Kind::Number),
        ],
        order: "message_count",
        limit: 1_000,
        counted: None,
        period: LONG,
    },
    Relation {
        panel: Panel::CallLatency,
        columns: &[
            need("webhook_name", Kind::Name),
            want("total_calls", Kind::Number),
            want("p50_time_ms", Kind::Number),
            want("p95_time_ms", Kind::Number),
            want("p99_time_ms", Kind::Number),
        ],
        order: "total_calls",
        limit: 1_000,
        counted: None,
        period: LONG,
    },
    // As the view of failed calls has them; `Inventory::failed_calls` makes these columns.
    Relation {
        panel: Panel::FailedCalls,
        columns: FAILED_CALL,
        order: "created_at",
        limit: 200,
        counted: None,
        period: SHORT,
    },
];

impl Relation {
    /// The one that a panel shows.
    pub(super) fn of(panel: Panel) -> Option<&'static Self> {
        RELATIONS.iter().find(|relation| relation.panel == panel)
    }

    /// The columns of the relation itself.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let Some((by, least)) = self.counted else {
            return self.columns.iter().map(|column| column.name).collect();
        };
        by.iter().copied().chain([least]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_names_a_column_that_holds_a_secret() {
        for relation in &RELATIONS {
            for column in relation.names() {
                let secret = [
                    "url",
                    "header",
                    "payload",
                    "token",
                    "secret",
                    "seed",
                    "body",
                    "credential",
                    "tls",
                ];
                assert!(
                    !secret.iter().any(|word| column.contains(word)),
                    "{} {column}",
                    relation.panel.relation()
                );
            }
            assert!(!relation.panel.relation().contains("config") && !relation.panel.relation().contains("secret"));
        }
    }
}
