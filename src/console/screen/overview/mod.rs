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

use super::{Opening, Page, PanelId, Scene, Stage, absence};
use crate::base::time::since;
use crate::console::command::Command;
use crate::console::theme::Role;
use crate::console::widget::{Line, span};
use crate::model::field::Field;
use crate::model::{Health, Reading, SeriesKey};

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

    /// Where Enter goes to see more of it.
    fn leads_to(self) -> Command {
        match self {
            Self::Verdict => Command::Verdicts,
            Self::Providers => Command::ShowFailures,
            Self::Workers => Command::ShowWorkers,
            Self::Events => Command::ShowEvents,
            Self::Queues => Command::ShowQueues,
            Self::Flow | Self::Chart | Self::Ledger | Self::Database => Command::Zoom,
        }
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

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct Overview;

impl Page for Overview {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        draw(scene, stage, area);
    }

    fn open(&self, scene: &Scene<'_>, panel: PanelId, _: Option<&str>) -> Opening {
        // From the whole flow it goes on to what fell out of it.
        if panel == Panel::Flow.id() && scene.ui.zoomed() == Some(panel) {
            return Opening::Run(Command::ShowDeadLetters);
        }
        let panel = Panel::ALL.into_iter().find(|known| known.id() == panel);
        panel.map_or(Opening::Nothing, |panel| Opening::Run(panel.leads_to()))
    }

    fn charted(&self, _: &Scene<'_>) -> Vec<SeriesKey> {
        let charted = [Field::StoredPerS, Field::ProcessedPerS, Field::Backlog];
        charted.map(SeriesKey::of).to_vec()
    }

    fn figures<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Vec<(Field, &'a Reading)> {
        let flow = &scene.view.flow;
        if panel == Panel::Database.id() {
            return vec![
                (Field::WrittenPerS, &flow.written_per_s),
                (Field::UpdateP95, &flow.update_p95_s),
            ];
        }
        vec![
            (Field::ReceivedPerS, &flow.received_per_s),
            (Field::QueuedPerS, &flow.queued_per_s),
            (Field::StoredPerS, &flow.stored_per_s),
            (Field::Backlog, &flow.backlog),
            (Field::BacklogPerS, &flow.backlog_per_s),
            (Field::OldestWaiting, &flow.oldest_waiting_s),
            (Field::OldestHeld, &flow.oldest_held_s),
            (Field::DrainEta, &flow.drain_eta_s),
            (Field::LimitEta, &flow.limit_eta_s),
            (Field::ProcessedPerS, &flow.processed_per_s),
            (Field::BatchP95, &flow.batch_p95_s),
            (Field::WrittenPerS, &flow.written_per_s),
            (Field::UpdateP95, &flow.update_p95_s),
            (Field::Dead, &flow.dead),
            (Field::ResponseP99, &flow.response_p99_s),
        ]
    }
}

fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
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
