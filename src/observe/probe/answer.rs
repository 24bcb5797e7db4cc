//! How an answer reads. What is there must be what it should be: an answer with a part of a wrong
//! type is refused, and the refusal names the part.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value};

use crate::base::secret::{strip_bearers, strip_url_paths};
use crate::base::text;
use crate::observe::metrics::fault::{Fault, quote};
use crate::sample::{ProbeCheck, ProbeReading, ProbeState};

/// Checks that are kept, and parts of one check that are told.
const CHECKS: usize = 100;
const PARTS: usize = 8;

/// Longest name and detail, in columns.
const NAME: usize = 60;
const DETAIL: usize = 240;

/// What an answer says.
///
/// # Errors
/// When it is no health answer, with the reason and the next step.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<ProbeReading, Fault> {
    let answer: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(Value::Object(answer)) => answer,
        Ok(other) => return Err(wrong(status, "it", kind(&other), "an object")),
        Err(error) => return Err(no_json(status, body, &error)),
    };
    let said = state_of(status, &answer)?;
    // Who answers 503 does not work, whatever it says.
    let by_status = if status.is_success() {
        ProbeState::Healthy
    } else {
        ProbeState::Unhealthy
    };
    let mut checks = Vec::new();
    let mut left_out = 0;
    for group in ["checks", "channels"] {
        for (name, check) in object(status, &answer, group)?.into_iter().flatten() {
            if checks.len() >= CHECKS {
                left_out += 1;
                continue;
            }
            checks.push(check_of(status, group, name, check)?);
        }
    }
    if let Some(server) = object(status, &answer, "server")? {
        checks.insert(0, check_of(status, "", "server", &Value::Object(server.clone()))?);
    }
    Ok(ProbeReading {
        state: said.max(by_status),
        status: status.as_u16(),
        service: word(status, &answer, "service")?,
        version: word(status, &answer, "version")?,
        checks,
        left_out,
        took: Duration::ZERO,
    })
}

/// `status`, or `ready` of a service that says no more.
fn state_of(status: StatusCode, answer: &Map<String, Value>) -> Result<ProbeState, Fault> {
    match (answer.get("status"), answer.get("ready")) {
        (Some(Value::String(said)), _) => match state(said) {
            Some(state) => Ok(state),
            None => Err(wrong(
                status,
                "status",
                &format!("`{}`", shown(said, NAME)),
                "healthy, degraded or unhealthy",
            )),
        },
        (Some(other), _) => Err(wrong(status, "status", kind(other), "healthy, degraded or unhealthy")),
        (None, Some(Value::Bool(true))) => Ok(ProbeState::Healthy),
        (None, Some(Value::Bool(false))) => Ok(ProbeState::Unhealthy),
        (None, Some(other)) => Err(wrong(status, "ready", kind(other), "true or false")),
        (None, None) if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err((
            format!("{status}: it wants another login"),
            "check its bearer token, or its user and password",
        )),
        (None, None) => Err((
            format!("{status}: its answer has neither status nor ready"),
            "check that its url is a health endpoint",
        )),
    }
}

fn state(said: &str) -> Option<ProbeState> {
    match said.trim().to_ascii_lowercase().as_str() {
        "healthy" | "ok" | "up" | "pass" | "ready" | "connected" => Some(ProbeState::Healthy),
        "degraded" | "warn" | "warning" | "connecting" | "reconnecting" => Some(ProbeState::Degraded),
        "unhealthy" | "down" | "fail" | "failed" | "error" | "critical" | "disconnected" | "closed" => {
            Some(ProbeState::Unhealthy)
        }
        _ => None,
    }
}

/// One check: its state where it says one, and the rest of it as text.
fn check_of(status: StatusCode, group: &str, name: &str, check: &Value) -> Result<ProbeCheck, Fault> {
    let place = |part: &str| {
        let path: Vec<&str> = [group, name, part]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        path.join(".")
    };
    let name = shown(name, NAME);
    let Value::Object(parts) = check else {
        let (state, detail) = match check {
            Value::Bool(up) => (
                Some(if *up {
                    ProbeState::Healthy
                } else {
                    ProbeState::Unhealthy
                }),
                String::new(),
            ),
            Value::String(said) => (state(said), said.clone()),
            Value::Null => (None, String::new()),
            Value::Number(number) => (None, number.to_string()),
            Value::Array(_) | Value::Object(_) => {
                return Err(wrong(status, &place(""), kind(check), "an object with a status"));
            }
        };
        return Ok(ProbeCheck {
            name: name.into(),
            state,
            detail: shown(&detail, DETAIL),
        });
    };
    let mut found = None;
    let mut detail = Vec::new();
    for (key, value) in parts {
        let said = match value {
            Value::Null => continue,
            Value::String(said) => said.clone(),
            Value::Bool(said) => said.to_string(),
            Value::Number(said) => said.to_string(),
            Value::Array(items) => format!("{} entries", items.len()),
            Value::Object(inner) => format!("{} entries", inner.len()),
        };
        if matches!(key.as_str(), "status" | "connectionState" | "state") {
            match value {
                Value::String(said) => found = found.max(state(said)),
                Value::Bool(true) => found = found.max(Some(ProbeState::Healthy)),
                Value::Bool(false) => found = Some(ProbeState::Unhealthy),
                other => return Err(wrong(status, &place(key), kind(other), "a word")),
            }
            if key == "status" && found.is_some() {
                continue;
            }
        }
        detail.push(format!("{key} {said}"));
    }
    let more = detail.len().saturating_sub(PARTS);
    detail.truncate(PARTS);
    if more > 0 {
        detail.push(format!("and {more} more"));
    }
    Ok(ProbeCheck {
        name: name.into(),
        state: found,
        detail: shown(&detail.join(", "), DETAIL),
    })
}

fn object<'a>(
    status: StatusCode,
    answer: &'a Map<String, Value>,
    key: &str,
) -> Result<Option<&'a Map<String, Value>>, Fault> {
    match answer.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(wrong(status, key, kind(other), "an object")),
    }
}

fn word(status: StatusCode, answer: &Map<String, Value>, key: &str) -> Result<Option<Arc<str>>, Fault> {
    match answer.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(said)) => Ok(Some(shown(said, NAME).into())),
        Some(other) => Err(wrong(status, key, kind(other), "text")),
    }
}

/// A stranger's text, harmless, short and without what may be a secret in it.
fn shown(text: &str, columns: usize) -> String {
    let end = text.floor_char_boundary(text.len().min(columns * 8));
    let cleaned = strip_url_paths(&text[..end]);
    text::cut(&text::safe(&strip_bearers(&cleaned)), columns).into_owned()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong(status: StatusCode, place: &str, is: &str, wanted: &str) -> Fault {
    let place = shown(place, NAME);
    let place = if place == "it" {
        "its answer".to_owned()
    } else {
        format!("{place} in its answer")
    };
    (
        format!("{status}: {place} is {is} and should be {wanted}"),
        "check that its url is a health endpoint in one of the two shapes",
    )
}

fn no_json(status: StatusCode, body: &[u8], error: &serde_json::Error) -> Fault {
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return (
            format!("{status} without a body"),
            "check that its url is a health endpoint",
        );
    }
    if start.starts_with(b"<") {
        return (
            format!("{status}: HTML instead of JSON"),
            "check its url: this is a page for people, or a login",
        );
    }
    (
        format!("{status}: its answer is no JSON: {error}: {}", quote(body)),
        "check that its url is a health endpoint",
    )
}
