//! A canary's history: how often it came through, and how long that took.

use std::collections::VecDeque;
use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::timeline::{Stage, Timeline};
use crate::act::histogram::{histogram, record};
use crate::base::time::Timestamp;
use crate::sample::CanaryReading;

/// Runs that are kept one by one.
const KEPT: usize = 1_000;

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// When it was begun.
    pub at: Timestamp,
    /// What happened.
    pub reading: CanaryReading,
    /// The way, where it was followed.
    pub timeline: Option<Timeline>,
}

impl Outcome {
    /// A run that could not even be begun.
    #[must_use]
    pub fn failed(at: Timestamp, name: &str, reason: String) -> Self {
        Self {
            at,
            reading: CanaryReading {
                name: Arc::from(name),
                passed: false,
                reason: Some(reason),
                total: None,
            },
            timeline: None,
        }
    }
}

/// Percentiles in seconds; `None` where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// A canary's history.
#[derive(Clone, Debug)]
pub struct History {
    recent: VecDeque<Outcome>,
    passed: u64,
    failed: u64,
    total: Histogram<u64>,
    stages: [Histogram<u64>; 4],
}

impl Default for History {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            passed: 0,
            failed: 0,
            total: histogram(),
            stages: std::array::from_fn(|_| histogram()),
        }
    }
}

impl History {
    /// Adds a run.
    pub fn push(&mut self, outcome: Outcome) {
        if outcome.reading.passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        if let Some(total) = outcome.reading.total {
            record(&mut self.total, total);
        }
        if let Some(timeline) = &outcome.timeline {
            for stage in Stage::ALL {
                if let Some(after) = timeline.after(stage) {
                    record(&mut self.stages[stage as usize], after);
                }
            }
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(outcome);
    }

    /// The last runs, oldest first.
    #[must_use]
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Outcome> {
        self.recent.iter()
    }

    /// Runs that passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Runs that did not.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// How long the whole way took, of runs that passed.
    #[must_use]
    pub fn total(&self) -> Percentiles {
        percentiles(&self.total)
    }

    /// How long it took to a station, of runs that got there.
    #[must_use]
    pub fn to(&self, stage: Stage) -> Percentiles {
        percentiles(&self.stages[stage as usize])
    }
}

/// What a run is to the model.
#[must_use]
pub fn reading(name: &str, timeline: &Timeline) -> CanaryReading {
    let passed = timeline.passed();
    CanaryReading {
        name: Arc::from(name),
        passed,
        reason: timeline.stuck.clone().filter(|_| !passed),
        total: timeline.total(),
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    if histogram.is_empty() {
        return Percentiles::default();
    }
    let at = |quantile| Some(histogram.value_at_quantile(quantile) as f64 / 1e6);
    Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: Some(histogram.max() as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::act::trace::State;

    fn outcome(millis: Option<u64>) -> Outcome {
        let mut timeline = Timeline::default();
        for stage in Stage::ALL {
            let state = millis.map_or(State::Failed, |millis| State::Reached {
                after: Duration::from_millis(millis),
                at_most: false,
            });
            timeline.set(stage, state, "");
        }
        timeline.stuck = millis.is_none().then(|| "stuck".to_owned());
        Outcome {
            at: Timestamp::UNIX_EPOCH,
            reading: reading("x", &timeline),
            timeline: Some(timeline),
        }
    }

    #[test]
    fn a_history_counts_what_passed_and_measures_only_that() {
        let mut history = History::default();
        assert_eq!(history.total(), Percentiles::default(), "nothing measured is unknown");
        for millis in [Some(10), Some(20), None, Some(30)] {
            history.push(outcome(millis));
        }
        assert_eq!((history.passed(), history.failed()), (3, 1));
        let total = history.total();
        assert!((total.p50.unwrap() - 0.02).abs() < 1e-4 && (total.max.unwrap() - 0.03).abs() < 1e-4);
        assert_eq!(history.to(Stage::Written), total);
        assert_eq!(
            history.recent().nth(2).unwrap().reading.reason.as_deref(),
            Some("stuck")
        );
    }

    #[test]
    fn a_history_keeps_no_more_than_its_share() {
        let mut history = History::default();
        for _ in 0..KEPT + 5 {
            history.push(outcome(Some(1)));
        }
        assert_eq!(history.recent().count(), KEPT);
        assert_eq!(history.passed(), KEPT as u64 + 5);
    }
}
