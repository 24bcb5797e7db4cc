//! Markers and alerts of what is played, to jump to.

use ratatui::layout::Rect;

use super::super::{PanelHit, PanelId, Scene, Spot, Stage};
use super::sheet::Sheet;
use crate::console::player::{MarkKind, length};
use crate::console::theme::Role;
use crate::console::widget::{Line, span, tidy};

/// Draws the list, the one under the cursor on screen.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, at: usize) {
    let Some(player) = scene.player else { return };
    let marks = player.reel.all_marks();
    let at = at.min(marks.len().saturating_sub(1));
    let visible = usize::from(body.height.saturating_sub(2));
    let sheet = Sheet {
        title: "Markers and alerts",
        note: "enter goes there  m marks  esc closes",
        width: 100,
        first: (at + 1).saturating_sub(visible),
    };
    let room = usize::from(sheet.room(body).saturating_sub(22));
    let glyphs = stage.canvas.glyphs();
    let mut lines: Vec<Line<'_>> = marks
        .iter()
        .map(|(kind, mark)| {
            let (glyph, role) = match kind {
                MarkKind::Marker => (glyphs.flag, Role::Accent),
                MarkKind::Alert => (glyphs.warning, Role::Warning),
            };
            vec![
                span(scene.zone().clock(player.reel.moment(mark.at)), Role::Text),
                span(format!("{:>8}  ", length(mark.at)), Role::Dim),
                span(format!("{glyph} "), role),
                span(tidy(&mark.text, room), Role::Strong),
            ]
        })
        .collect();
    if lines.is_empty() {
        lines.push(vec![span(
            "Nothing is marked, and no verdict was raised. m marks this moment.",
            Role::Dim,
        )]);
    }
    let inner = sheet.draw(stage, body, &lines);
    if marks.is_empty() {
        return;
    }
    for (number, y) in (sheet.first..marks.len()).zip(inner.top()..inner.bottom()) {
        let row = Rect::new(inner.left() - 2, y, inner.width + 3, 1);
        stage.hits.spots.push((row, Spot::Choice(number)));
        if number == at {
            stage.canvas.fill(row, Role::Selection);
            let marker = stage.canvas.glyphs().marker.0;
            stage.canvas.glyph(row.left(), y, marker, Role::Marker);
        }
    }
    stage.hits.popup = Some(PanelHit {
        rows: marks.len(),
        visible,
        first: sheet.first,
        ..PanelHit::new(PanelId("popup"))
    });
}
