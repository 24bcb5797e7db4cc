//! A stream read from one end to the other, window by window, in a task of its own.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fetch::{Fetch, Fetched, IN_FLIGHT, Limits, Span, Way};
use super::{Inner, LetterError, Line};
use crate::sample::Stored;

/// Messages and bytes of one window at most, and what makes the next one wider.
const WINDOW: usize = 8_192;
const WINDOW_BYTES: u64 = 64 << 20;

/// Sequences from which on a window is read over two connections: both the server and the client
/// work off a connection one message after the other.
const WIDE: u64 = 2_048;

/// Bytes that the requests on their way may bring.
const BYTES_IN_FLIGHT: u64 = 32 << 20;

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// With the newest.
    #[default]
    Newest,
    /// With the oldest.
    Oldest,
}

/// What is read, and how.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Where it begins.
    pub direction: Direction,
    /// Sequences from this one on.
    pub from: u64,
    /// Sequences up to this one.
    pub to: u64,
    /// The subjects that are wanted; `None`: all.
    pub subject: Option<Arc<str>>,
    /// Whether headers are wanted to the byte and in their order: half as fast.
    pub exact: bool,
    /// Messages of the first window, so that a page is there at once.
    pub first: u64,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            direction: Direction::Newest,
            from: 1,
            to: u64::MAX,
            subject: None,
            exact: false,
            first: 1_024,
        }
    }
}

/// Messages that were read together, in the direction of the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Stored>,
    /// Sequences that have been looked at so far, of [`Batch::span`].
    pub looked_at: u64,
    /// Sequences to look at.
    pub span: u64,
}

/// A reading that goes on by itself; ends when it is dropped.
#[derive(Debug)]
pub struct Scan {
    batches: mpsc::Receiver<Result<Batch, LetterError>>,
    _stop: DropGuard,
}

impl Scan {
    /// The next messages, perhaps none of a window of holes; `None`: that was all.
    ///
    /// # Errors
    /// When the stream cannot be read. Nothing follows.
    pub async fn next(&mut self) -> Result<Option<Batch>, LetterError> {
        self.batches.recv().await.transpose()
    }

    /// Starts reading what of the stream's `stored` sequences is wanted.
    pub(super) fn start(inner: Arc<Inner>, reading: &Reading, stored: (u64, u64), average: u64) -> Self {
        let (sender, batches) = mpsc::channel(2);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let (from, to) = (reading.from.max(stored.0).max(1), reading.to.min(stored.1));
        let reading = reading.clone();
        tokio::spawn(async move {
            let work = async {
                if from > to {
                    return;
                }
                let mut windows = Windows {
                    left: Some(Span { from, to }),
                    span: Span { from, to }.width(),
                    width: reading.first.max(1),
                    requests: (BYTES_IN_FLIGHT / average.max(1)).clamp(1, IN_FLIGHT),
                    reading,
                    inner,
                };
                while let Some(batch) = windows.next().await.transpose() {
                    let failed = batch.is_err();
                    if sender.send(batch).await.is_err() || failed {
                        return;
                    }
                }
            };
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = work => {}
            }
        });
        Self {
            batches,
            _stop: stop.drop_guard(),
        }
    }
}

/// What is still to be read.
struct Windows {
    inner: Arc<Inner>,
    reading: Reading,
    left: Option<Span>,
    span: u64,
    width: u64,
    requests: u64,
}

impl Windows {
    async fn next(&mut self) -> Result<Option<Batch>, LetterError> {
        loop {
            let Some(left) = self.left else { return Ok(None) };
            let window = match self.reading.direction {
                Direction::Newest => Span {
                    from: left.to.saturating_sub(self.width - 1).max(left.from),
                    to: left.to,
                },
                Direction::Oldest => Span {
                    from: left.from,
                    to: left.from.saturating_add(self.width - 1).min(left.to),
                },
            };
            let limits = Limits {
                requests: self.requests,
                // A single message is never too many.
                messages: if window.width() == 1 { usize::MAX } else { WINDOW },
                bytes: if window.width() == 1 { u64::MAX } else { WINDOW_BYTES },
            };
            let Some(mut messages) = self.read(window, limits).await? else {
                self.width = (window.width() / 2).max(1);
                self.requests = self.requests.div_ceil(2);
                continue;
            };
            let rest = match self.reading.direction {
                Direction::Newest => (window.from > left.from).then(|| Span {
                    from: left.from,
                    to: window.from - 1,
                }),
                Direction::Oldest => (window.to < left.to).then(|| Span {
                    from: window.to + 1,
                    to: left.to,
                }),
            };
            self.left = rest;
            if messages.len() < WINDOW / 3 {
                self.width = self.width.saturating_mul(2).max(1_024);
            }
            if self.reading.direction == Direction::Newest {
                messages.reverse();
            }
            return Ok(Some(Batch {
                messages,
                looked_at: self.span - rest.map_or(0, Span::width),
                span: self.span,
            }));
        }
    }

    /// The messages of a window; `None`: they are too many.
    async fn read(&self, window: Span, limits: Limits) -> Result<Option<Vec<Stored>>, LetterError> {
        if window.width() < WIDE {
            return self.read_over(&self.inner.first, window, limits).await;
        }
        let half = Limits {
            requests: limits.requests.div_ceil(2),
            messages: limits.messages.div_ceil(2),
            bytes: limits.bytes.div_ceil(2),
        };
        let [lower, upper] = window.halves();
        let (lower, upper) = tokio::join!(
            self.read_over(&self.inner.first, lower, half),
            self.read_over(self.inner.beside().await, upper, half)
        );
        let (Some(mut messages), Some(upper)) = (lower?, upper?) else {
            return Ok(None);
        };
        messages.extend(upper);
        Ok(Some(messages))
    }

    /// The messages of a span by the quickest way that works; `None`: they are too many.
    async fn read_over(&self, line: &Line, window: Span, limits: Limits) -> Result<Option<Vec<Stored>>, LetterError> {
        let filter = self.reading.subject.as_deref().unwrap_or(">");
        let mut way = if self.reading.exact {
            Way::Exact
        } else {
            self.inner.way()
        };
        loop {
            let api = line.api(&self.inner).await?;
            let fetch = Fetch {
                api: &api,
                stream: &self.inner.stream,
                way,
            };
            match fetch.span(window, filter, limits).await {
                Ok(Fetched::All { messages, batched }) => {
                    if way == Way::Batch && !messages.is_empty() && !batched {
                        self.inner.learn(Way::Direct);
                    }
                    return Ok(Some(messages));
                }
                Ok(Fetched::TooMany) => return Ok(None),
                Err(error) => way = self.inner.other_way(way, &error).ok_or(error)?,
            }
        }
    }
}
