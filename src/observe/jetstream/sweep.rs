//! The slow sweep over everything that the account has. It runs beside the cycles, a page at a
//! time, so that a server with a thousand consumers does not delay what is on screen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::api::{Api, ApiError};
use crate::base::time::SharedClock;
use crate::sample::{ConsumerReading, InventoryReading, StreamReading};

/// How often a sweep begins.
const PERIOD: Duration = Duration::from_secs(15);

/// A sweep may take this share of the server's time: after a long one the next begins later.
const SHARE: u32 = 10;

/// Streams and consumers listed at most.
const MOST: usize = 10_000;

/// Streams whose consumers are listed at the same time: few, so that what is on screen does not
/// wait behind them.
const SIDE_BY_SIDE: usize = 4;

/// Pages of streams read at most: a server that ignores the offset must not keep us for ever.
const PAGES: usize = 64;

/// A sweep, and why parts of it are missing.
#[derive(Debug)]
pub(crate) struct Swept {
    /// What was found.
    pub(crate) inventory: InventoryReading,
    /// The first thing that could not be listed.
    pub(crate) problem: Option<ApiError>,
}

/// A sweep under way: where its result comes, and its task.
type Running = (oneshot::Receiver<Result<Swept, ApiError>>, AbortOnDropHandle<()>);

/// Begins sweeps and hands their results over.
#[derive(Debug, Default)]
pub(crate) struct Sweeper {
    running: Option<Running>,
    next: Duration,
}

impl Sweeper {
    /// Ends a sweep whose connection is gone.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Begins a sweep when one is due and none runs.
    pub(crate) fn begin(&mut self, api: &Arc<Api>, clock: &SharedClock) {
        let now = clock.now().mono;
        if self.running.is_some() || now < self.next {
            return;
        }
        self.next = now + PERIOD;
        let (sender, receiver) = oneshot::channel();
        let (api, clock) = (api.clone(), clock.clone());
        let task = tokio::spawn(async move {
            // Nobody listens any more when the connection was given up meanwhile.
            let _ = sender.send(sweep(&api, &clock).await);
        });
        self.running = Some((receiver, AbortOnDropHandle::new(task)));
    }

    /// The result of a sweep that has ended.
    pub(crate) fn take(&mut self, now: Duration) -> Option<Result<Swept, ApiError>> {
        let (receiver, _) = self.running.as_mut()?;
        let outcome = match receiver.try_recv() {
            Ok(outcome) => outcome,
            Err(oneshot::error::TryRecvError::Empty) => return None,
            Err(oneshot::error::TryRecvError::Closed) => Err(ApiError::Lost("the sweep was stopped".into())),
        };
        self.running = None;
        if let Ok(swept) = &outcome {
            self.next = self.next.max(now + swept.inventory.took * SHARE);
        }
        Some(outcome)
    }
}

async fn sweep(api: &Api, clock: &SharedClock) -> Result<Swept, ApiError> {
    let begun = clock.now().mono;
    let mut inventory = InventoryReading {
        streams: Vec::new(),
        consumers: Vec::new(),
        missing: Vec::new(),
        offline: Vec::new(),
        took: Duration::ZERO,
    };
    list_streams(api, &mut inventory).await?;
    let mut problem = None;
    let populated: Vec<Arc<str>> = inventory
        .streams
        .iter()
        .filter(|stream| stream.state.consumer_count > 0)
        .map(|stream| stream.name.clone())
        .collect();
    let mut lists = futures_util::stream::iter(populated)
        .map(|stream| list_consumers(api, stream))
        .buffered(SIDE_BY_SIDE);
    while let Some((found, outcome)) = lists.next().await {
        inventory.consumers.extend(found);
        match outcome {
            Ok(()) => {}
            Err(error @ (ApiError::Lost(_) | ApiError::Unheard(_))) => return Err(error),
            // The stream was deleted since it was listed.
            Err(error) if error.is_missing_stream() => {}
            Err(error) => problem = problem.or(Some(error)),
        }
        if inventory.consumers.len() >= MOST {
            break;
        }
    }
    drop(lists);
    inventory
        .consumers
        .sort_unstable_by(|a, b| (&a.stream, &a.name).cmp(&(&b.stream, &b.name)));
    inventory.took = clock.now().mono.saturating_sub(begun);
    Ok(Swept { inventory, problem })
}

async fn list_streams(api: &Api, inventory: &mut InventoryReading) -> Result<(), ApiError> {
    // By name: pages overlap while streams come and go.
    let mut found: BTreeMap<Arc<str>, StreamReading> = BTreeMap::new();
    let mut from = 0;
    for _ in 0..PAGES {
        let (page, mono, took) = api.stream_page(from).await?;
        let read = page.streams.0.len() + page.missing.0.len() + page.offline.0.len();
        from += page.streams.0.len().max(1);
        inventory.missing.extend(page.missing.0);
        inventory.offline.extend(page.offline.0);
        for info in page.streams.0.into_iter().filter_map(|stream| stream.0) {
            if let Ok(reading) = info.reading(mono, took) {
                found.insert(reading.name.clone(), reading);
            }
        }
        if read == 0 || found.len() >= MOST || page.total.0.is_none_or(|total| from as u64 >= total) {
            break;
        }
    }
    for names in [&mut inventory.missing, &mut inventory.offline] {
        names.sort_unstable();
        names.dedup();
    }
    inventory.streams = found.into_values().collect();
    Ok(())
}

/// The consumers of a stream, as far as they could be listed.
async fn list_consumers(api: &Api, stream: Arc<str>) -> (Vec<ConsumerReading>, Result<(), ApiError>) {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let (page, mono, took) = match api.consumer_page(&stream, from).await {
            Ok(page) => page,
            Err(error) => return (found, Err(error)),
        };
        let read = page.consumers.0.len();
        from += read;
        for info in page.consumers.0.into_iter().filter_map(|consumer| consumer.0) {
            found.extend(info.reading(mono, took));
        }
        if read == 0 || found.len() >= MOST || page.total.0.is_none_or(|total| from as u64 >= total) {
            return (found, Ok(()));
        }
    }
}
