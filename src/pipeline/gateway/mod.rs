//! The gateway: verifies a webhook's signature, publishes it, answers after the `PubAck`.
//!
//! Every webhook that arrives is counted once as received and then once as refused (4xx: send it
//! right), unconfirmed (5xx: send it again) or queued, also when its sender has hung up. A `PubAck` that comes
//! after its sender got a 503 counts as queued, which is what it is; the sender's next attempt is a duplicate.

mod config;
mod metrics;
mod outcome;
mod publish;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use futures_util::StreamExt as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Error;
use super::bus::{self, Bus};
use super::metrics::{UNKNOWN, register_process};
use super::provider::Provider;
use super::status::{self, EVENT_BUS, Health};
use super::topology;
use crate::base::time::SharedClock;

pub use config::Config;
use metrics::Metrics;
use outcome::{Outcome, Refusal};

/// How long a sender may take for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests in flight may take when the gateway stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How long to wait before looking for the stream again.
const RETRY: Duration = Duration::from_millis(500);

/// What all requests share.
struct Gateway {
    config: Config,
    clock: SharedClock,
    bus: Bus,
    metrics: Metrics,
    /// Publishes whose sender has been answered, or has hung up, and whose outcome is yet to be counted.
    unsettled: TaskTracker,
    /// The stream was found missing.
    missing: Notify,
}

/// Runs the gateway until `stop`. It listens at once and says where through `ready`; while NATS is away it answers 503.
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
    let bus = Bus::open(&config.nats, &config.name, publish::PATIENCE).await?;

    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry, config.verifiers.keys().copied());
    register_process(&mut registry, &clock, "gateway", &config.name);
    let health = Arc::new(Health::new("gateway", &[EVENT_BUS]));
    let gateway = Arc::new(Gateway {
        config,
        clock,
        bus,
        metrics,
        unsettled: TaskTracker::new(),
        missing: Notify::new(),
    });
    let app = routes(&gateway).merge(status::pages(registry, health.clone()));

    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
    });
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    // Nobody waits for the address any more: still serve.
    let _ = ready.send(address);
    let watch = keep_standing(&gateway, &health);
    tokio::select! {
        served = serving.into_future() => served.map_err(|source| Error::listen(address, source))?,
        () = watch => {}
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("requests in flight were cut off");
        }
    }
    gateway.unsettled.close();
    if tokio::time::timeout(DRAIN, gateway.unsettled.wait()).await.is_err() {
        tracing::warn!(
            left = gateway.unsettled.len(),
            "publishes without a PubAck were given up"
        );
    }
    Ok(())
}

/// Keeps the stream in being while the connection stands, and the health page true. Never returns.
async fn keep_standing(gateway: &Gateway, health: &Health) {
    let mut link = gateway.bus.link();
    while bus::up(&mut link).await {
        let since = *link.borrow_and_update();
        match topology::ensure(gateway.bus.api(), &gateway.config.topology).await {
            Ok(_) => {
                health.set(EVENT_BUS, Ok(()));
                tokio::select! {
                    () = bus::lost(&mut link, since) => {
                        health.set(EVENT_BUS, Err(&"the connection to NATS is lost"));
                    }
                    () = gateway.missing.notified() => {}
                }
            }
            Err(error) => {
                health.set(EVENT_BUS, Err(&error));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// A route for each provider whose webhooks are taken, and one for whoever else calls. Fixed
/// paths: reading the name out of the path would cost each webhook several allocations.
fn routes(gateway: &Arc<Gateway>) -> Router {
    let taking = |known: Option<Provider>| {
        post(
            move |State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body| {
                receive(gateway, known, headers, body)
            },
        )
    };
    let routes = Router::new().route("/webhooks/{provider}", taking(None));
    let known = gateway.config.verifiers.keys().copied();
    known
        .fold(routes, |routes, provider| {
            routes.route(&format!("/webhooks/{}", provider.name()), taking(Some(provider)))
        })
        .with_state(gateway.clone())
}

async fn receive(gateway: Arc<Gateway>, known: Option<Provider>, headers: HeaderMap, body: Body) -> Response {
    let arrived = gateway.clock.now();
    let in_flight = InFlight::new(gateway.clone());
    let name = known.map_or(UNKNOWN, Provider::name);
    let outcome = match read(body, gateway.config.max_body).await {
        // Without its body it has not arrived, and there is nobody left to answer.
        Err(ReadError::Gone) => return Response::default(),
        Err(ReadError::Refused(refusal)) => gateway.refuse(name, refusal),
        Ok(body) => match known {
            Some(provider) => in_flight.accept(provider, &headers, body, arrived.at).await,
            None => gateway.refuse(name, Refusal::UnknownProvider),
        },
    };
    let took = gateway.clock.now().mono.saturating_sub(arrived.mono);
    gateway.metrics.responded(known, took);
    outcome.answer()
}

/// The gateway as a webhook sees it whose outcome is not known yet: counted until it is dropped.
struct InFlight(Arc<Gateway>);

impl InFlight {
    fn new(gateway: Arc<Gateway>) -> Self {
        gateway.metrics.in_flight(1);
        Self(gateway)
    }
}

impl Deref for InFlight {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight(-1);
    }
}

impl Gateway {
    /// Counts a webhook that is refused before its event is known.
    fn refuse(&self, provider: &str, refusal: Refusal) -> Outcome {
        self.metrics.refused(provider, refusal);
        Outcome::Refused(refusal)
    }
}

enum ReadError {
    Gone,
    Refused(Refusal),
}

/// Reads a body of at most `limit` bytes.
async fn read(body: Body, limit: usize) -> Result<Bytes, ReadError> {
    const TOO_LARGE: ReadError = ReadError::Refused(Refusal::TooLarge);
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > limit {
        return Err(TOO_LARGE);
    }
    let whole = async {
        let mut chunks = body.into_data_stream();
        let Some(first) = chunks.next().await else {
            return Ok(Bytes::new());
        };
        let first = first.map_err(|_| ReadError::Gone)?;
        // Nearly every body comes in one piece: no copy.
        let Some(second) = chunks.next().await else {
            return if first.len() > limit { Err(TOO_LARGE) } else { Ok(first) };
        };
        let mut whole = Vec::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            whole.extend_from_slice(&chunk.map_err(|_| ReadError::Gone)?);
            if whole.len() > limit {
                return Err(TOO_LARGE);
            }
            next = chunks.next().await;
        }
        Ok(Bytes::from(whole))
    };
    tokio::time::timeout(BODY_TIMEOUT, whole)
        .await
        .unwrap_or(Err(ReadError::Refused(Refusal::SlowBody)))
}
