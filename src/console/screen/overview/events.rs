//! What happened, newest first.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage, status};
use crate::base::text;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span};
use crate::model::{Event, EventKind, Severity};

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let events = &scene.view.events;
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Events",
            ..Frame::default()
        },
    );
    if events.is_empty() {
        let text = format!("Nothing has happened since {}.", scene.zone().clock(scene.view.started));
        stage.hint(inner, &text);
        return;
    }
    let visible = usize::from(inner.height);
    let offset = if area.height < 3 {
        0
    } else {
        stage.scroll(scene, id, area, events.len(), visible)
    };
    let glyphs = stage.canvas.glyphs();
    for (event, y) in events.iter().rev().skip(offset).zip(inner.top()..inner.bottom()) {
        stage
            .canvas
            .line(inner.left(), y, inner.width, &line(scene, event, glyphs));
    }
}

fn line<'a>(scene: &Scene<'a>, event: &'a Event, glyphs: &Glyphs) -> Line<'a> {
    let (glyph, role) = match (event.severity, event.kind) {
        (Severity::Info, EventKind::Source | EventKind::Process | EventKind::Action) => (glyphs.ok, Role::Ok),
        (Severity::Info, EventKind::Verdict) => (glyphs.check, Role::Ok),
        (severity, _) => status::severity(severity, glyphs),
    };
    let mut line = vec![
        span(scene.zone().clock(event.at), Role::Dim),
        span("  ", Role::Text),
        span(glyph.to_string(), role),
        span(" ", Role::Text),
        span(&*event.text, Role::Text),
    ];
    if event.count > 1 {
        line.push(span(format!(" ×{}", text::compact(event.count as f64)), Role::Dim));
    }
    if !event.detail.is_empty() {
        line.push(span("   ", Role::Text));
        line.push(span(&*event.detail, Role::Dim));
    }
    line
}
