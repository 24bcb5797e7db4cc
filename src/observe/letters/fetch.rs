//! All messages of a span of sequences, with many requests on their way at once.
//!
//! The span is cut into walks. Each asks for the next message from where it stands, so that a
//! hole costs nothing however wide it is, and a span without holes one request a message.

use std::time::Duration;

use async_nats::{Message, Subject, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};

use super::LetterError;
use super::wire::{self, Answer, Names};
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

    /// Its lower and its upper half. It is at least two wide.
    pub(super) fn halves(self) -> [Self; 2] {
        let middle = self.from + (self.to - self.from) / 2;
        let lower = Self {
            from: self.from,
            to: middle,
        };
        let upper = Self {
            from: middle + 1,
            to: self.to,
        };
        [lower, upper]
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

impl<'a> Fetch<'a> {
    /// The messages of `span` whose subject matches `filter`.
    pub(super) async fn span(self, span: Span, filter: &str, limits: Limits) -> Result<Fetched, LetterError> {
        let filter = serde_json::Value::from(filter).to_string();
        let mut talk = self.talk().await?;
        let mut walks = span.cut(limits.requests);
        for (number, walk) in walks.iter().enumerate() {
            talk.ask(number, &filter, *walk).await?;
        }
        let mut open = walks.len();
        let mut found: Vec<Stored> = Vec::new();
        let mut bytes = 0;
        let mut batched = false;
        while open > 0 {
            let message = talk.next().await?;
            let Some((number, walk)) = talk
                .number(&message)
                .and_then(|number| Some((number, walks.get_mut(number)?)))
            else {
                continue;
            };
            // A walk that is through stays behind its end; a batch may go on for a while.
            let through = |walk: &Span| walk.from > walk.to;
            match talk.decode(message)? {
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
                talk.ask(number, &filter, walk).await?;
            }
        }
        found.sort_unstable_by_key(|stored| stored.sequence);
        Ok(Fetched::All {
            messages: found,
            batched,
        })
    }

    /// The messages with these sequences that are there, and whether each is as it is stored.
    pub(super) async fn these(self, sequences: &[u64]) -> Result<Vec<(Stored, bool)>, LetterError> {
        let mut talk = self.talk().await?;
        let mut unasked = sequences.iter().enumerate();
        for (number, sequence) in unasked.by_ref().take(REQUESTS) {
            talk.get(number, *sequence).await?;
        }
        let mut found = Vec::with_capacity(sequences.len());
        for _ in sequences {
            let message = talk.next().await?;
            if let Answer::Found { stored, faithful, .. } = talk.decode(message)? {
                found.push((*stored, faithful));
            }
            if let Some((number, sequence)) = unasked.next() {
                talk.get(number, *sequence).await?;
            }
        }
        Ok(found)
    }

    async fn talk(self) -> Result<Talk<'a>, LetterError> {
        let client = &self.api.link().client;
        let verb = match self.way {
            Way::Batch | Way::Direct => "DIRECT.GET",
            Way::Exact => "STREAM.MSG.GET",
        };
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await;
        Ok(Talk {
            subject: format!("{}.{verb}.{}", self.api.prefix(), self.stream).into(),
            answers: answers.map_err(|error| LetterError::Lost(error.to_string()))?,
            inbox,
            of: self,
            names: Names::default(),
        })
    }
}

/// Requests that are numbered, and their answers.
struct Talk<'a> {
    of: Fetch<'a>,
    subject: Subject,
    inbox: String,
    answers: Subscriber,
    names: Names,
}

impl Talk<'_> {
    /// Asks for the next message of a walk. `filter` is a JSON string.
    async fn ask(&self, number: usize, filter: &str, walk: Span) -> Result<(), LetterError> {
        let from = walk.from;
        let request = if self.of.way == Way::Batch {
            let batch = walk.width().min(BATCH);
            format!(r#"{{"seq":{from},"next_by_subj":{filter},"batch":{batch},"max_bytes":{BATCH_BYTES}}}"#)
        } else {
            format!(r#"{{"seq":{from},"next_by_subj":{filter}}}"#)
        };
        self.send(number, request).await
    }

    /// Asks for one message.
    async fn get(&self, number: usize, sequence: u64) -> Result<(), LetterError> {
        self.send(number, format!(r#"{{"seq":{sequence}}}"#)).await
    }

    async fn send(&self, number: usize, request: String) -> Result<(), LetterError> {
        let reply = format!("{}.{number}", self.inbox);
        let client = &self.of.api.link().client;
        let sent = client.publish_with_reply(self.subject.clone(), reply, request.into());
        sent.await.map_err(|error| LetterError::Lost(error.to_string()))
    }

    /// The number of the request that a message answers.
    fn number(&self, message: &Message) -> Option<usize> {
        message.subject.get(self.inbox.len() + 1..)?.parse().ok()
    }

    /// The next answer, or why there will be none.
    async fn next(&mut self) -> Result<Message, LetterError> {
        let message = match self.answers.next().now_or_never() {
            Some(answer) => answer.ok_or_else(closed),
            None => self.wait().await,
        };
        let message = message?;
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(LetterError::NoResponders(self.subject.to_string()));
        }
        Ok(message)
    }

    async fn wait(&mut self) -> Result<Message, LetterError> {
        let answer = tokio::time::timeout(PATIENCE, async {
            tokio::select! {
                biased;
                answer = self.answers.next() => answer.ok_or_else(closed),
                trouble = self.of.api.trouble(&self.subject) => Err(trouble.into()),
            }
        });
        answer.await.unwrap_or(Err(LetterError::TimedOut(PATIENCE)))
    }

    fn decode(&mut self, message: Message) -> Result<Answer, LetterError> {
        match self.of.way {
            Way::Batch | Way::Direct => wire::direct(message, &mut self.names),
            Way::Exact => wire::exact(&message.payload, self.of.stream),
        }
    }
}

fn closed() -> LetterError {
    LetterError::Lost("the connection was closed".to_owned())
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

    #[test]
    fn a_span_has_two_halves_without_gap_or_overlap() {
        for (from, to) in [(1, 2), (1, 3), (7, 4_102), (1, u64::MAX)] {
            let [lower, upper] = Span { from, to }.halves();
            assert_eq!((lower.from, upper.to, lower.to + 1), (from, to, upper.from));
            assert!(lower.width().abs_diff(upper.width()) <= 1);
        }
    }
}
