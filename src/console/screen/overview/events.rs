//! What happened, newest first.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage, events};
use crate::console::widget::Frame;

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let happened = &scene.view.events;
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Events",
            ..Frame::default()
        },
    );
    if happened.is_empty() {
        let text = format!("Nothing has happened since {}.", scene.zone().clock(scene.view.started));
        stage.hint(inner, &text);
        return;
    }
    let visible = usize::from(inner.height);
    let offset = if area.height < 3 {
        0
    } else {
        stage.scroll(scene, id, area, happened.len(), visible)
    };
    let glyphs = stage.canvas.glyphs();
    for (event, y) in happened.iter().rev().skip(offset).zip(inner.top()..inner.bottom()) {
        stage
            .canvas
            .line(inner.left(), y, inner.width, &events::line::line(scene, event, glyphs));
    }
}
