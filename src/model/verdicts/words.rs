//! What a verdict says, and numbers in words.

use std::time::Duration;

use crate::base::text;
use crate::model::view::Severity;

/// A verdict's sentence, what it rests on, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Words {
    pub(in crate::model) severity: Severity,
    pub(in crate::model) text: String,
    pub(in crate::model) evidence: Vec<String>,
    pub(in crate::model) next: String,
    /// How much it is about, where a growth of it is news to somebody who has acknowledged it.
    pub(in crate::model) amount: f64,
}

impl Words {
    pub(super) fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            severity,
            text: text.into(),
            evidence: Vec::new(),
            next: String::new(),
            amount: 0.0,
        }
    }

    /// Says how much it is about.
    #[must_use]
    pub(super) fn amount(self, amount: f64) -> Self {
        Self { amount, ..self }
    }

    /// Adds a fact that it rests on.
    #[must_use]
    pub(super) fn because(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }

    /// Adds a fact where it is known.
    #[must_use]
    pub(super) fn because_of(self, fact: Option<String>) -> Self {
        match fact {
            Some(fact) => self.because(fact),
            None => self,
        }
    }

    /// Adds why a source cannot be read, and its own next step; `otherwise` where it has none.
    #[must_use]
    pub(super) fn because_unread(self, error: Option<&str>, otherwise: &str) -> Self {
        let Some(error) = error else {
            return self.next(otherwise);
        };
        let (reason, next) = text::advice(error);
        self.because(reason).next(next.unwrap_or(otherwise))
    }

    /// Says what to do next.
    #[must_use]
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

/// A count that was computed as a float.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made positive; `as` saturates"
)]
pub(super) fn count(value: f64) -> String {
    text::count(value.abs().round() as u64)
}

/// `1 webhook`, `7 webhooks`.
pub(super) fn counted(value: f64, one: &str, many: &str) -> String {
    let number = count(value);
    if number == "1" {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// `12,431/s`.
pub(super) fn rate(value: f64) -> String {
    format!("{}/s", text::per_second(value))
}

/// A time as a person says it: `9 min`, `40 s`, `3 h`.
pub(super) fn about(seconds: f64) -> String {
    let whole = |value: f64| count(value.max(1.0));
    if seconds < 90.0 {
        format!("{} s", whole(seconds))
    } else if seconds < 5_400.0 {
        format!("{} min", whole(seconds / 60.0))
    } else if seconds < 172_800.0 {
        format!("{} h", whole(seconds / 3_600.0))
    } else {
        format!("{} d", whole(seconds / 86_400.0))
    }
}

/// A duration in seconds as it is measured: `31 ms`.
pub(super) fn measured(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| text::UNKNOWN.to_owned(), text::duration)
}

/// A few names: `w-1, w-2, w-3 and 4 more`.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let all: Vec<&str> = all.into_iter().collect();
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_a_person_would() {
        assert_eq!(about(0.2), "1 s");
        assert_eq!(about(40.0), "40 s");
        assert_eq!(about(540.0), "9 min");
        assert_eq!(about(10_800.0), "3 h");
        assert_eq!(about(200_000.0), "2 d");
    }

    #[test]
    fn the_next_step_is_the_error_s_own_where_it_has_one() {
        let words = |error| Words::new(Severity::Warning, "w-1 cannot be read").because_unread(error, "look at it");
        let own = words(Some("scrape w-1: 401 Unauthorized → give this target a bearer token"));
        assert_eq!(own.evidence, ["scrape w-1: 401 Unauthorized"]);
        assert_eq!(own.next, "give this target a bearer token");
        let bare = words(Some("scrape w-1: broken"));
        assert_eq!(
            (bare.evidence, bare.next.as_str()),
            (vec!["scrape w-1: broken".to_owned()], "look at it")
        );
        assert_eq!(words(None).next, "look at it");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1.0, "webhook", "webhooks"), "1 webhook");
        assert_eq!(counted(7.0, "webhook", "webhooks"), "7 webhooks");
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        assert_eq!(names(["a", "b"]), "a, b");
        assert_eq!(names(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
