//! Intervals: a counter that was read around another source's reading is only known to lie
//! between two values.

/// A closed interval. Its ends may be infinite where nothing bounds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) lo: f64,
    pub(super) hi: f64,
}

impl Interval {
    /// Exactly zero: what a term contributes that is known not to happen.
    pub(super) const ZERO: Self = Self { lo: 0.0, hi: 0.0 };

    /// From `lo` to `hi`, which must not be below `lo`.
    pub(super) fn new(lo: f64, hi: f64) -> Self {
        debug_assert!(lo <= hi, "interval {lo}..{hi}");
        Self { lo, hi }
    }

    /// One value.
    pub(super) fn exact(value: f64) -> Self {
        Self { lo: value, hi: value }
    }

    /// Whether it is one value.
    pub(super) fn is_exact(self) -> bool {
        self.lo >= self.hi
    }

    /// The same, reaching further down and up.
    #[must_use]
    pub(super) fn widen(self, down: f64, up: f64) -> Self {
        Self::new(self.lo - down, self.hi + up)
    }

    /// How far it lies from `other`: 0 when they meet, positive when it lies above.
    pub(super) fn distance(self, other: Self) -> f64 {
        if self.lo > other.hi {
            self.lo - other.hi
        } else if self.hi < other.lo {
            self.hi - other.lo
        } else {
            0.0
        }
    }
}

impl std::ops::Add for Interval {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.lo + other.lo, self.hi + other.hi)
    }
}

impl std::ops::Sub for Interval {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.lo - other.hi, self.hi - other.lo)
    }
}

impl std::iter::Sum for Interval {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::ZERO, |sum, part| sum + part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_spans_every_pair_of_values() {
        let a = Interval::new(5.0, 9.0);
        let b = Interval::new(1.0, 2.0);
        assert_eq!(a - b, Interval::new(3.0, 8.0));
        assert_eq!(a + b, Interval::new(6.0, 11.0));
    }

    #[test]
    fn intervals_that_meet_are_no_distance_apart() {
        let a = Interval::new(5.0, 9.0);
        assert!(a.distance(Interval::new(9.0, 20.0)).abs() < f64::EPSILON);
        assert!((a.distance(Interval::new(1.0, 2.0)) - 3.0).abs() < f64::EPSILON);
        assert!((a.distance(Interval::new(10.0, 12.0)) + 1.0).abs() < f64::EPSILON);
    }
}
