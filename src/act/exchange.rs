//! Raw requests to JetStream on a connection that is never made again behind our back: what was
//! not sent when it was lost is never sent, so that limbo holds only what may have arrived.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::NatsLink;
/// Why there is no connection.
pub use crate::observe::SourceError as ConnectError;
use crate::observe::jetstream::api::{Api, ApiError, is_name};
use crate::observe::jetstream::link;
use crate::observe::letters::RawMessage;
pub use crate::sample::Stored;
use crate::sample::{ConsumerReading, StreamReading};

/// How long an answer may take. After that a message may still arrive, but hardly.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Requests that wait for an answer at the same time.
pub const IN_FLIGHT: usize = 256;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The connection is gone: it may have arrived or not.
    #[error("connection lost: {0}")]
    Lost(Arc<str>),
    /// No answer in time: it may have arrived or not.
    #[error("no answer within {}", text::duration(*.0))]
    TimedOut(Duration),
    /// Nobody listens on the subject: it did not arrive.
    #[error("nobody listens on {0}")]
    NoResponders(String),
    /// The server said no: nothing was done.
    #[error("{description} (error {code})")]
    Refused {
        /// The server's words.
        description: String,
        /// JetStream's own error code; 0 when the server gave none.
        code: u64,
    },
    /// It could not even be sent.
    #[error("cannot be sent: {0}")]
    Unsent(String),
    /// The answer cannot be used.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl ExchangeError {
    /// Whether the request may have been carried out all the same.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::TimedOut(_) | Self::Unreadable(_))
    }

    /// JetStream's error code, when the server said no.
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl From<ApiError> for ExchangeError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Lost(reason) => Self::Lost(reason),
            ApiError::TimedOut(limit) => Self::TimedOut(limit),
            ApiError::NoResponders(subject) => Self::NoResponders(subject),
            ApiError::Refused(body) => Self::Refused {
                description: text::safe(body.description()).into_owned(),
                code: body.err_code(),
            },
            ApiError::Unreadable(reason) => Self::Unreadable(reason),
            other => Self::Unsent(other.to_string()),
        }
    }
}

/// JetStream error: no message found.
pub const NO_MESSAGE: u64 = 10_037;
/// JetStream error: the sequence to delete is not there.
pub const NO_SEQUENCE: u64 = 10_043;
/// JetStream error: a delete failed, for whatever reason.
const DELETE_FAILED: u64 = 10_057;
/// JetStream error: stream not found.
pub const NO_STREAM: u64 = 10_059;
/// JetStream error: wrong last sequence.
pub const WRONG_LAST_SEQUENCE: u64 = 10_071;

/// The server's word that a message is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubAck {
    /// The stream.
    pub stream: String,
    /// The message's sequence; a duplicate's is the first one's.
    pub sequence: u64,
    /// Whether the stream had this id already.
    pub duplicate: bool,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Message>>>>;

/// One connection.
#[derive(Debug)]
pub struct Exchange {
    api: Api,
    prefix: String,
    inbox: String,
    next: AtomicU64,
    waiting: Waiting,
    /// Why the connection is gone.
    lost: watch::Receiver<Option<Arc<str>>>,
    _stop: DropGuard,
}

impl Exchange {
    /// Connects.
    ///
    /// # Errors
    /// When no server lets us in.
    pub async fn connect(to: &NatsLink, clock: &SharedClock) -> Result<Self, ConnectError> {
        let link = link::connect_once(to, &[], clock).await?;
        let inbox = link.client.new_inbox();
        let shown = link.server.clone();
        let answers = link.client.subscribe(format!("{inbox}.*")).await;
        let mut answers = answers.map_err(|error| ConnectError::new("subscribe at", shown, &error))?;
        let (gone, lost) = watch::channel(None);
        let waiting = Waiting::default();
        let (table, stop) = (waiting.clone(), CancellationToken::new());
        let (mut signals, ended) = (link.signals.watch(), stop.clone());
        let skip = inbox.len() + 1;
        tokio::spawn(async move {
            let reason: Arc<str> = loop {
                tokio::select! {
                    biased;
                    () = ended.cancelled() => break "closed".into(),
                    answer = answers.next() => {
                        let Some(answer) = answer else { break "the server closed it".into() };
                        let number = answer.subject.get(skip..).and_then(|number| number.parse().ok());
                        let sender = number.and_then(|number: u64| lock(&table).remove(&number));
                        // Who waited may have given up.
                        if let Some(sender) = sender {
                            let _ = sender.send(answer);
                        }
                    }
                    changed = signals.changed() => {
                        let state = signals.borrow_and_update();
                        if let Some(reason) = &state.lost {
                            break reason.clone();
                        }
                        if changed.is_err() {
                            break "closed".into();
                        }
                    }
                }
            };
            gone.send_replace(Some(reason));
            // Whoever waits learns that no answer will come.
            lock(&table).clear();
        });
        let prefix = to.api_prefix.trim_end_matches('.').to_owned();
        Ok(Self {
            api: Api::new(link, &prefix, clock.clone(), Arc::default()),
            prefix,
            inbox,
            next: AtomicU64::new(1),
            waiting,
            lost,
            _stop: stop.drop_guard(),
        })
    }

    /// The server's id: changes at every restart.
    #[must_use]
    pub fn server_id(&self) -> String {
        self.api.link().client.server_info().server_id
    }

    /// Why the connection is gone, when it is.
    #[must_use]
    pub fn lost(&self) -> Option<Arc<str>> {
        self.lost.borrow().clone()
    }

    /// Sends now and returns the answer to wait for: requests can follow each other closely.
    ///
    /// # Errors
    /// When it could not be sent, with the certainty that it was not.
    pub async fn send(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<Answer<'_>, ExchangeError> {
        if let Some(reason) = self.lost() {
            return Err(ExchangeError::Unsent(format!("connection lost: {reason}")));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(number, sender);
        let answer = Answer {
            of: self,
            number,
            subject: subject.clone(),
            receiver,
        };
        let reply = format!("{}.{number}", self.inbox);
        let client = &self.api.link().client;
        let sent = client
            .publish_with_reply_and_headers(subject, reply, headers, payload)
            .await;
        sent.map_err(|error| ExchangeError::Unsent(error.to_string()))?;
        Ok(answer)
    }

    /// Asks the JetStream API.
    ///
    /// # Errors
    /// When there is no usable answer, or the answer is no.
    pub async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, ExchangeError> {
        let payload = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        self.ask_with(path, payload).await
    }

    async fn ask_with<T: serde::de::DeserializeOwned>(&self, path: &str, payload: Bytes) -> Result<T, ExchangeError> {
        let answer = self
            .send(format!("{}.{path}", self.prefix), HeaderMap::new(), payload)
            .await?;
        read(&answer.wait(PATIENCE).await?)
    }

    /// A stream as it stands.
    ///
    /// # Errors
    /// When it cannot be read, [`NO_STREAM`] when there is none.
    pub async fn stream(&self, name: &str) -> Result<StreamReading, ExchangeError> {
        Ok(self.api.stream(name).await?)
    }

    /// The stream that takes a subject, if one does.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn taker(&self, subject: &str) -> Result<Option<Arc<str>>, ExchangeError> {
        #[derive(Deserialize)]
        struct Names {
            streams: Option<Vec<String>>,
        }
        let found: Names = self.ask("STREAM.NAMES", &json!({ "subject": subject })).await?;
        Ok(found.streams.and_then(|names| names.into_iter().next()).map(Arc::from))
    }

    /// One message; `None`: it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn message(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, ExchangeError> {
        self.get(stream, &json!({ "seq": sequence })).await
    }

    /// The last message under a subject; `None`: there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn last(&self, stream: &str, subject: &str) -> Result<Option<Stored>, ExchangeError> {
        self.get(stream, &json!({ "last_by_subj": subject })).await
    }

    /// The messages with these sequences, in their order; `None` for those that are not there.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn messages(&self, stream: &str, sequences: &[u64]) -> Result<Vec<Option<Stored>>, ExchangeError> {
        let gets = stream::iter(sequences.to_vec()).map(|sequence| self.message(stream, sequence));
        let found: Vec<_> = gets.buffered(IN_FLIGHT).collect().await;
        found.into_iter().collect()
    }

    async fn get(&self, stream: &str, what: &serde_json::Value) -> Result<Option<Stored>, ExchangeError> {
        #[derive(Deserialize)]
        struct Got {
            message: RawMessage,
        }
        let path = format!("STREAM.MSG.GET.{}", checked(stream)?);
        let raw = match self.ask::<Got>(&path, what).await {
            Ok(got) => got.message,
            Err(error) if error.code() == Some(NO_MESSAGE) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored = raw.decode();
        stored
            .map(Some)
            .map_err(|error| ExchangeError::Unreadable(error.to_string()))
    }

    /// Deletes a message without overwriting it. Returns false when it was not there.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn delete(&self, stream: &str, sequence: u64) -> Result<bool, ExchangeError> {
        #[derive(Deserialize)]
        struct Done {}
        let path = format!("STREAM.MSG.DELETE.{}", checked(stream)?);
        let body = format!(r#"{{"seq":{sequence},"no_erase":true}}"#);
        match self.ask_with::<Done>(&path, body.into()).await {
            Ok(Done {}) => Ok(true),
            Err(error) if matches!(error.code(), Some(NO_MESSAGE | NO_SEQUENCE)) => Ok(false),
            // The code stands for any failed delete; a store says in words that there is nothing.
            Err(ExchangeError::Refused {
                code: DELETE_FAILED, ..
            }) if self.message(stream, sequence).await?.is_none() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes messages, many at a time; those that are not there are done.
    ///
    /// # Errors
    /// When one of them may still be there.
    pub async fn delete_all(&self, stream: &str, sequences: &[u64]) -> Result<(), ExchangeError> {
        let deletes = stream::iter(sequences.to_vec()).map(|sequence| self.delete(stream, sequence));
        let mut done = deletes.buffer_unordered(IN_FLIGHT);
        while let Some(outcome) = done.next().await {
            outcome?;
        }
        Ok(())
    }

    /// The names of a stream's consumers.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn consumers(&self, stream: &str) -> Result<Vec<Arc<str>>, ExchangeError> {
        Ok(self.api.consumer_names(stream).await?)
    }

    /// A consumer as it stands.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn consumer(&self, stream: &str, consumer: &str) -> Result<ConsumerReading, ExchangeError> {
        Ok(self.api.consumer(stream, consumer).await?)
    }

    /// The sequence up to which every consumer of a stream has acked; `None`: it has none.
    ///
    /// # Errors
    /// When the consumers cannot be read.
    pub async fn floor(&self, stream: &str) -> Result<Option<u64>, ExchangeError> {
        let mut floor: Option<u64> = None;
        for consumer in self.api.consumer_names(stream).await? {
            let acked = self.api.consumer(stream, &consumer).await?.ack_floor.stream_seq;
            floor = Some(floor.map_or(acked, |floor| floor.min(acked)));
        }
        Ok(floor)
    }
}

/// An answer that is waited for. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Answer<'a> {
    of: &'a Exchange,
    number: u64,
    subject: String,
    receiver: oneshot::Receiver<Message>,
}

impl Answer<'_> {
    /// Waits for it.
    ///
    /// # Errors
    /// When it does not come, or says that nobody listens.
    pub async fn wait(mut self, limit: Duration) -> Result<Message, ExchangeError> {
        let message = match tokio::time::timeout(limit, &mut self.receiver).await {
            Ok(Ok(message)) => message,
            Ok(Err(_)) => {
                let reason = self.of.lost().unwrap_or_else(|| "closed".into());
                return Err(ExchangeError::Lost(reason));
            }
            Err(_) => return Err(ExchangeError::TimedOut(limit)),
        };
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(ExchangeError::NoResponders(std::mem::take(&mut self.subject)));
        }
        Ok(message)
    }

    /// Waits for the `PubAck`.
    ///
    /// # Errors
    /// When it does not come, or says that nothing was stored.
    pub async fn acked(self, limit: Duration) -> Result<PubAck, ExchangeError> {
        #[derive(Deserialize)]
        struct Ack {
            stream: String,
            seq: u64,
            #[serde(default)]
            duplicate: bool,
        }
        let ack: Ack = read(&self.wait(limit).await?)?;
        Ok(PubAck {
            stream: ack.stream,
            sequence: ack.seq,
            duplicate: ack.duplicate,
        })
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        lock(&self.of.waiting).remove(&self.number);
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn checked(stream: &str) -> Result<&str, ExchangeError> {
    if is_name(stream) {
        Ok(stream)
    } else {
        Err(ExchangeError::Unsent(format!(
            "{:?} is no valid name",
            text::safe(stream)
        )))
    }
}

/// An answer's body, or the error in it.
fn read<T: serde::de::DeserializeOwned>(message: &Message) -> Result<T, ExchangeError> {
    #[derive(Deserialize)]
    struct Failed {
        error: Option<Body>,
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        err_code: u64,
        #[serde(default)]
        description: String,
    }
    // Most answers are none, and need not be read twice.
    if memchr::memmem::find(&message.payload, b"\"error\"").is_some()
        && let Ok(Failed { error: Some(body) }) = serde_json::from_slice(&message.payload)
    {
        return Err(ExchangeError::Refused {
            description: text::safe(&body.description).into_owned(),
            code: body.err_code,
        });
    }
    serde_json::from_slice(&message.payload).map_err(|error| ExchangeError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_or_missing_answer_leaves_it_open() {
        assert!(ExchangeError::Lost("x".into()).is_open() && ExchangeError::TimedOut(PATIENCE).is_open());
        let refused = ExchangeError::Refused {
            description: String::new(),
            code: NO_MESSAGE,
        };
        for settled in [
            refused,
            ExchangeError::NoResponders("s".into()),
            ExchangeError::Unsent("x".into()),
        ] {
            assert!(!settled.is_open());
        }
    }
}
