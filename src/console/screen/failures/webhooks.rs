//! The webhooks that the pipeline sends: one row per webhook and subject.

use std::borrow::Cow;

use super::super::Scene;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::span;
use crate::console::widget::table::{Cell, Column};
use crate::model::field::Field;
use crate::model::{Reading, Webhook};

const COLUMNS: [Column; 16] = [
    Column::name("webhook", 14),
    Column::text("by", 22, 3),
    Column::text("mode", 5, 6),
    Column::number("sent", 9, 0),
    Column::number("failed", 8, 0),
    Column::number("success", 8, 1),
    Column::number("60 s", 8, 2),
    Column::number("mean 60 s", 9, 5),
    Column::number("p50", 8, 8),
    Column::number("p95", 8, 4),
    Column::number("p99", 8, 7),
    Column::number("waiting", 8, 9),
    Column::number("retrying", 8, 10),
    Column::number("oldest due", 10, 11),
    Column::text("last", 9, 12),
    Column::number("mean", 8, 13).hidden(),
];

type Figure = (Field, fn(&Webhook) -> &Reading);

/// The figures, by their columns.
const FIGURES: [(usize, Figure); 12] = [
    (3, (Field::Sent, |row| &row.total)),
    (4, (Field::SendFailed, |row| &row.failed)),
    (5, (Field::SuccessRatio, |row| &row.success_ratio)),
    (6, (Field::RecentSuccess, |row| &row.recent_success_ratio)),
    (7, (Field::RecentLatency, |row| &row.recent_latency_s)),
    (8, (Field::SendP50, |row| &row.latency_p50_s)),
    (9, (Field::SendP95, |row| &row.latency_p95_s)),
    (10, (Field::SendP99, |row| &row.latency_p99_s)),
    (11, (Field::CallsWaiting, |row| &row.waiting)),
    (12, (Field::CallsRetrying, |row| &row.retrying)),
    (13, (Field::CallsOldest, |row| &row.oldest_waiting_s)),
    (15, (Field::SendMean, |row| &row.latency_avg_s)),
];

/// Success below this is drawn as a warning; a verdict says more, and knows the threshold.
const NOTABLE: f64 = 0.95;

/// Every webhook by every way.
pub(super) struct List<'a> {
    scene: Scene<'a>,
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        Self { scene }
    }

    fn row(&self, row: usize) -> &'a Webhook {
        &self.scene.view.webhooks[row]
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.scene.view.webhooks.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        let row = self.row(row);
        match &row.subject {
            Some(subject) => format!("{} nats {subject}", row.name).into(),
            None => format!("{} queue", row.name).into(),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let row = self.row(row);
        if let Some((_, (field, figure))) = FIGURES.iter().find(|(at, _)| *at == column) {
            return Value::Figure(figure(row), *field);
        }
        match column {
            0 => Value::text(&*row.name),
            1 => Value::text(row.subject.as_deref().map_or("queue", |subject| match subject {
                "" => "nats",
                subject => subject,
            })),
            2 => row.mode.as_deref().map_or(Value::Unknown, Value::text),
            _ => row.last_at.map_or(Value::Unknown, Value::At),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        match self.value(row, column) {
            Value::Figure(reading, field) => Cell::Figure(reading, field.unit(), tone(field, reading)),
            Value::At(at) => Cell::Text(vec![span(self.scene.zone().clock(at), Role::Dim)]),
            value if column > 0 => match plain(value) {
                Cell::Text(mut line) => {
                    for part in &mut line {
                        part.role = Role::Dim;
                    }
                    Cell::Text(line)
                }
                cell @ Cell::Figure(..) => cell,
            },
            value => plain(value),
        }
    }
}

/// How a figure stands there.
pub(super) fn tone(field: Field, reading: &Reading) -> Role {
    match (field, reading.value) {
        (Field::SuccessRatio | Field::RecentSuccess, Some(ratio)) if ratio < NOTABLE => Role::Warning,
        (Field::SendFailed, Some(failed)) if failed > 0.0 => Role::Warning,
        (_, Some(0.0)) => Role::Dim,
        _ => Role::Text,
    }
}
