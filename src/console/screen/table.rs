//! Tables on a stage: heading, rows, cursor, marks.

use ratatui::layout::Rect;

use super::hits::{PanelHit, Spot};
use super::id::PanelId;
use super::scene::Scene;
use super::stage::Stage;
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::grid::{Filter, Rows, order};
use crate::console::widget::table::{Align, Cell};
use crate::console::widget::{Frame, Line, figure, scroll_bar, span};

impl Stage<'_> {
    /// Draws a table into a panel: heading, rows, cursor, marks. `hint` says why it is empty.
    pub fn grid(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, frame: Frame<'_>, rows: &dyn Rows, hint: &str) {
        let state = scene.ui.grid(id);
        let order = order(rows, state);
        let arranged = rows.arranged().is_some();
        let frame = if state.filter.is_empty() || arranged {
            frame
        } else {
            let count = format!("{} of {}", order.len(), rows.count());
            let note = vec![
                span(count, Role::Strong),
                span("  / ", Role::Key),
                span(state.filter.as_str(), Role::Note),
            ];
            Frame { note, ..frame }
        };
        let inner = self.panel(scene, id, area, frame);
        if inner.height < 2 {
            let text = format!("{} rows", text::count(order.len() as u64));
            self.canvas
                .put(inner.left(), inner.top(), inner.width, &text, Role::Dim);
            return;
        }
        if order.is_empty() {
            let filtered = format!("No row holds {}. esc shows all.", state.filter);
            let known = rows.count() == 0 || arranged;
            self.hint(inner, if known { hint } else { &filtered });
            return;
        }
        let places = state.places(rows, inner.width);
        self.headings(scene, id, inner, rows, &places);
        let tall = rows.height().max(1);
        let visible = usize::from(((inner.height - 1) / tall).max(1));
        let cursor = state.cursor(rows, &order).unwrap_or(0);
        let first = state.first(cursor, order.len(), visible);
        let focused = scene.ui.focus() == Some(id);
        scroll_bar(&mut self.canvas, area, focused, order.len(), visible, first);
        if let Some(panel) = self.hits.panels.iter_mut().find(|panel| panel.id == id) {
            *panel = PanelHit {
                id,
                rows: order.len(),
                visible,
                first,
                columns: places.iter().map(|place| place.0).collect(),
            };
        }
        let shown = order
            .iter()
            .enumerate()
            .skip(first)
            .zip((inner.top() + 1..inner.bottom()).step_by(usize::from(tall)));
        for ((at, row), y) in shown {
            let lines = tall.min(2).min(inner.bottom() - y);
            let whole = Rect::new(area.left() + 1, y, area.width.saturating_sub(2), lines);
            self.hits.spots.push((whole, Spot::Row(id, at)));
            if at == cursor {
                self.under_cursor(whole, focused);
            }
            self.row(
                scene,
                id,
                rows,
                *row,
                &places,
                Rect {
                    y,
                    height: lines,
                    ..inner
                },
            );
        }
    }

    fn under_cursor(&mut self, row: Rect, focused: bool) {
        self.canvas.fill(row, Role::Selection);
        let role = if focused { Role::Marker } else { Role::Dim };
        let marker = self.canvas.glyphs().marker.0;
        for y in row.top()..row.bottom() {
            self.canvas.glyph(row.left(), y, marker, role);
        }
    }

    /// Draws a row, of one line or two, into `at`: its mark stands just left of it.
    fn row(
        &mut self,
        scene: &Scene<'_>,
        id: PanelId,
        rows: &dyn Rows,
        row: usize,
        places: &[(usize, u16, u16)],
        at: Rect,
    ) {
        let state = scene.ui.grid(id);
        let glyphs = self.canvas.glyphs();
        if at.height > 1 {
            let x = at.left() + places.get(1).map_or(0, |place| place.1);
            let below = rows.below(row, glyphs);
            self.canvas.line(x, at.top() + 1, at.right().saturating_sub(x), &below);
        }
        let marked = !state.marks.is_empty() && state.marks.contains(&*rows.key(row));
        if marked || rows.marked(row) {
            self.canvas
                .glyph(at.left().saturating_sub(1), at.top(), glyphs.check, Role::Accent);
        }
        let filter = Filter::new(&state.filter);
        for (column, x, width) in places {
            let line = match rows.cell(row, *column, glyphs) {
                Cell::Text(line) => filter.highlight(line),
                Cell::Figure(reading, unit, role) => figure::fitting(reading, unit, role, *width),
            };
            self.aligned(rows.columns()[*column].align, at.left() + x, at.top(), *width, &line);
        }
    }

    fn aligned(&mut self, align: Align, x: u16, y: u16, width: u16, line: &Line<'_>) {
        match align {
            Align::Left => self.canvas.line(x, y, width, line),
            Align::Right => self.canvas.line_right(x, y, width, line),
        };
    }

    fn headings(&mut self, scene: &Scene<'_>, id: PanelId, inner: Rect, rows: &dyn Rows, places: &[(usize, u16, u16)]) {
        let state = scene.ui.grid(id);
        let sort = state.sort(rows);
        let focused = state.focused(rows);
        let glyphs = self.canvas.glyphs();
        let y = inner.top();
        for (column, x, width) in places {
            let spec = rows.columns()[*column];
            let here = *column == focused && scene.ui.focus() == Some(id);
            let role = if here { Role::Accent } else { Role::Heading };
            let x = inner.left() + x;
            self.aligned(spec.align, x, y, *width, &vec![span(spec.title, role)]);
            let area = Rect::new(x, y, *width, 1);
            self.hits.spots.push((area, Spot::Heading(id, *column)));
            let Some(sort) = sort.as_ref().filter(|sort| sort.column == spec.title) else {
                continue;
            };
            let arrow = if sort.down { glyphs.down } else { glyphs.up };
            let title = self.canvas.text_width(spec.title).min(*width);
            let after = match spec.align {
                Align::Left => x + title,
                Align::Right => x + width,
            };
            if after < inner.right() + 1 {
                self.canvas.glyph(after, y, arrow, Role::Accent);
            }
        }
    }
}
