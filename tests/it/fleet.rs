//! Several profiles side by side, on a lab each.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use hookwatch::lab::{Lab, Options};
use serde_json::Value;

use crate::lab::{folder, options};
use crate::support::PROGRAM;
use crate::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(30);

/// A pipeline with one worker.
async fn lab(folder: &Path) -> Lab {
    let base = options(folder);
    Lab::up(Options::pipeline(base.program, base.environment, 1))
        .await
        .unwrap()
}

/// What a configuration says of a lab.
fn section(name: &str, lab: &Lab) -> String {
    let topology = lab.topology().unwrap();
    let targets: Vec<String> = lab
        .metrics()
        .iter()
        .map(|(name, url)| format!("{{ name = '{name}', url = '{url}' }}"))
        .collect();
    let targets = targets.join(", ");
    format!(
        "[profile.{name}]\nnats.url = '{}'\npostgres.url = '{}'\nmetrics.targets = [{targets}]\n\
         pipeline = {{ stream = '{}', consumer = '{}', dlq = '{}' }}\n",
        lab.nats_url().unwrap(),
        lab.postgres_url("webhooks").unwrap(),
        topology.stream,
        topology.consumer,
        topology.dlq,
    )
}

async fn run(config: &Path, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(PROGRAM);
    command
        .args(args)
        .env_clear()
        // Set for many programs: it is nobody's here.
        .env("NATS_URL", "nats://127.0.0.1:1")
        .env("HOOKWATCH_CONFIG", config);
    command.output().await.unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let out = String::from_utf8_lossy(&output.stdout);
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line of a profile in the fleet.
fn lane<'a>(screen: &'a str, name: &str) -> &'a str {
    let named = |line: &&str| line.split_whitespace().nth(2) == Some(name) || line.contains(&format!(" {name} "));
    screen.lines().skip(2).take(2).find(named).unwrap_or_default()
}

/// Who fills the screens: the name in the status line.
fn shows(screen: &str, name: &str) -> bool {
    let first = screen.lines().next().unwrap_or_default();
    first.split_whitespace().take(2).any(|word| word == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pipelines_stand_side_by_side_and_one_that_ends_hurts_the_other_not() {
    let (one, two) = (folder(), folder());
    let (eu, us) = tokio::join!(lab(one.path()), lab(two.path()));
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("hookwatch.toml");
    std::fs::write(&config, section("eu", &eu) + &section("us", &us)).unwrap();
    let (path, state) = (config.to_str().unwrap(), home.path().to_str().unwrap());
    let recordings = home.path().join("recordings");

    // Without a screen: an object a line, one verdict over both.
    let (both, check) = (["--profile", "eu,us"], ["check", "--json", "--wait", "2s"]);
    let snapshot = run(&config, &["snapshot", "--json", "--wait", "2s", both[0], both[1]]).await;
    let read = lines(&snapshot);
    assert_eq!(
        read.iter()
            .map(|view| view["profile"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["eu", "us"]
    );
    for view in &read {
        let sources = view["sources"].as_array().unwrap();
        assert!(sources.iter().all(|source| source["state"] == "ok"), "{view}");
    }
    let told = String::from_utf8_lossy(&snapshot.stderr).into_owned();
    assert!(told.contains("$NATS_URL left out"), "{told}");
    let checked = run(&config, &[&check[..], &both[..]].concat()).await;
    assert_eq!(
        (checked.status.code(), lines(&checked)[0]["code"].as_i64()),
        (Some(0), Some(0))
    );

    let args = ["--profile", "eu,us", "--record", recordings.to_str().unwrap()];
    let vars = [("HOOKWATCH_CONFIG", path), ("HOME", state), ("XDG_STATE_HOME", state)];
    let mut terminal = Terminal::start(&args, &vars, 120, 40);
    let well = |screen: &str, name: &str| lane(screen, name).contains("ok") && lane(screen, name).contains("4/4");
    terminal.wait("both are well", LIMIT, |screen| {
        well(screen, "eu") && well(screen, "us")
    });
    terminal.wait("the first is on screen", LIMIT, |screen| shows(screen, "eu"));
    terminal.press("2n");
    terminal.wait("the second, on the same screen", LIMIT, |screen| {
        shows(screen, "us") && screen.contains("Queues")
    });

    // What the other one connects to goes away.
    eu.down().await.unwrap();
    let screen = terminal.wait("its line says so", LIMIT, |screen| {
        let line = lane(screen, "eu");
        !line.contains(" ok ") && line.contains("0/4")
    });
    assert!(well(&screen, "us") && shows(&screen, "us"), "{screen}");
    let checked = run(&config, &[&check[..], &both[..]].concat()).await;
    let checked = &lines(&checked)[0];
    assert_eq!(checked["profiles"][1]["status"], "ok", "{checked}");
    assert_ne!(checked["profiles"][0]["status"], "ok", "{checked}");
    assert_eq!(checked["status"], checked["profiles"][0]["status"], "{checked}");
    assert_eq!(checked["reasons"][0]["profile"], "eu", "{checked}");

    terminal.press(":profile eu\r");
    terminal.wait("the one that does not answer", LIMIT, |screen| {
        shows(screen, "eu") && well(screen, "us")
    });
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);

    // Each has a recording of its own.
    for name in ["eu", "us"] {
        let folder = recordings.join(name);
        let verified = run(&config, &["verify", folder.to_str().unwrap()]).await;
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    }
    us.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_works_on_one_profile_refuses_several() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("hookwatch.toml");
    std::fs::write(
        &config,
        "default_profile = ['a', 'b']\n[profile.a.nats]\nurl = 'nats://127.0.0.1:1'\n[profile.b.nats]\nurl = 'nats://127.0.0.1:1'\n",
    )
    .unwrap();
    let file = home.path().join("x.mcap");
    let file = file.to_str().unwrap();
    for args in [
        &["dlq", "list"][..],
        &["record", file, "--for", "1s"],
        &["config"],
        &["fire", "telnyx.message.sent"],
    ] {
        let refused = run(&config, args).await;
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {told}");
        assert!(
            told.contains("this works on one profile, and 2 are named → give one with --profile: a, b"),
            "{args:?}: {told}"
        );
    }
    std::fs::write(&config, "[profile.a.nats]\nurl = 'nats://127.0.0.1:1'\n[profile.b]\n").unwrap();
    let refused = run(&config, &["snapshot", "--profile", "a,b"]).await;
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("profile b: nothing to watch"), "{told}");
    let check = run(
        &config,
        &["check", "-p", "a,b", "--wait", "1s", "--nats", "nats://127.0.0.1:1"],
    )
    .await;
    let line = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(3), "{line}");
    assert!(line.contains("--nats: it would hold for each of 2 profiles"), "{line}");
}
