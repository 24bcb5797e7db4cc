//! Dead letters, read and never consumed: no consumer is made, nothing is acked, every message is
//! got by its sequence.
//!
//! Direct gets are the quickest way where the stream allows them, several messages each where the
//! server can; else, and where headers are wanted to the byte, the API's `STREAM.MSG.GET`. Which
//! of them works is found out by trying.
//!
//! Rights: publish `$JS.API.STREAM.INFO.*` and `$JS.API.STREAM.MSG.GET.*`, better also
//! `$JS.API.DIRECT.GET.*`; subscribe `_INBOX.>`.

mod fetch;
mod scan;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

pub use self::scan::{Batch, Direction, Reading, Scan};
pub(crate) use self::wire::{RawMessage, one};

use self::fetch::{Fetch, Way};
use super::SourceError;
use super::jetstream::api::{Api, ApiError, is_name};
use super::jetstream::link;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::NatsLink;
use crate::sample::{Stored, StreamReading};

/// Why letters cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// There is no such stream.
    #[error("there is no stream {0} → check its name")]
    NoStream(String),
    /// The name cannot be a stream's.
    #[error("{0:?} is no stream's name → check its name")]
    BadName(String),
    /// We may not ask.
    #[error("read letters: no permission to publish to {0} → ask for that right")]
    Denied(String),
    /// We may not hear answers.
    #[error("read letters: no permission to subscribe to {0} → ask for that right, or set inbox_prefix")]
    Unheard(String),
    /// Nobody answers.
    #[error("read letters: nobody answers on {0} → is JetStream on, and the API prefix right?")]
    NoResponders(String),
    /// No answer in time.
    #[error("read letters: no answer within {} → try again", text::duration(*.0))]
    TimedOut(Duration),
    /// The connection is gone.
    #[error("read letters: connection lost: {0} → try again")]
    Lost(String),
    /// No connection can be made.
    #[error(transparent)]
    Connect(#[from] SourceError),
    /// The server said no.
    #[error("read letters: {description} (error {code})")]
    Refused {
        /// The server's words.
        description: String,
        /// Its error code.
        code: u64,
    },
    /// The answer cannot be used.
    #[error("read letters: unreadable answer: {0}")]
    Unreadable(String),
}

impl From<ApiError> for LetterError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Lost(reason) => Self::Lost(reason.to_string()),
            ApiError::TimedOut(limit) => Self::TimedOut(limit),
            ApiError::Denied(subject) => Self::Denied(text::safe(&subject).into_owned()),
            ApiError::Unheard(subject) => Self::Unheard(text::safe(&subject).into_owned()),
            ApiError::NoResponders(subject) => Self::NoResponders(text::safe(&subject).into_owned()),
            ApiError::Refused(body) => Self::Refused {
                description: text::safe(body.description()).into_owned(),
                code: body.err_code(),
            },
            ApiError::Unreadable(reason) => Self::Unreadable(reason),
            ApiError::BadName(name) => Self::BadName(text::safe(&name).into_owned()),
        }
    }
}

/// A stream whose messages are read. Connects again by itself when the connection was lost.
#[derive(Clone, Debug)]
pub struct Mailbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    to: NatsLink,
    clock: SharedClock,
    stream: Arc<str>,
    first: Line,
    /// For long readings: a second connection, or `None` where none could be made.
    second: OnceCell<Option<Line>>,
    /// The quickest [`Way`] that is known to work, as a number.
    way: AtomicU8,
}

impl Mailbox {
    /// Connects, and makes sure that the stream is there.
    ///
    /// # Errors
    /// When no server lets us in, or it has no such stream, or we may not read it.
    pub async fn open(to: &NatsLink, stream: &str, clock: &SharedClock) -> Result<Self, LetterError> {
        if !is_name(stream) {
            return Err(LetterError::BadName(text::safe(stream).into_owned()));
        }
        let api = connect(to, clock).await?;
        let mailbox = Self {
            inner: Arc::new(Inner {
                to: to.clone(),
                clock: clock.clone(),
                stream: stream.into(),
                first: Line::new(api),
                second: OnceCell::new(),
                way: AtomicU8::new(0),
            }),
        };
        mailbox.state().await?;
        Ok(mailbox)
    }

    /// The stream's name.
    #[must_use]
    pub fn stream(&self) -> &Arc<str> {
        &self.inner.stream
    }

    /// The stream as it stands.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn state(&self) -> Result<StreamReading, LetterError> {
        let api = self.inner.first.api(&self.inner).await?;
        let stream = api.stream(&self.inner.stream).await.map_err(|error| {
            if error.is_missing_stream() {
                LetterError::NoStream(text::safe(&self.inner.stream).into_owned())
            } else {
                error.into()
            }
        })?;
        // The server drops a direct get that the stream does not allow, without a word.
        if !stream.config.allow_direct {
            self.inner.learn(Way::Exact);
        }
        Ok(stream)
    }

    /// One message, exact to the byte; `None`: it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self, sequence: u64) -> Result<Option<Stored>, LetterError> {
        let found = self.inner.these(&[sequence], Way::Exact).await?.pop();
        Ok(found.map(|(stored, _)| stored))
    }

    /// The messages with these sequences, in their order, exact to the byte; `None` for those
    /// that are not there.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn these(&self, sequences: &[u64]) -> Result<Vec<Option<Stored>>, LetterError> {
        let mut found: BTreeMap<u64, Stored> = BTreeMap::new();
        let mut doubtful = Vec::new();
        for (stored, faithful) in self.inner.these(sequences, self.inner.way()).await? {
            if faithful {
                found.insert(stored.sequence, stored);
            } else {
                doubtful.push(stored.sequence);
            }
        }
        let exact = self.inner.these(&doubtful, Way::Exact).await?.into_iter();
        found.extend(exact.map(|(stored, _)| (stored.sequence, stored)));
        Ok(sequences.iter().map(|sequence| found.remove(sequence)).collect())
    }

    /// At most `most` messages, beginning at `from` (or, without it, at the end that `direction`
    /// names), exact to the byte.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn page(&self, from: Option<u64>, direction: Direction, most: u64) -> Result<Vec<Stored>, LetterError> {
        let mut reading = Reading {
            direction,
            exact: true,
            first: most,
            ..Reading::default()
        };
        match (from, direction) {
            (Some(from), Direction::Newest) => reading.to = from,
            (Some(from), Direction::Oldest) => reading.from = from,
            (None, _) => {}
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut scan = self.scan(&reading).await?;
        let mut page = Vec::new();
        while page.len() < most
            && let Some(batch) = scan.next().await?
        {
            page.extend(batch.messages);
        }
        page.truncate(most);
        Ok(page)
    }

    /// Begins to read everything that is in the stream now and wanted.
    ///
    /// # Errors
    /// When the stream's state cannot be read.
    pub async fn scan(&self, reading: &Reading) -> Result<Scan, LetterError> {
        let state = self.state().await?.state;
        let average = state.bytes / state.messages.max(1);
        let stored = (state.first_seq, if state.messages == 0 { 0 } else { state.last_seq });
        Ok(Scan::start(self.inner.clone(), reading, stored, average))
    }
}

/// A connection.
#[derive(Debug)]
struct Line {
    api: Mutex<Arc<Api>>,
}

impl Line {
    fn new(api: Api) -> Self {
        Self {
            api: Mutex::new(Arc::new(api)),
        }
    }

    /// The connection; a new one when it was lost.
    async fn api(&self, of: &Inner) -> Result<Arc<Api>, LetterError> {
        let api = self.api.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if api.lost().is_none() {
            return Ok(api);
        }
        let api = Arc::new(connect(&of.to, &of.clock).await?);
        *self.api.lock().unwrap_or_else(PoisonError::into_inner) = api.clone();
        Ok(api)
    }
}

impl Inner {
    /// A second connection, or the first one where there can be no other.
    async fn beside(&self) -> &Line {
        let connect = async {
            let api = connect(&self.to, &self.clock).await;
            if let Err(error) = &api {
                tracing::debug!(%error, "letters are read over one connection");
            }
            api.ok().map(Line::new)
        };
        self.second
            .get_or_init(|| connect)
            .await
            .as_ref()
            .unwrap_or(&self.first)
    }

    /// How to go on after `error`; `None`: not at all.
    fn other_way(&self, way: Way, error: &LetterError) -> Option<Way> {
        match error {
            _ if way == Way::Exact => None,
            // Direct gets were switched off, or are not for us: for good.
            LetterError::NoResponders(_) | LetterError::Denied(_) | LetterError::TimedOut(_) => {
                self.learn(Way::Exact);
                Some(Way::Exact)
            }
            // A header that the client cannot read ends its connection. Over the API it is data.
            LetterError::Lost(_) => Some(Way::Exact),
            _ => None,
        }
    }

    /// The messages with these sequences that are there, and whether each is as it is stored.
    async fn these(&self, sequences: &[u64], mut way: Way) -> Result<Vec<(Stored, bool)>, LetterError> {
        loop {
            let api = self.first.api(self).await?;
            let fetch = Fetch {
                api: &api,
                stream: &self.stream,
                way,
            };
            match fetch.these(sequences).await {
                Err(error) => way = self.other_way(way, &error).ok_or(error)?,
                found => return found,
            }
        }
    }

    fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            0 => Way::Batch,
            1 => Way::Direct,
            _ => Way::Exact,
        }
    }

    fn learn(&self, way: Way) {
        let number = match way {
            Way::Batch => 0,
            Way::Direct => 1,
            Way::Exact => 2,
        };
        self.way.fetch_max(number, Ordering::Relaxed);
    }
}

async fn connect(to: &NatsLink, clock: &SharedClock) -> Result<Api, LetterError> {
    let link = link::connect_once(to, &[], clock).await?;
    Ok(Api::new(link, &to.api_prefix, clock.clone(), Arc::default()))
}
