//! What the rules judge: plain numbers, gathered once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rules::{is_stalled, nobody_pulls};
use crate::base::time::Moment;
use crate::config::{Pipeline, Thresholds};
use crate::model::counter::Counter;
use crate::model::database::Database;
use crate::model::failures::{ProviderFigures, Tried};
use crate::model::ledger::{Ledger, LineId};
use crate::model::metrics::{Distribution, Gauge, Metrics, Tally};
use crate::model::queues::{ConsumerTrack, Limit, Queues, Rise, StreamTrack};
use crate::model::sources::Sources;
use crate::model::view::{Health, QueueState, WorkerState};
use crate::model::workers::{self, Known};
use crate::sample::{Discard, SourceId, SourceKind};

/// Rate rules wait for this long after a start, a reset or the return of a source.
const MUTED: Duration = Duration::from_secs(5);
/// What fell or was created anew is news for this long, seconds.
const NEWS: f64 = 60.0;
/// A depth must contradict NATS for this long, seconds.
const CONTRADICTED: f64 = 5.0;

/// A consumer.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    pub(super) ack_wait_s: f64,
    /// How long there has been a backlog without a completion, seconds.
    pub(super) idle_s: f64,
    /// All that is left waits for a retry.
    pub(super) only_retries: bool,
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
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::model) struct StreamFacts {
    pub(super) name: Arc<str>,
    pub(super) fresh: bool,
    pub(super) followed: bool,
    /// It is in a cluster and has no leader, or lost its quorum.
    pub(super) leaderless: bool,
    /// What it holds waits for somebody; a log that rolls over its limit is as it should be.
    pub(super) keeps: bool,
    /// Publishes are refused at a limit.
    pub(super) refuses: bool,
    pub(super) limits: Vec<Limit>,
    /// Undelivered messages that a limit evicted in the last minute, at least.
    pub(super) evicted: f64,
    /// The most messages a subject may hold.
    pub(super) per_subject: Option<f64>,
    pub(super) messages: f64,
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

/// The workers together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Crew {
    pub(super) known: usize,
    pub(super) up: usize,
    /// Processed per second by one of them, on average.
    pub(super) per_worker: Option<f64>,
    pub(super) breaker_open: Vec<Arc<str>>,
    pub(super) breaker_half_open: Vec<Arc<str>>,
    pub(super) breaker_known: usize,
    pub(super) batch: Option<f64>,
    pub(super) batch_p95_s: Option<f64>,
    pub(super) update_p95_s: Option<f64>,
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
}

impl Facts {
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

/// Whether a line has balanced, evaluation by evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Watch {
    at: f64,
    apart: u32,
    since: f64,
    meeting: u32,
    largest: f64,
}

/// What has to be remembered between two seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Memory {
    watches: BTreeMap<LineId, Watch>,
    /// Since when a process's depth has contradicted NATS.
    depths: BTreeMap<Arc<str>, f64>,
    pub(in crate::model) falls: BTreeMap<Arc<str>, (f64, &'static str)>,
    pub(in crate::model) replaced: Vec<(Arc<str>, Option<u64>)>,
    /// When a stream lost its quorum.
    pub(in crate::model) quorum_lost: BTreeMap<Arc<str>, f64>,
    /// When rates last became meaningless.
    pub(in crate::model) reset: Duration,
}

/// Where the facts come from.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Sight<'a> {
    pub(in crate::model) now: Moment,
    pub(in crate::model) started: Duration,
    pub(in crate::model) thresholds: &'a Thresholds,
    pub(in crate::model) pipeline: &'a Pipeline,
    pub(in crate::model) sources: &'a Sources,
    pub(in crate::model) metrics: &'a Metrics,
    pub(in crate::model) database: &'a Database,
    pub(in crate::model) queues: &'a Queues,
    pub(in crate::model) ledger: &'a Ledger,
    pub(in crate::model) figures: &'a [ProviderFigures],
    pub(in crate::model) workers: &'a BTreeMap<Arc<str>, Known<'a>>,
}

impl Memory {
    /// Gathers the facts of this second.
    pub(in crate::model) fn gather(&mut self, sight: &Sight<'_>) -> Facts {
        let now = sight.now.mono.as_secs_f64();
        self.falls.retain(|_, (at, _)| now - *at < NEWS);
        let quiet_from = sight.started.max(self.reset).max(sight.sources.last_recovery());
        let followed_stream = sight.queues.followed_stream(sight.pipeline).map(|(_, stream)| stream);
        Facts {
            now: sight.now,
            muted: sight.now.mono.saturating_sub(quiet_from) < MUTED,
            thresholds: sight.thresholds.clone(),
            consumers: sight.consumers(),
            missing: sight
                .queues
                .missing
                .keys()
                .filter(|(stream, _)| sight.is_ours(stream))
                .map(|(stream, consumer)| subject(stream, consumer))
                .collect(),
            streams: sight.streams(self),
            sources: sight.source_facts(),
            providers: sight.providers(),
            crew: sight.crew(),
            gate: sight.gate(),
            lines: self.lines(sight.ledger, now),
            depths: self.depths(sight.depths(), now),
            falls: self
                .falls
                .iter()
                .map(|(target, (_, tally))| (target.clone(), *tally))
                .collect(),
            replaced: self.replaced.clone(),
            next_limit: followed_stream.and_then(|stream| crate::model::flow::next_limit(sight.queues, stream)),
        }
    }

    /// Depths that have contradicted NATS for a while.
    fn depths(&mut self, depths: Vec<DepthFacts>, now: f64) -> Vec<DepthFacts> {
        self.depths.retain(|by, _| depths.iter().any(|depth| depth.by == *by));
        depths
            .into_iter()
            .filter(|depth| now - *self.depths.entry(depth.by.clone()).or_insert(now) >= CONTRADICTED)
            .collect()
    }

    fn lines(&mut self, ledger: &Ledger, now: f64) -> Vec<LineFacts> {
        let mut out = Vec::new();
        for line in LineId::ALL {
            let Some(outcome) = ledger.outcome(line) else {
                self.watches.remove(&line);
                continue;
            };
            let watch = self.watches.entry(line).or_default();
            if outcome.at > watch.at {
                watch.at = outcome.at;
                if outcome.balances() {
                    watch.apart = 0;
                    watch.largest = 0.0;
                    watch.meeting += 1;
                } else {
                    // What gets smaller is on its way: counted late, not lost.
                    let shrinks = outcome.difference.abs() < watch.largest;
                    watch.largest = outcome.difference.abs();
                    if watch.apart == 0 || shrinks {
                        watch.apart = 0;
                        watch.since = now;
                    }
                    watch.apart += 1;
                    watch.meeting = 0;
                }
            }
            out.push(LineFacts {
                line,
                difference: outcome.difference,
                apart: watch.apart,
                apart_s: now - watch.since,
                meeting: watch.meeting,
            });
        }
        out
    }
}

fn subject(stream: &str, consumer: &str) -> Arc<str> {
    format!("{stream}/{consumer}").into()
}

impl Sight<'_> {
    /// Whether a stream is what the profile is about: the followed one, or any when none is.
    fn is_ours(&self, stream: &str) -> bool {
        self.pipeline
            .stream
            .as_deref()
            .is_none_or(|followed| followed == stream)
    }

    fn consumers(&self) -> Vec<ConsumerFacts> {
        let followed = self.queues.followed(self.pipeline).map(|(key, _)| key);
        self.queues
            .consumers
            .iter()
            .filter(|((stream, _), _)| self.is_ours(stream))
            .filter_map(|(key, consumer)| {
                let stream = self.queues.streams.get(&key.0)?;
                Some(self.consumer(&key.0, &key.1, consumer, stream, followed == Some(key)))
            })
            .collect()
    }

    fn consumer(
        &self,
        stream_name: &str,
        name: &str,
        consumer: &ConsumerTrack,
        stream: &StreamTrack,
        followed: bool,
    ) -> ConsumerFacts {
        // What happened since the last reading is not known: times end there.
        let read = consumer.span.ended;
        let acks = followed
            .then(|| self.metrics.rate(self.sources, Tally::Acked).value)
            .flatten();
        let worked = followed.then(|| self.last_ack()).flatten().unwrap_or(0.0);
        let lag = followed
            .then(|| self.metrics.highest(self.sources, Gauge::Lag).value)
            .flatten();
        ConsumerFacts {
            subject: subject(stream_name, name),
            fresh: self.sources.is_fresh(&consumer.stamp),
            followed,
            pending: consumer.pending as f64,
            ack_pending: consumer.ack_pending as f64,
            waiting: consumer.waiting as f64,
            paused: consumer.paused,
            fill: consumer.fill(),
            max_ack_pending: consumer.config.max_ack_pending.map(|most| most as f64),
            still_s: read - consumer.changed_at,
            delivery_s: consumer.since_delivery(read),
            ack_wait_s: consumer.config.ack_wait.as_secs_f64(),
            idle_s: read - consumer.completed_at.max(consumer.backlog_since).max(worked).min(read),
            only_retries: consumer.only_retries(),
            ingest: stream.stored.rate().filter(|_| consumer.unfiltered),
            completed: acks,
            rise: consumer.rise(),
            oldest_waiting_s: consumer.oldest_waiting().map(|(age, _)| age.as_secs_f64()).or(lag),
            parked: self
                .queues
                .parked(stream_name)
                .map(|(found, kept)| (found.parked, kept)),
            recreated_s: consumer.recreated_at.map(|at| read - at).filter(|age| *age < NEWS),
        }
    }

    /// When a worker's acks were last seen to grow.
    fn last_ack(&self) -> Option<f64> {
        self.metrics
            .workers()
            .filter_map(|(_, target)| target.total(Tally::Acked))
            .filter(|acks| acks.moved() == Some(true))
            .map(|acks| acks.newest().ended)
            .reduce(f64::max)
    }

    fn streams(&self, memory: &mut Memory) -> Vec<StreamFacts> {
        let mut out = Vec::new();
        for (name, stream) in &self.queues.streams {
            let letters = self.pipeline.dlq.as_deref() == Some(&**name);
            if !self.is_ours(name) && !letters {
                continue;
            }
            // A leader that answers after the advisory has its quorum again.
            let lost = memory.quorum_lost.get(name).copied();
            if lost.is_some_and(|at| stream.leader.is_some() && stream.span.begun > at + 1.0) {
                memory.quorum_lost.remove(name);
            }
            let lost = memory.quorum_lost.contains_key(name);
            out.push(StreamFacts {
                name: name.clone(),
                fresh: self.sources.is_fresh(&stream.stamp),
                followed: self.pipeline.stream.as_ref() == Some(name),
                leaderless: lost || (stream.clustered && stream.leader.is_none()),
                keeps: letters || stream.acks_remove(),
                refuses: stream.config.discard == Discard::New,
                limits: self.queues.limits(stream),
                evicted: self.evicted(name, stream),
                per_subject: stream
                    .config
                    .max_msgs_per_subject
                    .filter(|_| stream.config.discard_new_per_subject)
                    .map(|most| most as f64),
                messages: stream.state.messages as f64,
            });
        }
        out
    }

    /// Undelivered messages that were evicted in the last minute: what the consumer's sequences
    /// tell to be gone, and no more than a limit can have taken.
    fn evicted(&self, name: &str, stream: &StreamTrack) -> f64 {
        let lately = |counter: &Counter| counter.last_minute().map_or(0.0, |growth| growth.delta);
        let could = lately(&stream.evictable);
        let gone = self
            .queues
            .consumers
            .iter()
            .filter(|((of, _), consumer)| &**of == name && consumer.unfiltered)
            .map(|(_, consumer)| lately(consumer.evicted()))
            .fold(0.0, f64::max);
        gone.min(could)
    }

    fn source_facts(&self) -> Vec<SourceFacts> {
        let now = self.now.mono;
        self.sources
            .all()
            .map(|source| SourceFacts {
                id: source.id.clone(),
                health: source.health(),
                failures: source.failures(),
                goods: source.goods(),
                failing_s: source
                    .failing_from()
                    .map_or(0.0, |from| now.saturating_sub(from).as_secs_f64()),
                error: source.error().map(str::to_owned),
            })
            .collect()
    }

    fn providers(&self) -> Vec<ProviderFacts> {
        self.figures
            .iter()
            .map(|figures| ProviderFacts {
                name: figures.name.clone(),
                minute: figures.minute,
                lately: figures.lately,
                signatures: figures.signatures,
            })
            .collect()
    }

    fn crew(&self) -> Crew {
        let mut crew = Crew {
            known: self.workers.len(),
            ..Crew::default()
        };
        let mut rates = 0.0;
        for (name, worker) in self.workers {
            if worker.state(self.database, self.now) == WorkerState::Up {
                crew.up += 1;
            }
            let rate = workers::rate(worker, self.database, self.sources);
            if !rate.is_stale() {
                rates += rate.value.unwrap_or(0.0);
            }
            let Some(target) = worker.target.filter(|target| self.sources.is_fresh(&target.stamp)) else {
                continue;
            };
            crew.working |= target.total(Tally::Processed).and_then(Counter::moved) == Some(true);
            if let Some(breaker) = target.gauge(Gauge::Breaker) {
                crew.breaker_known += 1;
                if breaker >= 1.5 {
                    crew.breaker_half_open.push(name.clone());
                } else if breaker >= 0.5 {
                    crew.breaker_open.push(name.clone());
                }
            }
        }
        crew.per_worker = (crew.up > 0 && rates > 0.0).then(|| rates / crew.up as f64);
        let window = |of| self.metrics.distribution(self.sources, of).0;
        crew.batch = window(Distribution::Batch).and_then(|batch| batch.mean());
        crew.batch_p95_s = window(Distribution::Processing).and_then(|batch| batch.quantile(0.95));
        crew.update_p95_s = window(Distribution::Update).and_then(|update| update.quantile(0.95));
        crew
    }

    fn gate(&self) -> Gate {
        let lately = |tally| {
            self.metrics
                .gateways()
                .filter(|(_, target)| self.sources.is_fresh(&target.stamp))
                .filter_map(|(_, target)| target.total(tally)?.lately())
                .map(|growth| growth.delta)
                .sum()
        };
        Gate {
            unconfirmed: lately(Tally::Unconfirmed),
            no_space: lately(Tally::NoSpace),
            queued: lately(Tally::Queued),
        }
    }

    /// Each process that exports a queue depth, with NATS's own backlog. Several processes may
    /// each export the whole depth, or each its share: their sum counts as well.
    fn depths(&self) -> Vec<DepthFacts> {
        let Some((_, consumer)) = self.queues.followed(self.pipeline) else {
            return Vec::new();
        };
        if !self.sources.is_fresh(&consumer.stamp) {
            return Vec::new();
        }
        let backlog = consumer.backlog_range();
        let near = |says: f64| {
            let slack = 200.0 + backlog.1 * 0.1;
            says >= backlog.0 - slack && says <= backlog.1 + slack
        };
        let says: Vec<(Arc<str>, f64)> = self
            .metrics
            .targets
            .iter()
            .filter(|(_, target)| self.sources.is_fresh(&target.stamp))
            .filter_map(|(name, target)| Some((name.clone(), target.gauge(Gauge::Depth)?)))
            .collect();
        if near(says.iter().map(|(_, depth)| depth).sum()) || says.iter().any(|(_, depth)| near(*depth)) {
            return Vec::new();
        }
        says.into_iter()
            .map(|(by, says)| DepthFacts { by, says, backlog })
            .collect()
    }
}

/// The kinds of sources that the rules tell apart.
pub(super) fn is(source: &SourceFacts, kind: SourceKind) -> bool {
    source.id.kind == kind
}
