//! The messages of this session.

use ratatui::layout::Rect;

use super::super::{Scene, Stage, status};
use super::sheet::Sheet;
use crate::console::theme::Role;
use crate::console::widget::{Line, span, wrap};

/// Draws them, newest first.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, first: usize) {
    let sheet = Sheet {
        title: "Messages",
        note: "esc closes",
        width: 100,
        first,
    };
    let room = sheet.room(body).saturating_sub(12);
    let glyphs = stage.canvas.glyphs();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for flash in scene.ui.flashes().rev() {
        let (glyph, role) = status::severity(flash.severity, glyphs);
        for (number, row) in wrap(&flash.text, room, 6).into_iter().enumerate() {
            let head = if number == 0 {
                vec![
                    span(scene.zone().clock(flash.at), Role::Dim),
                    span(format!("  {glyph} "), role),
                ]
            } else {
                vec![span(" ".repeat(12), Role::Text)]
            };
            lines.push(head.into_iter().chain([span(row, Role::Text)]).collect());
        }
    }
    if lines.is_empty() {
        lines.push(vec![span("Nothing has been said yet.", Role::Dim)]);
    }
    sheet.draw(stage, body, &lines);
}
