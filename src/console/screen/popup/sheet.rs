//! A sheet over the middle of a screen, on which a popup is written.

use ratatui::layout::Rect;

use super::super::{PanelHit, PanelId, Spot, Stage};
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, scroll_bar, span};

/// A sheet over the middle of a screen.
pub(in crate::console::screen) struct Sheet<'a> {
    /// Its title.
    pub(in crate::console::screen) title: &'a str,
    /// On the right of its title.
    pub(in crate::console::screen) note: &'a str,
    /// Its width at most.
    pub(in crate::console::screen) width: u16,
    /// The first row on screen.
    pub(in crate::console::screen) first: usize,
}

impl Sheet<'_> {
    /// Columns that a sheet has for text.
    pub(in crate::console::screen) fn room(&self, body: Rect) -> u16 {
        self.outer(body).saturating_sub(6)
    }

    fn outer(&self, body: Rect) -> u16 {
        if body.width < self.width + 6 {
            body.width
        } else {
            self.width
        }
    }

    /// Draws it as high as its content. Returns the room inside.
    pub(in crate::console::screen) fn draw(&self, stage: &mut Stage<'_>, body: Rect, lines: &[Line<'_>]) -> Rect {
        let content = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let inner = self.frame(stage, body, content.saturating_add(2));
        let visible = usize::from(inner.height);
        let first = self.first.min(lines.len().saturating_sub(visible));
        for (line, y) in lines.iter().skip(first).zip(inner.top()..inner.bottom()) {
            stage.canvas.line(inner.left(), y, inner.width, line);
        }
        let around = Rect::new(inner.left() - 3, inner.top() - 1, self.outer(body), inner.height + 2);
        scroll_bar(&mut stage.canvas, around, true, lines.len(), visible, first);
        stage.hits.popup = Some(PanelHit {
            rows: lines.len(),
            visible,
            first,
            ..PanelHit::new(PanelId("popup"))
        });
        inner
    }

    pub(in crate::console::screen) fn frame(&self, stage: &mut Stage<'_>, body: Rect, height: u16) -> Rect {
        let (width, height) = (self.outer(body), height.min(body.height));
        let area = Rect::new(
            body.left() + (body.width - width) / 2,
            body.top() + (body.height - height) / 2,
            width,
            height,
        );
        stage.canvas.clear(area);
        // What lies beneath is out of reach until it closes.
        stage.hits.spots.push((body, Spot::Layer));
        let frame = Frame {
            title: self.title,
            note: vec![span(self.note, Role::Note)],
            focused: true,
            tone: None,
        };
        frame.draw(&mut stage.canvas, area)
    }
}
