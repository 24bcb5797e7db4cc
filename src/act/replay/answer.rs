//! What answers to a window say, and what that means for each letter.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gateway::Posting;
use crate::act::exchange::{Answer, ExchangeError, PATIENCE, PubAck};
use crate::act::journal::{Intent, Record};

/// What the answers of a window say.
#[derive(Debug, Default)]
pub(super) struct Landing {
    pub(super) records: Vec<Record>,
    pub(super) landed: Vec<u64>,
    /// Stream, sequence there, replay id and letter of those to follow.
    pub(super) followed: Vec<(Arc<str>, u64, Arc<str>, u64)>,
    /// Whether an answer is missing.
    pub(super) limbo: bool,
}

/// What will say whether a letter landed.
pub(super) enum Reply<'a> {
    /// A `PubAck`.
    Stream(Answer<'a>),
    /// A gateway's answer.
    Gateway(Posting),
}

impl Landing {
    /// Of a window of which nothing is known.
    pub(super) fn lost() -> Self {
        Self {
            limbo: true,
            ..Self::default()
        }
    }
}

/// Waits for the answers of a window. A duplicate of those that were sent `before` is ours.
pub(super) async fn landing(
    replies: Vec<(Intent, Result<Reply<'_>, ExchangeError>)>,
    before: &BTreeSet<u64>,
) -> Landing {
    let mut landing = Landing::default();
    for (intent, reply) in replies {
        let letter = intent.letter;
        let was_sent = before.contains(&letter);
        let record = match reply {
            Ok(Reply::Gateway(posting)) => posting.outcome().await,
            Ok(Reply::Stream(answer)) => verdict(&intent, answer.acked(PATIENCE).await, was_sent),
            Err(error) => verdict(&intent, Err(error), was_sent),
        };
        match record {
            Some(record) => {
                if let Record::Landed { stored, .. } = &record {
                    landing.landed.push(letter);
                    let followed = stored.map(|stored| (intent.stream, stored, intent.id, letter));
                    landing.followed.extend(followed);
                }
                landing.records.push(record);
            }
            None => landing.limbo = true,
        }
    }
    landing
}

/// What an answer means; `None`: nobody knows yet.
pub(super) fn verdict(intent: &Intent, outcome: Result<PubAck, ExchangeError>, was_sent: bool) -> Option<Record> {
    let letter = intent.letter;
    match outcome {
        Ok(ack) if *ack.stream != *intent.stream => Some(Record::Doubt {
            letter,
            reason: format!("it was stored in {}", crate::base::text::safe(&ack.stream)),
        }),
        Ok(ack) if ack.duplicate && !was_sent => Some(Record::Refused {
            letter,
            reason:
                "its id is in the target's deduplication window: an earlier replay sent it → look whether that was \
                     processed, and replay it again when the window is over"
                    .to_owned(),
        }),
        Ok(ack) => Some(Record::Landed {
            letter,
            stored: Some(ack.sequence),
            duplicate: ack.duplicate,
        }),
        Err(error) if error.is_open() => None,
        // The connection was gone before it could be sent: its window is looked at as a whole.
        Err(ExchangeError::Unsent(reason))
            if reason.starts_with("connection lost") || reason.starts_with("the lease") =>
        {
            None
        }
        Err(error) => Some(Record::Refused {
            letter,
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> Intent {
        Intent {
            window: 1,
            letter: 7,
            hash: "h".into(),
            id: "id".into(),
            subject: "s".into(),
            stream: "webhooks".into(),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an outcome, as it is judged")]
    fn ack(stream: &str, duplicate: bool) -> Result<PubAck, ExchangeError> {
        Ok(PubAck {
            stream: stream.into(),
            sequence: 9,
            duplicate,
        })
    }

    #[test]
    fn only_a_puback_of_the_expected_stream_is_landed() {
        let landed = |record: Option<Record>| matches!(record, Some(Record::Landed { stored: Some(9), .. }));
        assert!(landed(verdict(&intent(), ack("webhooks", false), false)));
        assert!(
            landed(verdict(&intent(), ack("webhooks", true), true)),
            "our own, sent before"
        );
        let stranger = verdict(&intent(), ack("webhooks", true), false);
        assert!(
            matches!(stranger, Some(Record::Refused { .. })),
            "an id that we never sent"
        );
        assert!(matches!(
            verdict(&intent(), ack("other", false), false),
            Some(Record::Doubt { .. })
        ));
    }

    #[test]
    fn no_answer_is_limbo_and_a_no_is_a_no() {
        for open in [ExchangeError::Lost("x".into()), ExchangeError::TimedOut(PATIENCE)] {
            assert_eq!(verdict(&intent(), Err(open), false), None);
        }
        let full = ExchangeError::Refused {
            description: "maximum messages exceeded".into(),
            code: 10_077,
        };
        for no in [full, ExchangeError::NoResponders("s".into())] {
            assert!(matches!(
                verdict(&intent(), Err(no), false),
                Some(Record::Refused { .. })
            ));
        }
    }
}
