//! Which of the relations there are, and what of them may be read.

use serde::Deserialize;

use super::super::fault::quoted as identifier;
use super::relation::{FAILED_CALL, Kind, RELATIONS};

/// The table that stands in for the view of failed calls, and what its failures must have.
const CALLS: &str = "rule_webhook_calls";
const HOOKS: &str = "rule_webhooks";

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
    pub(super) relation: String,
    pub(super) schema: String,
    pub(super) usage: bool,
    pub(super) visible: bool,
    pub(super) select: bool,
    /// Each column, and whether it may be read.
    pub(super) columns: Vec<(String, bool)>,
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

    pub(super) fn place(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.relation))
    }
}

impl Inventory {
    /// The relation that a name stands for: what a bare name means first, then what may be read at all.
    pub(super) fn find(&self, name: &str) -> Option<&Found> {
        let of_name = self.found.iter().filter(|found| found.relation == name);
        of_name.min_by_key(|found| (!(found.visible && found.usage), !found.usage, !found.select))
    }

    /// The failed calls of the queue itself, with the columns of the view that shows them. `None`:
    /// there is no such table, or what matters in it may not be read.
    pub(super) fn failed_calls(&self) -> Option<String> {
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
        let others = FAILED_CALL.iter().skip(1).map(|column| match column.name {
            // Older queues have only that.
            name @ "created_at" if !calls.reads(name) && calls.reads("scheduled_at") => {
                format!("calls.scheduled_at AS {name}")
            }
            name if calls.reads(name) => format!("calls.{name} AS {name}"),
            name if column.kind == Kind::Time => format!("NULL::timestamptz AS {name}"),
            name => format!("NULL::text AS {name}"),
        });
        let others: Vec<String> = others.collect();
        Some(format!(
            "(SELECT {name} AS webhook_name, {} FROM {} AS calls {join} \
             WHERE calls.status::text = 'failed') AS failed_calls",
            others.join(", "),
            calls.place(),
        ))
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
