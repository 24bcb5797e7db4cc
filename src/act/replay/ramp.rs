//! How many letters may go: the pace of a replay, which begins slowly.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::act::pace::{Bucket, Rate};

/// How long it takes from a tenth of the rate to all of it.
const RAMP: Duration = Duration::from_secs(10);

/// How many letters may go.
pub(super) struct Ramp {
    rate: Option<(f64, Bucket)>,
    begun: Duration,
}

impl Ramp {
    /// As fast as it goes.
    pub(super) fn unpaced() -> Self {
        Self {
            rate: None,
            begun: Duration::ZERO,
        }
    }

    /// Up to `rate` letters a second.
    pub(super) fn new(rate: Option<f64>, now: Duration) -> Result<Self, String> {
        let Some(rate) = rate else { return Ok(Self::unpaced()) };
        let first = Rate::per_second((rate / 10.0).max(0.001)).map_err(|error| error.to_string())?;
        Rate::per_second(rate).map_err(|error| error.to_string())?;
        Ok(Self {
            rate: Some((rate, Bucket::new(first, NonZeroU64::MIN, now))),
            begun: now,
        })
    }

    /// Whether there is a rate to keep to.
    pub(super) fn is_paced(&self) -> bool {
        self.rate.is_some()
    }

    /// How many of `most` letters may go now, or how long to wait.
    pub(super) fn take(&mut self, most: usize, now: Duration) -> Result<usize, Duration> {
        let Some((rate, bucket)) = &mut self.rate else {
            return Ok(most);
        };
        let share = (now.saturating_sub(self.begun).as_secs_f64() / RAMP.as_secs_f64()).clamp(0.1, 1.0);
        if let Ok(rate) = Rate::per_second((*rate * share).max(0.001)) {
            bucket.set_rate(rate, now);
        }
        let mut taken = 0;
        while taken < most {
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(wait) if taken == 0 => return Err(wait),
                Err(_) => break,
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_begins_at_a_tenth_of_its_rate_and_does_not_rush_after_a_pause() {
        let mut ramp = Ramp::new(Some(100.0), Duration::ZERO).unwrap();
        let mut sent = 0;
        for millis in 0..1_000u64 {
            sent += ramp.take(256, Duration::from_millis(millis)).unwrap_or(0);
        }
        assert!((9..=12).contains(&sent), "{sent}");
        assert!(ramp.take(256, Duration::from_mins(1)).unwrap() <= 1, "a bucket of one");
        assert!(Ramp::new(Some(-1.0), Duration::ZERO).is_err());
    }
}
