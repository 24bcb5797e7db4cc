//! What both programs measure with: label sets, a bounded set of events, the process itself.
//!
//! Handles are resolved once and kept: on the hot path a metric is an atomic addition.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::provider::Provider;
use super::topology;
use crate::base::time::SharedClock;

/// The labels of a series.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// A family of counters.
pub(super) type Counters = Family<Labels, Counter>;

/// The label value of what is not known.
pub(super) const UNKNOWN: &str = "unknown";

/// Pairs of provider and event that get series of their own. Names come from strangers: what
/// goes beyond is counted together, so that nobody can fill the memory with names.
const PAIRS: usize = 500;

/// The label value of what goes beyond.
const OTHER: &str = "other";

/// A counter of a family.
pub(super) fn counter<const N: usize>(family: &Counters, labels: [(&'static str, &str); N]) -> Counter {
    let labels: Labels = labels
        .map(|(name, value)| (name, Cow::Owned(value.to_owned())))
        .to_vec();
    family.get_or_create_owned(&labels)
}

/// Counts where no handle is kept: errors, which are rare or slow anyway.
pub(super) fn count<const N: usize>(family: &Counters, labels: [(&'static str, &str); N]) {
    counter(family, labels).inc();
}

/// Handles per provider and event, made on first sight.
#[derive(Debug)]
pub(super) struct PerEvent<H> {
    known: RwLock<HashMap<String, HashMap<String, Arc<H>>>>,
    other: Arc<H>,
}

impl<H> PerEvent<H> {
    /// Handles for every known event of every known provider, and for what goes beyond.
    pub(super) fn new(make: &impl Fn(&str, &str) -> H) -> Self {
        let events = Self {
            known: RwLock::default(),
            other: Arc::new(make(OTHER, OTHER)),
        };
        for provider in Provider::ALL {
            for event in provider.known_events() {
                events.of(provider.name(), &topology::token(event), make);
            }
        }
        events
    }

    /// The handles of an event; `make` makes them when they are new.
    pub(super) fn of(&self, provider: &str, event: &str, make: &impl Fn(&str, &str) -> H) -> Arc<H> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handles) = known.get(provider).and_then(|events| events.get(event)) {
            return handles.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(HashMap::len).sum::<usize>() >= PAIRS {
            return self.other.clone();
        }
        known
            .entry(provider.to_owned())
            .or_default()
            .entry(event.to_owned())
            .or_insert_with(|| Arc::new(make(provider, event)))
            .clone()
    }
}

/// Buckets of an answer's time: fine from 0.25 ms to 2.5 s, so that a p99 read from them is
/// off by a fifth at most.
pub(super) fn response_buckets() -> impl Iterator<Item = f64> {
    [
        0.000_25, 0.000_5, 0.000_75, 0.001, 0.001_5, 0.002, 0.002_5, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.012_5,
        0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0,
    ]
    .into_iter()
}

/// Buckets of a batch's time and of a database operation's.
pub(super) fn work_buckets() -> impl Iterator<Item = f64> {
    [
        0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2,
        0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0,
    ]
    .into_iter()
}

/// Buckets of a batch's size.
pub(super) fn size_buckets() -> impl Iterator<Item = f64> {
    [
        1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 75.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0,
    ]
    .into_iter()
}

/// Registers `webhook_build_info` and `process_*`.
pub(super) fn register_process(registry: &mut Registry, clock: &SharedClock, role: &'static str, name: &str) {
    let build: Family<Labels, Gauge> = Family::default();
    let labels = vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("role", role.into()),
        ("name", name.to_owned().into()),
    ];
    build.get_or_create(&labels).set(1);
    registry.register("webhook_build_info", "Always 1: which program this is", build);
    let now = clock.now();
    registry.register_collector(Box::new(Process {
        started_s: now.at.as_duration().as_secs_f64() - now.mono.as_secs_f64(),
    }));
}

/// `process_start_time_seconds`, `process_cpu_seconds_total`, `process_resident_memory_bytes`,
/// read when the page is.
#[derive(Debug)]
struct Process {
    started_s: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let start = encoder.encode_descriptor(
            "process_start_time_seconds",
            "Unix time at which the process started",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(self.started_s).encode(start)?;
        let cpu = encoder.encode_descriptor("process_cpu_seconds", "CPU time used", None, MetricType::Counter)?;
        ConstCounter::new(cpu_time().as_secs_f64()).encode(cpu)?;
        if let Some(bytes) = resident_memory() {
            let memory = encoder.encode_descriptor(
                "process_resident_memory_bytes",
                "Resident memory",
                None,
                MetricType::Gauge,
            )?;
            ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX)).encode(memory)?;
        }
        Ok(())
    }
}

/// CPU time that this process has used, user and system.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Resident memory in bytes; `None` where there is no `/proc`.
pub(super) fn resident_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// The machine's memory in bytes; `None` where there is no `/proc`.
pub(super) fn machine_memory() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemTotal:")
}

fn kibibytes(file: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_memory_with_names() {
        let make = |provider: &str, event: &str| format!("{provider}/{event}");
        let events = PerEvent::new(&make);
        assert_eq!(*events.of("telnyx", "message_sent", &make), "telnyx/message_sent");
        for i in 0..10 * PAIRS {
            events.of("telnyx", &format!("event_{i}"), &make);
        }
        assert_eq!(*events.of("telnyx", "one_more", &make), "other/other");
        assert_eq!(*events.of("telnyx", "message_sent", &make), "telnyx/message_sent");
    }

    #[test]
    fn buckets_only_grow() {
        for buckets in [
            response_buckets().collect::<Vec<_>>(),
            work_buckets().collect(),
            size_buckets().collect(),
        ] {
            assert!(buckets.windows(2).all(|pair| pair[0] < pair[1]), "{buckets:?}");
        }
    }
}
