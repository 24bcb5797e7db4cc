//! The connection to NATS: it never gives up, and it knows whether it stands.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use super::settings::ConfigError;
use crate::base::secret::strip_url_credentials;
use crate::base::text;

/// A server that answers no PING for two of these is taken for gone.
const PING: Duration = Duration::from_secs(2);

/// Longest wait between attempts to connect: recovery is to be seen within 3 s.
const RETRY: Duration = Duration::from_millis(500);

/// What is read at once, bytes. The allocator tidies its whole heap whenever a block of 64 KiB,
/// the client's own size, is given back.
const READ_BUFFER: u16 = 16_384;

/// How long a lookup or a creation may take.
const API_TIMEOUT: Duration = Duration::from_secs(3);

/// Publishes without a `PubAck` at most. Further ones are refused at once, which a sender can
/// retry; waiting for room would only fill memory.
const UNCONFIRMED: usize = 32_768;

/// One connection, and JetStream over it.
#[derive(Clone, Debug)]
pub(super) struct Bus {
    client: Client,
    /// For lookups: short timeouts.
    api: jetstream::Context,
    /// For publishes: the caller decides how long it waits.
    publish: jetstream::Context,
    link: watch::Receiver<Link>,
}

/// Whether the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// How often it has been made.
    pub(super) connects: u64,
    /// Whether it stands.
    pub(super) up: bool,
}

impl Bus {
    /// Begins to connect and returns at once. `patience` bounds the wait for a `PubAck`.
    pub(super) async fn open(urls: &SecretString, name: &str, patience: Duration) -> Result<Self, ConfigError> {
        let (sender, link) = watch::channel(Link::default());
        let told = Mutex::new(String::new());
        let servers: Vec<&str> = urls.expose_secret().split(',').map(str::trim).collect();
        let client = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connection_timeout(Duration::from_secs(2))
            .ping_interval(PING)
            .read_buffer_capacity(READ_BUFFER)
            .reconnect_delay_callback(|attempt| RETRY.min(Duration::from_millis(20 * attempt.min(100) as u64)))
            .event_callback(move |event| {
                match event {
                    Event::Connected => sender.send_modify(|link| {
                        link.connects += 1;
                        link.up = true;
                    }),
                    Event::Disconnected | Event::Closed => sender.send_modify(|link| link.up = false),
                    Event::ServerError(error) => tracing::warn!(%error, "NATS server error"),
                    // The client tries again and again: what it says anew is worth a line.
                    Event::ClientError(error) => {
                        let said = text::safe(&strip_url_credentials(&error.to_string())).into_owned();
                        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                        if *told != said {
                            tracing::warn!(error = said, "NATS client error");
                            *told = said;
                        }
                    }
                    _ => {}
                }
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(|error| ConfigError::new("NATS_URL", error.to_string()))?;
        Ok(Self {
            api: ContextBuilder::new().timeout(API_TIMEOUT).build(client.clone()),
            publish: ContextBuilder::new()
                .timeout(patience)
                .ack_timeout(patience)
                .max_ack_inflight(UNCONFIRMED)
                .backpressure_on_inflight(false)
                .build(client.clone()),
            client,
            link,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn api(&self) -> &jetstream::Context {
        &self.api
    }

    pub(super) fn publisher(&self) -> &jetstream::Context {
        &self.publish
    }

    /// Whether a publish would be sent now instead of waiting in the client for a reconnect.
    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The connection as it is.
    pub(super) fn link_now(&self) -> Link {
        *self.link.borrow()
    }

    /// The connection's ups and downs. What has been is not reported again.
    pub(super) fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }
}

/// Waits until the connection stands. Returns false when it never will again.
pub(super) async fn up(link: &mut watch::Receiver<Link>) -> bool {
    link.wait_for(|link| link.up).await.is_ok()
}

/// Waits until the connection that stood at `since` is gone: it fell, or another took its place.
pub(super) async fn lost(link: &mut watch::Receiver<Link>, since: Link) {
    let gone = link.wait_for(|link| !link.up || link.connects != since.connects).await;
    drop(gone);
}
