//! What a health endpoint says.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a service is, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeState {
    /// All is well.
    Healthy,
    /// It works, with less than it should have.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReading {
    /// How the service is: the worse of what the body and the HTTP status say.
    pub state: ProbeState,
    /// The HTTP status.
    pub status: u16,
    /// The service's name, where it says it.
    pub service: Option<Arc<str>>,
    /// Its version.
    pub version: Option<Arc<str>>,
    /// Its checks, in the order of their names, at most 100.
    pub checks: Vec<ProbeCheck>,
    /// Checks that there are besides.
    pub left_out: u64,
    /// From sending the request to the last byte.
    pub took: Duration,
}

/// One check of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeCheck {
    /// Its name.
    pub name: Arc<str>,
    /// How it is; `None`: it does not say.
    pub state: Option<ProbeState>,
    /// What else it says, `key value` with commas: a stranger's text, cut.
    pub detail: String,
}
