//! The engine against a receiver on loopback.

mod failures;
mod requests;
mod time;

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
