//! The engine against a receiver on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::dispatch::lock;
use super::*;
use crate::act::pace::{Rate, Shape};
use crate::base::time::{Clock as _, SystemClock};
use crate::signature::{SecretPair, Signer, Verifier};

/// What a receiver saw of a request.
#[derive(Clone, Debug)]
struct Seen {
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

fn keep(kept: &Mutex<Vec<Seen>>, seen: &Seen) {
    let mut kept = lock(kept);
    if kept.len() < 1_000 {
        kept.push(seen.clone());
    }
}

/// The count of requests, the first of them, and the receiver's own origin.
type Kept = (Arc<AtomicU64>, Arc<Mutex<Vec<Seen>>>, String);

/// A receiver that counts, keeps what it is told to keep, and answers what it is told to answer.
struct Receiver {
    url: String,
    count: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Answers every request with `answer`.
    async fn start<F, Fut, R>(answer: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = R> + Send,
        R: IntoResponse,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (count, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let state = (count.clone(), seen.clone(), url.clone());
        let handle = move |State((count, kept, origin)): State<Kept>, uri: Uri, headers: HeaderMap, body: Bytes| {
            let answer = answer.clone();
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                let seen = Seen {
                    url: format!("{origin}{path}"),
                    headers,
                    body,
                };
                keep(&kept, &seen);
                answer(seen).await.into_response()
            }
        };
        let router = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(1 << 20))
            .with_state(state);
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            url,
            count,
            seen,
            _server: AbortOnDropHandle::new(server),
        }
    }

    async fn ok() -> Self {
        Self::start(|_| async { StatusCode::OK }).await
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

fn template(name: &str) -> Arc<Template> {
    Library::load(None).get(name).unwrap().clone()
}

/// A key pair of the template's scheme.
fn keys(template: &Template) -> (Signer, Verifier) {
    let pair = SecretPair::generate(template.scheme(), &mut SmallRng::seed_from_u64(11));
    (
        Signer::new(template.scheme(), &pair.signing).unwrap(),
        Verifier::new(template.scheme(), &pair.verifying).unwrap(),
    )
}

fn entry(name: &str) -> Entry {
    let template = template(name);
    Entry {
        signer: Some(keys(&template).0),
        template,
        weight: 1.0,
        path: None,
    }
}

fn plan(url: &str, name: &str) -> Plan {
    Plan::new(url, Mix::new(vec![entry(name)], &[], None).unwrap(), 1)
}

fn count(count: u64) -> Limit {
    Limit {
        count: Some(count),
        duration: None,
    }
}

fn lanes(lanes: usize) -> NonZeroUsize {
    NonZeroUsize::new(lanes).unwrap()
}

fn steady(rate: f64) -> Shape {
    Shape::Steady(Rate::per_second(rate).unwrap())
}

async fn fire(plan: Plan) -> Summary {
    fire_until(plan, CancellationToken::new()).await
}

async fn fire_until(plan: Plan, stop: CancellationToken) -> Summary {
    let (progress, watched) = watch::channel(Progress::default());
    let summary = run(plan, SystemClock::shared(), progress, stop).await.unwrap();
    let last = watched.borrow().clone();
    assert_eq!(
        last.outcomes.fired + summary.unsent,
        summary.due,
        "the last progress is the summary's"
    );
    let of_parts: u64 = summary.parts.iter().map(|part| part.outcomes.fired).sum();
    assert_eq!(of_parts, last.outcomes.fired);
    summary
}

async fn refusal(plan: Plan) -> String {
    let (progress, _watched) = watch::channel(Progress::default());
    let outcome = run(plan, SystemClock::shared(), progress, CancellationToken::new()).await;
    outcome.unwrap_err().to_string()
}

fn verify(verifier: &Verifier, seen: &Seen) -> Result<(), crate::signature::Rejection> {
    verifier.verify(
        &|name| seen.headers.get(name).and_then(|value| value.to_str().ok()),
        &seen.body,
        &seen.url,
        SystemClock::start().now().at,
        Duration::from_mins(5),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_sent_is_received_is_reported() {
    let receiver = Receiver::ok().await;
    let summary = fire(Plan {
        limit: count(20_000),
        concurrency: lanes(32),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!(receiver.count(), 20_000);
    assert_eq!(
        (
            summary.sent,
            summary.answered,
            summary.accepted,
            summary.latency_s.count
        ),
        (20_000, 20_000, 20_000, 20_000)
    );
    assert_eq!(
        (summary.due, summary.unsent, summary.failed, summary.unfinished),
        (20_000, 0, 0, 0)
    );
    assert_eq!(summary.statuses, BTreeMap::from([(200, 20_000)]));
    assert!(!summary.stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn http2_carries_the_same_counts() {
    let receiver = Receiver::ok().await;
    let summary = fire(Plan {
        limit: count(3_000),
        concurrency: lanes(150),
        version: HttpVersion::Http2,
        ..plan(&format!("{}/hooks?a=b", receiver.url), "resend.email.sent")
    })
    .await;
    assert_eq!(
        (summary.sent, summary.accepted, receiver.count()),
        (3_000, 3_000, 3_000)
    );
    assert!(receiver.seen()[0].url.ends_with("/hooks?a=b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_template_reaches_a_receiver_that_verifies_it() {
    for template in Library::load(None).templates() {
        let (signer, verifier) = keys(template);
        let receiver = Receiver::ok().await;
        let mix = Mix::single(template.clone(), Some(signer)).unwrap();
        let summary = fire(Plan {
            limit: count(3),
            ..Plan::new(format!("{}/hooks?tenant=7", receiver.url), mix, 5)
        })
        .await;
        assert_eq!(summary.accepted, 3, "{template}: {summary:?}");
        let seen = receiver.seen();
        for seen in &seen {
            assert_eq!(verify(&verifier, seen), Ok(()), "{template}: {seen:?}");
            assert_eq!(seen.headers["content-type"], **template.content_type());
        }
        // GitHub's id stands in a header; the bodies of two pings of one second may be equal.
        let distinct: BTreeSet<_> = seen
            .iter()
            .map(|seen| format!("{:?} {:?}", seen.headers, seen.body))
            .collect();
        assert_eq!(distinct.len(), 3, "{template} repeats itself");
    }
}

/// The receiver stalls for a second. A tool that waits for an answer before it thinks of the next
/// request would report four slow requests; a provider would have seen hundreds wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stall_of_the_receiver_shows_in_every_shot_that_was_due_meanwhile() {
    let (gate, arrived) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicU64::new(0)));
    let receiver = Receiver::start(move |_| {
        let (gate, arrived) = (gate.clone(), arrived.clone());
        async move {
            let pass = gate.acquire().await.unwrap();
            if arrived.fetch_add(1, Ordering::Relaxed) == 100 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drop(pass);
            StatusCode::OK
        }
    })
    .await;
    let summary = fire(Plan {
        limit: count(900),
        shape: steady(300.0),
        concurrency: lanes(4),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!((summary.accepted, summary.failed), (900, 0));
    let (latency, service) = (summary.latency_s, summary.service_s);
    // 300 of 900 shots were due during the stall, evenly: a third of all waited up to a second.
    assert!(latency.p99.unwrap() > 0.9, "{latency:?}");
    assert!(latency.p90.unwrap() > 0.5, "{latency:?}");
    // Only the four that were in flight were slow in themselves: less than one in a hundred.
    assert!(service.p99.unwrap() < latency.p99.unwrap() / 2.0, "{service:?}");
    assert!(service.max.unwrap() > 0.9, "{service:?}");
    assert!(summary.lateness_s.p99.unwrap() > 0.8, "{:?}", summary.lateness_s);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_is_stopped_counts_what_it_sent_and_nothing_else() {
    let receiver = Receiver::ok().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(fire_until(
        Plan {
            limit: Limit::default(),
            shape: steady(2_000.0),
            concurrency: lanes(8),
            ..plan(&receiver.url, "generic")
        },
        stop.clone(),
    ));
    while receiver.count() < 200 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let summary = running.await.unwrap();
    assert!(summary.stopped);
    assert_eq!(summary.sent, receiver.count());
    assert_eq!(
        (summary.accepted, summary.unfinished, summary.failed),
        (summary.sent, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_has_no_answer_when_a_run_is_stopped_is_unfinished() {
    let receiver = Receiver::start(|_| std::future::pending::<StatusCode>()).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(fire_until(
        Plan {
            limit: count(100),
            concurrency: lanes(5),
            shape: Shape::Bursts {
                size: NonZeroU64::new(100).unwrap(),
                every: Duration::ZERO,
            },
            ..plan(&receiver.url, "generic")
        },
        stop.clone(),
    ));
    while receiver.count() < 5 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let summary = running.await.unwrap();
    assert_eq!((summary.due, summary.sent, summary.unsent), (100, 5, 95));
    assert_eq!((summary.answered, summary.failed, summary.unfinished), (0, 0, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_duration_ends_a_run_and_what_was_not_sent_by_then_is_counted() {
    let receiver = Receiver::start(|_| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        StatusCode::OK
    })
    .await;
    let summary = fire(Plan {
        limit: Limit {
            count: None,
            duration: Some(Duration::from_millis(500)),
        },
        shape: steady(1_000.0),
        concurrency: lanes(2),
        ..plan(&receiver.url, "generic")
    })
    .await;
    // Two lanes of 50 ms manage 20 in half a second; 500 were due.
    assert_eq!(summary.due, 500);
    assert_eq!(summary.sent, receiver.count());
    assert_eq!(summary.sent, summary.accepted);
    assert_eq!(summary.unsent, summary.due - summary.sent);
    assert!((4..=22).contains(&summary.sent), "{summary:?}");
    assert!(!summary.stopped);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_fails_every_shot_and_none_counts_as_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let summary = fire(Plan {
        limit: count(10),
        ..plan(&url, "generic")
    })
    .await;
    assert_eq!((summary.sent, summary.failed, summary.due), (0, 10, 10));
    assert_eq!(summary.failures, BTreeMap::from([(FailureKind::Connect, 10)]));
    assert_eq!(summary.samples.len(), 1);
    assert!(summary.samples[0].text.contains("refused"), "{:?}", summary.samples);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let receiver = Receiver::start(|_| std::future::pending::<StatusCode>()).await;
    let summary = fire(Plan {
        limit: count(3),
        timeout: Duration::from_millis(50),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!(summary.failures, BTreeMap::from([(FailureKind::Timeout, 3)]));
    assert_eq!((summary.sent, summary.failed, receiver.count()), (3, 3, 3));
}

/// Answers requests of the generic template on one connection.
async fn answer_each<S>(mut stream: S, answer: &str, then_close: bool, counter: &AtomicU64)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut read = Vec::new();
    let mut buffer = [0; 8_192];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        read.extend_from_slice(&buffer[..length]);
        // The template's body ends in "}}", and nothing else does.
        if !read.ends_with(b"}}") {
            continue;
        }
        read.clear();
        counter.fetch_add(1, Ordering::Relaxed);
        let written = stream.write_all(answer.as_bytes()).await;
        if written.is_err() || stream.flush().await.is_err() || then_close {
            return;
        }
    }
}

/// A server of fixed behaviour: reads a request, writes `answer`, closes where told so.
async fn raw_server(answer: &'static str, then_close: bool) -> (String, Arc<AtomicU64>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answered = Arc::new(AtomicU64::new(0));
    let counter = answered.clone();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move { answer_each(stream, answer, then_close, &counter).await });
        }
    });
    (url, answered, AbortOnDropHandle::new(server))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_receiver_that_closes_after_each_answer_loses_nothing() {
    for announced in [true, false] {
        let answer = if announced {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        };
        let (url, served, _server) = raw_server(answer, true).await;
        let summary = fire(Plan {
            limit: count(50),
            // Slow enough for the close to arrive before the next request leaves.
            shape: steady(100.0),
            ..plan(&url, "generic")
        })
        .await;
        if announced {
            assert_eq!((summary.accepted, summary.failed), (50, 0), "{summary:?}");
        }
        // A close that nobody announced may cross a request on its way: it is counted, never hidden.
        assert_eq!(
            summary.accepted + summary.failures.get(&FailureKind::Closed).unwrap_or(&0),
            50
        );
        assert_eq!(served.load(Ordering::Relaxed), summary.accepted);
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_protocol_failure_and_a_cut_answer_a_closed_connection() {
    let (url, ..) = &raw_server("SSH-2.0-OpenSSH_9.2\r\n\r\n", true).await;
    let summary = fire(plan(url, "generic")).await;
    assert_eq!(
        summary.failures,
        BTreeMap::from([(FailureKind::Protocol, 1)]),
        "{summary:?}"
    );
    let (url, _, _server) = &raw_server("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true).await;
    let summary = fire(plan(url, "generic")).await;
    assert_eq!(
        summary.failures,
        BTreeMap::from([(FailureKind::Closed, 1)]),
        "{summary:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_variant_is_what_it_says() {
    let template = template("resend.email.sent");
    let (signer, verifier) = keys(&template);
    // A gateway in small: size, signature, JSON, in this order.
    let receiver = Receiver::start(move |seen| {
        let status = match verify(&verifier, &seen) {
            Err(rejection) => (StatusCode::UNAUTHORIZED, rejection.to_string()),
            Ok(()) if serde_json::from_slice::<serde_json::Value>(&seen.body).is_err() => {
                (StatusCode::BAD_REQUEST, "no JSON".to_owned())
            }
            Ok(()) => (StatusCode::OK, String::new()),
        };
        async move { status }
    })
    .await;
    for (variant, status, text) in [
        (Variant::Valid, 200, ""),
        (Variant::WrongSignature, 401, "does not match"),
        (Variant::TamperedBody, 401, "does not match"),
        (Variant::StaleTimestamp, 401, "3600 s old"),
        (Variant::MissingHeader, 401, "is missing"),
        (Variant::MalformedJson, 400, "no JSON"),
        (Variant::Oversized, 413, "length limit"),
    ] {
        let entry = Entry {
            template: template.clone(),
            weight: 1.0,
            signer: Some(signer.clone()),
            path: None,
        };
        let mix = Mix::new(vec![entry], &[(variant, 1.0)], None).unwrap();
        let summary = fire(Plan {
            limit: count(20),
            oversize: (1 << 20) + 1,
            ..Plan::new(&receiver.url, mix, 1)
        })
        .await;
        assert_eq!(
            summary.statuses,
            BTreeMap::from([(status, 20)]),
            "{variant}: {summary:?}"
        );
        assert_eq!(summary.parts[0].variant, variant.name());
        let sample = summary
            .samples
            .first()
            .map(|sample| sample.text.as_str())
            .unwrap_or_default();
        assert!(sample.contains(text), "{variant}: {sample}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mix_is_counted_by_template_variant_and_poison_and_reaches_each_path() {
    let receiver = Receiver::ok().await;
    let at = |name, weight, path: &str| Entry {
        weight,
        path: Some(path.to_owned()),
        ..entry(name)
    };
    let mix = Mix::new(
        vec![
            at("telnyx.message.sent", 2.0, "/webhooks/telnyx"),
            at("resend.email.sent", 1.0, "/webhooks/resend"),
        ],
        &[(Variant::WrongSignature, 0.2)],
        Some(Poison {
            share: 0.25,
            causes: vec!["timeout".into()],
        }),
    )
    .unwrap();
    let summary = fire(Plan {
        limit: count(900),
        concurrency: lanes(4),
        ..Plan::new(&receiver.url, mix, 3)
    })
    .await;
    // The parts are what the receiver saw.
    let mut expected: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for seen in receiver.seen() {
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let is_telnyx = seen.url.ends_with("/webhooks/telnyx");
        assert_eq!(is_telnyx, body["data"]["event_type"] == "message.sent");
        let is_poisoned = body["hookwatch"]["poison"] == "timeout";
        *expected.entry((is_telnyx, is_poisoned)).or_default() += 1;
    }
    let mut counted: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for part in &summary.parts {
        assert!(part.variant == "valid" || part.poison.is_none());
        let key = (part.template == "telnyx.message.sent", part.poison.is_some());
        *counted.entry(key).or_default() += part.outcomes.accepted();
    }
    assert_eq!(counted, expected);
    assert_eq!(summary.parts.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_seed_repeats_a_run_whatever_its_concurrency() {
    let ids = async |seed, concurrency| {
        let receiver = Receiver::ok().await;
        fire(Plan {
            limit: count(300),
            concurrency: lanes(concurrency),
            seed,
            ..plan(&receiver.url, "resend.email.bounced")
        })
        .await;
        let ids: BTreeSet<_> = receiver
            .seen()
            .iter()
            .map(|seen| seen.headers["svix-id"].to_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 300);
        ids
    };
    let first = ids(4, 1).await;
    assert_eq!(first, ids(4, 7).await);
    assert!(first.is_disjoint(&ids(5, 7).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rate_and_mix_can_be_changed_while_a_run_goes_on() {
    let receiver = Receiver::ok().await;
    let mix = |name| Arc::new(Mix::new(vec![entry(name)], &[], None).unwrap());
    let (steer, steering) = watch::channel(Steering {
        shape: Shape::Steady(Rate::PAUSED),
        mix: mix("generic"),
    });
    let (progress, mut watched) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(
        Plan {
            limit: Limit::default(),
            shape: Shape::Steady(Rate::PAUSED),
            concurrency: lanes(4),
            steering: Some(steering),
            ..plan(&receiver.url, "generic")
        },
        SystemClock::shared(),
        progress,
        stop.clone(),
    ));
    // Paused: the first shot of a schedule is due at its beginning, no other.
    watched
        .wait_for(|progress| progress.elapsed > Duration::from_millis(300))
        .await
        .unwrap();
    assert!(receiver.count() <= 1);
    steer.send_replace(Steering {
        shape: steady(5_000.0),
        mix: mix("github.ping"),
    });
    watched
        .wait_for(|progress| progress.outcomes.answered() > 500)
        .await
        .unwrap();
    steer.send_replace(Steering {
        shape: Shape::Unpaced,
        mix: mix("github.push"),
    });
    let of =
        |name: &'static str| move |seen: &Seen| seen.headers.get("x-github-event").is_some_and(|event| event == name);
    watched
        .wait_for(|progress| progress.outcomes.answered() > 4_000)
        .await
        .unwrap();
    steer.send_replace(Steering {
        shape: Shape::Steady(Rate::PAUSED),
        mix: mix("github.push"),
    });
    // It comes to rest: two reports running without a shot between them, and everything answered.
    let mut fired = 0;
    let rest = async {
        loop {
            watched.changed().await.unwrap();
            let outcomes = &watched.borrow_and_update().outcomes;
            if outcomes.fired == fired && outcomes.unfinished() == 0 {
                break;
            }
            fired = outcomes.fired;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), rest)
        .await
        .expect("the run pauses");
    let at_rest = receiver.count();
    stop.cancel();
    let summary = running.await.unwrap().unwrap();
    assert_eq!((summary.sent, summary.accepted), (at_rest, at_rest));
    assert!(receiver.seen().iter().any(of("ping")));
    assert!(summary.parts.iter().any(|part| part.template == "github.push"));
}

#[tokio::test]
async fn a_batch_is_an_array_of_webhooks_under_one_signature() {
    let template = template("standard-webhooks");
    let (signer, verifier) = keys(&template);
    let receiver = Receiver::ok().await;
    let mix = Mix::single(template, Some(signer)).unwrap();
    let summary = fire(Plan {
        limit: count(3),
        batch: Some(lanes(5)),
        ..Plan::new(&receiver.url, mix, 1)
    })
    .await;
    assert_eq!(summary.accepted, 3);
    let mut contacts = BTreeSet::new();
    for seen in receiver.seen() {
        assert_eq!(verify(&verifier, &seen), Ok(()));
        let events: Vec<serde_json::Value> = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(events.len(), 5);
        contacts.extend(
            events
                .iter()
                .map(|event| event["data"]["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(contacts.len(), 15);
}

#[tokio::test]
async fn credentials_of_the_url_become_a_header_and_are_shown_nowhere() {
    let receiver = Receiver::ok().await;
    let url = receiver.url.replace("http://", "http://bob:p%40ss@");
    let summary = fire(plan(&url, "generic")).await;
    assert_eq!(summary.accepted, 1);
    assert_eq!(receiver.seen()[0].headers["authorization"], "Basic Ym9iOnBAc3M=");
    let error = refusal(plan("ftp://bob:s3cret@host/", "generic")).await;
    assert!(
        error.contains("ftp://•••@host/") && !error.contains("s3cret"),
        "{error}"
    );
    let error = refusal(plan("http://bob:s3cret@no-such-host.invalid/", "generic")).await;
    assert!(
        error.contains("no-such-host.invalid") && !error.contains("s3cret"),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_is_accepted_when_its_authority_is_named_and_refused_when_not() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let data = |name: &str| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/tls")
            .join(name)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(data("localhost.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(data("localhost.key")).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let _server = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            answer_each(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                false,
                &AtomicU64::new(0),
            )
            .await;
        }
    }));
    let trusting = Plan {
        limit: count(3),
        tls: crate::config::Tls {
            ca: Some(data("localhost.pem")),
            ..crate::config::Tls::default()
        },
        ..plan(&url, "generic")
    };
    assert_eq!(fire(trusting.clone()).await.accepted, 3);
    let error = refusal(plan(&url, "generic")).await;
    assert!(error.starts_with(&format!("TLS with {url}")), "{error}");
    let error = refusal(Plan {
        tls: crate::config::Tls {
            ca: Some("/does/not/exist.pem".into()),
            ..crate::config::Tls::default()
        },
        ..trusting
    })
    .await;
    assert!(error.starts_with("read certificate /does/not/exist.pem"), "{error}");
}

#[tokio::test]
async fn a_target_without_tls_is_refused_before_the_first_shot() {
    let receiver = Receiver::ok().await;
    let error = refusal(plan(&receiver.url.replace("http:", "https:"), "generic")).await;
    assert!(error.starts_with("TLS with https://127.0.0.1"), "{error}");
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_refused_before_the_first_shot() {
    let receiver = Receiver::ok().await;
    let base = || plan(&receiver.url, "generic");
    for (plan, reason) in [
        (
            Plan {
                limit: count(0),
                ..base()
            },
            "nothing to fire",
        ),
        (
            Plan {
                timeout: Duration::ZERO,
                ..base()
            },
            "timeout 0",
        ),
        (
            Plan {
                concurrency: lanes(100_000),
                ..base()
            },
            "concurrency 100000",
        ),
        (plan("not a url", "generic"), "target not a url"),
        (plan("http://", "generic"), "target http://"),
        (
            Plan {
                batch: Some(lanes(2)),
                ..plan(&receiver.url, "twilio")
            },
            "batch of twilio.status_callback",
        ),
    ] {
        let error = refusal(plan).await;
        assert!(error.contains(reason) && error.contains(" → "), "{error}");
    }
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_replay_has_the_id_of_the_first_webhook_and_a_signature_of_its_own() {
    let receiver = Receiver::ok().await;
    let entry = entry("resend.email.sent");
    let mix = Mix::new(vec![entry], &[(Variant::ReplayedId, 1.0)], None).unwrap();
    let summary = fire(Plan {
        limit: count(3),
        ..Plan::new(&receiver.url, mix, 5)
    })
    .await;
    let variants: Vec<_> = summary
        .parts
        .iter()
        .map(|part| (part.variant, part.outcomes.fired))
        .collect();
    assert_eq!(variants, [("valid", 1), ("replayed-id", 2)]);
    let verifier = keys(&template("resend.email.sent")).1;
    let seen = receiver.seen();
    let ids: BTreeSet<_> = seen
        .iter()
        .map(|seen| seen.headers["svix-id"].clone().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1);
    for seen in &seen {
        let header = |name: &str| seen.headers.get(name)?.to_str().ok();
        let now = SystemClock::start().now().at;
        assert_eq!(
            verifier.verify(&header, &seen.body, &seen.url, now, Duration::from_mins(1)),
            Ok(())
        );
    }
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_an_answer_before_its_end_is_heard() {
    // Takes everything: the whole of it comes, slowly.
    let receiver = Receiver::ok().await;
    let plan = |url: &str| {
        let mix = Mix::new(vec![entry("generic")], &[(Variant::SlowBody, 1.0)], None).unwrap();
        Plan {
            slow_for: Duration::from_millis(320),
            ..Plan::new(url, mix, 5)
        }
    };
    let summary = fire(plan(&receiver.url)).await;
    assert_eq!(summary.statuses, BTreeMap::from([(200, 1)]));
    assert!(summary.service_s.max.unwrap() > 0.25, "{:?}", summary.service_s);
    assert!(serde_json::from_slice::<serde_json::Value>(&receiver.seen()[0].body).is_ok());

    // Answers at once, unread, whatever comes after.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = &format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(|| std::future::ready(StatusCode::REQUEST_TIMEOUT));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let _server = AbortOnDropHandle::new(server);
    let summary = fire(Plan {
        slow_for: Duration::from_hours(1),
        ..plan(url)
    })
    .await;
    assert_eq!(summary.statuses, BTreeMap::from([(408, 1)]), "{summary:?}");
}

#[tokio::test]
async fn whoever_wants_to_hear_of_every_request_hears_its_id_status_and_answer() {
    let receiver = Receiver::start(|_| async { (StatusCode::OK, "{\"sequence\":7}") }).await;
    let (reports, mut heard) = tokio::sync::mpsc::unbounded_channel();
    fire(Plan {
        limit: count(2),
        reports: Some(reports),
        ..plan(&receiver.url, "resend.email.sent")
    })
    .await;
    let mut ids = BTreeSet::new();
    while let Some(exchange) = heard.recv().await {
        assert_eq!(
            (exchange.status, exchange.body.as_str()),
            (Some(200), "{\"sequence\":7}")
        );
        assert!(exchange.sent.is_some() && exchange.took.is_some());
        ids.insert(exchange.id);
    }
    let seen: BTreeSet<_> = receiver
        .seen()
        .iter()
        .map(|s| s.headers["svix-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, seen);
}
