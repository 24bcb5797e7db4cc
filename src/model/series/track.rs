//! One figure's history: what grows out of a fine tier becomes means in the next coarser one.

use std::time::Duration;

use super::tier::{Slot, TIERS, Tier};

/// What a series costs besides its slots, roughly.
pub(super) const OVERHEAD: usize = 192;

/// Two records nearer than this belong together: a slot between them is no gap.
const JITTER: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    pub(super) tiers: [Option<Tier>; 3],
    /// The finest tier that is kept.
    pub(super) finest: usize,
    last: Option<Duration>,
    /// When somebody last looked at it, in the order of looks.
    pub(super) touched: u64,
}

impl Series {
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD + self.tiers.iter().flatten().map(Tier::bytes).sum::<usize>()
    }

    pub(super) fn record(&mut self, mono: Duration, value: Option<f32>) {
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
                *last = Slot::of(value);
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

    pub(super) fn put(&mut self, level: usize, (number, mean, count): (u64, Option<f32>, u32)) {
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
    pub(super) fn append(&mut self, later: &Self, delta: i64) {
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
    pub(super) fn fold(&mut self) -> bool {
        if self.finest >= 2 {
            return false;
        }
        self.pour(self.finest);
        self.finest += 1;
        true
    }

    /// The mean of what was recorded from `from` to `to`, seconds, from the finest tier that
    /// reaches that far back; `None`: a gap.
    pub(super) fn read(&self, from: f64, to: f64) -> Option<f32> {
        let tiers = self.tiers.iter().zip(TIERS);
        tiers
            .filter_map(|(tier, (step, _))| Some((tier.as_ref()?, step)))
            .find(|(tier, step)| tier.reaches(*step, f64::midpoint(from, to)))
            .and_then(|(tier, step)| tier.read(step, from, to))
    }

    /// The second from `from` on; `None`: it is not simply one of the finest tier.
    pub(super) fn second(&self, from: f64) -> Option<Slot> {
        self.tiers[0].as_ref()?.second(from)
    }

    pub(super) fn latest(&self) -> Option<f32> {
        self.tiers.iter().flatten().next()?.slots.back()?.get()
    }
}
