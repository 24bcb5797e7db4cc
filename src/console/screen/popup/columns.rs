//! Which columns a table shows.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Spot, Stage};
use super::sheet::Sheet;
use crate::console::theme::Role;
use crate::console::widget::{Line, span};

/// Draws the list of columns.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, panel: PanelId, at: usize) {
    let Some(rows) = scene.rows(panel) else { return };
    let grid = scene.ui.grid(panel);
    let wanted = grid.wanted(&*rows);
    let glyphs = stage.canvas.glyphs();
    let on_screen: &[usize] = stage.hits.panel(panel).map_or(&[], |panel| &panel.columns);
    let lines: Vec<Line<'_>> = rows
        .columns()
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let chosen = wanted.contains(&number);
            let tick = if chosen { glyphs.check } else { ' ' };
            let note = match (chosen, on_screen.contains(&number)) {
                _ if number == 0 => "always",
                (true, false) => "no room",
                _ => "",
            };
            vec![
                span(format!("{tick}  "), Role::Ok),
                span(
                    format!("{:<16}", column.title),
                    if chosen { Role::Text } else { Role::Dim },
                ),
                span(note, Role::Dim),
            ]
        })
        .collect();
    let room = usize::from(body.height.saturating_sub(2)).max(1);
    let sheet = Sheet {
        title: "Columns",
        note: "space chooses, esc closes",
        width: 46,
        first: (at + 1).saturating_sub(room),
    };
    let inner = sheet.draw(stage, body, &lines);
    let first = stage.hits.popup.as_ref().map_or(0, |popup| popup.first);
    for (number, y) in (first..lines.len()).zip(inner.top()..inner.bottom()) {
        let row = Rect::new(inner.left() - 2, y, inner.width + 2, 1);
        stage.hits.spots.push((row, Spot::Choice(number)));
        if number == at {
            stage.canvas.fill(row, Role::Selection);
            stage.canvas.glyph(row.left(), y, glyphs.marker.0, Role::Marker);
        }
    }
}
