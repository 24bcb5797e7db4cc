//! `hookwatch lab up` as another process: however it ends, nothing is left.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{folder, is_empty, nothing_is_left, open_to_all};
use crate::support::{self, PROGRAM};

/// `hookwatch lab up` as another process, its TMPDIR in `folder`.
fn lab_up(program: &Path, folder: &Path, user: Option<u32>) -> Child {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program);
    command
        .args(["lab", "up", "--servers-only", "--json"])
        .env("TMPDIR", folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.spawn().unwrap()
}

fn kill(child: &mut Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

/// Waits until one of the lab's processes has `words` in its command line.
async fn appears(folder: &Path, words: &str) {
    for _ in 0..30_000 {
        if support::processes_with(folder)
            .iter()
            .any(|(_, command)| command.contains(words))
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("no {words} in {:?}", support::processes_with(folder));
}

#[tokio::test]
async fn a_parent_killed_at_any_moment_leaves_nothing() {
    for moment in [
        "lab guard",
        "nats-server",
        "initdb",
        "--boot",
        "postgres -D data",
        "ready",
    ] {
        let folder = folder();
        let mut parent = lab_up(Path::new(PROGRAM), folder.path(), None);
        if moment == "ready" {
            let line = first_line(&mut parent);
            assert!(line.contains(r#""ready":"lab""#), "{line}");
        } else {
            appears(folder.path(), moment).await;
        }
        kill(&mut parent, rustix::process::Signal::KILL);
        parent.wait().unwrap();
        nothing_is_left(folder.path()).await;
    }
}

#[tokio::test]
async fn ctrl_c_and_a_closed_terminal_take_the_lab_down() {
    for signal in [
        rustix::process::Signal::INT,
        rustix::process::Signal::HUP,
        rustix::process::Signal::TERM,
    ] {
        let folder = folder();
        let mut parent = lab_up(Path::new(PROGRAM), folder.path(), None);
        first_line(&mut parent);
        // As a terminal does: to the whole foreground group.
        rustix::process::kill_process_group(rustix::process::Pid::from_child(&parent), signal).unwrap();
        assert_eq!(parent.wait().unwrap().code(), Some(0));
        assert!(is_empty(folder.path()), "it waits for the end");
        assert_eq!(support::processes_with(folder.path()), []);
    }
}

#[tokio::test]
async fn ctrl_c_while_the_lab_comes_up_leaves_nothing() {
    for moment in ["lab guard", "initdb", "postgres -D data"] {
        let folder = folder();
        let mut parent = lab_up(Path::new(PROGRAM), folder.path(), None);
        appears(folder.path(), moment).await;
        kill(&mut parent, rustix::process::Signal::INT);
        assert_eq!(parent.wait().unwrap().code(), Some(0));
        assert!(is_empty(folder.path()), "it waits for the end");
        assert_eq!(support::processes_with(folder.path()), []);
    }
}

/// Root's labs drop to another user for Postgres; this one has no rights from the start.
#[tokio::test]
async fn an_ordinary_user_brings_a_lab_up_and_down() {
    const NOBODY: u32 = 65_534;
    let folder = folder();
    let user = rustix::process::geteuid().is_root().then_some(NOBODY);
    // The build's folder may be closed to others.
    let program: PathBuf = folder.path().join("hookwatch");
    std::fs::copy(PROGRAM, &program).unwrap();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    open_to_all(&temporary);
    let mut parent = lab_up(&program, &temporary, user);
    let line = first_line(&mut parent);
    assert!(!line.is_empty(), "{:?}", parent.wait_with_output());
    kill(&mut parent, rustix::process::Signal::INT);
    assert_eq!(parent.wait().unwrap().code(), Some(0));
    assert!(is_empty(&temporary));
}

/// A running lab with its pipeline, as another process.
fn whole_lab(folder: &Path, more: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    command
        .args(["lab", "up", "--json", "--workers", "2", "--rate", "200"])
        .args(more)
        .env("TMPDIR", folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn hookwatch(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env("TMPDIR", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

#[tokio::test]
async fn a_parent_killed_under_load_leaves_nothing() {
    let folder = folder();
    let mut parent = whole_lab(folder.path(), &[]);
    let line = first_line(&mut parent);
    assert!(line.contains("worker-2"), "{line}");
    appears(folder.path(), "lab worker").await;
    kill(&mut parent, rustix::process::Signal::KILL);
    parent.wait().unwrap();
    nothing_is_left(folder.path()).await;
}

/// A URL where nobody listens.
fn dead_url() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("http://127.0.0.1:{port}")
}

/// What `lab load` says with keys in these variables, and its exit code.
fn load_with_keys(folder: &Path, args: &[&str], variables: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(PROGRAM);
    command.args(["lab", "load"]).args(args).env("TMPDIR", folder);
    for variable in ["TELNYX_SIGNING_KEY", "RESEND_SIGNING_KEY"] {
        command.env_remove(variable);
    }
    for variable in variables {
        command.env(variable, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&told).into_owned(), output.status.code())
}

#[tokio::test]
async fn faults_and_loads_reach_a_running_lab_from_other_processes() {
    let folder = folder();
    let mut parent = whole_lab(folder.path(), &[]);
    let mut said = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(said.next().unwrap().contains(r#""ready":"lab""#));
    hookwatch(folder.path(), &["lab", "fault", "kill", "worker-1", "--for", "200ms"]);
    let mut told: Vec<String> = Vec::new();
    while !told.iter().any(|line| line.contains("over: kill worker-1")) {
        told.push(said.next().unwrap());
    }
    for words in ["worker-1 ended: killed by signal 9", "worker-1 is back"] {
        assert!(
            told.iter().any(|line| line.contains(words)) || said.any(|line| line.contains(words)),
            "{words}"
        );
    }
    let output = hookwatch(
        folder.path(),
        &["lab", "load", "--rate", "300", "--count", "60", "--json"],
    );
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["summary"]["accepted"], 60);

    let wrong = Command::new(PROGRAM)
        .args(["lab", "fault", "kill", "worker-7"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2), "refused: nothing was done");
    let said_of_it = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        said_of_it.contains("there is no worker-7; there are gateway, nats, postgres, worker-1"),
        "{said_of_it}"
    );
    let dead = dead_url();
    let (told, code) = load_with_keys(folder.path(), &["--to", &dead, "--count", "3"], &["RESEND_SIGNING_KEY"]);
    assert_eq!(code, Some(1), "none was accepted: {told}");
    assert!(told.contains("0 accepted, 3 failed (connect)"), "{told}");
    for (args, said) in [
        (
            ["--to", &dead, "--count", "3"].as_slice(),
            "no webhook could be signed → set TELNYX_SIGNING_KEY or RESEND_SIGNING_KEY",
        ),
        (
            &["--to", "gateway"],
            "--to: gateway is no URL of a gateway → write it like",
        ),
        (&["--lab", "/"], "no lab answers in /: "),
        (&["--rate", "0"], "a rate is a number above zero"),
    ] {
        let (told, code) = load_with_keys(folder.path(), args, &[]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(said), "{told}");
    }
    kill(&mut parent, rustix::process::Signal::TERM);
    assert_eq!(parent.wait().unwrap().code(), Some(0));
    assert!(is_empty(folder.path()));

    let none = Command::new(PROGRAM)
        .args(["lab", "load"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(2));
    let said_of_it = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        said_of_it.contains("there is none: start one with `hookwatch lab up`"),
        "{said_of_it}"
    );
}

#[tokio::test]
async fn a_lab_with_a_time_limit_ends_by_itself_and_says_what_its_load_came_to() {
    let folder = folder();
    let mut parent = whole_lab(folder.path(), &["--for", "1s", "--seed", "5"]);
    let said: Vec<String> = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .collect();
    assert_eq!(parent.wait().unwrap().code(), Some(0));
    assert!(said.last().unwrap().contains(r#""summary":{"#), "{said:?}");
    assert!(is_empty(folder.path()));
}

#[test]
fn a_scenario_that_does_not_exist_is_refused() {
    let output = Command::new(PROGRAM)
        .args(["lab", "up", "--scenario", "spikes"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean spike?"), "{said}");
}

#[test]
fn a_demo_without_a_screen_prints_one_reading_and_leaves_nothing() {
    let folder = folder();
    let output = Command::new(PROGRAM)
        .args(["demo", "--headless", "500ms"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let reading: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reading["profile"], "demo", "{output:?}");
    assert!(is_empty(folder.path()), "it waits for the end");
    assert_eq!(support::processes_with(folder.path()), []);
}
