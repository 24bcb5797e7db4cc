//! Copies of webhooks that were given up, in the dead letter stream.

use async_nats::HeaderMap;
use async_nats::header::{HeaderValue, NATS_MESSAGE_ID};

use super::topology::DLQ_PREFIX;
use crate::base::text;
use crate::base::time::Timestamp;

/// Header: the subject that the webhook was published to.
pub const ORIGINAL_SUBJECT: &str = "X-NATS-Original-Subject";
/// Header: the stream that it was taken from.
pub const STREAM: &str = "X-NATS-Stream";
/// Header: its sequence there.
pub const STREAM_SEQUENCE: &str = "X-NATS-Stream-Sequence";
/// Header: how often it was delivered.
pub const NUM_DELIVERED: &str = "X-NATS-Num-Delivered";
/// Header: the last error.
pub const REASON: &str = "X-NATS-DLQ-Reason";
/// Header: the consumer that delivered it.
pub const CONSUMER: &str = "X-NATS-Consumer";

/// Longest reason, in columns.
const REASON_COLUMNS: usize = 1_000;

/// Where a dead letter comes from and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The subject that the webhook was published to.
    pub subject: &'a str,
    /// Its stream.
    pub stream: &'a str,
    /// When that stream was created.
    pub stream_created: Timestamp,
    /// Its sequence there.
    pub sequence: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// The consumer that delivered it.
    pub consumer: &'a str,
    /// The last error. A stranger's text.
    pub reason: &'a str,
}

impl Origin<'_> {
    /// The subject of the copy.
    #[must_use]
    pub fn letter_subject(&self) -> String {
        format!("{DLQ_PREFIX}.{}", self.subject)
    }

    /// The copy's message id: the same whenever this message is copied again, different for
    /// every other one. Never the webhook's own id: a webhook that is replayed and dies again is
    /// another letter.
    #[must_use]
    pub fn letter_id(&self) -> String {
        let created = self.stream_created.as_nanosecond();
        format!("dlq-{}-{created}-{}", self.stream, self.sequence)
    }

    /// The copy's headers: all of the webhook's own as they are, none of NATS's, and the origin.
    #[must_use]
    pub fn letter_headers(&self, original: Option<&HeaderMap>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, values) in original.into_iter().flat_map(HeaderMap::iter) {
            // A rollup would purge, a time to live expire, an expectation fail.
            if AsRef::<str>::as_ref(name).to_ascii_lowercase().starts_with("nats-") {
                continue;
            }
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
        let reason = text::safe(self.reason);
        let reason = text::cut(&reason, REASON_COLUMNS);
        headers.insert(NATS_MESSAGE_ID, self.letter_id());
        headers.insert(ORIGINAL_SUBJECT, self.subject);
        headers.insert(STREAM, self.stream);
        headers.insert(STREAM_SEQUENCE, HeaderValue::from(self.sequence));
        headers.insert(NUM_DELIVERED, HeaderValue::from(self.deliveries));
        headers.insert(REASON, &*reason);
        headers.insert(CONSUMER, self.consumer);
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        subject: "webhook.telnyx.message_sent",
        stream: "webhooks",
        stream_created: Timestamp::UNIX_EPOCH,
        sequence: 42,
        deliveries: 3,
        consumer: "webhook-workers",
        reason: "upstream\r\nNats-Rollup: all \u{1b}[31m",
    };

    #[test]
    fn application_headers_are_kept_and_those_of_nats_are_not() {
        let mut original = HeaderMap::new();
        original.insert("Nats-Msg-Id", "telnyx-1");
        original.insert("nats-rollup", "all");
        original.insert("Nats-Expected-Stream", "webhooks");
        original.append("X-Twice", "a");
        original.append("X-Twice", " b, c ");
        original.insert("telnyx-timestamp", "17");
        let headers = ORIGIN.letter_headers(Some(&original));
        let twice: Vec<_> = headers.get_all("X-Twice").map(HeaderValue::as_str).collect();
        assert_eq!(twice, ["a", " b, c "]);
        assert_eq!(headers.get("telnyx-timestamp").unwrap().as_str(), "17");
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), "dlq-webhooks-0-42");
        assert!(headers.get("nats-rollup").is_none() && headers.get("Nats-Expected-Stream").is_none());
    }

    #[test]
    fn a_reason_cannot_add_headers() {
        let headers = ORIGIN.letter_headers(None);
        let reason = headers.get(REASON).unwrap().as_str();
        assert_eq!(reason, "upstream\\r\\nNats-Rollup: all \\x1b[31m");
        assert_eq!(headers.get(STREAM_SEQUENCE).unwrap().as_str(), "42");
        assert_eq!(ORIGIN.letter_subject(), "dlq.webhook.telnyx.message_sent");
    }

    #[test]
    fn a_letter_is_named_by_its_message_and_not_by_its_webhook() {
        let again = Origin {
            deliveries: 7,
            reason: "other",
            ..ORIGIN
        };
        assert_eq!(again.letter_id(), ORIGIN.letter_id());
        let replayed = Origin { sequence: 43, ..ORIGIN };
        assert_ne!(replayed.letter_id(), ORIGIN.letter_id());
        let recreated = Origin {
            stream_created: Timestamp::from_second(1).unwrap(),
            ..ORIGIN
        };
        assert_ne!(recreated.letter_id(), ORIGIN.letter_id());
    }
}
