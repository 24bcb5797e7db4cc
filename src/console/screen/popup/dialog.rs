//! A question that must be answered before something is done. Cancel has the focus.

use ratatui::layout::Rect;

use super::super::{Scene, Spot, Stage};
use super::sheet::Sheet;
use crate::console::dialog::{Confirm, Dialog};
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
    let yes = if dialog.is_answered() { Role::Text } else { Role::Dim };
    let buttons = [
        ("Cancel", !dialog.on_button, Role::Text, 0),
        (dialog.verb.as_str(), dialog.on_button, yes, 1),
    ];
    let row = Rect::new(inner.left(), y, inner.width, 1);
    draw_buttons(stage, row, buttons);
    if let Confirm::Typed { ask, .. } = &dialog.confirm {
        y = y.saturating_sub(2).max(inner.top());
        let cursor = dialog
            .input
            .draw(&mut stage.canvas, inner.left(), y, inner.width, &format!("{ask}: "));
        stage.cursor = Some(cursor);
    }
}

/// Draws the buttons of a question in one row: a label each, whether it has the focus, its colour
/// without, and the choice that a click on it is. Returns where the row goes on.
pub(in crate::console::screen) fn draw_buttons(
    stage: &mut Stage<'_>,
    row: Rect,
    buttons: [(&str, bool, Role, usize); 2],
) -> u16 {
    let mut x = row.left();
    for (label, focused, role, choice) in buttons {
        let (open, close) = if focused { ("[ ", " ]") } else { ("  ", "  ") };
        let line = [
            span(open, Role::Accent).strong(),
            span(label, if focused { Role::Accent } else { role }).strong(),
            span(close, Role::Accent).strong(),
        ];
        let place = Rect::new(x, row.top(), stage.canvas.width(&line), 1);
        let fill = if focused { Role::Selection } else { Role::Raised };
        stage.canvas.fill(place, fill);
        stage.canvas.line(x, row.top(), row.right().saturating_sub(x), &line);
        stage.hits.spots.push((place, Spot::Choice(choice)));
        x = place.right() + 3;
    }
    x
}
