//! The guard's own rules, with plain programs as its children.

use std::path::Path;
use std::time::Duration;

use hookwatch::lab::guard::{Guard, GuardError, Signal, Start, Status};
use hookwatch::lab::{Lab, LabError};

use super::{folder, is_empty, nothing_is_left, options};
use crate::support::{self, PROGRAM};

fn sleeper(name: &str, script: &str) -> Start {
    Start {
        name: name.to_owned(),
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        cwd: None,
        user: None,
        stop: Signal::Term,
        grace: Duration::from_millis(300),
        stage: 1,
        announces: true,
    }
}

#[tokio::test]
async fn the_guard_kills_what_does_not_end_in_time() {
    let folder = folder();
    let guard = Guard::open(Path::new(PROGRAM), folder.path()).await.unwrap();
    guard
        .start(sleeper("deaf", "trap '' TERM; echo here; while :; do sleep 1; done"))
        .await
        .unwrap();
    assert_eq!(guard.announced("deaf").await.unwrap(), "here");
    let exit = guard.stop("deaf").await.unwrap();
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    guard.down().await.unwrap();
    nothing_is_left(folder.path()).await;
}

#[tokio::test]
async fn a_guard_that_gets_no_folder_says_why_every_time() {
    for _ in 0..30 {
        let refused = Guard::open(Path::new(PROGRAM), Path::new("/dev/null")).await;
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("create a folder in /dev/null: Not a directory") && said.contains("→ set TMPDIR to a folder"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_guard_ends_children_that_stand_still_and_grandchildren_that_fled() {
    let folder = folder();
    let guard = Guard::open(Path::new(PROGRAM), folder.path()).await.unwrap();
    let mark = folder.path().join("fled");
    let fled = format!(
        "setsid sh -c 'echo there > {0}; exec sleep 1000' & echo here; wait",
        mark.display()
    );
    guard.start(sleeper("parent", &fled)).await.unwrap();
    guard.announced("parent").await.unwrap();
    guard
        .start(sleeper("still", "echo here; while :; do sleep 1; done"))
        .await
        .unwrap();
    guard.announced("still").await.unwrap();
    guard.signal("still", Signal::Stop).unwrap();
    let lab_folder = guard.folder().to_owned();
    guard.down().await.unwrap();
    assert_eq!(support::processes_with(&lab_folder), []);
    let _ = std::fs::remove_file(mark);
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn the_guard_ends_stages_in_reverse_order() {
    let folder = folder();
    let log = folder.path().join("order");
    let guard = Guard::open(Path::new(PROGRAM), folder.path()).await.unwrap();
    for (name, stage) in [("last", 0), ("first", 2), ("middle", 1)] {
        let script = format!(
            "trap 'echo {name} >> {}; exit 0' TERM; echo here; while :; do sleep 0.01; done",
            log.display()
        );
        let mut start = sleeper(name, &script);
        start.stage = stage;
        start.grace = Duration::from_secs(20);
        guard.start(start).await.unwrap();
        guard.announced(name).await.unwrap();
    }
    guard.down().await.unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "first\nmiddle\nlast\n");
}

#[tokio::test]
async fn the_guard_says_what_went_wrong() {
    let folder = folder();
    let guard = Guard::open(Path::new(PROGRAM), folder.path()).await.unwrap();
    let mut missing = sleeper("missing", "");
    missing.program = "/no/such/program".into();
    let error = guard.start(missing).await.unwrap_err().to_string();
    assert!(
        error.contains("start missing (/no/such/program): No such file"),
        "{error}"
    );
    guard.start(sleeper("broken", "echo oh no >&2; exit 3")).await.unwrap();
    let exit = guard.exited("broken").await.unwrap();
    assert_eq!(exit.to_string(), "exit code 3, its last words: oh no");
    assert!(matches!(guard.announced("broken").await, Err(GuardError::Ended { .. })));
    assert_eq!(
        guard.signal("broken", Signal::Kill),
        Err(GuardError::NotRunning("broken".to_owned()))
    );
    // A name is free again once its process has ended.
    guard
        .start(sleeper("broken", "echo back; while :; do sleep 1; done"))
        .await
        .unwrap();
    assert_eq!(guard.announced("broken").await.unwrap(), "back");
    let twice = guard.start(sleeper("broken", "")).await.unwrap_err().to_string();
    assert!(twice.contains("it runs already"), "{twice}");
    guard.down().await.unwrap();
}

#[tokio::test]
async fn a_signal_to_the_guard_itself_ends_the_lab_in_order() {
    for signal in [
        rustix::process::Signal::TERM,
        rustix::process::Signal::HUP,
        rustix::process::Signal::INT,
    ] {
        let folder = folder();
        let lab = Lab::up(options(folder.path())).await.unwrap();
        let guard = support::processes_with(folder.path())
            .into_iter()
            .find(|(_, command)| command.contains("lab guard"))
            .unwrap();
        let pid = rustix::process::Pid::from_raw(guard.0.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        lab.guard_gone().await;
        assert!(matches!(*lab.watch("nats").borrow(), Status::Ended(_)));
        assert!(matches!(
            lab.start_nats().await,
            Err(LabError::Guard(GuardError::Gone(_)))
        ));
        nothing_is_left(folder.path()).await;
    }
}
