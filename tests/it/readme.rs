//! What the README says is true: its commands exist, its example works, the rights that it lists
//! are enough.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::Duration;

use hookwatch::act::fire::Limit;
use hookwatch::base::time::SystemClock;
use hookwatch::lab::{DATABASE, Lab, Options, Traffic};
use sqlx::Connection as _;

use crate::lab::{folder, options};
use crate::support::PROGRAM;

const README: &str = include_str!("../../README.md");
const MAKEFILE: &str = include_str!("../../Makefile");

/// The fenced blocks of a kind (`console`, `sql`).
fn blocks(kind: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut rest = README;
    while let Some(at) = rest.find("\n```") {
        let (info, inside) = rest[at + 4..].split_once('\n').unwrap();
        let end = inside.find("\n```").unwrap();
        if info == kind {
            found.push(&inside[..=end]);
        }
        rest = &inside[end + 4..];
    }
    found
}

/// The commands after a prompt, continued lines joined, comments cut.
fn prompted() -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for block in blocks("console") {
        let joined = block.replace("\\\n", " ");
        for line in joined.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let line = line.split(" # ").next().unwrap();
            commands.push(line.split_whitespace().map(str::to_owned).collect());
        }
    }
    commands
}

/// The commands in running text: `` `hookwatch …` ``.
fn mentioned() -> Vec<Vec<String>> {
    README
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| span.starts_with("hookwatch") && !span.contains('\n'))
        .map(|span| span.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn hookwatch(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn help(command: &[&str]) -> String {
    let output = hookwatch(&[command, &["--help"]].concat());
    assert!(output.status.success(), "{command:?} has no help");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the program, or one of its commands, lists.
fn commands(of: &[&str]) -> BTreeSet<String> {
    let page = help(of);
    let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn its_commands_and_options_exist() {
    let known = commands(&[]);
    let mut seen = 0;
    for words in prompted().into_iter().chain(mentioned()) {
        if words[0] != "hookwatch" {
            continue;
        }
        seen += 1;
        let plain: Vec<&str> = words[1..].iter().map(|word| word.trim_matches(['[', ']'])).collect();
        let command: Vec<&str> = plain
            .iter()
            .copied()
            .take_while(|word| known.contains(*word))
            .take(1)
            .collect();
        if let [word, ..] = *plain
            && !word.starts_with('-')
        {
            assert!(!command.is_empty(), "there is no command `{word}`");
        }
        let parts = commands(&command);
        let part = plain.get(1).filter(|word| parts.contains(**word)).copied();
        let command: Vec<&str> = command.into_iter().chain(part).collect();
        let page = help(&command);
        for flag in plain.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
            let name = flag.split(['=', ',']).next().unwrap();
            assert!(page.contains(name), "{command:?} has no {name}");
        }
    }
    assert!(seen > 10, "{seen} commands found");
}

#[test]
fn every_command_is_in_it() {
    for command in commands(&[]) {
        let named = README
            .split('`')
            .any(|span| span.split(['/', ' ', ',', '[', ']']).any(|word| word == command));
        assert!(named, "the README does not name `{command}`");
    }
}

#[test]
fn its_exports_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for words in prompted() {
        if words[..2] != ["hookwatch", "export"] {
            continue;
        }
        seen += 1;
        let mut arguments = Vec::new();
        let mut out = None;
        let mut words = words.into_iter().skip(1);
        while let Some(word) = words.next() {
            arguments.push(word.clone());
            if word == "--out" {
                let path = folder.path().join(words.next().unwrap());
                arguments.push(path.to_str().unwrap().to_owned());
                out = Some(path);
            }
        }
        let output = Command::new(PROGRAM)
            .args(&arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let written = out.map_or(output.stdout, |path| std::fs::read(path).unwrap());
        assert!(written.len() > 1_000, "{arguments:?}");
    }
    assert!(seen >= 5, "{seen} exports found");
}

#[test]
fn its_service_starts_a_command_that_exists() {
    const UNIT: &str = include_str!("../../packaging/hookwatch-record.service");
    let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words = start.split_whitespace().map(std::ffi::OsString::from);
    let cli = hookwatch::cli::Cli::read(words).unwrap();
    assert!(matches!(cli.command, Some(hookwatch::cli::Command::Record(_))));
    let state = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("StateDirectory="))
        .unwrap();
    assert!(start.contains(&format!("/var/lib/{state}")), "it writes where it may");
    assert!(README.contains("packaging/hookwatch-record.service"));
}

#[test]
fn its_make_targets_exist() {
    for words in prompted() {
        if let [make, target, ..] = &*words
            && make == "make"
        {
            assert!(
                MAKEFILE.contains(&format!("\n{target}:")),
                "there is no target {target}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_example_works_with_the_rights_that_it_lists() {
    let folder = folder();
    let base = options(folder.path());
    let lab = Lab::up(Options::pipeline(base.program, base.environment, 1))
        .await
        .unwrap();
    let traffic = Traffic {
        rate: 100.0,
        ..Traffic::default()
    };
    let endless = Limit {
        count: None,
        duration: None,
    };
    let load = lab.load(traffic, 5, endless, SystemClock::shared()).unwrap();

    let mut database = lab.connect_postgres(DATABASE).await.unwrap();
    let grants = blocks("sql");
    assert_eq!(grants.len(), 1);
    sqlx::raw_sql("CREATE ROLE console LOGIN")
        .execute(&mut database)
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(grants[0]))
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();

    let example = prompted()
        .into_iter()
        .find(|words| words.iter().any(|word| word == "--nats"))
        .expect("an example with --nats");
    let nats = lab.nats_url().unwrap();
    let postgres = lab
        .postgres_url(DATABASE)
        .unwrap()
        .replace("//hookwatch@", "//console@");
    let metrics = lab.metrics();
    let mut targets = metrics.iter().map(|(_, url)| url.as_str());
    let mut arguments = vec!["snapshot", "--json", "--wait", "2s"];
    let mut words = example[1..].iter();
    while let Some(flag) = words.next() {
        let value = words.next().unwrap();
        arguments.push(flag);
        arguments.push(match flag.as_str() {
            "--nats" => &nats,
            "--metrics" => targets.next().unwrap(),
            "--postgres" => &postgres,
            _ => value,
        });
    }
    let output = tokio::task::spawn_blocking({
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        move || hookwatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let snapshot: serde_json::Value = serde_json::from_str(&text).unwrap();
    for source in snapshot["sources"].as_array().unwrap() {
        assert_eq!(
            (&source["state"], &source["error"]),
            (&"ok".into(), &serde_json::Value::Null),
            "{source}"
        );
    }
    for figure in [
        "received_per_s",
        "queued_per_s",
        "stored_per_s",
        "processed_per_s",
        "written_per_s",
        "backlog",
    ] {
        assert!(snapshot["flow"][figure].is_number(), "{figure}: {}", snapshot["flow"]);
    }
    tokio::time::timeout(Duration::from_secs(10), load.stop())
        .await
        .unwrap()
        .unwrap();
    lab.down().await.unwrap();
}

#[test]
fn the_pictures_are_what_the_program_draws() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("picture");
    let mut drawn = 0;
    for line in MAKEFILE.lines() {
        let words = line.trim().strip_prefix("target/release/hookwatch export ");
        let Some((arguments, file)) = words.and_then(|words| words.split_once(" --out ")) else {
            continue;
        };
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.extend(["--out", new.to_str().unwrap()]);
        let output = hookwatch(&[&["export"], &arguments[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let same = std::fs::read(&new).unwrap() == std::fs::read(file).unwrap();
        assert!(same, "{file} is out of date: make pictures");
        drawn += 1;
    }
    assert_eq!(drawn, 2);
}
