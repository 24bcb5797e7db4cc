//! Failures by their cause: numbers, ids and times taken out, so that alike ones are one row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::Scene;
use crate::base::cause::cause;
use crate::base::time::Timestamp;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::span;
use crate::console::widget::table::{Cell, Column};
use crate::model::field::Unit;
use crate::model::{Event, EventKind, FailureGroup, Severity};

const COLUMNS: [Column; 4] = [
    Column::number("count", 7, 0),
    Column::name("cause", 24),
    Column::text("last", 9, 1),
    Column::text("latest example", 44, 2),
];

struct Group<'a> {
    cause: Cow<'a, str>,
    count: u64,
    last: Option<Timestamp>,
    example: Example<'a>,
}

/// The latest one of a group: something that happened here, or a row of Postgres.
enum Example<'a> {
    Event(&'a Event),
    Row(&'a FailureGroup),
}

impl Example<'_> {
    fn text(&self, gap: &str) -> String {
        match self {
            Self::Event(event) => [event.text.as_str(), event.detail.as_str()].join(gap),
            Self::Row(row) if row.others > 0 => {
                format!("{} and {} more{gap}{}", row.about, row.others, row.example)
            }
            Self::Row(row) => format!("{}{gap}{}", row.about, row.example),
        }
    }
}

/// Groups of events that tell of something that failed, and of the failures that Postgres tells.
pub(super) struct List<'a> {
    scene: Scene<'a>,
    groups: Vec<Group<'a>>,
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        let mut groups: BTreeMap<String, Group<'a>> = BTreeMap::new();
        for event in &scene.view.events {
            let tells = event.severity > Severity::Info && event.kind != EventKind::Verdict;
            if !tells {
                continue;
            }
            let text = if event.detail.is_empty() {
                &event.text
            } else {
                &event.detail
            };
            let cause = cause(text);
            let group = groups.entry(cause.clone()).or_insert(Group {
                cause: cause.into(),
                count: 0,
                last: Some(event.at),
                example: Example::Event(event),
            });
            group.count = group.count.saturating_add(event.count);
            if Some(event.at) >= group.last {
                (group.last, group.example) = (Some(event.at), Example::Event(event));
            }
        }
        let told = scene.view.failures.iter().map(|row| Group {
            cause: row.kind.as_str().into(),
            count: row.count,
            last: row.last_at,
            example: Example::Row(row),
        });
        Self {
            scene,
            groups: groups.into_values().chain(told).collect(),
        }
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.groups.len()
    }

    /// The key of its latest example on the Events screen.
    fn key(&self, row: usize) -> Cow<'_, str> {
        match &self.groups[row].example {
            Example::Event(example) => format!("{} {}", example.at, example.text).into(),
            Example::Row(row) => format!("{} {}", row.relation, row.kind).into(),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let group = &self.groups[row];
        match column {
            0 => Value::Number(group.count as f64, Unit::Count),
            1 => Value::text(&*group.cause),
            2 => group.last.map_or(Value::Unknown, Value::At),
            _ => Value::text(group.example.text(" ")),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let group = &self.groups[row];
        match (column, group.last) {
            (0, _) => Cell::Text(vec![span(Unit::Count.format(group.count as f64), Role::Critical)]),
            (1, _) => Cell::Text(vec![span(&*group.cause, Role::Strong)]),
            (2, Some(last)) => Cell::Text(vec![span(self.scene.zone().clock(last), Role::Dim)]),
            (3, _) => Cell::Text(vec![span(group.example.text("   "), Role::Dim)]),
            _ => plain(self.value(row, column)),
        }
    }

    fn sorted(&self) -> Option<(&'static str, bool)> {
        Some(("count", true))
    }
}
