//! What the positions of a page mean: resolved once per layout, then only indexed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{ProviderId, Providers, safe_name};
use crate::config::{Families, Family};
use crate::sample::{Layout, SeriesId, SeriesKind};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) enum Tally {
    Received,
    Refused,
    Unconfirmed,
    /// The part of `Unconfirmed` that a limit of the stream, account or server refused.
    NoSpace,
    Queued,
    Duplicate,
    OtherPublished,
    SignatureValid,
    SignatureInvalid,
    Processed,
    Failed,
    Acked,
    Terminated,
    Naked,
    DeadLettered,
    Written,
    Skipped,
    Cpu,
}

impl Tally {
    /// How many there are.
    pub(in crate::model) const COUNT: usize = Self::Cpu as usize + 1;

    /// Whether it is asked for by provider, too: a counter with its last minute is kept for each.
    fn is_by_provider(self) -> bool {
        matches!(
            self,
            Self::Received
                | Self::Refused
                | Self::Unconfirmed
                | Self::SignatureValid
                | Self::SignatureInvalid
                | Self::Processed
                | Self::Failed
        )
    }
}

/// What is measured now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) enum Gauge {
    InFlight,
    Depth,
    Lag,
    Breaker,
    Memory,
}

/// Which distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) enum Distribution {
    Response,
    Batch,
    Processing,
    Update,
}

impl Distribution {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Update as usize + 1;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Response, Self::Batch, Self::Processing, Self::Update];
}

/// A sum of series: of one provider, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) struct Slot {
    pub(in crate::model) tally: Tally,
    pub(in crate::model) provider: Option<ProviderId>,
}

/// A histogram: of one provider, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::model) struct HistogramKey {
    pub(in crate::model) of: Distribution,
    pub(in crate::model) provider: Option<ProviderId>,
}

/// Where a histogram's values stand: upper bounds, and per series the position in
/// `[buckets…, sum, count]` that it is added to.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct HistogramPlan {
    pub(in crate::model) key: HistogramKey,
    pub(in crate::model) bounds: Arc<[f64]>,
    pub(in crate::model) parts: Vec<(u32, u16)>,
}

/// What the page's process says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::model) enum Role {
    /// It does not say.
    #[default]
    Unsaid,
    Gateway,
    Worker,
}

/// Who exports a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Identity {
    pub(in crate::model) role: Role,
    pub(in crate::model) name: Option<Arc<str>>,
    pub(in crate::model) version: Option<Arc<str>>,
}

/// A resolved layout.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Plan {
    pub(in crate::model) slots: Vec<Slot>,
    /// Series and the slot that it is added to. A series may stand in two slots.
    pub(in crate::model) counters: Vec<(u32, u32)>,
    pub(in crate::model) gauges: Vec<(u32, Gauge)>,
    pub(in crate::model) histograms: Vec<HistogramPlan>,
    pub(in crate::model) start: Option<u32>,
    pub(in crate::model) identity: Identity,
}

impl Plan {
    /// Resolves a layout. `values` decide which providers are kept when there are too many:
    /// the busiest.
    pub(in crate::model) fn resolve(
        layout: &Layout,
        values: &[f64],
        families: &Families,
        providers: &mut Providers,
    ) -> Self {
        let mut meanings = meanings(layout, families);
        keep_updates(layout, &mut meanings);
        admit(layout, values, &meanings, providers);
        let mut plan = Self::default();
        let mut slots = BTreeMap::new();
        let mut histograms: BTreeMap<HistogramKey, Parts> = BTreeMap::new();
        for (at, family) in meanings {
            let series = &layout.series[at as usize];
            // A provider that was left out still counts in the sums of all.
            let provider = provider_label(series).and_then(|raw| providers.id(raw));
            match family {
                Family::ProcessStart => plan.start = plan.start.or(Some(at)),
                Family::BuildInfo => plan.identity = identity(series),
                Family::Response => add_part(&mut histograms, Distribution::Response, provider, at, series),
                Family::BatchSize => add_part(&mut histograms, Distribution::Batch, None, at, series),
                Family::Processing => add_part(&mut histograms, Distribution::Processing, None, at, series),
                Family::Update => add_part(&mut histograms, Distribution::Update, None, at, series),
                Family::InFlight => plan.gauges.push((at, Gauge::InFlight)),
                Family::Depth => plan.gauges.push((at, Gauge::Depth)),
                Family::Lag => plan.gauges.push((at, Gauge::Lag)),
                Family::Breaker => plan.gauges.push((at, Gauge::Breaker)),
                Family::ProcessMemory => plan.gauges.push((at, Gauge::Memory)),
                counted => {
                    for tally in tallies(counted, series).into_iter().flatten() {
                        plan.count(&mut slots, at, tally, None);
                        if let Some(provider) = provider.filter(|_| tally.is_by_provider()) {
                            plan.count(&mut slots, at, tally, Some(provider));
                        }
                    }
                }
            }
        }
        for (key, parts) in histograms {
            let Some(mut found) = parts.finish(key) else { continue };
            // One page's histograms have few sets of bounds: they share them.
            let known = plan.histograms.iter().find(|known| known.bounds == found.bounds);
            if let Some(known) = known {
                found.bounds = known.bounds.clone();
            }
            plan.histograms.push(found);
        }
        plan
    }

    fn count(&mut self, known: &mut BTreeMap<Slot, u32>, series: u32, tally: Tally, provider: Option<ProviderId>) {
        let slot = Slot { tally, provider };
        let index = *known.entry(slot).or_insert_with(|| {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.counters.push((series, index));
    }
}

/// The series that mean something. Where a page has a family under two names, only the first
/// counts: both together would count everything twice.
fn meanings(layout: &Layout, families: &Families) -> Vec<(u32, Family)> {
    let mut chosen: BTreeMap<Family, &str> = BTreeMap::new();
    let mut out = Vec::new();
    for (at, series) in layout.series.iter().enumerate() {
        let Some(family) = families.of(&series.name) else {
            continue;
        };
        let base = base_name(series);
        if *chosen.entry(family).or_insert(base) == base {
            out.push((u32::try_from(at).unwrap_or(u32::MAX), family));
        }
    }
    out
}

/// Of the database operations, those that update in bulk, where they can be told apart:
/// counters and commits are faster and would hide them.
fn keep_updates(layout: &Layout, meanings: &mut Vec<(u32, Family)>) {
    let updates = |at: u32| {
        layout.series[at as usize]
            .label("operation")
            .is_some_and(|operation| operation.contains("update") && !operation.contains("counter"))
    };
    if meanings
        .iter()
        .any(|(at, family)| *family == Family::Update && updates(*at))
    {
        meanings.retain(|(at, family)| *family != Family::Update || updates(*at));
    }
}

fn base_name(series: &SeriesId) -> &str {
    let suffix = match series.kind {
        SeriesKind::Bucket => "_bucket",
        SeriesKind::Sum => "_sum",
        SeriesKind::Count => "_count",
        _ => "",
    };
    series.name.strip_suffix(suffix).unwrap_or(&series.name)
}

fn provider_label(series: &SeriesId) -> Option<&Arc<str>> {
    series
        .labels
        .iter()
        .find(|(name, _)| &**name == "provider")
        .map(|(_, value)| value)
}

/// Gives ids to the page's providers, busiest first where not all of them can be kept.
fn admit(layout: &Layout, values: &[f64], meanings: &[(u32, Family)], providers: &mut Providers) {
    let mut new: BTreeMap<&Arc<str>, f64> = BTreeMap::new();
    for (at, family) in meanings {
        let Some(raw) = provider_label(&layout.series[*at as usize]) else {
            continue;
        };
        if providers.knows(raw) {
            continue;
        }
        let busy = new.entry(raw).or_default();
        if matches!(family, Family::Received | Family::Processed) {
            *busy += values
                .get(*at as usize)
                .copied()
                .filter(|v| v.is_finite())
                .unwrap_or(0.0);
        }
    }
    let mut new: Vec<_> = new.into_iter().collect();
    new.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    for (raw, _) in new {
        providers.id(raw);
    }
}

fn identity(series: &SeriesId) -> Identity {
    let label = |name| series.label(name).filter(|value| !value.is_empty()).map(safe_name);
    Identity {
        role: match series.label("role") {
            Some("gateway") => Role::Gateway,
            Some("worker") => Role::Worker,
            _ => Role::Unsaid,
        },
        name: label("name"),
        version: label("version"),
    }
}

/// What a series of a counter family counts.
fn tallies(family: Family, series: &SeriesId) -> [Option<Tally>; 2] {
    let status = series.label("status").unwrap_or("");
    let one = |tally| [Some(tally), None];
    match family {
        Family::Received => one(Tally::Received),
        Family::Refused => one(Tally::Refused),
        Family::Unconfirmed => {
            let full = matches!(
                series.label("reason"),
                Some("subject_full" | "stream_full" | "storage_full")
            );
            [Some(Tally::Unconfirmed), full.then_some(Tally::NoSpace)]
        }
        Family::Queued => one(Tally::Queued),
        Family::Duplicate => one(Tally::Duplicate),
        Family::OtherPublished => one(Tally::OtherPublished),
        Family::Signature => match status {
            "" | "valid" | "success" | "ok" | "verified" => one(Tally::SignatureValid),
            _ => one(Tally::SignatureInvalid),
        },
        Family::Processed => match status {
            "" | "success" | "ok" | "processed" | "completed" => one(Tally::Processed),
            _ => one(Tally::Failed),
        },
        Family::Acked => one(Tally::Acked),
        Family::Terminated => one(Tally::Terminated),
        Family::Naked => one(Tally::Naked),
        Family::DeadLettered => one(Tally::DeadLettered),
        Family::Written => one(Tally::Written),
        Family::Skipped => one(Tally::Skipped),
        Family::ProcessCpu => one(Tally::Cpu),
        _ => [None, None],
    }
}

/// The series of one histogram, collected before the bounds are known in order.
#[derive(Default)]
struct Parts {
    buckets: Vec<(f64, u32)>,
    sums: Vec<u32>,
    counts: Vec<u32>,
}

fn add_part(
    histograms: &mut BTreeMap<HistogramKey, Parts>,
    of: Distribution,
    provider: Option<ProviderId>,
    at: u32,
    series: &SeriesId,
) {
    let mut keys = vec![None];
    keys.extend(provider.map(Some));
    for provider in keys {
        let parts = histograms.entry(HistogramKey { of, provider }).or_default();
        match series.kind {
            SeriesKind::Bucket => {
                let bound = match series.label("le") {
                    Some("+Inf" | "Inf" | "inf") => Some(f64::INFINITY),
                    Some(text) => text.parse().ok().filter(|bound: &f64| !bound.is_nan()),
                    None => None,
                };
                if let Some(bound) = bound {
                    parts.buckets.push((bound, at));
                }
            }
            SeriesKind::Sum => parts.sums.push(at),
            SeriesKind::Count => parts.counts.push(at),
            _ => {}
        }
    }
}

impl Parts {
    fn finish(self, key: HistogramKey) -> Option<HistogramPlan> {
        let mut bounds: Vec<f64> = self.buckets.iter().map(|(bound, _)| *bound).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        if bounds.is_empty() {
            return None;
        }
        let position = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        let mut parts = Vec::with_capacity(self.buckets.len() + 2);
        for (bound, series) in self.buckets {
            parts.push((series, position(bounds.partition_point(|known| *known < bound))));
        }
        parts.extend(self.sums.into_iter().map(|series| (series, position(bounds.len()))));
        parts.extend(
            self.counts
                .into_iter()
                .map(|series| (series, position(bounds.len() + 1))),
        );
        Some(HistogramPlan {
            key,
            bounds: bounds.into(),
            parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, labels: &[(&str, &str)], kind: SeriesKind) -> SeriesId {
        SeriesId {
            name: name.into(),
            labels: labels.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            kind,
        }
    }

    fn resolve(series: Vec<SeriesId>) -> (Plan, Layout, Providers) {
        let layout = Layout::new(series);
        let mut providers = Providers::default();
        let values = vec![1.0; layout.series.len()];
        let plan = Plan::resolve(&layout, &values, &Families::default(), &mut providers);
        (plan, layout, providers)
    }

    #[test]
    fn a_series_counts_for_its_provider_and_for_all() {
        let (plan, ..) = resolve(vec![
            series("webhook_received_total", &[("provider", "a")], SeriesKind::Counter),
            series("webhook_received_total", &[("provider", "b")], SeriesKind::Counter),
        ]);
        assert_eq!(plan.slots.len(), 3);
        assert_eq!(plan.counters.len(), 4);
    }

    #[test]
    fn what_nobody_asks_for_by_provider_is_summed_only() {
        let (plan, ..) = resolve(vec![
            series("webhook_queued_total", &[("provider", "a")], SeriesKind::Counter),
            series("webhook_queued_total", &[("provider", "b")], SeriesKind::Counter),
        ]);
        assert_eq!(plan.slots.len(), 1);
        assert_eq!(plan.counters.len(), 2);
    }

    #[test]
    fn a_family_under_two_names_counts_once() {
        let (plan, layout, _) = resolve(vec![
            series("webhook_received_total", &[], SeriesKind::Counter),
            series("webhooks_received_total", &[], SeriesKind::Counter),
        ]);
        assert_eq!(plan.counters.len(), 1);
        assert_eq!(
            &*layout.series[plan.counters[0].0 as usize].name,
            "webhook_received_total"
        );
    }

    #[test]
    fn statuses_tell_success_from_failure() {
        let (plan, ..) = resolve(vec![
            series("webhook_processed_total", &[("status", "success")], SeriesKind::Counter),
            series("webhook_processed_total", &[("status", "failure")], SeriesKind::Counter),
            series(
                "webhook_signature_verification_total",
                &[("status", "invalid")],
                SeriesKind::Counter,
            ),
            series(
                "webhook_unconfirmed_total",
                &[("reason", "stream_full")],
                SeriesKind::Counter,
            ),
        ]);
        let mut tallies: Vec<Tally> = plan.slots.iter().map(|slot| slot.tally).collect();
        tallies.sort_unstable();
        assert_eq!(
            tallies,
            [
                Tally::Unconfirmed,
                Tally::NoSpace,
                Tally::SignatureInvalid,
                Tally::Processed,
                Tally::Failed
            ]
        );
    }

    #[test]
    fn histogram_parts_are_in_the_order_of_their_bounds() {
        let bucket = |le| series("webhook_batch_size_bucket", &[("le", le)], SeriesKind::Bucket);
        let (plan, layout, _) = resolve(vec![
            bucket("+Inf"),
            bucket("10"),
            bucket("100"),
            bucket("5"),
            series("webhook_batch_size_sum", &[], SeriesKind::Sum),
            series("webhook_batch_size_count", &[], SeriesKind::Count),
        ]);
        let histogram = &plan.histograms[0];
        assert_eq!(*histogram.bounds, [5.0, 10.0, 100.0, f64::INFINITY]);
        for (at, position) in &histogram.parts {
            let series = &layout.series[*at as usize];
            let expected = match series.kind {
                SeriesKind::Sum => 4,
                SeriesKind::Count => 5,
                _ => match series.label("le") {
                    Some("5") => 0,
                    Some("10") => 1,
                    Some("100") => 2,
                    _ => 3,
                },
            };
            assert_eq!(*position, expected, "{series:?}");
        }
    }

    #[test]
    fn the_busiest_of_too_many_providers_are_kept() {
        let all: Vec<SeriesId> = (0..500)
            .map(|n| {
                series(
                    "webhook_received_total",
                    &[("provider", &format!("p{n:03}"))],
                    SeriesKind::Counter,
                )
            })
            .collect();
        let layout = Layout::new(all);
        let values: Vec<f64> = (0..500_u16).map(f64::from).collect();
        let mut providers = Providers::default();
        Plan::resolve(&layout, &values, &Families::default(), &mut providers);
        assert!(providers.shown().iter().any(|name| &**name == "p499"));
        assert!(!providers.shown().iter().any(|name| &**name == "p000"));
        assert_eq!(providers.left_out(), 300);
    }

    #[test]
    fn a_process_says_who_it_is() {
        let (plan, ..) = resolve(vec![
            series(
                "webhook_build_info",
                &[("name", "w-1"), ("role", "worker"), ("version", "1.2")],
                SeriesKind::Gauge,
            ),
            series("process_start_time_seconds", &[], SeriesKind::Gauge),
        ]);
        assert_eq!(plan.identity.role, Role::Worker);
        assert_eq!(plan.identity.name.as_deref(), Some("w-1"));
        assert!(plan.start.is_some());
    }
}
