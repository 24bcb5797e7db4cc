//! The table of providers.

use std::borrow::Cow;

use super::super::Scene;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::model::field::Field;
use crate::model::{Provider, Reading, Severity, View};

const COLUMNS: [Column; 6] = [
    Column::name("provider", 10),
    Column::number("received", 9, 0),
    Column::number("errors", 8, 0),
    Column::number("processed", 9, 1),
    Column::number("ack p50", 8, 3),
    Column::number("ack p99", 8, 2),
];

/// Errors from here on are drawn as a warning, as a ratio; a verdict says more.
const NOTABLE: f64 = 0.01;

type Figure = (Field, fn(&Provider) -> &Reading);

const FIGURES: [Figure; 5] = [
    (Field::ReceivedPerS, |provider| &provider.received_per_s),
    (Field::ErrorRatio, |provider| &provider.error_ratio),
    (Field::ProcessedPerS, |provider| &provider.processed_per_s),
    (Field::ResponseP50, |provider| &provider.response_p50_s),
    (Field::ResponseP99, |provider| &provider.response_p99_s),
];

/// Every provider that has sent something.
pub(super) struct List<'a> {
    view: &'a View,
    providers: Vec<&'a Provider>,
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        Self {
            view: scene.view,
            providers: scene
                .view
                .providers
                .iter()
                .filter(|provider| !is_silent_other(provider))
                .collect(),
        }
    }

    fn tone(&self, provider: &Provider) -> Role {
        let about = self
            .view
            .verdicts
            .iter()
            .filter(|verdict| verdict.subject.as_ref() == Some(&provider.name));
        match about.map(|verdict| verdict.severity).max() {
            Some(Severity::Critical) => Role::Critical,
            Some(Severity::Warning) => Role::Warning,
            _ if provider.error_ratio.value.is_some_and(|ratio| ratio >= NOTABLE) => Role::Warning,
            _ => Role::Text,
        }
    }
}

/// Whether it is the name of what has no name, and nothing came under it: no row.
#[must_use]
pub fn is_silent_other(provider: &Provider) -> bool {
    let none = |reading: &Reading| reading.value.is_none_or(|value| value == 0.0);
    matches!(&*provider.name, "other" | "unknown")
        && none(&provider.received_per_s)
        && none(&provider.processed_per_s)
        && none(&provider.error_ratio)
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.providers.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        (&*self.providers[row].name).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let provider = self.providers[row];
        match column.checked_sub(1) {
            None => Value::text(&*provider.name),
            Some(at) => {
                let (field, figure) = FIGURES[at];
                Value::Figure(figure(provider), field)
            }
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let provider = self.providers[row];
        match self.value(row, column) {
            Value::Figure(reading, field @ Field::ErrorRatio) => {
                Cell::Figure(reading, field.unit(), self.tone(provider))
            }
            value => plain(value),
        }
    }
}
