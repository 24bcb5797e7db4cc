//! What came of a canary: a test webhook that is fired again and again and followed to its row.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReading {
    /// Its name: the template that it fires.
    pub name: Arc<str>,
    /// Whether it came to its end in time and everything was as expected.
    pub passed: bool,
    /// Why it did not, in one sentence without secrets.
    pub reason: Option<String>,
    /// From the sending to the end of its way; `None`: it did not get there.
    pub total: Option<Duration>,
}
