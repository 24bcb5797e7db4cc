//! What would be sent, with numbers that are made up.

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{PREVIEW, chosen};
use crate::base::text;
use crate::console::bench::Form;
use crate::console::command::Command;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy, wrap};

/// Lines of a body that are shown.
const MOST: usize = 2_000;

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let form = chosen(scene).map(|(_, form)| form);
    let preview = form.and_then(|form| form.preview.as_ref());
    let note = preview.map_or_else(Line::new, |preview| {
        vec![span(
            format!("{}, an example", text::bytes(preview.size as u64)),
            Role::Note,
        )]
    });
    let frame = Frame {
        title: "Body",
        note,
        ..Frame::default()
    };
    let inner = stage.panel(scene, PREVIEW, area, frame);
    let Some(form) = form else { return };
    if inner.height < 2 {
        let first = form.refused.as_ref().or(form.template.as_ref().err());
        let line = match (first, preview) {
            (Some(reason), _) => vec![span(reason.as_str(), Role::Critical)],
            (None, Some(preview)) => vec![
                span(text::bytes(preview.size as u64), Role::Text),
                span(
                    format!("  {}", preview.body.iter().map(|line| line.trim()).collect::<String>()),
                    Role::Dim,
                ),
            ],
            (None, None) => Line::new(),
        };
        stage.canvas.line(inner.left(), inner.top(), inner.width, &line);
        return;
    }
    let lines = lines(scene, form, inner.width);
    stage.lines(scene, PREVIEW, area, inner, &lines);
}

fn lines<'a>(scene: &Scene<'_>, form: &'a Form, width: u16) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let wrong = form.refused.as_ref().or(form.template.as_ref().err());
    if let Some(reason) = wrong {
        lines.extend(
            wrap(reason, width, 6)
                .into_iter()
                .map(|row| vec![span(row, Role::Critical)]),
        );
    }
    if form.refused.is_some() {
        lines.extend(
            wrap(
                &format!(
                    "Your text is kept: {} edits it again, {} on a field of the body drops it.",
                    scene.key(Command::EditBody),
                    scene.key(Command::ResetField)
                ),
                width,
                3,
            )
            .into_iter()
            .map(|row| vec![span(row, Role::NextStep)]),
        );
    }
    if wrong.is_some() {
        lines.push(Line::new());
    }
    let (Some(preview), Ok(template)) = (&form.preview, &form.template) else {
        return lines;
    };
    let kind = ("content-type", &**template.content_type());
    let headers = preview
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in std::iter::once(kind).chain(headers) {
        lines.push(vec![
            span(name, Role::Dim),
            span(": ", Role::Dim),
            span(value, Role::Text),
        ]);
    }
    lines.push(Line::new());
    lines.extend(preview.body.iter().take(MOST).map(|line| member(line)));
    if let Some(more) = preview.body.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push(vec![span(
            format!("{} more lines", text::count(more as u64)),
            Role::Dim,
        )]);
    }
    lines
}

/// A line of JSON: its name may wait, its value matters.
fn member(line: &str) -> Line<'_> {
    let end = if line.trim_start().starts_with('"') {
        line.find("\": ").map(|at| at + 3)
    } else {
        None
    };
    match end {
        Some(end) => vec![span(&line[..end], Role::Dim), span(&line[end..], Role::Text)],
        None => vec![span(line, Role::Text)],
    }
}

/// The example's body, to hand over.
pub(super) fn summary(scene: &Scene<'_>) -> Option<String> {
    let (_, form) = chosen(scene)?;
    let body = &form.preview.as_ref()?.body;
    let lines: Vec<_> = body.iter().map(|line| tidy(line, 10_000)).collect();
    Some(lines.join("\n") + "\n")
}
