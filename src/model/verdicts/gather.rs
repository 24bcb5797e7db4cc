//! Gathering the facts of a second from everything that was read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::facts::{
    ConsumerFacts, Crew, DepthFacts, Facts, Gate, LineFacts, ProbeFacts, ProviderFacts, SilentWorker, SourceFacts,
    StreamFacts,
};
use super::learnt::{Arrivals, Canary, UsualUpdate};
use super::monitor::{ConsumerMonitor, StreamMonitor};
use crate::base::text;
use crate::base::time::Moment;
use crate::config::{Pipeline, Thresholds};
use crate::model::counter::Counter;
use crate::model::database::Database;
use crate::model::failures::ProviderFigures;
use crate::model::flow;
use crate::model::histogram::Buckets;
use crate::model::ledger::{Ledger, LineId};
use crate::model::metrics::{Distribution, Gauge, Metrics, Tally, safe_name};
use crate::model::outbound::Outbound;
use crate::model::probes::Probes;
use crate::model::queues::{ConsumerTrack, Queues, StreamTrack};
use crate::model::sources::Sources;
use crate::model::view::WorkerState;
use crate::model::workers::Known;
use crate::sample::{Blocked, CanaryReading, Discard, ProbeState, QueueReading, SourceKind};

/// Rate rules wait for this long after a start, a reset or the return of a source.
const MUTED: Duration = Duration::from_secs(5);
/// What fell or was created anew is news for this long, seconds.
const NEWS: f64 = 60.0;
/// A depth must contradict NATS for this long, seconds.
const CONTRADICTED: f64 = 5.0;

/// Refused thresholds that are told; further ones are not.
const REFUSED: usize = 100;
/// Characters of what a check of a service says, in the evidence of a verdict.
const BAD_CHECK: usize = 160;
/// Canaries that are told apart; further ones are left out.
const CANARIES: usize = 100;

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
    update: UsualUpdate,
    arrivals: BTreeMap<Arc<str>, Arrivals>,
    canaries: BTreeMap<Arc<str>, Canary>,
    /// Thresholds in metadata that cannot be used, as they were told.
    refused: BTreeSet<String>,
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
    pub(in crate::model) outbound: &'a Outbound,
    pub(in crate::model) probes: &'a Probes,
}

impl Memory {
    /// Gathers the facts of this second.
    pub(in crate::model) fn gather(&mut self, sight: &Sight<'_>) -> Facts {
        let now = sight.now.mono.as_secs_f64();
        self.falls.retain(|_, (at, _)| now - *at < NEWS);
        let quiet_from = sight.started.max(self.reset).max(sight.sources.last_recovery());
        let muted = sight.now.mono.saturating_sub(quiet_from) < MUTED;
        let mut crew = sight.crew();
        crew.usual_update_s = self.update.learn(now, crew.update_p95_s, crew.updates);
        crew.unusual_s = self.update.unusual_for();
        let providers = self.providers(sight);
        let followed_stream = sight.queues.followed_stream(sight.pipeline).map(|(_, stream)| stream);
        Facts {
            now: sight.now,
            muted,
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
            probes: sight.probe_facts(),
            providers,
            crew,
            gate: sight.gate(),
            lines: self.lines(sight.ledger, now),
            depths: self.depths(sight.depths(), now),
            falls: self
                .falls
                .iter()
                .map(|(target, (_, tally))| (target.clone(), *tally))
                .collect(),
            replaced: self.replaced.clone(),
            next_limit: followed_stream.and_then(|stream| flow::next_limit(sight.queues, stream)),
            blocked: sight.blocked(),
            inactive: sight.inactive(),
            webhooks: sight.outbound.minutes(sight.sources),
            canaries: self
                .canaries
                .iter()
                .map(|(name, canary)| (name.clone(), canary.clone()))
                .collect(),
        }
    }

    /// Takes a canary's run in.
    pub(in crate::model) fn canary(&mut self, reading: &CanaryReading) {
        let name = safe_name(&reading.name);
        if self.canaries.len() < CANARIES || self.canaries.contains_key(&name) {
            self.canaries.entry(name).or_default().observe(reading);
        }
    }

    /// Thresholds in the metadata of what was just read that cannot be used, each told once.
    pub(in crate::model) fn refusals(&mut self, reading: &QueueReading) -> Vec<String> {
        let stream = text::safe(&reading.after.name).into_owned();
        let of_stream = StreamMonitor::read(&reading.after.config.metadata).1;
        let mut all: Vec<String> = of_stream.into_iter().map(|what| format!("{stream}: {what}")).collect();
        for consumer in &reading.consumers {
            let name = text::safe(&consumer.name);
            let refused = ConsumerMonitor::read(&consumer.config.metadata).1;
            all.extend(refused.into_iter().map(|what| format!("{stream}/{name}: {what}")));
        }
        all.retain(|what| self.refused.len() < REFUSED && self.refused.insert(what.clone()));
        all
    }

    /// The providers, and how they arrive.
    fn providers(&mut self, sight: &Sight<'_>) -> Vec<ProviderFacts> {
        let all_read = sight.all_gateways_answer();
        self.arrivals
            .retain(|name, _| sight.figures.iter().any(|figures| figures.name == *name));
        let mut out = Vec::new();
        for figures in sight.figures {
            let mut silence = None;
            if let Some(stamp) = figures.gateway.as_ref().filter(|_| all_read) {
                let at = stamp.mono.as_secs_f64();
                let arrivals = self
                    .arrivals
                    .entry(figures.name.clone())
                    .or_insert_with(|| Arrivals::new(figures.arrived, at));
                arrivals.observe(figures.arrived, at);
                silence = arrivals.silence();
            }
            out.push(ProviderFacts {
                name: figures.name.clone(),
                minute: figures.minute,
                lately: figures.lately,
                signatures: figures.signatures,
                answers: figures
                    .response
                    .as_ref()
                    .and_then(|response| Some((response.mean()?, response.count))),
                silence,
            });
        }
        out
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
        let ours = self.queues.consumers.iter();
        let ours = ours.filter(|((stream, _), _)| self.is_ours(stream));
        let known = ours.filter_map(|(key, consumer)| {
            let stream = self.queues.streams.get(&key.0)?;
            Some(self.consumer(&key.0, &key.1, consumer, stream, followed == Some(key)))
        });
        // Facts are large: growing by doubling would copy them again and again.
        let mut facts = Vec::with_capacity(self.queues.consumers.len());
        facts.extend(known);
        facts
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
        let acks = followed.then(|| self.metrics.rate(Tally::Acked).value).flatten();
        let worked = followed.then(|| self.last_ack()).flatten().unwrap_or(0.0);
        let lag = followed.then(|| self.metrics.highest(Gauge::Lag).value).flatten();
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
            undelivered_s: read - consumer.delivered_at,
            ack_wait_s: consumer.config.ack_wait.as_secs_f64(),
            idle_s: read - consumer.completed_at.max(consumer.backlog_since).max(worked).min(read),
            only_retries: consumer.only_retries(),
            attempts: consumer.attempt_rate(),
            retries: consumer.retry_rate().filter(|_| stream.evictable.raw() <= 0.0),
            redelivered: consumer.redelivered as f64,
            monitor: ConsumerMonitor::read(&consumer.config.metadata).0,
            lag: StreamMonitor::read(&stream.config.metadata)
                .0
                .lag
                .filter(|_| !self.thresholds.lag_set),
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
                acks_remove: stream.acks_remove(),
                refuses: stream.config.discard == Discard::New,
                limits: self.queues.limits(stream),
                evicted: self.evicted(name, stream),
                per_subject: stream
                    .config
                    .max_msgs_per_subject
                    .filter(|_| stream.config.discard_new_per_subject)
                    .map(|most| most as f64),
                messages: stream.state.messages as f64,
                letters,
                monitor: StreamMonitor::read(&stream.config.metadata).0,
                unmatched: self.queues.unmatched(name).map(|found| (found.messages, found.sweeps)),
                unmatched_subjects: self
                    .queues
                    .unmatched(name)
                    .map(|found| found.subjects.clone())
                    .unwrap_or_default(),
            });
        }
        out
    }

    /// Undelivered messages that were evicted in the last minute: what the consumer's sequences
    /// tell to be gone, and no more than a limit can have taken.
    fn evicted(&self, name: &Arc<str>, stream: &StreamTrack) -> f64 {
        let lately = |counter: &Counter| counter.last_minute().map_or(0.0, |growth| growth.delta);
        let could = lately(&stream.evictable);
        let own = self.queues.consumers.range((name.clone(), Arc::from(""))..);
        let gone = own
            .take_while(|((of, _), _)| of == name)
            .filter(|(_, consumer)| consumer.unfiltered)
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

    fn probe_facts(&self) -> Vec<ProbeFacts> {
        self.sources
            .of_kind(SourceKind::Probe)
            .map(|source| {
                let standing = self.probes.standing(&source.id.name);
                let checks = standing.map(|standing| standing.reading.checks.iter());
                ProbeFacts {
                    name: safe_name(&source.id.name),
                    health: source.health(),
                    failures: source.failures(),
                    error: source.error().map(str::to_owned),
                    said: standing.map(|standing| standing.reading.state),
                    status: standing.map(|standing| standing.reading.status),
                    well: standing.map_or(0, |standing| standing.well),
                    ill: standing.map_or(0, |standing| standing.ill),
                    bad: checks
                        .into_iter()
                        .flatten()
                        .filter(|check| check.state > Some(ProbeState::Healthy))
                        .map(|check| format!("{}: {}", check.name, check.detail))
                        .map(|told| text::cut(&text::safe(&told), BAD_CHECK).into_owned())
                        .collect(),
                }
            })
            .collect()
    }

    /// Whether what arrives is known: every gateway answers.
    fn all_gateways_answer(&self) -> bool {
        self.metrics.gateways().all(|(_, target)| target.is_fresh())
    }

    /// Sessions that wait for a lock.
    fn blocked(&self) -> Option<Vec<Blocked>> {
        let (stamp, blocked) = self.database.blocked.as_ref()?;
        self.sources.is_fresh(stamp).then(|| blocked.clone())
    }

    /// Workers that were not heard of for too long, while there is something to do.
    fn inactive(&self) -> Vec<SilentWorker> {
        let waits = self
            .queues
            .followed(self.pipeline)
            .is_some_and(|(_, consumer)| consumer.backlog() > 0);
        // Workers with statistics are consumers of their own: each has a backlog of its own.
        let own = |name: &str| {
            let mut consumers = self.queues.consumers.iter();
            consumers.any(|((_, consumer), track)| &**consumer == name && track.backlog() > 0)
        };
        self.workers
            .iter()
            .filter_map(|(name, worker)| {
                let pulse = worker.pulse.or(worker.stats).filter(|pulse| !pulse.stopped())?;
                let fresh = self.sources.is_fresh_for(&pulse.stamp, pulse.period);
                if !fresh || !(waits || own(&pulse.beat.worker)) {
                    return None;
                }
                let silent = worker.silence(self.now)?;
                (silent > self.thresholds.worker_inactive).then(|| SilentWorker {
                    name: name.clone(),
                    silent_s: silent.as_secs_f64(),
                })
            })
            .collect()
    }

    fn crew(&self) -> Crew {
        let started = || self.workers.iter().filter(|(_, worker)| !worker.never_started());
        let mut crew = Crew {
            known: started().count(),
            ..Crew::default()
        };
        let mut rates = 0.0;
        for (name, worker) in started() {
            match worker.state(self.now) {
                WorkerState::Up => crew.up += 1,
                WorkerState::Down => crew.down += 1,
                WorkerState::Stale => crew.silent.push(name.clone()),
            }
            if !worker.rate.is_stale() {
                rates += worker.rate.value.unwrap_or(0.0);
            }
            let Some(target) = worker.target.filter(|target| target.is_fresh()) else {
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
        let window = |of| self.metrics.distribution(of).buckets.as_ref();
        crew.batch = window(Distribution::Batch).and_then(Buckets::mean);
        crew.batch_p95_s = window(Distribution::Processing).and_then(|batch| batch.quantile(0.95));
        let update = window(Distribution::Update);
        crew.updates = update.map_or(0.0, |update| update.count);
        crew.update_p95_s = update.and_then(|update| update.quantile(0.95));
        crew
    }

    fn gate(&self) -> Gate {
        let lately = |tally| {
            self.metrics
                .gateways()
                .filter(|(_, target)| target.is_fresh())
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
            .filter(|(_, target)| target.is_fresh())
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
