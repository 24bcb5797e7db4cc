//! What slows a replay down or stops it by itself, and the order that it keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use hookwatch::act::journal::{Folder, How};
use hookwatch::act::replay::{Ending, Timing};
use hookwatch::base::time::SystemClock;

use super::crash::{bench, start};
use super::world::{Published, Shape, World, rows};
use crate::support;

#[tokio::test]
async fn letters_that_die_again_after_the_canary_stop_the_replay() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(20, "healthy").await;
    world.bury(180, "poison").await;
    let _worker = world.work(&database, Some("poison")).await;
    let arguments = ["--write", "--yes", "200", "--rate", "100", "--verify", "50ms", "--json"];
    let (code, out, err) = world.run("replay", &arguments).await;
    assert_eq!(code, 1, "{out} {err}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let report = &report["report"];
    assert_eq!(report["ending"], "stopped", "{report}");
    assert!(report["why"].as_str().unwrap().contains("died again"), "{report}");
    let waiting = report["counts"]["waiting"].as_u64().unwrap();
    assert!(waiting > 100, "it stopped early: {report}");
    let published = world.take_published().await.len() as u64;
    assert_eq!(published, 200 - waiting);
    assert!(world.letters().await >= waiting, "what was not sent is as it was");
}

fn slow(world: &World) -> (super::crash::Bench, How) {
    let mut bench = bench(world, Folder::new(world.state.path(), SystemClock::shared()));
    bench.context.timing = Timing {
        backlog: 20,
        follow: Duration::from_secs(1),
        verify: Duration::from_millis(50),
        ..Timing::default()
    };
    let how = How {
        canary: 0,
        window: 10,
        rate: Some(400.0),
        ..How::default()
    };
    (bench, how)
}

#[tokio::test]
async fn a_backlog_that_does_not_drain_stops_the_replay() {
    let world = World::new(Shape::default()).await;
    world.bury(400, "timeout").await;
    let (bench, how) = slow(&world);
    let report = start(&world, bench, how).await.unwrap();
    assert_eq!(report.ending, Ending::Stopped);
    assert_eq!(
        report.why.as_deref(),
        Some("the backlog grew above 20 letters and does not drain")
    );
    assert!((21..300).contains(&report.counts.landed), "{report:?}");
    assert_eq!(world.messages(&world.stream).await, report.counts.landed);
    assert_eq!(world.letters().await, 400 - report.counts.landed);
}

#[tokio::test]
async fn a_backlog_that_drains_is_waited_for() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(150, "timeout").await;
    let (bench, how) = slow(&world);
    let late = async {
        while world.messages(&world.stream).await <= 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.work(&database, None).await
    };
    let (report, _worker) = tokio::join!(start(&world, bench, how), late);
    let report = report.unwrap();
    assert_eq!(
        (report.ending, report.fates.processed),
        (Ending::Done, 150),
        "{report:?}"
    );
    assert_eq!(rows(&database).await.0, 150);
}

/// The webhooks of each subject, in the order in which they were published.
fn by_subject(published: &[Published]) -> BTreeMap<&str, Vec<String>> {
    let mut subjects: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in published {
        let body: serde_json::Value = serde_json::from_slice(&one.payload).unwrap();
        let webhook = body["id"].as_str().unwrap().to_owned();
        subjects.entry(&one.subject).or_default().push(webhook);
    }
    subjects
}

#[tokio::test]
async fn an_ordered_replay_keeps_the_order_of_a_subject_and_waits_behind_what_did_not_land() {
    let world = World::new(Shape::default()).await;
    world.bury(70, "early").await;
    // A letter that its target does not take, and behind it others of its subject.
    let mut headers = HeaderMap::new();
    headers.insert("X-NATS-Original-Subject", format!("{}.telnyx.sent3", world.name));
    let large = vec![b' '; 4_096];
    let sent = world
        .context
        .publish_with_headers(format!("dlq.{}.large", world.name), headers, large.into());
    sent.await.unwrap().await.unwrap();
    world.bury(70, "late").await;
    let mut stream = world.context.get_stream(&world.stream).await.unwrap();
    let mut config = stream.info().await.unwrap().config.clone();
    config.max_message_size = 2_048;
    world.context.update_stream(config).await.unwrap();

    let arguments = [
        "--write",
        "--yes",
        "141",
        "--ordered",
        "--canary",
        "0",
        "--verify",
        "50ms",
        "--follow",
        "100ms",
        "--json",
    ];
    let (code, out, err) = world.run("replay", &arguments).await;
    assert_eq!(code, 1, "{out} {err}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let counts = &report["report"]["counts"];
    assert_eq!(
        (&counts["refused"], &counts["waiting"]),
        (&1.into(), &10.into()),
        "{report}"
    );
    assert_eq!(
        world.letters().await,
        11,
        "the large one, and ten of its subject behind it"
    );
    let mut published = world.take_published().await;
    published.retain(|one| one.payload.len() < 2_048);
    let subjects = by_subject(&published);
    assert_eq!(subjects.len(), 7);
    for (n, (subject, webhooks)) in subjects.iter().enumerate() {
        let names = |tag: &str| (0..10).map(|k| format!("{tag}-{}", k * 7 + n)).collect::<Vec<_>>();
        let late = if n == 3 { Vec::new() } else { names("late") };
        assert_eq!(*webhooks, [names("early"), late].concat(), "{subject}");
    }
}
