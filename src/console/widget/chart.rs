//! Histories as pictures: lines of braille dots with the area between two of them shaded, an
//! area of blocks, one row of blocks, and their axes. A value that is not known is a gap.

use std::time::Duration;

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::time::Zone;
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::console::glyph::Charset;
use crate::console::theme::Role;

/// Dots in a cell: 2 columns by 4 rows.
const DOTS: (usize, usize) = (2, 4);

/// Rows of dots that a line is thick, hanging from its value: one alone can hardly be seen.
const THICK: usize = 2;

/// The bit of a braille pattern by row and column of the dot.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// How many values a line over `columns` columns takes.
#[must_use]
pub fn points(columns: u16) -> usize {
    usize::from(columns) * DOTS.0
}

/// Draws lines over each other, the last on top: `values` oldest first, [`points`] of them.
/// Between the first and the second the area is shaded where the first is the higher one.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, ceiling: f32, lines: &[(&[Option<f32>], Role)]) {
    if area.is_empty() || ceiling <= 0.0 {
        return;
    }
    let rows: Vec<Vec<Option<usize>>> = lines
        .iter()
        .map(|(values, _)| {
            values
                .iter()
                .map(|value| value.map(|value| dot(value, ceiling, area.height)))
                .collect()
        })
        .collect();
    if let [upper, lower, ..] = rows.as_slice() {
        shade(canvas, area, upper, lower);
    }
    hatch(canvas, area, &rows);
    for (number, (rows, (_, role))) in rows.iter().zip(lines).enumerate() {
        let masks = trace(rows, area);
        for (mask, position) in masks.iter().zip(area.positions()).filter(|(mask, _)| **mask != 0) {
            let glyph = match canvas.glyphs().charset {
                Charset::Unicode => char::from_u32(0x2800 + u32::from(*mask)).unwrap_or(' '),
                Charset::Ascii => ['*', 'o', '+', 'x'][number % 4],
            };
            canvas.glyph(position.x, position.y, glyph, *role);
        }
    }
}

/// The dot row of a value, 0 at the top.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the rows of the area"
)]
fn dot(value: f32, ceiling: f32, height: u16) -> usize {
    let last = usize::from(height) * DOTS.1 - THICK;
    let down = (1.0 - value / ceiling).clamp(0.0, 1.0);
    (down * last as f32).round() as usize
}

/// The braille patterns of one line, row by row: each dot is joined to the one before it.
fn trace(rows: &[Option<usize>], area: Rect) -> Vec<u8> {
    let width = usize::from(area.width);
    let mut masks = vec![0u8; width * usize::from(area.height)];
    let last = usize::from(area.height) * DOTS.1 - 1;
    let mut previous = None;
    for (column, row) in rows.iter().enumerate().take(width * DOTS.0) {
        if let Some(row) = *row {
            let from = previous.unwrap_or(row);
            // The joint begins beside the dot before, not on its level: a step stays one dot thick.
            let (low, high) = match from.cmp(&row) {
                std::cmp::Ordering::Less => (from + 1, row),
                std::cmp::Ordering::Equal => (row, row),
                std::cmp::Ordering::Greater => (row, from - 1),
            };
            for dot in low..=(high + THICK - 1).min(last) {
                masks[dot / DOTS.1 * width + column / DOTS.0] |= BITS[dot % DOTS.1][column % DOTS.0];
            }
        }
        previous = *row;
    }
    masks
}

/// Columns on either side over which the edge of the shade is smoothed: it would flicker else.
const SMOOTH: usize = 3;

/// Shades the cells whose middle lies under the upper and over the lower line.
fn shade(canvas: &mut Canvas<'_>, area: Rect, upper: &[Option<usize>], lower: &[Option<usize>]) {
    let fill = canvas.theme().shows(Role::Gap);
    for (column, x) in (area.left()..area.right()).enumerate() {
        let here = column * DOTS.0;
        let level = |rows: &[Option<usize>]| {
            rows.get(here..here + DOTS.0)?.iter().find_map(|row| *row)?;
            let around = here.saturating_sub(SMOOTH)..(here + DOTS.0 + SMOOTH).min(rows.len());
            let known: Vec<usize> = rows[around].iter().flatten().copied().collect();
            Some(known.iter().sum::<usize>() as f32 / known.len() as f32)
        };
        let (Some(top), Some(bottom)) = (level(upper), level(lower)) else {
            continue;
        };
        for (row, y) in (area.top()..area.bottom()).enumerate() {
            let middle = (row * DOTS.1) as f32 + 1.5;
            if top < middle && middle < bottom {
                if fill {
                    canvas.fill(Rect::new(x, y, 1, 1), Role::Gap);
                } else {
                    canvas.glyph(x, y, canvas.glyphs().shade, Role::Dim);
                }
            }
        }
    }
}

/// Marks the columns in the middle of which no line is known, though it was before and is again.
fn hatch(canvas: &mut Canvas<'_>, area: Rect, rows: &[Vec<Option<usize>>]) {
    let known = |column: usize| {
        rows.iter()
            .any(|rows| rows.iter().skip(column * DOTS.0).take(DOTS.0).any(Option::is_some))
    };
    let columns = usize::from(area.width);
    let (Some(first), Some(last)) = ((0..columns).find(|c| known(*c)), (0..columns).rfind(|c| known(*c))) else {
        return;
    };
    for (column, x) in (area.left()..area.right()).enumerate() {
        if (first..last).contains(&column) && !known(column) {
            for (row, y) in (area.top()..area.bottom()).enumerate() {
                if (row + column).is_multiple_of(2) {
                    canvas.glyph(x, y, canvas.glyphs().hatch, Role::ChartAxis);
                }
            }
        }
    }
}

/// Draws where what was before a session ends and the session begins, `column` columns from the left.
pub fn seam(canvas: &mut Canvas<'_>, area: Rect, column: u16) {
    const WORDS: (&str, &str) = ("history ", " live");
    let x = area.left() + column;
    for y in area.top()..area.bottom() {
        canvas.glyph(x, y, canvas.glyphs().seam, Role::Note);
    }
    let wide = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX);
    if let Some(before) = column.checked_sub(wide(WORDS.0)) {
        canvas.put(area.left() + before, area.top(), wide(WORDS.0), WORDS.0, Role::Note);
    }
    if column + wide(WORDS.1) < area.width {
        canvas.put(x + 1, area.top(), wide(WORDS.1), WORDS.1, Role::Note);
    }
}

/// Draws an area of blocks from the bottom up: one value a column, oldest first.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the eighths of the area"
)]
pub fn area(canvas: &mut Canvas<'_>, area: Rect, ceiling: f32, values: &[Option<f32>], role: Role) {
    let levels = canvas.glyphs().levels;
    for (x, value) in (area.left()..area.right()).zip(values) {
        let Some(value) = value.filter(|_| ceiling > 0.0) else {
            continue;
        };
        let full = usize::from(area.height) * 8;
        let eighths = ((value / ceiling).clamp(0.0, 1.0) * full as f32).round() as usize;
        for (step, y) in (area.top()..area.bottom()).rev().enumerate() {
            let here = eighths.saturating_sub(step * 8).min(8);
            if here > 0 {
                canvas.glyph(x, y, levels[here], role);
            }
        }
    }
}

/// A history in one row: the last `columns` of `values`. `ceiling` is seven eighths of a block,
/// so that rows below each other stay apart.
/// Zero is the lowest block, so that silence differs from a gap.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the eight levels"
)]
pub fn sparkline(values: &[Option<f32>], columns: u16, ceiling: f32, levels: &[char; 9]) -> String {
    let columns = usize::from(columns);
    let squeezed = squeeze(values, columns);
    let blank = columns - squeezed.len();
    let blocks = squeezed.into_iter().map(|value| match value {
        None => levels[0],
        Some(value) if ceiling > 0.0 => levels[1 + ((value / ceiling).clamp(0.0, 1.0) * 6.0).round() as usize],
        Some(_) => levels[1],
    });
    std::iter::repeat_n(levels[0], blank).chain(blocks).collect()
}

/// As many values as there are columns, each the mean of its share; fewer stay as they are.
fn squeeze(values: &[Option<f32>], columns: usize) -> Vec<Option<f32>> {
    if values.len() <= columns || columns == 0 {
        return values.iter().take(columns).copied().collect();
    }
    (0..columns)
        .map(|column| {
            let share = &values[column * values.len() / columns..(column + 1) * values.len() / columns];
            let known: Vec<f32> = share.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32)
        })
        .collect()
}

/// The end of the step in which `now` lies, so that a value stays in its column while time goes on.
#[must_use]
pub fn aligned(now: Moment, span: Duration, points: usize) -> Moment {
    let step = span.as_nanos() / u128::try_from(points.max(1)).unwrap_or(1);
    if step == 0 {
        return now;
    }
    let ahead = (step - now.mono.as_nanos() % step) % step;
    let ahead = Duration::from_nanos(u64::try_from(ahead).unwrap_or(0));
    Moment {
        at: now.at.saturating_add(ahead).unwrap_or(now.at),
        mono: now.mono + ahead,
    }
}

/// A vertical axis: how far it reaches, and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// The value at the top.
    pub ceiling: f32,
    /// Values of the ticks, lowest first, from 0.
    pub ticks: Vec<f32>,
}

impl Scale {
    /// The lowest axis with round ticks (1, 2, 2.5, 5 × 10ⁿ; where there is room for one only, two
    /// digits) that `highest` stays under, one tick in at least 3 rows.
    #[must_use]
    pub fn over(highest: f32, rows: u16) -> Self {
        let most = f32::from((rows / 3).clamp(1, 6));
        let highest = if highest.is_finite() && highest > 0.0 {
            highest
        } else {
            1.0
        };
        let decade = 10f32.powf((highest / most).log10().floor());
        let round: &[f32] = if most < 2.0 {
            &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        } else {
            &[1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0]
        };
        let reach = |step: f32| (highest / step).ceil().max(1.0);
        let step = round
            .iter()
            .map(|step| step * decade)
            .filter(|step| reach(*step) <= most)
            .min_by(|a, b| (reach(*a) * a).total_cmp(&(reach(*b) * b)))
            .unwrap_or(highest);
        let mut ticks = vec![0.0];
        let mut number = 1.0;
        while number <= reach(step) {
            ticks.push(step * number);
            number += 1.0;
        }
        Self {
            ceiling: reach(step) * step,
            ticks,
        }
    }

    /// Draws the ticks and their labels into the columns left of a plot. `area` is as high as the plot.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        for tick in &self.ticks {
            let row = dot(*tick, self.ceiling, area.height) / DOTS.1;
            let y = area.top() + u16::try_from(row).unwrap_or(0);
            let label = label(*tick);
            canvas.line_right(
                area.left(),
                y,
                area.width.saturating_sub(2),
                &[super::span(label, Role::Dim)],
            );
            canvas.glyph(area.right() - 1, y, canvas.glyphs().tick, Role::ChartAxis);
        }
    }
}

/// A value beside an axis: `15k`, `2.5k`.
#[must_use]
pub fn label(value: f32) -> String {
    if value != 0.0 && value.abs() < 1.0 {
        // As many digits as a step may have: 0.25, not 0.3.
        let exact = format!("{value:.4}");
        return exact.trim_end_matches('0').to_owned();
    }
    text::compact(f64::from(value)).replace(".0", "")
}

/// Steps between labels of a time axis, seconds.
const STEPS: [i64; 14] = [
    5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200,
];

/// Columns that a label and the air after it take.
const LABEL: i64 = 12;

/// Draws labels at round moments under a plot that spans `span` and ends at `end`.
pub fn time_axis(canvas: &mut Canvas<'_>, area: Rect, end: Timestamp, span: Duration, zone: &Zone) {
    let (columns, seconds) = (
        i64::from(area.width),
        i64::try_from(span.as_secs()).unwrap_or(i64::MAX).max(1),
    );
    let Some(step) = STEPS.into_iter().find(|step| columns * step >= LABEL * seconds) else {
        return;
    };
    let (end, offset) = (end.as_second(), zone.offset(end));
    // Round in the zone that is shown, not in UTC.
    let mut at = (end - seconds + offset).div_euclid(step) * step - offset;
    while at <= end {
        let column = columns - 1 - (end - at) * columns / seconds;
        let label = Timestamp::from_second(at).map(|at| zone.clock(at)).unwrap_or_default();
        let label = if step < 60 {
            label.as_str()
        } else {
            label.get(..5).unwrap_or_default()
        };
        let width = i64::try_from(label.len()).unwrap_or(0);
        if column >= 0 && column + width <= columns {
            let x = area.left() + u16::try_from(column).unwrap_or(0);
            canvas.put(x, area.top(), area.width, label, Role::Dim);
        }
        at += step;
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::console::glyph::Glyphs;
    use crate::console::theme::colour::Depth;
    use crate::console::theme::{Library, Theme};

    fn theme(charset: Charset) -> Theme {
        Library::embedded()
            .unwrap()
            .theme("dark", Depth::True, charset)
            .unwrap()
    }

    fn glyphs() -> &'static Glyphs {
        Charset::Unicode.glyphs()
    }

    fn draw(
        width: u16,
        height: u16,
        charset: Charset,
        paint: impl FnOnce(&mut Canvas<'_>, Rect),
    ) -> (Vec<String>, Buffer) {
        let theme = theme(charset);
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        paint(&mut Canvas::new(&mut buffer, &theme), area);
        let rows = area.rows().map(|row| {
            row.positions()
                .map(|at| buffer[at].symbol().to_owned())
                .collect::<String>()
                .trim_end()
                .to_owned()
        });
        (rows.collect(), buffer)
    }

    #[test]
    fn a_line_rises_from_the_floor_to_the_ceiling() {
        let values = [Some(0.0), Some(0.0), Some(10.0), Some(10.0)];
        let (rows, _) = draw(2, 2, Charset::Unicode, |canvas, area| {
            lines(canvas, area, 10.0, &[(&values, Role::ChartIngest)]);
        });
        assert_eq!(rows, [" ⡟".to_owned(), "⣤⠇".to_owned()]);
    }

    #[test]
    fn a_gap_is_never_joined_and_is_hatched_only_between_known_values() {
        let gap = [
            None,
            None,
            Some(5.0),
            Some(5.0),
            None,
            None,
            None,
            None,
            Some(5.0),
            Some(5.0),
            None,
            None,
        ];
        let (rows, _) = draw(6, 1, Charset::Unicode, |canvas, area| {
            lines(canvas, area, 10.0, &[(&gap, Role::ChartIngest)]);
        });
        assert_eq!(rows, [" ⠶╱ ⠶"]);
    }

    #[test]
    fn the_area_between_the_lines_is_shaded_only_where_the_first_is_higher() {
        let (high, low) = ([Some(10.0); 4], [Some(0.0); 4]);
        let shaded = |upper: &[Option<f32>], lower: &[Option<f32>]| {
            let (_, buffer) = draw(2, 4, Charset::Unicode, |canvas, area| {
                lines(
                    canvas,
                    area,
                    10.0,
                    &[(upper, Role::ChartIngest), (lower, Role::ChartProcessing)],
                );
            });
            let gap = theme(Charset::Unicode).style(Role::Gap).bg.unwrap();
            buffer.content().iter().filter(|cell| cell.bg == gap).count()
        };
        assert_eq!(shaded(&high, &low), 8);
        assert_eq!(shaded(&low, &high), 0);
        assert_eq!(shaded(&high, &[None; 4]), 0);
    }

    #[test]
    fn ascii_lines_are_told_apart_by_their_glyph() {
        let (high, low) = ([Some(10.0); 4], [Some(0.0); 4]);
        let (rows, _) = draw(2, 2, Charset::Ascii, |canvas, area| {
            lines(
                canvas,
                area,
                10.0,
                &[(&high, Role::ChartIngest), (&low, Role::ChartProcessing)],
            );
        });
        assert_eq!(rows, ["**", "oo"]);
    }

    #[test]
    fn ticks_are_round_and_the_highest_value_stays_under_the_ceiling() {
        for (highest, rows, expected) in [
            (14_200.0, 13, vec![0.0, 5_000.0, 10_000.0, 15_000.0]),
            (0.7, 6, vec![0.0, 0.5, 1.0]),
            (0.0, 6, vec![0.0, 0.5, 1.0]),
            (250.0, 4, vec![0.0, 250.0]),
            (9_999.0, 20, vec![0.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0, 10_000.0]),
        ] {
            assert_eq!(Scale::over(highest, rows).ticks, expected, "{highest}");
        }
    }

    #[test]
    fn ticks_are_told_exactly() {
        for (highest, rows, expected) in [
            (1.0, 14, vec!["0", "0.25", "0.5", "0.75", "1"]),
            (0.04, 14, vec!["0", "0.01", "0.02", "0.03", "0.04"]),
            (10.0, 14, vec!["0", "2.5", "5", "7.5", "10"]),
        ] {
            let told: Vec<String> = Scale::over(highest, rows).ticks.into_iter().map(label).collect();
            assert_eq!(told, expected, "{highest}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_value_fits_its_scale(highest in 0.001f32..1e12, rows in 1u16..60) {
            let scale = Scale::over(highest, rows);
            proptest::prop_assert!(scale.ceiling >= highest * 0.999);
            proptest::prop_assert!(scale.ceiling <= highest * 5.1, "{highest} {scale:?}");
            proptest::prop_assert!(scale.ticks.len() <= usize::from(rows / 3).max(1) + 1);
        }
    }

    #[test]
    fn a_sparkline_tells_silence_from_a_gap_and_ends_at_the_right() {
        let values = [None, Some(0.0), Some(4.0), Some(8.0)];
        assert_eq!(sparkline(&values, 6, 8.0, &glyphs().levels), "   ▁▄▇");
        assert_eq!(sparkline(&values, 2, 8.0, &glyphs().levels), "▁▆");
        assert_eq!(sparkline(&[], 3, 0.0, &glyphs().levels), "   ");
        assert_eq!(sparkline(&[Some(0.0)], 1, 0.0, &glyphs().levels), "▁");
    }

    #[test]
    fn an_area_fills_by_eighths() {
        let (rows, _) = draw(3, 2, Charset::Unicode, |canvas, rect| {
            area(canvas, rect, 16.0, &[Some(16.0), Some(3.0), None], Role::ChartBacklog);
        });
        assert_eq!(rows, ["█", "█▃"]);
    }

    #[test]
    fn time_labels_stand_at_round_moments_of_the_zone() {
        let end: Timestamp = "2026-07-31T14:03:22Z".parse().unwrap();
        let axis = |zone: &Zone, span: u64| {
            let (rows, _) = draw(60, 1, Charset::Unicode, |canvas, area| {
                time_axis(canvas, area, end, Duration::from_secs(span), zone);
            });
            rows[0].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(axis(&Zone::utc(), 900), ["13:50", "13:55", "14:00"]);
        assert_eq!(axis(&Zone::utc(), 60), ["14:02:30", "14:02:45", "14:03:00", "14:03:15"]);
        let half = Zone::local(
            jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(19_800).unwrap()),
            end,
        );
        assert_eq!(axis(&half, 3_600), ["18:45", "19:00", "19:15"]);
    }
}
