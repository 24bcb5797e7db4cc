//! What goes as planned, and what is refused before anything is sent.

use super::world::{Shape, World, rows, verifies};
use crate::support;

const QUICK: &[&str] = &["--verify", "100ms"];

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [QUICK, more].concat()
}

#[tokio::test]
async fn one_group_is_replayed_byte_for_byte_and_the_others_are_untouched() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(150, "timeout").await;
    world.bury(100, "refused").await;
    let _worker = world.work(&database, None).await;
    let arguments = args(&[
        "--reason-like",
        "TIMEOUT",
        "--write",
        "--yes",
        "150",
        "--reason",
        "fixed it",
        "--json",
    ]);
    let (code, out, err) = world.run("replay", &arguments).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let report = &report["report"];
    assert_eq!(report["counts"]["deleted"], 150, "{report}");
    assert_eq!(report["fates"]["processed"], 150, "{report}");
    let published = world.take_published().await;
    assert_eq!(published.len(), 150);
    for one in &published {
        assert!(verifies(one), "{one:?}");
        let twice: Vec<_> = one
            .headers
            .get_all("X-Twice")
            .map(async_nats::HeaderValue::as_str)
            .collect();
        assert_eq!(twice, ["one", "two, three"]);
        assert!(one.headers.get("X-NATS-DLQ-Reason").is_none());
        assert!(one.subject.contains(".telnyx.sent"));
    }
    let (count, seen) = rows(&database).await;
    assert_eq!(count, 150);
    assert!(seen.keys().all(|id| id.starts_with("timeout-")));
    assert_eq!(world.letters().await, 100);
    let (code, out, _) = world.run("audit", &["--json"]).await;
    assert_eq!(code, 0);
    let deeds: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(deeds.len(), 2, "{out}");
    assert_eq!(
        (&deeds[1]["outcome"], &deeds[1]["reason"]),
        (&"done".into(), &"fixed it".into())
    );
}

#[tokio::test]
async fn nothing_is_sent_without_write_or_with_another_count() {
    let world = World::new(Shape::default()).await;
    world.bury(3, "timeout").await;
    for (arguments, code) in [
        (vec![], 0),
        (vec!["--dry-run"], 0),
        (vec!["--write"], 2),
        (vec!["--write", "--yes", "2"], 2),
        (vec!["--write", "--yes", "3", "--to-subject", "nowhere.at.all"], 2),
        (vec!["--resume", "--write"], 2),
    ] {
        let (found, out, err) = world.run("replay", &args(&arguments)).await;
        assert_eq!(found, code, "{arguments:?} {out} {err}");
    }
    assert_eq!(world.letters().await, 3);
    assert!(world.take_published().await.is_empty());
}

#[tokio::test]
async fn poison_whose_cause_persists_stops_after_the_canary() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(50, "poison").await;
    let _worker = world.work(&database, Some("poison")).await;
    let (code, out, err) = world.run("replay", &args(&["--write", "--yes", "50"])).await;
    assert_eq!(code, 1, "{out} {err}");
    assert!(
        out.contains("stopped by itself: 1 of the first letters died again: the cause persists"),
        "{out}"
    );
    assert!(out.contains("1 of 50 published, 49 not sent"), "{out}");
    assert_eq!(world.take_published().await.len(), 1);
    assert_eq!(world.letters().await, 50, "49 as before, and the one that died again");
}

#[tokio::test]
async fn letters_are_put_aside_with_what_they_say_of_their_death() {
    let world = World::new(Shape::default()).await;
    world.bury(20, "timeout").await;
    let (code, out, err) = world.run("archive", &args(&["--write", "--yes", "20"])).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(world.letters().await, 0);
    let archive = format!("{}-archive", world.dlq);
    assert_eq!(world.messages(&archive).await, 20);
    let stream = world.context.get_stream(&archive).await.unwrap();
    let letter = stream.get_raw_message(1).await.unwrap();
    assert_eq!(letter.headers.get("X-NATS-DLQ-Reason").unwrap().as_str(), "timeout");
}
