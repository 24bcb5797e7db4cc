//! Health endpoints: a row each, and one for each of its checks.

use std::borrow::Cow;

use super::super::Scene;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::span;
use crate::console::widget::table::{Cell, Column};
use crate::model::ProbeView;
use crate::model::field::Field;
use crate::sample::{ProbeCheck, ProbeState};

const COLUMNS: [Column; 6] = [
    Column::text("probe", 20, 0),
    Column::text("state", 12, 0),
    Column::number("HTTP", 5, 3),
    Column::number("answer", 8, 1),
    Column::text("version", 10, 4),
    Column::name("says", 24),
];

/// The rows of all probes.
pub(super) struct List<'a> {
    rows: Vec<(&'a ProbeView, Option<&'a ProbeCheck>)>,
}

impl<'a> List<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Self {
        let rows = scene.view.probes.iter().flat_map(|probe| {
            let checks = probe.checks.iter().map(move |check| (probe, Some(check)));
            std::iter::once((probe, None)).chain(checks)
        });
        Self { rows: rows.collect() }
    }

    fn says(&self, row: usize) -> Cow<'a, str> {
        let (probe, check) = self.rows[row];
        match (check, &probe.error) {
            (Some(check), _) => check.detail.as_str().into(),
            (None, Some(error)) => error.as_str().into(),
            (None, None) => {
                let bad = probe
                    .checks
                    .iter()
                    .filter(|check| check.state > Some(ProbeState::Healthy));
                let bad: Vec<&str> = bad.map(|check| &*check.name).collect();
                let service = probe.service.as_deref().unwrap_or_default();
                let told = match (bad.is_empty(), probe.checks.len()) {
                    (true, 0) => String::new(),
                    (true, count) => format!("{count} checks, none of them bad"),
                    (false, _) => format!("bad: {}", bad.join(", ")),
                };
                let more = match probe.left_out {
                    0 => String::new(),
                    more => format!(", {more} checks left out"),
                };
                let gap = if service.is_empty() || told.is_empty() {
                    ""
                } else {
                    "   "
                };
                format!("{service}{gap}{told}{more}").into()
            }
        }
    }

    /// The state of a row, and the word for it.
    fn state(&self, row: usize) -> (Option<ProbeState>, &'static str) {
        let (probe, check) = self.rows[row];
        let state = check.map_or(probe.state, |check| check.state);
        let word = match state {
            Some(ProbeState::Healthy) => "healthy",
            Some(ProbeState::Degraded) => "degraded",
            Some(ProbeState::Unhealthy) => "unhealthy",
            None if check.is_none() && probe.error.is_some() => "no answer",
            None => "not told",
        };
        (state, word)
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.rows.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        let (probe, check) = self.rows[row];
        match check {
            Some(check) => format!("{} {}", probe.name, check.name).into(),
            None => (&*probe.name).into(),
        }
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let (probe, check) = self.rows[row];
        match (column, check) {
            (0, Some(check)) => Value::text(format!("  {}", check.name)),
            (0, None) => Value::text(&*probe.name),
            (1, _) => Value::text(self.state(row).1),
            (2, None) => probe
                .status
                .map_or(Value::Unknown, |status| Value::text(status.to_string())),
            (3, None) => Value::Figure(&probe.response_s, Field::ProbeAnswer),
            (4, None) => probe.version.as_deref().map_or(Value::Unknown, Value::text),
            (5, _) => Value::Text(self.says(row)),
            _ => Value::text(""),
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        match column {
            1 => {
                let (state, word) = self.state(row);
                let (glyph, role) = match state {
                    Some(ProbeState::Healthy) => (glyphs.ok, Role::Ok),
                    Some(ProbeState::Degraded) => (glyphs.warning, Role::Warning),
                    Some(ProbeState::Unhealthy) => (glyphs.critical, Role::Critical),
                    None if word == "no answer" => (glyphs.critical, Role::Critical),
                    None => (glyphs.off, Role::Dim),
                };
                Cell::Text(vec![span(format!("{glyph} "), role), span(word, role)])
            }
            5 => Cell::Text(vec![span(self.says(row), Role::Dim)]),
            _ => plain(self.value(row, column)),
        }
    }
}
