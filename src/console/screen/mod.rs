//! Screens: each draws a [`Scene`] onto a [`Stage`] and changes nothing.

pub mod help;
pub mod overview;
pub mod status;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::command::Command;
use super::keymap::Keymap;
use super::theme::{Role, Theme};
use super::ui::Ui;
use super::widget::time::Zone;
use super::widget::{Canvas, Frame, scroll_bar};
use crate::base::time::Moment;
use crate::model::{Histories, View};

/// The screens, by their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// `1`: flow, verdict, ledger.
    #[default]
    Overview,
    /// `2`: streams and consumers.
    Queues,
    /// `3`: workers.
    Workers,
    /// `4`: failures.
    Failures,
    /// `5`: dead letters.
    DeadLetters,
    /// `6`: test webhooks.
    TestWebhooks,
    /// `7`: events.
    Events,
}

impl Screen {
    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Queues => "Queues",
            Self::Workers => "Workers",
            Self::Failures => "Failures",
            Self::DeadLetters => "Dead letters",
            Self::TestWebhooks => "Test webhooks",
            Self::Events => "Events",
        }
    }

    /// Whether this version has it.
    #[must_use]
    pub fn exists(self) -> bool {
        self == Self::Overview
    }
}

/// A panel: its name is unique among all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PanelId(pub &'static str);

/// A label in the status line that says on what one works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badge {
    /// Private servers and a made-up load.
    Demo,
    /// Nothing can be changed from here.
    ReadOnly,
    /// A protected profile.
    Prod,
    /// Not now: a recording.
    Playback,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The figures.
    pub view: &'a View,
    /// The histories.
    pub histories: &'a Histories,
    /// The time now; later than the view's own while the picture is held still.
    pub now: Moment,
    /// The stream that is followed.
    pub stream: Option<&'a str>,
    /// On what one works.
    pub badges: &'a [Badge],
    /// Since when the picture is held still.
    pub paused: Option<Moment>,
    /// Where the person is.
    pub ui: &'a Ui,
    /// Which keys do what.
    pub keymap: &'a Keymap,
}

impl Scene<'_> {
    /// The zone in which moments are shown.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.ui.zone()
    }
}

/// What something on screen stands for when it is clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Runs a command.
    Command(Command),
    /// Focuses a panel.
    Panel(PanelId),
}

/// A panel on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelHit {
    /// Which.
    pub id: PanelId,
    /// Rows of content.
    pub rows: usize,
    /// Rows of content that there is room for.
    pub visible: usize,
}

/// What is where on screen, as it was last drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Areas that can be clicked; a later one lies over an earlier one.
    pub spots: Vec<(Rect, Spot)>,
    /// The panels, in the order in which Tab goes through them.
    pub panels: Vec<PanelHit>,
    /// The help, while it is open.
    pub help: Option<PanelHit>,
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
        self.hits.panels.push(PanelHit {
            id,
            rows: 0,
            visible: 0,
        });
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
    pub fn lines(
        &mut self,
        scene: &Scene<'_>,
        id: PanelId,
        area: Rect,
        inner: Rect,
        lines: &[super::widget::Line<'_>],
    ) {
        let offset = self.scroll(scene, id, area, lines.len(), usize::from(inner.height));
        for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
            self.canvas.line(inner.left(), y, inner.width, line);
        }
    }

    /// Says in the middle of a panel why it is empty.
    pub fn hint(&mut self, inner: Rect, text: &str) {
        if inner.height < 2 {
            self.canvas.put(inner.left(), inner.top(), inner.width, text, Role::Dim);
            return;
        }
        let rows = super::widget::wrap(text, inner.width.min(60), usize::from(inner.height));
        let height = u16::try_from(rows.len()).unwrap_or(0);
        let top = inner.top() + inner.height.saturating_sub(height) / 2;
        for (row, y) in rows.iter().zip(top..inner.bottom()) {
            let width = self.canvas.text_width(row);
            let x = inner.left() + inner.width.saturating_sub(width) / 2;
            self.canvas.put(x, y, inner.width, row, Role::Dim);
        }
    }
}

/// Draws a screen.
pub fn draw(screen: Screen, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    match screen {
        // The others are not there yet, and update goes to none of them.
        Screen::Overview
        | Screen::Queues
        | Screen::Workers
        | Screen::Failures
        | Screen::DeadLetters
        | Screen::TestWebhooks
        | Screen::Events => overview::draw(scene, stage, area),
    }
}
