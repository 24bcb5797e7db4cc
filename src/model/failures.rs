//! Providers: how much comes from each, how much of it fails, how fast it is answered.

use std::sync::Arc;

use super::database::Database;
use super::histogram::Buckets;
use super::metrics::{Distribution, Flowing, Metrics, Share, Target};
use super::reading::Reading;
use super::sources::{Sources, Stamp};
use super::view::Provider;

/// What one provider's counters add up to over all targets that answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProviderFigures {
    pub(super) name: Arc<str>,
    pub(super) received_per_s: Option<f64>,
    pub(super) processed_per_s: Option<f64>,
    pub(super) minute: Tried,
    /// The same of the last 10 s.
    pub(super) lately: Tried,
    /// Valid and invalid signatures of the last 30 s.
    pub(super) signatures: (f64, f64),
    /// What arrived since the session started, over the gateways that answer.
    pub(super) arrived: f64,
    pub(super) response: Option<Buckets>,
    pub(super) gateway: Option<Stamp>,
    worker: Option<Stamp>,
}

/// What was tried within a window, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tried {
    pub(super) received: f64,
    pub(super) refused: f64,
    pub(super) unconfirmed: f64,
    pub(super) processed: f64,
    pub(super) failed: f64,
}

impl ProviderFigures {
    /// Adds what a gateway counts of it; true: it counts what it receives.
    fn add_gateway(&mut self, share: &Share) -> bool {
        if let Some(received) = &share.received {
            add(&mut self.received_per_s, received.per_second);
            self.tried(received, |tried| &mut tried.received);
            self.arrived += received.total;
        }
        self.tried(&share.refused, |tried| &mut tried.refused);
        self.tried(&share.unconfirmed, |tried| &mut tried.unconfirmed);
        self.signatures.0 += share.signatures.0;
        self.signatures.1 += share.signatures.1;
        share.received.is_some()
    }

    /// Adds what a worker counts of it; true: it counts what it processes.
    fn add_worker(&mut self, share: &Share) -> bool {
        if let Some(processed) = &share.processed {
            add(&mut self.processed_per_s, processed.per_second);
            self.tried(processed, |tried| &mut tried.processed);
        }
        self.tried(&share.failed, |tried| &mut tried.failed);
        share.processed.is_some()
    }

    /// Adds a counter's growth to both windows.
    fn tried(&mut self, counted: &Flowing, pick: impl Fn(&mut Tried) -> &mut f64) {
        *pick(&mut self.minute) += counted.minute;
        *pick(&mut self.lately) += counted.lately;
    }
}

impl Tried {
    /// Refused, unconfirmed and failed attempts.
    pub(super) fn failures(self) -> f64 {
        self.refused + self.unconfirmed + self.failed
    }

    /// What was tried: never less than what it became, so that retries of an old backlog do
    /// not make a ratio above 1.
    pub(super) fn attempts(self) -> f64 {
        self.received.max(self.failures() + self.processed)
    }

    /// Failures over attempts; unknown without attempts.
    pub(super) fn error_ratio(self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0.0).then(|| self.failures() / attempts)
    }
}

fn add(sum: &mut Option<f64>, more: Option<f64>) {
    if let Some(more) = more {
        *sum.get_or_insert(0.0) += more;
    }
}

/// The figures of every provider, by id.
pub(super) fn figures(metrics: &Metrics, database: &Database) -> Vec<ProviderFigures> {
    let mut out: Vec<ProviderFigures> = metrics
        .providers
        .shown()
        .iter()
        .map(|name| ProviderFigures {
            name: name.clone(),
            ..ProviderFigures::default()
        })
        .collect();
    // Those of a role that answer speak for it; all of the role when none does.
    let gateways_answer = metrics.gateways().any(|(_, target)| target.is_fresh());
    let workers_answer = metrics.workers().any(|(_, target)| target.is_fresh());
    let mut newest: Vec<(Option<&Stamp>, Option<&Stamp>)> = vec![(None, None); out.len()];
    for target in metrics.targets.values().filter(|target| !target.retired) {
        let takes = target.is_gateway() && (target.is_fresh() || !gateways_answer);
        let works = target.is_worker() && (target.is_fresh() || !workers_answer);
        if !takes && !works {
            continue;
        }
        for share in target.shares() {
            let at = usize::from(share.provider);
            let (Some(figures), Some((gateway, worker))) = (out.get_mut(at), newest.get_mut(at)) else {
                continue;
            };
            if takes && figures.add_gateway(share) {
                keep_newest(gateway, &target.stamp);
            }
            if works && figures.add_worker(share) {
                keep_newest(worker, &target.stamp);
            }
        }
        if takes {
            add_answers(&mut out, target);
        }
    }
    for (figures, (gateway, worker)) in out.iter_mut().zip(newest) {
        figures.gateway = gateway.cloned();
        figures.worker = worker.cloned();
    }
    if let Some(stamp) = &database.counters {
        for (id, counter) in &database.processed_by {
            let Some(figures) = out.get_mut(usize::from(*id)) else {
                continue;
            };
            if figures.worker.is_none() {
                figures.processed_per_s = counter.rate();
                figures.worker = Some(stamp.clone());
            }
        }
    }
    out
}

fn add_answers(out: &mut [ProviderFigures], target: &Target) {
    for (key, window) in target.windows() {
        let provider = key.provider.filter(|_| key.of == Distribution::Response);
        if let Some(figures) = provider.and_then(|id| out.get_mut(usize::from(id))) {
            window.add_to(&mut figures.response);
        }
    }
}

fn keep_newest<'a>(kept: &mut Option<&'a Stamp>, stamp: &'a Stamp) {
    if kept.is_none_or(|known| known.mono < stamp.mono) {
        *kept = Some(stamp);
    }
}

/// The providers as they are shown: busiest first, then by name.
pub(super) fn rows(figures: &[ProviderFigures], sources: &Sources) -> Vec<Provider> {
    let mut rows: Vec<Provider> = figures.iter().map(|figures| row(figures, sources)).collect();
    let busy = |reading: &Reading| reading.value.unwrap_or(0.0);
    rows.sort_by(|a, b| {
        busy(&b.received_per_s)
            .total_cmp(&busy(&a.received_per_s))
            .then_with(|| busy(&b.processed_per_s).total_cmp(&busy(&a.processed_per_s)))
            .then_with(|| a.name.cmp(&b.name))
    });
    rows
}

fn row(figures: &ProviderFigures, sources: &Sources) -> Provider {
    let gateway = figures.gateway.as_ref();
    let worker = figures.worker.as_ref();
    let quantile = |q: f64| {
        let value = figures.response.as_ref().and_then(|response| response.quantile(q));
        sources.reading(value, gateway)
    };
    Provider {
        name: figures.name.clone(),
        received_per_s: sources.reading(figures.received_per_s, gateway),
        processed_per_s: sources.reading(figures.processed_per_s, worker),
        error_ratio: sources.reading(figures.minute.error_ratio(), gateway.or(worker)),
        response_p50_s: quantile(0.5),
        response_p99_s: quantile(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_without_attempts_is_unknown() {
        assert_eq!(Tried::default().error_ratio(), None);
    }

    #[test]
    fn retries_of_an_old_backlog_make_no_ratio_above_one() {
        let minute = Tried {
            received: 10.0,
            failed: 300.0,
            processed: 100.0,
            ..Tried::default()
        };
        assert_eq!(minute.error_ratio(), Some(0.75));
    }

    #[test]
    fn a_ratio_is_failures_over_arrivals() {
        let minute = Tried {
            received: 1_000.0,
            refused: 30.0,
            unconfirmed: 10.0,
            failed: 10.0,
            processed: 900.0,
        };
        assert_eq!(minute.error_ratio(), Some(0.05));
    }
}
