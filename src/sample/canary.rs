//! What a canary found: a test webhook that is sent again and again and followed through.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReading {
    /// Its name: the template and the target's name.
    pub name: Arc<str>,
    /// Whether it arrived everywhere in time.
    pub passed: bool,
    /// Why not. May hold a stranger's text.
    pub reason: Option<String>,
    /// From its first byte to its last trace.
    pub total: Option<Duration>,
}
