//! How far a stream is from its limits, and when it gets there at today's pace.

use super::stream::{Level, StreamTrack};
use crate::sample::{AccountReading, Discard};

/// Times beyond this are no forecast.
const FARTHEST: f64 = 7.0 * 86_400.0;
/// A slope needs at least this much of the past.
const PAST: f64 = 5.0;

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Limit {
    /// `max_bytes`, …
    pub(in crate::model) name: &'static str,
    /// What is used of it.
    pub(in crate::model) used: f64,
    pub(in crate::model) most: f64,
    /// Until it is reached, seconds.
    pub(in crate::model) eta: Option<f64>,
    /// Whether publishes are refused there; else the oldest message is evicted.
    pub(in crate::model) refuses: bool,
}

impl Limit {
    fn new(name: &'static str, used: f64, most: f64, slope: Option<f64>, refuses: bool) -> Self {
        let eta = slope
            .filter(|slope| *slope > 0.0)
            .map(|slope| ((most - used) / slope).max(0.0))
            .filter(|eta| *eta <= FARTHEST);
        Self {
            name,
            used,
            most,
            eta,
            refuses,
        }
    }

    /// Share of it that is left.
    pub(in crate::model) fn headroom(&self) -> f64 {
        if self.most > 0.0 {
            1.0 - self.used / self.most
        } else {
            0.0
        }
    }
}

/// The slope of what lies under a sawtooth: batches make levels jump up and down, so the
/// lowest levels of three stretches of time are compared, and a growth must show in each.
/// `None` under 5 s; 0 when nothing grows steadily.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    if last - first < PAST {
        return None;
    }
    let third = (last - first) / 3.0;
    let lowest = |n: f64| {
        points
            .iter()
            .filter(|(at, _)| *at >= first + third * n && *at <= first + third * (n + 1.0))
            .copied()
            .min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (a, b, c) = (lowest(0.0)?, lowest(1.0)?, lowest(2.0)?);
    if a.1 < b.1 && b.1 < c.1 && c.0 > a.0 {
        Some((c.1 - a.1) / (c.0 - a.0))
    } else {
        Some(0.0)
    }
}

fn level_slope(stream: &StreamTrack, pick: impl Fn(&Level) -> Option<f64>) -> Option<f64> {
    let points: Vec<(f64, f64)> = stream
        .levels
        .iter()
        .filter_map(|level| Some((level.at, pick(level)?)))
        .collect();
    slope(&points)
}

/// Every limit that a stream has, the account's included.
pub(super) fn limits(stream: &StreamTrack, account: Option<&AccountReading>) -> Vec<Limit> {
    let config = &stream.config;
    let state = &stream.state;
    let refuses = config.discard == Discard::New;
    let mut out = Vec::new();
    if let Some(most) = config.max_msgs {
        let slope = level_slope(stream, |level| Some(level.messages));
        out.push(Limit::new(
            "max_msgs",
            state.messages as f64,
            most as f64,
            slope,
            refuses,
        ));
    }
    let bytes_slope = level_slope(stream, |level| Some(level.bytes));
    if let Some(most) = config.max_bytes {
        out.push(Limit::new(
            "max_bytes",
            state.bytes as f64,
            most as f64,
            bytes_slope,
            refuses,
        ));
    }
    if let (Some(most), Some(age)) = (config.max_age, stream.age()) {
        // While the oldest message stays the same its age grows by a second a second.
        let slope = level_slope(stream, |level| level.age);
        out.push(Limit::new(
            "max_age",
            age.as_secs_f64(),
            most.as_secs_f64(),
            slope,
            false,
        ));
    }
    if let (Some(most), Some(subjects)) = (config.max_msgs_per_subject, &stream.subjects) {
        let points: Vec<(f64, f64)> = subjects.largest.iter().copied().collect();
        let used = points.last().map_or(0.0, |(_, count)| *count);
        let refuses = refuses && config.discard_new_per_subject;
        out.push(Limit::new(
            "max_msgs_per_subject",
            used,
            most as f64,
            slope(&points),
            refuses,
        ));
    }
    if let Some(account) = account {
        let (name, used, most) = if config.storage == "memory" {
            ("account memory", account.memory, account.max_memory)
        } else {
            ("account storage", account.storage, account.max_storage)
        };
        if let Some(most) = most {
            out.push(Limit::new(name, used as f64, most as f64, bytes_slope, true));
        }
    }
    out
}

/// The limit that is reached first.
pub(super) fn next(limits: &[Limit]) -> Option<&Limit> {
    limits.iter().filter(|limit| limit.eta.is_some()).min_by(|a, b| {
        a.eta
            .unwrap_or(f64::INFINITY)
            .total_cmp(&b.eta.unwrap_or(f64::INFINITY))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_growth_has_its_slope() {
        let points: Vec<_> = (0..60).map(|t| (f64::from(t), 100.0 + 25.0 * f64::from(t))).collect();
        assert!((slope(&points).unwrap() - 25.0).abs() < 1e-9);
    }

    #[test]
    fn a_sawtooth_has_none() {
        let points: Vec<_> = (0..60)
            .map(|t| (f64::from(t), f64::from(t * 37 % 11) * 100.0))
            .collect();
        assert!(slope(&points).unwrap().abs() < f64::EPSILON);
    }

    #[test]
    fn a_sawtooth_that_climbs_has_the_slope_of_its_feet() {
        let points: Vec<_> = (0..60)
            .map(|t| (f64::from(t), f64::from(t) * 10.0 + f64::from(t % 5) * 200.0))
            .collect();
        let slope = slope(&points).unwrap();
        assert!((slope - 10.0).abs() < 2.0, "{slope}");
    }

    #[test]
    fn too_short_a_past_has_no_slope() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 2.0), (4.0, 9.0)]), None);
    }

    #[test]
    fn a_limit_that_is_not_approached_has_no_time() {
        assert_eq!(Limit::new("max_msgs", 10.0, 100.0, Some(0.0), true).eta, None);
        assert_eq!(Limit::new("max_msgs", 10.0, 100.0, Some(-3.0), true).eta, None);
        assert_eq!(Limit::new("max_msgs", 10.0, 100.0, None, true).eta, None);
        assert_eq!(Limit::new("max_msgs", 10.0, 100.0, Some(9.0), true).eta, Some(10.0));
        assert_eq!(Limit::new("max_msgs", 10.0, 1e12, Some(1.0), true).eta, None);
    }
}
