//! What a screen is to the rest of the console, and what the panels of all screens say alike.

use ratatui::layout::Rect;

use super::hits::Hits;
use super::id::{PanelId, Place};
use super::scene::Scene;
use super::stage::Stage;
use crate::base::text;
use crate::console::command::Command;
use crate::console::theme::Role;
use crate::console::widget::grid::Rows;
use crate::console::widget::{Line, span};
use crate::model::field::Field;
use crate::model::{Health, Reading, SeriesKey};
use crate::sample::{Interest, SourceKind};

/// What a screen is to the rest of the console.
pub trait Page: Sync {
    /// Draws it.
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect);

    /// The panel that is focused until another one is.
    fn home(&self) -> Option<PanelId> {
        None
    }

    /// The panels that are tables: their sort and columns are kept between runs.
    fn tables(&self) -> &'static [PanelId] {
        &[]
    }

    /// The rows of a panel that is a table, of the screen itself or of an open row.
    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        let _ = (scene, panel);
        None
    }

    /// What Enter does on a panel; of a table, on a row.
    fn open(&self, scene: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        let _ = (scene, panel, row);
        Opening::Nothing
    }

    /// Draws an open row in place of the screen.
    fn detail(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
        let _ = key;
        self.draw(scene, stage, area);
    }

    /// The panel of an open row that is focused at first.
    fn detail_home(&self) -> Option<PanelId> {
        None
    }

    /// Adds what sources should read for what is on screen.
    fn interest(&self, scene: &Scene<'_>, hits: &Hits, interest: &mut Interest) {
        let _ = (scene, hits, interest);
    }

    /// Histories that are charted on screen: their fine values are kept longest.
    fn charted(&self, scene: &Scene<'_>) -> Vec<SeriesKey> {
        let _ = scene;
        Vec::new()
    }

    /// The figures of a panel that is not a table, for `i`.
    fn figures<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Vec<(Field, &'a Reading)> {
        let _ = (scene, panel);
        Vec::new()
    }

    /// What `y` copies, where that is more than the focused row; `None`: the row, else the verdicts.
    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        let _ = scene;
        None
    }
}

/// What Enter does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing.
    Nothing,
    /// Shows the row in place of the screen.
    Detail,
    /// Runs a command.
    Run(Command),
    /// Goes to a row of another screen.
    Go(Place),
    /// What the screen itself does with a row.
    Own,
    /// Narrows the list of letters to a group.
    Narrow(String),
}

/// Why a panel that lives from sources of a kind is empty, in a sentence.
#[must_use]
pub fn absence(scene: &Scene<'_>, kind: SourceKind, without: &str, meanwhile: &str) -> String {
    let mut of_kind = scene
        .view
        .sources
        .iter()
        .filter(|source| source.id.kind == kind)
        .peekable();
    if of_kind.peek().is_none() {
        return without.to_owned();
    }
    if of_kind.all(|source| source.state == Health::Failing) {
        return "Its source does not answer: see the top of the screen.".to_owned();
    }
    meanwhile.to_owned()
}

/// How many labels were left out because there are too many, for a panel's note.
#[must_use]
pub fn left_out(scene: &Scene<'_>) -> Line<'static> {
    match scene.view.left_out {
        0 => Line::new(),
        count => vec![span(format!("{} left out", text::count(count)), Role::Warning)],
    }
}
