//! The lab: up and down, restarts, and nothing left behind however its process ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookwatch::lab::guard::{Guard, GuardError, Signal, Start, Status};
use hookwatch::lab::servers::nats::{self, Auth};
use hookwatch::lab::servers::postgres;
use hookwatch::lab::{Lab, LabError, Options};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::support::{self, PROGRAM};

/// A folder of a test's own that an ordinary user may use, too.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    folder
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn options(folder: &Path) -> Options {
    let mut environment = support::environment();
    environment.insert("TMPDIR".to_owned(), folder.to_str().unwrap().to_owned());
    Options::servers(PROGRAM, environment)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Waits until nothing of a lab is left: no process, no file. There is no event to await: the
/// processes are not ours.
async fn nothing_is_left(folder: &Path) {
    for _ in 0..3_000 {
        if is_empty(folder) && support::processes_with(folder).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
    panic!("left behind: {files:?} {:?}", support::processes_with(folder));
}

async fn connect_postgres(lab: &Lab) -> PgConnection {
    PgConnection::connect(&lab.postgres_url("postgres").unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lab_that_is_taken_down_leaves_nothing() {
    let folder = folder();
    let lab = Lab::up(options(folder.path())).await.unwrap();
    assert!(lab.folder().starts_with(folder.path()));
    let client = lab.connect().await.unwrap();
    assert!(client.server_info().jetstream);
    let mut postgres = connect_postgres(&lab).await;
    let row = sqlx::query("SELECT current_user::text, current_setting('fsync')")
        .fetch_one(&mut postgres)
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1)), ("hookwatch", "off"));
    assert!(support::processes_with(folder.path()).len() >= 3);
    // An open session does not hold it up.
    lab.down().await.unwrap();
    assert!(is_empty(folder.path()));
    assert_eq!(support::processes_with(folder.path()), []);
}

#[tokio::test]
async fn a_lab_that_is_dropped_leaves_nothing() {
    let folder = folder();
    drop(Lab::up(options(folder.path())).await.unwrap());
    nothing_is_left(folder.path()).await;
}

#[tokio::test]
async fn a_lab_that_does_not_come_up_leaves_nothing_and_says_why() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = Some(postgres::Options {
        settings: vec![("no_such_setting".to_owned(), "1".to_owned())],
        ..postgres::Options::default()
    });
    let error = Lab::up(options).await.unwrap_err().to_string();
    assert!(error.starts_with("postgres ended: exit code 1"), "{error}");
    assert!(error.contains("no_such_setting"), "{error}");
    nothing_is_left(folder.path()).await;
}

#[tokio::test]
async fn a_missing_guard_is_named() {
    let folder = folder();
    let mut options = options(folder.path());
    options.program = "/no/such/hookwatch".into();
    let error = Lab::up(options).await.unwrap_err();
    assert!(matches!(error, LabError::Guard(GuardError::Spawn { .. })), "{error}");
}

#[tokio::test]
async fn two_labs_at_once_do_not_meet() {
    let (one, two) = (folder(), folder());
    let (one, two) = tokio::join!(Lab::up(options(one.path())), Lab::up(options(two.path())));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.nats_url().unwrap(), two.nats_url().unwrap());
    assert_ne!(one.postgres_url("x").unwrap(), two.postgres_url("x").unwrap());
    let (one_nats, two_nats) = (one.connect().await.unwrap(), two.connect().await.unwrap());
    assert_ne!(one_nats.server_info().server_id, two_nats.server_info().server_id);
    one.down().await.unwrap();
    two_nats.flush().await.unwrap();
    connect_postgres(&two).await.ping().await.unwrap();
    two.down().await.unwrap();
}

#[tokio::test]
async fn nats_comes_back_on_the_same_port_with_its_store() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = None;
    let lab = Lab::up(options).await.unwrap();
    let url = lab.nats_url().unwrap();
    let stream = async_nats::jetstream::stream::Config {
        name: "kept".to_owned(),
        ..Default::default()
    };
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    context.create_stream(stream).await.unwrap();
    for (sent, graceful) in [(1, true), (2, false)] {
        let context = async_nats::jetstream::new(lab.connect().await.unwrap());
        context.publish("kept", "x".into()).await.unwrap().await.unwrap();
        lab.stop_nats(graceful).await.unwrap();
        assert!(lab.connect().await.is_err());
        lab.start_nats().await.unwrap();
        assert_eq!(lab.nats_url().unwrap(), url);
        let context = async_nats::jetstream::new(lab.connect().await.unwrap());
        let stream = context.get_stream("kept").await.unwrap();
        assert_eq!(stream.cached_info().state.last_sequence, sent);
    }
    lab.down().await.unwrap();
}

#[tokio::test]
async fn postgres_comes_back_on_the_same_port_with_its_data() {
    let folder = folder();
    let mut options = options(folder.path());
    options.nats = None;
    options.postgres = Some(postgres::Options {
        durable: true,
        ..postgres::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    let mut open = connect_postgres(&lab).await;
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS n")
        .execute(&mut open)
        .await
        .unwrap();
    lab.stop_postgres().await.unwrap();
    assert!(open.ping().await.is_err(), "open sessions end");
    lab.start_postgres().await.unwrap();
    lab.kill("postgres").await.unwrap();
    lab.start("postgres").await.unwrap();
    let mut again = connect_postgres(&lab).await;
    let kept: i32 = sqlx::query_scalar("SELECT n FROM kept")
        .fetch_one(&mut again)
        .await
        .unwrap();
    assert_eq!(kept, 7);
    lab.down().await.unwrap();
}

#[tokio::test]
async fn servers_ask_for_credentials_when_told_to() {
    let folder = folder();
    let mut options = options(folder.path());
    options.nats = Some(nats::Options {
        auth: Auth::User {
            user: "bob".to_owned(),
            password: "s3cret".to_owned(),
        },
        ..nats::Options::default()
    });
    options.postgres = Some(postgres::Options {
        password: Some("pg-s3cret".to_owned()),
        ..postgres::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    lab.connect().await.unwrap().flush().await.unwrap();
    connect_postgres(&lab).await.ping().await.unwrap();
    let with = lab.nats_url().unwrap();
    assert!(with.starts_with("nats://bob:s3cret@127.0.0.1:"), "{with}");
    let without = with.replace("bob:s3cret@", "");
    assert!(async_nats::connect(without).await.is_err());
    let wrong = lab.postgres_url("postgres").unwrap().replace("pg-s3cret", "wrong");
    assert!(PgConnection::connect(&wrong).await.is_err());
    lab.down().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_three_keeps_a_stream_while_one_server_is_away() {
    let folder = folder();
    let mut options = options(folder.path());
    options.postgres = None;
    options.nats = Some(nats::Options {
        servers: 3,
        ..nats::Options::default()
    });
    let lab = Lab::up(options).await.unwrap();
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let stream = async_nats::jetstream::stream::Config {
        name: "replicated".to_owned(),
        num_replicas: 3,
        ..Default::default()
    };
    let stream = context.create_stream(stream).await.unwrap();
    let leader = stream.cached_info().cluster.as_ref().unwrap().leader.clone().unwrap();
    let other = ["nats-1", "nats-2", "nats-3"]
        .into_iter()
        .find(|name| *name != leader)
        .unwrap();
    lab.kill(other).await.unwrap();
    context.publish("replicated", "x".into()).await.unwrap().await.unwrap();
    lab.start_nats().await.unwrap();
    lab.down().await.unwrap();
}

/// The guard's own rules, with plain programs as its children.
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

#[tokio::test]
async fn the_shared_servers_give_every_test_a_database_of_its_own() {
    let (one, two) = tokio::join!(support::database(), support::database());
    assert_ne!(one, two);
    for url in [one, two] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query("CREATE TABLE mine (n int)")
            .execute(&mut connection)
            .await
            .unwrap();
    }
    support::nats().await.flush().await.unwrap();
}
