//! The relations of a pipeline that publishes from Postgres: which columns are read of each, and
//! the statement that reads them. Columns that hold secrets (URLs, headers, payloads, tokens) are
//! on no list, so no statement can name them.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use super::super::fault::quoted as identifier;
use crate::sample::Panel;

/// Longest name and error text that leave the server, in characters. A longer name ends in a hash
/// of the whole, so that two of them stay two.
const NAME: usize = 200;
const TEXT: usize = 500;

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
    kind: Kind,
    /// Whether the relation says nothing without it.
    required: bool,
}

const fn need(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: true,
    }
}

const fn want(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        required: false,
    }
}

/// A relation that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relation {
    pub(super) panel: Panel,
    pub(super) columns: &'static [Column],
    /// The column by which the first rows are the ones that matter, downwards.
    order: &'static str,
    /// Rows that are read.
    limit: u32,
    /// Counted by these columns on the server: the number of rows, and the least of another column.
    counted: Option<(&'static [&'static str], &'static str)>,
    /// How often it is read at most.
    pub(super) period: Duration,
}

/// What is to be done about a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Read it so.
    Read(String),
    /// It cannot be read: why, and what to do.
    Off(String),
    /// Nothing, and nothing is to be said: another relation says the same.
    Pass,
}

/// The table that stands in for the view of failed calls, and what its failures must have.
const CALLS: &str = "rule_webhook_calls";
const HOOKS: &str = "rule_webhooks";

const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

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
            need("count", Kind::Number),
            want("oldest", Kind::Time),
        ],
        order: "count",
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
        columns: &[
            need("webhook_name", Kind::Name),
            want("error_message", Kind::Text),
            want("response_status", Kind::Number),
            want("completed_at", Kind::Time),
            want("created_at", Kind::Time),
        ],
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
    // As the view `webhook_recent_failures` has them; `Inventory::failed_calls` makes these columns.
    Relation {
        panel: Panel::FailedCalls,
        columns: &[
            need("webhook_name", Kind::Name),
            want("error_message", Kind::Text),
            want("response_status", Kind::Number),
            want("completed_at", Kind::Time),
            want("created_at", Kind::Time),
        ],
        order: "created_at",
        limit: 200,
        counted: None,
        period: SHORT,
    },
];

fn relation_of(panel: Panel) -> Option<&'static Relation> {
    RELATIONS.iter().find(|relation| relation.panel == panel)
}

/// The statement that looks which of them there are.
pub(super) fn discovery() -> String {
    let names: Vec<String> = RELATIONS
        .iter()
        .map(|relation| literal(relation.panel.relation()))
        .collect();
    include_str!("../outbound.sql").replace("$relations", &names.join(", "))
}

/// Who asks, and what there is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Inventory {
    pub(super) role: String,
    pub(super) found: Vec<Found>,
}

/// A relation that there is.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    relation: String,
    schema: String,
    usage: bool,
    visible: bool,
    select: bool,
    /// Each column, and whether it may be read.
    columns: Vec<(String, bool)>,
}

impl Found {
    /// Whether a column is there and may be read.
    fn reads(&self, column: &str) -> bool {
        self.usage
            && self
                .columns
                .iter()
                .any(|(known, readable)| known == column && *readable)
    }

    fn place(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.relation))
    }
}

impl Inventory {
    /// The relation that a name stands for: what a bare name means first, then what may be read at all.
    fn find(&self, name: &str) -> Option<&Found> {
        let of_name = self.found.iter().filter(|found| found.relation == name);
        of_name.min_by_key(|found| (!(found.visible && found.usage), !found.usage, !found.select))
    }

    /// The failed calls of the queue itself, with the columns of the view that shows them. `None`:
    /// there is no such table, or what matters in it may not be read.
    fn failed_calls(&self) -> Option<String> {
        let calls = self.find(CALLS).filter(|calls| calls.reads("status"))?;
        if !(calls.reads("error_message") || calls.reads("response_status")) {
            return None;
        }
        let hooks = self
            .find(HOOKS)
            .filter(|hooks| hooks.reads("webhook_id") && hooks.reads("webhook_name"));
        let (name, join) = match (calls.reads("webhook_id"), hooks) {
            (true, Some(hooks)) => (
                "coalesce(hooks.webhook_name::text, 'webhook ' || calls.webhook_id::text, 'webhooks')",
                format!(
                    "LEFT JOIN {} AS hooks ON hooks.webhook_id = calls.webhook_id",
                    hooks.place()
                ),
            ),
            (true, None) => (
                "coalesce('webhook ' || calls.webhook_id::text, 'webhooks')",
                String::new(),
            ),
            (false, _) => ("'webhooks'", String::new()),
        };
        let own = |column: &str, empty: &str| {
            if calls.reads(column) {
                format!("calls.{column} AS {column}")
            } else {
                format!("NULL::{empty} AS {column}")
            }
        };
        let scheduled = calls.reads("scheduled_at") && !calls.reads("created_at");
        let created = if scheduled {
            "calls.scheduled_at AS created_at".to_owned()
        } else {
            own("created_at", "timestamptz")
        };
        Some(format!(
            "(SELECT {name} AS webhook_name, {}, {}, {}, {created} FROM {} AS calls {join} \
             WHERE calls.status::text = 'failed') AS failed_calls",
            own("error_message", "text"),
            own("response_status", "text"),
            own("completed_at", "timestamptz"),
            calls.place(),
        ))
    }
}

impl Relation {
    /// What is to be done about it.
    pub(super) fn plan(&self, inventory: &Inventory) -> Plan {
        let failed_calls = || relation_of(Panel::FailedCalls).zip(inventory.failed_calls());
        match (self.panel, self.statement_for(inventory)) {
            (Panel::CallFailures, Err(_)) if failed_calls().is_some() => Plan::Pass,
            (Panel::FailedCalls, _) => {
                let view = relation_of(Panel::CallFailures).map(|view| view.statement_for(inventory));
                match failed_calls().filter(|_| !matches!(view, Some(Ok(_)))) {
                    Some((relation, calls)) => Plan::Read(relation.statement(&calls, &|_| true)),
                    None => Plan::Pass,
                }
            }
            (_, Ok(statement)) => Plan::Read(statement),
            (_, Err(problem)) => Plan::Off(problem),
        }
    }

    /// The statement that reads it, or why that cannot be and what to do.
    fn statement_for(&self, inventory: &Inventory) -> Result<String, String> {
        let name = self.panel.relation();
        let role = identifier(&inventory.role);
        let Some(found) = inventory.find(name) else {
            return Err(format!("relation {name} does not exist"));
        };
        let place = found.place();
        if !found.usage {
            let schema = identifier(&found.schema);
            return Err(format!(
                "permission denied for schema {} → GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {place} TO {role}",
                found.schema
            ));
        }
        let has = |column: &str| {
            let known = found.columns.iter().find(|(known, _)| known == column);
            known.map(|(_, readable)| *readable)
        };
        let computed = |column: &Column| self.counted.is_some() && matches!(column.name, "count" | "oldest");
        for column in self
            .columns
            .iter()
            .filter(|column| column.required && !computed(column))
        {
            match has(column.name) {
                Some(true) => {}
                Some(false) => {
                    return Err(format!(
                        "permission denied for {name} → GRANT SELECT ({}) ON {place} TO {role}",
                        self.names().join(", ")
                    ));
                }
                None => {
                    return Err(format!(
                        "{name} has no column {} → it wants the columns {}",
                        column.name,
                        self.names().join(", ")
                    ));
                }
            }
        }
        let readable = |column: &str| has(column) == Some(true);
        Ok(self.statement(&place, &readable))
    }

    /// The columns of the relation itself.
    fn names(&self) -> Vec<&'static str> {
        let Some((by, least)) = self.counted else {
            return self.columns.iter().map(|column| column.name).collect();
        };
        by.iter().copied().chain([least]).collect()
    }

    fn statement(&self, place: &str, readable: &dyn Fn(&str) -> bool) -> String {
        let from = match self.counted {
            None => place.to_owned(),
            Some((by, least)) => {
                let by: Vec<&str> = by.iter().copied().filter(|column| readable(column)).collect();
                let oldest = if readable(least) {
                    format!("min({})", identifier(least))
                } else {
                    "NULL::timestamptz".to_owned()
                };
                let by = by
                    .iter()
                    .map(|column| identifier(column))
                    .collect::<Vec<_>>()
                    .join(", ");
                format!("(SELECT {by}, count(*) AS count, {oldest} AS oldest FROM {place} GROUP BY {by}) AS counted")
            }
        };
        let there = |column: &str| readable(column) || (self.counted.is_some() && matches!(column, "count" | "oldest"));
        let mut values = String::new();
        for column in self.columns {
            let separator = if values.is_empty() { "" } else { ", " };
            let value = if there(column.name) {
                column.value()
            } else {
                "NULL".to_owned()
            };
            // Writing into a string cannot fail.
            let _ = write!(values, "{separator}{value}");
        }
        let order = if there(self.order) {
            format!("ORDER BY {} DESC NULLS LAST", identifier(self.order))
        } else {
            String::new()
        };
        format!(
            "SELECT json_build_object('now', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
             'total', coalesce(max(total), 0), 'rows', coalesce(json_agg(row), '[]')) \
             FROM (SELECT json_build_array({values}) AS row, count(*) OVER () AS total FROM {from} {order} LIMIT {}) AS taken",
            self.limit
        )
    }
}

impl Column {
    /// It as text: any type that reads like what is wanted will do.
    fn value(&self) -> String {
        let name = identifier(self.name);
        match self.kind {
            Kind::Name => format!(
                "CASE WHEN length({name}::text) > {NAME} THEN left({name}::text, {}) || '…' || left(md5({name}::text), 8) ELSE {name}::text END",
                NAME - 9
            ),
            Kind::Text => format!("left({name}::text, {TEXT})"),
            Kind::Number => format!("left({name}::text, 40)"),
            Kind::Time => {
                format!("CASE WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000000)::bigint::text END")
            }
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(columns: &[(&str, bool)], usage: bool) -> Inventory {
        Inventory {
            role: "watcher".to_owned(),
            found: vec![Found {
                relation: "rule_webhooks".to_owned(),
                schema: "public".to_owned(),
                usage,
                visible: usage,
                select: false,
                columns: columns.iter().map(|(name, may)| ((*name).to_owned(), *may)).collect(),
            }],
        }
    }

    fn webhooks() -> &'static Relation {
        RELATIONS
            .iter()
            .find(|relation| relation.panel == Panel::Webhooks)
            .unwrap()
    }

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

    #[test]
    fn a_column_that_is_missing_or_forbidden_is_null_and_a_needed_one_a_problem() {
        let some = inventory(
            &[("webhook_id", true), ("webhook_name", true), ("publish_mode", false)],
            true,
        );
        let statement = webhooks().statement_for(&some).unwrap();
        assert!(
            !statement.contains("publish_mode") && !statement.contains("SELECT *"),
            "{statement}"
        );
        let forbidden = inventory(&[("webhook_id", true), ("webhook_name", false)], true);
        assert_eq!(
            webhooks().statement_for(&forbidden).unwrap_err(),
            "permission denied for rule_webhooks → GRANT SELECT (webhook_id, webhook_name, publish_mode, nats_subject, enabled) ON \"public\".\"rule_webhooks\" TO \"watcher\""
        );
        let missing = inventory(&[("webhook_id", true)], true);
        assert!(
            webhooks()
                .statement_for(&missing)
                .unwrap_err()
                .starts_with("rule_webhooks has no column webhook_name → it wants the columns webhook_id,")
        );
        let outside = inventory(&[("webhook_id", true)], false);
        assert!(
            webhooks()
                .statement_for(&outside)
                .unwrap_err()
                .starts_with("permission denied for schema public → GRANT USAGE ON SCHEMA \"public\"")
        );
        assert_eq!(
            webhooks().statement_for(&Inventory::default()).unwrap_err(),
            "relation rule_webhooks does not exist"
        );
    }
}
