//! A ceiling on webhooks per second.

use std::time::Duration;

/// Spreads work so that it stays below a rate. Pure: the time comes with the call.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<f64>,
    /// On the monotonic clock: before it nothing more may start.
    free_at: Duration,
}

impl Pace {
    /// At most `rate` per second; `None`: no limit.
    pub(super) fn new(rate: Option<f64>) -> Self {
        Self {
            rate,
            free_at: Duration::ZERO,
        }
    }

    /// Books `count` and says how long to wait before they may start. What was not used is not
    /// saved up.
    pub(super) fn book(&mut self, count: usize, now: Duration) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let start = self.free_at.max(now);
        self.free_at = start + Duration::from_secs_f64(count as f64 / rate);
        start.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_and_idle_time_is_not_saved_up() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(Some(100.0));
        assert_eq!(pace.book(50, Duration::ZERO), Duration::ZERO);
        assert_eq!(pace.book(50, Duration::ZERO), second / 2);
        assert_eq!(pace.book(50, second * 10), Duration::ZERO);
        assert_eq!(pace.book(1, second * 10), second / 2);
        assert_eq!(Pace::new(None).book(1_000_000, Duration::ZERO), Duration::ZERO);
    }
}
