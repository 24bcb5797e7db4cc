//! A letter as a line of a list: what fits there, whatever a stranger wrote.

use std::sync::Arc;

use crate::base::text;
use crate::base::time::Timestamp;
use crate::sample::{FailedCall, LetterForm, LetterOrigin, Stored};

/// Columns of a text at most.
const COLUMNS: usize = 200;

/// A letter as a line of a list. Its texts are safe and short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// Its sequence in the stream that it lies in.
    pub sequence: u64,
    /// In which form it is.
    pub form: LetterForm,
    /// When it died.
    pub died: Option<Timestamp>,
    /// The provider.
    pub provider: Option<Arc<str>>,
    /// The event.
    pub event: Option<Arc<str>>,
    /// Why it died.
    pub reason: Option<Arc<str>>,
    /// How often it was tried.
    pub tries: Option<u64>,
    /// Bytes of its payload and headers.
    pub size: Option<u64>,
    /// The subject that it came from.
    pub subject: Option<Arc<str>>,
    /// The id that its webhook is known by.
    pub id: Option<Arc<str>>,
}

impl LetterRow {
    /// The line of a stored message.
    #[must_use]
    pub fn new(letter: &Stored, origin: &LetterOrigin, form: LetterForm) -> Self {
        let (provider, event) = super::label(origin);
        Self {
            sequence: letter.sequence,
            form,
            died: super::died(origin, letter.at),
            provider: provider.map(short),
            event: event.map(short),
            reason: origin.reason.as_deref().map(short),
            tries: origin.deliveries,
            size: Some(letter.size()),
            subject: origin.subject.as_deref().map(short),
            id: super::webhook_id(&letter.headers).map(short),
        }
    }

    /// The line of a failed call.
    #[must_use]
    pub fn of_call(call: &FailedCall) -> Self {
        let status = call.status.map(|status| format!("HTTP {status}"));
        let reason = match (status, &call.error) {
            (Some(status), Some(error)) => Some(format!("{status}: {error}")),
            (Some(status), None) => Some(status),
            (None, error) => error.as_deref().map(ToOwned::to_owned),
        };
        Self {
            sequence: 0,
            form: LetterForm::Row,
            died: call.at,
            provider: None,
            event: call.webhook.as_deref().map(short),
            reason: reason.as_deref().map(short),
            tries: call.retries,
            size: None,
            subject: None,
            id: Some(short(&call.call)),
        }
    }
}

fn short(text: &str) -> Arc<str> {
    // Far more than the columns may hold, so that a long text costs nothing.
    let head = &text[..text.floor_char_boundary(text.len().min(4 * COLUMNS))];
    text::cut(&text::safe(head), COLUMNS).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_harmless_whatever_a_stranger_wrote() {
        let letter = Stored {
            sequence: 3,
            subject: "dlq".into(),
            headers: Vec::new(),
            payload: bytes::Bytes::new(),
            at: None,
        };
        let origin = LetterOrigin {
            reason: Some(format!("\x1b[31m{}", "x".repeat(8 << 20)).into()),
            subject: Some("webhook.a\u{202e}b.c.d".into()),
            ..LetterOrigin::default()
        };
        let row = LetterRow::new(&letter, &origin, LetterForm::Copy);
        let reason = row.reason.unwrap();
        assert!(
            text::width(&reason) <= COLUMNS && reason.starts_with("\\x1b[31m"),
            "{reason}"
        );
        assert_eq!(row.provider.as_deref(), Some("a\\u{202e}b"));
        assert_eq!(row.event.as_deref(), Some("c.d"));
        assert_eq!(row.tries, None);
    }
}
