//! The lab's own gateway: every webhook that it knows is accepted, every attack refused.

use std::path::Path;

use super::{Run, fire};
use crate::fire::trace::{Pipeline, pipeline};

async fn fire_at(lab: &Pipeline, home: &Path, provider: &str, args: &[&str]) -> Run {
    let url = format!("{}/webhooks/{provider}", lab.url);
    let all = [args, &["--to", &url, "--secret-env", "KEY", "--json"]].concat();
    fire(home, &all, &[("KEY", &lab.key(provider))]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_webhook_is_accepted_and_every_attack_refused_with_the_right_status() {
    let lab = pipeline().await;
    let home = tempfile::tempdir().unwrap();
    let known = fire(home.path(), &["--list", "--json"], &[]).await;
    let mut accepted = 0;
    for template in known.lines() {
        let (name, provider) = (
            template["name"].as_str().unwrap(),
            template["provider"].as_str().unwrap(),
        );
        if !["telnyx", "resend"].contains(&provider) {
            continue;
        }
        let expect = [
            "--expect",
            "2xx",
            "--expect",
            "$.status=queued",
            "--expect",
            "latency<5s",
        ];
        let header = ["--expect", "header:content-type=application/json"];
        let args = [&[name], &expect[..], &header].concat();
        let run = fire_at(&lab, home.path(), provider, &args).await;
        assert_eq!(run.code, 0, "{name}: {}{}", run.out, run.err);
        accepted += 1;
    }
    assert_eq!(accepted, 7);
    for (variant, status) in [
        ("wrong-signature", "401"),
        ("tampered-body", "401"),
        ("stale-timestamp", "401"),
        ("missing-header", "401"),
        ("malformed-json", "400"),
        ("oversized", "413"),
    ] {
        for (name, provider) in [("telnyx.message.sent", "telnyx"), ("resend.email.sent", "resend")] {
            let args = [name, "--variant", variant, "--expect", status];
            let run = fire_at(&lab, home.path(), provider, &args).await;
            assert_eq!(run.code, 0, "{variant} of {name}: {}{}", run.out, run.err);
        }
    }
    lab.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_selftest_tells_a_gateway_that_refuses_from_one_that_takes_everything() {
    let lab = pipeline().await;
    let home = tempfile::tempdir().unwrap();
    let run = fire_at(&lab, home.path(), "telnyx", &["telnyx.message.sent", "--selftest"]).await;
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let of = |variant: &str| {
        let lines = run.lines();
        let found = lines.iter().find(|line| line["variant"] == variant).unwrap();
        (found["judgement"].as_str().unwrap().to_owned(), found["status"].clone())
    };
    assert_eq!(of("valid"), ("right".to_owned(), 200.into()));
    assert_eq!(of("replayed-id"), ("right".to_owned(), 200.into()));
    assert_eq!(of("slow-body"), ("right".to_owned(), 408.into()));
    assert_eq!(run.last()["passed"], true);

    // And one that looks at nothing.
    let (url, _server) = credulous().await;
    let args = [
        "telnyx.message.sent",
        "--selftest",
        "--to",
        &url,
        "--secret-env",
        "KEY",
        "--json",
    ];
    let run = fire(home.path(), &args, &[("KEY", &lab.key("telnyx"))]).await;
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    let wrong = run.last()["wrong"].clone();
    for variant in [
        "wrong-signature",
        "tampered-body",
        "stale-timestamp",
        "missing-header",
        "malformed-json",
    ] {
        assert!(wrong.as_array().unwrap().contains(&variant.into()), "{wrong}");
    }
    assert_eq!(run.last()["unclear"], serde_json::json!(["replayed-id"]));
    lab.down().await;
}

/// A receiver that takes everything, unread.
async fn credulous() -> (String, tokio_util::task::AbortOnDropHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(|| std::future::ready("fine"));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, tokio_util::task::AbortOnDropHandle::new(server))
}
