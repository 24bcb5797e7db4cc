//! The metrics endpoints: scrapes by family become counters, gauges and histograms per
//! target, provider and status.

mod names;
mod plan;
mod sums;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) use names::{ProviderId, Providers, safe_name, safe_shared};
pub(super) use plan::{Distribution, Gauge, Plan, Tally};
pub(super) use sums::{Spread, Sum};
pub(super) use target::{Flowing, Share, Sign, Target, Unseen};

use super::sources::{SourceStatus, Sources, Stamp};
use crate::config::Families;
use crate::sample::{Scrape, SourceId, SourceKind};
use sums::Sums;

/// Targets that are gone and whose totals are kept.
const RETIRED: usize = 500;

/// Every metrics endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    pub(super) targets: BTreeMap<Arc<str>, Target>,
    pub(super) providers: Providers,
    plans: BTreeMap<u64, Arc<Plan>>,
    /// What the targets added up to at the last judgement.
    sums: Sums,
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

    /// Notes which targets answer as of now, and adds them up.
    pub(super) fn judge(&mut self, sources: &Sources) {
        for (_, target, source) in sources.pair(self.targets.iter_mut()) {
            target.fresh = source.is_some_and(|source| sources.is_fresh_of(source, &target.stamp, Duration::ZERO));
        }
        self.sums = Sums::of(&self.targets);
    }

    /// The rate of a counter over all targets that answer, of all of them when none does. Unknown
    /// where none knows its rate yet.
    pub(super) fn rate(&self, tally: Tally) -> &Sum {
        &self.sums.rates[tally as usize]
    }

    /// What a counter counted since the session started, over all targets, gone ones included.
    pub(super) fn since_start(&self, tally: Tally) -> &Sum {
        &self.sums.since_start[tally as usize]
    }

    /// A distribution over all targets that answer, last 10 s; of all of them when none does.
    pub(super) fn distribution(&self, of: Distribution) -> &Spread {
        &self.sums.spreads[of as usize]
    }

    /// The highest value of a gauge over all targets that answer; of all of them when none does.
    pub(super) fn highest(&self, gauge: Gauge) -> Sum {
        let known = || self.targets.values().filter(|target| target.gauge(gauge).is_some());
        let some_answer = known().any(Target::is_fresh);
        let speakers = || known().filter(|target| target.fresh || !some_answer);
        let newest = speakers().max_by_key(|target| target.stamp.mono);
        Sum {
            value: speakers().filter_map(|target| target.gauge(gauge)).reduce(f64::max),
            stamp: newest.map(|target| target.stamp.clone()),
        }
    }

    /// Endpoints that were never read.
    pub(super) fn unread<'a>(&'a self, sources: &'a Sources) -> impl Iterator<Item = SourceStatus<'a>> {
        let mut read = self.targets.keys().peekable();
        sources.of_kind(SourceKind::Metrics).filter(move |source| {
            while read.next_if(|name| **name < source.id.name).is_some() {}
            read.next_if(|name| **name == source.id.name).is_none()
        })
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
