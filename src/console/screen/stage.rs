//! What screens draw onto, and what they say about it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::hits::{ChartHit, Hits, PanelHit, Spot};
use super::id::PanelId;
use super::scene::Scene;
use crate::console::theme::{Role, Theme};
use crate::console::widget::{Canvas, Frame, Line, chart, scroll_bar, wrap};

/// What screens draw onto, and what they say about it.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The canvas.
    pub canvas: Canvas<'a>,
    /// What is where.
    pub hits: Hits,
    /// Where the cursor stands, where text is typed.
    pub cursor: Option<Position>,
}

impl<'a> Stage<'a> {
    /// A stage over a buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self {
            canvas: Canvas::new(buffer, theme),
            hits: Hits::default(),
            cursor: None,
        }
    }

    /// Draws a panel's frame and makes it one that can be focused. Returns the room inside.
    pub fn panel(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, mut frame: Frame<'_>) -> Rect {
        frame.focused = scene.ui.focus() == Some(id);
        self.hits.spots.push((area, Spot::Panel(id)));
        self.hits.panels.push(PanelHit::new(id));
        frame.draw(&mut self.canvas, area)
    }

    /// Says how much a panel has to show and how much of it fits. Returns the first row to draw.
    pub fn scroll(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, rows: usize, visible: usize) -> usize {
        if let Some(panel) = self.hits.panels.iter_mut().find(|panel| panel.id == id) {
            (panel.rows, panel.visible) = (rows, visible);
        }
        let offset = scene.ui.scroll(id).min(rows.saturating_sub(visible));
        scroll_bar(
            &mut self.canvas,
            area,
            scene.ui.focus() == Some(id),
            rows,
            visible,
            offset,
        );
        offset
    }

    /// Draws lines of text into a panel, scrolled.
    pub fn lines(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, inner: Rect, lines: &[Line<'_>]) {
        let offset = self.scroll(scene, id, area, lines.len(), usize::from(inner.height));
        for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
            self.canvas.line(inner.left(), y, inner.width, line);
        }
    }

    /// Makes a chart one on which a span of time can be chosen, and shows the span while it is.
    pub fn chart(&mut self, scene: &Scene<'_>, chart: ChartHit) {
        self.hits.charts.push(chart);
        self.hits.spots.push((chart.plot, Spot::Chart(chart.panel)));
        if let Some(column) = scene.histories.seam().and_then(|seam| chart.column(seam)) {
            chart::seam(&mut self.canvas, chart.plot, column);
        }
        if let Some((from, to)) = scene.ui.dragged(chart.panel) {
            let left = from.max(chart.plot.left());
            let width = (to + 1).min(chart.plot.right()).saturating_sub(left);
            self.canvas.fill(
                Rect {
                    x: left,
                    width,
                    ..chart.plot
                },
                Role::Selection,
            );
        }
    }

    /// Says in the middle of a panel why it is empty.
    pub fn hint(&mut self, inner: Rect, text: &str) {
        if inner.height < 2 {
            self.canvas.put(inner.left(), inner.top(), inner.width, text, Role::Dim);
            return;
        }
        let rows = wrap(text, inner.width.min(60), usize::from(inner.height));
        let height = u16::try_from(rows.len()).unwrap_or(0);
        let top = inner.top() + inner.height.saturating_sub(height) / 2;
        for (row, y) in rows.iter().zip(top..inner.bottom()) {
            let width = self.canvas.text_width(row);
            let x = inner.left() + inner.width.saturating_sub(width) / 2;
            self.canvas.put(x, y, inner.width, row, Role::Dim);
        }
    }
}
