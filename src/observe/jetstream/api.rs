//! Requests to `$JS.API`: each with its own timeout, few at a time, all counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Request, RequestErrorKind};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use super::link::{Link, State};
use super::wire::{
    AccountInfo, Answer, ConsumerInfo, ConsumerPage, ErrorBody, NamesPage, StoredMessage, StreamInfo, StreamPage,
    Unreadable,
};
use crate::base::time::{SharedClock, Timestamp};
use crate::sample::{AccountReading, ConsumerReading, StreamReading};

/// How long an answer may take.
pub(crate) const REQUEST: Duration = Duration::from_secs(2);

/// How long a page of a sweep may take: a cluster waits 4 s for servers that do not answer.
const PAGE: Duration = Duration::from_secs(6);

/// Requests that may wait for an answer at the same time.
pub(crate) const IN_FLIGHT: usize = 32;

/// How long a subject that was denied is left alone.
const DENIED_FOR: Duration = Duration::from_secs(10);

/// The client never forgets a request without an answer; after this many it is replaced.
const MOST_ABANDONED: u64 = 1_000;

/// Names that are read of one list at most.
const MOST_NAMES: usize = 20_000;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// The connection is gone.
    #[error("connection lost: {0}")]
    Lost(Arc<str>),
    /// No answer in time.
    #[error("no answer within {}", crate::base::text::duration(*.0))]
    TimedOut(Duration),
    /// We may not publish to this subject.
    #[error("no permission to publish to {0}")]
    Denied(String),
    /// We may not hear answers on this subject.
    #[error("no permission to subscribe to {0}")]
    Unheard(String),
    /// Nobody listens on the API's subjects.
    #[error("nobody answers on {0}")]
    NoResponders(String),
    /// The server answered with an error.
    #[error("{} (code {}, error {})", .0.description(), .0.code(), .0.err_code())]
    Refused(ErrorBody),
    /// The answer cannot be used.
    #[error("{0}")]
    Unreadable(String),
    /// A name that would change the subject.
    #[error("{0:?} is no valid name")]
    BadName(String),
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl ApiError {
    /// Whether the server knows no such stream.
    pub(crate) fn is_missing_stream(&self) -> bool {
        matches!(self, Self::Refused(error) if error.err_code() == 10_059)
    }

    /// Whether the server knows no such consumer, or not even its stream.
    pub(crate) fn is_missing_consumer(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(error.err_code(), 10_014 | 10_059))
    }

    /// Whether no message matches.
    fn is_missing_message(&self) -> bool {
        matches!(self, Self::Refused(error) if error.code() == 404)
    }

    /// Whether JetStream is off, for the server or for this account.
    pub(crate) fn is_off(&self) -> bool {
        match self {
            Self::NoResponders(_) => true,
            Self::Refused(error) => matches!(error.err_code(), 10_039 | 10_076),
            _ => false,
        }
    }
}

/// An answer, when it was in and how long it took.
struct Answered<T> {
    body: T,
    mono: Duration,
    took: Duration,
}

/// The API of one connection.
#[derive(Debug)]
pub(crate) struct Api {
    link: Link,
    prefix: String,
    clock: SharedClock,
    permits: Semaphore,
    /// Requests since session start, over all connections.
    sent: Arc<AtomicU64>,
    abandoned: AtomicU64,
}

impl Api {
    pub(crate) fn new(link: Link, prefix: &str, clock: SharedClock, sent: Arc<AtomicU64>) -> Self {
        Self {
            link,
            prefix: prefix.trim_end_matches('.').to_owned(),
            clock,
            permits: Semaphore::new(IN_FLIGHT),
            sent,
            abandoned: AtomicU64::new(0),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The prefix of its subjects, without the last dot.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Waits until no answer on `subject` can come any more, and says why.
    pub(crate) async fn trouble(&self, subject: &str) -> ApiError {
        trouble(&mut self.link.signals.watch(), subject).await
    }

    /// Why this connection must be replaced, if it must.
    pub(crate) fn lost(&self) -> Option<Arc<str>> {
        let state = self.link.signals.watch();
        let lost = state.borrow().lost.clone();
        lost.or_else(|| {
            (self.link.client.connection_state() == async_nats::connection::State::Disconnected)
                .then(|| "the server closed it or stopped answering".into())
        })
    }

    /// Whether so many requests went unanswered that the client's memory of them adds up.
    pub(crate) fn is_worn(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) >= MOST_ABANDONED
    }

    /// `INFO`, and how long the answer took: the smallest request that there is.
    pub(crate) async fn account(&self) -> Result<(AccountReading, Duration), ApiError> {
        let answer: Answered<AccountInfo> = self.ask("INFO".to_owned(), Bytes::new(), REQUEST).await?;
        Ok((answer.body.reading()?, answer.took))
    }

    /// `STREAM.INFO`.
    pub(crate) async fn stream(&self, stream: &str) -> Result<StreamReading, ApiError> {
        let path = format!("STREAM.INFO.{}", name(stream)?);
        let answer: Answered<StreamInfo> = self.ask(path, Bytes::new(), REQUEST).await?;
        Ok(answer.body.reading(answer.mono, answer.took)?)
    }

    /// `STREAM.INFO` with the messages per subject.
    pub(crate) async fn subjects(&self, stream: &str) -> Result<(StreamReading, Vec<(String, u64)>), ApiError> {
        let path = format!("STREAM.INFO.{}", name(stream)?);
        let payload = json!({"subjects_filter": ">"}).to_string();
        let mut answer: Answered<StreamInfo> = self.ask(path, payload.into(), REQUEST).await?;
        let subjects = answer.body.take_subjects();
        Ok((answer.body.reading(answer.mono, answer.took)?, subjects))
    }

    /// `CONSUMER.INFO`.
    pub(crate) async fn consumer(&self, stream: &str, consumer: &str) -> Result<ConsumerReading, ApiError> {
        let path = format!("CONSUMER.INFO.{}.{}", name(stream)?, name(consumer)?);
        let answer: Answered<ConsumerInfo> = self.ask(path, Bytes::new(), REQUEST).await?;
        Ok(answer.body.reading(answer.mono, answer.took)?)
    }

    /// `STREAM.NAMES`, sorted.
    pub(crate) async fn stream_names(&self) -> Result<Vec<Arc<str>>, ApiError> {
        self.names("STREAM.NAMES".to_owned()).await
    }

    /// `CONSUMER.NAMES`, sorted.
    pub(crate) async fn consumer_names(&self, stream: &str) -> Result<Vec<Arc<str>>, ApiError> {
        self.names(format!("CONSUMER.NAMES.{}", name(stream)?)).await
    }

    async fn names(&self, path: String) -> Result<Vec<Arc<str>>, ApiError> {
        let mut found: Vec<Arc<str>> = Vec::new();
        loop {
            let answer: Answered<NamesPage> = self.ask(path.clone(), offset(found.len()), REQUEST).await?;
            let (page, total) = answer.body.into_parts();
            let done = page.is_empty();
            found.extend(page.into_iter().map(Arc::from));
            if done || found.len() >= MOST_NAMES || total.is_none_or(|total| found.len() as u64 >= total) {
                break;
            }
        }
        // The order of streams varies between answers, and pages may overlap while names change.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A page of `STREAM.LIST`; when it was in and how long it took.
    pub(crate) async fn stream_page(&self, from: usize) -> Result<(StreamPage, Duration, Duration), ApiError> {
        let answer: Answered<StreamPage> = self.ask("STREAM.LIST".to_owned(), offset(from), PAGE).await?;
        Ok((answer.body, answer.mono, answer.took))
    }

    /// A page of `CONSUMER.LIST`; when it was in and how long it took.
    pub(crate) async fn consumer_page(
        &self,
        stream: &str,
        from: usize,
    ) -> Result<(ConsumerPage, Duration, Duration), ApiError> {
        let path = format!("CONSUMER.LIST.{}", name(stream)?);
        let answer: Answered<ConsumerPage> = self.ask(path, offset(from), PAGE).await?;
        Ok((answer.body, answer.mono, answer.took))
    }

    /// The first message from sequence `from` on whose subject matches `filter`: its sequence
    /// and the time at which it was stored; `None`: there is none.
    pub(crate) async fn next_message(
        &self,
        stream: &str,
        from: u64,
        filter: &str,
    ) -> Result<Option<(u64, Timestamp)>, ApiError> {
        let wanted = json!({"seq": from, "next_by_subj": filter});
        let found: Option<StoredMessage> = self.message(stream, &wanted).await?;
        Ok(found.map(StoredMessage::position).transpose()?)
    }

    /// `STREAM.MSG.GET`; `None`: no message fits. `T` says what of it is read.
    pub(crate) async fn message<T: Answer>(
        &self,
        stream: &str,
        wanted: &serde_json::Value,
    ) -> Result<Option<T>, ApiError> {
        let path = format!("STREAM.MSG.GET.{}", name(stream)?);
        match self.ask::<T>(path, wanted.to_string().into(), REQUEST).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.is_missing_message() && !error.is_missing_stream() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn ask<T: Answer>(&self, path: String, payload: Bytes, limit: Duration) -> Result<Answered<T>, ApiError> {
        let subject = format!("{}.{path}", self.prefix);
        let mut state = self.link.signals.watch();
        let denied = state.borrow().denied.get(&subject).copied();
        if let Some(since) = denied {
            if self.clock.now().mono.saturating_sub(since) < DENIED_FOR {
                return Err(ApiError::Denied(subject));
            }
            self.link.signals.forget(&subject);
        }
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(ApiError::Lost("the connection was closed".into()));
        };
        self.sent.fetch_add(1, Ordering::Relaxed);
        let begun = self.clock.now().mono;
        let request = Request::new().payload(payload).timeout(Some(limit));
        let message = tokio::select! {
            biased;
            outcome = self.link.client.send_request(subject.clone(), request) => {
                outcome.map_err(|error| self.failed(&error, &subject, limit))
            }
            error = trouble(&mut state, &subject) => {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }?;
        let mono = self.clock.now().mono;
        let mut body: T = serde_json::from_slice(&message.payload)
            .map_err(|_| ApiError::Unreadable("the answer is no JSON".into()))?;
        if let Some(error) = body.error() {
            return Err(ApiError::Refused(error));
        }
        Ok(Answered {
            body,
            mono,
            took: mono.saturating_sub(begun),
        })
    }

    fn failed(&self, error: &async_nats::RequestError, subject: &str, limit: Duration) -> ApiError {
        match error.kind() {
            RequestErrorKind::TimedOut => {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
                ApiError::TimedOut(limit)
            }
            RequestErrorKind::NoResponders => ApiError::NoResponders(subject.to_owned()),
            RequestErrorKind::InvalidSubject => ApiError::BadName(subject.to_owned()),
            // What is left means that the client's own task has ended.
            _ => ApiError::Lost(self.lost().unwrap_or_else(|| error.to_string().into())),
        }
    }
}

/// Waits until the connection says something that makes an answer on `subject` impossible.
async fn trouble(state: &mut watch::Receiver<State>, subject: &str) -> ApiError {
    loop {
        {
            let state = state.borrow_and_update();
            if let Some(reason) = &state.lost {
                return ApiError::Lost(reason.clone());
            }
            if state.denied.contains_key(subject) {
                return ApiError::Denied(subject.to_owned());
            }
            // Advisories are optional; what else we subscribe to is the inbox for answers.
            if let Some(inbox) = state
                .unheard
                .iter()
                .find(|subject| !super::advisories::is_advisory(subject))
            {
                return ApiError::Unheard(inbox.clone());
            }
        }
        if state.changed().await.is_err() {
            return ApiError::Lost("the connection was closed".into());
        }
    }
}

/// The payload that asks for the page from `from` on.
fn offset(from: usize) -> Bytes {
    if from == 0 {
        Bytes::new()
    } else {
        json!({ "offset": from }).to_string().into()
    }
}

/// Whether a name stays one token of a subject.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| matches!(c, '.' | '*' | '>') || c.is_whitespace() || c.is_control())
}

fn name(name: &str) -> Result<&str, ApiError> {
    if is_name(name) {
        Ok(name)
    } else {
        Err(ApiError::BadName(name.to_owned()))
    }
}
