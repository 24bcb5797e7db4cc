//! Two moments side by side, what changed most first.

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::sheet::Sheet;
use crate::console::theme::Role;
use crate::console::widget::{Line, span, tidy};
use crate::model::field::{Field, show};
use crate::model::{Reading, View};

/// A figure at two moments.
struct Change<'a> {
    of: String,
    field: Field,
    before: &'a Reading,
    after: &'a Reading,
}

/// Columns of a figure, and of its name at most.
const FIGURE: usize = 12;
const NAME: usize = 40;

impl Change<'_> {
    /// How much it changed: 1 is as much as the larger of the two, 0 not at all. `None`: unknown
    /// at one of the moments.
    fn share(&self) -> Option<f64> {
        let (before, after) = (self.before.value?, self.after.value?);
        let larger = before.abs().max(after.abs());
        let share = if larger > 0.0 {
            (after - before).abs() / larger
        } else {
            0.0
        };
        share.is_finite().then_some(share)
    }

    /// `×2.4`, `-38 %`, `new`.
    fn told(&self, up: char, down: char) -> (String, Role) {
        let unit = |value: f64| self.field.unit().format(value);
        match (self.before.value, self.after.value) {
            (Some(before), Some(after)) if unit(before) == unit(after) => ("same".to_owned(), Role::Dim),
            (Some(before), Some(after)) => {
                let arrow = if after > before { up } else { down };
                let share = (after - before) / before.abs();
                if share.abs() < 0.005 {
                    return ("same".to_owned(), Role::Dim);
                }
                let text = if before == 0.0 {
                    "from 0".to_owned()
                } else if share.abs() >= 2.0 && after > 0.0 && before > 0.0 {
                    format!("×{:.1}", after / before)
                } else {
                    format!("{:+.0} %", share * 100.0)
                };
                (format!("{arrow} {text}"), Role::Strong)
            }
            (None, Some(_)) => ("known now".to_owned(), Role::Info),
            (Some(_), None) => ("unknown now".to_owned(), Role::Warning),
            (None, None) => (String::new(), Role::Dim),
        }
    }
}

/// Draws the panel: the pinned moment (else the one that is shown) and now.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, first: usize) {
    let before = scene.pinned.unwrap_or(scene.view);
    let after = scene.live.unwrap_or(scene.view);
    let clock = |view: &View| scene.zone().clock(view.now.at);
    let title = format!("{} and {}", clock(before), clock(after));
    let sheet = Sheet {
        title: &title,
        note: "largest change first  esc closes",
        width: 92,
        first,
    };
    let name = usize::from(sheet.room(body)).saturating_sub(2 * FIGURE + 18).min(NAME);
    let glyphs = stage.canvas.glyphs();
    let heading = format!("{:<name$}{:>FIGURE$}{:>FIGURE$}", "", clock(before), clock(after));
    let mut lines: Vec<Line<'_>> = vec![vec![span(heading, Role::Heading)]];
    for change in changes(before, after) {
        let label = format!("{}{}", change.of, change.field.label());
        let (told, role) = change.told(glyphs.up, glyphs.down);
        let (old, new) = (
            show(change.before, change.field.unit()),
            show(change.after, change.field.unit()),
        );
        lines.push(vec![
            span(format!("{:<name$}", tidy(&label, name)), Role::Text),
            span(format!("{old:>FIGURE$}"), Role::Dim),
            span(format!("{new:>FIGURE$}"), role),
            span(format!("   {told}"), role),
        ]);
    }
    if lines.len() == 1 {
        lines = vec![vec![span("Nothing is known of both moments.", Role::Dim)]];
    }
    sheet.draw(stage, body, &lines);
}

/// Every figure that is known at one of the moments, what changed most first; of equals, in the
/// order of the screens.
fn changes<'a>(before: &'a View, after: &'a View) -> Vec<Change<'a>> {
    let new = figures(after);
    let mut changes: Vec<Change<'a>> = figures(before)
        .into_iter()
        .filter_map(|(of, field, before)| {
            let (_, _, after) = new.iter().find(|(name, known, _)| *name == of && *known == field)?;
            Some(Change {
                of,
                field,
                before,
                after,
            })
        })
        .filter(|change| change.before.value.is_some() || change.after.value.is_some())
        .collect();
    changes.sort_by(|a, b| {
        let rank = |change: &Change<'_>| change.share().unwrap_or(-1.0);
        rank(b).total_cmp(&rank(a))
    });
    changes
}

/// The figures of a moment: what they are of, which they are.
fn figures(view: &View) -> Vec<(String, Field, &Reading)> {
    let flow = &view.flow;
    let mut figures: Vec<(String, Field, &Reading)> = [
        (Field::ReceivedPerS, &flow.received_per_s),
        (Field::QueuedPerS, &flow.queued_per_s),
        (Field::StoredPerS, &flow.stored_per_s),
        (Field::ProcessedPerS, &flow.processed_per_s),
        (Field::WrittenPerS, &flow.written_per_s),
        (Field::Backlog, &flow.backlog),
        (Field::OldestWaiting, &flow.oldest_waiting_s),
        (Field::ResponseP99, &flow.response_p99_s),
        (Field::BatchP95, &flow.batch_p95_s),
        (Field::UpdateP95, &flow.update_p95_s),
        (Field::Dead, &flow.dead),
    ]
    .map(|(field, reading)| (String::new(), field, reading))
    .into();
    for provider in &view.providers {
        figures.extend(
            [
                (Field::ReceivedPerS, &provider.received_per_s),
                (Field::ErrorRatio, &provider.error_ratio),
                (Field::ResponseP99, &provider.response_p99_s),
            ]
            .map(|(field, reading)| (format!("{} ", provider.name), field, reading)),
        );
    }
    for queue in &view.queues {
        let name = queue.consumer.as_deref().unwrap_or(&queue.stream);
        figures.extend(
            [
                (Field::Pending, &queue.pending),
                (Field::AckPending, &queue.ack_pending),
                (Field::RetriesPerS, &queue.retries_per_s),
                (Field::Messages, &queue.messages),
            ]
            .map(|(field, reading)| (format!("{name} "), field, reading)),
        );
    }
    for worker in &view.workers {
        figures.extend(
            [
                (Field::WorkerRate, &worker.rate_per_s),
                (Field::ErrorsPerS, &worker.errors_per_s),
                (Field::Memory, &worker.memory),
            ]
            .map(|(field, reading)| (format!("{} ", worker.name), field, reading)),
        );
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;

    #[test]
    fn what_changed_most_comes_first_and_what_is_unknown_last() {
        let (before, _) = fixture::rich();
        let mut after = before.clone();
        after.flow.received_per_s.value = before.flow.received_per_s.value.map(|value| value * 10.0);
        after.flow.backlog.value = before.flow.backlog.value.map(|value| value * 0.5);
        after.flow.dead = Reading::unknown();
        let changes = changes(&before, &after);
        let order: Vec<Field> = changes.iter().map(|change| change.field).collect();
        assert_eq!(order[..2], [Field::ReceivedPerS, Field::Backlog]);
        assert_eq!(changes[0].told('^', 'v').0, "^ ×10.0");
        assert_eq!(changes[1].told('^', 'v').0, "v -50 %");
        let last = changes.last().unwrap();
        assert_eq!(
            (last.field, last.told('^', 'v').0.as_str()),
            (Field::Dead, "unknown now")
        );
        let same = changes
            .iter()
            .find(|change| change.field == Field::WrittenPerS)
            .unwrap();
        assert_eq!(same.told('^', 'v').0, "same");
    }
}
