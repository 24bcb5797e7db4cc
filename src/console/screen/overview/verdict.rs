//! What is wrong, why, and what to do: the answer that everything else on the screen supports.

use ratatui::layout::Rect;

use super::super::popup::verdict_text;
use super::super::{PanelId, Scene, Stage, status};
use crate::base::text;
use crate::base::time::since;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};
use crate::model::field::Unit;
use crate::model::{Health, Severity, Verdict};

/// Rows of one verdict at most: the rest is one scroll away, a novel is not.
const LONGEST: usize = 40;

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let verdicts = &scene.view.verdicts;
    let heard = |verdict: &&Verdict| verdict.hush.is_none();
    let worst = verdicts.iter().filter(heard).map(|verdict| verdict.severity).max();
    let hushed = verdicts.len() - verdicts.iter().filter(heard).count();
    let note = match (verdicts.len(), hushed) {
        (0, _) => Line::new(),
        (count, 0) => vec![span(format!("{count} active"), Role::Note)],
        (count, hushed) => vec![span(format!("{count} active, {hushed} known"), Role::Note)],
    };
    let tone = worst
        .filter(|worst| *worst > Severity::Info)
        .map(|worst| status::severity(worst, stage.canvas.glyphs()).1);
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Verdict",
            note,
            tone,
            ..Frame::default()
        },
    );
    let glyphs = stage.canvas.glyphs();
    if verdicts.is_empty() {
        let lines = all_quiet(scene, glyphs, inner.width, inner.height >= 7);
        stage.lines(scene, id, area, inner, &lines);
        return;
    }
    // Air between the parts as long as everything fits with it.
    let airy = lines(scene, glyphs, inner.width, true);
    let lines = if airy.len() <= usize::from(inner.height) {
        airy
    } else {
        lines(scene, glyphs, inner.width, false)
    };
    stage.lines(scene, id, area, inner, &lines);
}

fn lines(scene: &Scene<'_>, glyphs: &Glyphs, width: u16, air: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    // What somebody has acknowledged or silenced comes last, and in one row.
    let known = |verdict: &&Verdict| verdict.hush.is_some();
    let (hushed, open): (Vec<&Verdict>, Vec<&Verdict>) = scene.view.verdicts.iter().partition(known);
    for (number, verdict) in open.iter().enumerate() {
        if air || number > 0 {
            lines.push(Line::new());
        }
        lines.extend(describe(scene, verdict, glyphs, width, air));
    }
    for (number, verdict) in hushed.into_iter().enumerate() {
        if number == 0 && !open.is_empty() {
            lines.push(Line::new());
        }
        let (glyph, _) = status::severity(verdict.severity, glyphs);
        let row = wrap(&verdict.text, width.saturating_sub(9), 1)
            .pop()
            .unwrap_or_default();
        lines.push(vec![span(format!("{glyph} {row}  known"), Role::Dim)]);
    }
    for (panel, reason) in &scene.view.panels_off {
        lines.push(Line::new());
        let head = span(format!("{} ", glyphs.off), Role::Dim);
        let text = format!("{} is not read: {reason}", panel.relation());
        lines.extend(block(&head, &text, Role::Dim, width));
    }
    lines
}

/// One verdict: the sentence, since when, what to do, what it rests on.
fn describe(scene: &Scene<'_>, verdict: &Verdict, glyphs: &Glyphs, width: u16, air: bool) -> Vec<Line<'static>> {
    let (glyph, role) = status::severity(verdict.severity, glyphs);
    let mut lines = block(&span(format!("{glyph} "), role), &verdict.text, Role::Strong, width);
    let lasted = text::duration(std::time::Duration::from_secs(
        since(verdict.since, scene.view.now.at).as_secs(),
    ));
    let begun = scene.zone().minute(verdict.since, scene.view.now.at);
    lines.push(vec![span(format!("  since {begun}, for {lasted}"), Role::Dim)]);
    let next =
        (!verdict.next.is_empty()).then(|| block(&span("  next  ", Role::Dim), &verdict.next, Role::NextStep, width));
    let mut why = Vec::new();
    for (number, fact) in verdict.evidence.iter().enumerate() {
        let head = if number == 0 { "  why   " } else { "        " };
        why.extend(block(&span(head, Role::Dim), fact, Role::Text, width));
    }
    if let Some(runbook) = &verdict.runbook {
        why.extend(block(&span("  book  ", Role::Dim), runbook, Role::Text, width));
    }
    // Where room is short the next step comes before the reasons.
    let parts = if air { [Some(why), next] } else { [next, Some(why)] };
    for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
        if air {
            lines.push(Line::new());
        }
        lines.extend(part);
    }
    lines.truncate(LONGEST);
    lines
}

/// A text wrapped beside a head: its further rows stand under its first.
fn block(head: &crate::console::widget::Span<'static>, text: &str, role: Role, width: u16) -> Vec<Line<'static>> {
    let indent = text::width(&head.text);
    let room = width.saturating_sub(u16::try_from(indent).unwrap_or(width)).max(8);
    wrap(text, room, 8)
        .into_iter()
        .enumerate()
        .map(|(number, row)| {
            let head = if number == 0 {
                head.clone()
            } else {
                span(" ".repeat(indent), Role::Text)
            };
            vec![head, span(row, role)]
        })
        .collect()
}

/// No verdict: what that rests on, and what nobody looks at.
fn all_quiet(scene: &Scene<'_>, glyphs: &Glyphs, width: u16, air: bool) -> Vec<Line<'static>> {
    let sources = &scene.view.sources;
    let answering = sources.iter().filter(|source| source.state == Health::Ok).count();
    let silent: Vec<&str> = sources
        .iter()
        .filter(|source| matches!(source.state, Health::Failing | Health::Stale))
        .map(|source| &*source.id.name)
        .collect();
    let (glyph, role, text) = match (answering, silent.len()) {
        (0, 0) => (glyphs.connecting, Role::Info, "Connecting: nothing is known yet"),
        (0, _) => (glyphs.critical, Role::Critical, "Blind: no source answers"),
        (_, 0) => (glyphs.check, Role::Ok, "Nothing looks wrong"),
        _ => (
            glyphs.warning,
            Role::Warning,
            "Nothing looks wrong in what still answers",
        ),
    };
    let mut lines = if air { vec![Line::new()] } else { Vec::new() };
    lines.extend(block(&span(format!("{glyph} "), role), text, Role::Strong, width));
    if air {
        lines.push(Line::new());
    }
    if answering > 0 {
        let plural = if answering == 1 {
            "source answers"
        } else {
            "sources answer"
        };
        let text = format!("{answering} {plural}, no rule has fired");
        lines.extend(block(&span("  ", Role::Text), &text, Role::Dim, width));
    }
    lines.extend(dead(scene, glyphs, width, air));
    if !silent.is_empty() {
        lines.extend(block(
            &span("  silent: ", Role::Dim),
            &silent.join(", "),
            Role::Warning,
            width,
        ));
    }
    for (panel, reason) in &scene.view.panels_off {
        lines.push(Line::new());
        let text = format!("{} is not read: {reason}", panel.relation());
        lines.extend(block(
            &span(format!("{} ", glyphs.off), Role::Dim),
            &text,
            Role::Dim,
            width,
        ));
    }
    lines
}

/// Letters that wait for a person: no rule fires for them, and they are nobody's good news.
fn dead(scene: &Scene<'_>, glyphs: &Glyphs, width: u16, air: bool) -> Vec<Line<'static>> {
    let flow = &scene.view.flow;
    let Some(dead) = flow.dead.value.filter(|dead| *dead >= 1.0) else {
        return Vec::new();
    };
    let letters = if dead < 2.0 { "letter waits" } else { "letters wait" };
    let pace = flow
        .dead_per_min
        .value
        .filter(|pace| *pace > 0.0)
        .map_or_else(String::new, |pace| {
            format!(", {} more a minute", Unit::Count.format(pace.round().max(1.0)))
        });
    let text = format!("{} dead {letters} for a person{pace}", Unit::Count.format(dead));
    let mut lines = if air { vec![Line::new()] } else { Vec::new() };
    let head = span(format!("{} ", glyphs.critical), Role::Critical);
    lines.extend(block(&head, &text, Role::Text, width));
    lines
}

/// Columns of a sentence in a handover at most.
const SENTENCE: usize = 500;

/// The verdicts as plain text, to hand over to a colleague.
#[must_use]
pub fn summary(scene: &Scene<'_>) -> String {
    let view = scene.view;
    let zone = scene.zone();
    let mut rows = vec![format!(
        "{} at {} {}",
        tidy(&view.profile, SENTENCE),
        zone.clock(view.now.at),
        zone.name
    )];
    if view.verdicts.is_empty() {
        rows.push("no verdict is active".to_owned());
    }
    for verdict in &view.verdicts {
        rows.extend(verdict_text(scene, verdict));
    }
    rows.join("\n") + "\n"
}
