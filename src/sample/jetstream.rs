//! What JetStream answers, reduced to what is used, with absent told apart from 0.
//!
//! Durations of configuration are `Duration`; limits are `None` when unlimited (the server
//! says -1 or 18446744073709551615); times are `None` when the server says year 1.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// The server that answers us, and the account's JetStream limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReading {
    /// The server's id: changes at every restart.
    pub server_id: String,
    /// Its name.
    pub name: String,
    /// Its version, for display only: features are detected by a field's presence.
    pub version: String,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// Round-trip time of the smallest request (`$JS.API.INFO`; where that is not allowed, of
    /// the quickest answer of the cycle).
    pub rtt: Duration,
    /// The server's clock minus ours, where the server tells its time.
    pub skew_s: Option<f64>,
    /// The account, where JetStream answers.
    pub account: Option<AccountReading>,
    /// API requests that we ourselves have sent since session start.
    pub our_requests: u64,
}

/// `$JS.API.INFO`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReading {
    /// Bytes in memory streams.
    pub memory: u64,
    /// Bytes in file streams.
    pub storage: u64,
    /// Streams.
    pub streams: u64,
    /// Consumers.
    pub consumers: u64,
    /// Limit of `memory`, bytes.
    pub max_memory: Option<u64>,
    /// Limit of `storage`, bytes.
    pub max_storage: Option<u64>,
    /// API requests that the account has made, and how many failed.
    pub api_total: u64,
    /// API errors of the account.
    pub api_errors: u64,
}

/// When messages leave a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// At a limit.
    #[default]
    Limits,
    /// When every consumer acked.
    Interest,
    /// When the consumer acked.
    Workqueue,
}

/// What happens at a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// The oldest message is evicted, silently.
    #[default]
    Old,
    /// The new message is refused.
    New,
}

/// A stream's configuration.
#[expect(clippy::struct_excessive_bools, reason = "the server's own flags")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamConfig {
    /// Subjects that the stream takes.
    pub subjects: Vec<String>,
    /// When messages leave it.
    pub retention: Retention,
    /// What happens at a limit.
    pub discard: Discard,
    /// Whether `discard: new` also holds for `max_msgs_per_subject`.
    pub discard_new_per_subject: bool,
    /// `file` or `memory`.
    pub storage: String,
    /// Limit of messages.
    pub max_msgs: Option<u64>,
    /// Limit of bytes.
    pub max_bytes: Option<u64>,
    /// Limit of age.
    pub max_age: Option<Duration>,
    /// Limit of messages per subject.
    pub max_msgs_per_subject: Option<u64>,
    /// Limit of a message's bytes.
    pub max_msg_size: Option<u64>,
    /// The deduplication window.
    pub duplicate_window: Duration,
    /// Replicas; 0 is what some servers answer for 1.
    pub replicas: u32,
    /// Whether direct gets are allowed.
    pub allow_direct: bool,
    /// Whether deletes are refused.
    pub deny_delete: bool,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Whether it mirrors another stream.
    pub mirror: Option<String>,
    /// Metadata (2.10+).
    pub metadata: BTreeMap<String, String>,
}

/// A stream's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// Messages stored.
    pub messages: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// First sequence; greater than `last_seq` when the stream is empty.
    pub first_seq: u64,
    /// When the first message was stored.
    pub first_ts: Option<Timestamp>,
    /// Last sequence.
    pub last_seq: u64,
    /// When the last message was stored.
    pub last_ts: Option<Timestamp>,
    /// Different subjects.
    pub num_subjects: Option<u64>,
    /// Interior deletes.
    pub num_deleted: Option<u64>,
    /// Consumers.
    pub consumer_count: u64,
}

/// Who leads, and who follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterReading {
    /// The cluster's name.
    pub name: Option<String>,
    /// The leader's name; `None` while there is none.
    pub leader: Option<String>,
    /// The followers.
    pub replicas: Vec<PeerReading>,
}

/// A follower.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerReading {
    /// Its name.
    pub name: String,
    /// Whether it is up to date.
    pub current: bool,
    /// Whether the leader calls it offline.
    pub offline: bool,
    /// How long ago it was heard of.
    pub active: Duration,
    /// Operations that it is behind.
    pub lag: u64,
}

/// One `STREAM.INFO`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReading {
    /// The stream's name.
    pub name: Arc<str>,
    /// When it was created: part of its identity.
    pub created: Option<Timestamp>,
    /// The server's time of this answer (2.10+).
    pub ts: Option<Timestamp>,
    /// Time since session start at which the answer was in.
    pub mono: Duration,
    /// From request to answer.
    pub took: Duration,
    /// Its configuration.
    pub config: Arc<StreamConfig>,
    /// Its state.
    pub state: StreamState,
    /// Its cluster, where it has one.
    pub cluster: Option<ClusterReading>,
}

/// A consumer's and the stream's sequence, moving together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencePair {
    /// Deliveries, retries included.
    pub consumer_seq: u64,
    /// The stream sequence.
    pub stream_seq: u64,
    /// When it last moved (2.9+).
    pub last_active: Option<Timestamp>,
}

/// A consumer's configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsumerConfig {
    /// Whether it outlives its clients.
    pub durable: bool,
    /// Whether it is a push consumer.
    pub push: bool,
    /// `explicit`, `all` or `none`.
    pub ack_policy: String,
    /// How long a delivery may stay unacked.
    pub ack_wait: Duration,
    /// Deliveries after which a message is parked; `None`: unlimited.
    pub max_deliver: Option<u64>,
    /// Unacked deliveries after which delivery stops; `None`: unlimited.
    pub max_ack_pending: Option<u64>,
    /// Waiting pulls that it takes.
    pub max_waiting: Option<u64>,
    /// What it takes; empty: everything.
    pub filter_subjects: Vec<String>,
    /// `all`, `last`, `new`, …
    pub deliver_policy: String,
    /// Waits between retries.
    pub backoff: Vec<Duration>,
    /// Paused until (2.11+).
    pub pause_until: Option<Timestamp>,
    /// Metadata (2.10+).
    pub metadata: BTreeMap<String, String>,
}

/// One `CONSUMER.INFO`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerReading {
    /// Its stream.
    pub stream: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// When it was created: with its name, its identity.
    pub created: Option<Timestamp>,
    /// The server's time of this answer (2.10+).
    pub ts: Option<Timestamp>,
    /// Time since session start at which the answer was in.
    pub mono: Duration,
    /// From request to answer.
    pub took: Duration,
    /// Its configuration.
    pub config: Arc<ConsumerConfig>,
    /// The last delivery.
    pub delivered: SequencePair,
    /// All before it are acked.
    pub ack_floor: SequencePair,
    /// Messages that match and were not delivered yet.
    pub num_pending: u64,
    /// Delivered and not acked; delayed naks included.
    pub num_ack_pending: u64,
    /// A gauge: messages delivered more than once and not acked; parked ones stay in it.
    pub num_redelivered: u64,
    /// Pull requests that wait for messages.
    pub num_waiting: u64,
    /// Whether it is paused (2.11+).
    pub paused: Option<bool>,
    /// Its cluster, where it has one.
    pub cluster: Option<ClusterReading>,
}

/// One cycle over a stream: the stream (S1), its watched consumers (B), the stream again (S2),
/// so that the model can bound what happened in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueReading {
    /// The stream, read first.
    pub before: StreamReading,
    /// The consumers that were read, in the order of their names.
    pub consumers: Vec<ConsumerReading>,
    /// The stream, read last.
    pub after: StreamReading,
    /// Consumers that the stream has; more than `consumers.len()` when some were not read.
    pub consumers_total: u64,
    /// Configured or formerly seen consumers that the server does not know any more.
    pub missing: Vec<String>,
}

/// A slow sweep: everything the account has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InventoryReading {
    /// Every stream, sorted by name.
    pub streams: Vec<StreamReading>,
    /// Every consumer that was listed, sorted by stream and name.
    pub consumers: Vec<ConsumerReading>,
    /// Streams that the cluster could not answer for.
    pub missing: Vec<String>,
    /// Streams whose servers are offline (2.12+).
    pub offline: Vec<String>,
    /// From the first request to the last answer.
    pub took: Duration,
}

/// The oldest messages of a consumer. `None` where there is none, or it could not be found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OldestReading {
    /// The stream.
    pub stream: Arc<str>,
    /// The consumer.
    pub consumer: Arc<str>,
    /// When the oldest message that was never delivered was stored.
    pub waiting: Option<Timestamp>,
    /// When the oldest message that was delivered and not acked was stored: in flight or parked.
    pub held: Option<Timestamp>,
    /// The server's time of the answer, else our wall clock.
    pub asked_at: Timestamp,
}

/// Messages per subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectsReading {
    /// The stream.
    pub stream: Arc<str>,
    /// Subject and count, largest first.
    pub counts: Vec<(Arc<str>, u64)>,
    /// Subjects left out beyond the limit, and their messages.
    pub left_out: (u64, u64),
}

/// What an advisory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvisoryKind {
    /// A message reached its last delivery. No proof of death: it may still be acked.
    MaxDeliveries,
    /// A worker terminated a message.
    Terminated,
    /// A worker refused a message for now.
    Naked,
    /// A stream or consumer elected a leader.
    LeaderElected,
    /// A stream or consumer lost its quorum.
    QuorumLost,
    /// The API refuses requests.
    ApiLimitReached,
}

/// An advisory, parsed leniently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// What it is about.
    pub kind: AdvisoryKind,
    /// Its stream.
    pub stream: Option<Arc<str>>,
    /// Its consumer.
    pub consumer: Option<Arc<str>>,
    /// The message's stream sequence.
    pub stream_seq: Option<u64>,
    /// How often it was delivered.
    pub deliveries: Option<u64>,
    /// Reason given, or the new leader's name. A stranger's text.
    pub reason: Option<String>,
    /// How many alike it stands for, at least 1: in a storm only the first are passed on one
    /// by one, the rest of the same kind, stream and consumer arrive as one of these, then
    /// without a sequence.
    #[serde(default = "one")]
    pub count: u64,
}

fn one() -> u64 {
    1
}
