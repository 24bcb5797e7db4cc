//! Which page draws which screen.

use ratatui::layout::Rect;

use super::id::{PanelId, Screen};
use super::page::Page;
use super::scene::Scene;
use super::stage::Stage;
use super::{dead_letters, events, failures, fire, overview, queues, workers};
use crate::console::widget::grid::Rows;

impl Screen {
    /// What draws it.
    #[must_use]
    pub fn page(self) -> &'static dyn Page {
        match self {
            Self::Queues => &queues::Queues,
            Self::Workers => &workers::Workers,
            Self::Failures => &failures::Failures,
            Self::DeadLetters => &dead_letters::DeadLetters,
            Self::Events => &events::Events,
            Self::TestWebhooks => &fire::TestWebhooks,
            // The others are not there yet, and update goes to none of them.
            Self::Overview => &overview::Overview,
        }
    }
}

/// The panel of a screen that is focused until another one is.
pub(in crate::console) fn home(screen: Screen) -> Option<PanelId> {
    screen.page().home()
}

/// The rows of a panel of the screen that is shown.
pub(in crate::console) fn rows<'a>(scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
    scene.ui.screen().page().rows(scene, panel)
}

/// Draws the screen, or the row that is open in its place.
pub(in crate::console) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let page = scene.ui.screen().page();
    match scene.ui.detail() {
        Some(detail) => page.detail(scene, stage, area, &detail.key),
        None => page.draw(scene, stage, area),
    }
}
