//! The fields of a scenario file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::Error as _;

use crate::pipeline::topology::Topology;

/// What a lab is made of, what happens to it and when, and which verdicts must say so.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: that of its file.
    pub name: String,
    /// What it shows, in one sentence.
    pub summary: String,
    /// Seed of every random choice: the same seed sends the same webhooks.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long it lasts, from the moment the lab is up.
    #[serde(rename = "for", deserialize_with = "duration")]
    pub lasts: Duration,
    /// Whether it begins again when it is over.
    #[serde(default)]
    pub repeat: bool,
    /// Servers of NATS: more than one are a cluster, and the streams have as many replicas.
    #[serde(default = "one_part")]
    pub servers: usize,
    /// Gateways.
    #[serde(default = "one_part")]
    pub gateways: usize,
    /// Workers.
    #[serde(default = "one_part")]
    pub workers: usize,
    /// Environment variables of every gateway.
    #[serde(default)]
    pub gateway: BTreeMap<String, String>,
    /// Environment variables of every worker.
    #[serde(default)]
    pub worker: BTreeMap<String, String>,
    /// Where the streams and the consumer differ from the reference.
    #[serde(default)]
    pub topology: TopologyChange,
    /// What is sent, in order of time; the first phase is at 0.
    #[serde(default)]
    pub load: Vec<Phase>,
    /// What goes wrong, in order of time.
    #[serde(default)]
    pub fault: Vec<Fault>,
    /// When what goes wrong begins.
    #[serde(default, deserialize_with = "some_instant")]
    pub fault_at: Option<Duration>,
    /// How long after `fault_at` there is evidence for `expect`: a stream has to fill first.
    #[serde(default, deserialize_with = "instant")]
    pub evidence: Duration,
    /// Within this time after the last fault was undone, what `expect` names must be over.
    #[serde(default, deserialize_with = "some_duration")]
    pub clear: Option<Duration>,
    /// Ids of verdicts that must appear within 10 s of the evidence.
    #[serde(default)]
    pub expect: Vec<String>,
    /// Ids of verdicts that may appear.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// Where the streams and the consumer differ from the reference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopologyChange {
    /// Webhooks waiting on one subject at most.
    pub max_msgs_per_subject: Option<i64>,
    /// Bytes of the stream at most.
    pub max_bytes: Option<i64>,
    /// Age after which a waiting webhook is dropped.
    #[serde(default, deserialize_with = "some_duration")]
    pub max_age: Option<Duration>,
    /// For how long a message id is remembered.
    #[serde(default, deserialize_with = "some_duration")]
    pub duplicate_window: Option<Duration>,
    /// Time after which an unacked message is delivered again.
    #[serde(default, deserialize_with = "some_duration")]
    pub ack_wait: Option<Duration>,
    /// Deliveries after which the server gives up.
    pub max_deliver: Option<i64>,
    /// Messages in flight at most.
    pub max_ack_pending: Option<i64>,
    /// What the consumer takes, where it does not take everything.
    pub filter_subject: Option<String>,
}

/// A change of the load. What a phase does not name stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// When it begins.
    #[serde(default, deserialize_with = "instant")]
    pub at: Duration,
    /// Webhooks a second, all providers and gateways together.
    pub rate: Option<f64>,
    /// Providers (`telnyx`, all its templates) or templates (`telnyx.message.sent`) and their
    /// weights.
    pub providers: Option<BTreeMap<String, f64>>,
    /// Share of webhooks (0 to 1) that no worker can process.
    pub poison: Option<f64>,
    /// Why it can't: the causes, all alike often.
    pub causes: Option<Vec<String>>,
    /// Share of webhooks (0 to 1) that are wrong on purpose, by variant (`wrong-signature`).
    pub variants: Option<BTreeMap<String, f64>>,
}

/// Something that goes wrong, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it happens.
    #[serde(deserialize_with = "instant")]
    pub at: Duration,
    /// What happens.
    pub what: What,
    /// To which process; only for `stop`, `kill` and `hang`. `stream-leader` is the server that
    /// leads the stream at that moment.
    pub target: Option<String>,
    /// The time that it is about: how long an update then takes (`slow-database`), the new
    /// `ack_wait` (`ack-wait`).
    #[serde(default, rename = "value", deserialize_with = "some_duration")]
    pub value: Option<Duration>,
    /// After which time it is undone; not given: never.
    #[serde(default, rename = "for", deserialize_with = "some_duration")]
    pub lasts: Option<Duration>,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A process ends in order, and is started again.
    Stop,
    /// A process is killed with -9 (Postgres: an immediate shutdown, as after a power cut), and
    /// is started again.
    Kill,
    /// A process stands still (SIGSTOP), and goes on.
    Hang,
    /// Every update of the database takes longer.
    SlowDatabase,
    /// A session of another program holds a lock on the table that workers write to.
    LockDatabase,
    /// The consumer's `ack_wait` is changed.
    AckWait,
    /// The workers' consumer is deleted.
    DeleteConsumer,
}

impl TopologyChange {
    /// The reference with these changes.
    #[must_use]
    pub fn apply(&self, mut topology: Topology) -> Topology {
        fn set<T: Copy>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut topology.max_msgs_per_subject, self.max_msgs_per_subject);
        set(&mut topology.max_bytes, self.max_bytes);
        set(&mut topology.max_age, self.max_age);
        set(&mut topology.duplicate_window, self.duplicate_window);
        set(&mut topology.ack_wait, self.ack_wait);
        set(&mut topology.max_deliver, self.max_deliver);
        set(&mut topology.max_ack_pending, self.max_ack_pending);
        topology.filter_subject.clone_from(&self.filter_subject);
        topology
    }
}

impl What {
    /// Its name in a scenario and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::SlowDatabase => "slow-database",
            Self::LockDatabase => "lock-database",
            Self::AckWait => "ack-wait",
            Self::DeleteConsumer => "delete-consumer",
        }
    }

    /// Whether it happens to a process that `target` names.
    #[must_use]
    pub fn has_target(self) -> bool {
        matches!(self, Self::Stop | Self::Kill | Self::Hang)
    }

    /// Whether it is about a time that `value` states.
    #[must_use]
    pub fn has_value(self) -> bool {
        matches!(self, Self::SlowDatabase | Self::AckWait)
    }
}

/// Something that has its place in time.
#[derive(Clone, Debug, PartialEq)]
pub enum Timed {
    /// The load changes.
    Load(Phase),
    /// Something goes wrong.
    Break(Fault),
    /// And is undone.
    Mend(Fault),
}

impl Scenario {
    /// Everything that happens, in order of time.
    #[must_use]
    pub fn timeline(&self) -> Vec<(Duration, Timed)> {
        let mut all: Vec<(Duration, Timed)> = Vec::new();
        for phase in &self.load {
            all.push((phase.at, Timed::Load(phase.clone())));
        }
        for fault in &self.fault {
            all.push((fault.at, Timed::Break(fault.clone())));
            if let Some(lasts) = fault.lasts {
                all.push((fault.at + lasts, Timed::Mend(fault.clone())));
            }
        }
        // Stable: what is at the same time happens in the order of the file.
        all.sort_by_key(|(at, _)| *at);
        all
    }
}

fn one() -> u64 {
    1
}

fn one_part() -> usize {
    1
}

/// A duration as people write it: `500ms`, `20s`, `1m 30s`.
fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed: Option<jiff::SignedDuration> = text.parse().ok();
    parsed
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .ok_or_else(|| D::Error::custom("not a duration: write it like 500ms, 20s or 2m"))
}

fn some_instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    instant(deserializer).map(Some)
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = instant(deserializer)?;
    if value.is_zero() {
        return Err(D::Error::custom("must be above zero"));
    }
    Ok(value)
}

fn some_duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}
