//! The traps of deduplication, of full streams, and of letters that change meanwhile.

use std::time::Duration;

use async_nats::HeaderMap;

use super::world::{Shape, World, finish};

const QUICK: [&str; 4] = ["--verify", "50ms", "--follow", "300ms"];

async fn replay(world: &World, more: &[&str]) -> (i32, serde_json::Value, String) {
    let arguments = [&QUICK, more, &["--write", "--json", "--canary", "0"]].concat();
    let (code, out, err) = world.run("replay", &arguments).await;
    let line = out.lines().last().unwrap_or("{}").to_owned();
    let report: serde_json::Value = serde_json::from_str(&line).unwrap();
    (code, report["report"].clone(), err)
}

/// The id that a replay gives the first letter.
async fn id_of(world: &World, sequence: u64) -> String {
    let stream = world.context.get_stream(&world.dlq).await.unwrap();
    let created = stream.cached_info().created.unix_timestamp_nanos();
    let created = hookwatch::base::time::Timestamp::from_nanosecond(created).unwrap();
    hookwatch::act::hash::replay_id(&world.dlq, created, sequence, 1).to_string()
}

#[tokio::test]
async fn an_original_id_inside_the_window_does_not_swallow_the_replay() {
    let world = World::new(Shape::default()).await;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "webhook-1");
    let subject = format!("{}.telnyx.sent", world.name);
    let sent = world
        .context
        .publish_with_headers(subject.clone(), headers.clone(), "{}".into())
        .await;
    sent.unwrap().await.unwrap();
    headers.insert("X-NATS-Original-Subject", subject.as_str());
    let sent = world
        .context
        .publish_with_headers(format!("dlq.{}.x", world.name), headers, "{}".into())
        .await;
    sent.unwrap().await.unwrap();
    let (code, report, err) = replay(&world, &["--yes", "1"]).await;
    assert_eq!((code, world.messages(&world.stream).await), (0, 2), "{report} {err}");
}

#[tokio::test]
async fn a_duplicate_that_was_never_sent_here_is_not_taken_for_landed() {
    let world = World::new(Shape::default()).await;
    world.bury(1, "timeout").await;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id_of(&world, 1).await);
    let sent = world
        .context
        .publish_with_headers(format!("{}.a.b", world.name), headers, "other".into())
        .await;
    sent.unwrap().await.unwrap();
    let (code, report, err) = replay(&world, &["--yes", "1"]).await;
    assert_eq!(code, 1, "{report} {err}");
    assert!(
        report["refused"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("deduplication window"),
        "{report}"
    );
    assert_eq!(world.letters().await, 1, "it stays a letter");
}

#[tokio::test]
async fn what_a_full_stream_refuses_stays_a_letter() {
    let shape = Shape {
        max_messages: 5,
        ..Shape::default()
    };
    let world = World::new(shape).await;
    world.bury(8, "timeout").await;
    let (code, report, err) = replay(&world, &["--yes", "8"]).await;
    assert_eq!(code, 1, "{report} {err}");
    assert_eq!(
        (&report["counts"]["deleted"], &report["counts"]["refused"]),
        (&5.into(), &3.into()),
        "{report}"
    );
    assert!(
        report["refused"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("maximum messages exceeded"),
        "{report}"
    );
    assert_eq!((world.letters().await, world.messages(&world.stream).await), (3, 5));
}

#[tokio::test]
async fn a_stream_that_goes_away_or_changes_hands_takes_nothing_and_loses_nothing() {
    for other in [false, true] {
        let world = World::new(Shape::default()).await;
        world.bury(60, "timeout").await;
        let arguments = [&QUICK[..], &["--yes", "60", "--write", "--canary", "0", "--rate", "50"]].concat();
        let child = world.command("replay", &arguments).spawn().unwrap();
        while world.messages(&world.stream).await < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.context.delete_stream(&world.stream).await.unwrap();
        if other {
            let config = async_nats::jetstream::stream::Config {
                name: format!("{}_other", world.name),
                subjects: vec![format!("{}.*.*", world.name)],
                ..Default::default()
            };
            world.context.create_stream(config).await.unwrap();
        }
        let (code, out, err) = finish(child).await;
        assert_eq!(code, 1, "{out} {err}");
        let published = world.take_published().await.len() as u64;
        assert!(world.letters().await >= 60 - published, "{out} {err}");
        if other {
            let name = format!("{}_other", world.name);
            assert_eq!(world.messages(&name).await, 0, "the expected stream is named");
        }
    }
}

#[tokio::test]
async fn a_letter_that_is_deleted_meanwhile_is_not_sent() {
    let world = World::new(Shape::default()).await;
    world.bury(40, "timeout").await;
    let arguments = [
        &QUICK[..],
        &["--yes", "40", "--write", "--canary", "0", "--rate", "50", "--json"],
    ]
    .concat();
    let child = world.command("replay", &arguments).spawn().unwrap();
    while world.messages(&world.stream).await < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world
        .context
        .get_stream(&world.dlq)
        .await
        .unwrap()
        .delete_message(40)
        .await
        .unwrap();
    let (code, out, err) = finish(child).await;
    assert_eq!(code, 1, "{out} {err}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(report["report"]["counts"]["gone"], 1, "{report}");
    assert_eq!((world.letters().await, world.take_published().await.len()), (0, 39));
}

#[tokio::test]
async fn an_interrupt_ends_it_cleanly_with_a_true_report() {
    let world = World::new(Shape::default()).await;
    world.bury(100, "timeout").await;
    let arguments = [
        &QUICK[..],
        &["--yes", "100", "--write", "--canary", "0", "--rate", "20", "--json"],
    ]
    .concat();
    let child = world.command("replay", &arguments).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    while world.messages(&world.stream).await < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (code, out, err) = finish(child).await;
    assert_eq!(code, 130, "{out} {err}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let landed = report["report"]["counts"]["landed"].as_u64().unwrap();
    assert_eq!(landed, world.take_published().await.len() as u64);
    assert_eq!(
        (world.letters().await, report["report"]["ending"].as_str()),
        (100 - landed, Some("cancelled"))
    );
}

#[tokio::test]
async fn a_protected_profile_wants_its_name() {
    let world = World::new(Shape::default()).await;
    world.bury(3, "timeout").await;
    let file = world.state.path().join("hookwatch.toml");
    std::fs::write(&file, "[profile.prod]\nprotected = true\n").unwrap();
    let config = ["--config", file.to_str().unwrap(), "--yes", "3"];
    let (code, _, err) = replay(&world, &config).await;
    assert_eq!(code, 2);
    assert!(err.contains("--confirm-profile prod"), "{err}");
    let (code, report, err) = replay(&world, &[&config[..], &["--confirm-profile", "prod"]].concat()).await;
    assert_eq!(code, 0, "{report} {err}");
    assert_eq!(world.letters().await, 0);
}
