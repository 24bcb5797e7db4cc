//! Percentiles from histogram buckets: deltas over the window, summed over targets.

use std::collections::VecDeque;
use std::sync::Arc;

use super::counter::Span;

/// The window is as long as that of the rates.
const WINDOW: f64 = 10.0;
/// It may be longer by this share, so that jitter does not drop its first reading.
const SLACK: f64 = 0.05;

/// Cumulative buckets with their upper bounds, as a page states them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// Upper bounds, ascending; the last one may be +Inf.
    pub(super) bounds: Arc<[f64]>,
    /// How many observations are not above each bound.
    pub(super) counts: Vec<f64>,
    /// Sum of the observations.
    pub(super) sum: f64,
    /// Their number.
    pub(super) count: f64,
}

impl Buckets {
    /// Adds another histogram's observations. Where the bounds differ, a bound that only one of them
    /// knows takes the other's count at its next lower bound: a lower bound of the truth.
    pub(super) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
        if self.bounds.is_empty() {
            self.bounds.clone_from(&other.bounds);
            self.counts.clone_from(&other.counts);
        } else if self.bounds == other.bounds {
            for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
                *mine += theirs;
            }
        } else {
            let mut bounds: Vec<f64> = self.bounds.iter().chain(&*other.bounds).copied().collect();
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            self.counts = bounds
                .iter()
                .map(|bound| self.below(*bound) + other.below(*bound))
                .collect();
            self.bounds = bounds.into();
        }
    }

    fn below(&self, bound: f64) -> f64 {
        let at = self.bounds.partition_point(|known| *known <= bound);
        at.checked_sub(1).map_or(0.0, |at| self.counts[at])
    }

    /// The `q`-quantile. `None` without observations.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        quantile(&self.bounds, &self.counts, q)
    }

    /// The mean observation.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// The `q`-quantile of cumulative counts, computed as Prometheus's `histogram_quantile` does: linear
/// within the bucket, from 0 in the first one; what falls into the +Inf bucket is reported as the
/// highest finite bound, a lower bound of the truth. `None` without observations.
fn quantile(bounds: &[f64], counts: &[f64], q: f64) -> Option<f64> {
    let total = *counts.last()?;
    if total.is_nan() || total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let at = counts.iter().position(|count| *count >= rank)?;
    let bound = bounds[at];
    if bound.is_infinite() {
        return at.checked_sub(1).map(|at| bounds[at]);
    }
    if at == 0 && bound <= 0.0 {
        return Some(bound);
    }
    let (from, before) = match at.checked_sub(1) {
        Some(below) => (bounds[below], counts[below]),
        None => (0.0, 0.0),
    };
    let inside = counts[at] - before;
    if inside <= 0.0 {
        return Some(bound);
    }
    Some(from + (bound - from) * ((rank - before) / inside))
}

/// A histogram of one process with its readings of the last 10 s.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    bounds: Arc<[f64]>,
    /// Time; then the buckets, the sum and the count, cumulative.
    points: VecDeque<(f64, Vec<f64>)>,
}

impl Histogram {
    pub(super) fn new(bounds: Arc<[f64]>) -> Self {
        Self {
            bounds,
            points: VecDeque::with_capacity(2),
        }
    }

    /// Its upper bounds.
    pub(super) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// Takes a reading: the buckets, then the sum and the count. A reading with an unknown
    /// value is passed over; one that fell begins anew.
    pub(super) fn observe(&mut self, span: Span, values: &[f64]) {
        if values.len() != self.bounds.len() + 2 || values.iter().any(|value| value.is_nan()) {
            return;
        }
        if let Some((last, before)) = self.points.back() {
            // The sum may fall without a restart: observations may be negative.
            let fell = values
                .iter()
                .zip(before)
                .take(self.bounds.len())
                .any(|(new, old)| new < old);
            if fell || span.clock <= *last {
                self.restart();
            }
        }
        // The oldest vector is reused: a scrape allocates nothing in the steady state.
        let mut kept = Vec::new();
        while self.points.len() > 1 && self.points[0].0 < span.clock - WINDOW * (1.0 + SLACK) {
            kept = self.points.pop_front().map(|(_, oldest)| oldest).unwrap_or_default();
        }
        kept.clear();
        kept.extend_from_slice(values);
        self.points.push_back((span.clock, kept));
    }

    /// Forgets what was read: the process is another one.
    pub(super) fn restart(&mut self) {
        self.points.clear();
    }

    /// Adds to `values` what was observed between the oldest and the newest reading: the buckets,
    /// the sum and the count. False, and zeros: under two readings.
    fn write_window(&self, values: &mut Vec<f64>) -> bool {
        match (self.points.front(), self.points.back()) {
            (Some((_, from)), Some((_, to))) if self.points.len() > 1 => {
                values.extend(to.iter().zip(from).map(|(to, from)| to - from));
                true
            }
            _ => {
                values.resize(values.len() + self.bounds.len() + 2, 0.0);
                false
            }
        }
    }
}

/// The windows of all histograms of one process, in one piece: worked out when it is read, and
/// summed over all processes every second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows<K> {
    heads: Vec<Head<K>>,
    values: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
struct Head<K> {
    key: K,
    begin: usize,
    known: bool,
    bounds: Arc<[f64]>,
}

/// What one histogram observed within its window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window<'a> {
    bounds: &'a Arc<[f64]>,
    /// The buckets, the sum and the count; empty: not known.
    values: &'a [f64],
}

impl<K: Copy + Ord> Windows<K> {
    pub(super) fn new() -> Self {
        Self {
            heads: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Works out the windows of histograms that come in the order of their keys.
    pub(super) fn read<'a>(&mut self, histograms: impl Iterator<Item = (&'a K, &'a Histogram)>)
    where
        K: 'a,
    {
        self.heads.clear();
        self.values.clear();
        for (key, histogram) in histograms {
            self.heads.push(Head {
                key: *key,
                begin: self.values.len(),
                known: histogram.write_window(&mut self.values),
                bounds: histogram.bounds.clone(),
            });
        }
    }

    /// All of them, by key.
    pub(super) fn all(&self) -> impl Iterator<Item = (K, Window<'_>)> {
        self.heads.iter().map(|head| (head.key, self.of(head)))
    }

    /// One of them; `None`: there is no such histogram.
    pub(super) fn get(&self, key: K) -> Option<Window<'_>> {
        let at = self.heads.binary_search_by_key(&key, |head| head.key).ok()?;
        Some(self.of(&self.heads[at]))
    }

    fn of<'a>(&'a self, head: &'a Head<K>) -> Window<'a> {
        let end = head.begin + head.bounds.len() + 2;
        let values = self.values.get(head.begin..end).filter(|_| head.known);
        Window {
            bounds: &head.bounds,
            values: values.unwrap_or_default(),
        }
    }
}

impl Window<'_> {
    /// Adds it to `sum`, without a copy in the usual case.
    pub(super) fn add_to(self, sum: &mut Option<Buckets>) {
        let [counts @ .., of, number] = self.values else { return };
        match sum {
            Some(sum) if sum.bounds == *self.bounds => {
                for (mine, count) in sum.counts.iter_mut().zip(counts) {
                    *mine += count;
                }
                sum.sum += of;
                sum.count += number;
            }
            _ => sum.get_or_insert_default().add(&Buckets {
                bounds: self.bounds.clone(),
                counts: counts.to_vec(),
                sum: *of,
                count: *number,
            }),
        }
    }

    /// The `q`-quantile.
    pub(super) fn quantile(self, q: f64) -> Option<f64> {
        let [counts @ .., _, _] = self.values else { return None };
        quantile(self.bounds, counts, q)
    }

    /// The mean observation.
    pub(super) fn mean(self) -> Option<f64> {
        let [.., sum, count] = self.values else { return None };
        (*count > 0.0).then(|| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(bounds: &[f64], counts: &[f64]) -> Buckets {
        Buckets {
            bounds: bounds.into(),
            counts: counts.to_vec(),
            sum: 0.0,
            count: counts.last().copied().unwrap_or(0.0),
        }
    }

    fn span(t: f64) -> Span {
        Span {
            begun: t,
            ended: t,
            clock: t,
        }
    }

    fn window(histogram: &Histogram) -> Option<Buckets> {
        let mut windows = Windows::new();
        windows.read([(&(), histogram)].into_iter());
        let mut sum = None;
        windows.get(()).unwrap().add_to(&mut sum);
        sum
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let b = buckets(&[0.1, 0.2, 0.4, INF], &[50.0, 90.0, 100.0, 100.0]);
        assert!((b.quantile(0.5).unwrap() - 0.1).abs() < 1e-9);
        assert!((b.quantile(0.25).unwrap() - 0.05).abs() < 1e-9);
        assert!((b.quantile(0.95).unwrap() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn the_last_bucket_gives_the_highest_finite_bound() {
        let b = buckets(&[0.1, 0.2, INF], &[1.0, 2.0, 100.0]);
        assert!((b.quantile(0.99).unwrap() - 0.2).abs() < 1e-9);
        assert_eq!(buckets(&[INF], &[5.0]).quantile(0.5), None);
    }

    #[test]
    fn without_observations_there_is_no_quantile() {
        assert_eq!(buckets(&[0.1, INF], &[0.0, 0.0]).quantile(0.5), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn targets_are_summed_even_with_different_bounds() {
        let mut sum = buckets(&[0.1, INF], &[10.0, 10.0]);
        sum.add(&buckets(&[0.1, INF], &[0.0, 10.0]));
        assert_eq!(sum.counts, vec![10.0, 20.0]);
        sum.add(&buckets(&[0.2, INF], &[5.0, 5.0]));
        assert_eq!(*sum.bounds, [0.1, 0.2, INF]);
        assert_eq!(sum.counts, vec![10.0, 15.0, 25.0]);
        assert!((sum.count - 25.0).abs() < 1e-9);
    }

    #[test]
    fn only_what_was_observed_within_the_window_counts() {
        let mut h = Histogram::new([1.0, INF].into());
        h.observe(span(0.0), &[1000.0, 1000.0, 500.0, 1000.0]);
        assert_eq!(window(&h), None);
        for t in 1..=20 {
            h.observe(
                span(f64::from(t)),
                &[
                    1000.0,
                    1000.0 + f64::from(t),
                    500.0 + f64::from(t) * 3.0,
                    1000.0 + f64::from(t),
                ],
            );
        }
        let window = window(&h).unwrap();
        assert_eq!(window.counts, vec![0.0, 10.0]);
        assert!((window.mean().unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_fall_discards_what_was_before() {
        let mut h = Histogram::new([1.0, INF].into());
        h.observe(span(0.0), &[100.0, 100.0, 1.0, 100.0]);
        h.observe(span(1.0), &[150.0, 150.0, 1.0, 150.0]);
        h.observe(span(2.0), &[5.0, 5.0, 1.0, 5.0]);
        assert_eq!(window(&h), None);
        h.observe(span(3.0), &[f64::NAN, 5.0, 1.0, 5.0]);
        assert_eq!(window(&h), None);
        h.observe(span(4.0), &[6.0, 6.0, 1.0, 6.0]);
        assert_eq!(window(&h).unwrap().counts, vec![1.0, 1.0]);
    }
}
