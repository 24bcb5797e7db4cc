//! The fourth screen: who fails, how often, and why.

mod causes;
mod modes;
mod off;
mod providers;
mod webhooks;

pub use providers::is_silent_other;

use ratatui::layout::{Constraint, Layout, Rect};

use super::{Opening, Page, PanelId, Place, Scene, Screen, Stage, history};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::grid::Rows;
use crate::console::widget::{Frame, Line, span};
use crate::model::field::Field;
use crate::model::{FailureGroup, SeriesKey};
use crate::sample::SourceKind;

const PROVIDERS: PanelId = PanelId("failures.providers");
const CAUSES: PanelId = PanelId("failures.causes");
const WEBHOOKS: PanelId = PanelId("failures.webhooks");
const MODES: PanelId = PanelId("failures.modes");
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
                let more = scene.view.failures_left_out;
                let note = match more {
                    0 => Line::new(),
                    more => vec![span(format!("{} older left out", text::count(more)), Role::Note)],
                };
                let frame = Frame {
                    title: "By cause",
                    note,
                    ..Frame::default()
                };
                stage.grid(scene, CAUSES, area, frame, &list, "Nothing has failed since the start.");
            }
            WEBHOOKS => {
                let more = scene.view.webhooks_left_out;
                let note = match more {
                    0 => vec![span("percentiles over 24 h", Role::Note)],
                    more => vec![span(format!("{} left out", text::count(more)), Role::Warning)],
                };
                let frame = Frame {
                    title: "Webhooks sent",
                    note,
                    ..Frame::default()
                };
                let hint = "Nothing is known of webhooks that this pipeline sends.";
                stage.grid(scene, WEBHOOKS, area, frame, &webhooks::List::new(*scene), hint);
            }
            MODES => {
                let frame = Frame {
                    title: "Queue, NATS and both",
                    ..Frame::default()
                };
                stage.grid(scene, MODES, area, frame, &modes::List::new(*scene), "");
            }
            OFF => off::draw(scene, stage, area, OFF),
            RECEIVED | RATIO => Self::chart(scene, stage, area, panel),
            _ => {}
        }
    }
}

impl Failures {
    /// A history of the provider under the cursor.
    fn chart(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, panel: PanelId) {
        let subject = scene.row(PROVIDERS);
        let mut providers = scene.view.providers.iter();
        let provider = providers.find(|known| Some(&*known.name) == subject.as_deref());
        let (field, current) = if panel == RECEIVED {
            (Field::ReceivedPerS, provider.map(|provider| &provider.received_per_s))
        } else {
            (Field::ErrorRatio, provider.map(|provider| &provider.error_ratio))
        };
        let history = history::History {
            id: panel,
            field,
            subject: subject.as_deref(),
            named: true,
            current,
        };
        history::draw(scene, stage, area, &history);
    }

    /// The providers, and what is charted of the one under the cursor.
    fn providers(scene: &Scene<'_>, stage: &mut Stage<'_>, top: Rect) {
        if top.width < 110 {
            Self::panel(scene, stage, top, PROVIDERS);
            return;
        }
        let [table, charts] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(top);
        Self::panel(scene, stage, table, PROVIDERS);
        if charts.height >= 14 {
            let [received, ratio] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(charts);
            Self::panel(scene, stage, received, RECEIVED);
            Self::panel(scene, stage, ratio, RATIO);
        } else {
            Self::panel(scene, stage, charts, RATIO);
        }
    }

    /// The same of a pipeline that sends webhooks: those come first.
    fn with_webhooks(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let view = scene.view;
        let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).saturating_add(3);
        let receives = view.providers.iter().any(|provider| !is_silent_other(provider));
        // Each of these panels is as high as its rows, and no higher than its share.
        let webhooks = rows(view.webhooks.len()).min(area.height / 2).max(5);
        let modes = if area.height >= 24 {
            rows(view.modes.len()).min(7)
        } else {
            0
        };
        let providers = match (receives, area.height) {
            (false, _) => 0,
            (true, ..30) => rows(view.providers.len()).min(area.height / 4).max(4),
            (true, _) => (area.height / 4).max(7),
        };
        let [top, sent, by_mode, causes] = Layout::vertical([
            Constraint::Length(providers),
            Constraint::Length(webhooks),
            Constraint::Length(modes),
            Constraint::Fill(1),
        ])
        .areas(area);
        if providers > 0 {
            Self::providers(scene, stage, top);
        }
        Self::panel(scene, stage, sent, WEBHOOKS);
        if modes > 0 {
            Self::panel(scene, stage, by_mode, MODES);
        }
        Self::panel(scene, stage, causes, CAUSES);
    }
}

impl Page for Failures {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let panels = [PROVIDERS, WEBHOOKS, MODES, CAUSES, RECEIVED, RATIO, OFF];
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
        if scene.view.webhooks.is_empty() {
            let [top, middle] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(main);
            Self::providers(scene, stage, top);
            Self::panel(scene, stage, middle, CAUSES);
        } else {
            Self::with_webhooks(scene, stage, main);
        }
        if below > 0 {
            Self::panel(scene, stage, bottom, OFF);
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(PROVIDERS)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[PROVIDERS, WEBHOOKS, MODES, CAUSES]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        match panel {
            PROVIDERS => Some(Box::new(providers::List::new(scene))),
            CAUSES => Some(Box::new(causes::List::new(scene))),
            WEBHOOKS => Some(Box::new(webhooks::List::new(scene))),
            MODES => Some(Box::new(modes::List::new(scene))),
            _ => None,
        }
    }

    fn open(&self, scene: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        match (panel, row) {
            // A row of Postgres has no event of its own.
            (CAUSES, Some(row)) if scene.view.failures.iter().all(|told| !is_of(told, row)) => Opening::Go(Place {
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

/// Whether a row of the causes is this one.
fn is_of(told: &FailureGroup, row: &str) -> bool {
    row.strip_prefix(&*told.relation)
        .and_then(|rest| rest.strip_prefix(' '))
        .is_some_and(|kind| kind == told.kind)
}
