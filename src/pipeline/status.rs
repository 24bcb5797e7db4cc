//! `/metrics`, `/health`, `/ready`: the pages that both programs serve.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::metrics::{machine_memory, resident_memory};
use crate::base::secret::strip_url_credentials;
use crate::base::text;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How a program is, check by check.
#[derive(Debug)]
pub(super) struct Health {
    service: &'static str,
    checks: Mutex<BTreeMap<&'static str, Result<(), String>>>,
}

/// What a check says before its first outcome.
const NOT_YET: &str = "not connected yet";

/// The connection to NATS with its streams and consumer.
pub(super) const EVENT_BUS: &str = "eventBus";

/// The connection to Postgres with its schema.
pub(super) const DATABASE: &str = "database";

impl Health {
    /// A program whose checks have all yet to succeed.
    pub(super) fn new(service: &'static str, checks: &[&'static str]) -> Self {
        let waiting = |name: &&'static str| (*name, Err(NOT_YET.to_owned()));
        Self {
            service,
            checks: Mutex::new(checks.iter().map(waiting).collect()),
        }
    }

    /// Records a check's outcome; the error's credentials and control characters are removed.
    /// Returns whether it turned from good to bad or back.
    pub(super) fn set(&self, check: &'static str, outcome: Result<(), &dyn ToString>) -> bool {
        let outcome = outcome.map_err(|error| text::safe(&strip_url_credentials(&error.to_string())).into_owned());
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let turned = checks.get(check).is_none_or(|before| before.is_ok() != outcome.is_ok());
        let first = matches!(checks.get(check), Some(Err(before)) if before == NOT_YET);
        if turned || first {
            match &outcome {
                Ok(()) => tracing::info!(service = self.service, check, "healthy"),
                Err(error) => tracing::warn!(service = self.service, check, error, "unhealthy"),
            }
        }
        checks.insert(check, outcome);
        turned
    }

    fn report(&self) -> (bool, serde_json::Value) {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let healthy = checks.values().all(Result::is_ok);
        let mut shown: serde_json::Map<String, serde_json::Value> = checks
            .into_iter()
            .map(|(name, outcome)| {
                let value = match outcome {
                    Ok(()) => json!({"status": "healthy"}),
                    Err(error) => json!({"status": "unhealthy", "error": error}),
                };
                (name.to_owned(), value)
            })
            .collect();
        if let Some(used) = resident_memory() {
            let mut memory = json!({"status": "healthy", "heapUsed": format!("{}MB", used >> 20)});
            if let Some(total) = machine_memory() {
                memory["utilization"] = format!("{:.1}%", used as f64 / total as f64 * 100.0).into();
            }
            shown.insert("memory".to_owned(), memory);
        }
        let status = if healthy { "healthy" } else { "unhealthy" };
        let version = env!("CARGO_PKG_VERSION");
        (
            healthy,
            json!({"status": status, "service": self.service, "version": version, "checks": shown}),
        )
    }
}

struct Pages {
    registry: Registry,
    health: Arc<Health>,
}

/// The three pages.
pub(super) fn pages(registry: Registry, health: Arc<Health>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health_page))
        .route("/ready", get(ready))
        .with_state(Arc::new(Pages { registry, health }))
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    let mut page = String::with_capacity(16 << 10);
    if encode(&mut page, &pages.registry).is_err() {
        page.clear();
        let written = write!(page, "the metrics cannot be written");
        debug_assert!(written.is_ok(), "writing to a String does not fail");
        return (StatusCode::INTERNAL_SERVER_ERROR, page).into_response();
    }
    ([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response()
}

async fn health_page(State(pages): State<Arc<Pages>>) -> Response {
    let (healthy, report) = pages.health.report();
    (status(healthy), axum::Json(report)).into_response()
}

async fn ready(State(pages): State<Arc<Pages>>) -> Response {
    let (healthy, _) = pages.health.report();
    let report = json!({"service": pages.health.service, "ready": healthy});
    (status(healthy), axum::Json(report)).into_response()
}

fn status(good: bool) -> StatusCode {
    if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthy_is_who_passes_every_check() {
        let health = Health::new("worker", &[EVENT_BUS, DATABASE]);
        assert!(!health.report().0, "nothing is known yet");
        assert!(health.set(EVENT_BUS, Ok(())));
        assert!(health.set(DATABASE, Ok(())));
        assert!(!health.set(DATABASE, Ok(())), "it did not turn");
        let (healthy, report) = health.report();
        assert!(healthy);
        assert_eq!(report["status"], "healthy");
        assert!(health.set(DATABASE, Err(&"postgres://bob:hunter2@db refused\u{1b}[31m")));
        let (healthy, report) = health.report();
        assert!(!healthy);
        assert_eq!(
            report["checks"]["database"]["error"],
            "postgres://•••@db refused\\x1b[31m"
        );
        assert_eq!(report["checks"]["eventBus"]["status"], "healthy");
    }
}
