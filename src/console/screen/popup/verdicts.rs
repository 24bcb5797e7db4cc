//! The verdicts: evidence, cause, next step; which of them somebody has seen.

use ratatui::layout::Rect;

use super::super::{Scene, Spot, Stage, status};
use super::sheet::Sheet;
use crate::base::text;
use crate::base::time::since;
use crate::console::theme::Role;
use crate::console::widget::{Line, span, tidy, wrap};
use crate::model::{Hush, Verdict};

/// Draws the list; the verdict under the cursor with all that it rests on.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, at: usize) {
    let verdicts = &scene.view.verdicts;
    let at = at.min(verdicts.len().saturating_sub(1));
    let mut sheet = Sheet {
        title: "Verdicts",
        note: "a acknowledge  A silence  y copy  esc close",
        width: 104,
        first: 0,
    };
    let room = sheet.room(body);
    let glyphs = stage.canvas.glyphs();
    let mut lines: Vec<Line<'static>> = Vec::new();
    // The rows of each verdict's head, and where the one under the cursor ends.
    let mut heads = Vec::new();
    let mut end = 0;
    for (number, verdict) in verdicts.iter().enumerate() {
        if number > 0 {
            lines.push(Line::new());
        }
        heads.push(lines.len());
        let hush = verdict.hush;
        let (glyph, role) = status::severity(verdict.severity, glyphs);
        let (role, strong) = if hush.is_some() {
            (Role::Dim, Role::Dim)
        } else {
            (role, Role::Strong)
        };
        for (row, text) in wrap(&verdict.text, room.saturating_sub(2), 4).into_iter().enumerate() {
            let head = if row == 0 { format!("{glyph} ") } else { "  ".to_owned() };
            lines.push(vec![span(head, role), span(text, strong)]);
        }
        lines.push(vec![span(format!("  {}", about(scene, verdict, hush)), Role::Dim)]);
        if number == at {
            body_of(verdict, room, &mut lines);
            end = lines.len();
        }
    }
    if verdicts.is_empty() {
        lines.push(vec![
            span(format!("{} ", glyphs.check), Role::Ok),
            span("No rule has fired.", Role::Text),
        ]);
    }
    let visible = usize::from(body.height.saturating_sub(2));
    let head = heads.get(at).copied().unwrap_or(0);
    sheet.first = end.saturating_sub(visible).min(head);
    let inner = sheet.draw(stage, body, &lines);
    let first = stage.hits.popup.as_ref().map_or(0, |popup| popup.first);
    for (number, head) in heads.into_iter().enumerate() {
        let Some(row) = head.checked_sub(first).and_then(|row| u16::try_from(row).ok()) else {
            continue;
        };
        if row >= inner.height {
            continue;
        }
        let place = Rect::new(inner.left() - 2, inner.top() + row, inner.width + 2, 1);
        stage.hits.spots.push((place, Spot::Choice(number)));
        if number == at {
            stage.canvas.fill(place, Role::Selection);
            stage
                .canvas
                .glyph(place.left(), place.top(), glyphs.marker.0, Role::Marker);
        }
    }
}

fn about(scene: &Scene<'_>, verdict: &Verdict, hush: Option<Hush>) -> String {
    let now = scene.view.now.at;
    let lasted = text::duration(std::time::Duration::from_secs(since(verdict.since, now).as_secs()));
    let begun = scene.zone().minute(verdict.since, now);
    let subject = verdict
        .subject
        .as_deref()
        .map_or_else(String::new, |subject| format!(" of {}", tidy(subject, 40)));
    let hush = match hush {
        None => String::new(),
        Some(Hush::Acknowledged { .. }) => "acknowledged   ".to_owned(),
        Some(Hush::Silenced { until }) => {
            format!("silenced, {} left   ", status::whole(since(scene.now.at, until)))
        }
    };
    format!("{hush}{}{subject}, since {begun}, for {lasted}", verdict.id)
}

fn body_of(verdict: &Verdict, room: u16, lines: &mut Vec<Line<'static>>) {
    let mut block = |label: &str, text: &str, role: Role| {
        for (row, text) in wrap(text, room.saturating_sub(8), 8).into_iter().enumerate() {
            let label = if row == 0 { label } else { "" };
            lines.push(vec![span(format!("  {label:<6}"), Role::Dim), span(text, role)]);
        }
    };
    for (number, fact) in verdict.evidence.iter().enumerate() {
        block(if number == 0 { "why" } else { "" }, fact, Role::Text);
    }
    if !verdict.next.is_empty() {
        block("next", &verdict.next, Role::NextStep);
    }
    if let Some(runbook) = &verdict.runbook {
        block("book", runbook, Role::Text);
    }
}

/// A verdict as plain text, to hand over.
#[must_use]
pub fn verdict_text(scene: &Scene<'_>, verdict: &Verdict) -> Vec<String> {
    let word = verdict.severity.word();
    let since = scene.zone().minute(verdict.since, scene.view.now.at);
    let mut rows = vec![format!("{word}: {} (since {since})", tidy(&verdict.text, SENTENCE))];
    let facts = verdict.evidence.iter();
    rows.extend(facts.map(|fact| format!("  why: {}", tidy(fact, SENTENCE))));
    if !verdict.next.is_empty() {
        rows.push(format!("  next: {}", tidy(&verdict.next, SENTENCE)));
    }
    if let Some(runbook) = &verdict.runbook {
        rows.push(format!("  runbook: {}", tidy(runbook, SENTENCE)));
    }
    rows
}

/// Columns of a sentence in a handover at most.
const SENTENCE: usize = 500;
