//! Figures over time as an SVG chart. What is not known is a gap: nothing is interpolated.

use std::fmt::Write as _;

use super::series::{COLUMNS, Row};
use super::svg::{Palette, append, hex};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::console::theme::{Role, Theme};
use crate::model::field::Field;

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is of.
    pub label: &'static str,
    /// Whose colour it has.
    pub role: Role,
    /// Seconds since the chart's begin, and the value; `None`: not known.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// Its name.
    pub title: &'static str,
    /// The unit of its values, as it stands behind one: `/s`.
    pub unit: &'static str,
    /// When it begins.
    pub start: Timestamp,
    /// How long it is, seconds.
    pub length: f64,
    /// What it shows.
    pub lines: Vec<Line>,
    /// Seconds since its begin between which something was wrong.
    pub shaded: Vec<(f64, f64)>,
}

/// The picture, and the field in it, pixels.
const SIZE: (f64, f64) = (800.0, 220.0);
const LEFT: f64 = 64.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 28.0;

/// Values that a line has room for.
const STEPS: usize = 360;

impl Plot {
    /// As an SVG file. The same figures give the same file.
    #[must_use]
    pub fn svg(&self, theme: &Theme) -> String {
        let palette = Palette::of(theme);
        let colour = |role: Role| hex(palette.rgb(theme.style(role).fg.unwrap_or_default(), palette.foreground));
        let (width, height) = SIZE;
        let (dim, axis, alarm) = (colour(Role::Dim), colour(Role::ChartAxis), colour(Role::Warning));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <style>text{{font:12px system-ui,sans-serif}}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n\
             <text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\" fill=\"{}\">{}</text>\n",
            hex(palette.background),
            hex(palette.foreground),
            self.title
        );
        for (from, to) in &self.shaded {
            let (x, end) = (self.x(*from), self.x(*to));
            append(
                &mut out,
                format_args!(
                    "<rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{alarm}\" fill-opacity=\"0.15\"/>\n",
                    (end - x).max(1.0),
                    height - TOP - BOTTOM
                ),
            );
        }
        let most = self.most();
        for tick in ticks(most) {
            let y = y(tick, most);
            append(
                &mut out,
                format_args!(
                    "<path stroke=\"{axis}\" stroke-width=\"0.5\" d=\"M{LEFT} {y:.1}H{}\"/>\n\
                     <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{dim}\">{}</text>\n",
                    width - RIGHT,
                    LEFT - 6.0,
                    y + 4.0,
                    text::compact(tick)
                ),
            );
        }
        self.clock(&dim, &mut out);
        let mut legend = width - RIGHT;
        for line in self.lines.iter().rev() {
            let colour = colour(line.role);
            append(
                &mut out,
                format_args!(
                    "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" d=\"{}\"/>\n\
                     <text x=\"{legend}\" y=\"18\" text-anchor=\"end\" fill=\"{colour}\">{}{}</text>\n",
                    self.path(line, most),
                    line.label,
                    self.unit
                ),
            );
            legend -= 24.0 + 7.0 * (text::width(line.label) + text::width(self.unit)) as f64;
        }
        out.push_str("</svg>\n");
        out
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (SIZE.0 - LEFT - RIGHT) * (seconds / self.length.max(1.0)).clamp(0.0, 1.0)
    }

    /// The end of the axis: the largest value, rounded up to a tick.
    fn most(&self) -> f64 {
        let values = self.lines.iter().flat_map(|line| reduce(&line.points, self.length));
        let largest = values.filter_map(|(_, value)| value).fold(0.0, f64::max);
        let step = step(largest);
        ((largest / step).ceil() * step).max(step)
    }

    /// The times along the bottom.
    fn clock(&self, colour: &str, out: &mut String) {
        for (quarter, anchor) in (0_u8..).zip(["start", "middle", "middle", "middle", "end"]) {
            let seconds = self.length * f64::from(quarter) / 4.0;
            let at = Timestamp::from_nanosecond(self.start.as_nanosecond() + nanoseconds(seconds));
            append(
                out,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>\n",
                    self.x(seconds),
                    SIZE.1 - 8.0,
                    at.unwrap_or(self.start).strftime("%H:%M:%S")
                ),
            );
        }
    }

    fn path(&self, line: &Line, most: f64) -> String {
        let (mut path, mut drawing) = (String::new(), false);
        for (seconds, value) in reduce(&line.points, self.length) {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let letter = if drawing { 'L' } else { 'M' };
            let written = write!(path, "{letter}{:.1} {:.1}", self.x(seconds), y(value, most));
            debug_assert!(written.is_ok(), "writing to a String does not fail");
            drawing = true;
        }
        path
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the length of a recording")]
fn nanoseconds(seconds: f64) -> i128 {
    (seconds * 1e9) as i128
}

fn y(value: f64, most: f64) -> f64 {
    let bottom = SIZE.1 - BOTTOM;
    bottom - (bottom - TOP) * (value / most).clamp(0.0, 1.0)
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, about four of them.
fn step(largest: f64) -> f64 {
    let rough = (largest / 4.0).max(f64::MIN_POSITIVE);
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough);
    nice.unwrap_or(10.0) * power
}

fn ticks(most: f64) -> impl Iterator<Item = f64> {
    let step = step(most);
    std::iter::successors(Some(0.0), move |tick| Some(tick + step)).take_while(move |tick| *tick <= most + step / 2.0)
}

/// The mean of each of so many steps; a step in which nothing is known is a gap.
fn reduce(points: &[(f64, Option<f64>)], length: f64) -> Vec<(f64, Option<f64>)> {
    if points.len() <= STEPS {
        return points.to_vec();
    }
    let width = (length / STEPS as f64).max(f64::MIN_POSITIVE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a step of a chart, not negative"
    )]
    let of = |seconds: f64| (seconds / width) as usize;
    points
        .chunk_by(|a, b| of(a.0) == of(b.0))
        .map(|group| {
            let known: Vec<f64> = group.iter().filter_map(|(_, value)| *value).collect();
            let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
            (group[0].0, mean)
        })
        .collect()
}

/// A chart's title, its unit, and its lines: figure, name, colour.
type Chart = (&'static str, &'static str, &'static [(Field, &'static str, Role)]);

/// Which figures stand in which chart.
const CHARTS: [Chart; 3] = [
    (
        "Ingest and processing",
        "/s",
        &[
            (Field::ReceivedPerS, "received", Role::ChartIngest),
            (Field::ProcessedPerS, "processed", Role::ChartProcessing),
        ],
    ),
    (
        "Backlog",
        " messages",
        &[(Field::Backlog, "waiting", Role::ChartBacklog)],
    ),
    ("Dead letters", "", &[(Field::Dead, "dead", Role::Critical)]),
];

/// Charts of what was known at all.
#[must_use]
pub fn charts(rows: &[Row], start: Timestamp, length: f64, shaded: &[(f64, f64)]) -> Vec<Plot> {
    CHARTS
        .iter()
        .map(|(title, unit, of)| {
            let lines = of.iter().filter_map(|(field, label, role)| {
                let column = COLUMNS.iter().position(|known| known == field)?;
                let points: Vec<_> = rows.iter().map(|(at, row)| (*at, row[column])).collect();
                let known = points.iter().any(|(_, value)| value.is_some());
                known.then_some(Line {
                    label,
                    role: *role,
                    points,
                })
            });
            Plot {
                title,
                unit,
                start,
                length,
                lines: lines.collect(),
                shaded: shaded.to_vec(),
            }
        })
        .filter(|plot| !plot.lines.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, Option<f64>)>) -> Plot {
        Plot {
            title: "Rates",
            unit: "/s",
            start: Timestamp::UNIX_EPOCH,
            length: 100.0,
            lines: vec![Line {
                label: "received",
                role: Role::ChartIngest,
                points,
            }],
            shaded: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let plot = plot(vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(4.0))]);
        let path = plot.path(&plot.lines[0], 4.0);
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
    }

    #[test]
    fn the_axis_ends_at_a_round_number_above_everything() {
        for (largest, most) in [
            (0.0, 1.0),
            (0.7, 0.8),
            (3.9, 4.0),
            (1_234.0, 1_500.0),
            (81_000.0, 100_000.0),
        ] {
            let plot = plot(vec![(0.0, Some(largest))]);
            assert!((plot.most() - most).abs() < most * 1e-9, "{largest}: {}", plot.most());
        }
    }

    #[test]
    fn many_values_become_means_and_gaps_stay() {
        let points = (0..100_000).map(|n| {
            let seconds = f64::from(n) / 1_000.0;
            (seconds, (seconds < 50.0).then_some(3.0))
        });
        let reduced = reduce(&points.collect::<Vec<_>>(), 100.0);
        assert!(reduced.len() <= STEPS + 1);
        assert!(
            reduced
                .iter()
                .all(|(at, value)| value.is_none_or(|value| (value - 3.0).abs() < 1e-9 && *at < 51.0))
        );
        assert!(reduced.last().unwrap().1.is_none());
    }
}
