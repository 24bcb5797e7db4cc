//! The other forms of dead letters: parked in the source stream, rows of a queue in Postgres. They
//! are shown; nothing here changes them.

use serde::Deserialize;

use super::{Desk, Reason, said};
use crate::act::exchange::Exchange;
use crate::act::letters::Answer;
use crate::model::letters::{LetterRow, origin};
use crate::observe::letters::{Direction, Mailbox, Reading};
use crate::observe::postgres::failed_calls;
use crate::sample::{LetterForm, LetterOrigin, Retention, Stored};

/// Rows that are shown, and chosen among.
pub(super) const MOST: u32 = 1_000;

/// A consumer, as far as parked messages go.
#[derive(Deserialize)]
struct Consumer {
    name: String,
    delivered: Delivered,
    #[serde(default)]
    num_ack_pending: u64,
    #[serde(default)]
    num_redelivered: u64,
    config: Filters,
}

#[derive(Deserialize)]
struct Delivered {
    stream_seq: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filters {
    filter_subject: Option<String>,
    filter_subjects: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Consumers {
    consumers: Vec<Consumer>,
}

impl Desk {
    /// Messages of the source stream that their consumer delivered, that are acked by nobody and
    /// in nobody's hands: past `max_deliver`, or acked before a server crash.
    pub(super) async fn parked(&self, number: u64) -> Result<(), Reason> {
        let (mailbox, consumer) = self.source().await?;
        if consumer.num_ack_pending > 0 {
            return Err(format!(
                "{} messages are in the workers' hands, and parked ones cannot be told from them → look again when the \
                 workers are idle",
                consumer.num_ack_pending
            ));
        }
        let subject = match &consumer.config {
            Filters {
                filter_subject: Some(subject),
                ..
            } => Some(subject.as_str().into()),
            Filters { filter_subjects, .. } if filter_subjects.len() == 1 => Some(filter_subjects[0].as_str().into()),
            Filters { filter_subjects, .. } if filter_subjects.is_empty() => None,
            Filters { .. } => {
                return Err(
                    "the consumer has several filters, which is not understood here → nats stream view".to_owned(),
                );
            }
        };
        let reading = Reading {
            direction: Direction::Newest,
            to: consumer.delivered.stream_seq,
            subject,
            ..Reading::default()
        };
        let mut scan = mailbox.scan(&reading).await.map_err(said)?;
        let mut left: Vec<Stored> = Vec::new();
        while left.len() < MOST as usize
            && let Some(batch) = scan.next().await.map_err(said)?
        {
            left.extend(batch.messages);
        }
        let total = left.len() as u64;
        left.truncate(MOST as usize);
        // Of a mixture nobody can say which is which: then none is called parked.
        let form = if consumer.num_redelivered >= total {
            LetterForm::Parked
        } else {
            LetterForm::Orphaned
        };
        let rows = left.iter().map(|message| in_source(message, form)).collect();
        self.tell(
            number,
            Answer::Page {
                rows,
                more: false,
                total,
            },
        )
        .await;
        Ok(())
    }

    /// The source stream and the one consumer that empties it.
    async fn source(&self) -> Result<(Mailbox, Consumer), Reason> {
        let pipeline = &self.setting.profile.pipeline;
        let stream = pipeline.stream.as_deref();
        let stream = stream.ok_or_else(|| "no source stream is configured → give --stream".to_owned())?;
        let mailbox = Mailbox::open(self.link()?, stream, &self.setting.clock)
            .await
            .map_err(said)?;
        if mailbox.state().await.map_err(said)?.config.retention == Retention::Limits {
            return Err(format!(
                "{stream} keeps what was processed, so that parked messages cannot be told from it → only a work queue \
                 shows them"
            ));
        }
        let exchange = Exchange::connect(self.link()?, &self.setting.clock).await;
        let exchange = exchange.map_err(|error| error.to_string())?;
        let asked = exchange
            .ask(&format!("CONSUMER.LIST.{stream}"), &serde_json::json!({}))
            .await;
        let known: Consumers = asked.map_err(|error| format!("list the consumers: {error} → ask for that right"))?;
        let mut meant = known.consumers;
        if let Some(name) = &pipeline.consumer {
            meant.retain(|consumer| consumer.name == **name);
        }
        match meant.len() {
            1 => Ok((mailbox, meant.remove(0))),
            0 => Err(format!(
                "{stream} has no consumer that could have given up → give --consumer"
            )),
            _ => Err(format!("{stream} has several consumers → name the one with --consumer")),
        }
    }

    /// Rows with status failed.
    pub(super) async fn failed_rows(&self, number: u64) -> Result<(), Reason> {
        let calls = failed_calls(self.database()?, MOST).await?;
        let rows: Vec<LetterRow> = calls.iter().map(LetterRow::of_call).collect();
        let total = rows.len() as u64;
        self.tell(
            number,
            Answer::Page {
                rows,
                more: false,
                total,
            },
        )
        .await;
        Ok(())
    }
}

/// A message of the source stream: it is the webhook itself, and says nothing of its death.
fn in_source(message: &Stored, form: LetterForm) -> LetterRow {
    let origin = LetterOrigin {
        subject: Some(message.subject.clone()),
        reason: match form {
            LetterForm::Parked => Some("past max_deliver, nobody delivers it any more".into()),
            _ => Some("not acked, or acked before a server crash".into()),
        },
        ..origin(&message.headers)
    };
    LetterRow {
        // When it died nobody knows; when it was stored is no answer to that.
        died: None,
        ..LetterRow::new(message, &origin, form)
    }
}
