//! Who took a sample, and how the taker itself is doing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of system a source reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// NATS JetStream.
    Jetstream,
    /// A metrics endpoint.
    Metrics,
    /// Postgres.
    Postgres,
    /// An HTTP health endpoint.
    Probe,
}

impl SourceKind {
    /// The kind's name in the JSON contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jetstream => "jetstream",
            Self::Metrics => "metrics",
            Self::Postgres => "postgres",
            Self::Probe => "probe",
        }
    }
}

/// One source of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId {
    /// What it reads.
    pub kind: SourceKind,
    /// Its name: `nats`, `postgres`, or the target's name (`gateway`, `w-1`, `127.0.0.1:9100`).
    pub name: Arc<str>,
}

impl SourceId {
    /// A source's id.
    #[must_use]
    pub fn new(kind: SourceKind, name: &str) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

/// The state of a source as its supervisor sees it. `stale` is not here: that is what the
/// model concludes when nothing arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Not connected yet, no error so far.
    Connecting,
    /// The last reading succeeded.
    Ok,
    /// The last reading failed.
    Failing,
    /// Not configured or not available, and not retried.
    Off,
}

/// What a supervisor says of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its state.
    pub state: SourceState,
    /// Round-trip time of the last reading.
    pub latency: Option<Duration>,
    /// Why it fails: the operation, the thing, the reason and the next step, on one line,
    /// without secrets.
    pub error: Option<String>,
    /// When it will be tried again, after a failure.
    pub retry_in: Option<Duration>,
    /// How often it is read while it works; a reading older than three of these is stale.
    pub period: Duration,
}
