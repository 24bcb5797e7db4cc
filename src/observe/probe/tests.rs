//! The source against a real server on loopback that answers well and ill.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::*;
use crate::base::secret::Redactor;
use crate::base::time::{ManualClock, Timestamp};
use crate::config::{Discovery, HttpAuth, Tls};
use crate::observe::metrics::tests::server::{Answer, Server, Step, answer};
use crate::sample::ProbeState;

const FULL: &str = r#"{"status":"degraded","service":"bridge","version":"1.4.2","checks":{
    "database":{"status":"healthy"},
    "eventBus":{"status":"unhealthy","error":"connect ECONNREFUSED https://u:p@bus/s3cr3t","latency":12},
    "memory":{"status":"healthy","heapUsed":"41MB","utilization":"63%"}}}"#;
const REALTIME: &str = r#"{"status":"healthy","server":{"connectionState":"connected","uptime":3600.5},
    "channels":{"orders":{"connectionState":"connected","subscribers":3},"mails":"disconnected"},
    "responseTime":"45ms","timestamp":"2026-11-20T23:42:30Z"}"#;

fn json(status: &str, body: &str) -> Answer {
    answer(status, "content-type: application/json\r\n", body)
}

fn target(url: String) -> Target {
    Target {
        name: "bridge".into(),
        url,
        discovery: Discovery::One,
        auth: Some(HttpAuth::Bearer("t0p-s3cret".into())),
        headers: Vec::new(),
        tls: Tls::default(),
        interval: Duration::from_secs(5),
        timeout: Duration::from_millis(300),
    }
}

/// What a probe of a server that answers so says.
async fn asked(reply: Answer) -> Result<ProbeReading, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start(move |_, _| reply.clone()).await;
    let mut probe = Probe::new(&target(format!("http://127.0.0.1:{}/health?token=x", server.port))).unwrap();
    let (sender, mut samples) = mpsc::channel(4);
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut outlet = Outlet::new(sender, "test".into(), probe.id(), clock, Redactor::default());
    let read = probe.read(&mut outlet).await;
    assert!(
        server
            .requests()
            .iter()
            .all(|asked| asked.contains("authorization: Bearer t0p-s3cret")),
        "{:?}",
        server.requests()
    );
    match read {
        Err(error) => Err(error.to_string()),
        Ok(_) => match samples.try_recv().unwrap().sample {
            Sample::Probe(reading) => Ok(*reading),
            other => panic!("{other:?}"),
        },
    }
}

#[tokio::test]
async fn both_shapes_are_read_with_every_check() {
    let full = asked(json("200 OK", FULL)).await.unwrap();
    assert_eq!((full.state, full.status), (ProbeState::Degraded, 200));
    assert_eq!(
        (full.service.as_deref(), full.version.as_deref()),
        (Some("bridge"), Some("1.4.2"))
    );
    let checks: Vec<(&str, Option<ProbeState>, &str)> = full
        .checks
        .iter()
        .map(|check| (&*check.name, check.state, check.detail.as_str()))
        .collect();
    assert_eq!(
        checks,
        [
            ("database", Some(ProbeState::Healthy), ""),
            (
                "eventBus",
                Some(ProbeState::Unhealthy),
                "error connect ECONNREFUSED https://•••@bus/•••, latency 12"
            ),
            ("memory", Some(ProbeState::Healthy), "heapUsed 41MB, utilization 63%"),
        ]
    );
    let realtime = asked(json("200 OK", REALTIME)).await.unwrap();
    assert_eq!(realtime.state, ProbeState::Healthy);
    let checks: Vec<(&str, Option<ProbeState>)> = realtime
        .checks
        .iter()
        .map(|check| (&*check.name, check.state))
        .collect();
    assert_eq!(
        checks,
        [
            ("server", Some(ProbeState::Healthy)),
            ("mails", Some(ProbeState::Unhealthy)),
            ("orders", Some(ProbeState::Healthy)),
        ]
    );
    let ready = asked(json("200 OK", r#"{"service":"bridge","ready":true}"#))
        .await
        .unwrap();
    assert_eq!(ready.state, ProbeState::Healthy);
}

#[tokio::test]
async fn a_503_with_a_body_is_read_and_says_unhealthy_whatever_the_body_says() {
    for body in [FULL, r#"{"status":"healthy"}"#, r#"{"ready":false}"#] {
        let reading = asked(json("503 Service Unavailable", body)).await.unwrap();
        assert_eq!((reading.state, reading.status), (ProbeState::Unhealthy, 503), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_health_answer_is_refused_with_its_place() {
    let huge = format!("{{\"status\":\"healthy\",\"x\":\"{}\"}}", "x".repeat(10 << 20));
    for (reply, expected) in [
        (
            json("200 OK", "<html><body>Log in</body></html>"),
            "200 OK: HTML instead of JSON",
        ),
        (json("200 OK", &huge), "its answer is larger than 1.0 MiB"),
        (vec![Step::Hang], "no complete answer within 300 ms"),
        (
            vec![
                Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{".to_vec()),
                Step::Hang,
            ],
            "no complete answer within 300 ms",
        ),
        (
            json("200 OK", "[]"),
            "200 OK: its answer is a list and should be an object",
        ),
        (json("200 OK", "{}"), "200 OK: its answer has neither status nor ready"),
        (
            json("200 OK", r#"{"status":7}"#),
            "status in its answer is a number and should be healthy, degraded or unhealthy",
        ),
        (
            json("200 OK", r#"{"status":"fine\u001b[31m"}"#),
            "status in its answer is `fine\\x1b[31m` and should be",
        ),
        (
            json("200 OK", r#"{"status":"healthy","checks":[]}"#),
            "checks in its answer is a list and should be an object",
        ),
        (
            json("200 OK", r#"{"status":"healthy","checks":{"database":{"status":[1]}}}"#),
            "checks.database.status in its answer is a list and should be a word",
        ),
        (
            json("200 OK", r#"{"status":"healthy","version":2}"#),
            "version in its answer is a number and should be text",
        ),
        (
            json("404 Not Found", "not here"),
            "404 Not Found: its answer is no JSON",
        ),
        (
            json("500 Internal Server Error", ""),
            "500 Internal Server Error without a body",
        ),
        (
            json("200 OK", &"[".repeat(100_000)),
            "200 OK: its answer is no JSON: recursion limit exceeded",
        ),
    ] {
        let said = asked(reply).await.unwrap_err();
        assert!(
            said.starts_with("ask http://127.0.0.1:") && said.contains(expected),
            "{said}"
        );
        assert!(
            !said.contains('\u{1b}') && !said.contains("s3cret") && !said.contains("token"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn checks_are_bounded_and_harmless() {
    let mut checks: Vec<String> = (0..300).map(|n| format!("\"c{n:03}\":{{\"status\":\"ok\"}}")).collect();
    checks.push(format!(
        "\"a\\u202e{}\":{{\"status\":\"ok\",\"error\":\"\\u001b]0;x{}\"}}",
        "n".repeat(10_000),
        "e".repeat(10_000)
    ));
    let body = format!("{{\"status\":\"healthy\",\"checks\":{{{}}}}}", checks.join(","));
    let reading = asked(json("200 OK", &body)).await.unwrap();
    assert_eq!((reading.checks.len(), reading.left_out), (100, 201));
    for check in &reading.checks {
        assert!(text::width(&check.name) <= 60 && text::width(&check.detail) <= 240);
        assert_eq!(text::safe(&check.name), *check.name);
        assert_eq!(text::safe(&check.detail), check.detail);
    }
}

#[tokio::test]
async fn a_service_that_is_gone_says_so() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = Server::start(|_, _| json("200 OK", FULL)).await.port;
    // The server is gone with the end of its statement.
    let mut probe = Probe::new(&target(format!("http://127.0.0.1:{port}/health"))).unwrap();
    let (sender, _samples) = mpsc::channel(4);
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut outlet = Outlet::new(sender, "test".into(), probe.id(), clock, Redactor::default());
    let said = loop {
        // Its task ends when the runtime gets to it.
        match probe.read(&mut outlet).await {
            Err(error) => break error.to_string(),
            Ok(_) => tokio::task::yield_now().await,
        }
    };
    assert!(
        said.contains("connection refused → is the process up") || said.contains("closed the connection"),
        "{said}"
    );
}
