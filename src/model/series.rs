//! History with bounded memory: 1 s for 15 min, 10 s for 6 h, 1 min for 48 h, as f32.
//!
//! What grows out of a fine tier is averaged into the next coarser one, so the tiers follow
//! each other in time. When the byte budget is exceeded, the fine tiers of the series that
//! nobody looked at for longest are folded early.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::field::Field;
use crate::base::time::Moment;

/// Seconds a slot, and slots, of each tier.
const TIERS: [(u64, usize); 3] = [(1, 900), (10, 2_160), (60, 2_880)];

/// How far before its model's start a history can be made to reach: as far as the 10 s tier.
pub const REACH: Duration = Duration::from_hours(6);

/// A tier's memory grows by this many slots.
const CHUNK: usize = 64;

/// What a series costs besides its slots, roughly.
const OVERHEAD: usize = 192;

/// Byte budgets of one pipeline, and of a fleet.
const BUDGET: usize = 4 << 20;
pub(super) const FLEET_BUDGET: usize = 64 << 20;

/// Two records nearer than this belong together: a slot between them is no gap.
const JITTER: Duration = Duration::from_millis(1_500);

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

/// A slot's value as its bits, so that two histories with the same gaps are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot(u32);

impl Slot {
    const GAP: Self = Self(f32::NAN.to_bits());

    fn get(self) -> Option<f32> {
        let value = f32::from_bits(self.0);
        (!value.is_nan()).then_some(value)
    }
}

/// One resolution of one series: consecutive slots.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tier {
    /// The first slot's number: its time over the tier's step.
    first: u64,
    slots: VecDeque<Slot>,
    /// How many values the last slot's mean is of.
    weight: u32,
}

impl Tier {
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    fn push(&mut self, slot: Slot) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(CHUNK);
        }
        self.slots.push_back(slot);
    }

    /// Puts the mean of `weight` values into slot `number`, joined with what is there.
    fn add(&mut self, number: u64, value: Option<f32>, weight: u32, longest: usize) {
        if self.slots.is_empty() || number >= self.end() + longest as u64 {
            self.slots.clear();
            self.first = number;
            self.weight = 0;
        }
        if number < self.first || number + 1 < self.end() {
            return;
        }
        while self.end() <= number {
            self.push(Slot::GAP);
            self.weight = 0;
        }
        let (Some(value), Some(last)) = (value, self.slots.back_mut()) else {
            return;
        };
        let before = last.get().map_or(0.0, f64::from) * f64::from(self.weight);
        self.weight += weight;
        #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
        let mean = ((before + f64::from(value) * f64::from(weight)) / f64::from(self.weight.max(1))) as f32;
        *last = Slot(mean.to_bits());
    }

    /// Takes the oldest slots out that fall into one slot of a tier `ratio` times as coarse:
    /// that slot's number, the mean, and of how many values.
    fn take_group(&mut self, ratio: u64) -> Option<(u64, Option<f32>, u32)> {
        let number = self.first / ratio;
        let (mut sum, mut count, mut any) = (0.0_f64, 0_u32, false);
        while !self.slots.is_empty() && self.first / ratio == number {
            any = true;
            if let Some(value) = self.slots.pop_front().and_then(Slot::get) {
                sum += f64::from(value);
                count += 1;
            }
            self.first += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
        let mean = (count > 0).then(|| (sum / f64::from(count)) as f32);
        any.then_some((number, mean, count))
    }

    /// Whether it reaches to `t`.
    fn reaches(&self, step: u64, t: f64) -> bool {
        !self.slots.is_empty() && t >= (self.first * step) as f64 && t < (self.end() * step) as f64
    }

    /// Of the tier of seconds: the slot that [`Tier::read`] gives for the second from `from` on;
    /// `None`: it is not simply one.
    fn second(&self, from: f64) -> Option<Slot> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds since session start, not negative"
        )]
        let number = (from >= self.first as f64).then(|| from.ceil() as u64)?;
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(at).copied()
    }

    /// The mean of the slots that begin within `from..to`, or the slot that covers their
    /// middle when that is finer than a slot. `None`: a gap.
    fn read(&self, step: u64, from: f64, to: f64) -> Option<f32> {
        let start = (self.first * step) as f64;
        let middle = f64::midpoint(from, to);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the tier, not negative"
        )]
        let slot_at = |t: f64| (t.max(start) / step as f64).ceil() as u64;
        let (mut a, mut b) = (slot_at(from), slot_at(to).min(self.end()));
        if a >= b {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within the tier, not negative"
            )]
            let covering = (middle / step as f64) as u64;
            (a, b) = (covering, covering + 1);
        }
        let (mut sum, mut count) = (0.0_f64, 0_u32);
        for number in a..b {
            let slot = usize::try_from(number - self.first)
                .ok()
                .and_then(|at| self.slots.get(at));
            if let Some(value) = slot.copied().and_then(Slot::get) {
                sum += f64::from(value);
                count += 1;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
        let mean = (count > 0).then(|| (sum / f64::from(count)) as f32);
        mean
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Series {
    tiers: [Option<Tier>; 3],
    /// The finest tier that is kept.
    finest: usize,
    last: Option<Duration>,
    /// When somebody last looked at it, in the order of looks.
    touched: u64,
}

impl Series {
    fn bytes(&self) -> usize {
        OVERHEAD + self.tiers.iter().flatten().map(Tier::bytes).sum::<usize>()
    }

    fn record(&mut self, mono: Duration, value: Option<f32>) {
        let second = mono.as_secs();
        if self.last.is_some_and(|last| last > mono) {
            return;
        }
        if self.finest == 0 {
            self.record_second(second, mono, value);
        } else {
            let (step, longest) = TIERS[self.finest];
            let tier = self.tiers[self.finest].get_or_insert_default();
            tier.add(second / step, value, u32::from(value.is_some()), longest);
        }
        self.last = Some(mono);
        self.cascade();
    }

    fn record_second(&mut self, second: u64, mono: Duration, value: Option<f32>) {
        let tier = self.tiers[0].get_or_insert_default();
        let steady = self.last.is_some_and(|last| mono.saturating_sub(last) < JITTER);
        if steady && tier.end() + 1 == second {
            // A second that fell between two records: the new value's window covers it.
            tier.add(second - 1, value, 1, TIERS[0].1);
        }
        if tier.end() == second + 1 {
            // Several records within a second: the last one counts.
            if let (Some(value), Some(last)) = (value, tier.slots.back_mut()) {
                *last = Slot(value.to_bits());
            }
        } else {
            tier.add(second, value, 1, TIERS[0].1);
        }
    }

    /// Moves what grew out of a tier into the next coarser one.
    fn cascade(&mut self) {
        for level in 0..2 {
            let ratio = TIERS[level + 1].0 / TIERS[level].0;
            while let Some(tier) = &mut self.tiers[level] {
                let spare = usize::try_from(ratio).unwrap_or(usize::MAX);
                if tier.slots.len() < TIERS[level].1 + spare {
                    break;
                }
                let Some(group) = tier.take_group(ratio) else { break };
                self.put(level + 1, group);
            }
        }
        if let Some(tier) = &mut self.tiers[2] {
            while tier.slots.len() > TIERS[2].1 {
                tier.slots.pop_front();
                tier.first += 1;
            }
        }
    }

    fn put(&mut self, level: usize, (number, mean, count): (u64, Option<f32>, u32)) {
        self.tiers[level]
            .get_or_insert_default()
            .add(number, mean, count, TIERS[level].1);
    }

    /// Moves everything from one tier into the next coarser one.
    fn pour(&mut self, level: usize) {
        let ratio = TIERS[level + 1].0 / TIERS[level].0;
        if let Some(mut tier) = self.tiers[level].take() {
            while let Some(group) = tier.take_group(ratio) {
                self.put(level + 1, group);
            }
        }
    }

    /// Adds what another series holds of later times, `delta` seconds away from this one's.
    fn append(&mut self, later: &Self, delta: i64) {
        let holds = |level: usize| later.tiers[level].as_ref().is_some_and(|tier| !tier.slots.is_empty());
        let begins = later.tiers[0]
            .as_ref()
            .map(|tier| tier.first.saturating_add_signed(delta));
        let ends = self.tiers[0].as_ref().map(Tier::end);
        let far = matches!((begins, ends), (Some(begin), Some(end)) if begin >= end + TIERS[0].1 as u64);
        // The tiers follow each other in time: what is fine here is older than what is coarse there.
        if far || holds(1) || holds(2) {
            self.pour(0);
        }
        if holds(2) {
            self.pour(1);
        }
        for level in (0..TIERS.len()).rev() {
            let Some(tier) = &later.tiers[level] else { continue };
            let step = TIERS[level].0;
            for (number, slot) in (tier.first..).zip(&tier.slots) {
                let Some(second) = (number * step).checked_add_signed(delta) else {
                    continue;
                };
                if level == 0 {
                    self.record_second(second, Duration::from_secs(second), slot.get());
                    self.last = Some(Duration::from_secs(second));
                    self.cascade();
                } else {
                    self.put(level, (second / step, slot.get(), u32::from(slot.get().is_some())));
                }
            }
        }
        self.touched = later.touched;
        self.finest = later.finest;
    }

    /// Gives its finest tier up, averaged into the next one. Nothing to give: false.
    fn fold(&mut self) -> bool {
        if self.finest >= 2 {
            return false;
        }
        self.pour(self.finest);
        self.finest += 1;
        true
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
        for (at, slot) in out.iter_mut().enumerate() {
            let from = end - width * (points - at) as f64;
            let to = from + width;
            if to <= 0.0 {
                continue;
            }
            // A fleet's rows ask for the last minute second by second, all of them.
            if let Some(tier) = series.tiers[0].as_ref().filter(|_| (width - 1.0).abs() < f64::EPSILON)
                && let Some(second) = tier.second(from)
            {
                *slot = second.get();
                continue;
            }
            *slot = series
                .tiers
                .iter()
                .zip(TIERS)
                .filter_map(|(tier, (step, _))| Some((tier.as_ref()?, step)))
                .find(|(tier, step)| tier.reaches(*step, f64::midpoint(from, to)))
                .and_then(|(tier, step)| tier.read(step, from, to));
        }
        out
    }

    /// The newest value of a series.
    #[must_use]
    pub fn latest(&self, key: &SeriesKey) -> Option<f32> {
        let series = self.series.get(key)?;
        series.tiers.iter().flatten().next()?.slots.back()?.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn moment(seconds: f64) -> Moment {
        Moment {
            at: Timestamp::UNIX_EPOCH,
            mono: Duration::from_secs_f64(seconds),
        }
    }

    fn key() -> SeriesKey {
        SeriesKey::of(Field::Backlog)
    }

    fn filled(seconds: u32) -> Histories {
        let mut histories = Histories::default();
        for second in 0..seconds {
            histories.record(&key(), moment(f64::from(second) + 0.3), Some(f64::from(second)));
        }
        histories
    }

    #[test]
    fn one_point_a_second_gives_back_what_was_recorded() {
        let histories = filled(100);
        let window = histories.window(&key(), moment(99.4), Duration::from_secs(10), 10);
        let expected: Vec<_> = (90..100_i16).map(|v| Some(f32::from(v))).collect();
        assert_eq!(window, expected);
    }

    #[test]
    fn wider_steps_are_means_and_narrower_ones_repeat() {
        let histories = filled(100);
        let wide = histories.window(&key(), moment(99.4), Duration::from_secs(20), 2);
        assert_eq!(wide, vec![Some(84.5), Some(94.5)]);
        let narrow = histories.window(&key(), moment(99.999), Duration::from_secs(2), 4);
        assert_eq!(narrow, vec![Some(98.0), Some(98.0), Some(99.0), Some(99.0)]);
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let mut histories = filled(10);
        histories.record(&key(), moment(10.3), None);
        for second in 15..20_u8 {
            histories.record(&key(), moment(f64::from(second) + 0.3), Some(1.0));
        }
        let window = histories.window(&key(), moment(19.4), Duration::from_secs(12), 12);
        let seen: Vec<bool> = window.iter().map(Option::is_some).collect();
        let expected = [
            true, true, false, false, false, false, false, true, true, true, true, true,
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_second_missed_by_jitter_is_no_gap() {
        let mut histories = Histories::default();
        for t in [0.9, 1.99, 3.01, 4.0] {
            histories.record(&key(), moment(t), Some(5.0));
        }
        let window = histories.window(&key(), moment(4.0), Duration::from_secs(4), 4);
        assert!(window.iter().all(Option::is_some), "{window:?}");
    }

    #[test]
    fn old_seconds_become_means_of_ten_and_then_minutes() {
        let histories = filled(30_000);
        let tiers = &histories.series[&key()].tiers;
        assert!(tiers[0].as_ref().unwrap().slots.len() <= 910);
        assert!(tiers[1].as_ref().unwrap().slots.len() <= 2_166);
        assert!(tiers[2].is_some());
        // Each tier takes over where the finer one ends.
        assert_eq!(tiers[1].as_ref().unwrap().end() * 10, tiers[0].as_ref().unwrap().first);
        let window = histories.window(&key(), moment(29_999.5), Duration::from_secs(29_000), 290);
        for (at, value) in window.iter().enumerate() {
            let middle = 999.5 + 100.0 * at as f64 + 50.0;
            assert!(
                (f64::from(value.unwrap()) - middle).abs() <= 61.0,
                "{at}: {value:?} {middle}"
            );
        }
    }

    #[test]
    fn the_budget_holds_and_the_unseen_lose_their_fine_tiers_first() {
        let mut histories = Histories::with_budget(40_000);
        let keys: Vec<SeriesKey> = (0..20)
            .map(|n| SeriesKey::about(Field::WorkerRate, format!("w-{n}")))
            .collect();
        for second in 0..900_u32 {
            histories.touch(&keys[7]);
            for key in &keys {
                histories.record(key, moment(f64::from(second)), Some(2.0));
            }
            assert!(histories.bytes() <= 40_000);
        }
        assert!(histories.dropped_tiers() > 0);
        assert_eq!(histories.series[&keys[7]].finest, 0);
        assert!(histories.series.values().any(|series| series.finest > 0));
        // What was folded is still there, only coarser.
        for key in &keys {
            let window = histories.window(key, moment(899.5), Duration::from_secs(800), 40);
            assert!(window.iter().all(|value| *value == Some(2.0)), "{key:?} {window:?}");
        }
    }

    #[test]
    fn the_least_recently_viewed_gives_its_fine_tier_first_and_it_is_told() {
        let mut histories = Histories::with_budget(usize::MAX);
        let keys: Vec<SeriesKey> = (0..4)
            .map(|n| SeriesKey::about(Field::WorkerRate, format!("w-{n}")))
            .collect();
        for second in 0..600_u32 {
            for key in &keys {
                histories.record(key, moment(f64::from(second)), Some(2.0));
            }
        }
        for viewed in [2, 0, 3, 1] {
            histories.touch(&keys[viewed]);
        }
        for (thinned, expected) in [2, 0, 3, 1].into_iter().enumerate() {
            assert_eq!(histories.thinned(), thinned);
            histories.budget = histories.bytes - 1;
            assert!(histories.fold_one());
            assert_eq!(histories.series[&keys[expected]].finest, 1, "{thinned}");
        }
        assert_eq!(histories.thinned(), 4);
    }

    #[test]
    fn a_minute_second_by_second_is_the_same_as_slot_by_slot() {
        let histories = filled(100);
        for end in [30.0, 59.4, 99.0, 99.4, 99.999, 130.7] {
            let quick = histories.window(&key(), moment(end), Duration::from_mins(1), 60);
            let tier = histories.series[&key()].tiers[0].as_ref().unwrap();
            for (at, value) in (0_u8..).zip(&quick) {
                let from = end - 60.0 + f64::from(at);
                let reached = from > -1.0 && tier.reaches(1, from + 0.5);
                let expected = reached.then(|| tier.read(1, from, from + 1.0)).flatten();
                assert_eq!(*value, expected, "{end} {at}");
            }
        }
    }

    #[test]
    fn series_beyond_the_budget_are_refused_and_counted() {
        let mut histories = Histories::with_budget(10_000);
        for n in 0..1_000 {
            histories.record(
                &SeriesKey::about(Field::WorkerRate, format!("w-{n}")),
                moment(1.0),
                Some(1.0),
            );
        }
        assert!(histories.refused() > 0);
        assert!(histories.bytes() <= 10_000 + 1_000);
    }

    #[test]
    fn what_was_before_the_start_stands_before_it_and_live_goes_on_behind() {
        // Another session began 2,000 s before this one and ended 100 s before it.
        let mut past = Histories::reaching_back();
        past.append(&filled(1_900), -2_000);
        let mut live = filled(50);
        live.precede(past, Duration::ZERO);
        for second in 50..60_u8 {
            live.record(&key(), moment(f64::from(second) + 0.3), Some(f64::from(second)));
        }
        let window = live.window(&key(), moment(59.4), Duration::from_secs(200), 200);
        for (at, value) in (0_u16..).zip(&window) {
            let expected = match at {
                // 141 s before the start: the other's 1,860th second.
                0..40 => Some(f32::from(at) + 1_860.0),
                40..140 => None,
                _ => Some(f32::from(at) - 140.0),
            };
            assert_eq!(*value, expected, "{at}");
        }
        let far = live.window(&key(), moment(59.4), Duration::from_secs(1_900), 10);
        assert!(far.iter().all(Option::is_some), "{far:?}");
        assert_eq!(live.latest(&key()), Some(59.0));
    }

    #[test]
    fn several_sessions_before_the_start_follow_each_other() {
        let mut past = Histories::reaching_back();
        past.append(&filled(3_000), -10_000);
        past.append(&filled(3_000), -6_000);
        // Too long ago.
        let mut long_ago = Histories::reaching_back();
        long_ago.append(&filled(100), -90_000);
        assert!(long_ago.latest(&key()).is_none());
        let mut live = filled(10);
        live.precede(past, Duration::ZERO);
        let known = |from: i64| {
            // The 100 s from `from` on.
            let back = Duration::from_secs(u64::try_from(10 - from).unwrap());
            live.window(&key(), moment(9.999), back, usize::try_from((10 - from) / 100).unwrap())[0]
        };
        for (from, middle) in [(-9_500, 550.0), (-7_500, 2_550.0), (-5_500, 550.0), (-3_200, 2_850.0)] {
            let value = known(from).unwrap();
            assert!((value - middle).abs() < 40.0, "{from}: {value}");
        }
        assert_eq!((known(-6_500), known(-2_000)), (None, None));
    }

    #[test]
    fn means_of_a_server_are_recalled() {
        let mut past = Histories::reaching_back();
        for second in (-600..0).step_by(10) {
            past.recall(&key(), second, 7.0);
        }
        past.recall(&key(), -100_000, 9.0);
        let mut live = filled(5);
        live.precede(past, Duration::ZERO);
        let window = live.window(&key(), moment(4.4), Duration::from_mins(5), 30);
        assert!(window[..28].iter().all(|value| *value == Some(7.0)), "{window:?}");
    }

    #[test]
    fn equal_records_make_equal_histories() {
        let mut a = filled(50);
        let mut b = filled(50);
        a.record(&key(), moment(60.0), Some(1.0));
        b.record(&key(), moment(60.0), Some(1.0));
        assert_eq!(a, b);
        b.record(&key(), moment(61.0), None);
        assert_ne!(a, b);
    }
}
