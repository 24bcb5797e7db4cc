//! Edited letters, letters that are signed anew, and letters that go to a gateway by HTTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hookwatch::base::time::SystemClock;
use hookwatch::signature::{Scheme, Verifier};
use secrecy::SecretString;

use super::world::{Shape, World, finish};

pub(super) const NEW_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

pub(super) type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A gateway that takes what carries a signature by the new key, remembers it, and holds some back.
pub(super) struct Gateway {
    pub(super) url: String,
    pub(super) seen: Seen,
    handle: tokio::task::JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

pub(super) fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let verifier = Verifier::new(&Scheme::StandardWebhooks, &SecretString::from(NEW_KEY)).unwrap();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = SystemClock::shared().now().at;
    verifier
        .verify(&header, body, "", now, std::time::Duration::from_mins(1))
        .is_ok()
}

async fn take(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> StatusCode {
    seen.lock().unwrap().push((headers.clone(), body.clone()));
    if String::from_utf8_lossy(&body).contains("silent") {
        // Longer than anybody waits in this test.
        std::future::pending::<()>().await;
    }
    if is_signed(&headers, &body) {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

impl Gateway {
    pub(super) async fn open() -> Self {
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let app = Router::new().route("/hooks", post(take)).with_state(seen.clone());
        let handle = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, handle }
    }
}

/// Signed anew, with the key in `NEW_KEY`.
const SIGNED: [&str; 4] = ["--sign", "standard-webhooks", "--secret-env", "NEW_KEY"];

fn report(out: &str) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    report["report"].clone()
}

#[tokio::test]
async fn letters_go_to_a_gateway_signed_anew_and_only_what_it_took_is_deleted() {
    let world = World::new(Shape::default()).await;
    let gateway = Gateway::open().await;
    world.bury(30, "timeout").await;
    let to_gateway = [&["--to-url", &gateway.url][..], &SIGNED].concat();
    let arguments = [
        &to_gateway[..],
        &["--write", "--yes", "30", "--json", "--verify", "50ms"],
    ]
    .concat();
    let mut command = world.command("replay", &arguments);
    let (code, out, err) = finish(command.env("NEW_KEY", NEW_KEY).spawn().unwrap()).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(report(&out)["counts"]["deleted"], 30, "{out}");
    assert_eq!(world.letters().await, 0);
    let seen = gateway.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 30);
    for (headers, body) in &seen {
        assert!(is_signed(headers, body), "{headers:?}");
        assert_eq!(headers["content-type"], "application/json");
        let names: Vec<&str> = headers.keys().map(axum::http::HeaderName::as_str).collect();
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("nats-") || name.starts_with("x-nats-")),
            "{names:?}"
        );
        let twice: Vec<_> = headers.get_all("x-twice").iter().collect();
        assert_eq!(twice, ["one", "two, three"]);
        assert_eq!(headers.get_all("webhook-signature").iter().count(), 1);
    }
    assert!(world.take_published().await.is_empty(), "nothing went into the stream");
    let secret_shown = [out, err].iter().any(|text| text.contains(&NEW_KEY[6..]));
    assert!(!secret_shown && !journals(&world).contains(&NEW_KEY[6..]));
}

/// All that the state folder holds.
pub(super) fn journals(world: &World) -> String {
    let mut text = String::new();
    let mut folders = vec![world.state.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
    }
    text
}

#[tokio::test]
async fn a_gateway_that_refuses_keeps_the_letters_and_stops_the_replay() {
    let world = World::new(Shape::default()).await;
    let gateway = Gateway::open().await;
    world.bury(200, "timeout").await;
    // Under their old signatures, which this gateway does not know.
    let arguments = [
        "--to-url",
        &gateway.url,
        "--write",
        "--yes",
        "200",
        "--json",
        "--verify",
        "50ms",
    ];
    let (code, out, _) = world.run("replay", &arguments).await;
    assert_eq!(code, 1, "{out}");
    let report = report(&out);
    assert_eq!(report["why"], "the first letters were not taken", "{report}");
    assert!(
        report["refused"][0]["reason"].as_str().unwrap().contains("401"),
        "{report}"
    );
    assert_eq!((world.letters().await, gateway.seen.lock().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn a_letter_whose_answer_never_came_is_in_doubt_and_a_person_settles_it() {
    let world = World::new(Shape::default()).await;
    let gateway = Gateway::open().await;
    world.bury(1, "silent").await;
    let to_gateway = [&["--to-url", &gateway.url][..], &SIGNED].concat();
    let arguments = [&to_gateway[..], &["--write", "--yes", "1", "--canary", "0"]].concat();
    let mut replay = world
        .command("replay", &arguments)
        .env("NEW_KEY", NEW_KEY)
        .spawn()
        .unwrap();
    while gateway.seen.lock().unwrap().is_empty() {
        assert!(replay.try_wait().unwrap().is_none(), "it ended too early");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    replay.kill().await.unwrap();
    let resume = [
        "--resume",
        "--write",
        "--json",
        "--secret-env",
        "NEW_KEY",
        "--sign",
        "standard-webhooks",
    ];
    let (code, _, err) = world.run("replay", &["--resume", "--write"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("give the key again"), "{err}");
    let again = |more: &[&str]| {
        let arguments = [&resume[..], more].concat();
        world
            .command("replay", &arguments)
            .env("NEW_KEY", NEW_KEY)
            .spawn()
            .unwrap()
    };
    let (code, out, _) = finish(again(&[])).await;
    assert_eq!(code, 1, "{out}");
    assert_eq!(report(&out)["counts"]["in_doubt"], 1, "{out}");
    assert_eq!(gateway.seen.lock().unwrap().len(), 1, "it is not sent again in silence");
    let (code, out, _) = finish(again(&["--in-doubt", "keep"])).await;
    assert_eq!(report(&out)["counts"]["kept"], 1, "{code} {out}");
    assert_eq!(world.letters().await, 1);
}

#[tokio::test]
async fn an_edited_letter_shows_what_changes_and_goes_under_a_new_signature() {
    let world = World::new(Shape::default()).await;
    world.bury(2, "timeout").await;
    let file = world.state.path().join("edited.json");
    std::fs::write(&file, br#"{"id":"timeout-0","odd":"mended"}"#).unwrap();
    let file = file.to_str().unwrap();
    let (code, out, err) = world.run("replay", &["--ids", "1", "--payload", file]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.contains("+   \"odd\": \"mended\"") && out.contains("sign it anew with --sign"),
        "{out}"
    );
    let (code, _, err) = world.run("replay", &["--ids", "1-2", "--payload", file]).await;
    assert_eq!(code, 2);
    assert!(err.contains("an edited replay takes one letter"), "{err}");
    let edited = ["--ids", "1", "--payload", file];
    let arguments = [
        &edited[..],
        &SIGNED,
        &[
            "--write", "--yes", "1", "--canary", "0", "--verify", "50ms", "--follow", "200ms",
        ],
    ]
    .concat();
    let mut command = world.command("replay", &arguments);
    let (code, out, _) = finish(command.env("NEW_KEY", NEW_KEY).spawn().unwrap()).await;
    assert_eq!(code, 0, "{out}");
    let published = world.take_published().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].payload, br#"{"id":"timeout-0","odd":"mended"}"#);
    let verifier = Verifier::new(&Scheme::StandardWebhooks, &SecretString::from(NEW_KEY)).unwrap();
    let header = |name: &str| published[0].headers.get(name).map(async_nats::HeaderValue::as_str);
    let now = SystemClock::shared().now().at;
    let verdict = verifier.verify(
        &header,
        &published[0].payload,
        "",
        now,
        std::time::Duration::from_mins(1),
    );
    assert!(verdict.is_ok(), "{verdict:?}");
    assert_eq!(world.letters().await, 1);
}

#[tokio::test]
async fn what_cannot_be_signed_or_asked_for_is_refused_before_anything_is_sent() {
    let world = World::new(Shape::default()).await;
    world.bury(1, "timeout").await;
    for (arguments, words) in [
        (&["--sign", "stripe"][..], "--sign needs a key"),
        (&["--sign", "strpe", "--secret-env", "X"], "--sign: "),
        (&["--sign", "stripe", "--secret-env", "UNSET"], "UNSET"),
        (&["--sign", "twilio", "--secret-file", "/dev/null"], "give --to-url"),
        (&["--to-url", "http://user:pw@127.0.0.1:9/x"], "credentials in --to-url"),
        (&["--to-url", "not a url"], "not a url"),
        (&["--ids", "1", "--payload", "/no/such/file"], "/no/such/file"),
    ] {
        let (code, out, err) = world.run("replay", arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {out} {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
        assert!(!err.contains("pw@"), "{err}");
    }
    assert_eq!(world.letters().await, 1);
}
