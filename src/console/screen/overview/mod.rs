//! The first screen: is anything wrong, what, why, and what to do.

mod chart;
mod database;
mod events;
mod flow;
mod layout;
mod ledger;
mod providers;
mod queues;
mod verdict;
mod welcome;
mod workers;

pub use verdict::summary;

use ratatui::layout::Rect;

use super::{PanelId, Scene, Stage};
use crate::base::time::since;
use crate::console::theme::Role;
use crate::console::widget::{Line, span};
use crate::model::{Health, Reading};
use crate::sample::SourceKind;

/// A panel of this screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Panel {
    Flow,
    Chart,
    Verdict,
    Providers,
    Workers,
    Ledger,
    Events,
    Queues,
    Database,
}

impl Panel {
    const ALL: [Self; 9] = [
        Self::Flow,
        Self::Chart,
        Self::Verdict,
        Self::Providers,
        Self::Workers,
        Self::Ledger,
        Self::Events,
        Self::Queues,
        Self::Database,
    ];

    fn id(self) -> PanelId {
        PanelId(match self {
            Self::Flow => "overview.flow",
            Self::Chart => "overview.chart",
            Self::Verdict => "overview.verdict",
            Self::Providers => "overview.providers",
            Self::Workers => "overview.workers",
            Self::Ledger => "overview.ledger",
            Self::Events => "overview.events",
            Self::Queues => "overview.queues",
            Self::Database => "overview.database",
        })
    }

    fn draw(self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let draw = match self {
            Self::Flow => flow::draw,
            Self::Chart => chart::draw,
            Self::Verdict => verdict::draw,
            Self::Providers => providers::draw,
            Self::Workers => workers::draw,
            Self::Ledger => ledger::draw,
            Self::Events => events::draw,
            Self::Queues => queues::draw,
            Self::Database => database::draw,
        };
        draw(scene, stage, area, self.id());
    }
}

/// Draws the screen.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    if scene.view.sources.iter().all(|source| source.state == Health::Off) {
        welcome::draw(scene, stage, area);
        return;
    }
    let zoomed = Panel::ALL
        .into_iter()
        .find(|panel| scene.ui.zoomed() == Some(panel.id()));
    match zoomed {
        Some(panel) => panel.draw(scene, stage, area),
        None => {
            for (panel, area) in layout::arrange(area) {
                panel.draw(scene, stage, area);
            }
        }
    }
}

/// Since when the oldest of some figures has not been renewed, where one of them is stale:
/// `stale 14 s`, for a panel's note.
fn staleness<'a>(scene: &Scene<'_>, readings: impl IntoIterator<Item = &'a Reading>) -> Option<Line<'static>> {
    let oldest = readings
        .into_iter()
        .filter(|reading| reading.is_stale())
        .filter_map(|reading| reading.at)
        .min()?;
    let age = super::status::whole(since(oldest, scene.view.now.at));
    Some(vec![span(format!("stale {age}"), Role::Warning)])
}

/// Why a panel that lives from sources of a kind is empty, in a sentence.
fn absence(scene: &Scene<'_>, kind: SourceKind, without: &str, meanwhile: &str) -> String {
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
