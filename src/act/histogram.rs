//! Histograms of times: from 1 µs to 1 h, 3 digits.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told from others.
const LONGEST: Duration = Duration::from_hours(1);

/// An empty one, of microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    let micros = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    Histogram::new_with_bounds(1, micros, 3).expect("invariant: 1 µs to 1 h at 3 digits is a valid range")
}

/// Counts a time.
pub(super) fn record(histogram: &mut Histogram<u64>, value: Duration) {
    histogram.saturating_record(u64::try_from(value.as_micros()).unwrap_or(u64::MAX).max(1));
}
