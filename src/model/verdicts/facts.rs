//! What the rules judge: plain numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::learnt::{Canary, Silence};
use super::monitor::{ConsumerMonitor, StreamMonitor};
use super::rules::{is_stalled, nobody_pulls};
use crate::base::time::Moment;
use crate::config::Thresholds;
use crate::model::failures::Tried;
use crate::model::ledger::LineId;
use crate::model::outbound::Minute;
use crate::model::queues::{Limit, Rise};
use crate::model::view::{Health, QueueState};
use crate::sample::{Blocked, ProbeState, SourceId, SourceKind};

/// A consumer.
#[expect(clippy::struct_excessive_bools, reason = "facts are yes or no")]
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct ConsumerFacts {
    /// `stream/consumer`.
    pub(super) subject: Arc<str>,
    /// Whether its numbers are fresh. Nothing is concluded from old ones.
    pub(super) fresh: bool,
    pub(super) followed: bool,
    pub(super) pending: f64,
    pub(super) ack_pending: f64,
    pub(super) waiting: f64,
    pub(super) paused: bool,
    /// `ack_pending` over `max_ack_pending`.
    pub(super) fill: Option<f64>,
    pub(super) max_ack_pending: Option<f64>,
    /// Since nothing was delivered, acked or given back, seconds.
    pub(super) still_s: f64,
    /// Since something was last delivered, seconds.
    pub(super) delivery_s: f64,
    /// Since a delivery was last seen here, by our own clock, seconds.
    pub(super) undelivered_s: f64,
    pub(super) ack_wait_s: f64,
    /// How long there has been a backlog without a completion, seconds.
    pub(super) idle_s: f64,
    /// All that is left waits for a retry.
    pub(super) only_retries: bool,
    /// Deliveries per second, and those of them that were not first ones.
    pub(super) attempts: Option<f64>,
    pub(super) retries: Option<f64>,
    pub(super) redelivered: f64,
    /// What its own metadata calls critical.
    pub(super) monitor: ConsumerMonitor,
    /// The critical age of a waiting message by its stream's metadata, seconds.
    pub(super) lag: Option<f64>,
    pub(super) ingest: Option<f64>,
    pub(super) completed: Option<f64>,
    pub(super) rise: Rise,
    pub(super) oldest_waiting_s: Option<f64>,
    /// Past `max_deliver`, and whether that is from before a server restart.
    pub(super) parked: Option<(f64, bool)>,
    /// Since it was created anew, seconds.
    pub(super) recreated_s: Option<f64>,
}

impl ConsumerFacts {
    pub(super) fn backlog(&self) -> f64 {
        self.pending + self.ack_pending
    }
}

/// A stream.
#[expect(clippy::struct_excessive_bools, reason = "facts are yes or no")]
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct StreamFacts {
    pub(super) name: Arc<str>,
    pub(super) fresh: bool,
    pub(super) followed: bool,
    /// It is in a cluster and has no leader, or lost its quorum.
    pub(super) leaderless: bool,
    /// What it holds waits for somebody; a log that rolls over its limit is as it should be.
    pub(super) keeps: bool,
    /// An ack removes the message: work queues and interest.
    pub(super) acks_remove: bool,
    /// Publishes are refused at a limit.
    pub(super) refuses: bool,
    pub(super) limits: Vec<Limit>,
    /// Undelivered messages that a limit evicted in the last minute, at least.
    pub(super) evicted: f64,
    /// The most messages a subject may hold.
    pub(super) per_subject: Option<f64>,
    pub(super) messages: f64,
    /// Whether it is the dead letter stream.
    pub(super) letters: bool,
    /// What its own metadata calls alarming.
    pub(super) monitor: StreamMonitor,
    /// Messages under no consumer's filter, in how many counts per subject, and some subjects.
    pub(super) unmatched: Option<(f64, u32)>,
    pub(super) unmatched_subjects: Vec<Arc<str>>,
}

/// A source.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct SourceFacts {
    pub(super) id: SourceId,
    pub(super) health: Health,
    pub(super) failures: u32,
    pub(super) goods: u32,
    pub(super) failing_s: f64,
    pub(super) error: Option<String>,
}

/// A health endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct ProbeFacts {
    pub(super) name: Arc<str>,
    /// Whether it answers, and how often in a row it did not.
    pub(super) health: Health,
    pub(super) failures: u32,
    pub(super) error: Option<String>,
    /// What the service said last; `None`: nothing yet.
    pub(super) said: Option<ProbeState>,
    /// The HTTP status of that answer.
    pub(super) status: Option<u16>,
    /// Answers in a row that called the service healthy, and those that did not.
    pub(super) well: u32,
    pub(super) ill: u32,
    /// The checks that are not well, each with what else it says: safe and cut.
    pub(super) bad: Vec<String>,
}

/// The workers together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Crew {
    pub(super) known: usize,
    pub(super) up: usize,
    pub(super) down: usize,
    /// Those that run and answer nobody.
    pub(super) silent: Vec<Arc<str>>,
    /// Processed per second by one of them, on average.
    pub(super) per_worker: Option<f64>,
    pub(super) breaker_open: Vec<Arc<str>>,
    pub(super) breaker_half_open: Vec<Arc<str>>,
    pub(super) breaker_known: usize,
    pub(super) batch: Option<f64>,
    pub(super) batch_p95_s: Option<f64>,
    pub(super) update_p95_s: Option<f64>,
    /// Updates of the last 10 s, and their usual 95th percentile.
    pub(super) updates: f64,
    pub(super) usual_update_s: Option<f64>,
    /// For how long updates have been slower than is usual, seconds.
    pub(super) unusual_s: f64,
    /// Whether something was processed at the newest readings.
    pub(super) working: bool,
}

/// The gateways together, last 10 s.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct Gate {
    pub(super) unconfirmed: f64,
    pub(super) no_space: f64,
    pub(super) queued: f64,
}

/// A provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct ProviderFacts {
    pub(super) name: Arc<str>,
    pub(super) minute: Tried,
    pub(super) lately: Tried,
    /// Valid and invalid signatures of the last 30 s.
    pub(super) signatures: (f64, f64),
    /// Mean answer of the gateway, seconds, and how many answers, last 10 s.
    pub(super) answers: Option<(f64, f64)>,
    /// For how long nothing has arrived, where every gateway says so.
    pub(super) silence: Option<Silence>,
}

/// A worker's heartbeat that is too old.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct SilentWorker {
    pub(super) name: Arc<str>,
    pub(super) silent_s: f64,
}

/// A line of the ledger that was worked out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::model) struct LineFacts {
    pub(super) line: LineId,
    pub(super) difference: f64,
    /// For so many evaluations at new moments, and so long, it has not balanced without getting better.
    pub(super) apart: u32,
    pub(super) apart_s: f64,
    /// For so many it has balanced.
    pub(super) meeting: u32,
}

/// A queue depth that a process exports, against what NATS says.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct DepthFacts {
    pub(super) by: Arc<str>,
    pub(super) says: f64,
    /// Least and most of the last 10 s.
    pub(super) backlog: (f64, f64),
}

/// All that the rules judge.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Facts {
    pub(super) now: Moment,
    /// Whether rates are not to be judged yet.
    pub(super) muted: bool,
    pub(super) thresholds: Thresholds,
    pub(super) consumers: Vec<ConsumerFacts>,
    /// Consumers that should be there: `stream/consumer`.
    pub(super) missing: Vec<Arc<str>>,
    pub(super) streams: Vec<StreamFacts>,
    pub(super) sources: Vec<SourceFacts>,
    pub(super) probes: Vec<ProbeFacts>,
    pub(super) providers: Vec<ProviderFacts>,
    pub(super) crew: Crew,
    pub(super) gate: Gate,
    pub(super) lines: Vec<LineFacts>,
    pub(super) depths: Vec<DepthFacts>,
    /// Targets whose counters fell within the last minute, and which.
    pub(super) falls: Vec<(Arc<str>, &'static str)>,
    /// Streams that were created anew, or whose sequence went back by so many.
    pub(super) replaced: Vec<(Arc<str>, Option<u64>)>,
    /// Time to the next limit of the followed stream, seconds, and which.
    pub(super) next_limit: Option<Limit>,
    /// Sessions that wait for a lock in Postgres, longest first; `None`: not known.
    pub(super) blocked: Option<Vec<Blocked>>,
    /// Workers whose heartbeat is older than the threshold.
    pub(super) inactive: Vec<SilentWorker>,
    /// Webhooks that the pipeline sends.
    pub(super) webhooks: Vec<Minute>,
    pub(super) canaries: Vec<(Arc<str>, Canary)>,
}

impl Facts {
    /// Facts that say nothing.
    #[cfg(test)]
    pub(super) fn none(now: Moment) -> Self {
        Self {
            now,
            muted: false,
            thresholds: Thresholds::default(),
            consumers: Vec::new(),
            missing: Vec::new(),
            streams: Vec::new(),
            sources: Vec::new(),
            probes: Vec::new(),
            providers: Vec::new(),
            crew: Crew::default(),
            gate: Gate::default(),
            lines: Vec::new(),
            depths: Vec::new(),
            falls: Vec::new(),
            replaced: Vec::new(),
            next_limit: None,
            blocked: None,
            inactive: Vec::new(),
            webhooks: Vec::new(),
            canaries: Vec::new(),
        }
    }

    /// The critical age of a waiting message by the followed stream's metadata, seconds.
    pub(in crate::model) fn lag(&self) -> Option<f64> {
        self.consumers.iter().find(|consumer| consumer.followed)?.lag
    }

    /// What consumers are doing (`stream/consumer`), where their own numbers do not say it all.
    pub(in crate::model) fn states(&self) -> BTreeMap<Arc<str>, QueueState> {
        let judge = |consumer: &ConsumerFacts| {
            let full = consumer.pending > 0.0 && consumer.fill.is_some_and(|fill| fill >= 0.98);
            if consumer.paused || full {
                None
            } else if nobody_pulls(consumer, &self.crew) {
                Some(QueueState::NoWorkers)
            } else if is_stalled(consumer, &self.crew) && !self.muted {
                Some(QueueState::Stalled)
            } else {
                None
            }
        };
        self.consumers
            .iter()
            .filter_map(|consumer| Some((consumer.subject.clone(), judge(consumer)?)))
            .collect()
    }
}

/// The kinds of sources that the rules tell apart.
pub(super) fn is(source: &SourceFacts, kind: SourceKind) -> bool {
    source.id.kind == kind
}
