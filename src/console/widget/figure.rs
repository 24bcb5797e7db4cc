//! How a figure stands on screen: its text in full and in short, and what its state looks like.

use std::borrow::Cow;
use std::time::Duration;

use super::canvas::{Line, span};
use crate::base::text;
use crate::console::theme::Role;
use crate::model::field::{Unit, show};
use crate::model::{Reading, ReadingState};

/// The role of a figure: `role` while it is fresh.
#[must_use]
pub fn tone(reading: &Reading, role: Role) -> Role {
    match reading.state {
        ReadingState::Unknown => Role::Unknown,
        _ if !reading.value.is_some_and(f64::is_finite) => Role::Unknown,
        ReadingState::Stale => Role::Stale,
        ReadingState::Fresh | ReadingState::AtMost => role,
    }
}

/// A figure, its unit dim.
#[must_use]
pub fn figure(reading: &Reading, unit: Unit, role: Role) -> Line<'static> {
    let shown = show(reading, unit);
    // What is counted by the minute is whole.
    let shown = match unit {
        Unit::PerMinute => shown.replace(".0/", "/"),
        // Everything is everything, without decimals.
        Unit::Ratio => shown.replace("100.0", "100"),
        _ => shown,
    };
    dress(&shown, tone(reading, role))
}

/// A time to come, no more exact than a forecast can be: whole seconds under a minute, whole minutes from 10 up.
#[must_use]
pub fn forecast(reading: &Reading, role: Role) -> Line<'static> {
    let shown = match (reading.value, reading.state) {
        (Some(seconds), state) if state != ReadingState::Unknown => {
            let exact = if seconds >= 600.0 {
                (seconds / 60.0).round() * 60.0
            } else {
                seconds.round()
            };
            let whole = Unit::Seconds.format(exact);
            if seconds >= 600.0 {
                whole.replace(" 00 s", "")
            } else {
                whole
            }
        }
        _ => text::UNKNOWN.to_owned(),
    };
    vec![span(shown, tone(reading, role))]
}

/// A figure in few columns: `12.4k/s`, `8.4s`, `4m05s`.
#[must_use]
pub fn short(reading: &Reading, unit: Unit, role: Role) -> Line<'static> {
    let known = reading.value.filter(|value| value.is_finite());
    let shown = match (known, reading.state) {
        (None, _) | (_, ReadingState::Unknown) => Cow::Borrowed(text::UNKNOWN),
        (Some(value), state) => {
            let bound = if state == ReadingState::AtMost { "≤" } else { "" };
            let body = match unit {
                Unit::Count => text::compact(value),
                Unit::PerSecond => format!("{}/s", text::compact(value)),
                Unit::PerMinute => format!("{}/min", text::compact(value)),
                Unit::Seconds => Duration::try_from_secs_f64(value).map_or_else(|_| text::UNKNOWN.to_owned(), duration),
                Unit::Ratio | Unit::Bytes => unit.format(value).replace(' ', ""),
            };
            Cow::Owned(format!("{bound}{body}"))
        }
    };
    dress(&shown, tone(reading, role))
}

/// A duration in at most six columns.
#[must_use]
pub fn duration(value: Duration) -> String {
    let secs = value.as_secs();
    match secs {
        0..60 => text::duration(value).replace(' ', ""),
        60..3_600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3_600..86_400 => format!("{}h{:02}m", secs / 3_600, secs / 60 % 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs / 3_600 % 24),
    }
}

/// A figure that fits: in full, in short where that is too wide. It is never cut: half a number is another number.
#[must_use]
pub fn fitting(reading: &Reading, unit: Unit, role: Role, columns: u16) -> Line<'static> {
    let long = figure(reading, unit, role);
    let width: usize = long.iter().map(|span| text::width(&span.text)).sum();
    if width <= usize::from(columns) {
        long
    } else {
        short(reading, unit, role)
    }
}

/// The number in its role, the unit behind it dim.
fn dress(shown: &str, role: Role) -> Line<'static> {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '+' | '-' | '<' | '>' | '≤' | '–');
    let at = shown.find(|c| !number(c)).unwrap_or(shown.len());
    let (head, unit) = shown.split_at(at);
    let mut line = vec![span(head.to_owned(), role)];
    // `4 min 05 s` is one figure: only a single unit stands apart.
    if unit.is_empty() {
        return line;
    }
    if unit.contains(|c: char| c.is_ascii_digit()) {
        line[0].text = Cow::Owned(shown.to_owned());
    } else {
        let dim = if matches!(role, Role::Text | Role::Strong) {
            Role::Dim
        } else {
            role
        };
        line.push(span(unit.to_owned(), dim));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::sample::{SourceId, SourceKind};

    fn reading(value: f64) -> Reading {
        Reading::fresh(
            value,
            Timestamp::UNIX_EPOCH,
            SourceId::new(SourceKind::Jetstream, "nats"),
        )
    }

    fn plain(line: &Line<'_>) -> String {
        line.iter().map(|span| span.text.as_ref()).collect()
    }

    #[test]
    fn a_unit_stands_dim_behind_its_number() {
        let line = figure(&reading(12_431.0), Unit::PerSecond, Role::Strong);
        assert_eq!(line, [span("12,431", Role::Strong), span("/s", Role::Dim)]);
        assert_eq!(
            figure(&reading(245.0), Unit::Seconds, Role::Text),
            [span("4 min 05 s", Role::Text)]
        );
        assert_eq!(
            figure(&reading(84_210.0), Unit::Count, Role::Warning),
            [span("84,210", Role::Warning)]
        );
    }

    #[test]
    fn unknown_is_never_a_number_and_stale_never_looks_fresh() {
        assert_eq!(
            figure(&Reading::unknown(), Unit::Count, Role::Strong),
            [span("–", Role::Unknown)]
        );
        let stale = Reading {
            state: ReadingState::Stale,
            ..reading(7.0)
        };
        assert_eq!(tone(&stale, Role::Strong), Role::Stale);
        assert_eq!(short(&stale, Unit::Count, Role::Strong), [span("7", Role::Stale)]);
        let bound = Reading {
            state: ReadingState::AtMost,
            ..reading(7.0)
        };
        assert_eq!(plain(&figure(&bound, Unit::PerSecond, Role::Strong)), "≤7.0/s");
    }

    #[test]
    fn a_figure_is_shortened_and_never_cut() {
        assert_eq!(
            plain(&fitting(&reading(123_456.0), Unit::PerSecond, Role::Text, 9)),
            "123,456/s"
        );
        assert_eq!(
            plain(&fitting(&reading(123_456.0), Unit::PerSecond, Role::Text, 8)),
            "123k/s"
        );
        assert_eq!(plain(&figure(&reading(1.0), Unit::Ratio, Role::Text)), "100 %");
        assert_eq!(tone(&reading(f64::NAN), Role::Text), Role::Unknown);
    }

    #[test]
    fn short_figures_are_short() {
        assert_eq!(plain(&forecast(&reading(1_259.6), Role::Text)), "21 min");
        assert_eq!(plain(&forecast(&reading(245.4), Role::Text)), "4 min 05 s");
        assert_eq!(plain(&forecast(&reading(12_000.0), Role::Text)), "3 h 20 min");
        assert_eq!(plain(&forecast(&Reading::unknown(), Role::Text)), "–");
        for (value, unit, expected) in [
            (12_431.0, Unit::PerSecond, "12.4k/s"),
            (8.4, Unit::Seconds, "8.4s"),
            (245.0, Unit::Seconds, "4m05s"),
            (12_000.0, Unit::Seconds, "3h20m"),
            (0.000_03, Unit::Seconds, "30µs"),
            (0.002, Unit::Ratio, "0.2%"),
        ] {
            assert_eq!(plain(&short(&reading(value), unit, Role::Text)), expected);
        }
    }
}
