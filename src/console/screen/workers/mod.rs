//! The third screen: one row per worker, with what each source says of it.

mod detail;
mod list;
mod probes;

pub use list::{breaker, state};

use std::sync::Arc;

use ratatui::layout::{Constraint, Layout, Rect};

use super::{Opening, Page, PanelId, Scene, Stage, history};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::grid::Rows;
use crate::console::widget::{Frame, Line, span};
use crate::model::field::Field;
use crate::model::{Reading, SeriesKey, Worker, WorkerState};
use crate::sample::SourceKind;

/// The table.
pub(super) const LIST: PanelId = PanelId("workers.list");

/// Health endpoints.
const PROBES: PanelId = PanelId("workers.probes");

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct Workers;

impl Page for Workers {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let frame = Frame {
            title: "Workers",
            note: counts(&scene.view.workers),
            ..Frame::default()
        };
        let hint = super::absence(
            scene,
            SourceKind::Metrics,
            "Not watched: --metrics URL of each worker shows who works; --postgres URL shows their heartbeats.",
            "No worker has been seen yet.",
        );
        let zoomed = scene.ui.zoomed().and_then(|panel| detail::history_of(scene, panel));
        if let Some((key, at)) = zoomed {
            detail::history(scene, &key, at, |history| history::draw(scene, stage, area, &history));
            return;
        }
        let zoomed = scene.ui.zoomed();
        let area = match probes_height(scene, area) {
            _ if zoomed == Some(PROBES) => {
                draw_probes(scene, stage, area);
                return;
            }
            0 => area,
            _ if zoomed.is_some() => area,
            height => {
                let [rest, probes] = Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(area);
                draw_probes(scene, stage, probes);
                rest
            }
        };
        // Without a row there is nothing to chart, and its room would stay empty.
        let (table, below) = if scene.ui.zoomed().is_some() || scene.row(LIST).is_none() {
            (area, None)
        } else {
            history::beneath(area, scene.view.workers.len())
        };
        stage.grid(scene, LIST, table, frame, &list::List::new(*scene), &hint);
        if let (Some(below), Some(key)) = (below, scene.row(LIST)) {
            let across = usize::from((below.width / 48).max(1)).min(detail::CHARTS.len());
            let places = Layout::horizontal(vec![Constraint::Fill(1); across]).split(below);
            for (at, place) in places.iter().enumerate() {
                detail::history(scene, &key, at, |history| history::draw(scene, stage, *place, &history));
            }
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(LIST)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[LIST, PROBES]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        match panel {
            LIST => Some(Box::new(list::List::new(scene))),
            PROBES => Some(Box::new(probes::List::new(scene))),
            _ => None,
        }
    }

    fn open(&self, _: &Scene<'_>, panel: PanelId, _: Option<&str>) -> Opening {
        if panel == LIST {
            Opening::Detail
        } else {
            Opening::Nothing
        }
    }

    fn detail(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
        detail::draw(scene, stage, area, key);
    }

    fn detail_home(&self) -> Option<PanelId> {
        Some(detail::FIGURES)
    }

    fn charted(&self, scene: &Scene<'_>) -> Vec<SeriesKey> {
        let Some(detail) = scene.ui.detail() else {
            return Vec::new();
        };
        let subject: Arc<str> = detail.key.as_str().into();
        let charted = detail::CHARTS.iter().map(|(field, _)| *field);
        charted.map(|field| SeriesKey::about(field, subject.clone())).collect()
    }

    fn figures<'a>(&self, scene: Scene<'a>, _: PanelId) -> Vec<(Field, &'a Reading)> {
        let Some(worker) = scene.ui.detail().and_then(|detail| find(&scene, &detail.key)) else {
            return Vec::new();
        };
        list::FIGURES
            .iter()
            .map(|(field, figure)| (*field, figure(worker)))
            .collect()
    }

    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        let detail = scene.ui.detail()?;
        Some(detail::summary(scene, find(scene, &detail.key)?))
    }
}

/// Rows that the probes' panel needs: all of them, or a third of the screen.
fn probes_height(scene: &Scene<'_>, area: Rect) -> u16 {
    let rows: usize = scene.view.probes.iter().map(|probe| probe.checks.len() + 1).sum();
    match rows {
        0 => 0,
        rows => u16::try_from(rows + 3).unwrap_or(u16::MAX).min(area.height / 3).max(5),
    }
}

fn draw_probes(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let frame = Frame {
        title: "Health probes",
        ..Frame::default()
    };
    stage.grid(scene, PROBES, area, frame, &probes::List::new(*scene), "");
}

/// The worker of a row's key.
pub(super) fn find<'a>(scene: &Scene<'a>, key: &str) -> Option<&'a Worker> {
    scene.view.workers.iter().find(|worker| &*worker.name == key)
}

/// `4 up`, `3 up, 1 down`.
#[must_use]
pub fn counts(workers: &[Worker]) -> Line<'static> {
    let mut line = Line::new();
    for (state, word, role) in [
        (WorkerState::Up, "up", Role::Note),
        (WorkerState::Stale, "stale", Role::Warning),
        (WorkerState::Down, "down", Role::Critical),
    ] {
        let count = workers.iter().filter(|worker| worker.state == state).count();
        if count > 0 {
            if !line.is_empty() {
                line.push(span(", ", Role::Note));
            }
            line.push(span(format!("{} {word}", text::count(count as u64)), role));
        }
    }
    line
}
