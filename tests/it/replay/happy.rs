//! What goes as planned, and what is refused before anything is sent.

use super::world::{Shape, World, rows, verifies};
use crate::support;

const QUICK: &[&str] = &["--verify", "100ms"];

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [QUICK, more].concat()
}

/// What a letter died of, with figures and ids of its own.
type Reason = fn(usize) -> String;

const CAUSES: [(&str, Reason); 5] = [
    ("slow", |n| {
        format!("statement timeout after {} ms on row {n}", 5_000 + n)
    }),
    ("refused", |n| {
        format!("connect to 10.0.{}.{}:5432: connection refused", n % 200, n % 250)
    }),
    ("tenant", |n| {
        format!("no tenant 7f3c{n:08x}-8d5e-4b8a-9c53-0a1b2c{:06x}", n % 4_096)
    }),
    ("schema", |n| format!("column \"amount\" of invoice {n} is no number")),
    ("gone", |n| format!("HTTP 410 from upstream, attempt {n}")),
];

#[tokio::test]
async fn of_ten_thousand_letters_of_five_causes_one_cause_is_replayed() {
    const EACH: usize = 2_000;
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    for (tag, reason) in CAUSES {
        world.bury_each(EACH, tag, reason).await;
    }
    let (code, out, err) = world.run("groups", &["--json"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let groups: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<&serde_json::Value> = groups.iter().map(|group| &group["count"]).collect();
    assert_eq!(counts, [EACH; 5], "{out}");

    let _worker = world.work(&database, None).await;
    let count = EACH.to_string();
    let arguments = args(&[
        "--reason-like",
        "statement timeout",
        "--write",
        "--yes",
        &count,
        "--json",
    ]);
    let (code, out, err) = world.run("replay", &arguments).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let report = &report["report"];
    assert_eq!(report["fates"]["processed"], EACH, "{report}");
    let published = world.take_published().await;
    assert_eq!(published.len(), EACH);
    assert!(published.iter().all(verifies));
    let (rows, seen) = rows(&database).await;
    assert_eq!(usize::try_from(rows).unwrap(), EACH);
    assert!(seen.iter().all(|(id, seen)| id.starts_with("slow-") && *seen == 1));

    let (_, out, _) = world.run("groups", &["--json"]).await;
    let left: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(left.len(), 4, "{out}");
    for group in &left {
        assert!(groups.contains(group), "{group} is not as it was: {groups:?}");
    }
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

#[tokio::test]
async fn headers_of_the_configuration_say_where_a_letter_came_from_and_are_left_out_of_its_replay() {
    let world = World::new(Shape::default()).await;
    let mut headers = async_nats::HeaderMap::new();
    let subject = format!("{}.telnyx.sent", world.name);
    for (name, value) in [
        ("X-Acme-Key", subject.as_str()),
        ("X-Acme-Why", "no such tenant"),
        ("X-Acme-Tries", "9"),
        ("X-Acme-Dlq-Node", "n7"),
        ("X-Acme-Signature", "s"),
    ] {
        headers.insert(name, value);
    }
    let sent = world
        .context
        .publish_with_headers(format!("dlq.{}.x", world.name), headers, "{}".into());
    sent.await.unwrap().await.unwrap();
    let file = world.state.path().join("hookwatch.toml");
    let config = "[dead_letters.headers]\nsubject = ['x-acme-key']\nreason = ['X-Acme-Why']\n\
                  deliveries = ['X-Acme-Tries']\nstrip = ['X-Acme-Dlq-']\n";
    std::fs::write(&file, config).unwrap();
    let config = ["--config", file.to_str().unwrap()];

    let (code, out, err) = world.run("replay", &args(&["--write", "--yes", "1"])).await;
    assert_eq!(code, 2, "{out}");
    assert!(err.contains("nobody says which subject 1 letter came from"), "{err}");

    let (_, out, _) = world.run("list", &[&config[..], &["--json"]].concat()).await;
    let letter: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&letter["provider"], &letter["reason"], &letter["deliveries"]),
        (&"telnyx".into(), &"no such tenant".into(), &9.into())
    );
    let (_, out, _) = world
        .run("list", &[&config[..], &["--reason-like", "TENANT", "--json"]].concat())
        .await;
    assert_eq!(out.lines().count(), 1);
    let plan = ["--write", "--yes", "1", "--canary", "0", "--follow", "50ms"];
    let (code, out, err) = world.run("replay", &[&config[..], &args(&plan)].concat()).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.contains("headers stripped: X-Acme-Dlq-Node, X-Acme-Key, X-Acme-Tries, X-Acme-Why"),
        "{out}"
    );
    let published = world.take_published().await;
    assert_eq!((published.len(), published[0].subject.as_str()), (1, subject.as_str()));
    let names: Vec<String> = published[0].headers.iter().map(|(name, _)| name.to_string()).collect();
    let own: Vec<&String> = names.iter().filter(|name| name.starts_with("X-Acme")).collect();
    assert_eq!(own, ["X-Acme-Signature"], "{names:?}");
}
