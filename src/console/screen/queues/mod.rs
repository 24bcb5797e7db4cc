//! The second screen: every stream and consumer, what waits, what is held, how it moves.

mod detail;
mod list;
mod plain;

pub use list::word;

use std::sync::Arc;

use ratatui::layout::{Constraint, Layout, Rect};

use super::{Hits, Opening, Page, PanelId, Scene, Stage, history};
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, order};
use crate::console::widget::{Frame, Line, span};
use crate::model::field::Field;
use crate::model::{Queue, SeriesKey};
use crate::sample::{ConsumerKey, Interest, Scope, SourceKind};

/// The table.
pub(super) const LIST: PanelId = PanelId("queues.list");

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct Queues;

impl Page for Queues {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let rows = list::List { scene: *scene };
        let frame = Frame {
            title: "Queues",
            note: requests(scene),
            ..Frame::default()
        };
        let hint = super::absence(
            scene,
            SourceKind::Jetstream,
            "Not watched: --nats URL shows what waits.",
            "Waiting for the first look at the streams.",
        );
        let zoomed = scene.ui.zoomed().and_then(|panel| detail::history_of(scene, panel));
        if let Some((key, at)) = zoomed {
            detail::history(scene, &key, at, |history| history::draw(scene, stage, area, &history));
            return;
        }
        // Without a row there is nothing to chart, and its room would stay empty.
        let (table, below) = if scene.ui.zoomed().is_some() || scene.row(LIST).is_none() {
            (area, None)
        } else {
            history::beneath(area, scene.view.queues.len())
        };
        stage.grid(scene, LIST, table, frame, &rows, &hint);
        if let (Some(below), Some(key)) = (below, scene.row(LIST)) {
            let across = usize::from((below.width / 48).max(1)).min(detail::CHARTS.len());
            let places = Layout::horizontal(vec![Constraint::Fill(1); across]).split(below);
            for (at, place) in places.iter().enumerate() {
                detail::history(scene, &key, at, |history| history::draw(scene, stage, *place, &history));
            }
        }
    }

    fn home(&self) -> Option<PanelId> {
        Some(LIST)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[LIST]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        (panel == LIST).then(|| Box::new(list::List { scene }) as Box<dyn Rows>)
    }

    fn open(&self, _: &Scene<'_>, panel: PanelId, _: Option<&str>) -> Opening {
        if panel == LIST {
            Opening::Detail
        } else {
            Opening::Nothing
        }
    }

    fn detail(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
        detail::draw(scene, stage, area, key);
    }

    fn detail_home(&self) -> Option<PanelId> {
        Some(detail::FIGURES)
    }

    fn interest(&self, scene: &Scene<'_>, hits: &Hits, interest: &mut Interest) {
        if let Some(queue) = scene.ui.detail().and_then(|detail| find(scene, &detail.key)) {
            interest.subjects = Some(queue.stream.clone());
            interest.queues = Scope::Rows(consumer(queue).into_iter().collect());
            return;
        }
        let Some(panel) = hits.panel(LIST) else { return };
        let rows = list::List { scene: *scene };
        let order = order(&rows, scene.ui.grid(LIST));
        let visible = order.iter().skip(panel.first).take(panel.visible);
        let keys = visible.filter_map(|row| consumer(&scene.view.queues[*row]));
        interest.queues = Scope::Rows(keys.collect());
    }

    fn charted(&self, scene: &Scene<'_>) -> Vec<SeriesKey> {
        let Some(detail) = scene.ui.detail() else {
            return Vec::new();
        };
        let subject: Arc<str> = detail.key.as_str().into();
        let charted = detail::CHARTS.iter().map(|(field, _)| *field);
        charted.map(|field| SeriesKey::about(field, subject.clone())).collect()
    }

    fn figures<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Vec<(Field, &'a crate::model::Reading)> {
        let Some(queue) = scene.ui.detail().and_then(|detail| find(&scene, &detail.key)) else {
            return Vec::new();
        };
        let _ = panel;
        list::FIGURES
            .iter()
            .map(|(field, figure)| (*field, figure(queue)))
            .collect()
    }

    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        let detail = scene.ui.detail()?;
        Some(detail::summary(scene, find(scene, &detail.key)?))
    }
}

/// The queue of a row's key.
pub(super) fn find<'a>(scene: &Scene<'a>, key: &str) -> Option<&'a Queue> {
    scene.view.queues.iter().find(|queue| is(queue, key))
}

/// A row's key: `stream/consumer`, or the stream alone.
pub(super) fn key(queue: &Queue) -> String {
    match &queue.consumer {
        Some(consumer) => format!("{}/{consumer}", queue.stream),
        None => queue.stream.to_string(),
    }
}

fn is(queue: &Queue, key: &str) -> bool {
    match (&queue.consumer, key.strip_prefix(&*queue.stream)) {
        (None, Some("")) => true,
        (Some(consumer), Some(rest)) => rest.strip_prefix('/') == Some(consumer),
        _ => false,
    }
}

fn consumer(queue: &Queue) -> Option<ConsumerKey> {
    Some(ConsumerKey {
        stream: queue.stream.clone(),
        consumer: queue.consumer.clone()?,
    })
}

/// Rows from which on their number is told.
const MANY: usize = 60;

/// How much there is, and what watching costs the server: our own requests, so that nobody has to guess.
fn requests(scene: &Scene<'_>) -> Line<'static> {
    let mut line = Line::new();
    // More than anybody would count.
    let rows = scene.view.queues.len();
    if rows > MANY {
        line.push(span(format!("{} rows  ", text::count(rows as u64)), Role::Note));
    }
    if let Some(rate) = scene.view.api_calls_per_s.value {
        line.push(span(format!("our requests {}/s", text::per_second(rate)), Role::Note));
    }
    line
}
