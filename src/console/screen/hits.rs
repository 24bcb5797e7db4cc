//! What is where on screen: what clicks and keys go by.

use std::time::Duration;

use ratatui::layout::{Position, Rect};

use super::id::{PanelId, Screen};
use crate::console::command::Command;

/// What something on screen stands for when it is clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Runs a command.
    Command(Command),
    /// Focuses a panel.
    Panel(PanelId),
    /// Selects a row of a table: its place among the rows that are shown.
    Row(PanelId, usize),
    /// Sorts a table by a column.
    Heading(PanelId, usize),
    /// Selects a span of time: a chart of this panel.
    Chart(PanelId),
    /// Goes to a moment of what is played.
    Strip,
    /// Goes to one of several profiles.
    Lane(usize),
    /// The focused layer: what lies under it is out of reach.
    Layer,
    /// A choice of the topmost layer: a completion, a column, a button.
    Choice(usize),
}

/// A panel on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelHit {
    /// Which.
    pub id: PanelId,
    /// Rows of content.
    pub rows: usize,
    /// Rows of content that there is room for.
    pub visible: usize,
    /// Of a table: the first row on screen.
    pub first: usize,
    /// Of a table: the columns on screen.
    pub columns: Vec<usize>,
}

impl PanelHit {
    /// A panel of which nothing is known yet.
    #[must_use]
    pub fn new(id: PanelId) -> Self {
        Self {
            id,
            rows: 0,
            visible: 0,
            first: 0,
            columns: Vec::new(),
        }
    }
}

/// A chart on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartHit {
    /// The panel.
    pub panel: PanelId,
    /// Where its curves are.
    pub plot: Rect,
    /// The moment at its right edge, time since session start.
    pub end: Duration,
    /// How far it reaches back.
    pub span: Duration,
}

impl ChartHit {
    /// The column in which a time since session start is; `None`: it is not in the chart.
    pub(super) fn column(&self, at: Duration) -> Option<u16> {
        let ago = self.end.checked_sub(at).filter(|ago| *ago < self.span)?;
        let columns = ago.as_nanos() * u128::from(self.plot.width) / self.span.as_nanos();
        self.plot
            .width
            .checked_sub(1)?
            .checked_sub(u16::try_from(columns).ok()?)
    }
}

/// What is where on screen, as it was last drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The screen, where nothing lay over it. Keys may come faster than it is drawn.
    pub bare: Option<Screen>,
    /// Areas that can be clicked; a later one lies over an earlier one.
    pub spots: Vec<(Rect, Spot)>,
    /// The panels, in the order in which Tab goes through them.
    pub panels: Vec<PanelHit>,
    /// The topmost popup, while one is open.
    pub popup: Option<PanelHit>,
    /// The charts.
    pub charts: Vec<ChartHit>,
    /// Where the strip of what is played is.
    pub strip: Option<Rect>,
}

impl Hits {
    /// What lies at a position.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<Spot> {
        self.spots
            .iter()
            .rev()
            .find(|(area, _)| area.contains(position))
            .map(|(_, spot)| *spot)
    }

    /// A panel on screen.
    #[must_use]
    pub fn panel(&self, id: PanelId) -> Option<&PanelHit> {
        self.panels.iter().find(|panel| panel.id == id)
    }
}
