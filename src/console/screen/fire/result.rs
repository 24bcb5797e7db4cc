//! What was fired last, or the run of the history under the cursor.

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{HISTORY, RESULT, chosen};
use super::timeline::Way;
use super::{history, run};
use crate::act::firing::Ended;
use crate::console::bench::{Field, Run};
use crate::console::command::Command;
use crate::console::glyph::Charset;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let recalled = recalled(scene);
    let Some(run) = recalled.as_ref().or(scene.bench.run()) else {
        return idle(scene, stage, area);
    };
    let glyphs = stage.canvas.glyphs();
    let name = tidy(&run.request.order.template, usize::from(area.width / 3)).into_owned();
    let what = if run.timeline.is_some() { "Trace" } else { "Run" };
    let title = format!("{what} of {name}");
    let way = way(scene, run);
    let note = match (&run.ended, &way) {
        (Some(Ended::Refused(_)), _) => vec![span(format!("{} not fired", glyphs.critical), Role::Critical)],
        (_, Some(way)) => way.standing(glyphs),
        (_, None) => run::standing(run, glyphs),
    };
    let frame = Frame {
        title: &title,
        note: note.clone(),
        ..Frame::default()
    };
    let inner = stage.panel(scene, RESULT, area, frame);
    if inner.height < 2 {
        stage.canvas.line(inner.left(), inner.top(), inner.width, &note);
        return;
    }
    if let Some(Ended::Refused(reason)) = &run.ended {
        let lines: Vec<Line<'_>> = refusal(reason, inner.width);
        stage.lines(scene, RESULT, area, inner, &lines);
        return;
    }
    let Some(way) = way else {
        return run::draw(scene, stage, area, inner, run);
    };
    let spaced = inner.height >= 9;
    let mut lines = way.lines(scene, glyphs, inner.width, spaced);
    if usize::from(inner.height) > lines.len() && !way.timeline.id.is_empty() {
        lines.push(Line::new());
        lines.push(vec![
            span(format!("{:<14}", "id"), Role::Dim),
            span(way.timeline.id.clone(), Role::Text),
        ]);
        for notice in &run.notices {
            lines.push(vec![span(notice.clone(), Role::Warning)]);
        }
    }
    stage.lines(scene, RESULT, area, inner, &lines);
}

/// Why nothing was fired: the reason, and the next step on a line of its own.
fn refusal(reason: &str, width: u16) -> Vec<Line<'static>> {
    let (why, next) = reason.split_once(" → ").unwrap_or((reason, ""));
    let rows = |text: &str, role: Role| -> Vec<Line<'static>> {
        let rows = wrap(text, width, 6).into_iter();
        rows.filter(|row| !row.is_empty())
            .map(|row| vec![span(row, role)])
            .collect()
    };
    let mut lines = rows(why, Role::Critical);
    lines.extend(rows(next, Role::NextStep));
    lines
}

/// The run of the history under the cursor, while that is where keys go.
fn recalled(scene: &Scene<'_>) -> Option<Run> {
    let row = scene.row(HISTORY).filter(|_| scene.ui.focus() == Some(HISTORY))?;
    let place = history::place_of(scene.bench, &row)?;
    // The latest is the run itself, with all that was seen of it.
    if place == 0 && !scene.bench.is_firing() {
        return None;
    }
    scene.bench.history().get(place).map(Run::of)
}

fn way<'a>(scene: &Scene<'_>, run: &'a Run) -> Option<Way<'a>> {
    Some(Way {
        timeline: run.timeline.as_ref()?,
        at: run.at,
        elapsed: scene.now.mono.saturating_sub(run.begun),
        to: &run.to,
        is_over: run.ended.is_some(),
    })
}

/// What the key would do.
fn idle(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let frame = Frame {
        title: "Result",
        ..Frame::default()
    };
    let inner = stage.panel(scene, RESULT, area, frame);
    let refusal = scene.bench.supply().and_then(|supply| supply.refusal.as_deref());
    if let Some(refusal) = refusal {
        stage.hint(inner, refusal);
        return;
    }
    let Some((name, form)) = chosen(scene) else {
        stage.hint(inner, "Nothing has been fired yet.");
        return;
    };
    let target = form.rows.iter().find(|row| row.field == Field::Target);
    let text = match target.filter(|row| !row.is_vacant) {
        Some(row) => format!(
            "{} fires {} at {}",
            scene.key(Command::Fire),
            tidy(&name, 60),
            tidy(&row.value, 200)
        ),
        None => format!(
            "There is no target yet: {} on target names one, or fire.url in the profile.",
            scene.key(Command::Open)
        ),
    };
    stage.hint(inner, &text);
}

/// What was fired last as plain text.
pub(super) fn summary(scene: &Scene<'_>) -> Option<String> {
    let recalled = recalled(scene);
    let run = recalled.as_ref().or(scene.bench.run())?;
    let lines = match way(scene, run) {
        Some(way) => way.lines(scene, Charset::Unicode.glyphs(), 80, false),
        None => run::lines(run, Charset::Unicode.glyphs(), 100),
    };
    let text = |line: &Line<'_>| line.iter().map(|span| span.text.as_ref()).collect::<String>();
    let head = format!("{} → {}\n", tidy(&run.request.order.template, 200), tidy(&run.to, 500));
    let rows = lines
        .iter()
        .map(|line| format!("{}\n", tidy(text(line).trim_end(), 1_000)));
    Some(std::iter::once(head).chain(rows).collect())
}
