//! One worker: its figures, their histories, what each source says, what is wrong.

use ratatui::layout::{Constraint, Layout, Rect};

use super::super::history::{self, History};
use super::super::{PanelId, Scene, Stage, status};
use super::{find, list};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, figure, span, tidy, wrap};
use crate::model::Worker;
use crate::model::field::{Field, show};
use crate::sample::SourceKind;

/// The figures.
pub(super) const FIGURES: PanelId = PanelId("worker.figures");
const SOURCES: PanelId = PanelId("worker.sources");

/// What is charted, and in which panel.
pub(super) const CHARTS: [(Field, PanelId); 4] = [
    (Field::WorkerRate, PanelId("worker.rate")),
    (Field::BatchP95, PanelId("worker.batch")),
    (Field::ErrorsPerS, PanelId("worker.errors")),
    (Field::Memory, PanelId("worker.memory")),
];

/// The history that a panel of the list shows: the row's key and which of [`CHARTS`].
pub(super) fn history_of(scene: &Scene<'_>, panel: PanelId) -> Option<(String, usize)> {
    let at = CHARTS.iter().position(|(_, known)| *known == panel)?;
    Some((scene.row(super::LIST)?, at))
}

/// Hands one of the histories of a row to `draw`, named.
pub(super) fn history(scene: &Scene<'_>, row: &str, at: usize, draw: impl FnOnce(History<'_>)) {
    let Some(worker) = find(scene, row) else { return };
    let (field, id) = CHARTS[at];
    let current = list::FIGURES.iter().find(|(known, _)| *known == field);
    draw(History {
        id,
        field,
        subject: Some(row),
        named: true,
        current: current.map(|(_, figure)| figure(worker)),
    });
}

/// Draws it in place of the screen.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, row: &str) {
    let Some(worker) = find(scene, row) else {
        let frame = Frame {
            title: "Worker",
            ..Frame::default()
        };
        let inner = stage.panel(scene, FIGURES, area, frame);
        stage.hint(inner, &format!("No source knows {} any more.", tidy(row, 60)));
        return;
    };
    let panels = [FIGURES, SOURCES].into_iter().chain(CHARTS.map(|(_, panel)| panel));
    if let Some(panel) = panels.into_iter().find(|panel| scene.ui.zoomed() == Some(*panel)) {
        panel_of(scene, stage, area, panel, worker);
        return;
    }
    let left = if area.width >= 110 { 40 } else { area.width * 2 / 5 };
    let [side, charts] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    let [figures, sources] = Layout::vertical([Constraint::Length(14), Constraint::Fill(1)]).areas(side);
    panel_of(scene, stage, figures, FIGURES, worker);
    panel_of(scene, stage, sources, SOURCES, worker);
    let down = usize::from((charts.height / 8).clamp(1, 2));
    let across = if charts.width >= 76 { 2 } else { 1 };
    let rows = Layout::vertical(vec![Constraint::Fill(1); down]).split(charts);
    let mut charted = CHARTS.iter();
    for row in rows.iter() {
        let places = Layout::horizontal(vec![Constraint::Fill(1); across]).split(*row);
        for place in places.iter() {
            if let Some((_, panel)) = charted.next() {
                panel_of(scene, stage, *place, *panel, worker);
            }
        }
    }
}

fn panel_of(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId, worker: &Worker) {
    if panel == FIGURES {
        figures(scene, stage, area, worker);
    } else if panel == SOURCES {
        sources(scene, stage, area, worker);
    } else if let Some((field, _)) = CHARTS.iter().find(|(_, known)| *known == panel) {
        let current = list::FIGURES.iter().find(|(known, _)| known == field);
        let reading = current.map(|(_, figure)| figure(worker));
        let history = History {
            id: panel,
            field: *field,
            subject: Some(&worker.name),
            named: false,
            current: reading,
        };
        history::draw(scene, stage, area, &history);
    }
}

fn figures(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, worker: &Worker) {
    let title = tidy(&worker.name, usize::from(area.width.saturating_sub(8))).into_owned();
    let frame = Frame {
        title: &title,
        ..Frame::default()
    };
    let inner = stage.panel(scene, FIGURES, area, frame);
    let (glyph, role, word) = list::state(worker, stage.canvas.glyphs());
    let label = |text: &str| span(format!("{text:<14}"), Role::Dim);
    let mut lines: Vec<Line<'_>> = vec![vec![label("state"), span(format!("{glyph} {word}"), role)]];
    for (field, figure) in list::FIGURES {
        let reading = figure(worker);
        let mut line = vec![label(field.label())];
        line.extend(match field {
            Field::Breaker => list::breaker(reading),
            _ => figure::figure(reading, field.unit(), list::tone(field, reading)),
        });
        lines.push(line);
    }
    lines.push(vec![label("seen by"), span(worker.seen_by.join(", "), Role::Text)]);
    stage.lines(scene, FIGURES, area, inner, &lines);
}

/// What each source says, and what is wrong.
fn sources(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, worker: &Worker) {
    let frame = Frame {
        title: "Sources",
        ..Frame::default()
    };
    let inner = stage.panel(scene, SOURCES, area, frame);
    let glyphs = stage.canvas.glyphs();
    let room = inner.width.saturating_sub(2).max(8);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut say = |glyph: char, role: Role, text: &str| {
        for (number, row) in wrap(text, room, 5).into_iter().enumerate() {
            let head = if number == 0 {
                format!("{glyph} ")
            } else {
                "  ".to_owned()
            };
            lines.push(vec![span(head, role), span(row, Role::Text)]);
        }
    };
    for (kind, name) in [
        (SourceKind::Metrics, "metrics"),
        (SourceKind::Postgres, "postgres"),
        (SourceKind::Jetstream, "nats"),
    ] {
        let mut told = worker
            .accounts
            .iter()
            .filter(|account| &*account.source == name)
            .peekable();
        if told.peek().is_some() {
            for account in told {
                let (glyph, role) = match account.up {
                    Some(true) => (glyphs.ok, Role::Ok),
                    Some(false) => (glyphs.critical, Role::Critical),
                    None => (glyphs.stale, Role::Warning),
                };
                say(glyph, role, &format!("{name}: {}", account.text));
            }
            continue;
        }
        let sees = worker.seen_by.iter().any(|by| &**by == name);
        let watched = scene.view.sources.iter().any(|source| source.id.kind == kind);
        // NATS knows connections only where a monitoring URL is given.
        let others = scene
            .view
            .workers
            .iter()
            .any(|other| other.seen_by.iter().any(|by| &**by == name));
        match (sees, watched && others) {
            (true, _) => say(glyphs.ok, Role::Ok, &format!("{name} sees it")),
            (false, true) => say(
                glyphs.warning,
                Role::Warning,
                &format!("{name} does not know it, though it knows others"),
            ),
            (false, false) => say(glyphs.off, Role::Dim, &format!("{name} tells nothing about workers")),
        }
    }
    if worker.is_disputed() {
        say(
            glyphs.warning,
            Role::Warning,
            "these disagree: one says that it runs, another that it does not",
        );
    }
    let own = scene.view.sources.iter().filter(|source| source.id.name == worker.name);
    for source in own {
        let (glyph, role, word) = status::health(source.state, glyphs);
        let latency = source
            .latency
            .map_or_else(String::new, |latency| format!(" in {}", text::duration(latency)));
        say(glyph, role, &format!("its endpoint: {word}{latency}"));
        if let Some(error) = &source.error {
            say(glyphs.critical, Role::Critical, error);
        }
    }
    for verdict in &scene.view.verdicts {
        if verdict.subject.as_ref() == Some(&worker.name) {
            let (glyph, role) = status::severity(verdict.severity, glyphs);
            say(glyph, role, &verdict.text);
        }
    }
    stage.lines(scene, SOURCES, area, inner, &lines);
}

/// The worker as plain text, to hand over.
pub(super) fn summary(scene: &Scene<'_>, worker: &Worker) -> String {
    let zone = scene.zone();
    let mut rows = vec![format!(
        "worker {} of {} at {} {}, seen by {}",
        tidy(&worker.name, 200),
        tidy(&scene.view.profile, 100),
        zone.clock(scene.view.now.at),
        zone.name,
        worker.seen_by.join(", ")
    )];
    for (field, figure) in list::FIGURES {
        rows.push(format!("  {:<14}{}", field.label(), show(figure(worker), field.unit())));
    }
    rows.join("\n") + "\n"
}
