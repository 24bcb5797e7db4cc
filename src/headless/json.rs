//! JSON on its way to a terminal: figures, and strangers' text.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::base::text::is_harmless;

/// `value` as JSON on one line. Characters that could steer a terminal, which JSON itself allows
/// as they are (C1 controls, bidirectional and invisible ones), are escaped.
///
/// # Errors
/// None that is known: whatever is printed here can be written as JSON.
pub(super) fn line<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    if json.chars().all(is_harmless) {
        return Ok(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            // Outside of strings JSON is ASCII, so this is inside of one.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let written = write!(out, "\\u{unit:04x}");
                debug_assert!(written.is_ok(), "writing to a String does not fail");
            }
        }
    }
    Ok(out)
}

/// A number in SI units. Unknown, NaN and infinite are `null`; a whole number has no fraction;
/// what is smaller than a microsecond or a millionth is rounded away.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number(pub Option<f64>);

impl Number {
    /// The value, if it is one.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        self.0.filter(|value| value.is_finite())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Below it every whole number is exact in an f64.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.value() {
            None => serializer.serialize_none(),
            Some(value) if value.fract() == 0.0 && value.abs() < EXACT =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
                serializer.serialize_i64(value as i64)
            }
            Some(value) if value.abs() < 1e9 => serializer.serialize_f64((value * 1e6).round() / 1e6),
            Some(value) => serializer.serialize_f64(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_steer_a_terminal_and_says_the_same() {
        let text = "a\u{1b}[31m \u{9b}31m \u{202e}txt \u{200b}\u{e0001} grüße \"x\"";
        let json = line(&text).unwrap();
        assert!(json.chars().all(is_harmless), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn unknown_is_null_and_whole_is_whole() {
        for (value, json) in [
            (None, "null"),
            (Some(f64::NAN), "null"),
            (Some(f64::INFINITY), "null"),
            (Some(0.0), "0"),
            (Some(-0.0), "0"),
            (Some(84_210.0), "84210"),
            (Some(-7.0), "-7"),
            (Some(0.000_6), "0.0006"),
            (Some(12_430.873_421_873), "12430.873422"),
            (Some(1.234_567_890_123e12), "1234567890123.0"),
            (Some(0.000_000_04), "0.0"),
        ] {
            let got = serde_json::to_string(&Number(value)).unwrap();
            assert_eq!(got.trim_end_matches(".0"), json.trim_end_matches(".0"), "{value:?}");
        }
    }
}
