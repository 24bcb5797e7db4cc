//! The command against a receiver on loopback.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::base::time::SystemClock;
use crate::signature::{Scheme, Verifier};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A gateway for Resend that says what is wrong, the secret included.
struct Gateway {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
    _server: AbortOnDropHandle<()>,
}

impl Gateway {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        let verifier = Verifier::new(&Scheme::Svix, &SecretString::from(KEY)).unwrap();
        let clock = SystemClock::shared();
        let handle = move |headers: HeaderMap, body: String| {
            let verdict = verifier.verify(
                &|name| headers.get(name)?.to_str().ok(),
                body.as_bytes(),
                "",
                clock.now().at,
                Duration::from_mins(5),
            );
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            std::future::ready(match verdict {
                Ok(()) => (StatusCode::ACCEPTED, String::new()),
                Err(rejection) => (
                    StatusCode::UNAUTHORIZED,
                    format!("{rejection}; my keys are {KEY} and {}\x1b[2J", &KEY[6..]),
                ),
            })
        };
        let router = Router::new().route("/hooks", post(handle));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            bodies,
            _server: AbortOnDropHandle::new(server),
        }
    }

    fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn context() -> FireContext {
    FireContext {
        environment: Environment::from([("RESEND_KEY".to_owned(), KEY.to_owned())]),
        templates: None,
        profile: Profile::empty("test"),
        is_live: false,
        clock: SystemClock::shared(),
    }
}

fn options(to: &str) -> FireOptions {
    FireOptions {
        order: Order {
            template: "resend.email.sent".to_owned(),
            to: Some(to.to_owned()),
            secret: Some(SecretSource::Variable("RESEND_KEY".to_owned())),
            ..Order::default()
        },
        ..FireOptions::default()
    }
}

struct Outcome {
    code: u8,
    out: String,
    err: String,
}

async fn run(options: &FireOptions, context: &FireContext) -> Outcome {
    run_until(options, context, CancellationToken::new()).await
}

async fn run_until(options: &FireOptions, context: &FireContext, stop: CancellationToken) -> Outcome {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = fire(options, context, stop, &mut out, &mut err).await;
    let outcome = Outcome {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    };
    let bare = KEY.strip_prefix("whsec_").unwrap();
    for text in [&outcome.out, &outcome.err] {
        assert!(!text.contains(bare), "a secret is shown: {text}");
        assert!(!text.contains('\x1b'), "a stranger steers the terminal: {text}");
    }
    outcome
}

#[tokio::test]
async fn a_signed_webhook_is_accepted_and_the_command_says_so() {
    let gateway = Gateway::start().await;
    let outcome = run(
        &{
            let mut options = options(&gateway.url);
            options.order.set = vec!["data.subject=Hello {{seq}}".to_owned()];
            options
        },
        &context(),
    )
    .await;
    assert_eq!(outcome.code, 0, "{}{}", outcome.out, outcome.err);
    assert!(outcome.out.contains("expected 2xx: 1 of 1 (met)"), "{}", outcome.out);
    assert!(gateway.bodies()[0].contains("\"Hello 0\""));
    assert_eq!(outcome.err, "");
}

#[tokio::test]
async fn a_refusal_is_exit_code_1_unless_it_is_expected() {
    let gateway = Gateway::start().await;
    let wrong = FireOptions {
        variant: Some("wrong-signature".to_owned()),
        ..options(&gateway.url)
    };
    let outcome = run(&wrong, &context()).await;
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.out.contains("expected 2xx: 0 of 1 (not met)"),
        "{}",
        outcome.out
    );
    assert!(
        outcome.out.contains("first 401: the signature does not match"),
        "{}",
        outcome.out
    );
    let expected = FireOptions {
        expect: vec!["401".to_owned(), "max<1m".to_owned()],
        ..wrong
    };
    assert_eq!(run(&expected, &context()).await.code, 0);
}

#[tokio::test]
async fn the_last_line_is_the_summary_as_json() {
    let gateway = Gateway::start().await;
    let outcome = run(
        &FireOptions {
            count: Some(25),
            json: true,
            seed: Some(3),
            ..options(&gateway.url.replace("http://", "http://bob:s3cret@"))
        },
        &context(),
    )
    .await;
    let line: serde_json::Value = serde_json::from_str(outcome.out.lines().last().unwrap()).unwrap();
    assert_eq!(line["sent"], 25);
    assert_eq!(line["accepted"], 25);
    assert_eq!(line["statuses"]["202"], 25);
    assert_eq!(line["seed"], 3);
    assert_eq!(line["expectations"][0]["met"], true);
    assert!(line["latency_s"]["p99"].is_f64());
    assert!(!outcome.out.contains("s3cret"), "{}", outcome.out);
    assert_eq!((outcome.code, gateway.bodies().len()), (0, 25));
}

#[tokio::test]
async fn what_cannot_be_fired_is_refused_with_exit_code_2_before_the_first_request() {
    type Edit = fn(&mut FireOptions);
    let gateway = Gateway::start().await;
    let edits: [(Edit, &str); 15] = [
        (
            |o| o.order.template = "resend.email.snt".into(),
            "did you mean resend.email.sent?",
        ),
        (
            |o| o.order.secret = Some(SecretSource::Variable("NOPE".into())),
            "variable NOPE is not set",
        ),
        (
            |o| o.order.secret = Some(SecretSource::File("/no/such/file".into())),
            "read secret /no/such/file",
        ),
        (
            |o| o.order.secret = Some(SecretSource::Given("whsk_AAAA".into())),
            "it begins with whsk_",
        ),
        (|o| o.order.scheme = Some("gitlab".into()), "\"gitlab\" is not known"),
        (|o| o.rate = Some(0.0), "rate 0/s: it must be above 0"),
        (|o| o.rate = Some(1e6), "rate 1000000/s"),
        (|o| o.count = Some(0), "nothing to fire"),
        (|o| o.order.set = vec!["data".into()], "there is no = in it"),
        (|o| o.order.set = vec!["data.x.y=1".into()], "there is no x"),
        (|o| o.variant = Some("huge".into()), "variant \"huge\""),
        (|o| o.expect = vec!["fast".into()], "expectation fast"),
        (|o| o.expect = vec!["p98<1s".into()], "expectation p98<1s"),
        (|o| o.order.to = Some("nonsense".into()), "target nonsense"),
        (|o| o.order.to = Some("http://192.0.2.1/".into()), "add --yes"),
    ];
    for (edit, reason) in edits {
        let mut options = options(&gateway.url);
        edit(&mut options);
        let outcome = run(&options, &context()).await;
        assert_eq!(outcome.code, 2, "{}", outcome.err);
        assert!(
            outcome.err.contains(reason) && outcome.err.contains(" → "),
            "{}",
            outcome.err
        );
        assert_eq!(outcome.out, "");
    }
    assert_eq!(gateway.bodies().len(), 0);
}

#[tokio::test]
async fn a_protected_profile_takes_one_webhook_and_no_load() {
    let gateway = Gateway::start().await;
    let mut protected = context();
    protected.profile.protected = true;
    assert_eq!(run(&options(&gateway.url), &protected).await.code, 0);
    let load = FireOptions {
        count: Some(2),
        ..options(&gateway.url)
    };
    let outcome = run(&load, &protected).await;
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("takes no load"), "{}", outcome.err);
    assert_eq!(gateway.bodies().len(), 1);
}

#[tokio::test]
async fn a_secret_file_is_read_without_its_line_end_and_a_given_secret_is_warned_of() {
    let gateway = Gateway::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let with = |source| {
        let mut options = options(&gateway.url);
        options.order.secret = source;
        options
    };
    let from_file = run(&with(Some(SecretSource::File(file.path().into()))), &context()).await;
    assert_eq!((from_file.code, from_file.err.as_str()), (0, ""));
    let given = run(&with(Some(SecretSource::Given(KEY.into()))), &context()).await;
    assert_eq!(given.code, 0);
    assert!(given.err.contains("seen by others"), "{}", given.err);
    // Without a key there is none to keep secret: what the gateway says of its own is its affair.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = fire(&with(None), &context(), CancellationToken::new(), &mut out, &mut err).await;
    assert_eq!(code, 1);
    assert!(String::from_utf8(err).unwrap().contains("not signed"));
}

#[tokio::test]
async fn an_interrupted_load_ends_with_a_correct_summary_and_exit_code_130() {
    let gateway = Gateway::start().await;
    let stop = CancellationToken::new();
    let load = FireOptions {
        duration: Some(Duration::from_hours(1)),
        rate: Some(500.0),
        json: true,
        ..options(&gateway.url)
    };
    let context = context();
    let (outcome, ()) = tokio::join!(run_until(&load, &context, stop.clone()), async {
        while gateway.bodies().len() < 100 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    assert_eq!(outcome.code, 130);
    let line: serde_json::Value = serde_json::from_str(outcome.out.lines().last().unwrap()).unwrap();
    assert_eq!(line["stopped"], true);
    assert_eq!(line["sent"], gateway.bodies().len());
    assert_eq!(line["unfinished"], 0);
}

#[test]
fn every_template_is_listed() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(list(&context(), true, &mut out, &mut err), 0);
    let lines: Vec<serde_json::Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 17);
    let sent = lines.iter().find(|line| line["name"] == "resend.email.sent").unwrap();
    assert_eq!(
        *sent,
        serde_json::json!({"name": "resend.email.sent", "provider": "resend", "event": "email.sent", "scheme": "svix"})
    );
    assert!(err.is_empty());
}
