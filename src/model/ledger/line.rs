//! The six lines: which terms stand on which side, and what may be in flight between them.

use super::term::{Books, Parts, Side, Term};
use super::{Bound, Context, Opened, Outcome};
use crate::model::counter::Counter;
use crate::model::interval::Interval;
use crate::model::metrics::{Distribution, Gauge, Tally};
use crate::model::queues::ConsumerTrack;
use crate::model::view::LedgerLine;

/// A batch's size where no worker tells it.
const BATCH: f64 = 100.0;

/// What a quiet moment showed to be neither lost nor doubled: counted by a process that ended
/// before it was read again, done twice, stored without a `PubAck`.
const EXPLAINED: &str = "unread or repeated";

/// The lines, in the order of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) enum LineId {
    /// received = refused + unconfirmed + queued
    Received,
    /// queued + replayed + others = stored + duplicates
    Stored,
    /// left the stream = acks + terminated + evicted + deleted
    Left,
    /// acks = processed + copies to the DLQ
    Acked,
    /// processed = rows + skips
    Written,
    /// stored = rows + skips + dead letters + waiting
    Total,
}

impl LineId {
    pub(in crate::model) const ALL: [Self; 6] = [
        Self::Received,
        Self::Stored,
        Self::Left,
        Self::Acked,
        Self::Written,
        Self::Total,
    ];

    /// Its id in the JSON contract.
    pub(in crate::model) fn key(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Stored => "stored",
            Self::Left => "left",
            Self::Acked => "acked",
            Self::Written => "written",
            Self::Total => "total",
        }
    }
}

/// What may have moved the difference without anything being lost, counted since the session
/// started: things done twice, publishes stored without a `PubAck`, evictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Drift {
    down: f64,
    up: f64,
}

impl Drift {
    /// What was added since `then`.
    pub(super) fn since(self, then: Self) -> Self {
        let more = |now: f64, then: f64| if now.is_infinite() { now } else { (now - then).max(0.0) };
        Self {
            down: more(self.down, then.down),
            up: more(self.up, then.up),
        }
    }

    /// Whether nothing was added since `then`.
    pub(super) fn is_none_since(self, then: Self) -> bool {
        let more = self.since(then);
        more.down <= 0.0 && more.up <= 0.0
    }

    /// Where a difference may lie that was at `usual`.
    pub(super) fn around(self, usual: Interval) -> Interval {
        usual.widen(self.down, self.up)
    }
}

/// The most that parts can have counted until `t`.
fn high(parts: Parts<'_>, t: f64) -> f64 {
    Term::new("", parts).at(t).map_or(f64::INFINITY, |at| at.hi)
}

/// One line with its terms as they stand.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    id: LineId,
    left: Vec<Term<'a>>,
    right: Vec<Term<'a>>,
    books: Books<'a>,
    consumer: Option<&'a ConsumerTrack>,
}

impl<'a> Line<'a> {
    pub(super) fn of(id: LineId, context: &Context<'a>) -> Self {
        let books = context.books;
        let gateway = |name, tally| Term::new(name, books.tally(Side::Gateways, tally));
        let worker = |name, tally| Term::new(name, books.tally(Side::Workers, tally));
        let rows = || Term::new("rows", books.rows());
        let skips = || Term::new("skipped", books.skips());
        let copies = || Term::new("dead letters", books.copies());
        let (left, right) = match id {
            LineId::Received => (
                vec![gateway("received", Tally::Received)],
                vec![
                    gateway("queued", Tally::Queued),
                    gateway("refused", Tally::Refused),
                    gateway("unconfirmed", Tally::Unconfirmed),
                ],
            ),
            LineId::Stored => (
                vec![
                    gateway("queued", Tally::Queued),
                    Term::zero("replayed"),
                    Term::new("others", books.others(Tally::OtherPublished)),
                ],
                vec![
                    Term::new("stored", books.stored()),
                    gateway("duplicates", Tally::Duplicate),
                ],
            ),
            LineId::Left => (
                vec![Term::new("left the stream", books.removed())],
                vec![
                    worker("acks", Tally::Acked),
                    worker("terminated", Tally::Terminated),
                    Term::zero("evicted"),
                    Term::zero("deleted"),
                ],
            ),
            LineId::Acked => (
                vec![worker("worker acks", Tally::Acked)],
                vec![worker("processed", Tally::Processed), copies()],
            ),
            LineId::Written => (vec![worker("processed", Tally::Processed)], vec![rows(), skips()]),
            LineId::Total => (
                vec![Term::new("stored", books.gone())],
                vec![rows(), skips(), copies(), worker("terminated", Tally::Terminated)],
            ),
        };
        Self {
            id,
            left,
            right,
            books,
            consumer: context.consumer,
        }
    }

    fn terms(&self) -> impl Iterator<Item = &Term<'a>> {
        self.left.iter().chain(&self.right)
    }

    /// Whether workers may have done the one side of it and not yet the other: what they hold
    /// must be known as well.
    fn needs_held(&self) -> bool {
        matches!(self.id, LineId::Acked | LineId::Written | LineId::Total)
    }

    /// The last moment of which every term is known, and what the workers hold where it matters.
    pub(super) fn known_until(&self) -> f64 {
        let terms = self.terms().map(Term::known_until).fold(f64::INFINITY, f64::min);
        match self.consumer.filter(|_| self.needs_held()) {
            Some(consumer) => terms.min(consumer.span.begun),
            None => terms,
        }
    }

    /// Left minus right at `t`; `None`: a term has no source.
    pub(super) fn difference(&self, t: f64) -> Option<Interval> {
        let silent = |consumer: &ConsumerTrack| !self.books.sources.is_fresh(&consumer.stamp);
        if self.needs_held() && self.consumer.is_some_and(silent) {
            return None;
        }
        // A fleet's terms are long.
        if self.terms().any(|term| term.parts.is_none()) {
            return None;
        }
        let sum = |terms: &[Term<'_>]| {
            terms
                .iter()
                .map(|term| term.at(t))
                .try_fold(Interval::ZERO, |sum, at| Some(sum + at?))
        };
        Some(sum(&self.left)? - sum(&self.right)?)
    }

    /// From when on every counter is read.
    pub(super) fn complete_from(&self) -> f64 {
        self.terms().map(Term::complete_from).fold(0.0, f64::max)
    }

    /// What counters of the left and of the right side had counted that were first read after `t`.
    pub(super) fn latecomers(&self, t: f64) -> (f64, f64) {
        let sum = |terms: &[Term<'_>]| terms.iter().map(|term| term.latecomers(t)).sum();
        (sum(&self.left), sum(&self.right))
    }

    /// How much may have been done twice: deliveries beyond the first. Where the consumer's
    /// sequences do not tell, what the workers gave back and what came again.
    fn repeats(&self) -> f64 {
        if let Some(retries) = self.consumer.and_then(ConsumerTrack::retries) {
            return retries.total();
        }
        let given_back: f64 = self
            .books
            .metrics
            .workers()
            .filter_map(|(_, target)| target.total(Tally::Naked))
            .map(Counter::since_start)
            .sum();
        given_back + self.consumer.map_or(0.0, |consumer| consumer.redelivered as f64)
    }

    pub(super) fn drift(&self, t: f64) -> Drift {
        match self.id {
            LineId::Received => Drift::default(),
            // What was not confirmed may have been stored all the same.
            LineId::Stored => Drift {
                down: high(self.books.tally(Side::Gateways, Tally::Unconfirmed), t),
                up: 0.0,
            },
            // A message that two workers had was acked twice and left once.
            LineId::Left => Drift {
                down: self.repeats(),
                up: high(self.books.evictable(), t),
            },
            LineId::Acked | LineId::Written => Drift {
                down: self.repeats(),
                up: self.repeats(),
            },
            // Written by one worker, then delivered again and skipped by another.
            LineId::Total => Drift {
                down: self.repeats(),
                up: 0.0,
            },
        }
    }

    /// What may be between the two sides at `t`.
    pub(super) fn tolerance(&self, t: f64) -> f64 {
        match self.id {
            LineId::Received | LineId::Stored => self.in_flight(t),
            LineId::Left => self.batches(t),
            LineId::Acked | LineId::Written => self.batches(t) + self.held(),
            LineId::Total => self.held(),
        }
    }

    /// Requests in flight at the gateways; where they do not say, what arrives in a second.
    fn in_flight(&self, t: f64) -> f64 {
        let mut sum = 0.0;
        for (_, target) in self
            .books
            .metrics
            .gateways()
            .filter(|(_, target)| target.dead.is_none())
        {
            let known = target.gauge(Gauge::InFlight).and_then(|_| target.most_in_flight());
            sum += known.unwrap_or_else(|| {
                let rate = target.total(Tally::Received).and_then(Counter::rate).unwrap_or(0.0);
                if self.is_still(t) { 0.0 } else { rate.ceil() }
            });
        }
        sum
    }

    /// Whether no term moved around `t`.
    fn is_still(&self, t: f64) -> bool {
        self.terms().all(|term| term.at(t).is_some_and(Interval::is_exact))
    }

    /// One batch a worker, while something moves. Without the consumer, one that hangs cannot
    /// be told from one that is done.
    fn batches(&self, t: f64) -> f64 {
        if self.is_still(t) && self.consumer.is_some() {
            return 0.0;
        }
        self.books
            .metrics
            .workers()
            .filter(|(_, target)| target.dead.is_none())
            .map(|(_, target)| {
                let batch = target.window(Distribution::Batch);
                batch
                    .and_then(|batch| batch.quantile(1.0))
                    .map_or(BATCH, |largest| largest.max(1.0).ceil())
            })
            .sum()
    }

    /// Delivered and not acked: written, it may be, and still in the stream.
    fn held(&self) -> f64 {
        self.consumer.map_or(0.0, ConsumerTrack::most_held)
    }

    /// How much a bound grew between two moments.
    pub(super) fn growth(&self, bound: Bound, from: f64, to: f64) -> f64 {
        let term = match bound {
            Bound::Nothing => return 0.0,
            Bound::Of(amount) => return amount,
            Bound::Stored => self.books.stored(),
            Bound::Removed => self.books.removed(),
            Bound::Acks => self.books.tally(Side::Workers, Tally::Acked),
            Bound::Processed => self.books.tally(Side::Workers, Tally::Processed),
            Bound::Rows => {
                let skips = Term::new("", self.books.skips()).growth(from, to);
                return Term::new("", self.books.rows()).growth(from, to) + skips + self.held();
            }
        };
        let held = match bound {
            Bound::Acks | Bound::Processed => self.held(),
            _ => 0.0,
        };
        Term::new("", term).growth(from, to) + held
    }

    /// The line as it is shown.
    pub(super) fn show(&self, opened: Option<&Opened>, outcome: Option<Outcome>) -> LedgerLine {
        let sum = |terms: &[Term<'_>]| {
            terms
                .iter()
                .map(Term::value)
                .try_fold(0.0, |sum, value| Some(sum + value?))
        };
        let (mut left, mut right) = (sum(&self.left), sum(&self.right));
        let mut terms: Vec<(std::sync::Arc<str>, Option<f64>)> = self
            .right
            .iter()
            .filter(|term| term.name != "terminated" || term.value() != Some(0.0) || self.id == LineId::Left)
            .map(|term| (term.name.into(), term.value()))
            .collect();
        let mut label = self.left[0].name;
        if self.id == LineId::Stored && (self.left.iter().skip(1)).any(|term| term.value().is_none_or(|v| v > 0.0)) {
            label = "queued + replayed + others";
        }
        if self.id == LineId::Left {
            self.show_evicted(&mut terms, &mut right);
        }
        if self.id == LineId::Total
            && let Some(stream) = self.books.stream
        {
            // Shown as it is read: what was stored and what waited at the start, against what
            // became of it and what waits now.
            let waiting = stream.state.messages as f64;
            let gone = left;
            left = gone.map(|gone| gone + waiting);
            right = right.map(|right| right + waiting);
            terms.push(("waiting".into(), gone.map(|_| waiting)));
            if gone.is_some_and(|gone| gone + waiting > stream.stored.since_start()) {
                label = "stored and waiting before";
            }
        }
        if let Some(opened) = opened {
            // By how much the sides were read apart when the session began.
            left = left.map(|left| left - opened.skew);
            if opened.explained.abs() >= 1.0 {
                terms.push((EXPLAINED.into(), Some(opened.explained)));
                right = right.map(|right| right + opened.explained);
            }
        }
        LedgerLine {
            line: self.id.key().into(),
            left_label: label.into(),
            left,
            right,
            terms,
            difference: outcome.map(|outcome| outcome.difference),
            tolerance: outcome.map(|outcome| outcome.tolerance),
            balanced: outcome.map(Outcome::balances),
        }
    }

    /// What was evicted at least, where a limit can evict.
    fn show_evicted(&self, terms: &mut [(std::sync::Arc<str>, Option<f64>)], right: &mut Option<f64>) {
        let could = self.books.stream.map_or(0.0, |stream| stream.evictable.since_start());
        let did = self
            .consumer
            .filter(|consumer| consumer.unfiltered)
            .map_or(0.0, |consumer| consumer.evicted().since_start());
        let evicted = did.min(could);
        for (name, value) in terms {
            if &**name == "evicted" {
                *value = Some(evicted);
            }
        }
        *right = right.map(|right| right + evicted);
    }
}
