//! What comes back of what was fired: answers, failures, and how they are counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use hyper::HeaderMap;
use serde::Serialize;

use super::variant::Variant;
use crate::base::time::Moment;

/// How much of an answer's body is kept.
pub(super) const KEPT: usize = 2_048;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// The beginning of its body, where the status says that something is wrong or it is asked for.
    pub(super) body: Vec<u8>,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// No connection. Nothing was sent.
    Connect,
    /// A connection, but no TLS. Nothing was sent.
    Tls,
    /// Connections were closed before a request could be put on one. Nothing was sent.
    Refused,
    /// No answer in time.
    Timeout,
    /// The connection was closed or reset before the answer was complete.
    Closed,
    /// What came back is no HTTP.
    Protocol,
}

impl FailureKind {
    /// Whether the receiver may have seen the request.
    #[must_use]
    pub fn was_sent(self) -> bool {
        matches!(self, Self::Timeout | Self::Closed | Self::Protocol)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }
}

/// A request without an answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, reason: impl fmt::Display) -> Self {
        Self {
            kind,
            reason: reason.to_string(),
        }
    }

    /// hyper's own errors.
    pub(super) fn of(error: &hyper::Error) -> Self {
        let kind = if error.is_timeout() {
            FailureKind::Timeout
        } else if error.is_parse() || error.is_parse_too_large() || error.is_user() {
            FailureKind::Protocol
        } else {
            FailureKind::Closed
        };
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            let inner_text = inner.to_string();
            if !reason.contains(&inner_text) {
                reason.push_str(": ");
                reason.push_str(&inner_text);
            }
            source = inner.source();
        }
        Self { kind, reason }
    }
}

/// Percentiles in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Arithmetic mean; `None` where nothing was measured.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Latency {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let seconds = |micros: u64| Some(micros as f64 / 1e6);
        Self {
            count: histogram.len(),
            mean: Some(histogram.mean() / 1e6),
            p50: seconds(histogram.value_at_quantile(0.5)),
            p90: seconds(histogram.value_at_quantile(0.9)),
            p99: seconds(histogram.value_at_quantile(0.99)),
            p999: seconds(histogram.value_at_quantile(0.999)),
            max: seconds(histogram.max()),
        }
    }
}

/// What became of one kind of shot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Taken up: sent, or tried to. Attempts after the first one count, too.
    pub fired: u64,
    /// Of those, attempts after the first one.
    pub retried: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// No answer, by kind.
    pub failures: BTreeMap<FailureKind, u64>,
}

impl Outcomes {
    /// Answers of any status.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Requests that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Requests that never reached a connection.
    #[must_use]
    pub fn not_sent(&self) -> u64 {
        let unsent = self.failures.iter().filter(|(kind, _)| !kind.was_sent());
        unsent.map(|(_, count)| count).sum()
    }

    /// Without an answer when the run was ended; the receiver may have them or not.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        self.fired.saturating_sub(self.answered() + self.failed())
    }

    /// Put on a connection: answered + failed there + unfinished.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.fired.saturating_sub(self.not_sent())
    }

    /// Answers from 200 to 299.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.statuses.range(200..300).map(|(_, count)| count).sum()
    }
}

/// The body of a request's refusal, or the reason of a failure: the first of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The status; `None`: no answer.
    pub status: Option<u16>,
    /// The kind of failure; `None`: there was an answer.
    pub failure: Option<FailureKind>,
    /// The template.
    pub template: String,
    /// Safe text, cut.
    pub text: String,
}

/// What became of the shots of one template and variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The template's name.
    pub template: String,
    /// The variant's name.
    pub variant: &'static str,
    /// The cause with which they were poisoned.
    pub poison: Option<String>,
    /// What became of them.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// A request that has ended, as [`Plan::reports`](super::Plan::reports) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its number in the run.
    pub seq: u64,
    /// The webhook's id; of a batch its first one's.
    pub id: String,
    /// The template's name.
    pub template: String,
    /// What was wrong with it.
    pub variant: Variant,
    /// When it was put on a connection; `None`: it never was.
    pub sent: Option<Moment>,
    /// From the sending to the answer; `None`: there was none.
    pub took: Option<Duration>,
    /// The status; `None`: no answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub failure: Option<FailureKind>,
    /// The answer's body, or why there was none. A stranger's text without our secrets.
    pub body: String,
}

/// How often an expectation of every answer was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckCount {
    /// As it was given.
    pub expected: String,
    /// Answers that met it.
    pub met: u64,
    /// What the first answer had that did not.
    pub instead: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Since its start.
    pub elapsed: Duration,
    /// What the schedule asks for by now.
    pub due: u64,
    /// What became of the shots so far.
    pub outcomes: Outcomes,
    /// From the intended time to the answer, since the start.
    pub latency: Latency,
    /// The same since the progress before.
    pub recent: Latency,
    /// The first answer of each status that is no success, and the first failure of each kind.
    pub samples: Vec<Sample>,
}

/// What a run came to. `sent = answered + failed on a connection + unfinished`, exactly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// From the start to the last answer.
    pub elapsed_s: f64,
    /// Shots that the schedule asked for.
    pub due: u64,
    /// Of those, never taken up: the target was slower than the schedule, or the run was stopped.
    pub unsent: u64,
    /// Requests put on a connection.
    pub sent: u64,
    /// Of those, attempts after the first one.
    pub retried: u64,
    /// Answers of any status.
    pub answered: u64,
    /// Answers from 200 to 299.
    pub accepted: u64,
    /// Requests without an answer for a reason that is known; those that found no connection included.
    pub failed: u64,
    /// Requests without an answer when the run was ended.
    pub unfinished: u64,
    /// Whether it was stopped before its limit.
    pub stopped: bool,
    /// Sent over elapsed.
    pub sent_per_s: Option<f64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Failures by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// From the intended time to the answer: what a provider would have seen.
    pub latency_s: Latency,
    /// From the sending to the answer: what the target alone took.
    pub service_s: Latency,
    /// From the intended time to the sending: how far the schedule was missed.
    pub lateness_s: Latency,
    /// By template, variant and poison.
    pub parts: Vec<Part>,
    /// What was expected of every answer.
    pub checks: Vec<CheckCount>,
    /// The first answer of each status that is no success, and the first failure of each kind.
    pub samples: Vec<Sample>,
}
