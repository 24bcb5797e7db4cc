//! One stream over time: what it stored, what left it, what its limits may have evicted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::{self, Timestamp};
use crate::model::counter::{Counter, Span};
use crate::model::sources::Stamp;
use crate::sample::{Discard, Retention, StreamConfig, StreamReading, StreamState, SubjectsReading};

/// How long levels are kept.
const MINUTE: f64 = 61.0;
/// Levels closer together than this are not all kept.
const APART: f64 = 0.2;
/// Messages are called near their end of life this long before it.
const AGE_MARGIN: Duration = Duration::from_secs(10);

/// What a reading of a stream revealed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) enum StreamSign {
    /// Another stream under the same name.
    Recreated,
    /// Its last sequence went back: by how much.
    SequenceBack(u64),
    /// Messages that had left are there again: at least so many.
    Reappeared(u64),
    /// Another leader.
    Leader(String),
}

/// How full a stream was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) at: f64,
    pub(super) messages: f64,
    pub(super) bytes: f64,
    /// Age of its oldest message, seconds.
    pub(super) age: Option<f64>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct StreamTrack {
    pub(in crate::model) stamp: Stamp,
    pub(in crate::model) span: Span,
    pub(in crate::model) state: StreamState,
    pub(in crate::model) config: Arc<StreamConfig>,
    pub(in crate::model) leader: Option<String>,
    /// Whether it is led by a cluster, so that it can be without a leader.
    pub(in crate::model) clustered: bool,
    /// `last_seq`.
    pub(in crate::model) stored: Counter,
    /// `last_seq - messages`: what left.
    pub(in crate::model) removed: Counter,
    /// The same, less what came back: what is stored is this and what the stream holds.
    pub(in crate::model) net: Counter,
    /// The part of it that a limit may have evicted.
    pub(in crate::model) evictable: Counter,
    pub(in crate::model) reappeared: u64,
    pub(super) levels: VecDeque<Level>,
    pub(super) subjects: Option<SubjectsTrack>,
    created: Option<Timestamp>,
    server_clock: bool,
    /// Time of its oldest message.
    oldest: Option<Timestamp>,
    taken: Timestamp,
}

/// Counts per subject, and how the largest one grew.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SubjectsTrack {
    pub(super) reading: SubjectsReading,
    pub(super) at: f64,
    pub(super) largest: VecDeque<(f64, f64)>,
}

fn left(state: &StreamState) -> f64 {
    state.last_seq.saturating_sub(state.messages) as f64
}

impl StreamTrack {
    pub(super) fn new(stamp: Stamp, reading: &StreamReading, epoch: f64) -> Self {
        let span = span(reading, epoch);
        let mut track = Self {
            span,
            state: reading.state.clone(),
            config: reading.config.clone(),
            leader: leader(reading),
            clustered: reading.cluster.is_some(),
            stored: Counter::new(span, reading.state.last_seq as f64, false),
            removed: Counter::new(span, left(&reading.state), false),
            net: Counter::new(span, left(&reading.state), false),
            evictable: Counter::new(span, 0.0, true),
            reappeared: 0,
            levels: VecDeque::new(),
            subjects: None,
            created: reading.created,
            server_clock: reading.ts.is_some(),
            oldest: oldest(&reading.state),
            taken: reading.ts.unwrap_or(stamp.at),
            stamp,
        };
        track.note_level();
        track
    }

    /// Takes a reading in. One that is not newer than the last (a sweep that ran meanwhile) is
    /// passed over: what it shows less would be taken for a loss.
    pub(super) fn observe(&mut self, stamp: Stamp, reading: &StreamReading, epoch: f64) -> Vec<StreamSign> {
        let span = span(reading, epoch);
        if span.ended <= self.span.ended {
            return Vec::new();
        }
        let state = &reading.state;
        let recreated = matches!((self.created, reading.created), (Some(old), Some(new)) if old != new);
        let leads = leader(reading);
        let turned = leads != self.leader;
        let clocked = self.server_clock == reading.ts.is_some();
        let less = state.last_seq < self.state.last_seq || left(state) < left(&self.state);
        if span.may_precede(&self.span) && (recreated || turned || less) {
            return Vec::new();
        }
        let mut signs = Vec::new();
        if recreated {
            signs.push(StreamSign::Recreated);
            self.stored.restart(span, state.last_seq as f64);
            self.removed.restart(span, left(state));
            self.net.restart(span, left(state));
            self.levels.clear();
        } else if state.last_seq < self.state.last_seq {
            signs.push(StreamSign::SequenceBack(self.state.last_seq - state.last_seq));
            self.stored.rejoin(span, state.last_seq as f64);
            self.removed.rejoin(span, left(state));
            self.net.follow(span, left(state));
        } else {
            let gone = left(state);
            let back = self.removed.raw() - gone;
            if turned || !clocked {
                self.stored.rejoin(span, state.last_seq as f64);
            } else {
                self.stored.observe(span, state.last_seq as f64);
            }
            if back > 0.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a difference of counts"
                )]
                let count = back as u64;
                self.reappeared += count;
                signs.push(StreamSign::Reappeared(count));
            }
            self.net.follow(span, gone);
            if back > 0.0 || turned || !clocked {
                self.removed.rejoin(span, gone);
            } else {
                self.removed.observe(span, gone);
            }
            if turned && let Some(leader) = &leads {
                signs.push(StreamSign::Leader(leader.clone()));
            }
        }
        self.note_evictable(span, reading);
        self.oldest = oldest(state);
        self.taken = reading.ts.unwrap_or(stamp.at);
        self.created = reading.created.or(self.created);
        self.server_clock = reading.ts.is_some();
        self.state = state.clone();
        self.config = reading.config.clone();
        self.leader = leads;
        self.clustered = reading.cluster.is_some();
        self.span = span;
        self.stamp = stamp;
        self.note_level();
        signs
    }

    /// What left since the last reading may have been evicted only where a limit could.
    fn note_evictable(&mut self, span: Span, reading: &StreamReading) {
        let gone = (left(&reading.state) - left(&self.state)).max(0.0);
        let could = self.could_evict(reading, span.ended - self.span.ended);
        let total = self.evictable.raw() + if could { gone } else { 0.0 };
        self.evictable.observe(span, total);
    }

    fn could_evict(&self, reading: &StreamReading, elapsed: f64) -> bool {
        let config = &self.config;
        let arrived = reading.state.last_seq.saturating_sub(self.state.last_seq);
        let most = self.state.messages + arrived;
        let aged = config.max_age.is_some_and(|limit| {
            let margin = AGE_MARGIN.min(limit / 10);
            let age = self.age().unwrap_or_default() + Duration::from_secs_f64(elapsed.max(0.0)) + margin;
            age >= limit
        });
        let old = config.discard == Discard::Old;
        let full = old && config.max_msgs.is_some_and(|limit| most >= limit);
        let mean = |state: &StreamState| state.bytes.checked_div(state.messages);
        let size = mean(&self.state).max(mean(&reading.state)).unwrap_or(1_024);
        let heavy = old
            && config
                .max_bytes
                .is_some_and(|limit| self.state.bytes.saturating_add(arrived.saturating_mul(2 * size)) >= limit);
        let crowded =
            (old || !config.discard_new_per_subject) && config.max_msgs_per_subject.is_some_and(|limit| most >= limit);
        aged || full || heavy || crowded
    }

    /// Age of its oldest message when it was last read.
    pub(super) fn age(&self) -> Option<Duration> {
        self.oldest.map(|oldest| time::since(oldest, self.taken))
    }

    fn note_level(&mut self) {
        let at = self.span.ended;
        let level = Level {
            at,
            messages: self.state.messages as f64,
            bytes: self.state.bytes as f64,
            age: self.age().map(|age| age.as_secs_f64()),
        };
        match self.levels.back_mut() {
            Some(last) if at - last.at < APART => *last = level,
            _ => self.levels.push_back(level),
        }
        while self.levels.front().is_some_and(|level| level.at < at - MINUTE) {
            self.levels.pop_front();
        }
    }

    /// Takes the counts per subject in.
    pub(super) fn note_subjects(&mut self, at: f64, reading: &SubjectsReading) {
        let most = reading.counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let mut largest = self.subjects.take().map(|track| track.largest).unwrap_or_default();
        largest.push_back((at, most as f64));
        while largest.front().is_some_and(|(then, _)| *then < at - 2.0 * MINUTE) {
            largest.pop_front();
        }
        self.subjects = Some(SubjectsTrack {
            reading: reading.clone(),
            at,
            largest,
        });
    }

    /// Whether what its consumers complete leaves it.
    pub(in crate::model) fn acks_remove(&self) -> bool {
        self.config.retention != Retention::Limits
    }
}

fn span(reading: &StreamReading, epoch: f64) -> Span {
    Span::new(reading.mono, reading.took).with_clock(reading.ts.map(|ts| seconds(ts) - epoch))
}

/// Unix time in seconds.
pub(in crate::model) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn leader(reading: &StreamReading) -> Option<String> {
    reading.cluster.as_ref().and_then(|cluster| cluster.leader.clone())
}

fn oldest(state: &StreamState) -> Option<Timestamp> {
    (state.messages > 0).then_some(state.first_ts).flatten()
}
