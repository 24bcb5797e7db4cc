//! Windows on their way: each sends its letters and waits for the answers in a task of its own,
//! so that the next one is written down meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::answer::{Landing, Reply, landing};
use super::gateway::Gateway;
use super::pack::Ready;
use crate::act::exchange::{Exchange, ExchangeError};
use crate::act::lease::Guard;

/// What a window is sent with.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) exchange: Arc<Exchange>,
    /// Where letters go that go into no stream.
    pub(super) gateway: Option<Gateway>,
    pub(super) guard: Guard,
}

impl Sender {
    /// Sends a window, one message right after the other, and waits for the answers. A duplicate
    /// of those that were sent `before` is ours.
    async fn send(self, ready: Vec<Ready>, before: BTreeSet<u64>) -> Landing {
        let mut replies = Vec::with_capacity(ready.len());
        for one in ready {
            let reply = self.send_one(&one.intent.subject, one.message, one.intent.letter, one.is_posted);
            let reply = reply.await;
            replies.push((one.intent, reply));
        }
        landing(replies, &before).await
    }

    async fn send_one(
        &self,
        subject: &str,
        message: Result<(async_nats::HeaderMap, bytes::Bytes), ExchangeError>,
        letter: u64,
        is_posted: bool,
    ) -> Result<Reply<'_>, ExchangeError> {
        // Between two messages this process may have stood still for long.
        let held = self.guard.check();
        held.map_err(|error| ExchangeError::Unsent(error.to_string()))?;
        let (headers, payload) = message?;
        match self.gateway.as_ref().filter(|_| is_posted) {
            Some(gateway) => Ok(Reply::Gateway(gateway.post(letter, &headers, payload))),
            None => {
                let answer = self.exchange.send(subject.to_owned(), headers, payload).await;
                answer.map(Reply::Stream)
            }
        }
    }
}

/// The windows on their way, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Flights {
    under_way: VecDeque<Flight>,
}

#[derive(Debug)]
struct Flight {
    window: u64,
    letters: Vec<u64>,
    landing: AbortOnDropHandle<Landing>,
}

impl Flights {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Their numbers and letters.
    pub(super) fn windows(&self) -> impl Iterator<Item = (u64, Vec<u64>)> {
        self.under_way
            .iter()
            .map(|flight| (flight.window, flight.letters.clone()))
    }

    /// Sends a window. Its letters stand in the journal and in the bucket.
    pub(super) fn launch(&mut self, sender: Sender, ready: Vec<Ready>, before: BTreeSet<u64>) {
        let Some(first) = ready.first() else { return };
        self.under_way.push_back(Flight {
            window: first.intent.window,
            letters: ready.iter().map(|one| one.intent.letter).collect(),
            landing: AbortOnDropHandle::new(tokio::spawn(sender.send(ready, before))),
        });
    }

    /// What became of the oldest; `None`: there is none.
    pub(super) async fn next(&mut self) -> Option<Landing> {
        let flight = self.under_way.front_mut()?;
        let landing = (&mut flight.landing).await;
        self.under_way.pop_front();
        // A task that broke off leaves its window in limbo.
        Some(landing.unwrap_or_else(|_| Landing::lost()))
    }

    /// What became of the oldest, if that is known; else `None`.
    pub(super) async fn landed(&mut self) -> Option<Landing> {
        if self.under_way.front()?.landing.is_finished() {
            self.next().await
        } else {
            None
        }
    }

    /// Ends them. When this returns, nothing more of them is sent.
    pub(super) async fn ground(&mut self) {
        for flight in &self.under_way {
            flight.landing.abort();
        }
        while self.next().await.is_some() {}
    }
}
