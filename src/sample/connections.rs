//! Who is connected to NATS, from the server's monitoring port.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// The connections of a server (`/connz`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionsReading {
    /// Connections that say who they are: open ones, and those that have ended lately.
    pub connections: Vec<Connection>,
    /// Open connections without a name: whose they are is not known.
    pub unnamed: u64,
    /// Connections that there are besides: only so many are read.
    pub left_out: u64,
    /// The server's own time.
    pub now: Option<Timestamp>,
    /// From sending the request to the last byte.
    pub took: Duration,
}

/// A connection. Addresses, users and tokens are not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// What the client calls itself: a stranger's text, cut.
    pub name: Arc<str>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When something last came or went.
    pub last_activity: Option<Timestamp>,
    /// When it ended; `None`: it is open.
    pub ended: Option<Timestamp>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Bytes that wait to be sent to it.
    pub pending_bytes: u64,
    /// Its subscriptions.
    pub subscriptions: u64,
}
