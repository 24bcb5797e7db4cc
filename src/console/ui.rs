//! Where the person is and how they want to see it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::screen::{PanelId, Screen};
use super::widget::time::Zone;
use crate::base::time::Moment;
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
}

/// How long a flash stays, and how many are remembered.
pub(super) const FLASH: (Duration, usize) = (Duration::from_secs(4), 50);

/// Spans of charts, shortest first.
pub const RANGES: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// Where the person is and how they want to see it.
#[derive(Clone, Debug)]
pub struct Ui {
    pub(super) screen: Screen,
    pub(super) focus: BTreeMap<Screen, PanelId>,
    pub(super) zoomed: bool,
    pub(super) scroll: BTreeMap<PanelId, usize>,
    pub(super) help: Option<usize>,
    pub(super) range: Option<Duration>,
    pub(super) zones: (Zone, Option<Zone>),
    pub(super) local: bool,
    pub(super) mouse: bool,
    pub(super) theme: usize,
    pub(super) flashes: VecDeque<Flash>,
}

impl Ui {
    /// The screen.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.screen
    }

    /// The panel that keys go to.
    #[must_use]
    pub fn focus(&self) -> Option<PanelId> {
        self.focus.get(&self.screen).copied()
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

    /// The first row of the help that is shown, while it is open.
    #[must_use]
    pub fn help(&self) -> Option<usize> {
        self.help
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
}
