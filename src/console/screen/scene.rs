//! What is drawn: everything that a screen may know, borrowed.

use std::sync::Arc;
use std::time::Duration;

use super::id::PanelId;
use crate::base::time::{Moment, since};
use crate::console::bench::Bench;
use crate::console::command::{Command, Mode};
use crate::console::fleet::Fleet;
use crate::console::keymap::Keymap;
use crate::console::palette::Choices;
use crate::console::player::{Player, Tape};
use crate::console::ui::Ui;
use crate::console::widget::grid::{Rows, order};
use crate::console::widget::time::Zone;
use crate::model::{Histories, View};

/// The rows of a panel that is a table.
pub type Tables = for<'a> fn(Scene<'a>, PanelId) -> Option<Box<dyn Rows + 'a>>;

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
    /// The time now; later than the view's own while the picture is held still. Of the past, the
    /// time that is shown.
    pub now: Moment,
    /// The time of the person before the screen.
    pub wall: Moment,
    /// What is played, and where one stands in it.
    pub player: Option<&'a Player>,
    /// The recording in the making.
    pub tape: Option<&'a Tape>,
    /// The figures of the live session, whatever is shown.
    pub live: Option<&'a View>,
    /// The moment to compare with.
    pub pinned: Option<&'a View>,
    /// The stream that is followed.
    pub stream: Option<&'a str>,
    /// On what one works.
    pub badges: &'a [Badge],
    /// The profile's own label, loud beside its name.
    pub label: Option<&'a str>,
    /// Since when the picture is held still.
    pub paused: Option<Moment>,
    /// Where the person is.
    pub ui: &'a Ui,
    /// The rows of a panel of this screen that is a table.
    pub tables: Tables,
    /// Which keys do what.
    pub keymap: &'a Keymap,
    /// The names of the themes.
    pub themes: &'a [Arc<str>],
    /// Test webhooks.
    pub bench: &'a Bench,
    /// The profiles beside this one.
    pub fleet: Option<&'a Fleet>,
}

impl<'a> Scene<'a> {
    /// The zone in which moments are shown.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.ui.zone()
    }

    /// The key of a command, as it is written: whoever has chosen another one reads that.
    #[must_use]
    pub fn key(&self, command: Command) -> String {
        self.keymap.key(command)
    }

    /// How old the session is at the moment that is shown.
    #[must_use]
    pub fn age(&self) -> Duration {
        since(self.view.started, self.view.now.at)
    }

    /// The time that charts show: its end and how far it reaches back.
    #[must_use]
    pub fn window(&self) -> (Moment, Duration) {
        self.ui.window(self.view.now, self.age())
    }

    /// The rows of a panel of this screen that is a table.
    #[must_use]
    pub fn rows(self, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        (self.tables)(self, panel)
    }

    /// What the palette can name behind a word now.
    #[must_use]
    pub fn choices(&self) -> Choices {
        let columns = self.ui.focus().and_then(|panel| self.rows(panel)).map(|rows| {
            let titles = rows.columns().iter().map(|column| column.title.to_owned());
            titles.collect()
        });
        Choices {
            themes: self.themes.iter().map(ToString::to_string).collect(),
            columns: columns.unwrap_or_default(),
            profiles: self
                .fleet
                .iter()
                .flat_map(|fleet| &fleet.lanes)
                .map(|lane| lane.name.to_string())
                .collect(),
            screen: self.ui.screen(),
            mode: self.mode(),
        }
    }

    /// What is on screen: now, or something that is over.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.player {
            None => Mode::Live,
            Some(player) if player.reel.live => Mode::Rewind,
            Some(_) => Mode::Recording,
        }
    }

    /// The key of a table's row under the cursor.
    #[must_use]
    pub fn row(&self, panel: PanelId) -> Option<String> {
        let rows = self.rows(panel)?;
        let grid = self.ui.grid(panel);
        let order = order(&*rows, grid);
        let at = grid.cursor(&*rows, &order)?;
        Some(rows.key(order[at]).into_owned())
    }
}
