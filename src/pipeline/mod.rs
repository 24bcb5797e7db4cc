//! The reference pipeline, built for real: gateway, JetStream, workers, Postgres.
//!
//! ```text
//! provider ─HTTP─▶ gateway ─publish, PubAck─▶ stream `webhooks` ─pull─▶ workers ─batch─▶ Postgres
//!                                                                         └─after 3 attempts─▶ `webhooks_dlq`
//! ```
//!
//! # The ledger
//! At rest, exactly, while no process was killed between its work and its next scrape and no connection broke between
//! a publish and its `PubAck` (then nobody knows whether the stream has it: it counts as unconfirmed):
//!
//! - received = refused + unconfirmed + queued (each webhook that arrived has one outcome),
//! - queued = growth of the stream's `last_seq` + duplicates (each `PubAck` counts, late ones too),
//! - acked = processed with success + copies in the dead letter stream,
//! - processed with success = rows written + skips, as Postgres counts them,
//! - rows + skips + dead letters + waiting = growth of `last_seq`, whatever was killed: what Postgres counts is keyed by
//!   the message (its stream's creation and its sequence), so a redelivery is never counted again.

pub mod breaker;
mod bus;
pub mod dead_letter;
pub mod envelope;
pub mod gateway;
mod metrics;
pub mod provider;
mod serve;
mod settings;
mod status;
pub mod store;
#[cfg(test)]
mod tests;
pub mod topology;
pub mod worker;

use std::net::SocketAddr;

pub use serve::{serve_gateway, serve_worker};
pub use settings::ConfigError;

/// Why a program of the pipeline could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}: set WEBHOOK_LISTEN to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The process cannot be told to stop.
    #[error("handle SIGTERM and SIGINT: {0}")]
    Signal(std::io::Error),
    /// A stage of a worker ended early.
    #[error("a stage of the worker ended early: {0}")]
    Stage(tokio::task::JoinError),
}

impl Error {
    fn listen(address: SocketAddr, source: std::io::Error) -> Self {
        Self::Listen { address, source }
    }
}
