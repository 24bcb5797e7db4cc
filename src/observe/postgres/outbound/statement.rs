//! The statement that reads a relation, or why there is none and what to do.

use std::fmt::Write as _;

use super::super::fault::quoted as identifier;
use super::inventory::Inventory;
use super::relation::{Column, Kind, LEAST, Relation, TALLY};
use crate::sample::Panel;

/// Longest name and error text that leave the server, in characters. A longer name ends in a hash
/// of the whole, so that two of them stay two.
const NAME: usize = 200;
const TEXT: usize = 500;

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

impl Relation {
    /// What is to be done about it.
    pub(super) fn plan(&self, inventory: &Inventory) -> Plan {
        let failed_calls = || Relation::of(Panel::FailedCalls).zip(inventory.failed_calls());
        match (self.panel, self.statement_for(inventory)) {
            (Panel::CallFailures, Err(_)) if failed_calls().is_some() => Plan::Pass,
            (Panel::FailedCalls, _) => {
                let view = Relation::of(Panel::CallFailures).map(|view| view.statement_for(inventory));
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
        for column in self.columns.iter().filter(|column| column.required && !column.made) {
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
                format!("(SELECT {by}, count(*) AS {TALLY}, {oldest} AS {LEAST} FROM {place} GROUP BY {by}) AS counted")
            }
        };
        let there = |column: &Column| column.made || readable(column.name);
        let mut values = String::new();
        for column in self.columns {
            let separator = if values.is_empty() { "" } else { ", " };
            let value = if there(column) {
                column.value()
            } else {
                "NULL".to_owned()
            };
            // Writing into a string cannot fail.
            let _ = write!(values, "{separator}{value}");
        }
        let by = self.columns.iter().find(|column| column.name == self.order);
        let order = if by.is_some_and(there) {
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

#[cfg(test)]
mod tests {
    use super::super::inventory::Found;
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
        Relation::of(Panel::Webhooks).unwrap()
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
