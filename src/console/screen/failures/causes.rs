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
use crate::model::{Event, EventKind, Severity};

const COLUMNS: [Column; 4] = [
    Column::number("count", 7, 0),
    Column::name("cause", 24),
    Column::text("last", 9, 1),
    Column::text("latest example", 44, 2),
];

struct Group<'a> {
    cause: String,
    count: u64,
    last: Timestamp,
    example: &'a Event,
}

/// Groups of events that tell of something that failed.
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
                cause,
                count: 0,
                last: event.at,
                example: event,
            });
            group.count = group.count.saturating_add(event.count);
            if event.at >= group.last {
                (group.last, group.example) = (event.at, event);
            }
        }
        Self {
            scene,
            groups: groups.into_values().collect(),
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
        let example = self.groups[row].example;
        format!("{} {}", example.at, example.text).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let group = &self.groups[row];
        match column {
            0 => Value::Number(group.count as f64, Unit::Count),
            1 => Value::text(group.cause.as_str()),
            2 => Value::At(group.last),
            _ => Value::text(format!("{} {}", group.example.text, group.example.detail)),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let group = &self.groups[row];
        match column {
            0 => Cell::Text(vec![span(Unit::Count.format(group.count as f64), Role::Critical)]),
            1 => Cell::Text(vec![span(group.cause.as_str(), Role::Strong)]),
            2 => Cell::Text(vec![span(self.scene.zone().clock(group.last), Role::Dim)]),
            3 => {
                let text = [group.example.text.as_str(), group.example.detail.as_str()].join("   ");
                Cell::Text(vec![span(text, Role::Dim)])
            }
            _ => plain(self.value(row, column)),
        }
    }

    fn sorted(&self) -> Option<(&'static str, bool)> {
        Some(("count", true))
    }
}
