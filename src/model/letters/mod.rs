//! Dead letters: where they came from, what killed them, groups of the same cause. Pure.

mod difference;
mod filter;
mod group;
pub mod json;
mod origin;
pub mod payload;
mod row;

pub use difference::difference;
pub use filter::LetterFilter;
pub use group::{Group, GroupBy, Groups};
pub use origin::{Origins, origin};
pub use row::LetterRow;

use crate::base::time::Timestamp;
use crate::sample::LetterOrigin;

/// A letter's provider and event: the second token of the subject that it came from, and what
/// follows it. Strangers' text.
#[must_use]
pub fn label(origin: &LetterOrigin) -> (Option<&str>, Option<&str>) {
    let mut tokens = origin.subject.as_deref().unwrap_or_default().splitn(3, '.').skip(1);
    (tokens.next(), tokens.next())
}

/// When a letter died: as a header says, else when it was stored.
#[must_use]
pub fn died(origin: &LetterOrigin, stored_at: Option<Timestamp>) -> Option<Timestamp> {
    origin.failed_at.or(stored_at)
}

/// The id that a letter's webhook is known by, as a header says.
#[must_use]
pub fn webhook_id(headers: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) -> Option<&str> {
    ["X-Webhook-Id", "svix-id", "webhook-id", "Nats-Msg-Id"]
        .iter()
        .find_map(|name| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)))
        .map(|(_, value)| &**value)
}
