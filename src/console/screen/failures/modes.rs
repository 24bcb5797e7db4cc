//! Queue, NATS and both, side by side.

use std::borrow::Cow;

use super::super::Scene;
use super::webhooks::tone;
use crate::console::glyph::Glyphs;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::model::field::{Field, Unit};
use crate::model::{Reading, WebhookMode};

const COLUMNS: [Column; 9] = [
    Column::name("mode", 14),
    Column::number("webhooks", 8, 4),
    Column::number("by NATS", 9, 0),
    Column::number("NATS ok", 8, 1),
    Column::number("by queue", 9, 0),
    Column::number("queue ok", 8, 2),
    Column::number("waiting", 8, 3),
    Column::number("retrying", 8, 5),
    Column::number("failed", 8, 6),
];

type Figure = (Field, fn(&WebhookMode) -> &Reading);

const FIGURES: [Figure; 7] = [
    (Field::Sent, |mode| &mode.published),
    (Field::SuccessRatio, |mode| &mode.published_ratio),
    (Field::Sent, |mode| &mode.called),
    (Field::SuccessRatio, |mode| &mode.called_ratio),
    (Field::CallsWaiting, |mode| &mode.waiting),
    (Field::CallsRetrying, |mode| &mode.retrying),
    (Field::SendFailed, |mode| &mode.failed),
];

/// One row per publish mode.
pub(super) struct List<'a> {
    modes: &'a [WebhookMode],
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        Self {
            modes: &scene.view.modes,
        }
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.modes.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        (&*self.modes[row].mode).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let mode = &self.modes[row];
        match column {
            0 => Value::text(match &*mode.mode {
                "both" => "both (hybrid)",
                other => other,
            }),
            1 => Value::Number(mode.webhooks as f64, Unit::Count),
            _ => {
                let (field, figure) = FIGURES[column - 2];
                Value::Figure(figure(mode), field)
            }
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        match self.value(row, column) {
            Value::Figure(reading, field) => Cell::Figure(reading, field.unit(), tone(field, reading)),
            value => plain(value),
        }
    }
}
