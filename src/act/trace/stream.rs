//! The stream's side of a trace: where it stood before the webhook was sent, its messages, read by
//! sequence and never consumed, and how an ack shows.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::plan::{Finder, TracePlan};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::observe::jetstream::{Api, ApiError, connect};
use crate::observe::letters;
use crate::sample::{ConsumerReading, Retention, Stored, StreamReading};

/// From one look for a next message to another, while the gateway has not answered yet.
const LOOK: Duration = Duration::from_millis(2);

/// Messages that are kept while the gateway has not answered yet.
const MOST_KEPT: usize = 1_000;

/// Dead letters that are looked through for the webhook's.
const MOST_LETTERS: usize = 256;

/// The stream's side.
pub(super) struct Nats {
    api: Api,
    /// The stream before the webhook was sent.
    pub(super) before: StreamReading,
    /// The workers' consumer before it was sent; `None`: there is none, or none that is named.
    pub(super) consumer: Option<ConsumerReading>,
    /// How many consumers the stream has.
    pub(super) consumers: usize,
    /// The dead letter stream and its first sequence of interest.
    letters: Option<(Arc<str>, u64)>,
}

impl Nats {
    /// Connects, and reads how everything stands.
    pub(super) async fn open(plan: &TracePlan, clock: &SharedClock) -> Result<Self, String> {
        let (Some(link), Some(stream)) = (&plan.nats, &plan.pipeline.stream) else {
            return Err("no stream is named".to_owned());
        };
        let connected = connect(link, &[], clock).await.map_err(|error| error.to_string())?;
        let api = Api::new(connected, &link.api_prefix, clock.clone(), Arc::default());
        let failed = |what: &str, error: ApiError| format!("{what}: {error}");
        let before = api
            .stream(stream)
            .await
            .map_err(|error| failed(&format!("read the stream {stream}"), error))?;
        let names = match &plan.pipeline.consumer {
            Some(consumer) => vec![consumer.clone()],
            None => api
                .consumer_names(stream)
                .await
                .map_err(|error| failed("list its consumers", error))?,
        };
        let consumer = match names.as_slice() {
            [only] => match api.consumer(stream, only).await {
                Ok(reading) => Some(reading),
                Err(error) if error.is_missing_consumer() => None,
                Err(error) => return Err(failed(&format!("read the consumer {only}"), error)),
            },
            _ => None,
        };
        let letters = match &plan.pipeline.dlq {
            // Without it, dead letters are not told: no more than that.
            Some(dlq) => api.stream(dlq).await.ok().map(|reading| {
                let from = reading.state.last_seq + 1;
                (dlq.clone(), from)
            }),
            None => None,
        };
        Ok(Self {
            api,
            before,
            consumers: consumer.as_ref().map_or(names.len(), |_| 1),
            consumer,
            letters,
        })
    }

    /// Keeps what comes into the stream. Never returns.
    pub(super) async fn collect(&self, come: &mut Vec<Stored>) {
        let mut next = self.before.state.last_seq + 1;
        while come.len() < MOST_KEPT {
            match self.next(next).await {
                Ok(Some(message)) => {
                    next = message.sequence + 1;
                    come.push(message);
                }
                // What cannot be read is told when it is looked for.
                Ok(None) | Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
        std::future::pending::<()>().await;
    }

    /// The first message from `sequence` on; `None`: there is none yet.
    pub(super) async fn next(&self, sequence: u64) -> Result<Option<Stored>, ApiError> {
        self.next_of(&self.before.name, sequence).await
    }

    /// The message at `sequence`; `None`: it is gone, or not there yet.
    pub(super) async fn at(&self, sequence: u64) -> Result<Option<Stored>, ApiError> {
        letters::one(&self.api, &self.before.name, &json!({ "seq": sequence })).await
    }

    async fn next_of(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, ApiError> {
        let wanted = json!({ "seq": sequence, "next_by_subj": ">" });
        letters::one(&self.api, stream, &wanted).await
    }

    /// Whether a message was acked, and how that shows.
    pub(super) async fn acked(&self, sequence: u64) -> Result<Option<String>, String> {
        let leaves = self.before.config.retention != Retention::Limits;
        if leaves && self.at(sequence).await.map_err(|error| error.to_string())?.is_none() {
            return Ok(Some("left the stream".to_owned()));
        }
        let Some(consumer) = self.consumer().await? else {
            return Ok(None);
        };
        if consumer.ack_floor.stream_seq >= sequence {
            return Ok(Some(format!("below the ack floor of {}", consumer.name)));
        }
        if !leaves && consumer.delivered.stream_seq >= sequence && consumer.num_ack_pending == 0 {
            return Ok(Some(format!("delivered and not pending at {}", consumer.name)));
        }
        Ok(None)
    }

    async fn consumer(&self) -> Result<Option<ConsumerReading>, String> {
        let Some(before) = &self.consumer else {
            return Ok(None);
        };
        match self.api.consumer(&before.stream, &before.name).await {
            Ok(reading) => Ok(Some(reading)),
            Err(error) if error.is_missing_consumer() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Why a message is not acked, and whether a worker waits for messages now, which one that
    /// `was_waiting` before did.
    pub(super) async fn why_unacked(&self, sequence: u64, was_waiting: bool) -> (String, bool) {
        let before = match &self.consumer {
            Some(before) => before,
            None if self.consumers == 0 => {
                return ("waiting in the stream, which has no consumer".to_owned(), false);
            }
            None => return ("waiting in the stream: name its consumer to see more".to_owned(), false),
        };
        let now = match self.consumer().await {
            Ok(Some(now)) => now,
            Ok(None) => {
                return (
                    format!("waiting in the stream, the consumer {} is gone", before.name),
                    false,
                );
            }
            Err(reason) => return (format!("read the consumer: {reason}"), false),
        };
        let is_waiting = now.num_waiting > 0;
        let moves = now.delivered.consumer_seq != before.delivered.consumer_seq;
        let why = if now.paused == Some(true) {
            format!("waiting in the stream, the consumer {} is paused", now.name)
        } else if now.delivered.stream_seq >= sequence {
            let held = text::count(now.num_ack_pending);
            format!(
                "delivered and not acked: {held} messages are held by workers of {}, or parked",
                now.name
            )
        } else if !is_waiting && !was_waiting && !moves {
            "waiting in the stream, no worker pulls".to_owned()
        } else if now
            .config
            .max_ack_pending
            .is_some_and(|most| now.num_ack_pending >= most)
        {
            format!(
                "waiting in the stream, {} has as many messages unacked as it may",
                now.name
            )
        } else {
            let ahead = text::count(now.num_pending.saturating_sub(1));
            format!("waiting in the stream, about {ahead} others with it; workers pull")
        };
        (why, is_waiting)
    }

    /// Whether it died instead.
    pub(super) async fn dead_letter(&self, finder: &Finder, id: &str) -> Option<String> {
        let (name, from) = self.letters.as_ref()?;
        let mut next = *from;
        for _ in 0..MOST_LETTERS {
            let letter = self.next_of(name, next).await.ok()??;
            next = letter.sequence + 1;
            if finder.key(&letter, id).is_some() {
                return Some(format!("it is a dead letter: {name} #{}", letter.sequence));
            }
        }
        None
    }
}
