//! What the screen shows, so that sources read just that.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A consumer of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsumerKey {
    /// The stream.
    pub stream: Arc<str>,
    /// The consumer.
    pub consumer: Arc<str>,
}

/// How much of a stream is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// What the profile names (its stream, consumer and DLQ), or everything on a small server.
    #[default]
    Profile,
    /// These consumers besides.
    Rows(BTreeSet<ConsumerKey>),
}

/// What is on screen. The latest declaration wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// Streams and consumers whose INFO is wanted every second.
    pub queues: Scope,
    /// A stream whose counts per subject are wanted.
    pub subjects: Option<Arc<str>>,
}
