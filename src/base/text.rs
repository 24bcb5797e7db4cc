//! Text on its way to a person: numbers in stable shapes, and strangers' text made safe.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands where a value is not known. Never a zero.
pub const UNKNOWN: &str = "–";

/// A whole number with thousands separated: `1,204,331`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something, in words that agree with it: `1 letter`, `1,204 letters`.
#[must_use]
pub fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// A signed whole number with thousands separated: `-7`, `+12`.
#[must_use]
pub fn signed(value: i64) -> String {
    let sign = if value < 0 { '-' } else { '+' };
    format!("{sign}{}", count(value.unsigned_abs()))
}

/// A number per second without its unit: whole from 10 up, else with one decimal, so that a
/// trickle does not read as silence. `12,431`, `3.4`, `0`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "finite and not negative here"
)]
pub fn per_second(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    let body = if size == 0.0 {
        "0".to_owned()
    } else if size < 0.05 {
        "<0.1".to_owned()
    } else if size < 9.95 {
        format!("{size:.1}")
    } else {
        count(size.round() as u64)
    };
    if value < 0.0 { format!("-{body}") } else { body }
}

/// A number in at most five characters: `999`, `12.4k`, `3.1M`.
#[must_use]
pub fn compact(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    for (limit, unit, letter) in [
        (999.5e9, 1e12, 'T'),
        (999.5e6, 1e9, 'G'),
        (999.5e3, 1e6, 'M'),
        (999.5, 1e3, 'k'),
    ] {
        if size >= limit {
            let scaled = value / unit;
            return if scaled.abs() < 99.95 {
                format!("{scaled:.1}{letter}")
            } else {
                format!("{scaled:.0}{letter}")
            };
        }
    }
    if size == 0.0 || size >= 9.95 || (size - size.round()).abs() < 0.05 {
        format!("{:.0}", value + 0.0)
    } else {
        format!("{value:.1}")
    }
}

/// Bytes in powers of 1024: `812 B`, `1.4 MiB`.
#[must_use]
pub fn bytes(value: u64) -> String {
    let mut scaled = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1023.95 || unit == "TiB" {
            return if unit == "B" {
                format!("{value} B")
            } else {
                format!("{scaled:.1} {unit}")
            };
        }
        scaled /= 1024.0;
    }
    UNKNOWN.to_owned()
}

/// A duration as exactly as a person needs it: `30 µs`, `12 ms`, `8.4 s`, `4 min 05 s`, `3 h 20 min`, `2 d 4 h`.
/// Below a second it is never rounded to 0, so that an `ack_wait` of 30 µs shows as what it is.
#[must_use]
pub fn duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    let secs = value.as_secs();
    match nanos {
        0 => "0 s".to_owned(),
        1..=999 => format!("{nanos} ns"),
        1_000..=999_999 => tenths(value.as_secs_f64() * 1e6, "µs"),
        1_000_000..=999_499_999 => tenths(value.as_secs_f64() * 1e3, "ms"),
        _ if secs < 60 => tenths(value.as_secs_f64().min(59.9), "s"),
        _ if secs < 3_600 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ if secs < 86_400 => format!("{} h {:02} min", secs / 3_600, secs / 60 % 60),
        _ => format!("{} d {} h", secs / 86_400, secs / 3_600 % 24),
    }
}

fn tenths(value: f64, unit: &str) -> String {
    if value >= 9.95 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A ratio of 1 as per cent: `0.2 %`; a value above 0 never reads as `0.0 %`.
#[must_use]
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        UNKNOWN.to_owned()
    } else if ratio > 0.0 && ratio < 0.0005 {
        "<0.1 %".to_owned()
    } else if ratio < 1.0 && ratio > 0.9995 {
        ">99.9 %".to_owned()
    } else {
        format!("{:.1} %", ratio * 100.0)
    }
}

/// Whether a character may reach a terminal as it is.
#[must_use]
pub fn is_harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            // Bidirectional controls, zero-width and other invisible formatting characters.
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            // Private use and what only looks like text.
            | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}'))
}

/// Combining marks beyond this many in one character are dropped: a stack of a thousand would
/// paint over the lines above it.
const MARKS: usize = 4;

/// A stranger's text as one harmless line: control, bidirectional, zero-width and private
/// characters become visible escapes (`\x1b`, `\n`, `\u{202e}`).
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if plain || (text.chars().all(is_harmless) && text.graphemes(true).all(|g| g.chars().count() <= 1 + MARKS)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for grapheme in text.graphemes(true) {
        let mut marks = 0;
        for c in grapheme.chars() {
            if !is_harmless(c) {
                escape(c, &mut out);
            } else if c.width() == Some(0) {
                marks += 1;
                if marks <= MARKS {
                    out.push(c);
                }
            } else {
                out.push(c);
            }
        }
    }
    Cow::Owned(out)
}

fn escape(c: char, out: &mut String) {
    let written = match c {
        '\n' => {
            out.push_str("\\n");
            Ok(())
        }
        '\r' => {
            out.push_str("\\r");
            Ok(())
        }
        '\t' => {
            out.push_str("\\t");
            Ok(())
        }
        c if (c as u32) < 0x100 => write!(out, "\\x{:02x}", c as u32),
        c => write!(out, "\\u{{{:x}}}", c as u32),
    };
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

/// An error's reason, and its next step where it has one: `reason → next`. The last arrow is ours, one
/// before it may be a stranger's.
#[must_use]
pub fn advice(error: &str) -> (&str, Option<&str>) {
    match error.rsplit_once(" → ") {
        Some((reason, next)) => (reason, Some(next)),
        None => (error, None),
    }
}

/// Display width in terminal columns.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to `columns`, ending in `…` when something was left out. Never splits a
/// character, never exceeds the width.
#[must_use]
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    // A line far longer than any screen need not be measured to its end.
    if text.len() <= columns || (text.len() <= columns.saturating_mul(8) && text.width() <= columns) {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut used = 0;
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let next = used + grapheme.width();
        if next > columns - 1 {
            return Cow::Owned(format!("{}…", &text[..end]));
        }
        used = next;
        end = at + grapheme.len();
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_204_331), "1,204,331");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(signed(-1_500), "-1,500");
    }

    #[test]
    fn a_trickle_does_not_read_as_silence() {
        assert_eq!(per_second(0.0), "0");
        assert_eq!(per_second(0.01), "<0.1");
        assert_eq!(per_second(3.44), "3.4");
        assert_eq!(per_second(12_431.4), "12,431");
        assert_eq!(per_second(-42.0), "-42");
        assert_eq!(per_second(f64::NAN), UNKNOWN);
    }

    #[test]
    fn compact_numbers_fit_five_characters() {
        for value in [0.0, 3.5, 999.0, 999.6, 12_431.0, 999_499.0, 999_600.0, 3.1e9, 8.8e12] {
            assert!(compact(value).len() <= 6, "{}", compact(value));
        }
        assert_eq!(compact(12_431.0), "12.4k");
        assert_eq!(compact(999_999.0), "1.0M");
        assert_eq!(compact(15_000.0), "15.0k");
    }

    #[test]
    fn a_short_duration_is_never_rounded_to_nothing() {
        assert_eq!(duration(Duration::from_nanos(30)), "30 ns");
        assert_eq!(duration(Duration::from_micros(30)), "30 µs");
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(8_400)), "8.4 s");
        assert_eq!(duration(Duration::from_secs(245)), "4 min 05 s");
        assert_eq!(duration(Duration::from_mins(200)), "3 h 20 min");
        assert_eq!(duration(Duration::from_hours(52)), "2 d 4 h");
    }

    #[test]
    fn strangers_text_cannot_steer_a_terminal() {
        assert_eq!(safe("plain"), "plain");
        assert_eq!(safe("a\x1b[31mb\r\n"), "a\\x1b[31mb\\r\\n");
        assert_eq!(safe("evil\u{202e}txt"), "evil\\u{202e}txt");
        assert_eq!(safe("zero\u{200b}width"), "zero\\u{200b}width");
        assert_eq!(safe("\u{9b}31m"), "\\x9b31m");
        assert_eq!(safe("grüße 你好"), "grüße 你好");
        let zalgo = format!("a{}", "\u{0301}".repeat(1000));
        assert_eq!(safe(&zalgo).chars().count(), 1 + MARKS);
    }

    #[test]
    fn a_cut_keeps_within_its_width() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello!", 5), "hell…");
        assert_eq!(cut("你好世界", 5), "你好…");
        assert_eq!(cut("x", 0), "");
        assert!(width(&cut(&"long ".repeat(10_000), 20)) <= 20);
    }

    proptest::proptest! {
        #[test]
        fn safe_text_holds_nothing_but_harmless_characters(text in ".{0,200}") {
            proptest::prop_assert!(safe(&text).chars().all(is_harmless));
        }

        #[test]
        fn a_cut_never_exceeds_its_width(text in ".{0,200}", columns in 0usize..40) {
            proptest::prop_assert!(width(&cut(&text, columns)) <= columns);
        }
    }
}
