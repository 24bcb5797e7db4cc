//! A load: how many, how fast, how long they took, what was wrong.

use std::iter;
use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{RESULT, load_text, shown};
use crate::act::fire::{Checked, Latency, Outcomes, Sample};
use crate::act::firing::Ended;
use crate::base::text;
use crate::console::bench::{Look, Run};
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::chart::{self, Scale};
use crate::console::widget::{Line, Span, span, wrap};

/// Columns of a label, of its number, and between two of them.
const CELL: (usize, usize, usize) = (11, 10, 4);

/// Columns of the chart's axis: label, air, tick.
const AXIS: u16 = 7;

/// The shortest time that the chart shows.
const SHORTEST: Duration = Duration::from_secs(10);

/// What is known of a run, whether it goes on or not.
struct Counts<'a> {
    outcomes: Outcomes,
    elapsed: Duration,
    /// Due and not fired.
    behind: u64,
    latency: Latency,
    samples: &'a [Sample],
}

impl<'a> Counts<'a> {
    fn of(run: &'a Run) -> Option<Self> {
        if let Some(Ended::Counted { summary, .. }) = &run.ended {
            return Some(Self {
                outcomes: Outcomes {
                    fired: summary.due - summary.unsent + summary.retried,
                    retried: summary.retried,
                    statuses: summary.statuses.clone(),
                    failures: summary.failures.clone(),
                },
                elapsed: Duration::try_from_secs_f64(summary.elapsed_s).unwrap_or_default(),
                behind: summary.unsent,
                latency: summary.latency_s,
                samples: &summary.samples,
            });
        }
        let progress = run.progress.as_ref()?;
        Some(Self {
            elapsed: progress.elapsed,
            behind: progress.due.saturating_sub(progress.outcomes.fired),
            latency: progress.latency,
            samples: &progress.samples,
            outcomes: progress.outcomes.clone(),
        })
    }

    /// Requests a second: lately while it goes on, over its whole time when it is over.
    fn rate(&self, run: &Run) -> Option<f64> {
        let seconds = self.elapsed.as_secs_f64();
        match &run.ended {
            None => run.rate,
            Some(_) => (seconds > 0.0 && self.outcomes.sent() > 1).then(|| self.outcomes.sent() as f64 / seconds),
        }
    }

    /// The numbers, in as many columns as fit.
    fn lines(&self, run: &Run, width: u16) -> Vec<Line<'static>> {
        let outcomes = &self.outcomes;
        let rate = self.rate(run).map_or_else(
            || text::UNKNOWN.to_owned(),
            |rate| format!("{}/s", text::per_second(rate)),
        );
        let warn = |count: u64, role: Role| if count > 0 { role } else { Role::Dim };
        let failed = outcomes.failed();
        let latency = &self.latency;
        let behind = if run.ended.is_some() { "never sent" } else { "behind" };
        let cells = [
            ("sent", text::count(outcomes.sent()), Role::Strong),
            ("answered", text::count(outcomes.answered()), Role::Strong),
            ("rate", rate, Role::Text),
            ("in flight", text::count(outcomes.unfinished()), Role::Text),
            ("failed", text::count(failed), warn(failed, Role::Critical)),
            (behind, text::count(self.behind), warn(self.behind, Role::Warning)),
            ("p50", shown(latency.p50), Role::Text),
            ("p90", shown(latency.p90), Role::Text),
            ("p99", shown(latency.p99), Role::Strong),
            ("p99.9", shown(latency.p999), Role::Text),
            ("max", shown(latency.max), Role::Text),
            (
                "retried",
                text::count(outcomes.retried),
                warn(outcomes.retried, Role::Text),
            ),
        ];
        let across = (usize::from(width) + CELL.2) / (CELL.0 + CELL.1 + CELL.2);
        // An even grid: 12 cells in 2, 3, 4 or 6 columns.
        let across = [6, 4, 3, 2].into_iter().find(|columns| *columns <= across).unwrap_or(1);
        cells.chunks(across).map(row_of).collect()
    }
}

/// How it stands in a few words, for the frame.
pub(super) fn standing(run: &Run, glyphs: &Glyphs) -> Line<'static> {
    let elapsed = Counts::of(run).map_or(Duration::ZERO, |counts| counts.elapsed);
    match &run.ended {
        None if run.is_stopping => vec![span("stopping", Role::Warning)],
        None => vec![
            span(format!("{} {}", glyphs.connecting, clock(elapsed)), Role::Accent),
            span("   x ", Role::Key),
            span("stops", Role::Note),
        ],
        Some(Ended::Counted { summary, .. }) if summary.stopped => {
            vec![span(format!("stopped after {}", clock(elapsed)), Role::Warning)]
        }
        Some(Ended::Counted { checks, .. }) => match checks.iter().find(|check| !check.is_met) {
            Some(missed) => vec![span(
                format!("{} not {}", glyphs.critical, missed.expected),
                Role::Critical,
            )],
            None => vec![span(
                format!("{} as expected in {}", glyphs.check, text::duration(elapsed)),
                Role::Ok,
            )],
        },
        Some(_) => Line::new(),
    }
}

/// Whole seconds: tenths would only flicker.
fn clock(elapsed: Duration) -> String {
    text::duration(Duration::from_secs(elapsed.as_secs()))
}

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, inner: Rect, run: &Run) {
    let glyphs = stage.canvas.glyphs();
    // The chart takes what the numbers do not need, where that is enough for one.
    let numbers = 2 * (CELL.0 + CELL.1) + CELL.2 + 3;
    let numbers = u16::try_from(numbers).unwrap_or(u16::MAX);
    let has_chart = inner.width >= numbers + AXIS + 24 && inner.height >= 7 && run.looks.len() >= 3;
    let left = if has_chart {
        Rect {
            width: numbers,
            ..inner
        }
    } else {
        inner
    };
    let lines = lines(run, glyphs, left.width);
    stage.lines(scene, RESULT, area, left, &lines);
    if has_chart {
        let x = left.right() + 2;
        draw_chart(stage, Rect::new(x, inner.top(), inner.right() - x, inner.height), run);
    }
}

/// All that is known of it, in lines.
pub(super) fn lines<'a>(run: &'a Run, glyphs: &Glyphs, width: u16) -> Vec<Line<'a>> {
    let Some(counts) = Counts::of(run) else {
        return vec![vec![span("Resolving and connecting.", Role::Dim)]];
    };
    let mut lines = counts.lines(run, width);
    lines.push(answers(&counts.outcomes, width));
    lines.extend(counts.samples.iter().flat_map(|sample| example(sample, width)));
    if let Some(Ended::Counted { checks, .. }) = &run.ended {
        lines.extend(checks.iter().map(|check| expected(check, glyphs)));
    }
    lines.push(Line::new());
    lines.push(vec![
        span(load_text(&run.request), Role::Text),
        span(format!(" → {}", run.to), Role::Dim),
    ]);
    if let Some(Ended::Counted { seed, .. }) = &run.ended {
        lines.push(vec![span(format!("seed {seed}"), Role::Dim)]);
    }
    lines.extend(
        run.notices
            .iter()
            .map(|notice| vec![span(notice.as_str(), Role::Warning)]),
    );
    lines
}

/// The first answer of a kind that was not expected.
fn example(sample: &Sample, width: u16) -> Vec<Line<'static>> {
    let what = match (sample.status, sample.failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(kind)) => kind.name().to_owned(),
        (None, None) => String::new(),
    };
    let heads = iter::once(format!("first {what}")).chain(iter::repeat(String::new()));
    heads
        .zip(wrap(&sample.text, width.saturating_sub(12), 3))
        .map(|(head, row)| vec![span(format!("{head:<12}"), Role::Warning), span(row, Role::Text)])
        .collect()
}

/// Whether it came as it was expected.
fn expected<'a>(check: &'a Checked, glyphs: &Glyphs) -> Line<'a> {
    let (glyph, role) = if check.is_met {
        (glyphs.check, Role::Ok)
    } else {
        (glyphs.critical, Role::Critical)
    };
    vec![
        span(format!("{glyph} "), role),
        span(format!("expected {}: ", check.expected), Role::Dim),
        span(check.actual.as_str(), Role::Text),
    ]
}

fn row_of(cells: &[(&str, String, Role)]) -> Line<'static> {
    let mut line = Line::new();
    for (number, (label, value, role)) in cells.iter().enumerate() {
        if number > 0 {
            line.push(span(" ".repeat(CELL.2), Role::Text));
        }
        line.push(span(format!("{label:<width$}", width = CELL.0), Role::Dim));
        line.push(span(format!("{value:>width$}", width = CELL.1), *role));
    }
    line
}

/// Answers by status and failures by kind, in one line.
fn answers(outcomes: &Outcomes, width: u16) -> Line<'static> {
    let mut line: Vec<Span<'static>> = vec![span(format!("{:<width$}", "answers", width = CELL.0), Role::Dim)];
    let statuses = outcomes.statuses.iter().map(|(status, count)| {
        let role = match status {
            200..=299 => Role::Ok,
            300..=499 => Role::Warning,
            _ => Role::Critical,
        };
        (status.to_string(), *count, role)
    });
    let failures = outcomes
        .failures
        .iter()
        .map(|(kind, count)| (kind.name().to_owned(), *count, Role::Critical));
    let mut used = CELL.0;
    for (what, count, role) in statuses.chain(failures) {
        let count = text::count(count);
        used += what.len() + count.len() + 4;
        // A count is never cut: half a number is another number.
        if used > usize::from(width) {
            line.push(span("…", Role::Dim));
            break;
        }
        line.push(span(what, role));
        line.push(span(format!(" {count}   "), Role::Text));
    }
    if line.len() == 1 {
        line.push(span("none yet", Role::Dim));
    }
    line
}

/// Median and 99th percentile over the run's time.
fn draw_chart(stage: &mut Stage<'_>, area: Rect, run: &Run) {
    let plot = Rect::new(area.left() + AXIS, area.top(), area.width - AXIS, area.height - 1);
    let last = run.looks.last().map_or(Duration::ZERO, |look| look.elapsed);
    let span_of_time = last.max(SHORTEST);
    let points = chart::points(plot.width);
    let of = |value: fn(&Look) -> Option<f64>| sampled(&run.looks, span_of_time, points, value);
    let (p99, p50) = (of(|look| look.p99), of(|look| look.p50));
    let highest = p99.iter().flatten().copied().fold(0.0, f32::max);
    let scale = Scale::over(highest, plot.height);
    scale.draw(&mut stage.canvas, Rect::new(area.left(), plot.top(), AXIS, plot.height));
    let curves: [(&[Option<f32>], Role); 2] = [(&p99, Role::ChartIngest), (&p50, Role::ChartProcessing)];
    chart::lines(&mut stage.canvas, plot, scale.ceiling, &curves);
    let heavy = stage.canvas.glyphs().heavy;
    let legend = [
        span(format!("{heavy} "), Role::ChartIngest),
        span("p99   ", Role::Dim),
        span(format!("{heavy} "), Role::ChartProcessing),
        span("p50   ms", Role::Dim),
    ];
    stage.canvas.line(plot.left(), plot.bottom(), plot.width, &legend);
    let end = [span(format!("0 to {}", clock(span_of_time)), Role::Dim)];
    stage.canvas.line_right(plot.left(), plot.bottom(), plot.width, &end);
}

/// The values at evenly spaced times, in milliseconds; where nothing was answered for a while, none.
#[expect(clippy::cast_possible_truncation, reason = "a chart shows no more digits")]
fn sampled(
    looks: &[Look],
    span_of_time: Duration,
    points: usize,
    value: impl Fn(&Look) -> Option<f64>,
) -> Vec<Option<f32>> {
    let step = span_of_time.div_f64(points.max(1) as f64);
    let near = (step * 2).max(Duration::from_millis(600));
    (1..=u32::try_from(points).unwrap_or(0))
        .map(|point| {
            let time = step * point;
            let look = looks.get(looks.partition_point(|look| look.elapsed < time))?;
            let is_near = look.elapsed <= time + near;
            value(look).filter(|_| is_near).map(|value| (value * 1e3) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_in_the_answers_is_a_gap_in_the_chart() {
        let look = |millis: u64| Look {
            elapsed: Duration::from_millis(millis),
            p50: Some(0.001),
            p99: Some(0.002),
        };
        let looks: Vec<Look> = (1..=8).chain(24..=32).map(|quarter| look(quarter * 250)).collect();
        let values = sampled(&looks, Duration::from_secs(10), 40, |look| look.p99);
        assert_eq!(values[0], Some(2.0));
        assert_eq!(values[12], None, "3.25 s: nothing was answered from 2 s to 6 s");
        assert_eq!(values[28], Some(2.0));
        assert_eq!(values[36], None, "what has not been yet");
    }
}
