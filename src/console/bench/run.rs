//! A run while it goes on, and how it ended.

use std::time::Duration;

use crate::act::fire::{Progress, Request};
use crate::act::firing::{Ended, Fired};
use crate::act::trace::Timeline;
use crate::base::text;
use crate::base::time::Timestamp;

/// Looks that are kept of a run: at four a second, five minutes; then each stands for two.
const LOOKS: usize = 1_200;

/// The latency of some moments of a run, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Since the run's start.
    pub elapsed: Duration,
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was asked for.
    pub request: Request,
    /// The target. Safe text.
    pub to: String,
    /// When it began.
    pub at: Timestamp,
    /// The same, time since session start.
    pub begun: Duration,
    /// What is allowed but unwise.
    pub notices: Vec<String>,
    /// How it stands.
    pub progress: Option<Progress>,
    /// Requests sent a second, lately.
    pub rate: Option<f64>,
    /// Latency over its time, oldest first.
    pub looks: Vec<Look>,
    /// How far the one has come that is followed.
    pub timeline: Option<Timeline>,
    /// Whether somebody asked for its end.
    pub is_stopping: bool,
    /// What it came to; `None`: it goes on.
    pub ended: Option<Ended>,
}

impl Run {
    pub(super) fn begun(request: Request, to: String, at: Timestamp, begun: Duration, notices: Vec<String>) -> Self {
        Self {
            timeline: request.trace.then(Timeline::default),
            request,
            to,
            at,
            begun,
            notices,
            progress: None,
            rate: None,
            looks: Vec::new(),
            is_stopping: false,
            ended: None,
        }
    }

    /// A run of the history.
    #[must_use]
    pub fn of(fired: &Fired) -> Self {
        let run = Self::begun(
            fired.request.clone(),
            fired.to.clone(),
            fired.at,
            Duration::ZERO,
            Vec::new(),
        );
        run.end(fired.ended.clone())
    }

    pub(super) fn hear(&mut self, progress: Progress) {
        let before = self.progress.as_ref();
        let sent = progress.outcomes.sent();
        let (since, elapsed) = before.map_or((0, Duration::ZERO), |before| (before.outcomes.sent(), before.elapsed));
        let span = progress.elapsed.saturating_sub(elapsed).as_secs_f64();
        // Of a moment alone no rate can be told.
        if span >= 0.1 {
            self.rate = Some(sent.saturating_sub(since) as f64 / span);
        }
        if progress.recent.count > 0 {
            self.looks.push(Look {
                elapsed: progress.elapsed,
                p50: progress.recent.p50,
                p99: progress.recent.p99,
            });
        }
        if self.looks.len() > LOOKS {
            self.looks = self.looks.chunks(2).map(worse).collect();
        }
        self.progress = Some(progress);
    }

    pub(super) fn end(self, ended: Ended) -> Self {
        let timeline = match &ended {
            Ended::Traced(outcome) => outcome.timeline.clone(),
            _ => None,
        };
        Self {
            timeline: timeline.or(self.timeline.clone()),
            ended: Some(ended),
            ..self
        }
    }
}

/// One look in place of two: a peak is not lost.
fn worse(looks: &[Look]) -> Look {
    let most = |of: fn(&Look) -> Option<f64>| looks.iter().filter_map(of).reduce(f64::max);
    Look {
        elapsed: looks[looks.len() - 1].elapsed,
        p50: most(|look| look.p50),
        p99: most(|look| look.p99),
    }
}

/// That a webhook came to the end of its way, and in what time.
pub(super) fn through(total: Option<Duration>) -> String {
    total.map_or_else(
        || "through".to_owned(),
        |total| format!("through in {}", text::duration(total)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::fire::Latency;

    #[test]
    fn a_long_run_keeps_its_peaks_and_no_more_looks_than_its_share() {
        let mut run = Run::begun(
            Request::default(),
            String::new(),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
            Vec::new(),
        );
        for number in 0..5_000u32 {
            let latency = Latency {
                count: 1,
                p99: Some(if number == 2_345 { 9.0 } else { 0.001 }),
                ..Latency::default()
            };
            run.hear(Progress {
                elapsed: Duration::from_millis(250) * number,
                recent: latency,
                ..Progress::default()
            });
        }
        assert!(run.looks.len() <= LOOKS);
        assert!(run.looks.iter().any(|look| look.p99 == Some(9.0)));
        assert_eq!(run.rate, Some(0.0));
    }
}
