//! Messages that are stored and in no consumer's backlog: parked past `max_deliver`, or acked
//! before a server crash that forgot it.
//!
//! The stream is read (S1), then all its consumers (B: what they wait for and hold), then the
//! stream again (S2). What is in no backlog lies between `S1.messages − removed − B` and
//! `S1.messages + arrived − B`, with what arrived and was removed between S1 and S2.

use std::collections::VecDeque;

use crate::model::interval::Interval;
use crate::sample::QueueReading;

/// Readings that must agree.
const RUNNING: usize = 3;

/// Under load a reading says less than another: what readings agreed on stands while none
/// contradicts it and one of so many still bears it out.
const LASTING: usize = 10;

/// What lies in no backlog, as readings tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Parked {
    /// Lower ends, the newest last.
    gaps: VecDeque<f64>,
    sure: f64,
    known: Option<Found>,
    /// After a server restart, parked messages sit in `ack_pending` until the next pull: what
    /// was known before stays, and the deliveries at which it was.
    kept: Option<(Found, u64)>,
}

/// Messages in no backlog.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct Found {
    /// Past `max_deliver`.
    pub(in crate::model) parked: f64,
    /// Acked before a crash.
    pub(in crate::model) orphaned: f64,
}

/// The interval in which the number of messages lies that are in no backlog; `unmatched` of
/// them are under no consumer's filter.
pub(super) fn gap(reading: &QueueReading, unmatched: f64) -> Interval {
    let (before, after) = (&reading.before.state, &reading.after.state);
    let arrived = after.last_seq as f64 - before.last_seq as f64;
    let removed = arrived - (after.messages as f64 - before.messages as f64);
    let backlog: u64 = reading
        .consumers
        .iter()
        .map(|c| c.num_pending + c.num_ack_pending)
        .sum();
    let rest = before.messages as f64 - backlog as f64 - unmatched;
    // A purge or a recreated stream in between makes nonsense of both: an empty statement.
    let lo = rest - removed.max(0.0);
    Interval::new(lo, (rest + arrived.max(0.0)).max(lo))
}

impl Parked {
    /// Takes the gap of a reading in. `redelivered`: the sum of the consumers' gauges.
    pub(super) fn observe(&mut self, gap: Interval, redelivered: f64, delivered: u64) {
        if self.gaps.len() == LASTING {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap.lo);
        let agreed = if self.gaps.len() < RUNNING {
            0.0
        } else {
            self.gaps
                .iter()
                .rev()
                .take(RUNNING)
                .copied()
                .fold(f64::INFINITY, f64::min)
        };
        let borne_out = self.gaps.iter().copied().fold(0.0, f64::max);
        self.sure = self.sure.min(borne_out).min(gap.hi).max(agreed).max(0.0);
        let sure = self.sure;
        // Until three readings agree there is no news, only when the first says nothing is there.
        if self.gaps.len() >= RUNNING || gap.lo <= 0.0 {
            let parked = sure.min(redelivered);
            self.known = Some(Found {
                parked,
                orphaned: sure - parked,
            });
        }
        if self.kept.is_some_and(|(_, then)| delivered > then) || sure > 0.0 {
            self.kept = None;
        }
    }

    /// The counters fell back: what was parked is kept until the next delivery.
    pub(super) fn server_restarted(&mut self, delivered: u64) {
        self.gaps.clear();
        self.sure = 0.0;
        if let Some(found) = self.known.filter(|found| found.parked > 0.0) {
            self.kept = Some((found, delivered));
        }
        self.known = None;
    }

    /// What is known, and whether it is from before a server restart.
    pub(in crate::model) fn found(&self) -> Option<(Found, bool)> {
        match self.kept {
            Some((found, _)) => Some((found, true)),
            None => self.known.map(|found| (found, false)),
        }
    }

    /// It cannot be told any more.
    pub(super) fn forget(&mut self) {
        self.gaps.clear();
        self.sure = 0.0;
        self.known = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lo(value: f64) -> Interval {
        Interval::new(value, value + 10.0)
    }

    #[test]
    fn three_readings_running_must_agree() {
        let mut parked = Parked::default();
        parked.observe(lo(5.0), 100.0, 0);
        assert_eq!(parked.found(), None);
        parked.observe(lo(4.0), 100.0, 0);
        parked.observe(lo(6.0), 100.0, 0);
        let (found, old) = parked.found().unwrap();
        assert!((found.parked - 4.0).abs() < f64::EPSILON && !old);
    }

    #[test]
    fn what_readings_agreed_on_stands_while_none_contradicts_it_and_one_bears_it_out() {
        let found = |parked: &Parked| parked.found().unwrap().0.parked;
        let mut parked = Parked::default();
        for _ in 0..RUNNING {
            parked.observe(lo(5.0), 100.0, 0);
        }
        // A busy moment says little.
        parked.observe(Interval::new(-40.0, 10.0), 100.0, 0);
        assert!((found(&parked) - 5.0).abs() < f64::EPSILON);
        // Two are gone for certain.
        parked.observe(Interval::new(-40.0, 3.0), 100.0, 0);
        assert!((found(&parked) - 3.0).abs() < f64::EPSILON);
        for _ in 0..LASTING {
            parked.observe(Interval::new(-40.0, 10.0), 100.0, 0);
        }
        assert!(found(&parked).abs() < f64::EPSILON, "nothing bears it out any more");
        // And a quiet moment tells the truth at once.
        for _ in 0..RUNNING {
            parked.observe(lo(5.0), 100.0, 0);
        }
        parked.observe(Interval::new(0.0, 0.0), 100.0, 0);
        assert!(found(&parked).abs() < f64::EPSILON);
    }

    #[test]
    fn what_was_not_redelivered_is_orphaned() {
        let mut parked = Parked::default();
        for _ in 0..3 {
            parked.observe(lo(150.0), 20.0, 0);
        }
        let (found, _) = parked.found().unwrap();
        assert!((found.parked - 20.0).abs() < f64::EPSILON);
        assert!((found.orphaned - 130.0).abs() < f64::EPSILON);
    }

    #[test]
    fn after_a_server_restart_the_last_value_stays_until_a_delivery() {
        let mut parked = Parked::default();
        for _ in 0..3 {
            parked.observe(lo(8.0), 20.0, 50);
        }
        parked.server_restarted(50);
        for _ in 0..4 {
            parked.observe(lo(0.0), 20.0, 50);
        }
        assert!(parked.found().unwrap().1);
        parked.observe(lo(0.0), 20.0, 58);
        assert_eq!(parked.found().unwrap(), (Found::default(), false));
    }
}
