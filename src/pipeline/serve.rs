//! The programs as processes: settings from the environment, stopped by a signal.

use std::io::Write as _;
use std::net::SocketAddr;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Error, gateway, worker};
use crate::base::time::SystemClock;
use crate::config::Environment;

/// Runs a gateway until SIGTERM or SIGINT. Prints `{"ready":"gateway","name":…,"listen":…}` on
/// standard output once it listens.
///
/// # Errors
/// When a setting cannot be used, or it cannot listen.
pub async fn serve_gateway(environment: &Environment) -> Result<(), Error> {
    let config = gateway::Config::from_env(environment)?;
    let stop = stop_on_signal()?;
    let name = config.name.clone();
    let (ready, address) = oneshot::channel();
    let (ran, ()) = tokio::join!(
        gateway::run(config, SystemClock::shared(), stop, ready),
        announce("gateway", &name, address)
    );
    ran
}

/// Runs a worker until SIGTERM or SIGINT; it finishes what it holds. Prints
/// `{"ready":"worker","name":…,"listen":…}` on standard output once its pages are served.
///
/// # Errors
/// When a setting cannot be used, or it cannot listen.
pub async fn serve_worker(environment: &Environment) -> Result<(), Error> {
    let config = worker::Config::from_env(environment)?;
    let stop = stop_on_signal()?;
    let name = config.name.clone();
    let (ready, address) = oneshot::channel();
    let (ran, ()) = tokio::join!(
        worker::run(config, SystemClock::shared(), stop, ready),
        announce("worker", &name, address)
    );
    ran
}

/// A token that is cancelled by SIGTERM or SIGINT.
fn stop_on_signal() -> Result<CancellationToken, Error> {
    let handler = |kind| signal(kind).map_err(Error::Signal);
    let mut signals: [Signal; 2] = [handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?];
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let [terminate, interrupt] = &mut signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}

async fn announce(role: &str, name: &str, address: oneshot::Receiver<SocketAddr>) {
    if let Ok(address) = address.await {
        let line = json!({"ready": role, "name": name, "listen": address.to_string()});
        // Whoever started us may have gone: that is no reason to stop working.
        if let Err(error) = writeln!(std::io::stdout(), "{line}") {
            tracing::debug!(%error, "announce");
        }
    }
}
