//! Durations as people write them: `500ms`, `20s`, `1m 30s`.

use std::time::Duration;

/// The duration that `text` says, above zero.
///
/// # Errors
/// When it is none, has no unit, or is not above zero; the text says how to write one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write it like 500ms, 20s or 2m";
    let text = text.trim();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!("the unit is missing: {HOW}"));
    }
    let parsed = jiff::fmt::friendly::SpanParser::new()
        .parse_duration(text)
        .map_err(|_| format!("not a duration: {HOW}"))?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a duration must be above zero".to_owned()),
    }
}

/// The shortest text that [`parse_duration`] reads back as `value`: `500ms`, `20s`, `1m30s`.
#[must_use]
pub fn format_duration(value: Duration) -> String {
    jiff::SignedDuration::try_from(value).map_or_else(
        |_| format!("{}s", value.as_secs()),
        |signed| {
            jiff::fmt::friendly::SpanPrinter::new()
                .spacing(jiff::fmt::friendly::Spacing::None)
                .duration_to_string(&signed)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("20s", 20_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1m 30s", 90_000),
            ("1h", 3_600_000),
            (" 1.5s ", 1_500),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_how_to_write_one() {
        assert!(parse_duration("20").unwrap_err().contains("unit is missing"));
        assert!(parse_duration("soon").unwrap_err().contains("500ms, 20s or 2m"));
        assert!(parse_duration("").unwrap_err().contains("not a duration"));
        assert!(parse_duration("0s").unwrap_err().contains("above zero"));
        assert!(parse_duration("-3s").unwrap_err().contains("above zero"));
    }

    #[test]
    fn a_written_duration_is_read_back() {
        for millis in [1, 500, 1_000, 90_000, 3_600_000, 90_061_001] {
            let value = Duration::from_millis(millis);
            assert_eq!(
                parse_duration(&format_duration(value)),
                Ok(value),
                "{}",
                format_duration(value)
            );
        }
        assert_eq!(format_duration(Duration::from_secs(20)), "20s");
    }
}
