//! Streams and consumers, where there is room for them.

use ratatui::layout::Rect;

use super::super::queues::word;
use super::super::{PanelId, Scene, Stage};
use super::{absence, staleness};
use crate::console::theme::Role;
use crate::console::widget::table::{self, Cell, Column};
use crate::console::widget::{Frame, span};
use crate::model::Queue;
use crate::model::field::Unit;
use crate::sample::SourceKind;

const COLUMNS: [Column; 6] = [
    Column::name("queue", 14),
    Column::text("state", 10, 0),
    Column::number("waiting", 9, 0),
    Column::number("held", 7, 1),
    Column::number("retries", 8, 2),
    Column::number("parked", 6, 3),
];

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let queues = &scene.view.queues;
    let note = staleness(scene, queues.iter().map(|queue| &queue.messages)).unwrap_or_default();
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Queues",
            note,
            ..Frame::default()
        },
    );
    if queues.is_empty() {
        let text = absence(
            scene,
            SourceKind::Jetstream,
            "Not watched: --nats URL shows what waits.",
            "Waiting for the first look at the streams.",
        );
        stage.hint(inner, &text);
        return;
    }
    let visible = usize::from(inner.height.saturating_sub(1));
    let offset = stage.scroll(scene, id, area, queues.len(), visible);
    table::draw(
        &mut stage.canvas,
        inner,
        &COLUMNS,
        queues.len(),
        offset,
        |row, column| cell(&queues[row], column),
    );
}

fn cell(queue: &Queue, column: usize) -> Cell<'_> {
    match column {
        0 => {
            let mut line = vec![span(&*queue.stream, Role::Text)];
            if let Some(consumer) = &queue.consumer {
                line.push(span("/", Role::Dim));
                line.push(span(&**consumer, Role::Dim));
            }
            Cell::Text(line)
        }
        1 => {
            let (word, role) = word(queue.state);
            Cell::Text(vec![span(word, role)])
        }
        // A stream without a consumer waits as a whole.
        2 if queue.consumer.is_none() => Cell::Figure(&queue.messages, Unit::Count, Role::Text),
        2 => Cell::Figure(&queue.pending, Unit::Count, Role::Text),
        3 => Cell::Figure(&queue.ack_pending, Unit::Count, Role::Text),
        4 => Cell::Figure(&queue.retries_per_s, Unit::PerSecond, Role::Text),
        _ => {
            let parked = queue.parked.value.is_some_and(|count| count > 0.0);
            Cell::Figure(
                &queue.parked,
                Unit::Count,
                if parked { Role::Warning } else { Role::Text },
            )
        }
    }
}
