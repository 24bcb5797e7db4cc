//! One consumer over time: backlog, deliveries, completions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::stream::seconds;
use super::subjects::takes;
use crate::base::time::{self, Timestamp};
use crate::model::counter::{Counter, Span, WINDOW};
use crate::model::interval::Interval;
use crate::model::sources::Stamp;
use crate::sample::{ConsumerConfig, ConsumerReading, OldestReading, SequencePair, StreamConfig, StreamState};

/// How long levels are kept.
const MINUTE: f64 = 61.0;
/// A window may be longer by this share.
const SLACK: f64 = 0.05;
/// What was held is asked for over this many seconds: as long as sources may be read apart.
const LATELY: f64 = 3.0;
/// The drain estimate follows the pace with this time constant, seconds.
const SMOOTH: f64 = 5.0;

/// What a reading of a consumer revealed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) enum ConsumerSign {
    /// Another consumer under the same name: its counters began again.
    Recreated,
    /// Its counters fell back: its server restarted.
    FellBack,
}

/// A consumer at one moment. Stream sequences are those just before and just after it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) clock: f64,
    pub(super) pending: f64,
    pub(super) ack_pending: f64,
    pub(super) redelivered: f64,
    pub(super) attempts: f64,
    pub(super) last_seq: Interval,
}

/// How a backlog rose, second by second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct Rise {
    /// Seconds looked at, and in how many it rose.
    pub(in crate::model) steps: usize,
    pub(in crate::model) rises: usize,
    /// By how much in all, within.
    pub(in crate::model) grown: f64,
    pub(in crate::model) seconds: f64,
}

impl Level {
    pub(super) fn backlog(&self) -> f64 {
        self.pending + self.ack_pending
    }
}

/// A consumer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct ConsumerTrack {
    pub(in crate::model) stamp: Stamp,
    pub(in crate::model) span: Span,
    pub(in crate::model) config: Arc<ConsumerConfig>,
    pub(in crate::model) delivered: SequencePair,
    pub(in crate::model) ack_floor: SequencePair,
    pub(in crate::model) pending: u64,
    pub(in crate::model) ack_pending: u64,
    pub(in crate::model) redelivered: u64,
    pub(in crate::model) waiting: u64,
    pub(in crate::model) paused: bool,
    pub(in crate::model) leader: Option<String>,
    pub(in crate::model) clustered: bool,
    /// `delivered.consumer_seq`.
    pub(in crate::model) attempts: Counter,
    /// When something was last delivered, completed, or changed at all: seconds since session start.
    pub(in crate::model) delivered_at: f64,
    pub(in crate::model) completed_at: f64,
    pub(in crate::model) changed_at: f64,
    /// Since when there has been a backlog.
    pub(in crate::model) backlog_since: f64,
    /// When its counters last began again.
    pub(in crate::model) reset_at: Option<f64>,
    pub(in crate::model) recreated_at: Option<f64>,
    pub(super) levels: VecDeque<Level>,
    pub(super) oldest: Option<(Stamp, OldestReading)>,
    /// Whether it takes everything that its stream takes.
    pub(in crate::model) unfiltered: bool,
    created: Option<Timestamp>,
    taken: Timestamp,
    /// By how much the backlog shrinks per second, smoothed.
    shrinks: Option<f64>,
    removed: f64,
    /// Deliveries beyond the first, as far as the sequences tell: `consumer_seq - stream_seq`.
    excess: f64,
    retries: Counter,
    /// Undelivered messages that are gone, as far as the sequences tell.
    jumped: f64,
    evicted: Counter,
}

impl ConsumerTrack {
    pub(super) fn new(
        stamp: Stamp,
        reading: &ConsumerReading,
        around: [&StreamState; 2],
        stream: &StreamConfig,
        epoch: f64,
    ) -> Self {
        let span = span(reading, epoch);
        let excess = excess(reading);
        let mut track = Self {
            span,
            config: reading.config.clone(),
            delivered: reading.delivered,
            ack_floor: reading.ack_floor,
            pending: reading.num_pending,
            ack_pending: reading.num_ack_pending,
            redelivered: reading.num_redelivered,
            waiting: reading.num_waiting,
            paused: reading.paused == Some(true),
            leader: leader(reading),
            clustered: reading.cluster.is_some(),
            attempts: Counter::new(span, reading.delivered.consumer_seq as f64, false),
            delivered_at: span.ended,
            completed_at: span.ended,
            changed_at: span.ended,
            backlog_since: span.ended,
            reset_at: None,
            recreated_at: None,
            levels: VecDeque::new(),
            oldest: None,
            unfiltered: unfiltered(&reading.config, stream),
            created: reading.created,
            taken: reading.ts.unwrap_or(stamp.at),
            shrinks: None,
            removed: left(around[1]),
            excess,
            retries: Counter::new(span, 0.0, true),
            jumped: jumped(reading, around[0]),
            evicted: Counter::new(span, 0.0, true),
            stamp,
        };
        track.note_level(reading, around);
        track
    }

    /// Notes that it is another one than the one that had its name.
    pub(super) fn note_recreated(&mut self) {
        self.reset_at = Some(self.span.ended);
        self.recreated_at = Some(self.span.ended);
    }

    /// Takes a reading in, with the stream's state before and after it. One that is not newer
    /// than the last (a sweep that ran meanwhile) is passed over.
    pub(super) fn observe(
        &mut self,
        stamp: Stamp,
        reading: &ConsumerReading,
        around: [&StreamState; 2],
        stream: &StreamConfig,
        epoch: f64,
    ) -> Option<ConsumerSign> {
        let span = span(reading, epoch);
        if span.ended <= self.span.ended {
            return None;
        }
        let attempts = reading.delivered.consumer_seq as f64;
        let recreated = matches!((self.created, reading.created), (Some(old), Some(new)) if is_another(old, new));
        let fell = attempts < self.attempts.raw() || reading.ack_floor.stream_seq < self.ack_floor.stream_seq;
        let turned = leader(reading) != self.leader;
        if span.may_precede(&self.span) && (recreated || fell || turned) {
            return None;
        }
        let shared = Arc::new(span);
        let sign = if recreated {
            Some(ConsumerSign::Recreated)
        } else if fell {
            Some(ConsumerSign::FellBack)
        } else {
            None
        };
        if sign.is_some() || turned {
            self.levels.clear();
            self.shrinks = None;
            self.reset_at = Some(span.ended);
        }
        match sign {
            Some(ConsumerSign::Recreated) => {
                self.attempts.restart(shared.clone(), attempts);
                self.recreated_at = Some(span.ended);
            }
            Some(ConsumerSign::FellBack) => self.attempts.rejoin(shared.clone(), attempts),
            None if turned => self.attempts.rejoin(shared.clone(), attempts),
            None => self.attempts.observe(shared.clone(), attempts),
        }
        self.note_progress(&shared, reading, around, sign.is_some());
        self.span = span;
        self.config = reading.config.clone();
        self.delivered = reading.delivered;
        self.ack_floor = reading.ack_floor;
        self.pending = reading.num_pending;
        self.ack_pending = reading.num_ack_pending;
        self.redelivered = reading.num_redelivered;
        self.waiting = reading.num_waiting;
        self.paused = reading.paused == Some(true);
        self.leader = leader(reading);
        self.clustered = reading.cluster.is_some();
        self.created = reading.created.or(self.created);
        self.taken = reading.ts.unwrap_or(stamp.at);
        self.unfiltered = unfiltered(&reading.config, stream);
        self.stamp = stamp;
        self.note_level(reading, around);
        sign
    }

    /// Notes when something was delivered, completed, changed.
    fn note_progress(&mut self, span: &Arc<Span>, reading: &ConsumerReading, around: [&StreamState; 2], reset: bool) {
        let now = span.ended;
        let floor = reading.ack_floor.stream_seq != self.ack_floor.stream_seq;
        let held = reading.num_ack_pending != self.ack_pending;
        let gave = reading.delivered.consumer_seq > self.delivered.consumer_seq;
        if gave || reset {
            self.delivered_at = now;
        }
        if gave || reset || floor || held {
            self.changed_at = now;
        }
        if self.backlog() == 0 {
            self.backlog_since = now;
        }
        // Deliveries that are no longer held were completed, unless some came again: then only
        // what left the stream or the floor tells.
        let done = |delivered: u64, held: u64| delivered as f64 - held as f64;
        let calm = reading.num_redelivered == self.redelivered;
        let finished = calm
            && done(reading.delivered.consumer_seq, reading.num_ack_pending)
                > done(self.delivered.consumer_seq, self.ack_pending);
        let removed = left(around[1]);
        if reset || floor || finished || removed > self.removed {
            self.completed_at = now;
        }
        self.removed = removed;
        let excess = excess(reading);
        if reset || excess <= self.excess {
            self.retries.observe(span.clone(), self.retries.raw());
        } else {
            self.retries
                .observe(span.clone(), self.retries.raw() + excess - self.excess);
        }
        self.excess = if reset { excess } else { self.excess.max(excess) };
        let jumped = jumped(reading, around[0]);
        let further = if reset { 0.0 } else { (jumped - self.jumped).max(0.0) };
        self.evicted.observe(span.clone(), self.evicted.raw() + further);
        self.jumped = if reset { jumped } else { self.jumped.max(jumped) };
    }

    fn note_level(&mut self, reading: &ConsumerReading, around: [&StreamState; 2]) {
        let (from, to) = (around[0].last_seq, around[1].last_seq.max(around[0].last_seq));
        self.levels.push_back(Level {
            clock: self.span.clock,
            pending: reading.num_pending as f64,
            ack_pending: reading.num_ack_pending as f64,
            redelivered: reading.num_redelivered as f64,
            attempts: reading.delivered.consumer_seq as f64,
            last_seq: Interval::new(from as f64, to as f64),
        });
        while self
            .levels
            .front()
            .is_some_and(|level| level.clock < self.span.clock - MINUTE)
        {
            self.levels.pop_front();
        }
        if let Some((from, to)) = self.window() {
            let pace = (from.backlog() - to.backlog()) / (to.clock - from.clock);
            let step = match self.levels.len().checked_sub(2).and_then(|at| self.levels.get(at)) {
                Some(before) => (self.span.clock - before.clock).max(0.0),
                None => 0.0,
            };
            self.shrinks = Some(match self.shrinks {
                Some(known) => known + (pace - known) * (1.0 - (-step / SMOOTH).exp()),
                None => pace,
            });
        }
    }

    /// The levels at both ends of the last 10 s; `None` under two readings.
    pub(super) fn window(&self) -> Option<(&Level, &Level)> {
        let to = self.levels.back()?;
        let within = |level: &&Level| level.clock >= to.clock - WINDOW * (1.0 + SLACK);
        let from = self.levels.iter().rev().take_while(within).last()?;
        (to.clock > from.clock).then_some((from, to))
    }

    /// Waiting and held.
    pub(in crate::model) fn backlog(&self) -> u64 {
        self.pending + self.ack_pending
    }

    /// The most that was held in the last seconds.
    pub(in crate::model) fn most_held(&self) -> f64 {
        self.levels
            .iter()
            .rev()
            .take_while(|level| level.clock >= self.span.clock - LATELY)
            .map(|level| level.ack_pending)
            .fold(0.0, f64::max)
    }

    /// By how much the backlog grows per second, last 10 s.
    pub(in crate::model) fn backlog_slope(&self) -> Option<f64> {
        let (from, to) = self.window()?;
        Some((to.backlog() - from.backlog()) / (to.clock - from.clock))
    }

    /// Time until the backlog is empty: backlog over completed minus ingest, which is by how
    /// much the backlog shrinks, smoothed. `None` when it does not shrink.
    pub(super) fn drain_eta(&self) -> Option<f64> {
        let backlog = self.backlog() as f64;
        if backlog <= 0.0 {
            return Some(0.0);
        }
        // The smoothed pace lags behind: beside a backlog that is seen to grow it would be a lie.
        let grows = self.backlog_slope().is_some_and(|slope| slope >= 0.0);
        let pace = self.shrinks.filter(|pace| *pace > 0.0 && !grows)?;
        Some(backlog / pace)
    }

    /// Deliveries per second over the last 10 s, first ones and retries.
    pub(in crate::model) fn attempt_rate(&self) -> Option<f64> {
        let (from, to) = self.window()?;
        Some((to.attempts - from.attempts) / (to.clock - from.clock))
    }

    /// Completed per second, and whether it is only an upper bound: deliveries that are no
    /// longer held. Exact while nothing is delivered twice.
    pub(super) fn completed(&self) -> Option<(f64, bool)> {
        let (from, to) = self.window()?;
        let held = to.ack_pending - from.ack_pending;
        let rate = (to.attempts - from.attempts - held) / (to.clock - from.clock);
        let still = self
            .levels
            .iter()
            .filter(|level| level.clock >= from.clock)
            .all(|level| level.redelivered <= 0.0);
        // A negative one: what was held came back to pending. That is no completion.
        (rate >= 0.0).then_some((rate, !still))
    }

    /// Retries per second: deliveries that were not first ones. Deletes and purges of waiting
    /// messages would show as negative retries: then it is unknown.
    pub(in crate::model) fn retry_rate(&self) -> Option<f64> {
        if !self.unfiltered {
            return None;
        }
        let (from, to) = self.window()?;
        let arrived = to.last_seq - from.last_seq;
        let known = to.attempts - from.attempts + to.pending - from.pending;
        let retries = Interval::exact(known) - arrived;
        if retries.hi < 0.0 {
            return None;
        }
        Some(retries.lo.max(0.0) / (to.clock - from.clock))
    }

    /// Deliveries that were not first ones, since the session started: a bound of how often
    /// anything can have been done twice. `None` for a filtered consumer, whose sequences
    /// do not tell.
    pub(in crate::model) fn retries(&self) -> Option<&Counter> {
        self.unfiltered.then_some(&self.retries)
    }

    /// Undelivered messages that are gone, since the session started: a lower bound of what was
    /// evicted (deletes and purges are in it). Means something for an unfiltered consumer only.
    pub(in crate::model) fn evicted(&self) -> &Counter {
        &self.evicted
    }

    /// The slope of the backlog under its sawtooth over the last 20 s.
    pub(in crate::model) fn steady_slope(&self) -> Option<f64> {
        let now = self.span.clock;
        let points: Vec<(f64, f64)> = self
            .levels
            .iter()
            .filter(|level| level.clock >= now - 20.0)
            .map(|level| (level.clock, level.backlog()))
            .collect();
        super::limits::slope(&points)
    }

    /// How the backlog rose in the last 6 s.
    pub(in crate::model) fn rise(&self) -> Rise {
        let Some(to) = self.levels.back() else {
            return Rise::default();
        };
        let mut rise = Rise::default();
        let mut later = to;
        for level in self.levels.iter().rev().skip(1) {
            // Readings closer together than a second are one step.
            if later.clock - level.clock < 0.8 {
                continue;
            }
            if to.clock - level.clock > 6.6 {
                break;
            }
            rise.steps += 1;
            rise.rises += usize::from(later.backlog() > level.backlog());
            rise.grown = to.backlog() - level.backlog();
            rise.seconds = to.clock - level.clock;
            later = level;
        }
        rise
    }

    /// Least and most backlog of the last 10 s.
    pub(in crate::model) fn backlog_range(&self) -> (f64, f64) {
        self.levels
            .iter()
            .filter(|level| level.clock >= self.span.clock - WINDOW)
            .map(Level::backlog)
            .fold((f64::INFINITY, 0.0), |(lo, hi), backlog| {
                (lo.min(backlog), hi.max(backlog))
            })
    }

    /// Age of the oldest message that was never delivered, when it was asked for.
    pub(in crate::model) fn oldest_waiting(&self) -> Option<(Duration, &Stamp)> {
        let (stamp, oldest) = self.oldest.as_ref()?;
        let stored = oldest.waiting.filter(|_| self.pending > 0)?;
        Some((time::since(stored, oldest.asked_at), stamp))
    }

    /// Age of the oldest message that is held.
    pub(in crate::model) fn oldest_held(&self) -> Option<(Duration, &Stamp)> {
        let (stamp, oldest) = self.oldest.as_ref()?;
        let stored = oldest.held.filter(|_| self.ack_pending > 0)?;
        Some((time::since(stored, oldest.asked_at), stamp))
    }

    /// How long ago something was last delivered: by the server where it tells, else since we saw it.
    pub(in crate::model) fn since_delivery(&self, now: f64) -> f64 {
        match self.delivered.last_active {
            Some(active) => time::since(active, self.taken).as_secs_f64() + (now - self.span.ended).max(0.0),
            None => (now - self.delivered_at).max(0.0),
        }
    }

    /// What is held over `max_ack_pending`; `None` without such a limit.
    pub(in crate::model) fn fill(&self) -> Option<f64> {
        let most = self.config.max_ack_pending.filter(|most| *most > 0)?;
        Some(self.ack_pending as f64 / most as f64)
    }

    /// Whether all that is left waits for a retry: nothing is wrong with the workers.
    pub(in crate::model) fn only_retries(&self) -> bool {
        self.pending == 0 && self.ack_pending > 0 && self.redelivered >= self.ack_pending
    }
}

/// Whether times of creation are those of two consumers. Up to 2.9 a restarted server tells of
/// the same consumer a time that differs by less than a second: it keeps another moment of it.
fn is_another(old: Timestamp, new: Timestamp) -> bool {
    new.duration_since(old).unsigned_abs() >= Duration::from_secs(1)
}

fn left(state: &StreamState) -> f64 {
    state.last_seq.saturating_sub(state.messages) as f64
}

fn span(reading: &ConsumerReading, epoch: f64) -> Span {
    Span::new(reading.mono, reading.took).with_clock(reading.ts.map(|ts| seconds(ts) - epoch))
}

fn excess(reading: &ConsumerReading) -> f64 {
    reading.delivered.consumer_seq as f64 - reading.delivered.stream_seq as f64
}

/// Growth of `max(delivered.stream_seq, first_seq - 1) - delivered.consumer_seq` is a lower
/// bound of what was evicted undelivered.
fn jumped(reading: &ConsumerReading, stream: &StreamState) -> f64 {
    let passed = reading.delivered.stream_seq.max(stream.first_seq.saturating_sub(1));
    passed as f64 - reading.delivered.consumer_seq as f64
}

fn leader(reading: &ConsumerReading) -> Option<String> {
    reading.cluster.as_ref().and_then(|cluster| cluster.leader.clone())
}

fn unfiltered(config: &ConsumerConfig, stream: &StreamConfig) -> bool {
    config.filter_subjects.is_empty()
        || (!stream.subjects.is_empty()
            && stream
                .subjects
                .iter()
                .all(|subject| takes(&config.filter_subjects, subject)))
}
