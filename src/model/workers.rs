//! Workers: one row each, merged from their metrics endpoint and their heartbeat.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::counter::Counter;
use super::database::{Database, Pulse};
use super::field::Field;
use super::metrics::{Distribution, Gauge, Metrics, Tally, Target, safe_name};
use super::reading::Reading;
use super::series::{Histories, SeriesKey};
use super::sources::{SourceStatus, Sources};
use super::view::{Health, Worker, WorkerState};
use crate::base::time::Moment;
use crate::sample::SourceKind;

/// Rates that a row shows, one a second.
const RECENT: usize = 60;

/// What is known of one worker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) target: Option<&'a Target>,
    source: Option<SourceStatus<'a>>,
    pub(super) pulse: Option<&'a Pulse>,
}

/// Every worker that some source knows, by name.
pub(super) fn known<'a>(
    metrics: &'a Metrics,
    database: &'a Database,
    sources: &'a Sources,
) -> BTreeMap<Arc<str>, Known<'a>> {
    let statuses: BTreeMap<&str, SourceStatus<'_>> = sources
        .of_kind(SourceKind::Metrics)
        .map(|status| (&*status.id.name, status))
        .collect();
    let mut out: BTreeMap<Arc<str>, Known<'_>> = BTreeMap::new();
    for (endpoint, target) in metrics.workers() {
        let named = target.identity.name.clone().unwrap_or_else(|| endpoint.clone());
        // Two processes that call themselves the same are told apart by their endpoints.
        let name = if out.contains_key(&named) {
            endpoint.clone()
        } else {
            named
        };
        out.insert(
            name,
            Known {
                target: Some(target),
                source: statuses.get(&**endpoint).copied(),
                pulse: None,
            },
        );
    }
    for (worker, pulse) in &database.pulses {
        out.entry(safe_name(worker)).or_default().pulse = Some(pulse);
    }
    out
}

impl Known<'_> {
    /// How the worker is.
    pub(super) fn state(&self, database: &Database, now: Moment) -> WorkerState {
        if self.source.is_some_and(SourceStatus::refuses) || self.pulse.is_some_and(Pulse::stopped) {
            return WorkerState::Down;
        }
        let mute = self.source.is_some_and(|source| source.health() != Health::Ok)
            || self.pulse.is_some_and(|pulse| database.is_silent(pulse, now));
        if mute { WorkerState::Stale } else { WorkerState::Up }
    }

    fn last_seen(&self, database: &Database, now: Moment) -> Option<Duration> {
        let scraped = self.target.map(|target| now.mono.saturating_sub(target.stamp.mono));
        let beat = self.pulse.and_then(|pulse| database.silence(pulse, now));
        [scraped, beat].into_iter().flatten().min()
    }
}

/// Whether a worker says in Postgres that it runs, and nobody reads its counters.
pub(super) fn some_unread(known: &BTreeMap<Arc<str>, Known<'_>>, database: &Database, now: Moment) -> bool {
    known.values().any(|worker| {
        worker.target.is_none()
            && worker
                .pulse
                .is_some_and(|pulse| !pulse.stopped() && !database.is_silent(pulse, now))
    })
}

/// The workers as they are shown.
pub(super) fn rows(
    known: &BTreeMap<Arc<str>, Known<'_>>,
    database: &Database,
    sources: &Sources,
    histories: &Histories,
    now: Moment,
) -> Vec<Worker> {
    known
        .iter()
        .map(|(name, worker)| row(name, worker, database, sources, histories, now))
        .collect()
}

fn row(
    name: &Arc<str>,
    worker: &Known<'_>,
    database: &Database,
    sources: &Sources,
    histories: &Histories,
    now: Moment,
) -> Worker {
    let stamp = worker.target.map(|target| &target.stamp);
    let reading = |value: Option<f64>| sources.reading(value, stamp);
    let total = |tally| worker.target.and_then(|target| target.total(tally));
    let gauge = |gauge| reading(worker.target.and_then(|target| target.gauge(gauge)));
    let window = |of| worker.target.and_then(|target| target.histogram(of)?.window());
    let mut seen_by: Vec<Arc<str>> = Vec::new();
    if worker.target.is_some() {
        seen_by.push("metrics".into());
    }
    if worker.pulse.is_some() {
        seen_by.push("postgres".into());
    }
    let key = SeriesKey::about(Field::WorkerRate, name.clone());
    Worker {
        name: name.clone(),
        state: worker.state(database, now),
        seen_by,
        rate_per_s: rate(worker, database, sources),
        recent: histories.window(&key, now, Duration::from_secs(RECENT as u64), RECENT),
        batch_size: reading(window(Distribution::Batch).and_then(|batch| batch.mean())),
        batch_p95_s: reading(window(Distribution::Processing).and_then(|batch| batch.quantile(0.95))),
        errors_per_s: reading(total(Tally::Failed).and_then(Counter::rate)),
        breaker: gauge(Gauge::Breaker),
        cpu: reading(total(Tally::Cpu).and_then(Counter::rate)),
        memory: gauge(Gauge::Memory),
        last_seen_s: last_seen(worker, database, sources, now),
    }
}

fn last_seen(worker: &Known<'_>, database: &Database, sources: &Sources, now: Moment) -> Reading {
    let stamp = worker
        .target
        .map(|target| &target.stamp)
        .or(database.heartbeats.as_ref());
    sources.reading(worker.last_seen(database, now).map(|age| age.as_secs_f64()), stamp)
}

/// What it processes per second: by its own counter, else by its heartbeat's.
pub(super) fn rate(worker: &Known<'_>, database: &Database, sources: &Sources) -> Reading {
    let own = worker
        .target
        .and_then(|target| target.total(Tally::Processed).or_else(|| target.total(Tally::Acked)));
    match (own, worker.target) {
        (Some(counter), Some(target)) => sources.reading(counter.rate(), Some(&target.stamp)),
        _ => {
            let beat = worker.pulse.and_then(|pulse| pulse.processed.as_ref());
            sources.reading(beat.and_then(Counter::rate), database.heartbeats.as_ref())
        }
    }
}
