//! What Postgres says: the pipeline's counters, the workers' heartbeats, which panels are off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::counter::{Counter, Span};
use super::metrics::{ProviderId, Providers};
use super::sources::Stamp;
use crate::base::time::{self, Moment};
use crate::sample::{
    Blocked, CounterReading, Heartbeat, HeartbeatReading, OutboundReading, Panel, PanelReading, WorkerStats,
};

/// A heartbeat older than this is stale; workers write one a second, or every few.
const SILENT: Duration = Duration::from_secs(15);
/// Statistics older than this are stale: workers that have nothing to do may write none.
const IDLE: Duration = Duration::from_mins(1);
/// A worker that stopped, or was last heard of longer ago, is no row any more.
const FORGOTTEN: Duration = Duration::from_mins(10);
/// Workers kept; the rest is counted.
const WORKERS: usize = 2_000;

/// What a worker says in Postgres.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pulse {
    pub(super) beat: Heartbeat,
    /// Age when it was read, by the database's clock.
    pub(super) age: Option<Duration>,
    pub(super) processed: Option<Counter>,
    /// When it was read.
    pub(super) stamp: Stamp,
    /// How often it is read.
    pub(super) period: Duration,
    /// What it says of itself, where that is more than a sign of life.
    pub(super) stats: Option<WorkerStats>,
}

impl Pulse {
    /// Whether the worker says that it has stopped.
    pub(super) fn stopped(&self) -> bool {
        self.beat
            .state
            .as_deref()
            .is_some_and(|state| matches!(state, "stopped" | "stopping" | "exited" | "inactive"))
    }

    /// Whether it is registered and has never done anything.
    pub(super) fn never(&self) -> bool {
        self.beat.last_seen.is_none()
    }

    /// How long ago the worker was last heard of.
    pub(super) fn silence(&self, now: Moment) -> Option<Duration> {
        Some(self.age? + now.mono.saturating_sub(self.stamp.mono))
    }

    /// Whether that is too long. Statistics are written when there was something to do, so that
    /// silence alone says nothing soon.
    pub(super) fn is_silent(&self, now: Moment) -> bool {
        let patience = if self.stats.is_some() { IDLE } else { SILENT };
        self.silence(now).is_none_or(|silence| silence > patience)
    }
}

/// What was read from Postgres.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Database {
    pub(super) counters: Option<Stamp>,
    pub(super) written: Option<Counter>,
    pub(super) skipped: Option<Counter>,
    /// Rows and skips, by provider.
    pub(super) processed_by: BTreeMap<ProviderId, Counter>,
    pub(super) heartbeats: Option<Stamp>,
    pub(super) pulses: BTreeMap<Arc<str>, Pulse>,
    /// The same of workers that keep statistics of their own.
    pub(super) stats: BTreeMap<Arc<str>, Pulse>,
    pub(super) left_out: u64,
    pub(super) stats_left_out: u64,
    /// Sessions that waited for a lock when the server's health was last read.
    pub(super) blocked: Option<(Stamp, Vec<Blocked>)>,
    /// A worker that was last heard of longer ago is no row any more.
    pub(super) forgotten: Duration,
    pub(super) off: BTreeMap<Panel, String>,
}

fn put(counter: &mut Option<Counter>, span: Span, raw: f64) -> bool {
    match counter {
        None => {
            *counter = Some(Counter::new(span, raw, false));
            false
        }
        Some(known) => follow(known, span, raw),
    }
}

/// Takes a reading of a counter that only grows; true: it fell.
fn follow(counter: &mut Counter, span: impl Into<Arc<Span>>, raw: f64) -> bool {
    let fell = raw < counter.raw();
    if fell {
        counter.rejoin(span, raw);
    } else {
        counter.observe(span, raw);
    }
    fell
}

impl Database {
    /// Takes the pipeline's counters in; true: one fell.
    pub(super) fn count(&mut self, stamp: Stamp, reading: &CounterReading, providers: &mut Providers) -> bool {
        let span = Span::new(stamp.mono, reading.took);
        let written: u64 = reading.providers.iter().map(|p| p.rows_written).sum();
        let skipped: u64 = reading.providers.iter().map(|p| p.skipped).sum();
        let first = self.counters.is_none();
        let mut fell = put(&mut self.written, span, written as f64);
        fell |= put(&mut self.skipped, span, skipped as f64);
        for provider in &reading.providers {
            let Some(id) = providers.id(&provider.provider) else {
                continue;
            };
            let raw = (provider.rows_written + provider.skipped) as f64;
            match self.processed_by.get_mut(&id) {
                Some(counter) => {
                    follow(counter, span, raw);
                }
                None => {
                    self.processed_by.insert(id, Counter::new(span, raw, !first));
                }
            }
        }
        self.counters = Some(stamp);
        self.off.remove(&Panel::Counters);
        fell
    }

    /// Takes the heartbeats in.
    pub(super) fn beat(&mut self, stamp: Stamp, reading: &HeartbeatReading) {
        let now = reading.now.unwrap_or(stamp.at);
        self.left_out = 0;
        let read = Read::new(&stamp, Duration::ZERO);
        let mut kept = 0;
        for beat in &reading.workers {
            let age = beat.last_seen.map(|seen| time::since(seen, now));
            if age.is_none_or(|age| age > self.forgotten.max(FORGOTTEN)) {
                continue;
            }
            if kept >= WORKERS {
                self.left_out += 1;
                continue;
            }
            kept += 1;
            observe(&mut self.pulses, beat, age, &read, None);
        }
        self.pulses.retain(|_, pulse| pulse.stamp.mono == stamp.mono);
        self.heartbeats = Some(stamp);
        self.off.remove(&Panel::Heartbeats);
    }

    /// Takes in whether a panel's relations can be read.
    pub(super) fn panel(&mut self, reading: &PanelReading) {
        match &reading.problem {
            Some(problem) => {
                self.off.insert(reading.panel, problem.clone());
            }
            None => {
                self.off.remove(&reading.panel);
            }
        }
    }

    /// Takes the workers' own statistics in. What has never started and what stopped long ago is
    /// told apart by them, so only the latter is forgotten.
    pub(super) fn take_stats(&mut self, stamp: &Stamp, reading: &OutboundReading, rows: &[WorkerStats]) {
        let now = reading.now.unwrap_or(stamp.at);
        self.stats_left_out = reading.left_out;
        let read = Read::new(stamp, reading.period);
        let mut kept = BTreeSet::new();
        for row in rows {
            let age = row.last_active.map(|seen| time::since(seen, now));
            let over = row.active == Some(false) && age.is_none_or(|age| age > self.forgotten.max(FORGOTTEN));
            if over {
                continue;
            }
            if kept.len() >= WORKERS || !kept.insert(&row.name) {
                self.stats_left_out += 1;
                continue;
            }
            let beat = Heartbeat {
                worker: row.name.clone(),
                last_seen: row.last_active,
                started: None,
                state: row
                    .active
                    .map(|active| if active { "active" } else { "inactive" }.to_owned()),
                version: None,
                processed: row.acknowledged,
            };
            observe(&mut self.stats, &beat, age, &read, Some(row));
        }
        self.stats.retain(|worker, _| kept.contains(worker));
        self.off.remove(&Panel::ConsumerStats);
    }

    /// Forgets what cannot be read any more.
    pub(super) fn lose(&mut self, panel: Panel) {
        if panel == Panel::ConsumerStats {
            self.stats.clear();
            self.stats_left_out = 0;
        }
    }
}

/// What the rows of one reading have in common.
struct Read<'a> {
    stamp: &'a Stamp,
    span: Arc<Span>,
    period: Duration,
}

impl<'a> Read<'a> {
    fn new(stamp: &'a Stamp, period: Duration) -> Self {
        Self {
            stamp,
            span: Span::new(stamp.mono, Duration::ZERO).into(),
            period,
        }
    }
}

/// Takes one worker's row in.
fn observe(
    pulses: &mut BTreeMap<Arc<str>, Pulse>,
    beat: &Heartbeat,
    age: Option<Duration>,
    read: &Read<'_>,
    stats: Option<&WorkerStats>,
) {
    if let Some(known) = pulses.get_mut(&beat.worker) {
        known.observe(beat, age, read, stats);
        return;
    }
    let raw = beat.processed.map(|count| count as f64);
    let pulse = Pulse {
        beat: beat.clone(),
        age,
        processed: raw.map(|raw| Counter::new(read.span.clone(), raw, false)),
        stamp: read.stamp.clone(),
        period: read.period,
        stats: stats.cloned(),
    };
    pulses.insert(beat.worker.clone(), pulse);
}

impl Pulse {
    /// Takes another reading in. Most of what a worker says of itself is what it said before.
    fn observe(&mut self, beat: &Heartbeat, age: Option<Duration>, read: &Read<'_>, stats: Option<&WorkerStats>) {
        let restarted = self.beat.started != beat.started;
        if let Some(raw) = beat.processed.map(|count| count as f64) {
            let span = read.span.clone();
            match &mut self.processed {
                // Statistics begin anew with their process, and say nothing of when.
                Some(counter) if restarted || (stats.is_some() && raw < counter.raw()) => counter.restart(span, raw),
                Some(counter) => {
                    follow(counter, span, raw);
                }
                None => self.processed = Some(Counter::new(span, raw, false)),
            }
        }
        self.beat.last_seen = beat.last_seen;
        self.beat.started = beat.started;
        self.beat.processed = beat.processed;
        if self.beat.state != beat.state {
            self.beat.state.clone_from(&beat.state);
        }
        if self.beat.version != beat.version {
            self.beat.version.clone_from(&beat.version);
        }
        self.age = age;
        self.stamp = read.stamp.clone();
        self.period = read.period;
        self.stats = stats.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::sample::{ProviderCounters, SourceId, SourceKind};

    fn stamp(seconds: u64) -> Stamp {
        Stamp {
            at: Timestamp::UNIX_EPOCH + Duration::from_secs(1_000 + seconds),
            mono: Duration::from_secs(seconds),
            source: SourceId::new(SourceKind::Postgres, "postgres"),
        }
    }

    fn now(seconds: u64) -> Moment {
        Moment {
            at: stamp(seconds).at,
            mono: stamp(seconds).mono,
        }
    }

    fn beats(seconds: u64, seen: u64) -> HeartbeatReading {
        HeartbeatReading {
            workers: vec![Heartbeat {
                worker: "w-1".into(),
                last_seen: Some(stamp(seen).at),
                started: None,
                state: Some("running".into()),
                version: None,
                processed: Some(seconds * 10),
            }],
            now: Some(stamp(seconds).at),
        }
    }

    #[test]
    fn rows_are_summed_over_providers() {
        let mut database = Database::default();
        let mut providers = Providers::default();
        for n in 1..4 {
            let reading = CounterReading {
                providers: vec![
                    ProviderCounters {
                        provider: "a".into(),
                        rows_written: 100 * n,
                        skipped: n,
                    },
                    ProviderCounters {
                        provider: "b".into(),
                        rows_written: 7,
                        skipped: 0,
                    },
                ],
                took: Duration::from_millis(2),
            };
            assert!(!database.count(stamp(n), &reading, &mut providers));
        }
        let rate = database.written.as_ref().and_then(Counter::rate).unwrap();
        assert!((rate - 100.0).abs() < 1e-6);
        let a = database.processed_by[&0].rate().unwrap();
        assert!((a - 101.0).abs() < 1e-6);
    }

    #[test]
    fn a_heartbeat_grows_old_while_nothing_is_read() {
        let mut database = Database::default();
        database.beat(stamp(100), &beats(100, 98));
        let pulse = database.pulses["w-1"].clone();
        assert_eq!(pulse.silence(now(100)), Some(Duration::from_secs(2)));
        assert!(!pulse.is_silent(now(110)));
        assert!(pulse.is_silent(now(114)));
    }

    #[test]
    fn a_worker_long_gone_is_no_row() {
        let mut database = Database::default();
        database.beat(stamp(5_000), &beats(5_000, 100));
        assert!(database.pulses.is_empty());
    }
}
