//! Dead letters: answers to a query, never polled.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// A stored message, as the stream has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its sequence.
    pub sequence: u64,
    /// Its subject.
    pub subject: Arc<str>,
    /// Its headers, repeated names in their order.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Its payload.
    pub payload: Bytes,
    /// When it was stored.
    pub at: Option<Timestamp>,
}

impl Stored {
    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Arc<str>> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// The bytes of its payload and headers.
    #[must_use]
    pub fn size(&self) -> u64 {
        let header = |(name, value): &(Arc<str>, Arc<str>)| name.len() + value.len() + 4;
        (self.payload.len() + self.headers.iter().map(header).sum::<usize>()) as u64
    }
}

/// Which letter: the place where it lies. Stays the same for as long as the letter is there, and
/// never names another one: a stream that was deleted and made anew has another `created`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterKey {
    /// A message of a stream: a copy in a DLQ, or a parked message of the source stream.
    Message {
        /// The stream.
        stream: Arc<str>,
        /// When that stream was created.
        created: Timestamp,
        /// The message's sequence there.
        sequence: u64,
    },
    /// A row of `rule_webhook_calls`.
    Row {
        /// Its `call_id`.
        call: Arc<str>,
    },
}

/// The forms that a dead letter comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterForm {
    /// A copy in a dead letter stream.
    Copy,
    /// Past `max_deliver` and still in the source stream.
    Parked,
    /// Acked before a server crash and stored again since: never offered for replay by default.
    Orphaned,
    /// A failed row in Postgres.
    Row,
}

/// A letter as it lies, and what its headers say of where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Which.
    pub key: LetterKey,
    /// In which form.
    pub form: LetterForm,
    /// The subject that it lies under. A stranger's text.
    pub subject: Arc<str>,
    /// Its headers as they are, the DLQ's and NATS's own included: name and value, repeated names
    /// in their order. Strangers' text.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Its payload, byte for byte. A stranger's.
    pub payload: Bytes,
    /// When it was stored there: for a copy, when it died.
    pub stored_at: Option<Timestamp>,
    /// Where it came from and why it died.
    pub origin: LetterOrigin,
}

/// Where a letter came from and why it died; `None`: nobody said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterOrigin {
    /// The subject that the webhook was published to.
    pub subject: Option<Arc<str>>,
    /// The stream that it was taken from.
    pub stream: Option<Arc<str>>,
    /// Its sequence there.
    pub sequence: Option<u64>,
    /// The consumer that gave it up.
    pub consumer: Option<Arc<str>>,
    /// How often it was delivered.
    pub deliveries: Option<u64>,
    /// The last error. A stranger's text.
    pub reason: Option<Arc<str>>,
    /// When it died, where a header says so.
    pub failed_at: Option<Timestamp>,
}
