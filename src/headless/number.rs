//! A figure as JSON.

use serde::{Serialize, Serializer};

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
