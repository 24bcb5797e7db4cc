//! Where the person is and how they want to see it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::layer::{Detail, Layer};
use super::letters::Letters;
use super::range::RANGES;
use super::screen::id::{PanelId, Screen};
use super::widget::grid::GridState;
use super::widget::time::Zone;
use crate::base::time::{Moment, Timestamp};
use crate::model::Severity;

/// A short message in place of the key line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// The message.
    pub text: String,
    /// How bad.
    pub severity: Severity,
    /// When it was raised, time since session start.
    pub raised: Duration,
    /// When it was raised.
    pub at: Timestamp,
}

/// How long a flash stays, and how many are remembered.
pub(super) const FLASH: (Duration, usize) = (Duration::from_secs(4), 50);

/// A span of time chosen on a chart, oldest first, times since session start.
pub type Span = (Duration, Duration);

/// A drag over a chart that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drag {
    pub(super) panel: PanelId,
    pub(super) from: u16,
    pub(super) to: u16,
}

/// Where the person is and how they want to see it.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Debug)]
pub struct Ui {
    pub(super) screen: Screen,
    /// The panel of a screen that is focused until another one is.
    pub(super) home: fn(Screen) -> Option<PanelId>,
    pub(super) focus: BTreeMap<Screen, PanelId>,
    pub(super) zoomed: bool,
    pub(super) scroll: BTreeMap<PanelId, usize>,
    pub(super) grids: BTreeMap<PanelId, GridState>,
    pub(super) layers: Vec<Layer>,
    pub(super) range: Option<Duration>,
    pub(super) span: Option<Span>,
    pub(super) drag: Option<Drag>,
    /// Whether the mouse is being drawn over the strip.
    pub(super) scrubbing: bool,
    pub(super) clicked: Option<(PanelId, usize, Duration)>,
    pub(super) zones: (Zone, Option<Zone>),
    pub(super) local: bool,
    pub(super) mouse: bool,
    pub(super) theme: usize,
    pub(super) flashes: VecDeque<Flash>,
    pub(super) typed: Vec<String>,
    pub(super) letters: Letters,
}

/// What a table that nobody has touched looks like.
static UNTOUCHED: GridState = GridState {
    row: None,
    at: 0,
    offset: 0,
    column: None,
    sort: None,
    filter: String::new(),
    columns: BTreeMap::new(),
    marks: std::collections::BTreeSet::new(),
};

impl Ui {
    /// The screen.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.screen
    }

    /// The panel that keys go to.
    #[must_use]
    pub fn focus(&self) -> Option<PanelId> {
        let home = || match self.detail() {
            Some(_) => None,
            None => (self.home)(self.screen),
        };
        self.focus.get(&self.screen).copied().or_else(home)
    }

    /// The panel that has the whole screen.
    #[must_use]
    pub fn zoomed(&self) -> Option<PanelId> {
        self.focus().filter(|_| self.zoomed)
    }

    /// The first row of a panel that is shown, if it has that many.
    #[must_use]
    pub fn scroll(&self, panel: PanelId) -> usize {
        self.scroll.get(&panel).copied().unwrap_or(0)
    }

    /// What a person did to a table.
    #[must_use]
    pub fn grid(&self, panel: PanelId) -> &GridState {
        self.grids.get(&panel).unwrap_or(&UNTOUCHED)
    }

    /// What lies over the screen, the topmost last.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The row that is open in place of the screen.
    #[must_use]
    pub fn detail(&self) -> Option<&Detail> {
        self.layers.iter().rev().find_map(|layer| match layer {
            Layer::Detail(detail) => Some(detail),
            _ => None,
        })
    }

    /// The first row of the help that is shown, while it is open.
    #[must_use]
    pub fn help(&self) -> Option<usize> {
        match self.layers.last() {
            Some(Layer::Help(at)) => Some(*at),
            _ => None,
        }
    }

    /// How far charts reach back in a session of this age: as chosen, else the shortest range
    /// that holds all of it, up to 15 min.
    #[must_use]
    pub fn range(&self, age: Duration) -> Duration {
        self.range.unwrap_or_else(|| {
            RANGES
                .into_iter()
                .take(3)
                .find(|range| *range >= age)
                .unwrap_or(RANGES[2])
        })
    }

    /// The time that charts show: its end and how far it reaches back from there.
    #[must_use]
    pub fn window(&self, now: Moment, age: Duration) -> (Moment, Duration) {
        match self.span {
            Some((from, to)) => {
                let end = Moment {
                    at: now.at - now.mono.saturating_sub(to),
                    mono: to,
                };
                (end, to.saturating_sub(from))
            }
            None => (now, self.range(age)),
        }
    }

    /// The span that was chosen on a chart.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// The columns of the screen over which the mouse is being drawn on a chart.
    #[must_use]
    pub fn dragged(&self, panel: PanelId) -> Option<(u16, u16)> {
        let drag = self.drag.filter(|drag| drag.panel == panel && drag.from != drag.to)?;
        Some((drag.from.min(drag.to), drag.from.max(drag.to)))
    }

    /// The zone in which moments are shown.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.zones.1.as_ref().filter(|_| self.local).unwrap_or(&self.zones.0)
    }

    /// The message to show now.
    #[must_use]
    pub fn flash(&self, now: Moment) -> Option<&Flash> {
        self.flashes.back().filter(|flash| now.mono < flash.raised + FLASH.0)
    }

    /// The messages of this session, newest last.
    #[must_use]
    pub fn flashes(&self) -> impl DoubleEndedIterator<Item = &Flash> {
        self.flashes.iter()
    }

    /// What is known of dead letters.
    #[must_use]
    pub fn letters(&self) -> &Letters {
        &self.letters
    }

    /// Commands that were typed, newest last.
    #[must_use]
    pub fn typed(&self) -> &[String] {
        &self.typed
    }
}
