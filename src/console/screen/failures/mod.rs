//! The fourth screen: who fails, how often, and why.

mod causes;
mod off;
mod providers;

pub use providers::is_silent_other;

use ratatui::layout::{Constraint, Layout, Rect};

use super::{Opening, Page, PanelId, Place, Scene, Screen, Stage, history};
use crate::console::widget::Frame;
use crate::console::widget::grid::Rows;
use crate::model::SeriesKey;
use crate::model::field::Field;
use crate::sample::SourceKind;

const PROVIDERS: PanelId = PanelId("failures.providers");
const CAUSES: PanelId = PanelId("failures.causes");
const RECEIVED: PanelId = PanelId("failures.received");
const RATIO: PanelId = PanelId("failures.ratio");
const OFF: PanelId = PanelId("failures.off");

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct Failures;

impl Failures {
    fn panel(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId) {
        match panel {
            PROVIDERS => {
                let hint = super::absence(
                    scene,
                    SourceKind::Metrics,
                    "Not watched: --metrics URL of the gateway shows who sends.",
                    "Waiting for the gateway's counters.",
                );
                let frame = Frame {
                    title: "By provider",
                    note: super::left_out(scene),
                    ..Frame::default()
                };
                stage.grid(scene, PROVIDERS, area, frame, &providers::List::new(*scene), &hint);
            }
            CAUSES => {
                let list = causes::List::new(*scene);
                let frame = Frame {
                    title: "By cause",
                    ..Frame::default()
                };
                stage.grid(scene, CAUSES, area, frame, &list, "Nothing has failed since the start.");
            }
            OFF => off::draw(scene, stage, area, OFF),
            RECEIVED | RATIO => {
                let subject = scene.row(PROVIDERS);
                let provider = scene
                    .view
                    .providers
                    .iter()
                    .find(|known| Some(&*known.name) == subject.as_deref());
                let (field, reading) = if panel == RECEIVED {
                    (Field::ReceivedPerS, provider.map(|provider| &provider.received_per_s))
                } else {
                    (Field::ErrorRatio, provider.map(|provider| &provider.error_ratio))
                };
                let history = history::History {
                    id: panel,
                    field,
                    subject: subject.as_deref(),
                    named: true,
                    current: reading,
                };
                history::draw(scene, stage, area, &history);
            }
            _ => {}
        }
    }
}

impl Page for Failures {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let panels = [PROVIDERS, CAUSES, RECEIVED, RATIO, OFF];
        if let Some(panel) = panels.into_iter().find(|panel| scene.ui.zoomed() == Some(*panel)) {
            Self::panel(scene, stage, area, panel);
            return;
        }
        let off = off::rows(scene);
        let below = if off == 0 {
            0
        } else {
            (off + 2).min(area.height / 4).max(3)
        };
        let [main, bottom] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
        let [top, middle] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(main);
        if area.width >= 110 {
            let [table, charts] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(top);
            Self::panel(scene, stage, table, PROVIDERS);
            if charts.height >= 14 {
                let [received, ratio] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
                Self::panel(scene, stage, received, RECEIVED);
                Self::panel(scene, stage, ratio, RATIO);
            } else {
                Self::panel(scene, stage, charts, RATIO);
            }
        } else {
            Self::panel(scene, stage, top, PROVIDERS);
        }
        Self::panel(scene, stage, middle, CAUSES);
        if below > 0 {
            Self::panel(scene, stage, bottom, OFF);
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(PROVIDERS)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[PROVIDERS, CAUSES]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        match panel {
            PROVIDERS => Some(Box::new(providers::List::new(scene))),
            CAUSES => Some(Box::new(causes::List::new(scene))),
            _ => None,
        }
    }

    fn open(&self, _: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        match (panel, row) {
            (CAUSES, Some(row)) => Opening::Go(Place {
                screen: Screen::Events,
                panel: PanelId("events.list"),
                row: row.to_owned(),
            }),
            (RECEIVED | RATIO | OFF, _) => Opening::Run(crate::console::command::Command::Zoom),
            _ => Opening::Nothing,
        }
    }

    fn charted(&self, scene: &Scene<'_>) -> Vec<SeriesKey> {
        let Some(subject) = scene.row(PROVIDERS) else {
            return Vec::new();
        };
        let charted = [Field::ReceivedPerS, Field::ErrorRatio];
        charted.map(|field| SeriesKey::about(field, subject.as_str())).to_vec()
    }
}
