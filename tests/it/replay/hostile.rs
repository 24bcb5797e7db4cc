//! Letters that would take a terminal over, or choke a reader: shown as data wherever they turn up.

use async_nats::HeaderMap;

use super::world::{Shape, World};

const ESCAPES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m \u{202e}drawkcab\u{2066} \u{200b}\u{feff}";

/// Payloads of all kinds of evil, and what each is called.
fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    let gzip = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..],
        &[0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8],
    ]
    .concat();
    vec![
        ("escapes", ESCAPES.as_bytes().to_vec()),
        (
            "json",
            serde_json::json!({ ESCAPES: [ESCAPES, "\n\r\t"] })
                .to_string()
                .into_bytes(),
        ),
        ("no utf-8", b"\xff\xfe\x00\x1b[31m\xc3\x28 {\"a\":".to_vec()),
        ("line", vec![b'x'; 900_000]),
        ("deep", [vec![b'['; 200_000], vec![b']'; 200_000]].concat()),
        ("objects", "{\"a\":".repeat(100_000).into_bytes()),
        ("gzip", gzip),
        ("empty", Vec::new()),
    ]
}

/// The world with one letter of each.
async fn world() -> World {
    let world = World::new(Shape::default()).await;
    for (name, payload) in payloads() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "X-NATS-Original-Subject",
            format!("{}.tel\u{202e}nyx.{name}", world.name).replace(' ', "-"),
        );
        headers.insert(
            "X-NATS-DLQ-Reason",
            format!("{name}: {}", ESCAPES.replace(['\r', '\n'], "")),
        );
        headers.insert("X-Nasty", ESCAPES);
        let subject = format!("dlq.{}.\u{202e}evil", world.name);
        let sent = world.context.publish_with_headers(subject, headers, payload.into());
        sent.await.unwrap().await.unwrap();
    }
    world
}

/// What reaches a terminal: lines of harmless characters, none of which is endless.
fn assert_harmless(what: &str, text: &str) {
    for line in text.lines() {
        let bad = line.chars().find(|c| !hookwatch::base::text::is_harmless(*c));
        assert_eq!(bad, None, "{what}: {line:.200}");
    }
}

#[tokio::test]
async fn hostile_letters_are_shown_as_data_everywhere() {
    let world = world().await;
    let count = payloads().len();
    for arguments in [&["list"][..], &["groups"], &["groups", "--by", "subject"], &["replay"]] {
        let (code, out, err) = world.run(arguments[0], &arguments[1..]).await;
        assert!(
            code == 0 || arguments[0] == "replay",
            "{arguments:?} {out:.500} {err:.500}"
        );
        assert_harmless(arguments[0], &out);
        assert_harmless(arguments[0], &err);
        assert!(out.len() + err.len() < 20_000, "{arguments:?} is endless");
    }
    for sequence in 1..=count {
        let sequence = sequence.to_string();
        let (code, out, err) = world.run("show", &[&sequence]).await;
        assert_eq!(code, 0, "{err}");
        assert_harmless("show", &out);
        assert!(out.len() < 3_000_000, "{sequence}: {}", out.len());
    }
    let (code, out, _) = world.run("list", &["--json"]).await;
    assert_eq!((code, out.lines().count()), (0, count), "a line each");
    for line in out.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line:.200}");
        assert!(!line.contains('\u{1b}'), "{line:.200}");
    }
}

#[tokio::test]
async fn hostile_letters_are_exported_byte_for_byte_and_what_is_said_of_them_is_logged_as_data() {
    let world = world().await;
    let file = world.state.path().join("letters.jsonl");
    let (code, _, err) = world.run("export", &[file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{err}");
    let exported = std::fs::read_to_string(&file).unwrap();
    let mut seen = Vec::new();
    for line in exported.lines() {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        seen.push(match (letter["payload"].as_str(), letter["payload_base64"].as_str()) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(text)) => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(text).unwrap()
            }
            both => panic!("{both:?}"),
        });
    }
    seen.reverse();
    let expected: Vec<Vec<u8>> = payloads().into_iter().map(|(_, payload)| payload).collect();
    assert!(seen == expected, "newest first, and as they lay");

    let (count, reason) = (expected.len().to_string(), format!("because {ESCAPES}\nand more"));
    let (code, out, err) = world
        .run(
            "archive",
            &["--write", "--yes", &count, "--reason", &reason, "--verify", "50ms"],
        )
        .await;
    assert_eq!(code, 0, "{out:.500} {err:.500}");
    assert_harmless("archive", &out);
    for arguments in [&[][..], &["--json"]] {
        let (code, out, _) = world.run("audit", arguments).await;
        assert_eq!(code, 0);
        assert_harmless("audit", &out);
        assert!(out.contains("because"), "{out}");
    }
    let log = std::fs::read_to_string(world.state.path().join("hookwatch/audit.jsonl")).unwrap();
    assert_harmless("audit.jsonl", &log);
}
