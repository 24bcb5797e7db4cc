//! Who works, how fast, and who does not.

use std::time::Duration;

use ratatui::layout::Rect;

use super::super::workers::{breaker, counts, state};
use super::super::{PanelId, Scene, Stage, status};
use super::{absence, staleness};
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::table::{self, Cell, Column};
use crate::console::widget::{Frame, chart, figure, span};
use crate::model::field::Unit;
use crate::model::{Worker, WorkerState};
use crate::sample::SourceKind;

/// Columns of the history.
const HISTORY: u16 = 10;

const COLUMNS: [Column; 9] = [
    Column::name("worker", 10),
    Column::number("rate", 8, 0),
    Column::text("last 60 s", HISTORY, 1),
    Column::number("batch", 5, 2),
    Column::number("p95", 7, 3),
    Column::number("errors", 6, 4),
    Column::number("breaker", 9, 7),
    Column::number("CPU", 6, 5),
    Column::number("memory", 9, 6),
];

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let workers = &scene.view.workers;
    let note = staleness(scene, workers.iter().map(|worker| &worker.rate_per_s)).unwrap_or_else(|| counts(workers));
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Workers",
            note,
            ..Frame::default()
        },
    );
    if workers.is_empty() {
        let text = absence(
            scene,
            SourceKind::Metrics,
            "Not watched: --metrics URL of each worker shows who works.",
            "No worker has been seen yet.",
        );
        stage.hint(inner, &text);
        return;
    }
    if area.height < 3 {
        draw_flat(scene, stage, inner);
        return;
    }
    let visible = usize::from(inner.height.saturating_sub(1));
    let offset = stage.scroll(scene, id, area, workers.len(), visible);
    let glyphs = stage.canvas.glyphs();
    // One ceiling for all that are on screen, so that their heights can be compared.
    let shown = workers.iter().skip(offset).take(visible);
    let ceiling = shown
        .flat_map(|worker| worker.recent.iter().flatten())
        .copied()
        .fold(0.0, f32::max);
    table::draw(
        &mut stage.canvas,
        inner,
        &COLUMNS,
        workers.len(),
        offset,
        |row, column| cell(&workers[row], column, ceiling, glyphs),
    );
}

fn cell<'a>(worker: &'a Worker, column: usize, ceiling: f32, glyphs: &Glyphs) -> Cell<'a> {
    let (glyph, role, word) = state(worker, glyphs);
    match (column, worker.state) {
        (0, _) => Cell::Text(vec![span(format!("{glyph} "), role), span(&*worker.name, Role::Text)]),
        // Who is not up has no figures of now: the word, and since when.
        (1, WorkerState::Stale | WorkerState::Down) => Cell::Text(vec![span(word, role)]),
        (2, WorkerState::Stale | WorkerState::Down) => match worker.last_seen_s.value {
            Some(seconds) => {
                let age = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                Cell::Text(vec![span(format!("for {}", status::whole(age)), role)])
            }
            None => Cell::blank(),
        },
        (_, WorkerState::Stale | WorkerState::Down) => Cell::blank(),
        (1, _) => Cell::Figure(&worker.rate_per_s, Unit::PerSecond, Role::Text),
        (2, _) => {
            let history = chart::sparkline(&worker.recent, HISTORY, ceiling, &glyphs.levels);
            Cell::Text(vec![span(history, Role::Sparkline)])
        }
        (3, _) => Cell::Figure(&worker.batch_size, Unit::Count, Role::Text),
        (4, _) => Cell::Figure(&worker.batch_p95_s, Unit::Seconds, Role::Text),
        (5, _) => {
            let failing = worker.errors_per_s.value.is_some_and(|rate| rate > 0.0);
            Cell::Figure(
                &worker.errors_per_s,
                Unit::PerSecond,
                if failing { Role::Warning } else { Role::Text },
            )
        }
        (6, _) => Cell::Text(breaker(&worker.breaker)),
        (7, _) => Cell::Figure(&worker.cpu, Unit::Ratio, Role::Text),
        _ => Cell::Figure(&worker.memory, Unit::Bytes, Role::Text),
    }
}

/// Everyone in one row: the counts, then the rates.
fn draw_flat(scene: &Scene<'_>, stage: &mut Stage<'_>, inner: Rect) {
    let glyphs = stage.canvas.glyphs();
    let mut line = counts(&scene.view.workers);
    for worker in &scene.view.workers {
        let (glyph, role, _) = state(worker, glyphs);
        line.push(span(format!("   {glyph} "), role));
        line.push(span(&*worker.name, Role::Text));
        line.push(span(" ", Role::Text));
        line.extend(figure::short(&worker.rate_per_s, Unit::PerSecond, Role::Dim));
    }
    stage.canvas.line(inner.left(), inner.top(), inner.width, &line);
}
