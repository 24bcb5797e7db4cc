//! What must hold of a run: `2xx`, `p99<200ms`, `header:x-id=7`, `$.status=queued`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use serde::Serialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::outcome::Summary;
use crate::base::json_match::JsonMatch;
use crate::base::text;

/// Something that must hold of a run.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// As it was given.
    text: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Every request is answered in the end, with a status within these bounds.
    Status { low: u16, high: u16 },
    /// A percentile of the latency lies below a limit.
    Latency { percentile: Percentile, limit: Duration },
    /// Every answer has this header, with this value if there is one.
    Header { name: HeaderName, value: Option<String> },
    /// Every answer's body has something at this path, with this value if there is one.
    Body { path: JsonPath, value: Option<Value> },
}

#[derive(Clone, Copy, Debug)]
enum Percentile {
    P50,
    P90,
    P99,
    P999,
    Max,
}

/// A text that is no expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expectation {text}: {reason} → give 2xx, 401, p99<200ms, latency<1s, header:NAME[=VALUE] or $.json.path[=VALUE]"
)]
pub struct UnknownExpectation {
    text: String,
    reason: String,
}

/// Whether an expectation was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// As it was given.
    pub expected: String,
    /// What was there.
    pub actual: String,
    /// Whether that is what was expected.
    #[serde(rename = "met")]
    pub is_met: bool,
}

/// Every expectation of a list; an empty one: `2xx`.
///
/// # Errors
/// The first text that is none.
pub fn expectations(texts: &[String]) -> Result<Vec<Expectation>, UnknownExpectation> {
    if texts.is_empty() {
        return Ok(vec!["2xx".parse()?]);
    }
    texts.iter().map(|text| text.parse()).collect()
}

impl PartialEq for Expectation {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expectation {
    type Err = UnknownExpectation;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let text = given.trim();
        let parsed = if let Some(header) = text.strip_prefix("header:") {
            parse_header(header)
        } else if text.starts_with('$') {
            parse_body(text)
        } else if let Some((name, limit)) = text.split_once('<') {
            parse_latency(name.trim(), limit.trim())
        } else {
            parse_status(text)
        };
        match parsed {
            Ok(what) => Ok(Self {
                text: text.to_owned(),
                what,
            }),
            Err(reason) => Err(UnknownExpectation {
                text: text::cut(&text::safe(text), 80).into_owned(),
                reason,
            }),
        }
    }
}

fn parse_status(text: &str) -> Result<What, String> {
    let bounds = match text.strip_suffix("xx") {
        Some(class) => class
            .parse()
            .map(|class: u16| (class.saturating_mul(100), class.saturating_mul(100).saturating_add(99))),
        None => text.parse().map(|status| (status, status)),
    };
    match bounds {
        Ok((low, high)) if (100..600).contains(&low) => Ok(What::Status { low, high }),
        Ok(_) => Err("there is no such status".to_owned()),
        Err(_) => Err("it is none".to_owned()),
    }
}

fn parse_latency(name: &str, limit: &str) -> Result<What, String> {
    let percentile = match name {
        "p50" => Percentile::P50,
        "p90" => Percentile::P90,
        "p99" => Percentile::P99,
        "p99.9" => Percentile::P999,
        "max" | "latency" => Percentile::Max,
        _ => return Err("p50, p90, p99, p99.9, max and latency are known".to_owned()),
    };
    let limit = crate::config::parse_duration(limit)?;
    Ok(What::Latency { percentile, limit })
}

fn parse_header(text: &str) -> Result<What, String> {
    let (name, value) = split_value(text);
    let name = name.parse().map_err(|_| "that is no header's name".to_owned())?;
    Ok(What::Header {
        name,
        value: value.map(ToOwned::to_owned),
    })
}

fn parse_body(text: &str) -> Result<What, String> {
    let JsonMatch { path, value } = JsonMatch::parse(text)?;
    Ok(What::Body { path, value })
}

fn split_value(text: &str) -> (&str, Option<&str>) {
    text.split_once('=')
        .map_or((text.trim(), None), |(name, value)| (name.trim(), Some(value.trim())))
}

impl Expectation {
    /// Whether it is about each answer, rather than about the run.
    pub(super) fn is_of_answers(&self) -> bool {
        matches!(self.what, What::Header { .. } | What::Body { .. })
    }

    /// Whether bodies have to be kept for it.
    pub(super) fn reads_body(&self) -> bool {
        matches!(self.what, What::Body { .. })
    }

    /// Whether an answer meets it; `Err`: what is there instead.
    pub(super) fn check_answer(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        match &self.what {
            What::Header { name, value } => {
                let mut found = headers.get_all(name).iter().peekable();
                let Some(first) = found.peek() else {
                    return Err(format!("no header {name}"));
                };
                let first = String::from_utf8_lossy(first.as_bytes()).into_owned();
                match value {
                    Some(value) if !found.any(|header| header.as_bytes() == value.as_bytes()) => Err(first),
                    _ => Ok(()),
                }
            }
            What::Body { path, value } => {
                let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
                let found = path.query(&body);
                match (value, found.first()) {
                    (_, None) => Err("nothing there".to_owned()),
                    (Some(value), Some(first)) if !found.iter().any(|found| *found == value) => Err(first.to_string()),
                    _ => Ok(()),
                }
            }
            What::Status { .. } | What::Latency { .. } => Ok(()),
        }
    }

    /// Whether a run met it.
    #[must_use]
    pub fn check(&self, summary: &Summary) -> Checked {
        let (actual, is_met) = match &self.what {
            What::Status { low, high } => {
                let as_expected: u64 = summary.statuses.range(low..=high).map(|(_, count)| count).sum();
                of_all(as_expected, summary.due)
            }
            What::Latency { percentile, limit } => {
                let latency = &summary.latency_s;
                let seconds = match percentile {
                    Percentile::P50 => latency.p50,
                    Percentile::P90 => latency.p90,
                    Percentile::P99 => latency.p99,
                    Percentile::P999 => latency.p999,
                    Percentile::Max => latency.max,
                };
                let shown = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                (
                    shown.map_or_else(|| text::UNKNOWN.to_owned(), text::duration),
                    seconds.is_some_and(|seconds| seconds < limit.as_secs_f64()),
                )
            }
            What::Header { .. } | What::Body { .. } => {
                let count = summary.checks.iter().find(|count| count.expected == self.text);
                let (mut actual, is_met) = of_all(count.map_or(0, |count| count.met), summary.due);
                if let Some(instead) = count.and_then(|count| count.instead.as_deref()) {
                    actual.push_str(": ");
                    actual.push_str(instead);
                }
                (actual, is_met)
            }
        };
        Checked {
            expected: self.text.clone(),
            actual,
            is_met,
        }
    }
}

fn of_all(met: u64, all: u64) -> (String, bool) {
    let shown = format!("{} of {}", text::count(met), text::count(all));
    (shown, all > 0 && met == all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expectation: &str, headers: &[(&'static str, &str)], body: &str) -> Result<(), String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        expectation
            .parse::<Expectation>()
            .unwrap()
            .check_answer(&headers, body.as_bytes())
    }

    #[test]
    fn a_header_is_there_or_has_a_value() {
        let headers = [("x-id", "7"), ("x-id", "8")];
        assert_eq!(check("header:X-Id", &headers, ""), Ok(()));
        assert_eq!(check("header:x-id = 8", &headers, ""), Ok(()));
        assert_eq!(check("header:x-id=9", &headers, ""), Err("7".to_owned()));
        assert_eq!(check("header:x-no", &headers, ""), Err("no header x-no".to_owned()));
    }

    #[test]
    fn a_body_has_something_at_a_path_or_a_value_there() {
        let body = r#"{"status":"queued","n":7,"items":[{"id":"a","ok":true}]}"#;
        for met in [
            "$.status",
            "$.status=queued",
            "$.status = \"queued\"",
            "$.n=7",
            "$.items[?@.id=='a'].ok=true",
            "$.items[*].id=a",
        ] {
            assert_eq!(check(met, &[], body), Ok(()), "{met}");
        }
        assert_eq!(check("$.n=8", &[], body), Err("7".to_owned()));
        assert_eq!(check("$.nope", &[], body), Err("nothing there".to_owned()));
        assert!(check("$.n", &[], "<html>").unwrap_err().starts_with("no JSON"));
    }

    #[test]
    fn what_is_no_expectation_is_named_with_its_reason() {
        for (text, reason) in [
            ("fast", "it is none"),
            ("9xx", "no such status"),
            ("p98<1s", "p50, p90"),
            ("p99<1", "unit is missing"),
            ("header:a b", "no header's name"),
            ("$.[", "no JSONPath"),
        ] {
            let error = text.parse::<Expectation>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(" → "), "{error}");
        }
    }
}
