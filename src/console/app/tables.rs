//! What is done to a table or a scrolled panel: filter, columns, order, marks, the cursor.

use super::App;
use crate::console::command::Command;
use crate::console::layer::Layer;
use crate::console::screen::{Hits, PanelHit, PanelId};
use crate::console::widget::grid::{GridState, Sort, Value, order};
use crate::console::widget::input::Input;
use crate::model::Severity;

impl App {
    /// The focused panel, if it is a table.
    pub(super) fn focused_table(&self) -> Option<PanelId> {
        let panel = self.ui.focus()?;
        self.scene().rows(panel)?;
        Some(panel)
    }

    pub(super) fn filter(&mut self) {
        if let Some(panel) = self.focused_table() {
            let input = Input::new(&self.ui.grid(panel).filter);
            self.ui.layers.push(Layer::Filter { panel, input });
        }
    }

    pub(super) fn choose_columns(&mut self) {
        if let Some(panel) = self.focused_table() {
            self.ui.layers.push(Layer::Columns { panel, at: 0 });
        }
    }

    pub(super) fn sort_by_focused(&mut self) {
        let Some(panel) = self.focused_table() else { return };
        let title = self.scene().rows(panel).map(|rows| {
            let focused = self.ui.grid(panel).focused(&*rows);
            rows.columns()[focused].title
        });
        if let Some(title) = title {
            self.sort_by(panel, title);
        }
    }

    /// Sorts by a column: numbers largest first, text from A; again: the other way round.
    pub(super) fn sort_by(&mut self, panel: PanelId, title: &str) {
        let scene = self.scene();
        let Some(rows) = scene.rows(panel) else { return };
        if rows.arranged().is_some() {
            drop(rows);
            self.run_on_letters(Command::Order);
            return;
        }
        let Some(column) = rows.columns().iter().position(|column| column.title == title) else {
            return;
        };
        let text = (0..rows.count().min(1)).any(|row| matches!(rows.value(row, column), Value::Text(_)));
        let down = match self.ui.grid(panel).sort(&*rows) {
            Some(sort) if sort.column == title => !sort.down,
            _ => !text,
        };
        drop(rows);
        let column = title.to_owned();
        let grid = self.grid(panel);
        grid.column = Some(column.clone());
        grid.sort = Some(Sort { column, down });
    }

    pub(super) fn step_column(&mut self, hits: &Hits, step: isize) {
        let Some(panel) = self.focused_table() else { return };
        let Some(columns) = hits.panel(panel).map(|panel| &panel.columns) else {
            return;
        };
        let scene = self.scene();
        let Some(rows) = scene.rows(panel) else { return };
        let focused = self.ui.grid(panel).focused(&*rows);
        let at = columns.iter().position(|column| *column == focused).unwrap_or(0);
        let next = at.saturating_add_signed(step).min(columns.len().saturating_sub(1));
        let title = columns.get(next).map(|column| rows.columns()[*column].title.to_owned());
        drop(rows);
        self.grid(panel).column = title;
    }

    pub(super) fn mark(&mut self, hits: &Hits) {
        let Some(panel) = self.focused_table() else { return };
        let Some(row) = self.scene().row(panel) else { return };
        // Single marks take the place of the mark on all.
        self.ui.letters.list.all_marked = false;
        let grid = self.grid(panel);
        if !grid.marks.remove(&row) {
            grid.marks.insert(row);
        }
        self.scroll(panel, hits, Step::Rows(1));
    }

    pub(super) fn scroll_focused(&mut self, hits: &Hits, step: Step) {
        match self.ui.focus() {
            Some(focus) => self.scroll(focus, hits, step),
            None => self.flash(Severity::Info, "Choose a panel first: tab, or a click"),
        }
    }

    /// Moves the cursor of a table, or the content of another panel.
    pub(super) fn scroll(&mut self, id: PanelId, hits: &Hits, step: Step) {
        let Some(panel) = hits.panel(id) else { return };
        let moved = self.moved(id, panel.visible, |at, count| step.cursor(at, count, panel.visible));
        match moved {
            Some(grid) => *self.grid(id) = grid,
            None => {
                let at = step.from(self.ui.scroll(id), panel);
                self.ui.scroll.insert(id, at);
            }
        }
    }

    /// Puts the cursor of a table on one of the rows that are shown.
    pub(super) fn select(&mut self, id: PanelId, at: usize, hits: &Hits) {
        let visible = hits.panel(id).map_or(1, |panel| panel.visible);
        if let Some(grid) = self.moved(id, visible, |_, _| at) {
            *self.grid(id) = grid;
        }
    }

    /// A table with its cursor elsewhere; `to` knows where it stands and how many rows there are.
    fn moved(&self, id: PanelId, visible: usize, to: impl Fn(usize, usize) -> usize) -> Option<GridState> {
        let rows = self.scene().rows(id)?;
        let mut grid = self.ui.grid(id).clone();
        let order = order(&*rows, &grid);
        if let Some(at) = grid.cursor(&*rows, &order) {
            grid.select(&*rows, &order, to(at, order.len()), visible);
        }
        Some(grid)
    }
}

/// How far to scroll.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Rows(isize),
    HalfPages(isize),
    Top,
    Bottom,
}

impl Step {
    /// The step of a command that scrolls.
    pub(super) fn of(command: Command) -> Option<Self> {
        match command {
            Command::ScrollDown => Some(Self::Rows(1)),
            Command::ScrollUp => Some(Self::Rows(-1)),
            Command::HalfPageDown => Some(Self::HalfPages(1)),
            Command::HalfPageUp => Some(Self::HalfPages(-1)),
            Command::ScrollTop => Some(Self::Top),
            Command::ScrollBottom => Some(Self::Bottom),
            _ => None,
        }
    }

    /// The first row after the step; never so far that rows would stay empty.
    pub(super) fn from(self, at: usize, panel: &PanelHit) -> usize {
        let last = panel.rows.saturating_sub(panel.visible);
        self.within(at.min(last), last, panel.visible)
    }

    /// The row under the cursor after the step.
    pub(super) fn cursor(self, at: usize, count: usize, visible: usize) -> usize {
        self.within(at, count.saturating_sub(1), visible)
    }

    fn within(self, at: usize, last: usize, visible: usize) -> usize {
        let half = isize::try_from((visible / 2).max(1)).unwrap_or(1);
        match self {
            Self::Rows(rows) => at.saturating_add_signed(rows).min(last),
            Self::HalfPages(pages) => at.saturating_add_signed(pages * half).min(last),
            Self::Top => 0,
            Self::Bottom => last,
        }
    }
}
