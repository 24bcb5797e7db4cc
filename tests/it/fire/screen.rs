//! The screen of test webhooks in a terminal, on the lab's real pipeline.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookwatch::record::{Item, Recording};

use super::trace::pipeline;
use crate::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(30);

/// The console, and the keys that must never be on its screen.
struct Screen {
    terminal: Terminal,
    secrets: Vec<String>,
}

impl Screen {
    /// Presses keys, waits for a text, and looks for secrets meanwhile.
    #[track_caller]
    fn press(&mut self, keys: &str, wanted: &str) -> String {
        self.terminal.press(keys);
        self.terminal.wait(&format!("looking for `{wanted}`"), LIMIT, |screen| {
            for secret in &self.secrets {
                assert!(!screen.contains(secret.as_str()), "a secret is on screen:\n{screen}");
            }
            screen.contains(wanted)
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_fire_a_webhook_that_is_traced_to_its_row_and_a_canary_that_fails_is_a_verdict() {
    let lab = pipeline().await;
    let home = tempfile::tempdir().unwrap();
    let keys = lab.configure(home.path());
    let (tape, log) = (home.path().join("tape.mcap"), home.path().join("log"));
    let editor = home.path().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nprintf '{ \"data\": oops }' > \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let vars = [
        ("HOME", home.path().to_str().unwrap()),
        ("EDITOR", editor.to_str().unwrap()),
        (keys[0].0, keys[0].1.as_str()),
        (keys[1].0, keys[1].1.as_str()),
    ];
    let mut screen = Screen {
        terminal: Terminal::start(
            &["--record", tape.to_str().unwrap(), "--log", log.to_str().unwrap()],
            &vars,
            120,
            40,
        ),
        // Whatever prefix a key has, its bare part says it all.
        secrets: keys
            .iter()
            .map(|(_, key)| key.split_once('_').map_or(key.as_str(), |(_, bare)| bare).to_owned())
            .collect(),
    };
    screen.terminal.see("nats");
    screen.press("6", "Test webhooks");
    screen.press("/telnyx.message.sent\r", "╭─ telnyx.message.sent ");
    let form = screen.press("", "$TELNYX");
    assert!(form.contains("\"event_type\": \"message."), "{form}");

    screen.press("f", "Unlock changes");
    // Whoever types before it can be read has not answered it.
    std::thread::sleep(Duration::from_millis(350));
    let text = screen.press("y", "✔ through in");
    for station in ["●  fired", "●  answered", "●  in stream", "●  acked", "●  in Postgres"] {
        assert!(text.contains(station), "{station}:\n{text}");
    }

    // A load: more than one, counted.
    screen.press("\rjjjj\r25\r", "off for a load");
    screen.press("f", "✔ as expected");
    screen.press("", "answers    200 25");
    screen.press("u", "on, to its row");

    // An editor that leaves no JSON behind.
    screen.press("e", "no JSON: ");
    screen.press("", "Your text is kept");
    screen.terminal.press("jjjjjjju");
    screen.terminal.wait("the text dropped", LIMIT, |screen| {
        !screen.contains("Your text is kept")
    });

    lab.kill_worker().await;
    screen.press("f", "waiting in the stream, no worker pulls");
    screen.press("", "▲ not acked");
    screen.press("C", "CANARY FAILED");
    screen.press("v", "Canary telnyx.message.sent did not get through");
    screen.terminal.press("\x1b");
    screen.terminal.wait("the verdicts closed", LIMIT, |screen| {
        !screen.contains("did not get through")
    });
    screen.press("C", "○ stopped");
    screen.terminal.press("q");
    assert_eq!(screen.terminal.end(LIMIT), 0);
    lab.down().await;

    let kept = files(home.path());
    let recording = Arc::new(Recording::open(&tape).unwrap());
    let mut reader = recording.reader();
    let items: Vec<_> = (0..recording.chunks().len())
        .flat_map(|chunk| reader.read(chunk).unwrap())
        .collect();
    assert!(
        items
            .iter()
            .any(|(_, item)| matches!(item, Item::Action(action) if action.what == "fire"))
    );
    let recorded = format!("{items:?}{:?}", recording.session_of(0));
    for secret in &screen.secrets {
        assert!(!recorded.contains(secret.as_str()), "a secret was recorded");
        assert!(!kept.contains(secret.as_str()), "a secret was kept or logged");
    }
}

/// All files of a folder, whatever is text in them.
fn files(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text.push_str(&files(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    text
}
