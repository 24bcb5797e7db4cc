//! What is said of streams and consumers, against a real nats-server whose state the tests know.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::stream::{self, RetentionPolicy};
use async_nats::jetstream::{AckKind, Context};
use futures_util::StreamExt as _;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::config::{NatsAuth, NatsLink, Profile};
use hookwatch::lab::{Lab, Options};
use hookwatch::model::{EventKind, Health, Queue, View};
use hookwatch::sample::{ConsumerKey, Interest, Scope};
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::lab::{folder, options};
use crate::watcher::{Watcher, all_answer, health, picture};

const PATIENCE: Duration = Duration::from_secs(30);

const STREAM: &str = "hooks";
const CONSUMER: &str = "workers";

/// A nats-server of the test's own.
async fn server(folder: &Path, extra: &str) -> Lab {
    let mut options: Options = options(folder);
    options.postgres = None;
    if let Some(nats) = &mut options.nats {
        extra.clone_into(&mut nats.extra);
    }
    Lab::up(options).await.unwrap()
}

fn profile(lab: &Lab, auth: NatsAuth) -> Profile {
    let mut profile = Profile::empty("jetstream");
    profile.nats = Some(NatsLink {
        auth,
        ..NatsLink::to(vec![lab.nats_url().unwrap()])
    });
    profile.pipeline.stream = Some(STREAM.into());
    profile.pipeline.consumer = Some(CONSUMER.into());
    profile
}

async fn context(lab: &Lab) -> (Client, Context) {
    let client = lab.connect().await.unwrap();
    (client.clone(), async_nats::jetstream::new(client))
}

async fn pipeline(context: &Context, ack_wait: Duration, max_deliver: i64) -> PullConsumer {
    let stream = context
        .create_stream(stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["hook.*".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            ..stream::Config::default()
        })
        .await
        .unwrap();
    stream
        .create_consumer(pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_wait,
            max_deliver,
            max_ack_pending: 5_000,
            ..pull::Config::default()
        })
        .await
        .unwrap()
}

fn queue<'a>(view: &'a View, stream: &str, consumer: &str) -> Option<&'a Queue> {
    view.queues
        .iter()
        .find(|queue| &*queue.stream == stream && queue.consumer.as_deref() == Some(consumer))
}

fn followed(view: &View) -> Option<&Queue> {
    queue(view, STREAM, CONSUMER)
}

/// Publishes steadily until it is dropped. What the server has not stored holds back what follows: a
/// server without time gets no heap to store.
fn publish(context: Context, per_second: u32) -> JoinSet<()> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            let publishes = (0..per_second / 100).map(|_| context.publish("hook.a", "fine".into()));
            for ack in futures_util::future::try_join_all(publishes).await.unwrap() {
                // One that is late has held the others back long enough.
                let _ = ack.await;
            }
        }
    });
    task
}

/// Acks everything but what says `poison`, until it is dropped.
fn work(consumer: PullConsumer) -> JoinSet<()> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut messages = consumer.stream().max_messages_per_batch(100).messages().await.unwrap();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            if &*message.payload != b"poison" {
                message.ack().await.unwrap();
            }
        }
    });
    task
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_messages_are_counted_exactly_and_never_invented() {
    let folder = folder();
    let lab = server(folder.path(), "").await;
    let (client, context) = context(&lab).await;
    let consumer = pipeline(&context, Duration::from_secs(2), 2).await;
    let clock: SharedClock = SystemClock::shared();
    let mut watcher = Watcher::start(&profile(&lab, NatsAuth::default()), &clock);
    let working = work(consumer);
    let publishing = publish(context.clone(), 1_500);
    watcher
        .until("messages flow", PATIENCE, |view| {
            followed(view).is_some_and(|queue| queue.completed_per_s.value > Some(500.0))
        })
        .await;
    let calm = watcher.during(Duration::from_secs(8)).await;
    for view in &calm {
        let parked = followed(view).and_then(|queue| queue.parked.value);
        assert!(parked.is_none_or(|parked| parked == 0.0), "{parked:?} parked");
    }
    // They are found where nothing else comes and goes between two looks, and known from then on.
    drop(publishing);
    for _ in 0..5 {
        client.publish("hook.a", "poison".into()).await.unwrap();
    }
    watcher
        .until("5 parked", PATIENCE, |view| {
            followed(view).is_some_and(|queue| queue.parked.value == Some(5.0))
        })
        .await;
    watcher
        .until("the server's advisories are told as one event", PATIENCE, |view| {
            view.events
                .iter()
                .any(|event| event.kind == EventKind::Advisory && event.count == 5)
        })
        .await;
    let publishing = publish(context, 1_500);
    for view in watcher.during(Duration::from_secs(4)).await {
        let parked = followed(&view).and_then(|queue| queue.parked.value);
        assert_eq!(parked, Some(5.0), "{}", picture(&view));
    }
    drop((publishing, working));
    lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_waiting_and_the_oldest_held_message_have_their_true_age() {
    let folder = folder();
    let lab = server(folder.path(), "").await;
    let (client, context) = context(&lab).await;
    let consumer = pipeline(&context, Duration::from_mins(1), -1).await;
    let clock: SharedClock = SystemClock::shared();
    let mut watcher = Watcher::start(&profile(&lab, NatsAuth::default()), &clock);
    watcher.until("the server answers", PATIENCE, all_answer).await;
    let idle = watcher.view();
    let queue = followed(&idle).unwrap();
    assert_eq!(
        (queue.oldest_age_s.value, queue.oldest_held_s.value),
        (None, None),
        "nothing waits, nothing is held"
    );

    let first = clock.now().mono;
    client.publish("hook.a", "first".into()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = clock.now().mono;
    client.publish("hook.a", "second".into()).await.unwrap();
    let age_of = |since: Duration, view: &View| view.now.mono.saturating_sub(since).as_secs_f64();
    let close = |age: Option<f64>, truth: f64| age.is_some_and(|age| (age - truth).abs() < 1.0);
    watcher
        .until("the first message waits", PATIENCE, |view| {
            let truth = age_of(first, view);
            followed(view)
                .is_some_and(|queue| close(queue.oldest_age_s.value, truth) && queue.oldest_held_s.value.is_none())
        })
        .await;
    // A worker takes the first one and keeps it.
    let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
    let held = batch.next().await.unwrap().unwrap();
    watcher
        .until("the first is held, the second waits", PATIENCE, |view| {
            followed(view).is_some_and(|queue| {
                close(queue.oldest_held_s.value, age_of(first, view))
                    && close(queue.oldest_age_s.value, age_of(second, view))
            })
        })
        .await;
    held.ack_with(AckKind::Ack).await.unwrap();
    watcher
        .until("nothing is held any more", PATIENCE, |view| {
            followed(view).is_some_and(|queue| queue.oldest_held_s.value.is_none())
        })
        .await;
    lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_consumers_are_swept_and_only_what_is_on_screen_is_read_each_second() {
    let folder = folder();
    let lab = server(folder.path(), "").await;
    let (_, context) = context(&lab).await;
    pipeline(&context, Duration::from_secs(30), -1).await;
    let many = context
        .create_stream(stream::Config {
            name: "many".to_owned(),
            subjects: vec!["many.*".to_owned()],
            ..stream::Config::default()
        })
        .await
        .unwrap();
    let create = |n: usize| {
        let many = many.clone();
        async move {
            let config = pull::Config {
                durable_name: Some(format!("c{n:04}")),
                filter_subject: format!("many.{n}"),
                ..pull::Config::default()
            };
            many.create_consumer(config).await.unwrap();
        }
    };
    futures_util::stream::iter(0..1_000)
        .map(create)
        .buffer_unordered(64)
        .collect::<Vec<()>>()
        .await;

    let clock: SharedClock = SystemClock::shared();
    let mut watcher = Watcher::start(&profile(&lab, NatsAuth::default()), &clock);
    let took = watcher
        .until("every consumer is listed", Duration::from_mins(1), |view| {
            view.queues.len() > 1_000
        })
        .await;
    println!("1,001 consumers listed after {took:?}");
    let on_screen: BTreeSet<ConsumerKey> = (0..20)
        .map(|n| ConsumerKey {
            stream: "many".into(),
            consumer: format!("c{n:04}").into(),
        })
        .collect();
    watcher.interest.send_replace(Interest {
        queues: Scope::Rows(on_screen),
        subjects: None,
    });
    let requests = |view: &View| view.server.as_ref().map_or(0, |server| server.our_requests);
    let before = watcher.view();
    let views = watcher.during(Duration::from_secs(20)).await;
    let after = views.last().unwrap();
    let seconds = after.now.mono.saturating_sub(before.now.mono).as_secs_f64();
    let per_second = (requests(after) - requests(&before)) as f64 / seconds;
    println!("{per_second:.1} requests/s with 20 rows on screen");
    // 20 rows, the followed stream and consumer, the account: not a thousand.
    assert!((20.0..60.0).contains(&per_second), "{per_second} requests/s");
    for view in &views {
        assert_eq!(health(view, "nats"), Health::Ok);
    }
    lab.down().await.unwrap();
}

/// Users with their rights; whoever does not log in is the administrator.
fn users() -> String {
    let readme = include_str!("../../README.md");
    let (_, rights) = readme.split_once("NATS: to publish to ").expect("the rights");
    let (rights, _) = rights.split_once("subscribe to its inbox").expect("the inbox");
    let subjects: Vec<&str> = rights.split('`').filter(|span| span.starts_with("$JS")).collect();
    assert!(subjects.len() > 5, "{subjects:?}");
    let own = r#"permissions: { subscribe: ["_INBOX.>"], publish: "#;
    format!(
        r#"
no_auth_user: admin
authorization {{
  users = [
    {{ user: admin, password: admin }}
    {{ user: reader, password: reader, {own} {subjects:?} }} }}
    {{ user: narrow, password: narrow, {own} ["$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.*.*"] }} }}
    {{ user: blind, password: blind, {own} ["$JS.API.INFO"] }} }}
  ]
}}
"#
    )
}

fn user(name: &str) -> NatsAuth {
    NatsAuth {
        user: Some((name.to_owned(), SecretString::from(name))),
        ..NatsAuth::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_the_readme_lists_are_enough_and_less_costs_only_its_part() {
    let folder = folder();
    let lab = server(folder.path(), &users()).await;
    let (client, context) = context(&lab).await;
    pipeline(&context, Duration::from_secs(30), -1).await;
    client.publish("hook.a", "waits".into()).await.unwrap();
    let clock: SharedClock = SystemClock::shared();

    let mut reader = Watcher::start(&profile(&lab, user("reader")), &clock);
    reader
        .until("everything is read", PATIENCE, |view| {
            health(view, "nats") == Health::Ok
                && followed(view)
                    .is_some_and(|queue| queue.pending.value == Some(1.0) && queue.oldest_age_s.value.is_some())
                && view.server.as_ref().is_some_and(|server| server.account.is_some())
        })
        .await;

    let mut narrow = Watcher::start(&profile(&lab, user("narrow")), &clock);
    narrow
        .until(
            "what the profile names is read, the rest is said to be off",
            PATIENCE,
            |view| {
                health(view, "nats") == Health::Ok
                    && followed(view).is_some_and(|queue| queue.pending.value == Some(1.0))
                    && view.panels_off.len() >= 2
            },
        )
        .await;
    let view = narrow.view();
    assert!(
        view.panels_off.iter().any(|(_, why)| why.contains("$JS.API.INFO")),
        "{:?}",
        view.panels_off
    );

    let mut blind = Watcher::start(&profile(&lab, user("blind")), &clock);
    blind
        .until("the missing right is named", PATIENCE, |view| {
            view.sources.iter().any(|source| {
                source.state == Health::Failing
                    && source
                        .error
                        .as_ref()
                        .is_some_and(|error| error.contains("$JS.API.STREAM.INFO"))
            })
        })
        .await;
    lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_and_made_anew_begins_anew() {
    let folder = folder();
    let lab = server(folder.path(), "").await;
    let (client, context) = context(&lab).await;
    let consumer = pipeline(&context, Duration::from_secs(30), -1).await;
    // Sequences far from those of the stream that comes after it: a rate from one to the other shows.
    for _ in 0..50_000 {
        client.publish("hook.a", "gone".into()).await.unwrap();
    }
    let mut stream = context.get_stream(STREAM).await.unwrap();
    while stream.info().await.unwrap().state.last_sequence < 50_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.purge().await.unwrap();
    let tasks = (publish(context.clone(), 500), work(consumer));
    let clock: SharedClock = SystemClock::shared();
    let mut watcher = Watcher::start(&profile(&lab, NatsAuth::default()), &clock);
    watcher
        .until("messages flow", PATIENCE, |view| {
            followed(view).is_some_and(|queue| queue.completed_per_s.value > Some(200.0))
        })
        .await;
    drop(tasks);
    context.delete_stream(STREAM).await.unwrap();
    watcher
        .until("the missing stream is named", PATIENCE, |view| {
            view.sources
                .iter()
                .any(|source| source.error.as_ref().is_some_and(|error| error.contains(STREAM)))
        })
        .await;
    let consumer = pipeline(&context, Duration::from_secs(30), -1).await;
    let tasks = (publish(context, 500), work(consumer));
    watcher
        .until("it is read again", PATIENCE, |view| {
            health(view, "nats") == Health::Ok
                && followed(view).is_some_and(|queue| queue.completed_per_s.value > Some(200.0))
        })
        .await;
    for view in watcher.all() {
        // At most 500/s are stored, and on a busy machine a reading may be told a second late; what
        // waited is completed faster.
        let rates = followed(&view).map(|queue| (queue.ingest_per_s.value, queue.completed_per_s.value));
        let plausible = |rate: Option<f64>, most: f64| rate.is_none_or(|rate| (0.0..most).contains(&rate));
        assert!(
            rates.is_none_or(|(ingest, completed)| plausible(ingest, 2_000.0) && plausible(completed, 20_000.0)),
            "{rates:?}\n{}",
            picture(&view)
        );
    }
    drop(tasks);
    lab.down().await.unwrap();
}
