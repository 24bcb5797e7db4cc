//! One stream and consumer: every figure, their histories, the configuration, subjects, advisories.

use ratatui::layout::{Constraint, Layout, Rect};

use super::super::events::line;
use super::super::history::{self, History};
use super::super::{PanelId, Scene, Stage};
use super::{find, key, list, plain};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, figure, span, tidy, wrap};
use crate::model::field::{Field, show};
use crate::model::{EventKind, Queue};

/// The figures.
pub(super) const FIGURES: PanelId = PanelId("queue.figures");
const CONFIGURATION: PanelId = PanelId("queue.configuration");
const SUBJECTS: PanelId = PanelId("queue.subjects");
const ADVISORIES: PanelId = PanelId("queue.advisories");

/// What is charted, and in which panel.
pub(super) const CHARTS: [(Field, PanelId); 4] = [
    (Field::Pending, PanelId("queue.pending")),
    (Field::StoredPerS, PanelId("queue.ingest")),
    (Field::CompletedPerS, PanelId("queue.completed")),
    (Field::OldestWaiting, PanelId("queue.oldest")),
];

/// The history that a panel of the list shows: the row's key and which of [`CHARTS`].
pub(super) fn history_of(scene: &Scene<'_>, panel: PanelId) -> Option<(String, usize)> {
    let at = CHARTS.iter().position(|(_, known)| *known == panel)?;
    Some((scene.row(super::LIST)?, at))
}

/// Hands one of the histories of a row to `draw`, named.
pub(super) fn history(scene: &Scene<'_>, row: &str, at: usize, draw: impl FnOnce(History<'_>)) {
    let Some(queue) = find(scene, row) else { return };
    let (field, id) = CHARTS[at];
    let current = list::FIGURES.iter().find(|(known, _)| *known == field);
    draw(History {
        id,
        field,
        subject: Some(row),
        named: true,
        current: current.map(|(_, figure)| figure(queue)),
    });
}

/// Draws it in place of the screen.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, row: &str) {
    let Some(queue) = find(scene, row) else {
        let frame = Frame {
            title: "Queue",
            ..Frame::default()
        };
        let inner = stage.panel(scene, FIGURES, area, frame);
        stage.hint(inner, &format!("{} is not there any more.", tidy(row, 60)));
        return;
    };
    let panels = [FIGURES, CONFIGURATION, SUBJECTS, ADVISORIES].into_iter();
    let zoomed = panels
        .chain(CHARTS.map(|(_, panel)| panel))
        .find(|panel| scene.ui.zoomed() == Some(*panel));
    if let Some(panel) = zoomed {
        panel_of(scene, stage, area, panel, queue);
        return;
    }
    let wide = area.width >= 110;
    let left = if wide { 38 } else { area.width * 2 / 5 };
    let [figures, right] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    let tall = area.height >= 30;
    let [charts, below] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(right);
    panel_of(scene, stage, figures, FIGURES, queue);
    let count = if tall { 4 } else { 2 };
    let across = if wide { 2 } else { 1 };
    let down = if wide { count / 2 } else { count.min(2) };
    let rows = Layout::vertical(vec![Constraint::Fill(1); down]).split(charts);
    let mut charted = CHARTS.iter();
    for row in rows.iter() {
        let places = Layout::horizontal(vec![Constraint::Fill(1); across]).split(*row);
        for place in places.iter() {
            if let Some((_, panel)) = charted.next() {
                panel_of(scene, stage, *place, *panel, queue);
            }
        }
    }
    if wide && tall {
        let [configuration, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(below);
        let [subjects, advisories] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(side);
        panel_of(scene, stage, configuration, CONFIGURATION, queue);
        panel_of(scene, stage, subjects, SUBJECTS, queue);
        panel_of(scene, stage, advisories, ADVISORIES, queue);
    } else {
        panel_of(scene, stage, below, CONFIGURATION, queue);
    }
}

fn panel_of(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId, queue: &Queue) {
    if panel == FIGURES {
        figures(scene, stage, area, queue);
    } else if panel == CONFIGURATION {
        configuration(scene, stage, area, queue);
    } else if panel == SUBJECTS {
        subjects(scene, stage, area, queue);
    } else if panel == ADVISORIES {
        advisories(scene, stage, area, queue);
    } else if let Some((field, _)) = CHARTS.iter().find(|(_, known)| *known == panel) {
        let current = list::FIGURES.iter().find(|(known, _)| known == field);
        let reading = current.map(|(_, figure)| figure(queue));
        let history = History {
            id: panel,
            field: *field,
            subject: Some(&key(queue)),
            named: false,
            current: reading,
        };
        history::draw(scene, stage, area, &history);
    }
}

fn figures(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, queue: &Queue) {
    let title = tidy(&key(queue), usize::from(area.width.saturating_sub(8))).into_owned();
    let frame = Frame {
        title: &title,
        ..Frame::default()
    };
    let inner = stage.panel(scene, FIGURES, area, frame);
    let (word, role) = list::stands(queue);
    let glyph = list::glyph(queue.state, stage.canvas.glyphs());
    let label = |text: &str| span(format!("{text:<16}"), Role::Dim);
    let mut lines: Vec<Line<'_>> = vec![vec![label("state"), span(format!("{glyph} {word}"), role)]];
    for (field, figure) in list::FIGURES {
        if queue.consumer.is_none() && field == Field::Pending {
            continue;
        }
        let reading = figure(queue);
        let mut line = vec![label(field.label())];
        line.extend(figure::figure(reading, field.unit(), list::tone(field, reading)));
        lines.push(line);
    }
    let leader = queue.leader.as_deref().unwrap_or("–");
    lines.push(vec![label("leader"), span(tidy(leader, 40).into_owned(), Role::Text)]);
    lines.push(vec![label("replicas"), span(queue.replicas.to_string(), Role::Text)]);
    stage.lines(scene, FIGURES, area, inner, &lines);
}

fn configuration(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, queue: &Queue) {
    let frame = Frame {
        title: "Configuration",
        ..Frame::default()
    };
    let inner = stage.panel(scene, CONFIGURATION, area, frame);
    let room = inner.width.saturating_sub(18).max(10);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (what, text, role) in plain::facts(queue) {
        for (number, row) in wrap(&text, room, 4).into_iter().enumerate() {
            let what = if number == 0 { what } else { "" };
            lines.push(vec![span(format!("{what:<18}"), Role::Dim), span(row, role)]);
        }
    }
    stage.lines(scene, CONFIGURATION, area, inner, &lines);
}

fn subjects(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, queue: &Queue) {
    let counted = scene.view.subjects.get(&queue.stream);
    let note = counted.map_or_else(Line::new, |reading| match reading.left_out {
        (0, _) => Line::new(),
        (more, messages) => {
            let text = format!("{} more with {}", text::count(more), text::count(messages));
            vec![span(text, Role::Warning)]
        }
    });
    let frame = Frame {
        title: "Subjects",
        note,
        ..Frame::default()
    };
    let inner = stage.panel(scene, SUBJECTS, area, frame);
    let Some(reading) = counted.filter(|reading| !reading.counts.is_empty()) else {
        let hint = if counted.is_some() {
            "The stream is empty."
        } else {
            "Being counted."
        };
        stage.hint(inner, hint);
        return;
    };
    let lines: Vec<Line<'_>> = reading
        .counts
        .iter()
        .map(|(subject, count)| {
            vec![
                span(format!("{:>9}  ", text::count(*count)), Role::Text),
                span(&**subject, Role::Dim),
            ]
        })
        .collect();
    stage.lines(scene, SUBJECTS, area, inner, &lines);
}

fn advisories(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, queue: &Queue) {
    let frame = Frame {
        title: "Advisories",
        ..Frame::default()
    };
    let inner = stage.panel(scene, ADVISORIES, area, frame);
    let glyphs = stage.canvas.glyphs();
    let about = |text: &str| text.contains(&*queue.stream);
    let lines: Vec<Line<'_>> = scene
        .view
        .events
        .iter()
        .rev()
        .filter(|event| event.kind == EventKind::Advisory && (about(&event.text) || about(&event.detail)))
        .map(|event| line::line(scene, event, glyphs))
        .collect();
    if lines.is_empty() {
        stage.hint(inner, "None about this stream since the start.");
        return;
    }
    stage.lines(scene, ADVISORIES, area, inner, &lines);
}

/// The queue as plain text, to hand over.
pub(super) fn summary(scene: &Scene<'_>, queue: &Queue) -> String {
    let zone = scene.zone();
    let mut rows = vec![format!(
        "{} of {} at {} {}: {}",
        tidy(&key(queue), 200),
        tidy(&scene.view.profile, 100),
        zone.clock(scene.view.now.at),
        zone.name,
        list::stands(queue).0
    )];
    for (field, figure) in list::FIGURES {
        rows.push(format!("  {:<16}{}", field.label(), show(figure(queue), field.unit())));
    }
    for (what, text, _) in plain::facts(queue) {
        rows.push(format!("  {what:<16}{}", tidy(&text, 200)));
    }
    rows.join("\n") + "\n"
}
