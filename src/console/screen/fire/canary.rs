//! The canary: whether it flies, how often it got through, how long that took.

use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{CANARY, shown};
use super::timeline;
use crate::act::trace::{Percentiles, Stage as Station};
use crate::base::text;
use crate::console::bench::Canary;
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, figure, span, tidy, wrap};

/// Columns of a label and of a number.
const CELL: (usize, usize) = (12, 7);

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let glyphs = stage.canvas.glyphs();
    let canary = scene.bench.canary();
    let note = canary.map_or_else(Line::new, |canary| standing(canary, glyphs));
    let frame = Frame {
        title: "Canary",
        note: note.clone(),
        ..Frame::default()
    };
    let inner = stage.panel(scene, CANARY, area, frame);
    let Some(canary) = canary else {
        let key = scene.key(Command::Canary);
        if inner.height < 2 {
            stage.canvas.put(
                inner.left(),
                inner.top(),
                inner.width,
                &format!("off: {key} fires this template every 30 s"),
                Role::Dim,
            );
        } else {
            let hint = format!(
                "{key} fires this template every 30 s and follows it. When one does not get through, that is a verdict."
            );
            stage.hint(inner, &hint);
        }
        return;
    };
    if inner.height < 2 {
        let mut line = note;
        line.push(span("   ", Role::Text));
        line.extend(score(canary));
        line.push(span("   p99 ", Role::Dim));
        line.push(span(shown(canary.history.total().p99), Role::Text));
        stage.canvas.line(inner.left(), inner.top(), inner.width, &line);
        return;
    }
    let lines = lines(scene, canary, glyphs, inner.width);
    stage.lines(scene, CANARY, area, inner, &lines);
}

/// Whether it flies, and whether its last run got through.
fn standing(canary: &Canary, glyphs: &Glyphs) -> Line<'static> {
    let every = canary.request.every.map_or_else(String::new, text::duration);
    let (glyph, role, word) = match (canary.is_flying, canary.is_failing()) {
        (false, _) => (glyphs.off, Role::Dim, "stopped".to_owned()),
        (true, true) => (glyphs.critical, Role::Critical, format!("failing, every {every}")),
        (true, false) => (glyphs.ok, Role::Ok, format!("every {every}")),
    };
    vec![span(format!("{glyph} {word}"), role)]
}

fn score(canary: &Canary) -> Line<'static> {
    let (passed, failed) = (canary.history.passed(), canary.history.failed());
    let mut line = vec![span(text::count(passed), Role::Strong), span(" passed", Role::Dim)];
    if failed > 0 {
        line.push(span(format!("   {}", text::count(failed)), Role::Critical));
        line.push(span(" failed", Role::Dim));
    }
    line
}

fn lines(scene: &Scene<'_>, canary: &Canary, glyphs: &Glyphs, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let name = tidy(&canary.request.order.template, usize::from(width / 2)).into_owned();
    let next = canary.next.saturating_sub(scene.now.mono);
    let when = match (&canary.step, canary.is_flying) {
        (_, false) => format!("{} starts it", scene.key(Command::Canary)),
        (Some(_), true) => "on its way".to_owned(),
        (None, true) => format!("next in {}", text::duration(Duration::from_secs(next.as_secs()))),
    };
    let mut head = vec![span(format!("{name}   "), Role::Text)];
    head.extend(score(canary));
    lines.push(head);
    lines.push(vec![span(strip(canary, glyphs, width.saturating_sub(22)), Role::Text)]);
    // The strip's failures stand out.
    if let Some(last) = lines.last_mut() {
        *last = coloured(last[0].text.as_ref(), glyphs);
        let air = if last.is_empty() { "" } else { "   " };
        last.push(span(format!("{air}{when}"), Role::Dim));
    }
    lines.push(Line::new());
    let heads = ["p50", "p90", "p99", "max"];
    let mut heading = vec![span(" ".repeat(CELL.0), Role::Heading)];
    heading.extend(heads.map(|head| span(format!("{head:>width$}", width = CELL.1), Role::Heading)));
    lines.push(heading);
    lines.push(row("through", canary.history.total(), Role::Strong));
    if canary.request.trace {
        for station in Station::ALL {
            lines.push(row(timeline::name(station), canary.history.to(station), Role::Text));
        }
    }
    let failed = canary.history.recent().rev().filter(|outcome| !outcome.reading.passed);
    for (number, outcome) in failed.take(20).enumerate() {
        if number == 0 {
            lines.push(Line::new());
        }
        let reason = outcome.reading.reason.as_deref().unwrap_or_default();
        let clock = scene.zone().clock(outcome.at);
        for (part, text) in wrap(reason, width.saturating_sub(11), 2).into_iter().enumerate() {
            let clock = if part == 0 { clock.as_str() } else { "" };
            lines.push(vec![
                span(format!("{clock:<11}"), Role::Critical),
                span(text, Role::Text),
            ]);
        }
    }
    lines
}

fn row(label: &str, percentiles: Percentiles, role: Role) -> Line<'static> {
    let Percentiles { p50, p90, p99, max } = percentiles;
    let mut line = vec![span(format!("{label:<width$}", width = CELL.0), Role::Dim)];
    line.extend([p50, p90, p99, max].map(|value| {
        let known = value.and_then(|value| Duration::try_from_secs_f64(value).ok());
        let (text, role) = match known {
            Some(known) => (figure::duration(known), role),
            None => (text::UNKNOWN.to_owned(), Role::Unknown),
        };
        span(format!("{text:>width$}", width = CELL.1), role)
    }));
    line
}

/// The last runs, a glyph each, the latest on the right.
fn strip(canary: &Canary, glyphs: &Glyphs, columns: u16) -> String {
    let runs: Vec<bool> = canary
        .history
        .recent()
        .rev()
        .take(usize::from(columns))
        .map(|outcome| outcome.reading.passed)
        .collect();
    runs.iter()
        .rev()
        .map(|passed| if *passed { glyphs.ok } else { glyphs.critical })
        .collect()
}

fn coloured(strip: &str, glyphs: &Glyphs) -> Line<'static> {
    strip
        .chars()
        .map(|glyph| {
            let role = if glyph == glyphs.critical {
                Role::Critical
            } else {
                Role::Ok
            };
            span(glyph.to_string(), role)
        })
        .collect()
}
