//! What must hold of a run: `2xx`, `401`, `p99<200ms`.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::report::shown;
use crate::act::fire::Summary;
use crate::base::text;

/// Something that must hold of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expectation {
    /// Every request is answered, with a status within these bounds.
    Status { text: String, low: u16, high: u16 },
    /// A percentile of the latency lies below a limit.
    Latency {
        text: String,
        percentile: Percentile,
        limit: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Percentile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

/// A text that is no expectation.
#[derive(Debug, thiserror::Error)]
#[error(
    "expectation {0}: it is neither a status nor a latency → give 2xx, 401 or p99<200ms (p50, p90, p99, p99.9, max)"
)]
pub(super) struct UnknownExpectation(String);

/// Whether an expectation was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Checked {
    pub(super) expected: String,
    pub(super) actual: String,
    #[serde(rename = "met")]
    pub(super) is_met: bool,
}

/// Every expectation of the command; none given: `2xx`.
pub(super) fn expectations(texts: &[String]) -> Result<Vec<Expectation>, UnknownExpectation> {
    if texts.is_empty() {
        return Ok(vec!["2xx".parse()?]);
    }
    texts.iter().map(|text| text.parse()).collect()
}

impl FromStr for Expectation {
    type Err = UnknownExpectation;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownExpectation(text::safe(given).into_owned());
        let text = given.trim().to_owned();
        if let Some((name, limit)) = text.split_once('<') {
            let percentile = match name.trim() {
                "p50" => Percentile::P50,
                "p90" => Percentile::P90,
                "p99" => Percentile::P99,
                "p99.9" => Percentile::P999,
                "max" => Percentile::Max,
                _ => return Err(unknown()),
            };
            let limit = limit
                .trim()
                .parse::<jiff::SignedDuration>()
                .ok()
                .and_then(|limit| Duration::try_from(limit).ok())
                .ok_or_else(unknown)?;
            return Ok(Self::Latency {
                text,
                percentile,
                limit,
            });
        }
        let (low, high) = match text.strip_suffix("xx") {
            Some(class) => class.parse().map(|class: u16| (class * 100, class * 100 + 99)),
            None => text.parse().map(|status| (status, status)),
        }
        .map_err(|_| unknown())?;
        if !(100..600).contains(&low) {
            return Err(unknown());
        }
        Ok(Self::Status { text, low, high })
    }
}

impl Expectation {
    pub(super) fn check(&self, summary: &Summary) -> Checked {
        match self {
            Self::Status { text, low, high } => {
                let as_expected: u64 = summary.statuses.range(low..=high).map(|(_, count)| count).sum();
                let asked = summary.due;
                Checked {
                    expected: text.clone(),
                    actual: format!("{} of {}", text::count(as_expected), text::count(asked)),
                    is_met: asked > 0 && as_expected == asked,
                }
            }
            Self::Latency {
                text,
                percentile,
                limit,
            } => {
                let latency = &summary.latency_s;
                let seconds = match percentile {
                    Percentile::P50 => latency.p50,
                    Percentile::P90 => latency.p90,
                    Percentile::P99 => latency.p99,
                    Percentile::P999 => latency.p999,
                    Percentile::Max => latency.max,
                };
                Checked {
                    expected: text.clone(),
                    actual: shown(seconds),
                    is_met: seconds.is_some_and(|seconds| seconds < limit.as_secs_f64()),
                }
            }
        }
    }
}
