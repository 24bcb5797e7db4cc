//! The table of workers.

use std::borrow::Cow;

use super::super::Scene;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Line, chart, figure, span};
use crate::model::field::{Field, Unit};
use crate::model::{Reading, Worker, WorkerCondition, WorkerState};

/// Columns of the history.
const HISTORY: u16 = 20;

const COLUMNS: [Column; 12] = [
    Column::name("worker", 14),
    Column::text("state", 11, 0),
    Column::number("rate", 9, 0),
    Column::text("last 60 s", HISTORY, 2),
    Column::number("batch", 7, 3),
    Column::number("batch p95", 9, 4),
    Column::number("errors", 8, 1),
    Column::text("breaker", 9, 5),
    Column::number("CPU", 7, 7),
    Column::number("memory", 9, 8),
    Column::number("last seen", 9, 6),
    Column::text("seen by", 24, 9),
];

/// A figure of a worker.
pub(super) type Figure = (Field, fn(&Worker) -> &Reading);

/// The figures.
pub(super) const FIGURES: [Figure; 8] = [
    (Field::WorkerRate, |worker| &worker.rate_per_s),
    (Field::BatchSize, |worker| &worker.batch_size),
    (Field::BatchP95, |worker| &worker.batch_p95_s),
    (Field::ErrorsPerS, |worker| &worker.errors_per_s),
    (Field::Breaker, |worker| &worker.breaker),
    (Field::Cpu, |worker| &worker.cpu),
    (Field::Memory, |worker| &worker.memory),
    (Field::LastSeen, |worker| &worker.last_seen_s),
];

/// Every worker.
pub(super) struct List<'a> {
    workers: &'a [Worker],
    /// One ceiling for all histories, so that their heights can be compared.
    ceiling: f32,
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        let workers = &scene.view.workers;
        let rates = workers.iter().flat_map(|worker| worker.recent.iter().flatten());
        Self {
            workers,
            ceiling: rates.copied().fold(0.0, f32::max),
        }
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.workers.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        (&*self.workers[row].name).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let worker = &self.workers[row];
        let figure = |at: usize| {
            let (field, figure) = FIGURES[at];
            Value::Figure(figure(worker), field)
        };
        match column {
            0 => Value::text(&*worker.name),
            1 => Value::text(worker.condition.word()),
            // By what it looks like: the rate.
            2 | 3 => figure(0),
            4 => figure(1),
            5 => figure(2),
            6 => figure(3),
            7 => figure(4),
            8 => figure(5),
            9 => figure(6),
            10 => figure(7),
            _ => {
                let dispute = if worker.is_disputed() { " disagree" } else { "" };
                Value::Text(format!("{}{dispute}", worker.seen_by.join(", ")).into())
            }
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let worker = &self.workers[row];
        match column {
            1 => {
                let (glyph, role, word) = state(worker, glyphs);
                Cell::Text(vec![span(format!("{glyph} "), role), span(word, role)])
            }
            // Who is not up has no rate of now.
            2..=5 if worker.state != WorkerState::Up => Cell::blank(),
            3 => {
                let history = chart::sparkline(&worker.recent, HISTORY, self.ceiling, &glyphs.levels);
                Cell::Text(vec![span(history, Role::Sparkline)])
            }
            7 => Cell::Text(breaker(&worker.breaker)),
            11 if worker.is_disputed() => Cell::Text(vec![span(
                format!("{} disagree", worker.seen_by.join(", ")),
                Role::Warning,
            )]),
            _ => match self.value(row, column) {
                Value::Figure(reading, field) => Cell::Figure(reading, field.unit(), tone(field, reading)),
                value => plain(value),
            },
        }
    }
}

/// How a figure stands there.
pub(super) fn tone(field: Field, reading: &Reading) -> Role {
    match field {
        Field::ErrorsPerS if reading.value.is_some_and(|rate| rate > 0.0) => Role::Warning,
        _ if reading.value == Some(0.0) => Role::Dim,
        _ => Role::Text,
    }
}

/// The glyph, role and word of a worker's state.
#[must_use]
pub fn state(worker: &Worker, glyphs: &Glyphs) -> (char, Role, &'static str) {
    let (glyph, role) = match worker.state {
        WorkerState::Up => (glyphs.ok, Role::Ok),
        WorkerState::Stale => (glyphs.stale, Role::Warning),
        // Who never started, or said that it would stop, did nothing wrong.
        WorkerState::Down if worker.condition != WorkerCondition::Dead => (glyphs.off, Role::Dim),
        WorkerState::Down => (glyphs.critical, Role::Critical),
    };
    (glyph, role, worker.condition.word())
}

/// The breaker's state as a word: 0 closed, 1 open, 2 half-open.
#[must_use]
pub fn breaker(reading: &Reading) -> Line<'static> {
    let (word, role) = match reading.value {
        None => return figure::figure(reading, Unit::Count, Role::Text),
        Some(value) if value < 0.5 => ("closed", Role::Text),
        Some(value) if value < 1.5 => ("open", Role::Critical),
        Some(_) => ("half-open", Role::Warning),
    };
    vec![span(word, figure::tone(reading, role))]
}
