//! History with bounded memory: 1 s for 15 min, 10 s for 6 h, 1 min for 48 h, as f32.
//!
//! What grows out of a fine tier is averaged into the next coarser one, so the tiers follow
//! each other in time. When the byte budget is exceeded, the fine tiers of the series that
//! nobody looked at for longest are folded early.

mod tier;
mod track;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::tier::TIERS;
use self::track::{OVERHEAD, Series};
use super::field::Field;
use crate::base::time::Moment;

/// How far before its model's start a history can be made to reach: as far as the 10 s tier.
pub const REACH: Duration = Duration::from_hours(6);

/// Byte budgets of one pipeline, and of a fleet.
const BUDGET: usize = 4 << 20;
pub(super) const FLEET_BUDGET: usize = 64 << 20;

/// What a history is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The figure.
    pub field: Field,
    /// Of whom (a worker, a provider, `stream/consumer`); empty: of the pipeline.
    pub subject: Arc<str>,
}

impl SeriesKey {
    /// The pipeline's own figure.
    #[must_use]
    pub fn of(field: Field) -> Self {
        Self::about(field, "")
    }

    /// The figure of one worker, provider or `stream/consumer`.
    #[must_use]
    pub fn about(field: Field, subject: impl Into<Arc<str>>) -> Self {
        Self {
            field,
            subject: subject.into(),
        }
    }
}

/// The history of every charted figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Histories {
    series: BTreeMap<SeriesKey, Series>,
    /// What is added to a time since session start, so that there is room before it.
    before: Duration,
    /// Where what was before the session ends.
    seam: Option<Duration>,
    budget: usize,
    bytes: usize,
    /// Whether nothing is left that could be folded.
    spent: bool,
    looks: u64,
    folded: u64,
    refused: u64,
}

impl Default for Histories {
    fn default() -> Self {
        Self::with_budget(BUDGET)
    }
}

impl Histories {
    /// Histories that use at most about `budget` bytes.
    #[must_use]
    pub fn with_budget(budget: usize) -> Self {
        Self {
            series: BTreeMap::new(),
            before: Duration::ZERO,
            seam: None,
            budget,
            bytes: 0,
            spent: false,
            looks: 0,
            folded: 0,
            refused: 0,
        }
    }

    /// Lets them use more bytes than before; never fewer.
    pub(super) fn allow(&mut self, budget: usize) {
        self.budget = self.budget.max(budget);
    }

    /// Histories with room for what was before the session's start: [`REACH`].
    #[must_use]
    pub fn reaching_back() -> Self {
        Self {
            before: REACH,
            ..Self::default()
        }
    }

    /// Adds what another model recorded later than everything that is here. `start` is that
    /// model's time 0, in seconds since this one's, negative before it. What lies before the
    /// reach is left out.
    pub fn append(&mut self, later: &Self, start: i64) {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let delta = start
            .saturating_add(seconds(self.before))
            .saturating_sub(seconds(later.before));
        for (key, series) in &later.series {
            self.series.entry(key.clone()).or_default().append(series, delta);
        }
        self.spent = false;
        self.bytes = self.series.values().map(Series::bytes).sum();
        self.looks = self.looks.max(later.looks);
        self.folded += later.folded;
        self.refused += later.refused;
        while self.bytes > self.budget && self.fold_one() {}
    }

    /// Puts what is known from before the session's start, in [`Histories::reaching_back`], before
    /// what was recorded since `start`.
    pub(super) fn precede(&mut self, past: Self, start: Duration) {
        let since = std::mem::replace(self, past);
        self.budget = since.budget;
        self.seam = Some(start);
        self.append(&since, 0);
    }

    /// Where what was known from before the session ends and its own begins, time since session
    /// start; `None`: nothing was.
    #[must_use]
    pub fn seam(&self) -> Option<Duration> {
        self.seam
    }

    /// Adds a value of `seconds` seconds since session start, negative before it, that stands for
    /// 10 s: what a server that keeps means knows.
    pub fn recall(&mut self, key: &SeriesKey, seconds: i64, value: f64) {
        let before = i64::try_from(self.before.as_secs()).unwrap_or(i64::MAX);
        let Ok(second) = u64::try_from(seconds.saturating_add(before)) else {
            return;
        };
        #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
        let value = value.is_finite().then_some(value as f32);
        let series = self.series.entry(key.clone()).or_default();
        series.put(1, (second / TIERS[1].0, value, u32::from(value.is_some())));
        self.spent = false;
        self.bytes = self.series.values().map(Series::bytes).sum();
    }

    /// Adds a value; `None` is a gap.
    pub fn record(&mut self, key: &SeriesKey, at: Moment, value: Option<f64>) {
        let mono = at.mono + self.before;
        #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
        let value = value.filter(|value| value.is_finite()).map(|value| value as f32);
        if let Some(series) = self.series.get_mut(key) {
            let before = series.bytes();
            series.record(mono, value);
            self.bytes = self.bytes + series.bytes() - before;
        } else if value.is_some() {
            if self.bytes + OVERHEAD > self.budget && !self.fold_one() {
                self.refused += 1;
                return;
            }
            let mut series = Series::default();
            series.record(mono, value);
            self.bytes += series.bytes();
            self.series.insert(key.clone(), series);
            self.spent = false;
        }
        while self.bytes > self.budget && self.fold_one() {}
    }

    /// Folds the finest tier of the series that nobody looked at for longest.
    fn fold_one(&mut self) -> bool {
        // Whoever is over the budget asks at every value.
        if self.spent {
            return false;
        }
        let finest = self.series.values().map(|series| series.finest).min().unwrap_or(2);
        let idle = self
            .series
            .values_mut()
            .filter(|series| series.finest == finest)
            .min_by_key(|series| series.touched);
        let Some(series) = idle else { return false };
        let before = series.bytes();
        if !series.fold() {
            self.spent = true;
            return false;
        }
        self.bytes = self.bytes + series.bytes() - before;
        self.folded += 1;
        true
    }

    /// Notes that somebody looks at a series: its fine tiers are kept longest.
    pub fn touch(&mut self, key: &SeriesKey) {
        self.looks += 1;
        if let Some(series) = self.series.get_mut(key) {
            series.touched = self.looks;
            if series.finest > 0 {
                series.finest = 0;
                self.spent = false;
            }
        }
    }

    /// Forgets the series of subjects that do not exist any more.
    pub fn retain(&mut self, mut keep: impl FnMut(&SeriesKey) -> bool) {
        self.series.retain(|key, _| keep(key));
        self.bytes = self.series.values().map(Series::bytes).sum();
        self.spent = false;
    }

    /// How many fine tiers were dropped for want of memory.
    #[must_use]
    pub fn dropped_tiers(&self) -> u64 {
        self.folded
    }

    /// How many series have no fine tier now, for want of memory.
    #[must_use]
    pub fn thinned(&self) -> usize {
        if self.folded == 0 {
            return 0;
        }
        self.series.values().filter(|series| series.finest > 0).count()
    }

    /// How many values of new series were refused for want of memory.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Bytes in use, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last `span` before `end` in `points` equal steps, oldest first; `None`: a gap. Each
    /// step is the mean of what was recorded in it, from the finest tier that reaches that far
    /// back. Nothing is interpolated.
    #[must_use]
    pub fn window(&self, key: &SeriesKey, end: Moment, span: Duration, points: usize) -> Vec<Option<f32>> {
        let mut out = vec![None; points];
        let Some(series) = self.series.get(key) else {
            return out;
        };
        let end = (end.mono + self.before).as_secs_f64();
        let width = span.as_secs_f64() / points.max(1) as f64;
        let by_second = (width - 1.0).abs() < f64::EPSILON;
        for (at, slot) in out.iter_mut().enumerate() {
            let from = end - width * (points - at) as f64;
            let to = from + width;
            if to <= 0.0 {
                continue;
            }
            // A fleet's rows ask for the last minute second by second, all of them.
            if by_second && let Some(second) = series.second(from) {
                *slot = second.get();
                continue;
            }
            *slot = series.read(from, to);
        }
        out
    }

    /// The newest value of a series.
    #[must_use]
    pub fn latest(&self, key: &SeriesKey) -> Option<f32> {
        self.series.get(key)?.latest()
    }
}

#[cfg(test)]
mod tests;
