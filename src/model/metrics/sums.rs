//! What the targets add up to: worked out once a second, and asked for by many.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::{Distribution, Tally};
use super::target::Target;
use crate::model::histogram::Buckets;
use crate::model::sources::Stamp;

/// A value that several targets add up to, with the newest of their readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Sum {
    pub(in crate::model) value: Option<f64>,
    pub(in crate::model) stamp: Option<Stamp>,
}

/// A distribution over several targets, last 10 s, with the newest of their readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Spread {
    pub(in crate::model) buckets: Option<Buckets>,
    pub(in crate::model) stamp: Option<Stamp>,
}

/// Every sum over all targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) rates: [Sum; Tally::COUNT],
    pub(super) since_start: [Sum; Tally::COUNT],
    pub(super) spreads: [Spread; Distribution::COUNT],
}

/// What some targets' counters add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Added<'a> {
    rate: Option<f64>,
    newest: Option<&'a Stamp>,
}

impl<'a> Added<'a> {
    fn add(&mut self, rate: Option<f64>, stamp: &'a Stamp) {
        // One that just restarted has no rate for a moment; the others' still says something.
        if let Some(rate) = rate {
            *self.rate.get_or_insert(0.0) += rate;
        }
        if self.newest.is_none_or(|newest| newest.mono <= stamp.mono) {
            self.newest = Some(stamp);
        }
    }
}

/// A counter over those targets that answer, and over all.
#[derive(Clone, Copy, Debug, Default)]
struct Counted<'a> {
    fresh: Added<'a>,
    all: Added<'a>,
    since_start: Option<f64>,
}

impl Sums {
    pub(super) fn of(targets: &BTreeMap<Arc<str>, Target>) -> Self {
        let mut counted = [Counted::default(); Tally::COUNT];
        for target in targets.values() {
            for (tally, counter) in target.totals() {
                let sums = &mut counted[tally];
                let rate = counter.rate();
                sums.all.add(rate, &target.stamp);
                if target.fresh {
                    sums.fresh.add(rate, &target.stamp);
                }
                *sums.since_start.get_or_insert(0.0) += counter.since_start();
            }
        }
        let mut out = Self {
            spreads: Distribution::ALL.map(|of| spread(targets, of)),
            ..Self::default()
        };
        for (tally, sums) in counted.iter().enumerate() {
            // Where none answers the last value is kept, and marked stale by its stamp.
            let speak = if sums.fresh.newest.is_some() {
                sums.fresh
            } else {
                sums.all
            };
            let sum = |value| Sum {
                value,
                stamp: speak.newest.cloned(),
            };
            out.rates[tally] = sum(speak.rate);
            out.since_start[tally] = sum(sums.since_start);
        }
        out
    }
}

fn spread(targets: &BTreeMap<Arc<str>, Target>, of: Distribution) -> Spread {
    let some_answer = targets
        .values()
        .any(|target| target.fresh && target.window(of).is_some());
    let mut out = Spread::default();
    let mut newest: Option<&Stamp> = None;
    for target in targets.values().filter(|target| target.fresh || !some_answer) {
        let Some(window) = target.window(of) else { continue };
        window.add_to(&mut out.buckets);
        if newest.is_none_or(|newest| newest.mono <= target.stamp.mono) {
            newest = Some(&target.stamp);
        }
    }
    out.stamp = newest.cloned();
    out
}
