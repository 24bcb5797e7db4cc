//! The second stage: writes batches behind the circuit breaker.
//!
//! While the database is away the batches in hand are held and nothing more is pulled. An outage
//! is nobody's failed attempt: only what a message itself causes is counted against it.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fault::Failure;
use super::pace::Pace;
use super::webhook::Webhook;
use super::{Batch, Shared, settle};
use crate::base::time::Timestamp;
use crate::pipeline::breaker::{Breaker, State};
use crate::pipeline::status::DATABASE;
use crate::pipeline::store::{Entry, Fate, Store, StoreError};

/// Wait after a failure that did not open the breaker yet.
const RETRY: Duration = Duration::from_millis(100);

/// Transactions side by side: while one waits for the disk the other computes.
pub(super) const WRITERS: i16 = 2;

/// What the writers of a worker share.
pub(super) struct Desk {
    batches: tokio::sync::Mutex<mpsc::Receiver<Batch>>,
    breaker: Mutex<Breaker>,
    pace: Mutex<Pace>,
}

impl Desk {
    pub(super) fn new(shared: &Shared, batches: mpsc::Receiver<Batch>) -> Self {
        Self {
            batches: tokio::sync::Mutex::new(batches),
            breaker: Mutex::new(Breaker::new(shared.config.breaker)),
            pace: Mutex::new(Pace::new(shared.config.rate_limit)),
        }
    }
}

/// Writes batches until no more come, and sees them settled.
pub(super) async fn write(shared: Arc<Shared>, desk: Arc<Desk>, store: Store) {
    let mut writer = Writer {
        shared: shared.clone(),
        desk: desk.clone(),
        store,
    };
    // Before the first pull: a batch pulled for a database that is away would only be held.
    // Told to stop it goes on, and gives back what was pulled all the same.
    let _ = writer.connect().await;
    let mut settling = JoinSet::new();
    loop {
        let next = desk.batches.lock().await.recv().await;
        let Some(mut batch) = next else { break };
        let now = shared.clock.now().mono;
        let wait = lock(&desk.pace).book(batch.webhooks.len(), now);
        shared.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        let begun = shared.clock.now().mono;
        match writer.write_batch(&mut batch.webhooks, batch.created).await {
            Ok(fates) => {
                settling.spawn(settle::settle(shared.clone(), batch, fates, begun));
            }
            Err(Stopped) => {
                settling.spawn(settle::give_back(shared.clone(), batch));
            }
        }
        while settling.try_join_next().is_some() {}
    }
    while settling.join_next().await.is_some() {}
}

/// The worker stops and the database is away.
struct Stopped;

struct Writer {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    store: Store,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Connects for the first time, however long it takes.
    async fn connect(&mut self) -> Result<(), Stopped> {
        loop {
            self.admitted().await?;
            match self.store.connect().await {
                Ok(()) => {
                    self.succeeded();
                    return Ok(());
                }
                Err(error) => self.failed(&error).await?,
            }
        }
    }

    /// Writes a batch, however long the database is away. A value that the database refuses
    /// fails its own webhook: the batch is halved until it stands alone.
    async fn write_batch(&mut self, webhooks: &mut [Webhook], created: Timestamp) -> Result<Vec<Fate>, Stopped> {
        let mut fates = vec![Fate::Known; webhooks.len()];
        let mut parts: Vec<Range<usize>> = Vec::new();
        parts.push(0..webhooks.len());
        while let Some(part) = parts.pop() {
            self.admitted().await?;
            let written = {
                let entries: Vec<Entry<'_>> = webhooks[part.clone()].iter().map(entry).collect();
                self.store.write(created, &entries).await
            };
            match written {
                Ok(written) => {
                    self.succeeded();
                    self.shared.metrics.written(&webhooks[part.clone()], &written);
                    fates[part].copy_from_slice(&written);
                }
                Err(StoreError::Conflict(error)) => {
                    self.succeeded();
                    tracing::debug!(error, "write again");
                    parts.push(part);
                }
                Err(StoreError::Data(_)) if part.len() > 1 => {
                    self.succeeded();
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(StoreError::Data(error)) if webhooks[part.start].failure.is_none() => {
                    self.succeeded();
                    webhooks[part.start].failure = Some(Failure::refused(error));
                    parts.push(part);
                }
                Err(error) => {
                    self.failed(&error).await?;
                    parts.push(part);
                }
            }
        }
        Ok(fates)
    }

    /// Waits until an attempt may be made. Its outcome must be reported: `succeeded` or `failed`.
    async fn admitted(&self) -> Result<(), Stopped> {
        loop {
            let now = self.shared.clock.now().mono;
            let wait = {
                let mut breaker = lock(&self.desk.breaker);
                let wait = breaker.admit(now);
                self.shared.metrics.breaker(breaker.state());
                wait
            };
            let Some(wait) = wait else { return Ok(()) };
            let sleep = tokio::time::sleep(wait);
            self.shared.stop.run_until_cancelled(sleep).await.ok_or(Stopped)?;
        }
    }

    /// The database answered.
    fn succeeded(&self) {
        self.report(Ok(()));
    }

    /// The database failed. A worker that stops does not wait for its return.
    async fn failed(&self, error: &StoreError) -> Result<(), Stopped> {
        self.report(Err(error));
        let sleep = tokio::time::sleep(RETRY);
        self.shared.stop.run_until_cancelled(sleep).await.ok_or(Stopped)
    }

    /// Reports an attempt to the breaker and lets everybody see what that makes of it.
    fn report(&self, attempt: Result<(), &StoreError>) {
        // Under the lock to the end: the last one to report must be the last one to be seen.
        let mut breaker = lock(&self.desk.breaker);
        let up = &self.shared.database_up;
        match attempt {
            Ok(()) => {
                breaker.succeeded();
                self.shared.health.set(DATABASE, Ok(()));
                up.send_if_modified(|up| !std::mem::replace(up, true));
            }
            Err(error) => {
                breaker.failed(self.shared.clock.now().mono);
                self.shared.health.set(DATABASE, Err(error));
                if breaker.state() == State::Open {
                    up.send_if_modified(|up| std::mem::replace(up, false));
                }
            }
        }
        self.shared.metrics.breaker(breaker.state());
    }
}

fn entry(webhook: &Webhook) -> Entry<'_> {
    Entry {
        id: &webhook.id,
        provider: webhook.provider(),
        event: webhook.event(),
        sequence: webhook.sequence,
        delivery: webhook.delivery,
        received_at: webhook.received_at,
        recipient: webhook.recipient.as_deref(),
        failure: webhook.failure.as_ref().map(|failure| &*failure.text),
    }
}
