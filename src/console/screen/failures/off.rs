//! What is not read, and why: a panel that is off says so.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, wrap};

/// Rows that it needs; 0: everything is read.
pub(super) fn rows(scene: &Scene<'_>) -> u16 {
    u16::try_from(scene.view.panels_off.len() * 2).unwrap_or(u16::MAX)
}

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let frame = Frame {
        title: "Switched off",
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    let glyphs = stage.canvas.glyphs();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (panel, reason) in &scene.view.panels_off {
        let text = format!("{} is not read: {reason}", panel.relation());
        for (number, row) in wrap(&text, inner.width.saturating_sub(2), 3).into_iter().enumerate() {
            let head = if number == 0 {
                format!("{} ", glyphs.off)
            } else {
                "  ".to_owned()
            };
            lines.push(vec![span(head, Role::Dim), span(row, Role::Text)]);
        }
    }
    stage.lines(scene, id, area, inner, &lines);
}
