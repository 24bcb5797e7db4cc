//! What servers newer than 2.9 say: each test asks the server that is installed whether it has
//! the feature, and holds the console to the answer either way. `make interop` runs them, and
//! the other tests of JetStream, on several versions.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{self, RetentionPolicy};
use futures_util::StreamExt as _;
use hookwatch::base::time::SystemClock;
use hookwatch::config::Profile;
use hookwatch::model::{Queue, QueueState, View};
use serde_json::{Value, json};

use crate::letters::link;
use crate::support::{nats, servers, unique};
use crate::watcher::{Watcher, all_answer, picture};

const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the server is of this minor version of 2, or newer.
async fn is_at_least(minor: u32) -> bool {
    let version = nats().await.server_info().version;
    version.split('.').nth(1).unwrap().parse::<u32>().unwrap() >= minor
}

/// An answer of the server, as it is.
async fn ask(subject: String, question: &Value) -> Value {
    let answer = nats()
        .await
        .request(subject, question.to_string().into())
        .await
        .unwrap();
    serde_json::from_slice(&answer.payload).unwrap()
}

/// A workqueue of six messages, five of which a worker holds, and its consumer calls 3 too many.
async fn pipeline() -> (String, Watcher) {
    let name = unique("newer");
    let context = async_nats::jetstream::new(nats().await);
    let stream = context
        .create_stream(stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.*")],
            retention: RetentionPolicy::WorkQueue,
            storage: stream::StorageType::Memory,
            ..stream::Config::default()
        })
        .await
        .unwrap();
    let metadata = [("outstanding-ack-critical", "3"), ("redelivery-critical", "many")];
    let metadata = metadata.map(|(key, value)| (format!("io.nats.monitor.{key}"), value.to_owned()));
    let workers = stream
        .create_consumer(pull::Config {
            durable_name: Some("workers".to_owned()),
            metadata: metadata.into(),
            ..pull::Config::default()
        })
        .await
        .unwrap();
    for _ in 0..6 {
        context
            .publish(format!("{name}.a"), "{}".into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let mut batch = workers.fetch().max_messages(5).messages().await.unwrap();
    while let Some(message) = batch.next().await {
        // Held: never acked.
        message.unwrap();
    }
    let mut profile = Profile::empty("newer");
    profile.nats = Some(link(&servers().await.nats_url().unwrap()));
    profile.pipeline.stream = Some(name.as_str().into());
    profile.pipeline.consumer = Some("workers".into());
    (name, Watcher::start(&profile, &SystemClock::shared()))
}

fn queue<'a>(view: &'a View, stream: &str) -> Option<&'a Queue> {
    view.queues.iter().find(|queue| &*queue.stream == stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_threshold_in_the_metadata_holds_where_the_server_keeps_metadata() {
    let (name, mut watcher) = pipeline().await;
    let info = ask(format!("$JS.API.CONSUMER.INFO.{name}.workers"), &json!({})).await;
    let kept = info["config"]["metadata"]["io.nats.monitor.outstanding-ack-critical"] == "3";
    assert_eq!(kept, is_at_least(10).await, "{info}");
    let refused = |view: &View| view.events.iter().any(|event| event.text == "threshold refused");
    watcher
        .until("what the server keeps is heeded", PATIENCE, |view| {
            let held = queue(view, &name).is_some_and(|queue| queue.ack_pending.value == Some(5.0));
            let told = view.verdicts.iter().any(|verdict| verdict.text.contains("5 of 3"));
            all_answer(view) && held && told == kept && refused(view) == kept
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_consumer_is_paused_where_the_server_can() {
    let (name, mut watcher) = pipeline().await;
    let pause = json!({ "pause_until": "2999-01-01T00:00:00Z" });
    // A server without the feature does not answer at all.
    let subject = format!("$JS.API.CONSUMER.PAUSE.{name}.workers");
    let client = nats().await;
    let asked = client.request(subject, pause.to_string().into());
    let answered = tokio::time::timeout(Duration::from_secs(2), asked).await;
    let paused = answered
        .ok()
        .and_then(Result::ok)
        .and_then(|answer| serde_json::from_slice::<Value>(&answer.payload).ok())
        .is_some_and(|answer| answer["paused"] == true);
    assert_eq!(paused, is_at_least(11).await);
    watcher
        .until("its state is told", PATIENCE, |view| {
            let state = queue(view, &name).map(|queue| queue.state);
            state.is_some_and(|state| (state == QueueState::Paused) == paused && state != QueueState::Unknown)
        })
        .await;
    // A paused queue is nobody's fault.
    let view = watcher.view();
    let blamed = view.verdicts.iter().any(|verdict| &*verdict.id == "no_workers");
    assert!(!(paused && blamed), "{}", picture(&view));
}
