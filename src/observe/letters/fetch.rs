//! All messages of a span of sequences, with many requests on their way at once.
//!
//! The span is cut into walks. Each asks for the next message from where it stands, so that a
//! hole costs nothing however wide it is, and a span without holes one request a message.

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use std::time::Duration;

use super::LetterError;
use super::wire::{self, Answer};
use crate::observe::jetstream::api::Api;
use crate::sample::Stored;

/// How long the server may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests on their way at the same time.
pub(super) const IN_FLIGHT: u64 = 256;
const REQUESTS: usize = 256;

/// Messages of one batch: walks times this stays below what a subscription holds.
const BATCH: u64 = 128;

/// Bytes of one batch.
const BATCH_BYTES: u64 = 1 << 20;

/// How messages are got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Direct gets, many messages each, where the server can.
    Batch,
    /// Direct gets, one message each.
    Direct,
    /// Over the API: slower, and exact to the byte.
    Exact,
}

/// Sequences, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    pub(super) fn width(self) -> u64 {
        (self.to - self.from).saturating_add(1)
    }

    /// Cut into at most `parts` that are about as wide.
    fn cut(self, parts: u64) -> Vec<Self> {
        let width = self.width().div_ceil(parts.max(1)).max(1);
        let mut cut = Vec::new();
        let mut from = self.from;
        loop {
            let to = from.saturating_add(width - 1).min(self.to);
            cut.push(Self { from, to });
            if to == self.to {
                return cut;
            }
            from = to + 1;
        }
    }
}

/// What may be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests on their way.
    pub(super) requests: u64,
    /// Messages.
    pub(super) messages: usize,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Every message, by sequence; and whether the server answers in batches.
    All { messages: Vec<Stored>, batched: bool },
    /// More than may be held.
    TooMany,
}

/// A stream, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch<'a> {
    pub(super) api: &'a Api,
    pub(super) stream: &'a str,
    pub(super) way: Way,
}

impl Fetch<'_> {
    /// The messages of `span` whose subject matches `filter`.
    pub(super) async fn span(&self, span: Span, filter: &str, limits: Limits) -> Result<Fetched, LetterError> {
        let client = &self.api.link().client;
        let inbox = client.new_inbox();
        let lost = |error: &dyn std::fmt::Display| LetterError::Lost(error.to_string());
        let mut answers = client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|error| lost(&error))?;
        let subject = self.subject();
        let mut walks = span.cut(limits.requests);
        for (number, walk) in walks.iter().enumerate() {
            self.ask(&subject, &inbox, number, filter, *walk).await?;
        }
        let mut open = walks.len();
        let mut found: Vec<Stored> = Vec::new();
        let mut bytes = 0;
        let mut batched = false;
        while open > 0 {
            let message = self.next(&mut answers, &subject).await?;
            let number = message
                .subject
                .get(inbox.len() + 1..)
                .and_then(|number| number.parse().ok());
            let Some((number, walk)) = number.and_then(|n: usize| Some((n, walks.get_mut(n)?))) else {
                continue;
            };
            // A walk that is through stays behind its end; a batch may go on for a while.
            let through = |walk: &Span| walk.from > walk.to;
            match self.decode(message)? {
                Answer::Found {
                    stored, batched: many, ..
                } => {
                    batched |= many;
                    let next = stored.sequence.saturating_add(1);
                    let past = stored.sequence > walk.to || through(walk);
                    walk.from = next.max(walk.from);
                    if !past {
                        bytes += stored.size();
                        found.push(*stored);
                        if found.len() > limits.messages || bytes > limits.bytes {
                            return Ok(Fetched::TooMany);
                        }
                    }
                    if many {
                        continue;
                    }
                }
                Answer::Missing => walk.from = walk.to.saturating_add(1),
                Answer::Over => {}
            }
            if through(walk) {
                open -= 1;
            } else {
                let walk = *walk;
                self.ask(&subject, &inbox, number, filter, walk).await?;
            }
        }
        found.sort_unstable_by_key(|stored| stored.sequence);
        Ok(Fetched::All {
            messages: found,
            batched,
        })
    }

    /// The messages with these sequences that are there, and whether each is as it is stored.
    pub(super) async fn these(&self, sequences: &[u64]) -> Result<Vec<(Stored, bool)>, LetterError> {
        let client = &self.api.link().client;
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await;
        let mut answers = answers.map_err(|error| LetterError::Lost(error.to_string()))?;
        let subject = self.subject();
        let mut unasked = sequences.iter().enumerate();
        for (number, sequence) in unasked.by_ref().take(REQUESTS) {
            self.send(&subject, &inbox, number, &json!({ "seq": sequence })).await?;
        }
        let mut found = Vec::with_capacity(sequences.len());
        for _ in sequences {
            let message = self.next(&mut answers, &subject).await?;
            if let Answer::Found { stored, faithful, .. } = self.decode(message)? {
                found.push((*stored, faithful));
            }
            if let Some((number, sequence)) = unasked.next() {
                self.send(&subject, &inbox, number, &json!({ "seq": sequence })).await?;
            }
        }
        Ok(found)
    }

    fn subject(&self) -> String {
        let verb = match self.way {
            Way::Batch | Way::Direct => "DIRECT.GET",
            Way::Exact => "STREAM.MSG.GET",
        };
        format!("{}.{verb}.{}", self.api.prefix(), self.stream)
    }

    async fn ask(
        &self,
        subject: &str,
        inbox: &str,
        number: usize,
        filter: &str,
        walk: Span,
    ) -> Result<(), LetterError> {
        let request = match self.way {
            Way::Batch => json!({
                "seq": walk.from, "next_by_subj": filter,
                "batch": walk.width().min(BATCH), "max_bytes": BATCH_BYTES,
            }),
            Way::Direct | Way::Exact => json!({ "seq": walk.from, "next_by_subj": filter }),
        };
        self.send(subject, inbox, number, &request).await
    }

    async fn send(
        &self,
        subject: &str,
        inbox: &str,
        number: usize,
        request: &serde_json::Value,
    ) -> Result<(), LetterError> {
        let client = &self.api.link().client;
        let reply = format!("{inbox}.{number}");
        let sent = client.publish_with_reply(subject.to_owned(), reply, Bytes::from(request.to_string()));
        sent.await.map_err(|error| LetterError::Lost(error.to_string()))
    }

    /// The next answer, or why there will be none.
    async fn next(&self, answers: &mut Subscriber, subject: &str) -> Result<Message, LetterError> {
        let answer = tokio::time::timeout(PATIENCE, async {
            tokio::select! {
                biased;
                answer = answers.next() => answer.ok_or_else(|| LetterError::Lost("the connection was closed".to_owned())),
                trouble = self.api.trouble(subject) => Err(trouble.into()),
            }
        });
        let message = answer.await.unwrap_or(Err(LetterError::TimedOut(PATIENCE)))?;
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(LetterError::NoResponders(subject.to_owned()));
        }
        Ok(message)
    }

    fn decode(&self, message: Message) -> Result<Answer, LetterError> {
        match self.way {
            Way::Batch | Way::Direct => wire::direct(message),
            Way::Exact => wire::exact(&message.payload, self.stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_into_walks_without_gap_or_overlap() {
        for (from, to, parts) in [
            (1, 1, 256),
            (1, 100, 7),
            (5, 260, 256),
            (1, u64::MAX - 1, 256),
            (1, u64::MAX, 3),
        ] {
            let cut = Span { from, to }.cut(parts);
            assert!(cut.len() as u64 <= parts);
            assert_eq!((cut[0].from, cut[cut.len() - 1].to), (from, to));
            assert!(cut.windows(2).all(|pair| pair[0].to + 1 == pair[1].from), "{cut:?}");
        }
    }
}
