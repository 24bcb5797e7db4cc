//! A worker: pulls webhooks, writes them in batches, acks.
//!
//! ```text
//! pull ─batch─▶ write (one transaction, behind the breaker) ─fates─▶ settle (ack, nak, dead letter)
//! ```
//! The stages overlap: while two batches are written the next is pulled and those before are
//! acked. Permits bound what is held in all of them together.
//!
//! What is counted where: `processed{success}` and `acked` when the server confirms a message's ack,
//! `processed{failure}` when a failed attempt is recorded, rows and skips when their transaction is committed.

mod config;
mod fault;
mod headers;
mod heartbeat;
mod held;
mod metrics;
mod pace;
mod pull;
mod settle;
mod webhook;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::bus::Bus;
use super::metrics::register_process;
use super::status::{self, DATABASE, EVENT_BUS, Health};
use super::store::{self, OPERATIONS, Store};
use crate::base::time::{SharedClock, Timestamp};

pub use config::Config;
use held::{Held, Holding};
use metrics::Metrics;
use webhook::Webhook;

/// How often held batches are looked through for those of which the server is to hear.
const KEEP_TICK: Duration = Duration::from_millis(100);

/// How long the last words to NATS may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the stages share.
struct Shared {
    config: Config,
    clock: SharedClock,
    bus: Bus,
    metrics: Metrics,
    health: Arc<Health>,
    held: Held,
    /// No more pulls: what is held is finished.
    stop: CancellationToken,
    /// The last pull has ended: nothing is delivered to this worker any more.
    pulling_ended: CancellationToken,
    /// Whether the database takes batches. While it does not, webhooks stay in the stream.
    database_up: watch::Sender<bool>,
    /// Webhooks processed since the start.
    processed: AtomicU64,
}

/// A batch on its way through the stages.
struct Batch {
    webhooks: Vec<Webhook>,
    /// When the stream was created.
    created: Timestamp,
    /// Keeps the server from delivering its messages again.
    holding: Holding,
    /// Its share of what may be held.
    room: Option<OwnedSemaphorePermit>,
}

/// Runs a worker until `stop`; then it pulls no more, finishes what it holds and returns. Its
/// pages are served at once, and `ready` says where; NATS and Postgres are waited for.
///
/// # Errors
/// When it cannot listen.
pub async fn run(
    config: Config,
    clock: SharedClock,
    stop: CancellationToken,
    ready: oneshot::Sender<SocketAddr>,
) -> Result<(), Error> {
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| Error::listen(config.listen, source))?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::listen(config.listen, source))?;
    let bus = Bus::open(&config.nats, &config.name, settle::LETTER_TIMEOUT).await?;
    let database = store::options(&config.database, &config.name)?;

    let mut registry = Registry::default();
    let held = Held::new(clock.clone());
    let metrics = Metrics::register(&mut registry);
    registry.register_collector(Box::new(held.clone()));
    register_process(&mut registry, &clock, "worker", &config.name);
    let health = Arc::new(Health::new("worker", &[DATABASE, EVENT_BUS]));
    let shared = Arc::new(Shared {
        config,
        clock,
        bus,
        metrics,
        health: health.clone(),
        held,
        stop,
        pulling_ended: CancellationToken::new(),
        database_up: watch::Sender::new(false),
        processed: AtomicU64::new(0),
    });

    // Dropping this future ends everything at once: the tasks are aborted with their set.
    let finished = CancellationToken::new();
    let mut helpers = JoinSet::new();
    let pages = status::pages(registry, health);
    let served = axum::serve(listener, pages).with_graceful_shutdown(finished.clone().cancelled_owned());
    helpers.spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "serve pages");
        }
    });
    helpers.spawn(keep_held(shared.clone(), finished.clone()));
    let heartbeat = heartbeat::beat(shared.clone(), database.clone(), finished.clone());
    let mut heart = JoinSet::new();
    heart.spawn(heartbeat);

    let (sender, receiver) = mpsc::channel(64);
    let desk = Arc::new(write::Desk::new(&shared, receiver));
    let mut stages = JoinSet::new();
    stages.spawn(pull::pull(shared.clone(), sender));
    for writer in 0..write::WRITERS {
        let store = make_store(&shared, &database, writer);
        stages.spawn(write::write(shared.clone(), desk.clone(), store));
    }
    // Nobody waits for the address any more: still work.
    let _ = ready.send(address);
    while let Some(ended) = stages.join_next().await {
        if let Err(error) = ended {
            return Err(Error::Stage(error));
        }
    }
    finished.cancel();
    if tokio::time::timeout(GOODBYE, async {
        heart.join_next().await;
        shared.bus.client().flush().await
    })
    .await
    .is_err()
    {
        tracing::warn!("the last words did not get through");
    }
    Ok(())
}

fn make_store(shared: &Arc<Shared>, database: &sqlx::postgres::PgConnectOptions, writer: i16) -> Store {
    let observed = OPERATIONS.map(|operation| (operation, shared.metrics.operation(operation)));
    Store::new(
        database,
        (&shared.config.name, writer),
        shared.config.database_timeout,
        shared.clock.clone(),
        move |operation, took| {
            if let Some((_, histogram)) = observed.iter().find(|(name, _)| *name == operation) {
                histogram.observe(took.as_secs_f64());
            }
        },
    )
}

/// Tells the server that work goes on at what has been held for long.
async fn keep_held(shared: Arc<Shared>, finished: CancellationToken) {
    loop {
        tokio::select! {
            () = finished.cancelled() => return,
            () = tokio::time::sleep(KEEP_TICK) => {}
        }
        for reply in shared.held.due() {
            // Lost with its connection it is sent again in time.
            if let Err(error) = shared.bus.client().publish(reply, settle::PROGRESS).await {
                tracing::debug!(%error, "progress");
            }
        }
    }
}
