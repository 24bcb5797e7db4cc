//! Receivers that have nothing of ours in them: reference implementations and a plain one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{command, fire};

/// 24 bytes in base64, as both reference implementations want them.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that answers what `answer` says.
async fn receiver<F>(answer: F) -> (String, AbortOnDropHandle<()>)
where
    F: Fn(HeaderMap, Bytes) -> StatusCode + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let handle = move |headers: HeaderMap, body: Bytes| std::future::ready(answer(headers, body));
    let router = Router::new().route("/hooks", post(handle));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, AbortOnDropHandle::new(server))
}

/// A receiver that accepts everything and counts it.
async fn counting_receiver() -> (String, AbortOnDropHandle<()>, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counting = count.clone();
    let (url, server) = receiver(move |_, _| {
        counting.fetch_add(1, Ordering::Relaxed);
        StatusCode::OK
    })
    .await;
    (url, server, count)
}

fn accepted(is_genuine: bool) -> StatusCode {
    if is_genuine {
        StatusCode::ACCEPTED
    } else {
        StatusCode::UNAUTHORIZED
    }
}

#[tokio::test]
async fn the_reference_implementations_verify_what_is_signed_and_refuse_what_is_tampered_with() {
    let home = tempfile::tempdir().unwrap();
    let standard = Arc::new(standardwebhooks::Webhook::new(KEY).unwrap());
    let svix = Arc::new(svix::webhooks::Webhook::new(KEY).unwrap());
    let (by_standard, _first) = receiver(move |headers, body| accepted(standard.verify(&body, &headers).is_ok())).await;
    let (by_svix, _second) = receiver(move |headers, body| accepted(svix.verify(&body, &headers).is_ok())).await;
    for (template, url) in [
        ("standard-webhooks", &by_standard),
        ("standard-webhooks", &by_svix),
        ("resend.email.sent", &by_svix),
        ("resend.email.bounced", &by_svix),
    ] {
        let common = [template, "--to", url, "--secret-env", "KEY", "--json"];
        let run = fire(home.path(), &common, &[("KEY", KEY)]).await;
        assert_eq!(run.code, 0, "{template}: {}{}", run.out, run.err);
        for variant in ["wrong-signature", "tampered-body", "stale-timestamp", "missing-header"] {
            let wrong = [&common[..], &["--variant", variant, "--expect", "401"]].concat();
            let run = fire(home.path(), &wrong, &[("KEY", KEY)]).await;
            assert_eq!(run.code, 0, "{template}, {variant}: {}{}", run.out, run.err);
        }
    }
}

#[tokio::test]
async fn a_load_is_counted_exactly_and_an_interrupted_one_too() {
    let home = tempfile::tempdir().unwrap();
    let (url, _server, count) = counting_receiver().await;
    let args = ["generic", "--to", &url, "--count", "500", "--rate", "1000", "--json"];
    let run = fire(home.path(), &args, &[]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.last()["sent"], count.load(Ordering::Relaxed));
    assert!(!run.err.contains("sent"), "progress is for terminals: {}", run.err);

    count.store(0, Ordering::Relaxed);
    let args = ["generic", "--to", &url, "--for", "1h", "--rate", "300", "--json"];
    let child = command(home.path(), &args, &[]).spawn().unwrap();
    while count.load(Ordering::Relaxed) < 50 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let last: serde_json::Value =
        serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!(last["stopped"], true);
    assert_eq!(last["sent"], count.load(Ordering::Relaxed));
    assert_eq!(last["unfinished"], 0);
}

#[tokio::test]
async fn a_batch_holds_what_the_rate_brings_in_its_time_and_the_last_one_what_is_left() {
    let home = tempfile::tempdir().unwrap();
    let sizes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = sizes.clone();
    let (url, _server) = receiver(move |_, body| {
        let items: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        kept.lock().unwrap().push(items.len());
        StatusCode::OK
    })
    .await;
    for (batch, expected) in [("10", vec![10, 10, 5]), ("10,30ms", vec![4, 4, 4, 4, 4, 4, 1])] {
        sizes.lock().unwrap().clear();
        let args = [
            "generic", "--to", &url, "-n", "25", "--rate", "100", "-c", "1", "--batch", batch,
        ];
        let run = fire(home.path(), &args, &[]).await;
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert_eq!(*sizes.lock().unwrap(), expected, "{batch}");
    }
}

#[tokio::test]
async fn a_request_that_fails_is_sent_again_only_when_asked_and_every_attempt_counts() {
    let home = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counting = count.clone();
    let (url, _server) = receiver(move |_, _| match counting.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    })
    .await;
    let run = fire(home.path(), &["generic", "--to", &url, "--json"], &[]).await;
    assert_eq!((run.code, count.load(Ordering::Relaxed)), (1, 1));
    let run = fire(home.path(), &["generic", "--to", &url, "--json", "--retries", "3"], &[]).await;
    assert_eq!(
        (run.code, count.load(Ordering::Relaxed)),
        (0, 3),
        "{}{}",
        run.out,
        run.err
    );
    let last = run.last();
    assert_eq!(
        (&last["sent"], &last["retried"], &last["due"]),
        (&2.into(), &1.into(), &1.into())
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_code_2_before_the_first_request() {
    let home = tempfile::tempdir().unwrap();
    let (url, _server, count) = counting_receiver().await;
    let templates = home.path().join(".config/hookwatch/templates");
    std::fs::create_dir_all(&templates).unwrap();
    let head = "provider = 'acme'\nscheme = 'stripe'\n";
    std::fs::write(
        templates.join("a.toml"),
        format!("{head}event = 'a'\nbody = '{{\"id\": \"{{{{uid}}}}\"}}'\n"),
    )
    .unwrap();
    std::fs::write(
        templates.join("b.toml"),
        format!("{head}event = 'b'\nbody = '{{\"id\": }}'\n"),
    )
    .unwrap();
    let to = ["--to", url.as_str()];
    for (args, reason) in [
        (vec!["a"], "placeholder {{uid}}"),
        (vec!["b"], "the body is no JSON"),
        (
            vec!["resend.email.sent", "--secret-env", "SHORT"],
            "signing key for svix",
        ),
        (
            vec!["resend.email.sent", "--secret-env", "UNSET"],
            "variable UNSET is not set",
        ),
        (vec!["generic", "--rate", "0"], "rate 0/s"),
        (vec!["generic", "--rate", "1000000"], "rate 1000000/s"),
        (vec!["generic", "--retries", "99"], "retries 99"),
        (vec!["generic", "--batch", "5,1s"], "a time says nothing without a rate"),
        (vec!["generic", "--trace"], "neither NATS nor Postgres"),
        (vec!["generic", "--expect", "$.["], "that is no JSONPath"),
    ] {
        let args = [&args[..], &to].concat();
        let run = fire(home.path(), &args, &[("SHORT", "whsec_not-base64-s3cr3t!")]).await;
        assert_eq!(run.code, 2, "{args:?}: {}{}", run.out, run.err);
        assert!(
            run.err.contains(reason) && run.err.contains(" → "),
            "{args:?}: {}",
            run.err
        );
    }
    for (to, reason) in [
        ("http://nowhere.invalid/x", "--yes"),
        ("https://127.0.0.1:1/x", "connect"),
        ("ftp://localhost/", "ftp:// is not spoken"),
    ] {
        let run = fire(home.path(), &["generic", "--to", to], &[]).await;
        assert_ne!(run.code, 0, "{to}: {}{}", run.out, run.err);
        assert!(
            format!("{}{}", run.out, run.err).contains(reason),
            "{to}: {}{}",
            run.out,
            run.err
        );
    }
    let run = fire(
        home.path(),
        &["generic", "--yes", "--to", "http://nowhere.invalid/x"],
        &[],
    )
    .await;
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("resolve nowhere.invalid"), "{}", run.err);
    let plain = url.replace("http://", "https://");
    let run = fire(home.path(), &["generic", "--to", &plain], &[]).await;
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("TLS with"), "{}", run.err);
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_letter_becomes_a_template_that_can_be_listed_shown_and_fired() {
    let home = tempfile::tempdir().unwrap();
    let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let (url, _server) = receiver(move |_, body| {
        kept.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
        StatusCode::OK
    })
    .await;
    let letter = home.path().join("letters.jsonl");
    let line = r#"{"subject":"webhook.resend.email.bounced","headers":{"X-Webhook-Id":"resend-msg_0123456789"},"payload":"{\"type\":\"email.bounced\",\"why\":\"it died\",\"id\":\"msg_0123456789\"}"}"#;
    std::fs::write(&letter, format!("{line}\n{line}\n")).unwrap();
    let run = fire(home.path(), &["--save-from", letter.to_str().unwrap(), "died"], &[]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.trim().ends_with(".config/hookwatch/templates/died.toml"),
        "{}",
        run.out
    );
    let listed = fire(home.path(), &["--list", "--json"], &[]).await;
    assert!(
        listed
            .lines()
            .iter()
            .any(|line| line["name"] == "died" && line["scheme"] == "svix")
    );
    let shown = fire(home.path(), &["--show", "died"], &[]).await;
    assert!(
        shown.out.contains("it died") && shown.out.contains("{{id}}"),
        "{}",
        shown.out
    );
    let run = fire(home.path(), &["died", "--to", &url, "--set", "why=again"], &[]).await;
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let body = bodies.lock().unwrap()[0].clone();
    assert!(body.contains("again") && !body.contains("msg_0123456789"), "{body}");
}

#[tokio::test]
async fn a_key_is_in_no_output_and_no_log_however_it_is_given_and_whatever_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let bare = KEY.strip_prefix("whsec_").unwrap();
    // A receiver that knows the key and cannot keep it to itself.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router =
        Router::new().fallback(|| std::future::ready((StatusCode::UNAUTHORIZED, format!("{KEY} {}", &KEY[6..]))));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let _server = AbortOnDropHandle::new(server);
    let file = home.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let log = home.path().join("log");
    for secret in [
        ["--secret-env", "KEY"],
        ["--secret-file", file.to_str().unwrap()],
        ["--secret", KEY],
    ] {
        for more in [
            &["--json"][..],
            &["--retries", "1"],
            &["--every", "10ms", "-n", "2", "--json"],
            &["--selftest", "--timeout", "100ms"],
            &["--expect", "$.x"],
            &["--variant", "nonsense"],
        ] {
            let common = ["resend.email.sent", "--to", &url, "--log", log.to_str().unwrap()];
            let args = [&common[..], &secret, more].concat();
            let mut command = command(home.path(), &args, &[("KEY", KEY)]);
            let output = command.env("HOOKWATCH_LOG", "trace").output().await.unwrap();
            for text in [&output.stdout, &output.stderr, &std::fs::read(&log).unwrap()] {
                let text = String::from_utf8_lossy(text);
                assert!(!text.contains(bare), "{args:?}: {text}");
            }
            assert_ne!(output.status.code(), Some(0), "{args:?}");
        }
    }
}
