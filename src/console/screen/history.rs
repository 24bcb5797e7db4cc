//! The history of one figure as a panel of its own.

use ratatui::layout::Rect;

use super::{ChartHit, PanelId, Scene, Stage};
use crate::console::theme::Role;
use crate::console::widget::chart::{self, Scale};
use crate::console::widget::{Frame, figure};
use crate::model::field::Field;
use crate::model::{Reading, SeriesKey};

/// Columns of the vertical axis: label, air, tick.
const AXIS: u16 = 7;

/// Draws it. `current` stands in the frame.
pub fn draw(
    scene: &Scene<'_>,
    stage: &mut Stage<'_>,
    area: Rect,
    id: PanelId,
    field: Field,
    subject: Option<&str>,
    current: Option<&Reading>,
) {
    let note = current.map(|reading| figure::figure(reading, field.unit(), Role::Strong));
    let title = capital(field.label());
    let frame = Frame {
        title: &title,
        note: note.unwrap_or_default(),
        ..Frame::default()
    };
    let inner = stage.panel(scene, id, area, frame);
    if inner.height < 3 || inner.width < AXIS + 8 {
        return;
    }
    let (now, span) = scene.window();
    let plot = Rect::new(inner.left() + AXIS, inner.top(), inner.width - AXIS, inner.height - 1);
    let points = chart::points(plot.width);
    let end = chart::aligned(now, span, points);
    let key = subject.map_or_else(|| SeriesKey::of(field), |subject| SeriesKey::about(field, subject));
    let values = scene.histories.window(&key, end, span, points);
    if values.iter().all(Option::is_none) {
        stage.hint(inner, "Nothing recorded yet.");
        return;
    }
    let highest = values
        .iter()
        .flatten()
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f32::max);
    let scale = Scale::over(highest, plot.height);
    scale.draw(
        &mut stage.canvas,
        Rect::new(inner.left(), plot.top(), AXIS, plot.height),
    );
    chart::lines(&mut stage.canvas, plot, scale.ceiling, &[(&values, role(field))]);
    let axis = Rect::new(plot.left(), plot.bottom(), plot.width, 1);
    chart::time_axis(&mut stage.canvas, axis, end.at, span, scene.zone());
    let chart = ChartHit {
        panel: id,
        plot,
        end: end.mono,
        span,
    };
    stage.chart(scene, chart);
}

fn role(field: Field) -> Role {
    match field {
        Field::StoredPerS | Field::ReceivedPerS | Field::QueuedPerS => Role::ChartIngest,
        Field::Pending | Field::Backlog | Field::AckPending | Field::OldestWaiting => Role::ChartBacklog,
        _ => Role::ChartProcessing,
    }
}

fn capital(label: &str) -> String {
    let mut letters = label.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
