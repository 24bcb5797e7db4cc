//! One metrics endpoint: its process, its counters, its histograms.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::names::ProviderId;
use super::plan::{Gauge, HistogramKey, Identity, Plan, Role, Slot, Tally};
use crate::model::counter::{Counter, Span};
use crate::model::histogram::{Histogram, Window, Windows};
use crate::model::sources::Stamp;
use crate::sample::{Layout, Scrape};

/// A start time that differs by less is the same start, written with less precision.
const SAME_START: f64 = 1.0;
/// Clocks of different machines may differ by this when a process's start is compared with ours.
const CLOCKS: f64 = 2.0;
/// Readings of the requests in flight that are kept.
const IN_FLIGHT: usize = 4;

/// What a scrape revealed about the process behind the page.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) enum Sign {
    /// Nobody listens there any more.
    Gone(Unseen),
    /// Another process than before.
    Restarted(Option<Unseen>),
    /// The same process, but a counter fell.
    Fell(Tally),
    /// Another version than before.
    Version(Arc<str>),
}

/// A time, in seconds since session start, in which a process ended: what it counted in it
/// after its last scrape was never read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::model) struct Unseen {
    pub(in crate::model) from: f64,
    pub(in crate::model) to: f64,
}

/// When a target's process was known not to run, seconds since session start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::model) struct Dead {
    pub(in crate::model) since: f64,
    pub(in crate::model) until: f64,
}

/// What a page says of one provider, worked out when it is read: every figure of every second is
/// summed from these over all targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Share {
    pub(in crate::model) provider: ProviderId,
    pub(in crate::model) received: Option<Flowing>,
    pub(in crate::model) processed: Option<Flowing>,
    pub(in crate::model) refused: Flowing,
    pub(in crate::model) unconfirmed: Flowing,
    pub(in crate::model) failed: Flowing,
    /// Valid and invalid signatures of the last 30 s.
    pub(in crate::model) signatures: (f64, f64),
}

/// A counter of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct Flowing {
    /// Over the last 10 s, once that is known.
    pub(in crate::model) per_second: Option<f64>,
    /// Growth over the last 10 s, and over the last minute.
    pub(in crate::model) lately: f64,
    pub(in crate::model) minute: f64,
    /// All that it counted.
    pub(in crate::model) total: f64,
}

impl Flowing {
    fn of(counter: &Counter) -> Self {
        Self {
            per_second: counter.rate(),
            lately: counter.lately().map_or(0.0, |growth| growth.delta),
            minute: counter.last_minute().map_or(0.0, |growth| growth.delta),
            total: counter.total(),
        }
    }
}

/// Signature checks are judged over this many seconds.
const SIGNATURES: f64 = 30.0;

/// What a process does in the pipeline, worked out when its page is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Roles {
    gateway: bool,
    worker: bool,
}

/// A metrics endpoint that was read at least once.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Target {
    pub(in crate::model) stamp: Stamp,
    pub(in crate::model) span: Span,
    pub(in crate::model) first: Span,
    /// Whether its process started after the session.
    pub(in crate::model) from_zero: bool,
    pub(in crate::model) identity: Identity,
    pub(in crate::model) dead: Option<Dead>,
    pub(in crate::model) left_out: u64,
    /// Whether nobody lists it any more.
    pub(in crate::model) retired: bool,
    /// Whether it answers and its last page is recent, as of the last judgement.
    pub(super) fresh: bool,
    roles: Roles,
    layout: Arc<Layout>,
    plan: Arc<Plan>,
    start: Option<f64>,
    /// By the plan's slot: the counter.
    index: Vec<usize>,
    slots: BTreeMap<Slot, usize>,
    /// The counters of the sums over all providers, by tally.
    totals: [Option<u32>; Tally::COUNT],
    counters: Vec<Counter>,
    /// By provider.
    shares: Vec<Share>,
    gauges: BTreeMap<Gauge, f64>,
    in_flight: VecDeque<f64>,
    histograms: BTreeMap<HistogramKey, Histogram>,
    windows: Windows<HistogramKey>,
}

impl Target {
    /// A target at its first scrape. `session_start`: unix time.
    pub(super) fn new(stamp: Stamp, scrape: &Scrape, plan: Arc<Plan>, session_start: f64) -> Self {
        let span = Span::new(stamp.mono, scrape.took);
        let start = start_time(&plan, &scrape.values);
        let mut target = Self {
            stamp,
            span,
            first: span,
            from_zero: start.is_some_and(|start| start > session_start + CLOCKS),
            identity: plan.identity.clone(),
            dead: None,
            left_out: scrape.left_out,
            retired: false,
            fresh: false,
            roles: Roles::default(),
            layout: scrape.layout.clone(),
            plan,
            start,
            index: Vec::new(),
            slots: BTreeMap::new(),
            totals: [None; Tally::COUNT],
            counters: Vec::new(),
            shares: Vec::new(),
            gauges: BTreeMap::new(),
            in_flight: VecDeque::new(),
            histograms: BTreeMap::new(),
            windows: Windows::new(),
        };
        let sums = target.sums(&scrape.values);
        target.join(&sums, None);
        target.cast();
        target.share();
        target.measure(&scrape.values);
        target
    }

    /// Whether the page has the layout that it had before.
    pub(super) fn knows(&self, layout: &Arc<Layout>) -> bool {
        Arc::ptr_eq(&self.layout, layout) || self.layout.hash == layout.hash
    }

    /// The plan of its layout.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes a scrape in.
    pub(super) fn observe(&mut self, stamp: Stamp, scrape: &Scrape, plan: Arc<Plan>) -> Vec<Sign> {
        let mut signs = Vec::new();
        let before = self.span;
        self.stamp = stamp;
        self.span = Span::new(self.stamp.mono, scrape.took);
        self.left_out = scrape.left_out;
        self.retired = false;
        let start = start_time(&plan, &scrape.values);
        if !Arc::ptr_eq(&self.plan, &plan) {
            self.plan = plan;
            self.layout = scrape.layout.clone();
            self.index.clear();
        }
        let sums = self.sums(&scrape.values);
        let another = match (self.start, start) {
            (Some(old), Some(new)) => (old - new).abs() > SAME_START,
            // Without a start time a fall is all there is to tell a restart by.
            _ => self.falls(&sums).next().is_some(),
        };
        if another {
            signs.push(Sign::Restarted(self.dead.is_none().then_some(Unseen {
                from: before.begun,
                to: self.span.ended,
            })));
            for histogram in self.histograms.values_mut() {
                histogram.restart();
            }
        }
        if start.is_some() {
            self.start = start;
        }
        if let Some(version) = &self.plan.identity.version
            && self.identity.version.as_ref().is_some_and(|known| known != version)
        {
            signs.push(Sign::Version(version.clone()));
        }
        self.identity = self.plan.identity.clone();
        self.dead = None;
        self.join(&sums, Some(before));
        self.count(&sums, another, &mut signs);
        self.cast();
        self.share();
        self.measure(&scrape.values);
        signs
    }

    /// Notes that nobody listens there any more: the process counts nothing. Returns the time
    /// within which it died, when that is news.
    pub(super) fn refuse(&mut self, at: f64) -> Option<Sign> {
        if let Some(dead) = &mut self.dead {
            dead.until = at;
            return None;
        }
        self.dead = Some(Dead { since: at, until: at });
        Some(Sign::Gone(Unseen {
            from: self.span.begun,
            to: at,
        }))
    }

    /// The sum of each slot of the plan; NaN where a part is unknown.
    fn sums(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.plan.slots.len()];
        for (series, slot) in &self.plan.counters {
            sums[*slot as usize] += values.get(*series as usize).copied().unwrap_or(f64::NAN);
        }
        sums
    }

    /// The counters that fell since their last reading.
    fn falls<'a>(&'a self, sums: &'a [f64]) -> impl Iterator<Item = Tally> + 'a {
        self.plan.slots.iter().zip(sums).filter_map(|(slot, sum)| {
            let counter = &self.counters[*self.slots.get(slot)?];
            (*sum < counter.raw()).then_some(slot.tally)
        })
    }

    /// Makes sure that every slot of the plan has its counter. One that a known process shows
    /// for the first time was 0 at the scrape before.
    fn join(&mut self, sums: &[f64], before: Option<Span>) {
        if self.index.len() == self.plan.slots.len() {
            return;
        }
        self.index.clear();
        let span = Arc::new(before.unwrap_or(self.span));
        for (slot, sum) in self.plan.slots.iter().zip(sums) {
            let known = self.slots.get(slot).copied();
            let at = known.unwrap_or_else(|| {
                let (raw, from_zero) = match before {
                    Some(_) => (0.0, true),
                    None if sum.is_nan() => (0.0, self.from_zero),
                    None => (*sum, self.from_zero),
                };
                self.counters.push(Counter::new(span.clone(), raw, from_zero));
                let new = self.counters.len() - 1;
                self.slots.insert(*slot, new);
                if slot.provider.is_none() {
                    self.totals[slot.tally as usize] = u32::try_from(new).ok();
                }
                new
            });
            self.index.push(at);
        }
    }

    fn count(&mut self, sums: &[f64], another: bool, signs: &mut Vec<Sign>) {
        let mut seen = vec![false; self.counters.len()];
        let span = Arc::new(self.span);
        for (at, sum) in self.index.iter().zip(sums) {
            seen[*at] = true;
            let counter = &mut self.counters[*at];
            if sum.is_nan() {
                continue;
            }
            if another {
                counter.restart(span.clone(), *sum);
            } else if *sum < counter.raw() {
                let slot = self.slots.iter().find(|(_, index)| *index == at).map(|(slot, _)| slot);
                if let Some(slot) = slot
                    && slot.provider.is_none()
                {
                    signs.push(Sign::Fell(slot.tally));
                }
                counter.rejoin(span.clone(), *sum);
            } else {
                counter.observe(span.clone(), *sum);
            }
        }
        // Families that a new process has not used yet are 0 in it.
        for (counter, seen) in self.counters.iter_mut().zip(seen) {
            if another && !seen {
                counter.restart(span.clone(), 0.0);
            }
        }
    }

    /// Works out what the page says of each provider.
    fn share(&mut self) {
        for share in &mut self.shares {
            *share = Share {
                provider: share.provider,
                ..Share::default()
            };
        }
        for (slot, at) in &self.slots {
            let Some(provider) = slot.provider else { continue };
            let place = self.shares.binary_search_by_key(&provider, |share| share.provider);
            let place = place.unwrap_or_else(|place| {
                let new = Share {
                    provider,
                    ..Share::default()
                };
                self.shares.insert(place, new);
                place
            });
            let (share, counter) = (&mut self.shares[place], &self.counters[*at]);
            let recent = || counter.growth(SIGNATURES).map_or(0.0, |growth| growth.delta);
            match slot.tally {
                Tally::Received => share.received = Some(Flowing::of(counter)),
                Tally::Processed => share.processed = Some(Flowing::of(counter)),
                Tally::Refused => share.refused = Flowing::of(counter),
                Tally::Unconfirmed => share.unconfirmed = Flowing::of(counter),
                Tally::Failed => share.failed = Flowing::of(counter),
                Tally::SignatureValid => share.signatures.0 = recent(),
                Tally::SignatureInvalid => share.signatures.1 = recent(),
                _ => {}
            }
        }
    }

    fn measure(&mut self, values: &[f64]) {
        self.gauges.clear();
        for (series, gauge) in &self.plan.gauges {
            let value = values.get(*series as usize).copied().unwrap_or(f64::NAN);
            if value.is_nan() {
                continue;
            }
            let known = self.gauges.entry(*gauge).or_insert(match gauge {
                Gauge::Breaker | Gauge::Lag => f64::NEG_INFINITY,
                _ => 0.0,
            });
            *known = match gauge {
                Gauge::Breaker | Gauge::Lag => known.max(value),
                _ => *known + value,
            };
        }
        if let Some(in_flight) = self.gauges.get(&Gauge::InFlight) {
            if self.in_flight.len() == IN_FLIGHT {
                self.in_flight.pop_front();
            }
            self.in_flight.push_back(*in_flight);
        }
        let mut scratch = Vec::new();
        for part in &self.plan.histograms {
            scratch.clear();
            scratch.resize(part.bounds.len() + 2, 0.0);
            for (series, position) in &part.parts {
                if let Some(sum) = scratch.get_mut(usize::from(*position)) {
                    *sum += values.get(*series as usize).copied().unwrap_or(f64::NAN);
                }
            }
            let histogram = self
                .histograms
                .entry(part.key)
                .or_insert_with(|| Histogram::new(part.bounds.clone()));
            if *histogram.bounds() != *part.bounds {
                *histogram = Histogram::new(part.bounds.clone());
            }
            histogram.observe(self.span, &scratch);
        }
        self.windows.read(self.histograms.iter());
    }

    /// The sums over all providers that the page has.
    pub(super) fn totals(&self) -> impl Iterator<Item = (usize, &Counter)> {
        let known = self.totals.iter().enumerate();
        known.filter_map(|(tally, at)| Some((tally, self.counters.get((*at)? as usize)?)))
    }

    /// The sum over all providers; `None` when the page has none.
    pub(in crate::model) fn total(&self, tally: Tally) -> Option<&Counter> {
        self.counters.get(self.totals[tally as usize]? as usize)
    }

    /// What it says of each provider.
    pub(in crate::model) fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// A gauge as it was last read.
    pub(in crate::model) fn gauge(&self, gauge: Gauge) -> Option<f64> {
        self.gauges.get(&gauge).copied()
    }

    /// The highest number of requests in flight of its last readings.
    pub(in crate::model) fn most_in_flight(&self) -> Option<f64> {
        self.in_flight.iter().copied().reduce(f64::max)
    }

    /// What every histogram observed in its window.
    pub(in crate::model) fn windows(&self) -> impl Iterator<Item = (HistogramKey, Window<'_>)> {
        self.windows.all()
    }

    /// The same of one histogram over all providers.
    pub(in crate::model) fn window(&self, of: super::plan::Distribution) -> Option<Window<'_>> {
        self.windows.get(HistogramKey { of, provider: None })
    }

    /// Works out which roles it has.
    fn cast(&mut self) {
        let (gateway, worker) = match self.identity.role {
            Role::Gateway => (true, false),
            Role::Worker => (false, true),
            Role::Unsaid => {
                let takes = self.total(Tally::Received).is_some() || self.total(Tally::Queued).is_some();
                let mut works = [Tally::Processed, Tally::Acked]
                    .into_iter()
                    .filter_map(|tally| self.total(tally));
                // A gateway that exports a worker's families at 0 is none.
                let does = works.any(|counter| !takes || counter.total() > 0.0);
                (takes, does)
            }
        };
        self.roles = Roles { gateway, worker };
    }

    /// Whether it takes webhooks in.
    pub(in crate::model) fn is_gateway(&self) -> bool {
        self.roles.gateway
    }

    /// Whether it processes webhooks.
    pub(in crate::model) fn is_worker(&self) -> bool {
        self.roles.worker
    }

    /// Whether its source answers and its last page is younger than three periods, as of the last
    /// judgement.
    pub(in crate::model) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether it would count this if it happened: it does export it, or it says that it has
    /// the role whose families these are, so that an absent one was not used yet.
    pub(in crate::model) fn counts(&self, tally: Tally) -> bool {
        if self.total(tally).is_some() {
            return true;
        }
        match tally {
            Tally::Received | Tally::Refused | Tally::Unconfirmed | Tally::Queued | Tally::Duplicate => {
                self.identity.role == Role::Gateway
            }
            Tally::Processed
            | Tally::Acked
            | Tally::Terminated
            | Tally::DeadLettered
            | Tally::Written
            | Tally::Skipped => self.identity.role == Role::Worker,
            _ => false,
        }
    }

    /// The last moment of which it is known what it had counted.
    pub(in crate::model) fn known_until(&self) -> f64 {
        self.dead
            .map_or(self.span.begun, |dead| dead.until.max(self.span.begun))
    }
}

fn start_time(plan: &Plan, values: &[f64]) -> Option<f64> {
    let at = plan.start?;
    values.get(at as usize).copied().filter(|start| start.is_finite())
}
