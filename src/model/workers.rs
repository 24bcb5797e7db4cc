//! Workers: one row each, merged from their metrics endpoint and their heartbeat.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::connections::{self, Connections, Link};
use super::counter::Counter;
use super::database::{Database, Pulse};
use super::field::Field;
use super::histogram::Window;
use super::metrics::{Distribution, Gauge, Metrics, Tally, Target, safe_name, safe_shared};
use super::reading::Reading;
use super::series::{Histories, SeriesKey};
use super::sources::{SourceStatus, Sources, Stamp};
use super::view::{Health, Worker, WorkerAccount, WorkerCondition, WorkerState};
use crate::base::text;
use crate::base::time::Moment;

/// Rows at most that only NATS knows of.
const ROWS: usize = 2_000;

/// Rates that a row shows, one a second.
const RECENT: usize = 60;

/// What is known of one worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) target: Option<&'a Target>,
    source: Option<SourceStatus<'a>>,
    pub(super) pulse: Option<&'a Pulse>,
    /// The statistics that it keeps in Postgres.
    pub(super) stats: Option<&'a Pulse>,
    /// What its connections to NATS say, where somebody reads them.
    link: Option<Link>,
    link_stamp: Option<&'a Stamp>,
    /// What it processes per second.
    pub(super) rate: Reading,
}

/// Who may know workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witnesses<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) database: &'a Database,
    pub(super) sources: &'a Sources,
    pub(super) connections: &'a Connections,
    pub(super) now: Moment,
}

/// Every worker that some source knows, by name.
pub(super) fn known<'a>(witnesses: &Witnesses<'a>) -> BTreeMap<Arc<str>, Known<'a>> {
    let Witnesses {
        metrics,
        database,
        sources,
        connections,
        now,
    } = *witnesses;
    let mut out: BTreeMap<Arc<str>, Known<'_>> = BTreeMap::new();
    for (endpoint, target, source) in sources.pair(metrics.workers()) {
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
                source,
                ..Known::default()
            },
        );
    }
    for (worker, pulse) in &database.pulses {
        out.entry(safe_shared(worker)).or_default().pulse = Some(pulse);
    }
    for (worker, stats) in &database.stats {
        out.entry(safe_shared(worker)).or_default().stats = Some(stats);
    }
    // Who calls itself a worker and is known to nobody else is one all the same.
    for name in connections.workers() {
        if !out.keys().any(|worker| connections::is_of(name, worker)) && out.len() < ROWS {
            out.insert(safe_name(name), Known::default());
        }
    }
    for (name, worker) in &mut out {
        worker.link = connections.of(name, now);
        worker.link_stamp = connections.stamp();
        worker.rate = rate(worker, sources);
    }
    out
}

impl Known<'_> {
    /// How the worker is.
    pub(super) fn state(&self, now: Moment) -> WorkerState {
        match self.condition(now) {
            WorkerCondition::Running => WorkerState::Up,
            WorkerCondition::Silent => WorkerState::Stale,
            WorkerCondition::Dead | WorkerCondition::Stopped | WorkerCondition::NeverStarted => WorkerState::Down,
        }
    }

    /// The same, with why.
    pub(super) fn condition(&self, now: Moment) -> WorkerCondition {
        if self.never_started() {
            return WorkerCondition::NeverStarted;
        }
        if self.pulse.or(self.stats).is_some_and(Pulse::stopped) {
            return WorkerCondition::Stopped;
        }
        if self.source.is_some_and(SourceStatus::refuses) {
            return WorkerCondition::Dead;
        }
        let others = self.source.is_some() || self.pulse.is_some();
        // Without an endpoint or a heartbeat of its own, its connections say whether it lives.
        match self.link.as_ref().and_then(|link| link.up) {
            Some(false) if !others => return WorkerCondition::Dead,
            Some(true) if !others => return WorkerCondition::Running,
            _ => {}
        }
        // Statistics are written when there is something to do: who else speaks says more.
        let mute = self.source.is_some_and(|source| source.health() != Health::Ok)
            || self.pulse.is_some_and(|pulse| pulse.is_silent(now))
            || (!others && self.stats.is_some_and(|stats| stats.is_silent(now)));
        if mute {
            WorkerCondition::Silent
        } else {
            WorkerCondition::Running
        }
    }

    /// Whether it is registered somewhere, and nobody has ever heard of it.
    pub(super) fn never_started(&self) -> bool {
        let beats = [self.pulse, self.stats];
        // Open, or ended a while ago.
        let connected = self
            .link
            .as_ref()
            .is_some_and(|link| link.up == Some(true) || link.idle.is_some());
        self.target.is_none() && !connected && beats.iter().flatten().all(|pulse| pulse.never())
    }

    /// For how long none of its heartbeats has moved.
    pub(super) fn silence(&self, now: Moment) -> Option<Duration> {
        let beats = [self.pulse, self.stats];
        beats.iter().flatten().filter_map(|pulse| pulse.silence(now)).min()
    }

    fn last_seen(&self, now: Moment) -> Option<Duration> {
        let scraped = self.target.map(|target| now.mono.saturating_sub(target.stamp.mono));
        let link = self.link.as_ref().filter(|link| link.up == Some(true));
        let active = link.and_then(|link| link.idle);
        [scraped, self.silence(now), active].into_iter().flatten().min()
    }
}

/// Whether a worker says in Postgres that it runs, and nobody reads its counters.
pub(super) fn some_unread(known: &BTreeMap<Arc<str>, Known<'_>>, now: Moment) -> bool {
    known.values().any(|worker| {
        worker.target.is_none()
            && worker
                .pulse
                .is_some_and(|pulse| !pulse.stopped() && !pulse.is_silent(now))
    })
}

/// The workers as they are shown: those that are wanted, by number and name. Without what is read
/// by people only, where nobody looks (`whole` is false).
pub(super) fn rows(
    known: &BTreeMap<Arc<str>, Known<'_>>,
    sources: &Sources,
    histories: &Histories,
    now: Moment,
    whole: bool,
    wanted: impl Fn(usize, &Arc<str>) -> bool,
) -> Vec<Worker> {
    let eyes = Eyes::new();
    known
        .iter()
        .enumerate()
        .filter(|(number, (name, _))| wanted(*number, name))
        .map(|(_, (name, worker))| {
            let mut row = row(name, worker, sources, &eyes, now);
            if whole {
                let key = SeriesKey::about(Field::WorkerRate, name.clone());
                row.recent = histories.window(&key, now, Duration::from_secs(RECENT as u64), RECENT);
                row.accounts = accounts(worker, &eyes, now);
            }
            row
        })
        .collect()
}

/// The names of those who may see a worker, which thousands of rows share.
struct Eyes([Arc<str>; 3]);

impl Eyes {
    const METRICS: usize = 0;
    const POSTGRES: usize = 1;
    const NATS: usize = 2;

    fn new() -> Self {
        Self(["metrics".into(), "postgres".into(), "nats".into()])
    }
}

fn row(name: &Arc<str>, worker: &Known<'_>, sources: &Sources, eyes: &Eyes, now: Moment) -> Worker {
    let stamp = worker.target.map(|target| &target.stamp);
    let fresh = worker.target.is_some_and(Target::is_fresh);
    let reading = |value: Option<f64>| Sources::reading_as(fresh, value, stamp);
    let total = |tally| worker.target.and_then(|target| target.total(tally));
    let gauge = |gauge| reading(worker.target.and_then(|target| target.gauge(gauge)));
    let window = |of| worker.target.and_then(|target| target.window(of));
    let sees = [
        worker.target.is_some(),
        worker.pulse.is_some() || worker.stats.is_some(),
        worker.link.as_ref().is_some_and(|link| link.up == Some(true)),
    ];
    let seen_by = sees.into_iter().zip(&eyes.0);
    Worker {
        name: name.clone(),
        state: worker.state(now),
        condition: worker.condition(now),
        seen_by: seen_by.filter(|(sees, _)| *sees).map(|(_, by)| by.clone()).collect(),
        rate_per_s: worker.rate.clone(),
        recent: Vec::new(),
        batch_size: reading(window(Distribution::Batch).and_then(Window::mean)),
        batch_p95_s: reading(window(Distribution::Processing).and_then(|batch| batch.quantile(0.95))),
        errors_per_s: reading(total(Tally::Failed).and_then(Counter::rate)),
        breaker: gauge(Gauge::Breaker),
        cpu: reading(total(Tally::Cpu).and_then(Counter::rate)),
        memory: gauge(Gauge::Memory),
        last_seen_s: last_seen(worker, sources, now),
        accounts: Vec::new(),
    }
}

fn last_seen(worker: &Known<'_>, sources: &Sources, now: Moment) -> Reading {
    let value = worker.last_seen(now).map(|age| age.as_secs_f64());
    let period = worker.stats.map_or(connections::PERIOD, |stats| stats.period);
    if let Some(target) = worker.target {
        let source = worker.source;
        let fresh = source.is_some_and(|source| sources.is_fresh_of(source, &target.stamp, period));
        return Sources::reading_as(fresh, value, Some(&target.stamp));
    }
    let beat = worker.pulse.or(worker.stats).map(|pulse| &pulse.stamp);
    sources.reading_for(value, beat.or(worker.link_stamp), period)
}

/// What it processes per second: by its own counter, else by its heartbeat's, else by its statistics.
fn rate(worker: &Known<'_>, sources: &Sources) -> Reading {
    let own = worker
        .target
        .and_then(|target| target.total(Tally::Processed).or_else(|| target.total(Tally::Acked)));
    if let (Some(counter), Some(target)) = (own, worker.target) {
        return Sources::reading_as(target.is_fresh(), counter.rate(), Some(&target.stamp));
    }
    let beats = [worker.pulse, worker.stats];
    let Some(beat) = beats.into_iter().flatten().find(|pulse| pulse.processed.is_some()) else {
        return Reading::unknown();
    };
    sources.reading_for(
        beat.processed.as_ref().and_then(Counter::rate),
        Some(&beat.stamp),
        beat.period,
    )
}

/// What each source says of it.
fn accounts(worker: &Known<'_>, eyes: &Eyes, now: Moment) -> Vec<WorkerAccount> {
    let mut out = Vec::new();
    let mut say = |source: usize, up: Option<bool>, text: String| {
        out.push(WorkerAccount {
            source: eyes.0[source].clone(),
            up,
            text,
        });
    };
    let ago = |age: Option<Duration>| age.map_or("never".to_owned(), |age| format!("{} ago", text::duration(age)));
    if let Some(target) = worker.target {
        let age = now.mono.saturating_sub(target.stamp.mono);
        match worker.source {
            Some(source) if source.refuses() => say(Eyes::METRICS, Some(false), "its endpoint refuses".to_owned()),
            Some(source) if source.health() != Health::Ok => {
                say(
                    Eyes::METRICS,
                    None,
                    format!("its endpoint last answered {}", ago(Some(age))),
                );
            }
            _ => say(Eyes::METRICS, Some(true), "its endpoint answers".to_owned()),
        }
    }
    for pulse in [worker.pulse, worker.stats].into_iter().flatten() {
        let state = pulse.beat.state.as_deref().map(safe_name);
        let mut parts = match &pulse.stats {
            None => vec![format!("heartbeat {}", ago(pulse.silence(now)))],
            Some(_) => vec![format!("last active {}", ago(pulse.silence(now)))],
        };
        parts.extend(state.map(|state| format!("says {state}")));
        if let Some(stats) = &pulse.stats {
            let counts = [(stats.acknowledged, "acked"), (stats.delivered, "delivered")];
            for (count, what) in counts {
                parts.extend(count.map(|count| format!("{} {what}", text::count(count))));
            }
            let mean = stats.avg_ms.filter(|ms| *ms >= 0.0).map(|ms| ms / 1_000.0);
            let mean = mean.and_then(|mean| Duration::try_from_secs_f64(mean).ok());
            parts.extend(mean.map(|mean| format!("{} a message", text::duration(mean))));
        }
        let up = match (pulse.stopped() || pulse.never(), pulse.stats.is_some()) {
            (true, _) => Some(false),
            // Active is what it said when it last had something to do.
            (false, true) => Some(true),
            (false, false) => Some(!pulse.is_silent(now)),
        };
        say(Eyes::POSTGRES, up, parts.join(", "));
    }
    if let Some(link) = &worker.link {
        say(Eyes::NATS, link.up, link.text.clone());
    }
    out
}
