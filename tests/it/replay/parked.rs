//! Messages past `max_deliver`: found where they lie, replayed once, and left alone where a worker
//! may have them in hand.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use hookwatch::lab::{Lab, Options};

use super::world::{Shape, World, finish, rows};
use crate::support::{self, PROGRAM};

/// Longer than any test.
const LONG: Duration = Duration::from_mins(5);

const PARKED: [&str; 2] = ["--form", "parked"];

/// Runs `hookwatch dlq <what>` on the parked messages of a world.
async fn dlq(world: &World, what: &str, more: &[&str]) -> (i32, String, String) {
    world
        .run(what, &[&["--stream", &world.stream], &PARKED[..], more].concat())
        .await
}

async fn replay(world: &World, more: &[&str]) -> (i32, String, String) {
    dlq(
        world,
        "replay",
        &[&["--verify", "50ms", "--follow", "2s"], more].concat(),
    )
    .await
}

#[tokio::test]
async fn parked_messages_are_replayed_once_each_and_others_are_untouched() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.park(21, "parked", LONG).await;
    let (code, out, err) = dlq(&world, "list", &["--json"]).await;
    assert_eq!((code, out.lines().count()), (0, 21), "{err}");
    let first: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (
            &first["form"],
            &first["died_at"],
            &first["provider"],
            &first["sequence"]
        ),
        (&"parked".into(), &serde_json::Value::Null, &"telnyx".into(), &1.into())
    );
    let (_, out, _) = dlq(&world, "groups", &["--by", "subject", "--json"]).await;
    assert_eq!(out.lines().count(), 7, "{out}");
    let (code, out, _) = dlq(&world, "show", &["1"]).await;
    assert!(code == 0 && out.contains("past max_deliver"), "{out}");

    world.take_published().await;
    let _worker = world.work(&database, None).await;
    let some = ["--event", "sent3", "--json", "--write", "--yes", "3"];
    let (code, out, err) = replay(&world, &some).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(report["report"]["fates"]["processed"], 3, "{report}");
    let published = world.take_published().await;
    assert_eq!(published.len(), 3);
    for one in &published {
        let own = one.headers.get("X-Delivery-Count").map(async_nats::HeaderValue::as_str);
        assert_eq!(own, Some("its own"), "it is no copy: what it bears is its own");
        assert!(
            one.subject.split('.').next_back() == Some("sent3") && one.headers.get("Hookwatch-Replay-Id").is_some()
        );
    }
    assert_eq!(world.messages(&world.stream).await, 18, "the others lie where they lay");
    let (code, out, err) = replay(&world, &["--write", "--yes", "18"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(world.messages(&world.stream).await, 0);
    let (count, seen) = rows(&database).await;
    assert_eq!(count, 21);
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

#[tokio::test]
async fn a_message_that_may_be_in_a_workers_hands_is_not_replayed() {
    let world = World::new(Shape::default()).await;
    let consumer = world.park(3, "parked", LONG).await;
    world.publish("held", 0).await;
    let held = world.pull(&consumer, 1).await.pop().unwrap();
    let (code, _, err) = replay(&world, &["--write", "--yes", "3"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("1 message is in the workers' hands"), "{err}");
    let (_, out, _) = dlq(&world, "list", &[]).await;
    assert!(
        out.contains("0 of 0 in") && out.contains("cannot be told from them"),
        "{out}"
    );
    assert_eq!(world.messages(&world.stream).await, 4);

    held.double_ack().await.unwrap();
    world.take_published().await;
    let (code, out, err) = replay(&world, &["--write", "--yes", "3", "--canary", "0"]).await;
    assert_eq!(code, 0, "{out} {err}");
    assert_eq!(world.take_published().await.len(), 3);
    let left = world.pull(&consumer, 10).await;
    assert_eq!(left.len(), 3, "the copies are delivered, the originals are gone");
    assert_eq!(world.messages(&world.stream).await, 3);
}

#[tokio::test]
async fn a_parked_message_that_comes_alive_meanwhile_is_not_sent() {
    let world = World::new(Shape::default()).await;
    world.park(40, "parked", LONG).await;
    world.take_published().await;
    let arguments = [
        "--write", "--yes", "40", "--canary", "0", "--rate", "50", "--follow", "1s",
    ];
    let arguments = [&["--stream", &world.stream], &PARKED[..], &arguments].concat();
    let child = world.command("replay", &arguments).spawn().unwrap();
    while world.messages(&world.stream).await == 40 && world.take_published().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The same name, another consumer: it begins anew, and delivers what the first one gave up.
    let stream = world.context.get_stream(&world.stream).await.unwrap();
    stream.delete_consumer("workers").await.unwrap();
    let config = pull::Config {
        durable_name: Some("workers".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    let (code, out, err) = finish(child).await;
    assert_eq!(code, 1, "{out} {err}");
    // By its age, by what it has delivered, or by its absence.
    let told = ["was made anew", "could not be seen that nobody", "consumer not found"];
    assert!(
        told.iter().any(|told| out.contains(told) || err.contains(told)),
        "{out} {err}"
    );
    let database = support::database().await;
    let _worker = world.work(&database, None).await;
    for _ in 0..1_000 {
        if world.messages(&world.stream).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (count, seen) = rows(&database).await;
    assert_eq!(count, 40);
    assert!(seen.values().all(|times| *times == 1), "by whomever, once: {seen:?}");
}

#[tokio::test]
async fn a_copy_that_is_given_up_again_stops_the_replay_after_the_canary() {
    let world = World::new(Shape::default()).await;
    let consumer = world.park(5, "poison", LONG).await;
    world.take_published().await;
    let (client, stream) = (world.context.clone(), world.stream.clone());
    let refusing = tokio::spawn(async move {
        loop {
            let consumer = client.get_stream(&stream).await.unwrap();
            let consumer = consumer.get_consumer::<pull::Config>("workers").await.unwrap();
            let wait = Duration::from_millis(200);
            let batch = consumer
                .fetch()
                .max_messages(10)
                .expires(wait)
                .messages()
                .await
                .unwrap();
            let mut batch = std::pin::pin!(batch);
            while let Some(Ok(message)) = futures_util::StreamExt::next(&mut batch).await {
                message.ack_with(AckKind::Nak(None)).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let (code, out, err) = replay(&world, &["--write", "--yes", "5"]).await;
    refusing.abort();
    assert_eq!(code, 1, "{out} {err}");
    assert!(
        out.contains("1 of the first letters died again: the cause persists"),
        "{out}"
    );
    assert_eq!(world.take_published().await.len(), 1);
    drop(consumer);
    let (_, out, _) = dlq(&world, "list", &[]).await;
    assert!(out.contains("5 of 5 in"), "four as before, and the copy: {out}");
}

#[tokio::test]
async fn a_stream_with_room_for_one_takes_copies_one_by_one() {
    let shape = Shape {
        max_messages: 11,
        ..Shape::default()
    };
    let world = World::new(shape).await;
    let database = support::database().await;
    world.park(10, "parked", LONG).await;
    let _worker = world.work(&database, None).await;
    let (code, out, err) = replay(&world, &["--write", "--yes", "10"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!((world.messages(&world.stream).await, rows(&database).await.0), (0, 10));
}

#[tokio::test]
async fn parked_messages_survive_a_restart_in_the_middle_and_none_is_doubled() {
    let mut options = Options::servers(PROGRAM, support::environment());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let world = World::on(&lab, Shape::default()).await;
    let database = support::database().await;
    world.park(60, "parked", Duration::from_secs(1)).await;
    world.take_published().await;
    // What the worker took before its PubAck came would be in doubt.
    let file = world.state.path().join("hookwatch.toml");
    let knows = "[dead_letters]\nprocessed = 'SELECT 1 FROM webhooks WHERE id = $1'\nid_path = '$.id'\n";
    std::fs::write(&file, knows).unwrap();
    let arguments = [
        &[
            "--write", "--yes", "60", "--rate", "100", "--canary", "0", "--follow", "5s", "--verify", "50ms",
        ][..],
        &["--postgres", &database, "--config", file.to_str().unwrap()],
    ]
    .concat();
    let arguments = [&["--stream", &world.stream], &PARKED[..], &arguments].concat();
    let child = world.command("replay", &arguments).spawn().unwrap();
    while world.take_published().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lab.stop_nats(true).await.unwrap();
    lab.start_nats().await.unwrap();
    // The first pull after that is what makes the server let go of them again.
    let _worker = world.work(&database, None).await;
    let (code, out, err) = finish(child).await;
    assert_eq!(code, 0, "{out} {err}");
    let (count, seen) = rows(&database).await;
    assert_eq!((count, world.messages(&world.stream).await), (60, 0), "{out}");
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    lab.down().await.unwrap();
}

#[tokio::test]
async fn messages_that_were_acked_before_a_crash_are_shown_apart_and_never_replayed() {
    let mut options = Options::servers(PROGRAM, support::environment());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let version = lab.connect().await.unwrap().server_info().version;
    let mut orphaned = None;
    // How much a killed server forgets is its own affair: until it forgets an ack.
    for _ in 0..10 {
        let world = World::on(&lab, Shape::default()).await;
        for n in 0..100 {
            world.publish(&format!("done-{n}"), n).await;
        }
        let stream = world.context.get_stream(&world.stream).await.unwrap();
        let config = pull::Config {
            durable_name: Some("workers".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_millis(300),
            max_deliver: 5,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.unwrap();
        for (n, message) in world.pull(&consumer, 100).await.into_iter().enumerate() {
            if n % 2 == 1 {
                message.double_ack().await.unwrap();
            }
        }
        // The consumer is written down sooner than what left the stream; there is no event for that.
        tokio::time::sleep(Duration::from_millis(300)).await;
        lab.stop_nats(false).await.unwrap();
        lab.start_nats().await.unwrap();
        // What was not acked is delivered again.
        let mut consumer = consumer;
        while consumer.info().await.unwrap().num_ack_pending > 0 {
            for message in world.pull(&consumer, 100).await {
                message.double_ack().await.unwrap();
            }
        }
        let left = world.messages(&world.stream).await;
        if left > 0 {
            orphaned = Some((world, left));
            break;
        }
    }
    let Some((world, left)) = orphaned else {
        // From 2.10 on a server that starts drops what its consumers have acked.
        assert!(!version.starts_with("2.9."), "no ack was ever forgotten by {version}");
        lab.down().await.unwrap();
        return;
    };
    let (code, out, err) = dlq(&world, "list", &[]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("0 of 0 in") && out.contains("--form orphaned"), "{out}");
    let orphans = ["--stream", &world.stream, "--form", "orphaned"];
    let (_, out, _) = world
        .run("list", &[&orphans[..], &["--json", "--max", "1000"]].concat())
        .await;
    assert_eq!(out.lines().count() as u64, left);
    world.take_published().await;
    for form in ["parked", "orphaned"] {
        let count = left.to_string();
        let arguments = ["--stream", &world.stream, "--form", form, "--write", "--yes", &count];
        let (code, out, err) = world.run("replay", &arguments).await;
        assert_eq!(code, 2, "{out} {err}");
        assert!(
            out.contains(&format!("left out: {left} perhaps acked before a server crash")),
            "{out}"
        );
    }
    assert!(world.take_published().await.is_empty());
    assert_eq!(world.messages(&world.stream).await, left);
    lab.down().await.unwrap();
}
