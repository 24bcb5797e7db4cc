//! The metrics endpoints: scrapes by family become counters, gauges and histograms per
//! target, provider and status.

mod names;
mod plan;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use names::{ProviderId, Providers, safe_name};
pub(super) use plan::{Distribution, Gauge, Plan, Tally};
pub(super) use target::{Sign, Target, Unseen};

use super::histogram::Buckets;
use super::sources::{Sources, Stamp};
use crate::config::Families;
use crate::sample::{Scrape, SourceId};

/// Targets that are gone and whose totals are kept.
const RETIRED: usize = 500;

/// Every metrics endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    pub(super) targets: BTreeMap<Arc<str>, Target>,
    pub(super) providers: Providers,
    plans: BTreeMap<u64, Arc<Plan>>,
}

/// A value that several targets add up to, with the newest of their readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) value: Option<f64>,
    pub(super) stamp: Option<Stamp>,
}

impl Metrics {
    /// Takes a scrape in.
    pub(super) fn apply(
        &mut self,
        stamp: Stamp,
        scrape: &Scrape,
        families: &Families,
        session_start: f64,
    ) -> Vec<Sign> {
        let name = stamp.source.name.clone();
        let plan = match self.targets.get(&name) {
            Some(target) if target.knows(&scrape.layout) => target.plan().clone(),
            _ => self.plan(scrape, families),
        };
        if let Some(target) = self.targets.get_mut(&name) {
            return target.observe(stamp, scrape, plan);
        }
        let target = Target::new(stamp, scrape, plan, session_start);
        self.targets.insert(name, target);
        Vec::new()
    }

    /// Notes that a target is not there any more. What it counted stays counted.
    pub(super) fn retire(&mut self, name: &Arc<str>) {
        if let Some(target) = self.targets.get_mut(name) {
            target.retired = true;
        }
        // Those that come and go for days must not fill the memory.
        let mut retired = self.targets.iter().filter(|(_, target)| target.retired);
        if retired.by_ref().count() > RETIRED {
            let oldest = self.targets.iter().filter(|(_, target)| target.retired);
            let oldest = oldest
                .min_by_key(|(_, target)| target.stamp.mono)
                .map(|(name, _)| name.clone());
            self.targets.retain(|name, _| Some(name) != oldest.as_ref());
        }
    }

    /// Notes that nobody listens at a target.
    pub(super) fn refuse(&mut self, source: &SourceId, at: f64) -> Option<Sign> {
        self.targets.get_mut(&source.name)?.refuse(at)
    }

    /// The plan of a scrape's layout, resolved once for all targets that share it.
    fn plan(&mut self, scrape: &Scrape, families: &Families) -> Arc<Plan> {
        if let Some(plan) = self.plans.get(&scrape.layout.hash) {
            return plan.clone();
        }
        let plan = Arc::new(Plan::resolve(
            &scrape.layout,
            &scrape.values,
            families,
            &mut self.providers,
        ));
        if self.plans.len() > 2 * self.targets.len() + 16 {
            self.plans.retain(|_, plan| Arc::strong_count(plan) > 1);
        }
        self.plans.insert(scrape.layout.hash, plan.clone());
        plan
    }

    /// The targets that answer; all of them when none does, so that the last value is kept
    /// (and marked stale by its stamp).
    fn speakers<'a>(&'a self, sources: &Sources, has: impl Fn(&Target) -> bool) -> Vec<&'a Target> {
        let all: Vec<&Target> = self.targets.values().filter(|target| has(target)).collect();
        let fresh: Vec<&Target> = all
            .iter()
            .copied()
            .filter(|target| sources.is_fresh(&target.stamp))
            .collect();
        if fresh.is_empty() { all } else { fresh }
    }

    /// A stamp for what several targets add up to: the newest reading; named after the target
    /// when it is one, else after how many there are.
    fn stamp(targets: &[&Target]) -> Option<Stamp> {
        let newest = targets.iter().max_by_key(|target| target.stamp.mono)?;
        Some(newest.stamp.clone())
    }

    /// The rate of a counter over all targets that answer. Unknown when one that answers has it
    /// and does not know its rate yet.
    pub(super) fn rate(&self, sources: &Sources, tally: Tally) -> Sum {
        let speakers = self.speakers(sources, |target| target.total(tally).is_some());
        let rates: Vec<Option<f64>> = speakers
            .iter()
            .filter_map(|target| target.total(tally))
            .map(super::counter::Counter::rate)
            .collect();
        // One that just restarted has no rate for a moment; the others' still says something.
        let known: Vec<f64> = rates.into_iter().flatten().collect();
        Sum {
            value: (!known.is_empty()).then(|| known.iter().sum()),
            stamp: Self::stamp(&speakers),
        }
    }

    /// What a counter counted since the session started, over all targets, gone ones included.
    pub(super) fn since_start(&self, sources: &Sources, tally: Tally) -> Sum {
        let counters: Vec<f64> = self
            .targets
            .values()
            .filter_map(|target| target.total(tally))
            .map(super::counter::Counter::since_start)
            .collect();
        let speakers = self.speakers(sources, |target| target.total(tally).is_some());
        Sum {
            value: (!counters.is_empty()).then(|| counters.iter().sum()),
            stamp: Self::stamp(&speakers),
        }
    }

    /// A distribution over all targets that answer, last 10 s.
    pub(super) fn distribution(&self, sources: &Sources, of: Distribution) -> (Option<Buckets>, Option<Stamp>) {
        let speakers = self.speakers(sources, |target| target.histogram(of).is_some());
        let mut sum: Option<Buckets> = None;
        for histogram in speakers.iter().filter_map(|target| target.histogram(of)) {
            histogram.add_to(&mut sum);
        }
        (sum, Self::stamp(&speakers))
    }

    /// The highest value of a gauge over all targets that answer.
    pub(super) fn highest(&self, sources: &Sources, gauge: Gauge) -> Sum {
        let speakers = self.speakers(sources, |target| target.gauge(gauge).is_some());
        Sum {
            value: speakers
                .iter()
                .filter_map(|target| target.gauge(gauge))
                .reduce(f64::max),
            stamp: Self::stamp(&speakers),
        }
    }

    /// The targets that process webhooks.
    pub(super) fn workers(&self) -> impl Iterator<Item = (&Arc<str>, &Target)> {
        self.targets
            .iter()
            .filter(|(_, target)| target.is_worker() && !target.retired)
    }

    /// The targets that take webhooks in.
    pub(super) fn gateways(&self) -> impl Iterator<Item = (&Arc<str>, &Target)> {
        self.targets
            .iter()
            .filter(|(_, target)| target.is_gateway() && !target.retired)
    }

    /// Labels and series left out.
    pub(super) fn left_out(&self) -> u64 {
        self.providers.left_out() + self.targets.values().map(|target| target.left_out).sum::<u64>()
    }
}
