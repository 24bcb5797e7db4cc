//! The connection: one NATS client that is never left to reconnect in silence.
//!
//! A lost connection is an error of the current reading, so that the console says so at once;
//! the supervisor then reads again, which connects again. A server that no longer answers is
//! noticed by pings within [`SILENCE`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, ServerError};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use super::failure::{self, Failure};
use crate::base::secret::strip_url_credentials;
use crate::base::time::SharedClock;
use crate::config::{NatsAuth, NatsLink, Tls};
use crate::observe::SourceError;

/// How the server lists us.
const CLIENT_NAME: &str = "hookwatch";

/// How long one server may take to let us in.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How long all of them together may take.
pub(crate) const CONNECT: Duration = Duration::from_millis(2_500);

/// How long a server may keep us waiting before the next one is tried besides.
const STAGGER: Duration = Duration::from_millis(200);

/// Without anything from the server for this long a ping is sent; the third without an answer
/// ends the connection (the client's own rule).
const PING: Duration = Duration::from_millis(600);

/// How long a dead server can pass for a silent one.
#[cfg(test)]
pub(crate) const SILENCE: Duration = PING.saturating_mul(3);

/// Messages of subscriptions that may wait in the client; more are dropped and counted.
const SUBSCRIPTION_CAPACITY: usize = 8_192;

/// Servers that are tried at most.
const MOST_SERVERS: usize = 16;

/// Subjects remembered as denied at most.
const MOST_DENIED: usize = 1_024;

/// What the connection says besides answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Why it is gone.
    pub(crate) lost: Option<Arc<str>>,
    /// The last error that the server sent: it explains why it then hung up.
    last_error: Option<String>,
    /// Subjects that we may not publish to, and when we were told.
    pub(crate) denied: BTreeMap<String, Duration>,
    /// Subjects that we may not subscribe to.
    pub(crate) unheard: BTreeSet<String>,
}

/// [`State`] as it changes.
#[derive(Debug)]
pub(crate) struct Signals {
    state: watch::Sender<State>,
    /// Messages that a subscription lost because we read too slowly.
    pub(crate) overflow: AtomicU64,
    clock: SharedClock,
}

impl Signals {
    fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(State::default()),
            overflow: AtomicU64::new(0),
            clock,
        })
    }

    /// A view of the state, and of its changes.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Forgets that `subject` was denied, so that it can be tried again.
    pub(crate) fn forget(&self, subject: &str) {
        self.state
            .send_if_modified(|state| state.denied.remove(subject).is_some());
    }

    fn note(&self, event: Event) {
        match event {
            Event::Disconnected | Event::Closed => self.state.send_modify(|state| {
                if state.lost.is_none() {
                    let reason = state.last_error.take();
                    state.lost =
                        Some(reason.map_or_else(|| "the server closed it or stopped answering".into(), Arc::from));
                }
            }),
            Event::ServerError(ServerError::Other(text)) => self.note_error(text),
            Event::ServerError(error) => self.note_error(failure::plain(&error)),
            Event::SlowConsumer(_) => {
                self.overflow.fetch_add(1, Ordering::Relaxed);
            }
            Event::Connected | Event::LameDuckMode | Event::Draining | Event::ClientError(_) => {}
        }
    }

    fn note_error(&self, text: String) {
        let lower = text.to_ascii_lowercase();
        let quoted = text.split('"').nth(1).map(str::to_owned);
        let now = self.clock.now().mono;
        self.state.send_modify(|state| match quoted {
            Some(subject) if lower.starts_with("permissions violation for subscription") => {
                if state.unheard.len() < MOST_DENIED {
                    state.unheard.insert(subject);
                }
            }
            Some(subject) if lower.starts_with("permissions violation") => {
                if state.denied.len() < MOST_DENIED {
                    state.denied.insert(subject, now);
                }
            }
            _ => state.last_error = Some(text),
        });
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Link {
    /// The client.
    pub(crate) client: Client,
    /// What it says besides answers.
    pub(crate) signals: Arc<Signals>,
    /// The server's URL, as configured or as its cluster told it.
    pub(crate) server: String,
}

/// Connects to the first server of `to` that lets us in; `peers` are `host:port` of servers
/// that the cluster told us of earlier, tried when the configured ones fail.
///
/// # Errors
/// The gravest failure, with every server's reason where they differ.
pub(crate) async fn connect(to: &NatsLink, peers: &[String], clock: &SharedClock) -> Result<Link, SourceError> {
    connect_with(to, peers, clock, false).await
}

/// The same, for a connection that is never made again once it is lost: whatever the client still
/// holds to be sent stays unsent. Its task sleeps until the runtime ends.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn connect_once(to: &NatsLink, peers: &[String], clock: &SharedClock) -> Result<Link, SourceError> {
    connect_with(to, peers, clock, true).await
}

async fn connect_with(to: &NatsLink, peers: &[String], clock: &SharedClock, once: bool) -> Result<Link, SourceError> {
    if to.servers.is_empty() {
        return Err(SourceError::new("connect to", "NATS", "no server is configured").next("give its URL"));
    }
    check_files(&to.tls).await?;
    let options = options(to)?;
    let mut waiting = servers(to, peers)?.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failures: Vec<(String, Failure)> = Vec::new();
    let race = async {
        loop {
            if let Some((url, address)) = waiting.next() {
                let mut options = options.clone();
                if once {
                    options = never_again(options);
                }
                attempts.push(attempt(options, to, url, address, clock));
            }
            tokio::select! {
                Some(outcome) = attempts.next() => match outcome {
                    Ok(link) => return Some(link),
                    Err(failed) => {
                        failures.push(failed);
                        if attempts.is_empty() && waiting.len() == 0 {
                            return None;
                        }
                    }
                },
                () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {}
            }
        }
    };
    let outcome = tokio::time::timeout(CONNECT, race).await;
    match outcome {
        Ok(Some(link)) => Ok(link),
        Ok(None) | Err(_) => Err(failure::report(&to.servers, failures, CONNECT)),
    }
}

async fn attempt(
    options: ConnectOptions,
    to: &NatsLink,
    url: String,
    address: ServerAddr,
    clock: &SharedClock,
) -> Result<Link, (String, Failure)> {
    let signals = Signals::new(clock.clone());
    let heard = signals.clone();
    let options = options.event_callback(move |event| {
        let heard = heard.clone();
        async move { heard.note(event) }
    });
    match tokio::time::timeout(ATTEMPT, options.connect(address)).await {
        Ok(Ok(client)) => Ok(Link {
            client,
            signals,
            server: url,
        }),
        Ok(Err(error)) => {
            let failure = failure::explain(&error, to, &url);
            Err((url, failure))
        }
        Err(_) => Err((url, failure::timed_out(ATTEMPT))),
    }
}

fn servers(to: &NatsLink, peers: &[String]) -> Result<Vec<(String, ServerAddr)>, SourceError> {
    let mut found: Vec<(String, ServerAddr)> = Vec::new();
    for url in &to.servers {
        let shown = strip_url_credentials(url).into_owned();
        let invalid = |reason: &str| {
            SourceError::new("connect to", shown.clone(), reason)
                .next("write it as nats://host:4222 or tls://host:4222")
        };
        let address: ServerAddr = url
            .parse()
            .map_err(|error: std::io::Error| invalid(&error.to_string()))?;
        if address.is_websocket() {
            return Err(invalid("WebSocket connections are not supported"));
        }
        found.push((shown, address));
    }
    let scheme = found.first().map_or(
        "nats",
        |(_, address)| if address.tls_required() { "tls" } else { "nats" },
    );
    for peer in peers {
        let url = format!("{scheme}://{peer}");
        if let Ok(address) = url.parse::<ServerAddr>()
            && !found
                .iter()
                .any(|(_, known)| known.host() == address.host() && known.port() == address.port())
        {
            found.push((url, address));
        }
    }
    found.truncate(MOST_SERVERS);
    Ok(found)
}

fn options(to: &NatsLink) -> Result<ConnectOptions, SourceError> {
    let mut options = login(ConnectOptions::new(), &to.auth)?
        .name(CLIENT_NAME)
        .connection_timeout(ATTEMPT)
        .ping_interval(PING)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        // Each server is an attempt of our own, and a lost connection is replaced by us. One is
        // the least that the client takes: after a loss it tries once more, finds that nobody
        // holds it any longer, and ends.
        .ignore_discovered_servers()
        .max_reconnects(1);
    if let Some(prefix) = &to.inbox_prefix {
        options = options.custom_inbox_prefix(prefix.trim_end_matches(['.', '>']));
    }
    if let Some(ca) = &to.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&to.tls.cert, &to.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    // Who names certificates does not want to log in over plain text.
    if to.tls.ca.is_some() || to.tls.cert.is_some() {
        options = options.require_tls(true);
    }
    if to.tls_first {
        options = options.tls_first();
    }
    Ok(options)
}

/// The first connection is made as usual, a second one never.
fn never_again(options: ConnectOptions) -> ConnectOptions {
    let used = Arc::new(AtomicBool::new(false));
    options.reconnect_to_server_callback(move |_, _| {
        let used = used.swap(true, Ordering::Relaxed);
        async move {
            if used {
                std::future::pending::<()>().await;
            }
            None
        }
    })
}

/// Precedence as in the NATS CLI: user, credentials, nkey, JWT; a token applies besides.
fn login(mut options: ConnectOptions, auth: &NatsAuth) -> Result<ConnectOptions, SourceError> {
    if let Some(token) = &auth.token {
        options = options.token(token.expose_secret().to_owned());
    }
    if let Some((user, password)) = &auth.user {
        return Ok(options.user_and_password(user.clone(), password.expose_secret().to_owned()));
    }
    let garbled = |what: &'static str, next: &'static str| {
        move |_: std::io::Error| SourceError::new("log in with", what, "they cannot be parsed").next(next)
    };
    if let Some(credentials) = &auth.credentials {
        return options
            .credentials(&ended(credentials.expose_secret()))
            .map_err(garbled(
                "the credentials file",
                "it must hold a user JWT and an nkey seed, as `nsc generate creds` writes them",
            ));
    }
    if let Some(seed) = &auth.nkey {
        return Ok(options.nkey(seed.expose_secret().trim().to_owned()));
    }
    if let Some((jwt, seed)) = &auth.jwt {
        let credentials = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt.expose_secret().trim(),
            seed.expose_secret().trim(),
        );
        return options
            .credentials(&credentials)
            .map_err(garbled("the user JWT and its seed", "check user_jwt and user_seed"));
    }
    Ok(options)
}

/// The client wants a line break after the last line.
fn ended(credentials: &str) -> String {
    format!("{}\n", credentials.trim_end())
}

/// Reads the certificates before the client does: its own errors name no file.
async fn check_files(tls: &Tls) -> Result<(), SourceError> {
    let failed = |what: &str, path: &std::path::Path, reason: &str| {
        SourceError::new("read", format!("the {what} {}", path.display()), reason)
            .next("check the path, its rights, and that it is PEM")
    };
    for (what, path, is_key) in [
        ("CA certificate", &tls.ca, false),
        ("client certificate", &tls.cert, false),
        ("client key", &tls.key, true),
    ] {
        let Some(path) = path else { continue };
        let bytes = tokio::fs::read(path)
            .await
            .map_err(|error| failed(what, path, &failure::io_reason(&error)))?;
        let readable = if is_key {
            PrivateKeyDer::from_pem_slice(&bytes).is_ok()
        } else {
            CertificateDer::pem_slice_iter(&bytes)
                .next()
                .is_some_and(|first| first.is_ok())
        };
        if !readable {
            return Err(failed(
                what,
                path,
                if is_key {
                    "it holds no private key"
                } else {
                    "it holds no certificate"
                },
            ));
        }
    }
    match (&tls.cert, &tls.key) {
        (Some(cert), None) => Err(failed("client certificate", cert, "its key is not configured")),
        (None, Some(key)) => Err(failed("client key", key, "its certificate is not configured")),
        _ => Ok(()),
    }
}
