//! Counting: what was sent, what came back, how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::compose::Kind;
use super::expect::Expectation;
use super::outcome::{
    Answer, CheckCount, Failure, FailureKind, KEPT, Latency, Outcomes, Part, Progress, Sample, Summary,
};
use crate::act::histogram::{histogram, record};
use crate::base::secret::Redactor;
use crate::base::text;

/// Bodies of refused requests that are kept: one for each status.
const SAMPLES: usize = 8;

/// Characters of such a body that are kept.
const SAMPLE_WIDTH: usize = 400;

/// Bytes at the end of a cut body that might be part of a secret.
const LONGEST_SECRET: usize = 512;

/// Everything counted so far.
pub(super) struct Tally {
    checks: Vec<Check>,
    parts: BTreeMap<Kind, Outcomes>,
    samples: Vec<Sample>,
    /// From the intended time to the answer.
    latency: Histogram<u64>,
    /// From the sending to the answer.
    service: Histogram<u64>,
    /// From the intended time to the sending.
    lateness: Histogram<u64>,
    /// Latency since the last look.
    recent: Histogram<u64>,
}

/// An expectation of every answer, and how often it was met.
struct Check {
    expectation: Expectation,
    met: u64,
    /// What was there instead, the first time. Safe, without secrets.
    instead: Option<String>,
}

/// When what happened to a shot, since the start of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) intended: Duration,
    /// `None`: it was never put on a connection.
    pub(super) sent: Option<Duration>,
    pub(super) done: Duration,
}

impl Tally {
    pub(super) fn new(expect: &[Expectation]) -> Self {
        let checks = expect.iter().filter(|expectation| expectation.is_of_answers());
        Self {
            checks: checks
                .map(|expectation| Check {
                    expectation: expectation.clone(),
                    met: 0,
                    instead: None,
                })
                .collect(),
            parts: BTreeMap::new(),
            samples: Vec::new(),
            latency: histogram(),
            service: histogram(),
            lateness: histogram(),
            recent: histogram(),
        }
    }

    fn part(&mut self, kind: &Kind) -> &mut Outcomes {
        if !self.parts.contains_key(kind) {
            self.parts.insert(kind.clone(), Outcomes::default());
        }
        #[expect(clippy::expect_used, reason = "put there just before")]
        self.parts.get_mut(kind).expect("invariant: the part was put there")
    }

    pub(super) fn fired(&mut self, kind: &Kind) {
        self.part(kind).fired += 1;
    }

    pub(super) fn done(&mut self, kind: &Kind, times: Times, outcome: &Result<Answer, Failure>, redactor: &Redactor) {
        self.check(outcome, redactor);
        if let Some(sent) = times.sent {
            record(&mut self.lateness, sent.saturating_sub(times.intended));
        }
        self.outcome(kind, outcome, redactor);
        if outcome.is_ok() {
            let latency = times.done.saturating_sub(times.intended);
            record(&mut self.latency, latency);
            record(&mut self.recent, latency);
            if let Some(sent) = times.sent {
                record(&mut self.service, times.done.saturating_sub(sent));
            }
        }
    }

    /// A request is sent again, after its [`Tally::outcome`].
    pub(super) fn again(&mut self, kind: &Kind) {
        let part = self.part(kind);
        part.fired += 1;
        part.retried += 1;
    }

    /// What an attempt came to.
    pub(super) fn outcome(&mut self, kind: &Kind, outcome: &Result<Answer, Failure>, redactor: &Redactor) {
        match outcome {
            Ok(answer) => {
                *self.part(kind).statuses.entry(answer.status).or_default() += 1;
                if answer.status >= 300 {
                    self.sample(kind, Some(answer.status), None, redactor, || {
                        String::from_utf8_lossy(&answer.body[..answer.body.len().min(KEPT)]).into_owned()
                    });
                }
            }
            Err(failure) => {
                *self.part(kind).failures.entry(failure.kind).or_default() += 1;
                self.sample(kind, None, Some(failure.kind), redactor, || failure.reason.clone());
            }
        }
    }

    fn check(&mut self, outcome: &Result<Answer, Failure>, redactor: &Redactor) {
        for check in &mut self.checks {
            let found = match outcome {
                Ok(answer) => check.expectation.check_answer(&answer.headers, &answer.body),
                Err(failure) => Err(failure.reason.clone()),
            };
            match found {
                Ok(()) => check.met += 1,
                Err(instead) if check.instead.is_none() => {
                    let clean = redactor.clean(&instead);
                    check.instead = Some(text::cut(&text::safe(&clean), SAMPLE_WIDTH).into_owned());
                }
                Err(_) => {}
            }
        }
    }

    fn sample(
        &mut self,
        kind: &Kind,
        status: Option<u16>,
        failure: Option<FailureKind>,
        redactor: &Redactor,
        text: impl FnOnce() -> String,
    ) {
        let known = |sample: &Sample| sample.status == status && sample.failure == failure;
        if self.samples.len() >= SAMPLES || self.samples.iter().any(known) {
            return;
        }
        // Secrets first: a cut could leave half of one, which nothing would recognise. The end of
        // a body that was not kept whole may be such a half.
        let text = text();
        let is_cut = text.len() >= KEPT;
        let text = redactor.clean(&text);
        let text = text::safe(&text);
        let text = if is_cut {
            &text[..text.floor_char_boundary(text.len().saturating_sub(LONGEST_SECRET))]
        } else {
            &text
        };
        self.samples.push(Sample {
            status,
            failure,
            template: kind.template.to_string(),
            text: text::cut(text, SAMPLE_WIDTH).into_owned(),
        });
    }

    fn together(&self) -> Outcomes {
        let mut all = Outcomes::default();
        for part in self.parts.values() {
            all.fired += part.fired;
            all.retried += part.retried;
            for (status, count) in &part.statuses {
                *all.statuses.entry(*status).or_default() += count;
            }
            for (kind, count) in &part.failures {
                *all.failures.entry(*kind).or_default() += count;
            }
        }
        all
    }

    /// Where the run stands; `due` is what the schedule asks for by now.
    pub(super) fn progress(&mut self, elapsed: Duration, due: u64) -> Progress {
        let outcomes = self.together();
        let progress = Progress {
            elapsed,
            due,
            latency: Latency::of(&self.latency),
            recent: Latency::of(&self.recent),
            samples: self.samples.clone(),
            outcomes,
        };
        self.recent.reset();
        progress
    }

    pub(super) fn summary(&self, elapsed: Duration, due: u64, stopped: bool) -> Summary {
        let outcomes = self.together();
        // A shot that was let go while the end was being noticed counts as due.
        let taken = outcomes.fired - outcomes.retried;
        let due = due.max(taken);
        Summary {
            elapsed_s: elapsed.as_secs_f64(),
            due,
            unsent: due - taken,
            sent: outcomes.sent(),
            retried: outcomes.retried,
            checks: self
                .checks
                .iter()
                .map(|check| CheckCount {
                    expected: check.expectation.to_string(),
                    met: check.met,
                    instead: check.instead.clone(),
                })
                .collect(),
            answered: outcomes.answered(),
            accepted: outcomes.accepted(),
            failed: outcomes.failed(),
            unfinished: outcomes.unfinished(),
            stopped,
            sent_per_s: per_second(outcomes.sent(), elapsed),
            latency_s: Latency::of(&self.latency),
            service_s: Latency::of(&self.service),
            lateness_s: Latency::of(&self.lateness),
            statuses: outcomes.statuses,
            failures: outcomes.failures,
            parts: self
                .parts
                .iter()
                .map(|(kind, outcomes)| Part {
                    template: kind.template.to_string(),
                    variant: kind.variant.name(),
                    poison: kind.poison.as_deref().map(ToOwned::to_owned),
                    outcomes: outcomes.clone(),
                })
                .collect(),
            samples: self.samples.clone(),
        }
    }
}

fn per_second(count: u64, elapsed: Duration) -> Option<f64> {
    (!elapsed.is_zero()).then(|| count as f64 / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::fire::Variant;

    fn kind() -> Kind {
        Kind {
            template: "t".into(),
            variant: Variant::Valid,
            poison: None,
        }
    }

    fn times(intended: u64, sent: u64, done: u64) -> Times {
        Times {
            intended: Duration::from_millis(intended),
            sent: Some(Duration::from_millis(sent)),
            done: Duration::from_millis(done),
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: hyper::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn every_shot_is_in_exactly_one_count() {
        let mut tally = Tally::new(&[]);
        let redactor = Redactor::default();
        for _ in 0..6 {
            tally.fired(&kind());
        }
        tally.done(&kind(), times(0, 0, 5), &Ok(answer(200, "")), &redactor);
        tally.done(&kind(), times(0, 0, 5), &Ok(answer(503, "later")), &redactor);
        for failure in [FailureKind::Connect, FailureKind::Timeout, FailureKind::Closed] {
            tally.done(&kind(), times(0, 0, 5), &Err(Failure::new(failure, "why")), &redactor);
        }
        let summary = tally.summary(Duration::from_secs(2), 10, true);
        assert_eq!((summary.due, summary.unsent, summary.sent), (10, 4, 5));
        assert_eq!((summary.answered, summary.accepted), (2, 1));
        assert_eq!((summary.failed, summary.unfinished), (3, 1));
        let failed_there = summary.failures[&FailureKind::Timeout] + summary.failures[&FailureKind::Closed];
        assert_eq!(summary.sent, summary.answered + failed_there + summary.unfinished);
        assert_eq!(summary.sent_per_s, Some(2.5));
    }

    #[test]
    fn latency_counts_from_the_intended_time_and_service_from_the_sending() {
        let mut tally = Tally::new(&[]);
        tally.fired(&kind());
        tally.done(
            &kind(),
            times(100, 1_100, 1_105),
            &Ok(answer(200, "")),
            &Redactor::default(),
        );
        let summary = tally.summary(Duration::from_secs(2), 1, false);
        let near = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < expected * 0.002;
        assert!(near(summary.latency_s.p99, 1.005), "{:?}", summary.latency_s);
        assert!(near(summary.service_s.max, 0.005), "{:?}", summary.service_s);
        assert!(near(summary.lateness_s.p50, 1.0), "{:?}", summary.lateness_s);
    }

    #[test]
    fn nothing_measured_is_unknown_and_not_zero() {
        let summary = Tally::new(&[]).summary(Duration::ZERO, 0, false);
        assert_eq!(summary.latency_s.p99, None);
        assert_eq!(summary.sent_per_s, None);
        assert!(serde_json::to_string(&summary).unwrap().contains("\"p99\":null"));
    }

    #[test]
    fn a_sample_is_safe_and_holds_no_secret() {
        let mut redactor = Redactor::default();
        redactor.learn("s3cr3t-key");
        let mut tally = Tally::new(&[]);
        let body = format!("\x1b[31mexpected s3cr3t-key{}", "x".repeat(2_000));
        tally.done(&kind(), times(0, 0, 1), &Ok(answer(401, &body)), &redactor);
        tally.done(&kind(), times(0, 0, 1), &Ok(answer(401, "second")), &redactor);
        let samples = tally.summary(Duration::ZERO, 0, false).samples;
        assert_eq!(samples.len(), 1);
        assert!(
            samples[0].text.starts_with("\\x1b[31mexpected •••x"),
            "{}",
            samples[0].text
        );
        assert_eq!(text::width(&samples[0].text), SAMPLE_WIDTH);
        // Half a secret at the end of what was kept of a long body.
        let mut tally = Tally::new(&[]);
        let body = format!("{}s3cr3t", "s3cr3t-key".repeat(300));
        tally.done(
            &kind(),
            times(0, 0, 1),
            &Ok(answer(401, &body[body.len() - KEPT..])),
            &redactor,
        );
        let samples = tally.summary(Duration::ZERO, 0, false).samples;
        assert!(!samples[0].text.contains("s3cr3t"), "{}", samples[0].text);
    }

    #[test]
    fn recent_latency_starts_afresh_at_every_look() {
        let mut tally = Tally::new(&[]);
        tally.done(&kind(), times(0, 0, 10), &Ok(answer(200, "")), &Redactor::default());
        let second = Duration::from_secs(1);
        let first = tally.progress(second, 1);
        assert_eq!((first.latency.count, first.recent.count), (1, 1));
        let next = tally.progress(second, 1);
        assert_eq!((next.latency.count, next.recent.count), (1, 0));
    }
}
