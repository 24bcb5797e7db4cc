//! Messages past `max_deliver`: they lie in the stream that they were published to, and nobody
//! delivers them any more.
//!
//! No server says which messages a consumer has given up. It says how far it has delivered, how
//! many deliveries are open and below which sequence none is, and how many messages were delivered
//! more than once and not acked since. So a message that was delivered, is still in the stream and
//! is certainly open nowhere is *idle*: parked, or *orphaned*, which is acked before a server crash
//! that brought it back. What may be in somebody's hands is not told from what is parked: it is
//! left alone. Copies of it would be processed twice.
//!
//! A parked message is no longer idle when a server restarts (until the next pull) and when its
//! consumer was made anew; with a raised `max_deliver`, a restart delivers it again. So whoever
//! replays one looks again just before it is sent.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Exchange, ExchangeError};
use super::journal::{Folder, GivenUpBy, JournalError};
use super::search::Place;
use super::select::replayed_before;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::config::LetterHeaders;
use crate::model::letters::Origins;
use crate::observe::letters::{LetterError, Mailbox, Reading};
use crate::sample::{ConsumerReading, LetterForm, Retention};

/// How long a server may take to write a new consumer down.
const WRITTEN_DOWN: Duration = Duration::from_secs(1);

/// How often it is looked for a moment in which nothing is in anybody's hands, and how soon again.
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(20);

/// Idle messages of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Idle {
    /// The consumer that delivered them.
    pub by: GivenUpBy,
    /// Where they lie, and how they are read.
    pub place: Place,
    /// What they are: of a mixture nobody can say which is which, then all count as orphaned.
    pub form: LetterForm,
    /// How many.
    pub count: u64,
    /// Deliveries that are open: parked messages among and above these cannot be told from them.
    pub held: u64,
}

/// Why parked messages cannot be told from others.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// The stream keeps everything.
    #[error(
        "parked: {0} keeps what was processed, so that parked messages cannot be told from it → only a work queue shows \
         them"
    )]
    Keeps(String),
    /// Which consumer?
    #[error("parked: {stream} has {} → name the one that gave up with --consumer", text::counted(*.count, "consumer", "consumers"))]
    Consumers {
        /// The stream.
        stream: String,
        /// How many it has.
        count: u64,
    },
    /// There is no such consumer.
    #[error("parked: {stream} has no consumer {consumer} → hookwatch status lists them")]
    NoConsumer {
        /// The stream.
        stream: String,
        /// Its name.
        consumer: String,
    },
    /// The consumer is of a kind whose parked messages cannot be told.
    #[error("parked: the consumer {consumer} {reason} → nats stream view shows the messages")]
    Kind {
        /// Its name.
        consumer: String,
        /// What is in the way.
        reason: &'static str,
    },
    /// Everything may be in somebody's hands.
    #[error(
        "parked: {} in the workers' hands, and parked messages cannot be told from them → try again when the workers are \
         idle for a moment",
        text::counted(*.0, "message is", "messages are")
    )]
    InHands(u64),
    /// The server did not answer as it should.
    #[error("parked: {0} → check the connection and the rights")]
    Exchange(#[from] ExchangeError),
    /// The stream cannot be read.
    #[error(transparent)]
    Letters(#[from] LetterError),
    /// The journals cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Up to which sequence no delivered message is in anybody's hands.
#[must_use]
pub fn idle_up_to(consumer: &ConsumerReading) -> u64 {
    let delivered = consumer.delivered.stream_seq;
    if consumer.num_ack_pending == 0 {
        delivered
    } else {
        delivered.min(consumer.ack_floor.stream_seq)
    }
}

/// Whether a consumer is the one that gave the messages up, and not another of its name. After its
/// first restart a server names the moment at which it wrote the consumer down, some time later.
#[must_use]
pub fn is_same(by: &GivenUpBy, consumer: &ConsumerReading) -> bool {
    let apart = |created: Timestamp| created.duration_since(by.created).unsigned_abs();
    consumer.created.is_some_and(|created| apart(created) < WRITTEN_DOWN)
}

/// What `count` idle messages are. The server counts those that it redelivered and that nobody
/// acked, and goes on counting the ones that were deleted: `deleted` of them were by us.
#[must_use]
pub fn form_of(consumer: &ConsumerReading, count: u64, deleted: u64) -> LetterForm {
    let given_up = consumer
        .num_redelivered
        .saturating_sub(consumer.num_ack_pending)
        .saturating_sub(deleted);
    if consumer.config.max_deliver.is_some() && count <= given_up {
        LetterForm::Parked
    } else {
        LetterForm::Orphaned
    }
}

/// Finds the idle messages of a stream, of its only consumer or of the one that is named.
///
/// # Errors
/// When they cannot be told from others.
pub async fn find(
    mailbox: &Mailbox,
    exchange: &Exchange,
    named: Option<&str>,
    headers: &LetterHeaders,
    journals: Option<&Folder>,
) -> Result<Idle, ParkedError> {
    let stream = mailbox.state().await?;
    let mut consumer = consumer(exchange, &stream.name, named, stream.config.retention).await?;
    // Workers that flush in batches have nothing in hand now and then.
    for _ in 0..LOOKS {
        if consumer.num_ack_pending == 0 {
            break;
        }
        tokio::time::sleep(LOOK).await;
        consumer = exchange.consumer(&stream.name, &consumer.name).await?;
    }
    let deleted = match journals {
        Some(journals) => replayed_before(journals, &stream)?.len() as u64,
        None => 0,
    };
    let up_to = idle_up_to(&consumer);
    let subject: Option<Arc<str>> = consumer
        .config
        .filter_subjects
        .first()
        .map(|subject| subject.as_str().into());
    let mut count = 0;
    if up_to > 0 {
        let reading = Reading {
            to: up_to,
            subject: subject.clone(),
            ..Reading::default()
        };
        let mut scan = mailbox.scan(&reading).await?;
        while let Some(batch) = scan.next().await? {
            count += batch.messages.len() as u64;
        }
    }
    let form = form_of(&consumer, count, deleted);
    Ok(Idle {
        by: GivenUpBy {
            consumer: consumer.name.clone(),
            created: consumer.created.unwrap_or_default(),
        },
        place: Place {
            origins: Origins::new(headers.clone()).in_source(form),
            up_to,
            subject,
        },
        form,
        count,
        held: consumer.num_ack_pending,
    })
}

/// The consumer that gives messages of a stream up.
async fn consumer(
    exchange: &Exchange,
    stream: &Arc<str>,
    named: Option<&str>,
    retention: Retention,
) -> Result<ConsumerReading, ParkedError> {
    let shown = || text::safe(stream).into_owned();
    let known = exchange.consumers(stream).await?;
    let is_only = known.len() == 1;
    // What one consumer of several gave up, others may have processed, or will.
    if retention == Retention::Limits || (retention == Retention::Interest && !is_only) {
        return Err(ParkedError::Keeps(shown()));
    }
    let name = match named {
        Some(named) => known
            .into_iter()
            .find(|known| **known == *named)
            .ok_or_else(|| ParkedError::NoConsumer {
                stream: shown(),
                consumer: text::safe(named).into_owned(),
            })?,
        None if is_only => known.into_iter().next().unwrap_or_default(),
        None => {
            return Err(ParkedError::Consumers {
                stream: shown(),
                count: known.len() as u64,
            });
        }
    };
    let reading = exchange.consumer(stream, &name).await?;
    let config = &reading.config;
    let reason = if config.ack_policy != "explicit" {
        Some("does not ack message by message")
    } else if config.filter_subjects.len() > 1 {
        Some("has several filters, which is not understood here")
    } else if reading.created.is_none() {
        Some("does not say when it was made, so that it could not be told from another of its name")
    } else {
        None
    };
    match reason {
        Some(reason) => Err(ParkedError::Kind {
            consumer: text::safe(&name).into_owned(),
            reason,
        }),
        None => Ok(reading),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{ConsumerConfig, SequencePair};

    fn reading(delivered: u64, floor: u64, held: u64, redelivered: u64) -> ConsumerReading {
        let at = |stream_seq| SequencePair {
            stream_seq,
            ..SequencePair::default()
        };
        ConsumerReading {
            stream: "s".into(),
            name: "c".into(),
            created: None,
            ts: None,
            mono: std::time::Duration::ZERO,
            took: std::time::Duration::ZERO,
            config: Arc::new(ConsumerConfig {
                max_deliver: Some(3),
                ..ConsumerConfig::default()
            }),
            delivered: at(delivered),
            ack_floor: at(floor),
            num_pending: 0,
            num_ack_pending: held,
            num_redelivered: redelivered,
            num_waiting: 0,
            paused: None,
            cluster: None,
        }
    }

    #[test]
    fn what_may_be_in_somebodys_hands_is_not_idle() {
        assert_eq!(idle_up_to(&reading(9, 0, 0, 0)), 9, "nothing is open");
        assert_eq!(idle_up_to(&reading(9, 0, 1, 0)), 0, "any of them may be it");
        assert_eq!(idle_up_to(&reading(9, 5, 1, 0)), 5, "nothing is open up to the floor");
    }

    #[test]
    fn a_consumer_is_the_same_after_a_restart_and_not_when_it_was_made_anew() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let by = GivenUpBy {
            consumer: "c".into(),
            created: at(10_000),
        };
        for (created, same) in [(10_000, true), (10_003, true), (12_000, false), (8_000, false)] {
            let mut consumer = reading(0, 0, 0, 0);
            consumer.created = Some(at(created));
            assert_eq!(is_same(&by, &consumer), same, "{created}");
        }
    }

    #[test]
    fn idle_messages_are_parked_only_if_all_of_them_can_be() {
        for (held, redelivered, count, deleted, form) in [
            (0, 3, 3, 0, LetterForm::Parked),
            (0, 2, 3, 0, LetterForm::Orphaned),
            // One that is open may be one that was redelivered.
            (1, 3, 3, 0, LetterForm::Orphaned),
            // One that we deleted is counted still.
            (0, 3, 3, 1, LetterForm::Orphaned),
            (0, 4, 3, 1, LetterForm::Parked),
        ] {
            let consumer = reading(9, 9, held, redelivered);
            assert_eq!(
                form_of(&consumer, count, deleted),
                form,
                "{held} {redelivered} {count} {deleted}"
            );
        }
        let mut unlimited = reading(9, 9, 0, 3);
        unlimited.config = Arc::default();
        assert_eq!(
            form_of(&unlimited, 3, 0),
            LetterForm::Orphaned,
            "nothing is ever given up"
        );
    }
}
