//! The history of one figure as a panel of its own.

use ratatui::layout::{Constraint, Layout, Rect};

use super::{ChartHit, PanelId, Scene, Stage};
use crate::console::theme::Role;
use crate::console::widget::chart::{self, Scale};
use crate::console::widget::{Frame, figure, tidy};
use crate::model::field::{Field, Unit};
use crate::model::{Reading, SeriesKey};

/// Columns of the vertical axis: label, air, tick.
const AXIS: u16 = 7;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The panel.
    pub id: PanelId,
    /// The figure.
    pub field: Field,
    /// Of whom; `None`: of the pipeline.
    pub subject: Option<&'a str>,
    /// Whether the title says of whom.
    pub named: bool,
    /// Its value now, for the frame.
    pub current: Option<&'a Reading>,
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, history: &History<'_>) {
    let History { id, field, subject, .. } = *history;
    let note = history
        .current
        .map(|reading| figure::figure(reading, field.unit(), Role::Strong));
    let mut title = capital(field.label());
    if let Some(subject) = subject.filter(|_| history.named) {
        title = format!("{title} of {}", tidy(subject, usize::from(area.width / 2)));
    }
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
    let highest = |values: &[Option<f32>]| {
        let finite = values.iter().flatten().copied().filter(|value| value.is_finite());
        finite.fold(0.0, f32::max)
    };
    let (factor, unit) = measure(field.unit(), highest(&values));
    let values: Vec<Option<f32>> = values
        .into_iter()
        .map(|value| value.map(|value| value * factor))
        .collect();
    let highest = highest(&values);
    let scale = Scale::over(highest, plot.height);
    scale.draw(
        &mut stage.canvas,
        Rect::new(inner.left(), plot.top(), AXIS, plot.height),
    );
    chart::lines(&mut stage.canvas, plot, scale.ceiling, &[(&values, role(field))]);
    let axis = Rect::new(plot.left(), plot.bottom(), plot.width, 1);
    chart::time_axis(&mut stage.canvas, axis, end.at, span, scene.zone());
    // The axis' unit stands under it, in the corner.
    let corner = Rect::new(inner.left(), plot.bottom(), AXIS - 2, 1);
    stage.canvas.line_right(
        corner.left(),
        corner.top(),
        corner.width,
        &[crate::console::widget::span(unit, Role::Dim)],
    );
    let chart = ChartHit {
        panel: id,
        plot,
        end: end.mono,
        span,
    };
    stage.chart(scene, chart);
}

/// The room of a table of `rows` rows, and what is left under it for histories of the row
/// under its cursor; nothing where there is not much.
#[must_use]
pub fn beneath(area: Rect, rows: usize) -> (Rect, Option<Rect>) {
    let table = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(4).max(10);
    if area.height < table.saturating_add(12) {
        return (area, None);
    }
    let below = (area.height - table).min(16);
    let [table, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
    (table, Some(below))
}

/// By what values are multiplied so that their axis is readable, and the unit that they then have.
fn measure(unit: Unit, highest: f32) -> (f32, &'static str) {
    match unit {
        Unit::Seconds if highest < 1.0 => (1_000.0, "ms"),
        Unit::Seconds if highest < 600.0 => (1.0, "s"),
        Unit::Seconds => (1.0 / 60.0, "min"),
        Unit::Ratio => (100.0, "%"),
        Unit::Bytes => (1.0 / f32::from(1_024u16).powi(2), "MiB"),
        Unit::Count | Unit::PerSecond | Unit::PerMinute => (1.0, ""),
    }
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
