//! What a line of the ledger is made of: counters, each with what it was at a moment.

use std::borrow::Cow;

use crate::model::counter::Counter;
use crate::model::database::Database;
use crate::model::interval::Interval;
use crate::model::metrics::{Metrics, Tally, Target};
use crate::model::queues::StreamTrack;
use crate::model::sources::{Sources, Stamp};
use crate::model::view::Health;

/// One counter of one source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    counter: &'a Counter,
    /// The last moment of which it is known what it had counted.
    known_until: f64,
}

impl<'a> Part<'a> {
    fn new(counter: &'a Counter) -> Self {
        Self {
            counter,
            known_until: counter.newest().begun,
        }
    }

    fn of(target: &Target, counter: &'a Counter) -> Self {
        Self {
            counter,
            known_until: target.known_until(),
        }
    }

    /// What it counted since its first reading, or since its process began, at `t`.
    fn at(&self, t: f64) -> Interval {
        let at = self.counter.at(t);
        // A process that is gone counts nothing more.
        let hi = if at.hi.is_infinite() && t <= self.known_until {
            self.counter.since_start()
        } else {
            at.hi
        };
        Interval::new(at.lo, hi.max(at.lo))
    }
}

/// One term of a line: the sum of a counter over its sources.
#[derive(Clone, Debug)]
pub(super) struct Term<'a> {
    pub(super) name: &'static str,
    /// `None`: it has no source now. Empty: it is known to be 0.
    pub(super) parts: Parts<'a>,
}

/// What a counter is of each of its sources; `None`: it has no source now.
pub(super) type Parts<'a> = Option<Cow<'a, [Part<'a>]>>;

impl<'a> Term<'a> {
    pub(super) fn new(name: &'static str, parts: Parts<'a>) -> Self {
        Self { name, parts }
    }

    /// A term that is known to be 0.
    pub(super) fn zero(name: &'static str) -> Self {
        Self::new(name, Some(Cow::Borrowed(&[])))
    }

    /// Its newest value.
    pub(super) fn value(&self) -> Option<f64> {
        let parts = self.parts.as_ref()?;
        Some(parts.iter().fold(0.0, |sum, part| sum + part.counter.since_start()))
    }

    /// Its value at `t`.
    pub(super) fn at(&self, t: f64) -> Option<Interval> {
        Some(self.parts.as_ref()?.iter().map(|part| part.at(t)).sum())
    }

    /// The last moment of which all its parts are known.
    pub(super) fn known_until(&self) -> f64 {
        self.parts
            .iter()
            .flat_map(|parts| parts.iter())
            .map(|part| part.known_until)
            .fold(f64::INFINITY, f64::min)
    }

    /// When the last of its counters that may have counted before was first read.
    pub(super) fn complete_from(&self) -> f64 {
        self.parts
            .iter()
            .flat_map(|parts| parts.iter())
            .filter(|part| part.counter.origin() > 0.0)
            .map(|part| part.counter.first_read())
            .fold(0.0, f64::max)
    }

    /// What counters had counted that were first read after `t`: some of it, it may be, in the session.
    pub(super) fn latecomers(&self, t: f64) -> f64 {
        self.parts
            .iter()
            .flat_map(|parts| parts.iter())
            .filter(|part| part.counter.first_read() > t)
            .map(|part| part.counter.origin())
            .sum()
    }

    /// How much it can have grown between two moments.
    pub(super) fn growth(&self, from: f64, to: f64) -> f64 {
        match (self.at(from), self.at(to)) {
            (Some(from), Some(to)) => (to.hi - from.lo).max(0.0),
            _ => f64::INFINITY,
        }
    }
}

/// Where the terms come from.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Books<'a> {
    pub(in crate::model) sources: &'a Sources,
    pub(in crate::model) metrics: &'a Metrics,
    pub(in crate::model) database: &'a Database,
    pub(in crate::model) stream: Option<&'a StreamTrack>,
    pub(in crate::model) letters: Option<&'a StreamTrack>,
    pub(in crate::model) unread: Unread,
    pub(in crate::model) tallies: &'a Tallies<'a>,
}

/// The endpoints that were never read.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Unread {
    /// Whether one of them may well be running.
    riddle: bool,
    /// The last moment at which all of them were known not to run.
    quiet_until: f64,
}

impl Unread {
    pub(in crate::model) fn of(metrics: &Metrics, sources: &Sources) -> Self {
        let mut out = Self {
            riddle: false,
            quiet_until: f64::INFINITY,
        };
        for source in metrics.unread(sources) {
            if source.refuses() {
                out.quiet_until = out.quiet_until.min(source.reported().as_secs_f64());
            } else {
                out.riddle |= source.health() != Health::Off;
            }
        }
        out
    }
}

/// Which targets have a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Gateways,
    Workers,
}

/// The counters of gateways and workers that lines are made of.
const TALLIES: [(Side, Tally); 8] = [
    (Side::Gateways, Tally::Received),
    (Side::Gateways, Tally::Queued),
    (Side::Gateways, Tally::Refused),
    (Side::Gateways, Tally::Unconfirmed),
    (Side::Gateways, Tally::Duplicate),
    (Side::Workers, Tally::Acked),
    (Side::Workers, Tally::Terminated),
    (Side::Workers, Tally::Processed),
];

/// Those counters, each summed over the gateways or the workers: several lines have the same.
#[derive(Clone, Debug)]
pub(in crate::model) struct Tallies<'a>([Option<Vec<Part<'a>>>; TALLIES.len()]);

impl<'a> Tallies<'a> {
    /// No source: when there is none, when one of them does not export it, or when one of them
    /// (or an endpoint that may be one) does not answer; one that is not running is known to count
    /// nothing. `unread_workers`: some say in Postgres that they run, and nobody reads their counters.
    pub(in crate::model) fn of(metrics: &'a Metrics, unread: Unread, unread_workers: bool) -> Self {
        let mut any = [false; 2];
        let mut terms = TALLIES.map(|_| Some(Vec::new()));
        for target in metrics.targets.values() {
            let mine = [target.is_gateway(), target.is_worker()];
            let counts_on = target.is_fresh() || target.dead.is_some();
            for ((side, tally), term) in TALLIES.iter().zip(&mut terms) {
                if !mine[*side as usize] {
                    continue;
                }
                any[*side as usize] = true;
                if !counts_on || !target.counts(*tally) {
                    *term = None;
                }
                if let (Some(parts), Some(counter)) = (term, target.total(*tally)) {
                    parts.push(Part::of(target, counter));
                }
            }
        }
        for ((side, _), term) in TALLIES.iter().zip(&mut terms) {
            let hidden = *side == Side::Workers && unread_workers;
            if hidden || unread.riddle || !any[*side as usize] {
                *term = None;
            }
        }
        Self(terms)
    }
}

impl<'a> Books<'a> {
    /// A counter summed over the gateways or the workers.
    pub(super) fn tally(&self, side: Side, tally: Tally) -> Parts<'a> {
        let at = TALLIES.iter().position(|known| *known == (side, tally))?;
        Some(Cow::Borrowed(self.tallies.0[at].as_ref()?))
    }

    /// The last moment at which every endpoint that was never read was known not to run.
    pub(super) fn quiet_until(&self) -> f64 {
        self.unread.quiet_until
    }

    /// A counter that anybody may export; nobody does: known to be 0.
    pub(super) fn others(&self, tally: Tally) -> Parts<'a> {
        let mut parts = Vec::new();
        for target in self.metrics.targets.values() {
            let Some(counter) = target.total(tally) else { continue };
            if !(target.is_fresh() || target.dead.is_some()) {
                return None;
            }
            parts.push(Part::of(target, counter));
        }
        Some(parts.into())
    }

    fn fresh(&self, stamp: &Stamp) -> bool {
        self.sources.is_fresh(stamp)
    }

    /// What the stream stored.
    pub(super) fn stored(&self) -> Parts<'a> {
        let stream = self.stream.filter(|stream| self.fresh(&stream.stamp))?;
        Some(vec![Part::new(&stream.stored)].into())
    }

    /// What left the stream; where acks do not remove messages it means nothing.
    pub(super) fn removed(&self) -> Parts<'a> {
        let stream = self
            .stream
            .filter(|stream| self.fresh(&stream.stamp) && stream.acks_remove())?;
        Some(vec![Part::new(&stream.removed)].into())
    }

    /// What left the stream and did not come back.
    pub(super) fn gone(&self) -> Parts<'a> {
        let stream = self
            .stream
            .filter(|stream| self.fresh(&stream.stamp) && stream.acks_remove())?;
        Some(vec![Part::new(&stream.net)].into())
    }

    /// What of it a limit may have evicted.
    pub(super) fn evictable(&self) -> Parts<'a> {
        Some(vec![Part::new(&self.stream?.evictable)].into())
    }

    /// Copies in the dead letter stream.
    pub(super) fn copies(&self) -> Parts<'a> {
        let letters = self.letters.filter(|letters| self.fresh(&letters.stamp))?;
        Some(vec![Part::new(&letters.stored)].into())
    }

    fn row(&self, counter: Option<&'a Counter>) -> Parts<'a> {
        let stamp = self.database.counters.as_ref()?;
        Some(vec![Part::new(counter.filter(|_| self.fresh(stamp))?)].into())
    }

    /// Rows that Postgres has taken.
    pub(super) fn rows(&self) -> Parts<'a> {
        self.row(self.database.written.as_ref())
    }

    /// Webhooks that it had already.
    pub(super) fn skips(&self) -> Parts<'a> {
        self.row(self.database.skipped.as_ref())
    }
}
