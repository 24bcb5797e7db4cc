//! One resolution of one series: consecutive slots, each the mean of its time or a gap.

use std::collections::VecDeque;

/// Seconds a slot, and slots, of each tier.
pub(super) const TIERS: [(u64, usize); 3] = [(1, 900), (10, 2_160), (60, 2_880)];

/// A tier's memory grows by this many slots.
const CHUNK: usize = 64;

/// A slot's value as its bits, so that two histories with the same gaps are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    const GAP: Self = Self(f32::NAN.to_bits());

    pub(super) fn of(value: f32) -> Self {
        Self(value.to_bits())
    }

    pub(super) fn get(self) -> Option<f32> {
        let value = f32::from_bits(self.0);
        (!value.is_nan()).then_some(value)
    }
}

/// One resolution of one series: consecutive slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tier {
    /// The first slot's number: its time over the tier's step.
    pub(super) first: u64,
    pub(super) slots: VecDeque<Slot>,
    /// How many values the last slot's mean is of.
    weight: u32,
}

impl Tier {
    pub(super) fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    fn push(&mut self, slot: Slot) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(CHUNK);
        }
        self.slots.push_back(slot);
    }

    /// Puts the mean of `weight` values into slot `number`, joined with what is there.
    pub(super) fn add(&mut self, number: u64, value: Option<f32>, weight: u32, longest: usize) {
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
        *last = Slot::of(mean);
    }

    /// Takes the oldest slots out that fall into one slot of a tier `ratio` times as coarse:
    /// that slot's number, the mean, and of how many values.
    pub(super) fn take_group(&mut self, ratio: u64) -> Option<(u64, Option<f32>, u32)> {
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
    pub(super) fn reaches(&self, step: u64, t: f64) -> bool {
        !self.slots.is_empty() && t >= (self.first * step) as f64 && t < (self.end() * step) as f64
    }

    /// Of the tier of seconds: the slot that [`Tier::read`] gives for the second from `from` on;
    /// `None`: it is not simply one.
    pub(super) fn second(&self, from: f64) -> Option<Slot> {
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
    pub(super) fn read(&self, step: u64, from: f64, to: f64) -> Option<f32> {
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
