//! Why a webhook could not be processed; and webhooks that ask to fail, for tests and demos.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Why a webhook could not be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The kind, for a label.
    pub(super) reason: &'static str,
    /// The error as a person reads it.
    pub(super) text: String,
}

impl Failure {
    /// It cannot be read.
    pub(super) fn malformed(text: &str) -> Self {
        Self {
            reason: "malformed",
            text: text.to_owned(),
        }
    }

    /// The database refused a value of it.
    pub(super) fn refused(text: String) -> Self {
        Self {
            reason: "refused_by_database",
            text,
        }
    }
}

/// Every reason, so that each has its series from the start.
pub(super) const REASONS: [&str; 8] = [
    "malformed",
    "refused_by_database",
    "timeout",
    "recipient_not_found",
    "invalid_payload",
    "upstream_500",
    "duplicate_key",
    "poison",
];

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    poison: Cow<'a, str>,
}

/// The failure that a body's `{"hookwatch":{"poison":"<cause>"}}` asks for. Its text is that of
/// a real error of that cause: numbers and ids differ from message to message, times from attempt
/// to attempt, so that grouping by kind has work to do.
pub(super) fn asked_for(hookwatch: &RawValue, sequence: u64, delivery: u64) -> Option<Failure> {
    let asked: Asked<'_> = serde_json::from_str(hookwatch.get()).ok()?;
    let id = mixed(sequence);
    let varying = mixed(sequence.wrapping_mul(31).wrapping_add(delivery));
    let (reason, text) = match &*asked.poison {
        "timeout" => (
            "timeout",
            format!("upstream timed out after {} ms", 5_000 + varying % 400),
        ),
        "recipient_not_found" => (
            "recipient_not_found",
            format!(
                "recipient {} not found in account {}",
                id % 1_000_000,
                varying % 90 + 10
            ),
        ),
        "invalid_payload" => (
            "invalid_payload",
            format!(
                "invalid payload: missing field `status` at line 1 column {}",
                id % 900 + 20
            ),
        ),
        "upstream_500" => (
            "upstream_500",
            format!(
                "POST https://crm.example/v1/contacts/{}: 500 Internal Server Error (request {varying:016x})",
                id % 100_000
            ),
        ),
        "duplicate_key" => (
            "duplicate_key",
            format!(
                "duplicate key value violates unique constraint \"deliveries_pkey\": Key (id)=({}) already exists.",
                id % 10_000_000
            ),
        ),
        _ => ("poison", "asked to fail for an unknown cause".to_owned()),
    };
    Some(Failure { reason, text })
}

/// A number that looks nothing like `value` and is always the same for it (splitmix64).
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(cause: &str, sequence: u64) -> Option<Failure> {
        let body = format!(r#"{{"poison":"{cause}"}}"#);
        asked_for(&RawValue::from_string(body).unwrap(), sequence, 1)
    }

    #[test]
    fn every_cause_has_texts_that_differ_between_messages() {
        for cause in [
            "timeout",
            "recipient_not_found",
            "invalid_payload",
            "upstream_500",
            "duplicate_key",
        ] {
            let (first, second) = (ask(cause, 1).unwrap(), ask(cause, 2).unwrap());
            assert_eq!(first.reason, cause);
            assert!(REASONS.contains(&first.reason));
            assert_ne!(first.text, second.text);
            assert_eq!(ask(cause, 1).unwrap(), first, "the same message fails the same way");
        }
        assert_eq!(ask("something else", 1).unwrap().reason, "poison");
    }

    #[test]
    fn nothing_else_asks_for_a_failure() {
        for body in ["{}", "7", "null", r#"{"poison":7}"#, r#"{"poison":null}"#] {
            assert_eq!(
                asked_for(&RawValue::from_string(body.to_owned()).unwrap(), 1, 1),
                None,
                "{body}"
            );
        }
    }
}
