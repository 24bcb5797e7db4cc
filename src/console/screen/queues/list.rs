//! The table of streams and consumers.

use std::borrow::Cow;

use super::super::Scene;
use super::key;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, add_small, plain};
use crate::console::widget::span;
use crate::console::widget::table::{Cell, Column};
use crate::model::field::Field;
use crate::model::{Queue, QueueState, Reading};

/// The columns that come before the figures, and those after them.
const COLUMNS: [Column; 21] = [
    Column::name("queue", 24),
    Column::text("state", 12, 0),
    Column::number("pending", 9, 0),
    Column::number("ack pending", 11, 2),
    Column::number("oldest", 8, 1),
    Column::number("ingest", 9, 3),
    Column::number("completed", 9, 4),
    Column::number("retries", 8, 6),
    Column::number("empty in", 8, 5),
    Column::number("parked", 6, 7),
    Column::number("limit in", 8, 8),
    Column::number("pulls", 6, 9),
    Column::number("held", 7, 10),
    Column::number("redelivered", 11, 11),
    Column::number("orphaned", 8, 12),
    Column::number("unmatched", 9, 13),
    Column::number("attempts", 9, 14),
    Column::number("messages", 9, 15),
    Column::number("bytes", 9, 16),
    Column::text("leader", 10, 17),
    Column::number("replicas", 8, 18),
];

/// A figure of a queue.
pub(super) type Figure = (Field, fn(&Queue) -> &Reading);

/// The figures, in the order of their columns from the third on.
pub(super) const FIGURES: [Figure; 17] = [
    // A stream without a consumer waits as a whole.
    (Field::Pending, |queue| {
        if queue.consumer.is_none() {
            &queue.messages
        } else {
            &queue.pending
        }
    }),
    (Field::AckPending, |queue| &queue.ack_pending),
    (Field::OldestWaiting, |queue| &queue.oldest_age_s),
    (Field::StoredPerS, |queue| &queue.ingest_per_s),
    (Field::CompletedPerS, |queue| &queue.completed_per_s),
    (Field::RetriesPerS, |queue| &queue.retries_per_s),
    (Field::DrainEta, |queue| &queue.drain_eta_s),
    (Field::Parked, |queue| &queue.parked),
    (Field::LimitEta, |queue| &queue.limit_eta_s),
    (Field::WaitingPulls, |queue| &queue.waiting),
    (Field::OldestHeld, |queue| &queue.oldest_held_s),
    (Field::Redelivered, |queue| &queue.redelivered),
    (Field::Orphaned, |queue| &queue.orphaned),
    (Field::Unmatched, |queue| &queue.unmatched),
    (Field::AttemptsPerS, |queue| &queue.attempts_per_s),
    (Field::Messages, |queue| &queue.messages),
    (Field::StreamBytes, |queue| &queue.bytes),
];

/// The first column that is a figure.
const FIRST: usize = 2;

/// Every queue.
pub(super) struct List<'a> {
    pub(super) scene: Scene<'a>,
}

impl<'a> List<'a> {
    fn queue(&self, row: usize) -> &'a Queue {
        &self.scene.view.queues[row]
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.scene.view.queues.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        key(self.queue(row)).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let queue = self.queue(row);
        match column {
            0 => Value::Text(key(queue).into()),
            1 => Value::text(stands(queue).0),
            19 => queue.leader.as_deref().map_or(Value::Unknown, Value::text),
            20 => Value::Number(f64::from(queue.replicas), crate::model::field::Unit::Count),
            _ => {
                let (field, figure) = FIGURES[column - FIRST];
                Value::Figure(figure(queue), field)
            }
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let queue = self.queue(row);
        match column {
            0 => {
                let mut line = vec![span(&*queue.stream, Role::Text)];
                if let Some(consumer) = &queue.consumer {
                    line.push(span("/", Role::Dim));
                    line.push(span(&**consumer, Role::Strong));
                }
                Cell::Text(line)
            }
            1 => {
                let (word, role) = stands(queue);
                let glyph = glyph(queue.state, glyphs);
                Cell::Text(vec![span(format!("{glyph} "), role), span(word, role)])
            }
            _ => match self.value(row, column) {
                Value::Figure(reading, field) => Cell::Figure(reading, field.unit(), tone(field, reading)),
                value => plain(value),
            },
        }
    }

    // Of a thousand rows at every letter that is typed: without the figures, which are not looked at.
    fn search(&self, row: usize, out: &mut String) {
        let queue = self.queue(row);
        add_small(&queue.stream, out);
        if let Some(consumer) = &queue.consumer {
            out.push('/');
            add_small(consumer, out);
        }
        out.push('\n');
        for text in [Some(stands(queue).0), queue.leader.as_deref()].into_iter().flatten() {
            add_small(text, out);
            out.push('\n');
        }
    }
}

/// How a figure stands there: what should be 0 and is not, is a warning.
pub(super) fn tone(field: Field, reading: &Reading) -> Role {
    let some = reading.value.is_some_and(|value| value > 0.0);
    match field {
        Field::Parked | Field::Orphaned | Field::Unmatched if some => Role::Warning,
        Field::LimitEta if reading.value.is_some_and(|value| value < 1_800.0) => Role::Warning,
        // Nothing is the usual case of most figures: it need not shout.
        _ if reading.value == Some(0.0) => Role::Dim,
        _ => Role::Text,
    }
}

/// A queue's state; a stream of which nobody takes anything has none.
pub(super) fn stands(queue: &Queue) -> (&'static str, Role) {
    match (queue.state, &queue.consumer) {
        (QueueState::Unknown | QueueState::Idle, None) => ("no reader", Role::Dim),
        (state, _) => word(state),
    }
}

/// A state's word and role.
#[must_use]
pub fn word(state: QueueState) -> (&'static str, Role) {
    match state {
        QueueState::Idle => ("idle", Role::Dim),
        QueueState::Draining => ("draining", Role::Ok),
        QueueState::Growing => ("growing", Role::Warning),
        QueueState::Stalled => ("stalled", Role::Critical),
        QueueState::Saturated => ("saturated", Role::Warning),
        QueueState::NoWorkers => ("no workers", Role::Critical),
        QueueState::Paused => ("paused", Role::Warning),
        QueueState::Missing => ("missing", Role::Critical),
        QueueState::Unknown => ("–", Role::Unknown),
    }
}

/// A state's glyph.
pub(super) fn glyph(state: QueueState, glyphs: &Glyphs) -> char {
    match state {
        QueueState::Idle | QueueState::Unknown => glyphs.off,
        QueueState::Draining => glyphs.ok,
        QueueState::Growing | QueueState::Saturated => glyphs.warning,
        QueueState::Stalled | QueueState::NoWorkers | QueueState::Missing => glyphs.critical,
        QueueState::Paused => glyphs.stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    /// The rows as they are, but for their way to be searched.
    struct Plain<'a>(List<'a>);

    impl Rows for Plain<'_> {
        fn columns(&self) -> &'static [Column] {
            self.0.columns()
        }

        fn count(&self) -> usize {
            self.0.count()
        }

        fn key(&self, row: usize) -> Cow<'_, str> {
            self.0.key(row)
        }

        fn value(&self, row: usize, column: usize) -> Value<'_> {
            self.0.value(row, column)
        }
    }

    #[test]
    fn a_filter_finds_what_stands_in_the_cells() {
        for picture in [fixture::rich(), fixture::failing(), fixture::many()] {
            let app = fixture::app(picture, &[]);
            let (rows, plain) = (List { scene: app.scene() }, Plain(List { scene: app.scene() }));
            for row in 0..rows.count() {
                let (mut own, mut of_cells) = (String::new(), String::new());
                rows.search(row, &mut own);
                plain.search(row, &mut of_cells);
                assert_eq!(own, of_cells);
            }
        }
    }
}
