//! Did we lose any? Six lines whose terms are counters of their own.
//!
//! A counter that was read around another source's reading is only known to lie between two
//! values. So for a line `left = right` the difference at a moment `t` is an interval, and what
//! can be said is: it stays where it was when the session began (`account.usual`, an interval
//! as well), widened by what may be in flight. A moment at which nothing moves and nothing is
//! in flight makes the usual difference exact, when it lies within what was known before: from
//! then on a single message is seen.
//!
//! When a process ends, what it counted after its last reading was never read. How much that
//! can have been is bounded by what another counter grew in that time, so the usual difference
//! is widened by it once, and made exact again at the next quiet moment.

mod line;
mod term;

use crate::base::time::{Moment, Timestamp};

pub(super) use line::LineId;
pub(super) use term::{Books, Tallies, Unread};

use super::interval::Interval;
use super::metrics::{Target, Unseen};
use super::queues::ConsumerTrack;
use super::view::{Ledger as LedgerView, LedgerLine};
use line::{Drift, Line};

/// What each line knows of its difference.
#[derive(Clone, Debug, Default, PartialEq)]
struct Account {
    opened: Option<Opened>,
    pending: Vec<Widening>,
    /// Widenings that were applied end here: before it a quiet moment proves nothing.
    widened_until: f64,
    result: Option<Outcome>,
}

/// A line's session.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Opened {
    at: Timestamp,
    /// The difference that is no loss.
    usual: Interval,
    /// What was shown on the left beyond the right when it was opened, by skew.
    skew: f64,
    /// By how much the usual difference has moved since, as ended processes and repeats explain.
    explained: f64,
    widened: bool,
    /// The drift when it was opened, and when the usual difference was last made exact.
    first_drift: Drift,
    drift: Drift,
    /// From when on, and what latecomers had counted when they were first read.
    from: f64,
    latecomers: (f64, f64),
}

/// What a line came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The moment that it is about, seconds since session start.
    pub(super) at: f64,
    pub(super) difference: f64,
    pub(super) tolerance: f64,
}

impl Outcome {
    pub(super) fn balances(self) -> bool {
        self.difference.abs() <= self.tolerance
    }
}

/// A time in which something was not seen, and by what the difference may have moved.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Widening {
    from: f64,
    to: f64,
    down: Bound,
    up: Bound,
}

/// Another counter's growth within that time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Nothing,
    Of(f64),
    Stored,
    Removed,
    Acks,
    Processed,
    Rows,
}

/// Every line's account.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    accounts: [Account; LineId::ALL.len()],
}

/// What else bounds a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) books: Books<'a>,
    pub(super) consumer: Option<&'a ConsumerTrack>,
    pub(super) now: Moment,
}

impl Ledger {
    /// A process ended: what it counted after its last reading was not read.
    pub(super) fn process_ended(&mut self, target: &Target, unseen: Unseen) {
        let widen = |down, up| Widening {
            from: unseen.from,
            to: unseen.to,
            down,
            up,
        };
        if target.is_gateway() {
            let in_flight = target.most_in_flight().unwrap_or(0.0);
            self.widen(LineId::Received, widen(Bound::Nothing, Bound::Of(in_flight)));
            self.widen(LineId::Stored, widen(Bound::Stored, Bound::Nothing));
        }
        if target.is_worker() {
            self.widen(LineId::Left, widen(Bound::Nothing, Bound::Removed));
            self.widen(LineId::Acked, widen(Bound::Removed, Bound::Removed));
            self.widen(LineId::Written, widen(Bound::Rows, Bound::Nothing));
        }
    }

    /// The server was away or restarted: acks of that time may have been lost, and what left
    /// in it was not seen.
    pub(super) fn server_gap(&mut self, from: f64, to: f64) {
        let widen = |down, up| Widening { from, to, down, up };
        self.widen(LineId::Left, widen(Bound::Acks, Bound::Nothing));
        self.widen(LineId::Acked, widen(Bound::Processed, Bound::Acks));
        // What came back was processed again, and written before.
        self.widen(LineId::Written, widen(Bound::Nothing, Bound::Processed));
        self.widen(LineId::Total, widen(Bound::Rows, Bound::Nothing));
    }

    /// The stream is another one, or its sequence went back: its lines begin anew.
    pub(super) fn stream_replaced(&mut self) {
        for line in [LineId::Stored, LineId::Left, LineId::Total] {
            self.accounts[line as usize] = Account::default();
        }
    }

    /// The dead letter stream is another one.
    pub(super) fn letters_replaced(&mut self) {
        for line in [LineId::Acked, LineId::Total] {
            self.accounts[line as usize] = Account::default();
        }
    }

    /// The database's counters fell.
    pub(super) fn rows_fell(&mut self) {
        for line in [LineId::Written, LineId::Total] {
            self.accounts[line as usize] = Account::default();
        }
    }

    fn widen(&mut self, line: LineId, widening: Widening) {
        let account = &mut self.accounts[line as usize];
        if account.opened.is_some() {
            account.pending.push(widening);
        }
    }

    /// How a line came out last.
    pub(super) fn outcome(&self, line: LineId) -> Option<Outcome> {
        self.accounts[line as usize].result
    }

    /// Works every line out.
    pub(super) fn evaluate(&mut self, context: &Context<'_>) -> LedgerView {
        let lines: Vec<LedgerLine> = LineId::ALL
            .iter()
            .map(|id| self.accounts[*id as usize].evaluate(&Line::of(*id, context), context))
            .collect();
        let since = self
            .accounts
            .iter()
            .filter_map(|account| account.opened.map(|opened| opened.at))
            .min();
        LedgerView { since, lines }
    }
}

impl Account {
    fn evaluate(&mut self, line: &Line<'_>, context: &Context<'_>) -> LedgerLine {
        self.result = self.judge(line, context);
        line.show(self.opened.as_ref(), self.result)
    }

    fn judge(&mut self, line: &Line<'_>, context: &Context<'_>) -> Option<Outcome> {
        let t = self.moment(line, context)?;
        let difference = line.difference(t)?;
        if difference.lo.is_infinite() || difference.hi.is_infinite() {
            return None;
        }
        let (drift, tolerance) = (line.drift(t), line.tolerance(t));
        if self.opened.is_none() {
            if t < line.complete_from() {
                return None;
            }
            self.open(t, difference.widen(tolerance, tolerance), drift, context);
        }
        let opened = self.opened.as_mut()?;
        // A process that ran before it could be read: what it did until then was not seen.
        let late = line.latecomers(opened.from);
        let (left, right) = (late.0 - opened.latecomers.0, late.1 - opened.latecomers.1);
        if left > 0.0 || right > 0.0 {
            opened.usual = opened.usual.widen(left.max(0.0), right.max(0.0));
            opened.widened = true;
            self.widened_until = self.widened_until.max(line.complete_from());
        }
        opened.latecomers = late;
        for widening in self.pending.extract_if(.., |widening| widening.to <= t) {
            let growth = |bound| line.growth(bound, widening.from, widening.to);
            opened.usual = opened.usual.widen(growth(widening.down), growth(widening.up));
            opened.widened = true;
            self.widened_until = self.widened_until.max(widening.to);
        }
        let usual = drift.since(opened.drift).around(opened.usual);
        let distance = difference.distance(usual);
        let quiet = difference.is_exact() && tolerance <= 0.0 && t > self.widened_until;
        if quiet && distance.abs() <= 0.0 {
            opened.usual = difference;
            opened.drift = drift;
            if opened.widened || !drift.is_none_since(opened.first_drift) {
                opened.explained = difference.lo - opened.skew;
            } else {
                opened.skew = difference.lo;
            }
        }
        Some(Outcome {
            at: t,
            difference: distance,
            tolerance,
        })
    }

    fn open(&mut self, t: f64, usual: Interval, drift: Drift, context: &Context<'_>) {
        self.widened_until = t;
        self.opened = Some(Opened {
            at: context.now.at,
            // What is in flight as the session begins belongs to neither side yet.
            usual,
            skew: f64::midpoint(usual.lo, usual.hi).round(),
            explained: 0.0,
            widened: false,
            first_drift: drift,
            drift,
            from: t,
            latecomers: (0.0, 0.0),
        });
    }

    /// The newest moment of which every term is known, and not one within a time in which
    /// something was not seen.
    fn moment(&self, line: &Line<'_>, context: &Context<'_>) -> Option<f64> {
        let mut t = line.known_until().min(context.books.quiet_until());
        loop {
            let inside = self.pending.iter().find(|gap| gap.from < t && t < gap.to);
            match inside {
                Some(gap) => t = gap.from,
                None => return (t.is_finite() && t > 0.0).then_some(t),
            }
        }
    }
}

#[cfg(test)]
mod tests;
