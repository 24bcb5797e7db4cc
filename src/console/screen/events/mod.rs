//! The seventh screen: one timeline of what happened.

pub(super) mod line;

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{Opening, Page, PanelId, Place, Scene, Screen, Stage, queues, workers};
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, span};
use crate::model::{Event, EventKind};
use line::looks;

/// The table.
const LIST: PanelId = PanelId("events.list");

/// The screen.
#[derive(Clone, Copy, Debug)]
pub struct Events;

impl Page for Events {
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
        let frame = Frame {
            title: "Events",
            note: vec![span("newest first", Role::Note)],
            ..Frame::default()
        };
        let hint = format!("Nothing has happened since {}.", scene.zone().clock(scene.view.started));
        stage.grid(scene, LIST, area, frame, &List { scene: *scene }, &hint);
    }

    fn home(&self) -> Option<PanelId> {
        Some(LIST)
    }

    fn tables(&self) -> &'static [PanelId] {
        &[LIST]
    }

    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        (panel == LIST).then(|| Box::new(List { scene }) as Box<dyn Rows>)
    }

    /// Goes to what the event is about.
    fn open(&self, scene: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        let list = List { scene: *scene };
        let found = (0..list.count()).find(|at| Some(&*list.key(*at)) == row);
        match found.filter(|_| panel == LIST) {
            Some(at) => place(scene, list.event(at)),
            None => Opening::Nothing,
        }
    }
}

/// The place that an event is about: a worker or a queue that it names, else the screen of its kind.
fn place(scene: &Scene<'_>, event: &Event) -> Opening {
    let names = |name: &str| mentions(&event.text, name) || mentions(&event.detail, name);
    if let Some(worker) = scene.view.workers.iter().find(|worker| names(&worker.name)) {
        return Opening::Go(Place {
            screen: Screen::Workers,
            panel: workers::LIST,
            row: worker.name.to_string(),
        });
    }
    let queue = scene.view.queues.iter().find(|queue| {
        let consumer = queue.consumer.as_deref();
        names(&queues::key(queue)) || names(&queue.stream) && consumer.is_none_or(&names)
    });
    if let Some(queue) = queue.or_else(|| scene.view.queues.iter().find(|queue| names(&queue.stream))) {
        return Opening::Go(Place {
            screen: Screen::Queues,
            panel: queues::LIST,
            row: queues::key(queue),
        });
    }
    Opening::Run(match event.kind {
        EventKind::Verdict => Command::Verdicts,
        EventKind::Advisory => Command::ShowQueues,
        EventKind::Process => Command::ShowWorkers,
        EventKind::Action => Command::ShowDeadLetters,
        EventKind::Source | EventKind::Console => Command::ShowOverview,
    })
}

/// Whether a text holds a name as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            !before.is_some_and(part) && !after.is_some_and(part)
        })
}

const COLUMNS: [Column; 6] = [
    Column::text("when", 14, 0),
    Column::text("severity", 10, 1),
    Column::text("kind", 9, 2),
    Column::name("what", 44),
    Column::number("times", 6, 4),
    Column {
        rank: 3,
        ..Column::name("more", 20)
    },
];

/// Every event, newest first.
struct List<'a> {
    scene: Scene<'a>,
}

impl<'a> List<'a> {
    fn event(&self, row: usize) -> &'a Event {
        let events = &self.scene.view.events;
        &events[events.len() - 1 - row]
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.scene.view.events.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        let event = self.event(row);
        format!("{} {}", event.at, event.text).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let event = self.event(row);
        match column {
            0 => Value::At(event.at),
            1 => Value::text(event.severity.word()),
            2 => Value::text(event.kind.word()),
            3 => Value::text(event.text.as_str()),
            4 => Value::Number(event.count as f64, crate::model::field::Unit::Count),
            _ => Value::text(event.detail.as_str()),
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let event = self.event(row);
        let (glyph, role) = looks(event, glyphs);
        match column {
            0 => {
                let zone = self.scene.zone();
                let clock = zone.clock(event.at);
                // The date where it is another one.
                let minute = zone.minute(event.at, self.scene.view.now.at);
                let day = minute
                    .split_once(' ')
                    .map_or(String::new(), |(day, _)| format!("{day} "));
                Cell::Text(vec![span(day + &clock, Role::Dim)])
            }
            1 => Cell::Text(vec![span(format!("{glyph} "), role), span(event.severity.word(), role)]),
            4 if event.times().is_none() => Cell::blank(),
            5 => Cell::Text(vec![span(event.detail.as_str(), Role::Dim)]),
            2 => Cell::Text(vec![span(event.kind.word(), Role::Dim)]),
            _ => plain(self.value(row, column)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_mentioned_as_a_word_only() {
        assert!(mentions("worker w-1 up", "w-1"));
        assert!(mentions("w-1: gone", "w-1"));
        assert!(!mentions("worker w-12 up", "w-1"));
        assert!(!mentions("webhooks_dlq", "webhooks"));
        assert!(!mentions("anything", ""));
    }
}
