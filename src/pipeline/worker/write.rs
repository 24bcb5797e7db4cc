//! The second stage: writes batches behind the circuit breaker.
//!
//! While the database is away the batches in hand are held and nothing more is pulled. An outage
//! is nobody's failed attempt: only what a message itself causes is counted against it.

use std::ops::Range;
use std::sync::Arc;
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

/// Writes what `batches` brings until it is closed, and sees it settled.
pub(super) async fn write(shared: Arc<Shared>, store: Store, mut batches: mpsc::Receiver<Batch>) {
    let mut writer = Writer {
        breaker: Breaker::new(shared.config.breaker),
        pace: Pace::new(shared.config.rate_limit),
        shared: shared.clone(),
        store,
    };
    // Before the first pull: a batch pulled for a database that is away would only be held.
    if writer.connect().await.is_ok() {
        shared.database_up.send_replace(true);
    }
    let mut settling = JoinSet::new();
    while let Some(mut batch) = batches.recv().await {
        let wait = writer.pace.book(batch.webhooks.len(), shared.clock.now().mono);
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
    store: Store,
    breaker: Breaker,
    pace: Pace,
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
                    tracing::debug!(error, "write again");
                    parts.push(part);
                }
                Err(StoreError::Data(_)) if part.len() > 1 => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(StoreError::Data(error)) if webhooks[part.start].failure.is_none() => {
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

    /// Waits until an attempt may be made.
    async fn admitted(&mut self) -> Result<(), Stopped> {
        while let Some(wait) = self.breaker.admit(self.shared.clock.now().mono) {
            let sleep = tokio::time::sleep(wait);
            self.shared.stop.run_until_cancelled(sleep).await.ok_or(Stopped)?;
        }
        self.show();
        Ok(())
    }

    fn succeeded(&mut self) {
        self.breaker.succeeded();
        self.shared.health.set(DATABASE, Ok(()));
        self.shared
            .database_up
            .send_if_modified(|up| !std::mem::replace(up, true));
        self.show();
    }

    /// Records a failure of the database's own. A worker that stops does not wait for its return.
    async fn failed(&mut self, error: &StoreError) -> Result<(), Stopped> {
        self.breaker.failed(self.shared.clock.now().mono);
        self.shared.health.set(DATABASE, Err(error));
        if self.breaker.state() == State::Open {
            self.shared
                .database_up
                .send_if_modified(|up| std::mem::replace(up, false));
        }
        self.show();
        let sleep = tokio::time::sleep(RETRY);
        self.shared.stop.run_until_cancelled(sleep).await.ok_or(Stopped)
    }

    fn show(&self) {
        self.shared.metrics.breaker(self.breaker.state());
    }
}

fn entry(webhook: &Webhook) -> Entry<'_> {
    Entry {
        id: &webhook.id,
        provider: &webhook.provider,
        event: &webhook.event,
        sequence: webhook.sequence,
        delivery: webhook.delivery,
        received_at: webhook.received_at,
        recipient: webhook.recipient.as_deref(),
        failure: webhook.failure.as_ref().map(|failure| &*failure.text),
    }
}
