//! One clock. Nothing else in the crate asks the system for the time (clippy's
//! `disallowed-methods` enforces it), so live, playback and tests run the same code.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A point in wall-clock time, nanoseconds, UTC.
pub use jiff::Timestamp;

/// One reading of the clock: the wall clock to show, the monotonic clock to compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Moment {
    /// Wall-clock time. May jump when the machine's clock is set.
    pub at: Timestamp,
    /// Time since the session started. Never goes back.
    pub mono: Duration,
}

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Moment;
}

/// The clock as everybody holds it.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock; the session starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose session starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The same, ready to be shared.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self::start())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now(&self) -> Moment {
        Moment {
            at: Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH),
            mono: self.start.elapsed(),
        }
    }
}

/// A clock that moves only when told to: tests and folds of recordings.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Moment>,
}

impl ManualClock {
    /// A clock that stands at `at`, at the start of its session.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            now: Mutex::new(Moment {
                at,
                mono: Duration::ZERO,
            }),
        }
    }

    /// Moves both the wall and the monotonic clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.mono += by;
        now.at = now.at.saturating_add(by).unwrap_or(now.at);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long `later` is after `earlier`; zero when it is not.
#[must_use]
pub fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_both_hands_together() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_millis(1500));
        let now = clock.now();
        assert_eq!(now.mono, Duration::from_millis(1500));
        assert_eq!(now.at.as_millisecond(), 1500);
    }

    #[test]
    fn a_difference_never_goes_below_zero() {
        let early = Timestamp::UNIX_EPOCH;
        let late = early + Duration::from_secs(2);
        assert_eq!(since(early, late), Duration::from_secs(2));
        assert_eq!(since(late, early), Duration::ZERO);
    }
}
