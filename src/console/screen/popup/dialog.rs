//! A question that must be answered before something is done. Cancel has the focus.

use ratatui::layout::Rect;

use super::super::{Scene, Spot, Stage};
use super::Sheet;
use crate::console::layer::{Confirm, Dialog};
use crate::console::theme::Role;
use crate::console::widget::{Line, span, wrap};

/// Columns for the labels.
const LABEL: usize = 10;

/// Draws it. A click on choice 0 cancels, on choice 1 presses the button.
pub(super) fn draw(_: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, dialog: &Dialog) {
    let note = match dialog.confirm {
        Confirm::Yes => "y says yes, esc cancels",
        Confirm::Typed { .. } => "tab to the button, esc cancels",
    };
    let sheet = Sheet {
        title: &dialog.title,
        note,
        width: 84,
        first: 0,
    };
    let room = sheet.room(body);
    let labelled = dialog.rows.iter().any(|(label, _, _)| !label.is_empty());
    let indent = if labelled { LABEL } else { 0 };
    let mut lines: Vec<Line<'_>> = vec![Line::new()];
    for (label, text, role) in &dialog.rows {
        let width = room.saturating_sub(u16::try_from(indent).unwrap_or(0)).max(8);
        for (number, row) in wrap(text, width, 6).into_iter().enumerate() {
            let label = if number == 0 { label.as_str() } else { "" };
            lines.push(vec![span(format!("{label:<indent$}"), Role::Dim), span(row, *role)]);
        }
    }
    lines.push(Line::new());
    if matches!(dialog.confirm, Confirm::Typed { .. }) {
        lines.extend([Line::new(), Line::new()]);
    }
    lines.push(Line::new());
    let inner = sheet.draw(stage, body, &lines);
    let mut y = inner.bottom().saturating_sub(1);
    let mut x = inner.left();
    let yes = if dialog.is_answered() { Role::Text } else { Role::Dim };
    let buttons = [
        ("Cancel", !dialog.on_button, Role::Text),
        (dialog.verb.as_str(), dialog.on_button, yes),
    ];
    for (number, (label, focused, role)) in buttons.into_iter().enumerate() {
        let (open, close) = if focused { ("[ ", " ]") } else { ("  ", "  ") };
        let line = [
            span(open, Role::Accent).strong(),
            span(label, if focused { Role::Accent } else { role }).strong(),
            span(close, Role::Accent).strong(),
        ];
        let used = stage.canvas.width(&line);
        let place = Rect::new(x, y, used, 1);
        stage
            .canvas
            .fill(place, if focused { Role::Selection } else { Role::Raised });
        stage.canvas.line(x, y, inner.right().saturating_sub(x), &line);
        stage.hits.spots.push((place, Spot::Choice(number)));
        x += used + 3;
    }
    if let Confirm::Typed { ask, .. } = &dialog.confirm {
        y = y.saturating_sub(2).max(inner.top());
        let cursor = dialog
            .input
            .draw(&mut stage.canvas, inner.left(), y, inner.width, &format!("{ask}: "));
        stage.cursor = Some(cursor);
    }
}
