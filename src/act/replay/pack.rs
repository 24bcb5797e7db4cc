//! Letters made ready to go: found to be what was selected, and turned into what is sent.

use std::sync::Arc;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::message::message;
use crate::act::exchange::{ExchangeError, Stored};
use crate::act::hash;
use crate::act::journal::{Hash, How, Intent};
use crate::base::time::{SharedClock, Timestamp};
use crate::signature::Signer;

/// A letter whose turn comes, as it was selected.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Its sequence in the DLQ.
    pub(super) letter: u64,
    /// The hash of its payload.
    pub(super) hash: Hash,
    /// The subject that it goes to.
    pub(super) subject: Arc<str>,
    /// The stream that takes it; empty: a gateway.
    pub(super) stream: Arc<str>,
    /// How it goes.
    pub(super) how: Arc<How>,
}

/// A letter that is about to go.
#[derive(Debug)]
pub(super) struct Ready {
    /// What the journal says of it.
    pub(super) intent: Intent,
    /// What is sent, or why it cannot be.
    pub(super) message: Result<(HeaderMap, Bytes), ExchangeError>,
    /// Whether it goes to a gateway.
    pub(super) is_posted: bool,
}

/// Letters that were looked at.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// Those that can go.
    pub(super) ready: Vec<Ready>,
    /// Those that are no longer there, or are others now.
    pub(super) gone: Vec<u64>,
}

/// What turns letters into messages.
#[derive(Debug)]
pub(super) struct Packer {
    dlq: Arc<str>,
    dlq_created: Timestamp,
    signer: Option<Signer>,
    clock: SharedClock,
}

impl Packer {
    pub(super) fn new(dlq: &Arc<str>, dlq_created: Timestamp, signer: Option<Signer>, clock: &SharedClock) -> Self {
        Self {
            dlq: dlq.clone(),
            dlq_created,
            signer,
            clock: clock.clone(),
        }
    }

    /// Letters and what was found under their sequences, in the same order.
    pub(super) fn pack(&self, wanted: Vec<Wanted>, found: Vec<Option<Stored>>) -> Packed {
        let mut packed = Packed {
            ready: Vec::with_capacity(wanted.len()),
            gone: Vec::new(),
        };
        for (wanted, letter) in wanted.into_iter().zip(found) {
            let Some(letter) = letter.filter(|letter| hash::short(&letter.payload) == wanted.hash) else {
                packed.gone.push(wanted.letter);
                continue;
            };
            let intent = Intent {
                // Known when it is written down.
                window: 0,
                letter: wanted.letter,
                hash: wanted.hash,
                id: hash::replay_id(&self.dlq, self.dlq_created, wanted.letter, 1),
                subject: wanted.subject,
                stream: wanted.stream,
            };
            packed.ready.push(Ready {
                message: self.message(&letter, &intent, &wanted.how),
                intent,
                is_posted: wanted.how.to_url.is_some(),
            });
        }
        packed
    }

    /// What is sent of a letter.
    pub(super) fn message(
        &self,
        letter: &Stored,
        intent: &Intent,
        how: &How,
    ) -> Result<(HeaderMap, Bytes), ExchangeError> {
        let signer = self.signer.as_ref();
        message(letter, intent, how, signer.map(|signer| (signer, self.clock.now().at)))
    }
}
