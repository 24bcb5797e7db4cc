//! Letters that were exported are put back, byte for byte and once.

use super::world::{Shape, World, verifies};

async fn exported(world: &World, name: &str) -> Vec<serde_json::Value> {
    let file = world.state.path().join(name);
    let (code, _, err) = world.run("export", &[file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{err}");
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What makes a letter: not its sequence, not when it was stored.
fn essence(letter: &serde_json::Value) -> String {
    let headers = letter["headers"].as_array().unwrap();
    let is_own = |header: &&serde_json::Value| {
        let name = header[0].as_str().unwrap();
        !name.starts_with("Nats-") && !name.starts_with("Hookwatch-")
    };
    let mut own: Vec<String> = headers.iter().filter(is_own).map(ToString::to_string).collect();
    own.sort();
    format!("{} {} {own:?}", letter["subject"], letter["payload"])
}

#[tokio::test]
async fn what_was_exported_is_imported_byte_for_byte_and_only_once() {
    let world = World::new(Shape::default()).await;
    world.bury(300, "timeout").await;
    let before = exported(&world, "before.jsonl").await;
    let file = world.state.path().join("before.jsonl");
    let file = file.to_str().unwrap();
    let stream = world.context.get_stream(&world.dlq).await.unwrap();
    for sequence in 1..=300 {
        stream.delete_message(sequence).await.unwrap();
    }
    let (code, out, err) = world.run("import", &[file]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("300 letters into") && out.contains("nothing was sent"),
        "{out}"
    );
    assert_eq!(world.letters().await, 0);
    let (code, _, err) = world.run("import", &[file, "--write", "--yes", "299"]).await;
    assert_eq!((code, world.letters().await), (2, 0), "{err}");
    let (code, out, err) = world
        .run("import", &[file, "--write", "--yes", "300", "--reason", "back"])
        .await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let after = exported(&world, "after.jsonl").await;
    let sorted = |letters: &[serde_json::Value]| {
        let mut letters: Vec<String> = letters.iter().map(essence).collect();
        letters.sort();
        letters
    };
    assert_eq!(sorted(&after), sorted(&before));
    let (code, out, _) = world.run("import", &[file, "--write", "--yes", "0"]).await;
    assert_eq!((code, world.letters().await), (0, 300), "{out}");
    let (_, audit, _) = world.run("audit", &["--json"]).await;
    assert!(
        audit.contains("\"action\":\"import\"") && audit.contains("\"back\""),
        "{audit}"
    );

    // What came back this way is a letter like any other.
    let arguments = [
        "--write", "--yes", "300", "--canary", "0", "--follow", "100ms", "--verify", "50ms",
    ];
    let (code, out, err) = world.run("replay", &arguments).await;
    assert_eq!(code, 0, "{out} {err}");
    let published = world.take_published().await;
    assert_eq!(published.len(), 300);
    assert!(published.iter().all(verifies));
    assert!(
        published
            .iter()
            .all(|one| one.headers.get("Hookwatch-Import-Id").is_none())
    );
}

#[tokio::test]
async fn a_file_that_is_none_or_belongs_elsewhere_is_refused_whole() {
    let world = World::new(Shape::default()).await;
    let write = |name: &str, text: &str| {
        let path = world.state.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = format!(r#"{{"subject":"dlq.{}.x","headers":[],"payload":"a"}}"#, world.name);
    let elsewhere = r#"{"subject":"other.place","headers":[],"payload":"a"}"#;
    for (file, words) in [
        (write("damaged", &format!("{good}\n{{\"subject\"\n")), "line 2"),
        (
            write("elsewhere", &format!("{good}\n{elsewhere}\n")),
            "the subject other.place is none of",
        ),
        (write("empty", ""), "no letters"),
        ("/no/such/file".to_owned(), "/no/such/file"),
    ] {
        let (code, out, err) = world.run("import", &[&file, "--write", "--yes", "1"]).await;
        assert_eq!(code, 2, "{out} {err}");
        assert!(err.contains(words), "{err}");
        assert_eq!(world.letters().await, 0);
    }
}
