//! The frame around a panel: rounded, its title on the left, a note on the right.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Line, span};
use crate::console::theme::Role;

/// A panel's frame.
#[derive(Clone, Debug, Default)]
pub struct Frame<'a> {
    /// On the left of the upper edge, bold.
    pub title: &'a str,
    /// On the right of the upper edge.
    pub note: Line<'a>,
    /// Whether keys go to this panel.
    pub focused: bool,
    /// The frame's colour while it is not focused; `None`: that of every frame.
    pub tone: Option<Role>,
}

/// From this width on there are two columns of air on the right of a panel's content, else one.
/// On the left there are always two: content stands under its title.
const ROOMY: u16 = 44;

impl Frame<'_> {
    /// Draws it. Returns the room inside; of a panel less than 3 rows high, its one row right of the title.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
        if area.height < 3 || area.width < 8 {
            return self.draw_flat(canvas, area);
        }
        let role = if self.focused {
            Role::BorderFocused
        } else {
            self.tone.unwrap_or(Role::Border)
        };
        let glyphs = canvas.glyphs();
        let (left, right) = (area.left(), area.right() - 1);
        let (top, bottom) = (area.top(), area.bottom() - 1);
        for x in left + 1..right {
            canvas.glyph(x, top, glyphs.lines.0, role);
            canvas.glyph(x, bottom, glyphs.lines.0, role);
        }
        for y in top + 1..bottom {
            canvas.glyph(left, y, glyphs.lines.1, role);
            canvas.glyph(right, y, glyphs.lines.1, role);
        }
        for ((x, y), corner) in [(left, top), (right, top), (left, bottom), (right, bottom)]
            .into_iter()
            .zip(glyphs.corners)
        {
            canvas.glyph(x, y, corner, role);
        }
        let room = area.width - 4;
        let title = canvas.put(left + 2, top, room, &format!(" {} ", self.title), Role::Title);
        let note = canvas.width(&self.note);
        // A note that does not fit beside the title is left out whole: half of one says something else.
        if note > 0 && title + note + 3 <= room {
            let mut line = vec![span(" ", Role::Note)];
            line.extend(self.note.iter().cloned());
            line.push(span(" ", Role::Note));
            canvas.line_right(left + 2, top, room, &line);
        }
        let air = if area.width >= ROOMY { 2 } else { 1 };
        Rect::new(
            area.left() + 3,
            area.top() + 1,
            (area.width - 4).saturating_sub(air),
            area.height - 2,
        )
    }

    fn draw_flat(&self, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
        let marker = if self.focused { canvas.glyphs().marker.0 } else { ' ' };
        canvas.glyph(area.left(), area.top(), marker, Role::Marker);
        let title = canvas.put(
            area.left() + 1,
            area.top(),
            area.width.saturating_sub(1),
            self.title,
            Role::Title,
        );
        let used = (title + 3).min(area.width);
        Rect::new(area.left() + used, area.top(), area.width - used, area.height.min(1))
    }
}

/// Draws where in its content a panel stands: a thumb on its right edge. Nothing when all is visible.
pub fn scroll_bar(canvas: &mut Canvas<'_>, area: Rect, focused: bool, rows: usize, visible: usize, offset: usize) {
    let track = usize::from(area.height.saturating_sub(2));
    if rows <= visible || track == 0 {
        return;
    }
    let role = if focused { Role::Marker } else { Role::Dim };
    let size = (track * visible / rows).clamp(1, track);
    let start = (track - size) * offset.min(rows - visible) / (rows - visible);
    for row in start..start + size {
        let y = area.top() + 1 + u16::try_from(row).unwrap_or(u16::MAX);
        canvas.glyph(area.right() - 1, y, canvas.glyphs().marker.1, role);
    }
}
