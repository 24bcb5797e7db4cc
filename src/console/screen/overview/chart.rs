//! Ingest and processing over time: the area between them is what piles up.

use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{ChartHit, PanelId, Scene, Stage};
use crate::base::text;
use crate::base::time::Moment;
use crate::console::theme::Role;
use crate::console::widget::chart::{self, Scale};
use crate::console::widget::{Frame, Line, Span, figure, span};
use crate::model::field::{Field, Unit};
use crate::model::{Flow, Reading, SeriesKey};

/// Columns of the vertical axis: label, air, tick.
const AXIS: u16 = 7;

/// A curve that has not begun by then, seconds, has nothing to begin with.
const PATIENCE: f64 = 4.0;

/// From this many rows on the backlog has a strip of its own.
const STRIP: u16 = 12;

/// What is drawn, worked out once.
struct Data {
    ingest: Vec<Option<f32>>,
    processing: Vec<Option<f32>>,
    backlog: Vec<Option<f32>>,
}

impl Data {
    fn read(scene: &Scene<'_>, end: Moment, span: Duration, columns: u16) -> Self {
        let points = chart::points(columns);
        let window = |field: Field, points: usize| scene.histories.window(&SeriesKey::of(field), end, span, points);
        // What the stream stored; where no stream is watched, what the gateway says.
        let ingest = [Field::StoredPerS, Field::QueuedPerS, Field::ReceivedPerS]
            .into_iter()
            .map(|field| window(field, points))
            .find(|values| values.iter().any(Option::is_some))
            .unwrap_or_default();
        Self {
            ingest,
            processing: window(Field::ProcessedPerS, points),
            backlog: window(Field::Backlog, usize::from(columns)),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.ingest, &self.processing]
            .iter()
            .all(|values| values.iter().all(Option::is_none))
    }

    fn highest(&self) -> f32 {
        highest(&self.ingest).max(highest(&self.processing))
    }
}

/// The same of now.
fn ingest_of(flow: &Flow) -> &Reading {
    [&flow.stored_per_s, &flow.queued_per_s, &flow.received_per_s]
        .into_iter()
        .find(|reading| reading.value.is_some())
        .unwrap_or(&flow.stored_per_s)
}

fn highest(values: &[Option<f32>]) -> f32 {
    values
        .iter()
        .flatten()
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f32::max)
}

/// What the memory for histories had no room for, where that is anything.
fn shortened(scene: &Scene<'_>) -> Option<Span<'static>> {
    let (thinned, refused) = (scene.histories.thinned() as u64, scene.histories.refused());
    let told = match (thinned, refused) {
        (0, 0) => return None,
        (thinned, 0) => format!(", {} histories coarser", text::count(thinned)),
        (_, refused) => format!(", {} values left out", text::count(refused)),
    };
    Some(span(told, Role::Warning))
}

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let (now, range) = scene.window();
    let title = if area.height < 3 {
        "Rates"
    } else {
        "Ingest and processing"
    };
    let mut note = vec![span(
        format!(
            "last {}",
            text::duration(range).replace(" 00 s", "").replace(" 00 min", "")
        ),
        Role::Note,
    )];
    note.extend(shortened(scene));
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title,
            note,
            ..Frame::default()
        },
    );
    if inner.is_empty() {
        return;
    }
    if area.height < 3 {
        draw_flat(scene, stage, inner, range);
        return;
    }
    let plot_width = inner.width.saturating_sub(AXIS);
    let end = chart::aligned(now, range, chart::points(plot_width));
    let data = Data::read(scene, end, range, plot_width);
    if data.is_empty() {
        let hint = if scene.view.window_s < PATIENCE {
            "The curves begin with the second reading of a counter."
        } else {
            "No counter is read: --stream names the stream to follow, --metrics who works for it."
        };
        stage.hint(inner, hint);
        return;
    }
    // Below the plot: the times, then the legend; where rows are few the legend stands in the frame.
    let roomy = inner.height >= 8;
    let below = if roomy { 2 } else { 1 };
    let rows = inner.height.saturating_sub(below);
    let (plot_rows, air, strip) = divide(rows, data.highest());
    let plot = Rect::new(inner.left() + AXIS, inner.top(), plot_width, plot_rows);
    let scale = Scale::over(data.highest(), plot.height);
    scale.draw(
        &mut stage.canvas,
        Rect::new(inner.left(), plot.top(), AXIS, plot.height),
    );
    chart::lines(
        &mut stage.canvas,
        plot,
        scale.ceiling,
        &[
            (&data.ingest, Role::ChartIngest),
            (&data.processing, Role::ChartProcessing),
        ],
    );
    if strip > 0 {
        let under = Rect::new(plot.left(), plot.bottom() + air, plot.width, strip);
        backlog_strip(stage, Rect::new(inner.left(), under.top(), AXIS, strip), under, &data);
    }
    let hit = ChartHit {
        panel: id,
        plot,
        end: end.mono,
        span: range,
    };
    stage.chart(scene, hit);
    let axis = Rect::new(plot.left(), inner.top() + rows, plot.width, 1);
    chart::time_axis(&mut stage.canvas, axis, end.at, range, scene.zone());
    // Below the plot where there is room, else in the frame.
    let room = if roomy { inner.width } else { area.width - 6 };
    let legend = legend(scene, stage, strip > 0, room);
    if roomy {
        let fits = stage.canvas.width(&legend) <= plot.width;
        let x = if fits { plot.left() } else { inner.left() };
        stage.canvas.line(x, inner.bottom() - 1, inner.right() - x, &legend);
    } else {
        let mut line = vec![span(" ", Role::Text)];
        line.extend(legend);
        line.push(span(" ", Role::Text));
        stage
            .canvas
            .line(area.left() + 2, area.bottom() - 1, area.width - 4, &line);
    }
}

/// Rows for the plot, for air, for the backlog: so that the ticks stand at equal distances if they can.
fn divide(rows: u16, highest: f32) -> (u16, u16, u16) {
    if rows < STRIP {
        return (rows, 0, 0);
    }
    let strip = (rows / 7).max(2);
    let choices = [(1, strip), (1, strip + 1)];
    let even = |(air, strip): &(u16, u16)| {
        let plot = rows - air - strip;
        let steps = Scale::over(highest, plot).ticks.len().saturating_sub(1).max(1);
        usize::from(plot - 1).is_multiple_of(steps)
    };
    let (air, strip) = choices.into_iter().find(even).unwrap_or(choices[0]);
    (rows - air - strip, air, strip)
}

/// The backlog as an area: a second's worth of ingest is the least that fills its height, so
/// that a handful of messages does not look like a mountain.
fn backlog_strip(stage: &mut Stage<'_>, axis: Rect, area: Rect, data: &Data) {
    let known: Vec<f32> = data.ingest.iter().flatten().copied().collect();
    let mean = if known.is_empty() {
        1.0
    } else {
        known.iter().sum::<f32>() / known.len() as f32
    };
    let top = highest(&data.backlog);
    let ceiling = top.max(mean).max(1.0);
    chart::area(&mut stage.canvas, area, ceiling, &data.backlog, Role::ChartBacklog);
    let label = chart::label(ceiling);
    stage
        .canvas
        .line_right(axis.left(), axis.top(), axis.width - 2, &[span(label, Role::Dim)]);
    for y in axis.top()..axis.bottom() {
        stage
            .canvas
            .glyph(axis.right() - 1, y, stage.canvas.glyphs().lines.1, Role::ChartAxis);
    }
}

/// What the colours mean, and the figures of now; what does not fit is left out whole, the
/// backlog first: it stands in the flow as well.
fn legend(scene: &Scene<'_>, stage: &Stage<'_>, strip: bool, room: u16) -> Line<'static> {
    let glyphs = stage.canvas.glyphs();
    let flow = &scene.view.flow;
    let ingest = ingest_of(flow);
    let entry = |glyph: char, role: Role, label: &'static str, reading: &Reading, figure: Line<'static>| {
        let mut line = vec![span(format!("{glyph} "), role), span(label, Role::Dim)];
        // The last known value, and nobody can tell by its colour alone.
        if reading.is_stale() {
            line.push(span(format!("{} ", glyphs.stale), Role::Stale));
        }
        line.extend(figure);
        line
    };
    let rates = |write: fn(&Reading, Unit, Role) -> Line<'static>, labels: [&'static str; 2]| {
        [
            (Role::ChartIngest, labels[0], ingest),
            (Role::ChartProcessing, labels[1], &flow.processed_per_s),
        ]
        .map(|(role, label, reading)| {
            let figure = write(reading, Unit::PerSecond, Role::Text);
            entry(glyphs.heavy, role, label, reading, figure)
        })
    };
    let verdict = scene
        .view
        .verdicts
        .iter()
        .find(|verdict| &*verdict.id == "backlog_growing");
    let behind = |words: &str| {
        let since = scene.zone().minute(verdict?.since, scene.view.now.at);
        Some(vec![span(
            format!("{} {words} since {since}", glyphs.shade),
            Role::Warning,
        )])
    };
    let backlog = strip.then(|| {
        entry(
            glyphs.levels[5],
            Role::ChartBacklog,
            "backlog ",
            &flow.backlog,
            figure::figure(&flow.backlog, Unit::Count, Role::Text),
        )
    });
    let full = ["ingest ", "processing "];
    // The mark needs room.
    let marked = ingest.is_stale() || flow.processed_per_s.is_stale();
    let brief = if marked { ["in ", "out "] } else { full };
    let forms = [
        (rates(figure::figure, full), backlog, behind("falling behind")),
        (rates(figure::figure, full), None, behind("falling behind")),
        (rates(figure::figure, full), None, behind("behind")),
        (rates(figure::figure, full), None, None),
        (rates(figure::short, brief), None, None),
    ];
    let lines = forms.map(|(rates, backlog, behind)| {
        rates
            .into_iter()
            .chain(backlog)
            .chain(behind)
            .collect::<Vec<_>>()
            .join(&span("   ", Role::Text))
    });
    let fitting = lines.iter().find(|line| stage.canvas.width(line) <= room);
    fitting.or(lines.last()).cloned().unwrap_or_default()
}

/// Both rates as sparklines in one row.
fn draw_flat(scene: &Scene<'_>, stage: &mut Stage<'_>, inner: Rect, range: Duration) {
    let columns = (inner.width.saturating_sub(24) / 2).min(40);
    let end = chart::aligned(scene.window().0, range, usize::from(columns));
    let data = Data::read(scene, end, range, columns);
    let levels = &stage.canvas.glyphs().levels;
    let ceiling = data.highest();
    let flow = &scene.view.flow;
    let mut line = Line::new();
    for (values, reading, label, role) in [
        (&data.ingest, ingest_of(flow), "in ", Role::ChartIngest),
        (&data.processing, &flow.processed_per_s, "  out ", Role::ChartProcessing),
    ] {
        line.push(span(label, Role::Dim));
        line.push(span(chart::sparkline(values, columns, ceiling, levels), role));
        line.push(span(" ", Role::Text));
        line.extend(figure::short(reading, Unit::PerSecond, Role::Text));
    }
    stage.canvas.line(inner.left(), inner.top(), inner.width, &line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn a_chart_ends_on_a_whole_step() {
        let now = Moment {
            at: Timestamp::UNIX_EPOCH,
            mono: Duration::from_millis(12_300),
        };
        let end = chart::aligned(now, Duration::from_mins(5), 60);
        assert_eq!(end.mono, Duration::from_secs(15));
        assert_eq!(end.at.as_millisecond(), 2_700);
        let exact = Moment {
            mono: Duration::from_secs(15),
            ..now
        };
        assert_eq!(chart::aligned(exact, Duration::from_mins(5), 60), exact);
    }
}
