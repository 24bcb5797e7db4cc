//! What is usual: learnt from what was seen, so that what is unusual can be told.

use std::time::Duration;

use crate::sample::CanaryReading;

/// Updates that a percentile needs.
pub(super) const UPDATES: f64 = 20.0;
/// A percentile below this share of the usual one is usual too and is learnt; a higher one is not.
const USUAL: f64 = 2.0;
/// How soon the usual percentile follows down and up, seconds.
const FOLLOWS: (f64, f64) = (10.0, 300.0);

/// Arrivals that must have been seen before a silence means something.
const ARRIVALS: f64 = 30.0;
/// A silence is this many times the mean gap, and this many times the longest one.
const GAPS: (f64, f64) = (20.0, 2.0);
/// No shorter silence is told, seconds: sources are read once a second.
const QUIET: f64 = 5.0;
/// Older arrivals count less and less, with this time constant in seconds.
const FORGETS: f64 = 600.0;

/// The usual 95th percentile of the database's updates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct UsualUpdate {
    p95: Option<f64>,
    at: f64,
    /// Since when it has been unusual.
    unusual: Option<f64>,
}

impl UsualUpdate {
    /// Takes a percentile over so many updates in, unless it is unusual, and returns the usual one.
    pub(super) fn learn(&mut self, now: f64, p95: Option<f64>, updates: f64) -> Option<f64> {
        let step = now - self.at;
        self.at = now;
        if let Some(p95) = p95.filter(|_| updates >= UPDATES) {
            self.p95 = Some(match self.p95 {
                None => p95,
                Some(usual) if p95 > usual * USUAL => {
                    self.unusual.get_or_insert(now);
                    return self.p95;
                }
                Some(usual) => {
                    let follows = if p95 < usual { FOLLOWS.0 } else { FOLLOWS.1 };
                    usual + (p95 - usual) * (1.0 - (-step / follows).exp())
                }
            });
        }
        self.unusual = None;
        self.p95
    }

    /// For how long it has been unusual, seconds.
    pub(super) fn unusual_for(&self) -> f64 {
        self.unusual.map_or(0.0, |since| self.at - since)
    }
}

/// How a provider's webhooks arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Arrivals {
    total: f64,
    /// When they were last read, and when there were last new ones: seconds since session start.
    read: f64,
    last: f64,
    /// Arrivals seen, and in how many seconds; older ones count less.
    seen: f64,
    within: f64,
    /// The longest time between two readings with new ones.
    longest: f64,
}

/// A silence, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct Silence {
    /// For how long nothing has arrived.
    pub(super) lasts: f64,
    /// How long is unusual.
    pub(super) unusual: f64,
    /// The mean gap between two arrivals.
    pub(super) mean: f64,
}

impl Arrivals {
    /// As they are first read.
    pub(super) fn new(total: f64, at: f64) -> Self {
        Self {
            total,
            read: at,
            last: at,
            ..Self::default()
        }
    }

    /// Takes a reading in; `total` counts since the session's start.
    pub(super) fn observe(&mut self, total: f64, at: f64) {
        if at <= self.read {
            return;
        }
        let new = total - self.total;
        let step = at - self.last;
        let unusual = self.silence().is_some_and(|silence| step > silence.unusual);
        self.read = at;
        self.total = total;
        if new < 0.0 {
            // A gateway that does not answer any more is left out of the sum.
            self.last = at;
        } else if new > 0.0 {
            self.last = at;
            if !unusual {
                let keeps = (-step / FORGETS).exp();
                self.seen = self.seen * keeps + new;
                self.within = self.within * keeps + step;
                self.longest = (self.longest * keeps).max(step);
            }
        }
    }

    /// For how long nothing has arrived, as of the last reading, and how long is unusual. `None`
    /// until enough has arrived.
    pub(super) fn silence(&self) -> Option<Silence> {
        if self.seen < ARRIVALS {
            return None;
        }
        let mean = self.within / self.seen;
        Some(Silence {
            lasts: self.read - self.last,
            unusual: (GAPS.0 * mean).max(GAPS.1 * self.longest).max(QUIET),
            mean,
        })
    }
}

/// A canary and how its last runs went.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Canary {
    pub(super) failures: u32,
    pub(super) passes: u32,
    pub(super) reason: Option<String>,
    pub(super) total: Option<Duration>,
}

impl Canary {
    /// Takes a run in.
    pub(super) fn observe(&mut self, reading: &CanaryReading) {
        if reading.passed {
            self.passes = self.passes.saturating_add(1);
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.passes = 0;
            self.reason.clone_from(&reading.reason);
        }
        self.total = reading.total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_not_learnt_as_usual() {
        let mut usual = UsualUpdate::default();
        assert_eq!(usual.learn(1.0, Some(0.9), 19.0), None, "too few");
        for second in 2..60 {
            usual.learn(f64::from(second), Some(0.03), 40.0);
        }
        for second in 60..600 {
            let known = usual.learn(f64::from(second), Some(0.5), 40.0).unwrap();
            assert!((known - 0.03).abs() < 1e-9);
        }
    }

    #[test]
    fn a_slow_start_is_soon_forgotten_and_a_slow_rise_followed() {
        let mut usual = UsualUpdate::default();
        usual.learn(0.0, Some(0.4), 40.0);
        for second in 1..40 {
            usual.learn(f64::from(second), Some(0.03), 40.0);
        }
        assert!(usual.p95.unwrap() < 0.05);
        for second in 40..1_600 {
            usual.learn(f64::from(second), Some(0.05), 40.0);
        }
        assert!(usual.p95.unwrap() > 0.045);
    }

    /// So many arrivals every `every` seconds, for `seconds`.
    fn arriving(many: f64, every: u32, seconds: u32) -> Arrivals {
        let mut arrivals = Arrivals::new(0.0, 0.0);
        let mut total = 0.0;
        for second in 1..=seconds {
            if second % every == 0 {
                total += many;
            }
            arrivals.observe(total, f64::from(second));
        }
        arrivals
    }

    fn quiet(mut arrivals: Arrivals, seconds: u32) -> (f64, f64) {
        let (total, read) = (arrivals.total, arrivals.read);
        for second in 1..=seconds {
            arrivals.observe(total, read + f64::from(second));
        }
        let silence = arrivals.silence().unwrap();
        (silence.lasts, silence.unusual)
    }

    #[test]
    fn a_busy_provider_is_missed_after_five_seconds_a_slow_one_after_twenty_gaps() {
        let (lasts, unusual) = quiet(arriving(100.0, 1, 30), 6);
        assert!((lasts - 6.0).abs() < 1e-9 && (unusual - 5.0).abs() < 1e-9);
        let (_, unusual) = quiet(arriving(1.0, 2, 120), 6);
        assert!((unusual - 40.0).abs() < 1.0, "{unusual}");
    }

    #[test]
    fn who_comes_in_bursts_is_not_missed_between_two() {
        let (lasts, unusual) = quiet(arriving(1_000.0, 60, 600), 100);
        assert!(lasts < unusual, "{lasts} {unusual}");
    }

    #[test]
    fn a_few_arrivals_teach_nothing_and_an_outage_is_not_usual() {
        assert_eq!(arriving(1.0, 1, 29).silence(), None);
        let mut arrivals = arriving(100.0, 1, 60);
        let (total, read) = (arrivals.total, arrivals.read);
        arrivals.observe(total, read + 600.0);
        arrivals.observe(total + 100.0, read + 601.0);
        assert!((arrivals.silence().unwrap().unusual - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_gateway_that_is_gone_is_no_silence() {
        let mut arrivals = arriving(100.0, 1, 60);
        let read = arrivals.read;
        arrivals.observe(10.0, read + 9.0);
        assert!(arrivals.silence().unwrap().lasts.abs() < 1e-9);
    }
}
