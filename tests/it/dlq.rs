//! Dead letters of the reference pipeline, read by the real program: groups, list, show, export.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hookwatch::act::fire::Limit;
use hookwatch::base::time::SystemClock;
use hookwatch::lab::{Lab, Options, Traffic};
use serde_json::Value;

use crate::lab::{folder, options};
use crate::support::PROGRAM;
use crate::terminal::Terminal;

/// Runs `hookwatch dlq …` on a lab.
async fn dlq(lab: &Lab, args: &[&str]) -> (i32, String, String) {
    let topology = lab.topology().unwrap();
    let mut command = tokio::process::Command::new(PROGRAM);
    command.arg("dlq").args(args);
    command.args(["--nats", &lab.nats_url().unwrap(), "--dlq", &topology.dlq]);
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A pipeline with dead letters of five causes; how many of each the load's sender made.
async fn poisoned(folder: &Path) -> (Lab, BTreeMap<String, u64>) {
    let base = options(folder);
    let mut options = Options::pipeline(base.program, base.environment, 1);
    if let Some(pipeline) = &mut options.pipeline {
        // Three attempts, and quickly.
        pipeline
            .worker
            .insert("WEBHOOK_RETRY_DELAY".to_owned(), "50".to_owned());
    }
    let lab = Lab::up(options).await.unwrap();
    let traffic = Traffic {
        rate: 400.0,
        poison: 0.3,
        ..Traffic::default()
    };
    let limit = Limit {
        count: Some(400),
        duration: None,
    };
    let load = lab.load(traffic, 41, limit, SystemClock::shared()).unwrap();
    let summary = load.finished().await.unwrap();
    let mut causes = BTreeMap::new();
    for part in &summary.parts {
        if let Some(cause) = &part.poison {
            *causes.entry(cause.clone()).or_default() += part.outcomes.fired;
        }
    }
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let name = lab.topology().unwrap().dlq.clone();
    let all: u64 = causes.values().sum();
    for _ in 0..1_500 {
        if context.get_stream(&name).await.unwrap().cached_info().state.messages == all {
            return (lab, causes);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not {all} letters");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_grouped_listed_shown_and_exported_as_they_are() {
    let folder = folder();
    let (lab, causes) = poisoned(folder.path()).await;
    let all: u64 = causes.values().sum();

    let (code, out, err) = dlq(&lab, &["groups", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    let groups = objects(&out);
    let mut counts: Vec<u64> = groups.iter().map(|group| group["count"].as_u64().unwrap()).collect();
    let mut expected: Vec<u64> = causes.values().copied().collect();
    counts.sort_unstable();
    expected.sort_unstable();
    assert_eq!(counts, expected, "{out}");
    assert_eq!(groups.len(), 5, "{out}");

    let (code, out, _) = dlq(&lab, &["list", "--json", "--max", "10000"]).await;
    assert_eq!(code, 0);
    let letters = objects(&out);
    assert_eq!(letters.len() as u64, all);
    let sequences: Vec<u64> = letters
        .iter()
        .map(|letter| letter["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.is_sorted_by(|a, b| a > b), "newest first");
    assert!(
        letters
            .iter()
            .all(|letter| letter["deliveries"].is_u64() && letter["reason"].is_string())
    );

    let (_, some, _) = dlq(&lab, &["list", "--json", "--provider", "resend", "--max", "10000"]).await;
    let resend = letters.iter().filter(|letter| letter["provider"] == "resend").count();
    assert_eq!(objects(&some).len(), resend);
    let (_, three, _) = dlq(&lab, &["list", "--max", "3"]).await;
    assert_eq!(three.lines().count(), 5, "a head, three letters, a count: {three}");

    let newest = sequences[0].to_string();
    let (code, shown, _) = dlq(&lab, &["show", &newest]).await;
    assert_eq!(code, 0);
    assert!(
        shown.contains("X-NATS-DLQ-Reason: ") && shown.contains("why  "),
        "{shown}"
    );

    filters_mean_what_they_say(&lab, &letters).await;
    the_console_shows_the_same_groups(&lab, &causes);

    let file = folder.path().join("letters.jsonl");
    let name = file.to_str().unwrap();
    let (code, _, err) = dlq(&lab, &["export", name]).await;
    assert_eq!(code, 0, "{err}");
    let exported = objects(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(exported.len() as u64, all);
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let stream = context.get_stream(&lab.topology().unwrap().dlq).await.unwrap();
    for letter in exported.iter().take(20) {
        let raw = stream
            .get_raw_message(letter["sequence"].as_u64().unwrap())
            .await
            .unwrap();
        assert_eq!(letter["payload"].as_str().unwrap().as_bytes(), &*raw.payload);
        assert_eq!(letter["subject"].as_str().unwrap(), &*raw.subject);
        for pair in letter["headers"].as_array().unwrap() {
            let value = raw.headers.get(pair[0].as_str().unwrap()).unwrap();
            assert_eq!(value.as_str(), pair[1].as_str().unwrap());
        }
    }
    let (code, _, err) = dlq(&lab, &["export", name]).await;
    assert!(code == 1 && err.contains("--force"), "{code} {err}");
    let (code, _, err) = dlq(&lab, &["export", name, "--force", "--max", "1"]).await;
    assert_eq!(
        (code, std::fs::read_to_string(&file).unwrap().lines().count()),
        (0, 1),
        "{err}"
    );
    assert_eq!(stream.cached_info().state.messages, all, "reading consumes nothing");
    lab.down().await.unwrap();
}

/// Every filter of the command line against what the list says.
async fn filters_mean_what_they_say(lab: &Lab, letters: &[Value]) {
    let count = async |args: &[&str]| {
        let (code, out, err) = dlq(lab, &[&["list", "--json", "--max", "10000"], args].concat()).await;
        assert_eq!(code, 0, "{args:?}: {err}");
        out.lines().count()
    };
    let meant = |meant: &dyn Fn(&Value) -> bool| letters.iter().filter(|letter| meant(letter)).count();
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap().to_owned();
    let middle = text(&letters[letters.len() / 2], "died_at");
    let at: hookwatch::base::time::Timestamp = middle.parse().unwrap();
    let died = |letter: &Value| {
        text(letter, "died_at")
            .parse::<hookwatch::base::time::Timestamp>()
            .unwrap()
    };
    assert_eq!(count(&["--since", &middle]).await, meant(&|letter| died(letter) >= at));
    assert_eq!(count(&["--until", &middle]).await, meant(&|letter| died(letter) <= at));
    assert_eq!(count(&["--since", "1h"]).await, letters.len());
    assert_eq!(count(&["--until", "1h"]).await, 0);
    let timeouts = meant(&|letter| text(letter, "reason").contains("timed out"));
    assert!(timeouts > 0);
    assert_eq!(count(&["--match", "$.hookwatch.poison=timeout"]).await, timeouts);
    assert_eq!(count(&["--match", "$.hookwatch.poison"]).await, letters.len());
    assert_eq!(
        count(&["--match", "$.hookwatch.poison=timeout", "--provider", "resend"]).await,
        meant(&|letter| text(letter, "reason").contains("timed out") && letter["provider"] == "resend")
    );
    // What only the payload or only a header holds.
    assert_eq!(
        count(&["--text", "UPSTREAM_500 !resend.com"]).await,
        count(&["--text", "upstream_500"]).await
    );
    let id = text(&letters[3], "id");
    assert_eq!(count(&["--text", &id]).await, 1);
    let (_, out, _) = dlq(lab, &["groups", "--json"]).await;
    let group = &objects(&out)[0];
    let grouped = count(&["--cause", group["signature"].as_str().unwrap()]).await;
    assert_eq!(grouped as u64, group["count"].as_u64().unwrap());

    for (args, said) in [
        (["--since", "yesterday"], "2h for two hours ago"),
        (["--match", "data.x=1"], "no JSONPath"),
    ] {
        let (code, _, err) = dlq(lab, &[&["list"], &args[..]].concat()).await;
        assert!(code == 2 && err.contains(said), "{code} {err}");
    }
    let (code, _, err) = dlq(lab, &["list", "--since", "1h", "--until", "2h"]).await;
    assert!(code == 2 && err.contains("--since lies after --until"), "{err}");
}

/// The console's groups, at the size of a small terminal.
fn the_console_shows_the_same_groups(lab: &Lab, causes: &BTreeMap<String, u64>) {
    let topology = lab.topology().unwrap();
    let url = lab.nats_url().unwrap();
    let args = ["--nats", &url, "--dlq", &topology.dlq];
    let mut terminal = Terminal::start(&args, &[("HOME", "/nonexistent")], 120, 40);
    terminal.see("hookwatch");
    terminal.press("5");
    let limit = Duration::from_secs(20);
    terminal.wait("five groups", limit, |screen| {
        let counted = |count: &u64| {
            screen
                .lines()
                .any(|line| line.split_whitespace().any(|word| *word == count.to_string()))
        };
        screen.contains("5 by cause") && causes.values().all(counted)
    });
    terminal.press("q");
    assert_eq!(terminal.end(limit), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_cannot_be_read_are_named_with_the_next_step() {
    let folder = folder();
    let base = options(folder.path());
    let lab = Lab::up(Options::pipeline(base.program, base.environment, 0))
        .await
        .unwrap();
    let (code, out, _) = dlq(&lab, &["list"]).await;
    assert!(code == 0 && out.ends_with("0 of 0 in webhooks_dlq\n"), "{out}");
    let (code, _, err) = dlq(&lab, &["show", "7"]).await;
    assert!(
        code == 2 && err.contains("there is no letter 7") && err.contains(" → "),
        "{err}"
    );
    let (code, _, err) = dlq(&lab, &["list", "--ids", "x"]).await;
    assert!(code == 2 && err.contains("17,20-25"), "{err}");
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["dlq", "list", "--dlq", "nope", "--nats", &lab.nats_url().unwrap()]);
    let output = command.env_clear().env("HOME", "/nonexistent").output().await.unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && err.contains("there is no stream nope"),
        "{err}"
    );
    lab.down().await.unwrap();
}
