//! When figures are worked out anew: the one rule for every loop that feeds a model.

use std::time::Duration;

use crate::base::time::Moment;

/// How often at first, and for how long after the session's start.
const QUICK: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// A source that changed its state is shown this soon.
const NEWS: Duration = Duration::from_millis(50);

/// Figures are worked out at every full second of the wall clock, so that the clock on screen
/// never skips one, four times a second at first, and soon after news.
#[derive(Clone, Copy, Debug)]
pub struct Ticker {
    at: Duration,
}

impl Ticker {
    /// The first time is now.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { at: now.mono }
    }

    /// When figures are to be worked out next, since session start.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Whether it is time; then the next time is set.
    pub fn is_due(&mut self, now: Moment) -> bool {
        let due = now.mono >= self.at;
        if due {
            self.at = now.mono + until_second(now);
        }
        due
    }

    /// There is news: it does not wait for the full second.
    pub fn hurry(&mut self, now: Moment) {
        self.at = self.at.min(now.mono + NEWS);
    }
}

fn until_second(now: Moment) -> Duration {
    let into = Duration::from_nanos(u64::try_from(now.at.subsec_nanosecond()).unwrap_or(0));
    let rest = Duration::from_secs(1).saturating_sub(into);
    if now.mono < QUICK.1 { rest.min(QUICK.0) } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: &str, mono: u64) -> Moment {
        Moment {
            at: at.parse().unwrap(),
            mono: Duration::from_millis(mono),
        }
    }

    #[test]
    fn quick_at_first_and_then_at_full_seconds() {
        for (at, mono, wait) in [
            ("2026-07-31T14:03:22.300Z", 9_000, 700),
            ("2026-07-31T14:03:22Z", 9_000, 1_000),
            ("2026-07-31T14:03:22.300Z", 500, 250),
            ("2026-07-31T14:03:22.900Z", 500, 100),
        ] {
            let now = moment(at, mono);
            let mut ticker = Ticker::new(now);
            assert!(ticker.is_due(now) && !ticker.is_due(now));
            assert_eq!(
                ticker.at().saturating_sub(now.mono),
                Duration::from_millis(wait),
                "{at} {mono}"
            );
        }
    }

    #[test]
    fn news_comes_soon_and_never_later_than_planned() {
        let now = moment("2026-07-31T14:03:22.300Z", 9_000);
        let mut ticker = Ticker::new(now);
        ticker.is_due(now);
        ticker.hurry(now);
        assert_eq!(ticker.at(), Duration::from_millis(9_050));
        ticker.hurry(moment("2026-07-31T14:03:22.330Z", 9_030));
        assert_eq!(ticker.at(), Duration::from_millis(9_050));
    }
}
