//! Plain data: what a source saw, raw (counters, not rates), as it travels from the sources
//! through the recorder into the model. Knows no client crate, no clock and no screen.

mod canary;
mod connections;
mod database;
mod interest;
mod jetstream;
mod letter;
mod outbound;
mod probe;
mod scrape;
mod source;

pub use canary::CanaryReading;
pub use connections::{Connection, ConnectionsReading};
pub use database::{
    Blocked, CounterReading, DatabaseReading, Heartbeat, HeartbeatReading, Panel, PanelReading, ProviderCounters,
};
pub use interest::{ConsumerKey, Interest, Scope};
pub use jetstream::{
    AccountReading, Advisory, AdvisoryKind, ClusterReading, ConsumerConfig, ConsumerReading, Discard, InventoryReading,
    OldestReading, PeerReading, QueueReading, Retention, SequencePair, ServerReading, StreamConfig, StreamReading,
    StreamState, SubjectsReading,
};
pub use letter::{FailedCall, Letter, LetterForm, LetterKey, LetterOrigin, Stored};
pub use outbound::{
    CallCount, KnownWebhook, OutboundReading, OutboundRows, SendFailure, Sent, SentLatency, WorkerStats,
};
pub use probe::{ProbeCheck, ProbeReading, ProbeState};
pub use scrape::{Layout, Scrape, SeriesId, SeriesKind};
pub use source::{SourceId, SourceKind, SourceReport, SourceState};

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::{Moment, Timestamp};

/// One sample on its way, with where and when it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The profile whose source took it.
    pub profile: Arc<str>,
    /// The source that took it.
    pub source: SourceId,
    /// Counts the envelopes of this source from 0, so that a gap is seen.
    pub seq: u64,
    /// Wall-clock time at which the sample was complete.
    pub at: Timestamp,
    /// Time since session start at which the sample was complete. Use it for every Δt that
    /// the server's own `ts` does not give.
    pub mono: Duration,
    /// What was seen.
    pub sample: Sample,
}

impl Envelope {
    /// When it was taken, on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment {
            at: self.at,
            mono: self.mono,
        }
    }
}

/// What a source saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// The source itself changed state, or still is in it (sent at every change and at least
    /// once per period, so that age can be shown).
    Report(SourceReport),
    /// A metrics page.
    Scrape(Scrape),
    /// The NATS server that we are connected to, and the account's limits.
    Server(Box<ServerReading>),
    /// A stream, its watched consumers, and the stream again, read in this order.
    Queue(Box<QueueReading>),
    /// A slow sweep over everything the account has.
    Inventory(InventoryReading),
    /// The oldest waiting and the oldest held message of a consumer.
    Oldest(OldestReading),
    /// Messages per subject of a stream.
    Subjects(SubjectsReading),
    /// An advisory of the server.
    Advisory(Advisory),
    /// The counters that the pipeline keeps in Postgres.
    Counters(CounterReading),
    /// The workers' heartbeats in Postgres.
    Heartbeats(HeartbeatReading),
    /// The health of the Postgres server.
    Database(Box<DatabaseReading>),
    /// Whether a group of relations could be read.
    Panel(PanelReading),
    /// A relation about the webhooks that the pipeline sends.
    Outbound(Box<OutboundReading>),
    /// Who is connected to NATS.
    Connections(ConnectionsReading),
    /// A health endpoint's answer.
    Probe(Box<ProbeReading>),
    /// A canary's run.
    Canary(CanaryReading),
}
