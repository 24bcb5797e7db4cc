//! Crashes at any moment: of hookwatch, of its disk, of NATS. Rows: exactly one a letter. Publishes:
//! at most one an id in every run. None lost, none left behind.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookwatch::act::exchange::Exchange;
use hookwatch::act::journal::{Folder, How, Medium};
use hookwatch::act::permit::{Asked, Confirmed, Gate, Write};
use hookwatch::act::plan::Plan;
use hookwatch::act::replay::{self, Context, Ending, Progress, ReplayError, Report, Resume, Steering, Timing};
use hookwatch::act::select;
use hookwatch::base::time::SystemClock;
use hookwatch::config::Profile;
use hookwatch::lab::{Lab, Options};
use hookwatch::model::letters::LetterFilter;
use hookwatch::observe::letters::Mailbox;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;

use super::world::{Published, Shape, Worker, World, finish, rows};
use crate::support::{self, PROGRAM};

pub(super) const RESUME: &[&str] = &["--resume", "--write", "--verify", "50ms"];

/// No id is published twice in one run.
fn at_most_once(published: &[Published]) -> usize {
    let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
    for one in published {
        *by_id.entry(&one.id).or_default() += 1;
    }
    let worst = by_id.iter().max_by_key(|(_, count)| **count);
    assert!(worst.is_none_or(|(_, count)| *count == 1), "{worst:?}");
    by_id.len()
}

/// Waits until the workers have taken everything.
pub(super) async fn drained(world: &World) {
    for _ in 0..1_500 {
        if world.messages(&world.stream).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} messages stay in the stream", world.messages(&world.stream).await);
}

/// Every letter is a row, and the DLQ is empty.
async fn all_arrived(world: &World, database: &str, letters: usize) {
    assert_eq!(world.letters().await, 0, "none is left behind");
    drained(world).await;
    let (count, seen) = rows(database).await;
    assert_eq!(
        count,
        i64::try_from(letters).unwrap(),
        "none is lost, none is a second row"
    );
    assert!(
        seen.values().all(|times| *times == 1),
        "on one server, inside the window, none is doubled"
    );
}

#[tokio::test]
async fn a_replay_that_is_killed_at_random_moments_loses_and_doubles_nothing() {
    let (letters, kills, seed) = match support::environment().get("HOOKWATCH_SOAK") {
        Some(_) => (2_000, 200, rand::random()),
        None => (2_000, 25, 7),
    };
    eprintln!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    let _worker = world.work(&database, None).await;
    let (mut buried, mut killed, mut runs) = (0, 0, 0);
    while killed < kills {
        if world.letters().await == 0 {
            world.bury(letters, &format!("round{runs}")).await;
            buried += letters;
        }
        world.take_published().await;
        let now = world.letters().await.to_string();
        let start = [
            "--write", "--yes", &now, "--verify", "50ms", "--rate", "20000", "--canary", "0",
        ];
        let (code, _, err) = run_and_kill(&world, RESUME, &mut random, &mut killed).await;
        if code == 2 {
            assert!(err.contains("nothing to do"), "{err}");
            let (code, out, err) = run_and_kill(&world, &start, &mut random, &mut killed).await;
            assert!(matches!(code, 0 | -1), "{code} {out} {err}");
        } else {
            assert!(
                matches!(code, 0 | -1),
                "nothing is in doubt inside the window: {code} {err}"
            );
        }
        at_most_once(&world.take_published().await);
        runs += 1;
    }
    let (code, out, err) = world.run("replay", RESUME).await;
    assert!(code == 0 || err.contains("nothing to do"), "{code} {out} {err}");
    let left = world.letters().await.to_string();
    if left != "0" {
        let (code, out, err) = world
            .run("replay", &["--write", "--yes", &left, "--verify", "50ms"])
            .await;
        assert_eq!(code, 0, "{out} {err}");
    }
    all_arrived(&world, &database, buried).await;
}

async fn run_and_kill(
    world: &World,
    arguments: &[&str],
    random: &mut rand::rngs::StdRng,
    killed: &mut usize,
) -> (i32, String, String) {
    let mut child = world.command("replay", arguments).spawn().unwrap();
    let after = Duration::from_millis(random.random_range(5..900));
    if tokio::time::timeout(after, child.wait()).await.is_err() {
        child.start_kill().unwrap();
        *killed += 1;
    }
    finish(child).await
}

/// A medium that breaks at its nth write, having written a part of it.
pub(super) struct Breaking {
    pub(super) file: std::fs::File,
    pub(super) left: Arc<AtomicUsize>,
}

impl Medium for Breaking {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

pub(super) struct Bench {
    pub(super) context: Context,
    gate: Gate,
    _steer: watch::Sender<Steering>,
}

pub(super) fn bench(world: &World, journals: Folder) -> Bench {
    let clock = SystemClock::shared();
    let (steer, steering) = watch::channel(Steering::Run);
    let profile = Profile::empty("test");
    Bench {
        context: Context {
            link: link(&world.url),
            profile: profile.name.clone(),
            who: format!("ann@{}", rustix::system::uname().nodename().to_string_lossy()).into(),
            journals,
            clock,
            steering,
            progress: watch::channel(Progress::default()).0,
            timing: Timing {
                verify: Duration::from_millis(50),
                ..Timing::default()
            },
            attended: false,
            signer: None,
            oracle: None,
        },
        gate: Gate::new(&profile, Write::Asked),
        _steer: steer,
    }
}

fn link(url: &str) -> hookwatch::config::NatsLink {
    let environment = [("NATS_URL".to_owned(), url.to_owned())].into();
    let surroundings = hookwatch::config::Surroundings {
        environment: &environment,
        home: None,
    };
    let resolved = hookwatch::config::resolve(&hookwatch::config::Overrides::default(), &surroundings).unwrap();
    resolved.profile.nats.unwrap()
}

pub(super) async fn start(world: &World, bench: Bench, how: How) -> Result<Report, ReplayError> {
    let clock = bench.context.clock.clone();
    let exchange = Exchange::connect(&bench.context.link, &clock).await.unwrap();
    let mailbox = Mailbox::open(&bench.context.link, &world.dlq, &clock).await.unwrap();
    let filter = LetterFilter::default();
    let journals = bench.context.journals.clone();
    let selection = select::select(&mailbox, &filter, &journals, &clock, |_, _| {})
        .await
        .unwrap();
    let (takers, streams) = select::targets(&exchange, &selection, &how).await.unwrap();
    let plan = Plan::draw(&selection, how, None, &takers, &streams).unwrap();
    let permit = permit(&bench.gate, &plan.hash, plan.count);
    replay::start(&plan, None, permit, bench.context).await
}

fn permit(gate: &Gate, plan: &str, count: u64) -> hookwatch::act::permit::Permit {
    let asked = Asked {
        action: "replay",
        plan,
        count,
        is_load: false,
    };
    let confirmed = Confirmed {
        count: Some(count),
        profile: None,
    };
    gate.permit(asked, confirmed, Duration::ZERO).unwrap()
}

async fn resume(world: &World, bench: Bench) -> Result<Report, ReplayError> {
    let permit = permit(&bench.gate, &world.dlq, 1);
    replay::resume(&world.dlq, &Resume::default(), permit, bench.context).await
}

#[tokio::test]
async fn a_journal_that_breaks_at_any_write_stops_everything_and_is_resumed() {
    let database = support::database().await;
    let mut buried = 0;
    for write in 1.. {
        let world = World::new(Shape::default()).await;
        let _worker: Worker = world.work(&database, None).await;
        world.bury(40, &format!("write{write}")).await;
        buried += 40;
        let clock = SystemClock::shared();
        let journals = Folder::new(world.state.path(), clock);
        let left = Arc::new(AtomicUsize::new(write));
        let counter = left.clone();
        let breaking = journals.clone().with_medium(move |file| {
            Box::new(Breaking {
                file,
                left: counter.clone(),
            })
        });
        let how = How {
            window: 10,
            ..How::default()
        };
        let outcome = start(&world, bench(&world, breaking), how.clone()).await;
        let unbroken = outcome.is_ok();
        if let Err(error) = outcome {
            assert!(matches!(error, ReplayError::Journal(_)), "{error}");
            at_most_once(&world.take_published().await);
            let report = match Box::pin(resume(&world, bench(&world, journals.clone()))).await {
                // It broke before anything was sent.
                Err(ReplayError::NothingToResume(_)) => start(&world, bench(&world, journals), how).await.unwrap(),
                resumed => resumed.unwrap(),
            };
            assert_eq!(report.ending, Ending::Done, "write {write}: {report:?}");
            at_most_once(&world.take_published().await);
        }
        all_arrived(&world, &database, buried).await;
        if unbroken {
            assert!(write > 8, "every write of the journal was broken once: {write}");
            break;
        }
    }
}

/// A server of its own for a test that breaks it.
async fn own_server() -> Lab {
    let mut options = Options::servers(PROGRAM, support::environment());
    options.postgres = None;
    Lab::up(options).await.unwrap()
}

/// Waits until `count` letters were published.
async fn published(world: &World, count: usize) -> Vec<Published> {
    let mut all = Vec::new();
    for _ in 0..3_000 {
        all.extend(world.take_published().await);
        if all.len() >= count {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} published, not {count}", all.len());
}

async fn restart(graceful: bool) {
    let lab = own_server().await;
    let world = World::on(&lab, Shape::default()).await;
    let database = support::database().await;
    world.bury(1_000, "timeout").await;
    let worker = world.work(&database, None).await;
    let arguments = [
        "--write", "--yes", "1000", "--verify", "500ms", "--rate", "4000", "--json",
    ];
    let child = world.command("replay", &arguments).spawn().unwrap();
    published(&world, 300).await;
    lab.stop_nats(graceful).await.unwrap();
    lab.start_nats().await.unwrap();
    let (code, out, err) = finish(child).await;
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let doubts = report["report"]["counts"]["in_doubt"].as_u64().unwrap();
    assert!(doubts <= 256, "at most the letters in flight: {doubts}");
    assert_eq!(code, i32::from(doubts > 0), "{out} {err}");
    assert_eq!(
        world.letters().await,
        doubts,
        "none is left behind, none deleted unconfirmed"
    );
    if doubts > 0 {
        let (code, out, err) = world.run("replay", &[RESUME, &["--in-doubt", "resend"]].concat()).await;
        assert_eq!(code, 0, "{out} {err}");
    }
    assert_eq!(world.letters().await, 0);
    drained(&world).await;
    assert_eq!(rows(&database).await.0, 1_000);
    drop(worker);
    lab.down().await.unwrap();
}

#[tokio::test]
async fn nats_may_restart_in_the_middle() {
    restart(true).await;
}

#[tokio::test]
async fn nats_may_be_killed_in_the_middle() {
    restart(false).await;
}

#[tokio::test]
async fn after_the_window_at_most_the_letters_in_flight_are_in_doubt() {
    let shape = Shape {
        window: Duration::from_secs(2),
        ..Shape::default()
    };
    let world = World::new(shape).await;
    let database = support::database().await;
    world.bury(1_000, "timeout").await;
    let _worker = world.work(&database, None).await;
    let mut child = world
        .command(
            "replay",
            &["--write", "--yes", "1000", "--rate", "4000", "--verify", "50ms"],
        )
        .spawn()
        .unwrap();
    let mut before = published(&world, 200).await;
    child.kill().await.unwrap();
    before.extend(world.take_published().await);
    drained(&world).await;
    // There is no event for the end of a window.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (code, out, err) = world.run("replay", RESUME).await;
    let left = world.letters().await;
    assert!(left <= 256, "{left}");
    assert_eq!(code, i32::from(left > 0), "{out} {err}");
    let mut ids: Vec<String> = before
        .into_iter()
        .chain(world.take_published().await)
        .map(|one| one.id)
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(all, ids.len(), "outside the window no id is sent twice");
    if left > 0 {
        assert!(out.contains("in doubt"), "{out}");
        let (code, out, err) = world.run("replay", &[RESUME, &["--in-doubt", "drop"]].concat()).await;
        assert_eq!(code, 0, "{out} {err}");
        assert_eq!(
            world.messages(&format!("{}-archive", world.dlq)).await,
            left,
            "dropped is put aside"
        );
    }
    assert_eq!(world.letters().await, 0);
    drained(&world).await;
    assert!(
        rows(&database).await.1.values().all(|seen| *seen == 1),
        "none is doubled"
    );
}

#[tokio::test]
async fn a_full_disk_under_the_journal_stops_the_replay_and_a_resume_goes_on() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(600, "timeout").await;
    let _worker = world.work(&database, None).await;
    let mut command = tokio::process::Command::new("bash");
    // A limit of 100 KiB a file; the signal that goes with it would end the process.
    let line = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    command
        .args([
            "-c", line, PROGRAM, "dlq", "replay", "--nats", &world.url, "--dlq", &world.dlq,
        ])
        .args(["--write", "--yes", "600", "--verify", "50ms"])
        .env("HOME", world.state.path())
        .env("XDG_STATE_HOME", world.state.path())
        .env("USER", "ann");
    let output = command.output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("make room on that disk, then run it again with --resume"),
        "{error}"
    );
    let before = world.take_published().await;
    at_most_once(&before);
    assert!(before.len() < 600);
    let (code, out, err) = world.run("replay", RESUME).await;
    assert_eq!(code, 0, "{out} {err}");
    all_arrived(&world, &database, 600).await;
}

#[tokio::test]
async fn of_two_operators_who_start_at_once_one_replays() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(500, "timeout").await;
    let _worker = world.work(&database, None).await;
    let arguments = ["--write", "--yes", "500", "--verify", "1s"];
    let other = tempfile::tempdir().unwrap();
    let ann = world.command("replay", &arguments).spawn().unwrap();
    let bob = world
        .command_as("replay", &arguments, other.path(), "bob")
        .spawn()
        .unwrap();
    let (ann, bob) = tokio::join!(finish(ann), finish(bob));
    let mut codes = [ann.0, bob.0];
    codes.sort_unstable();
    assert_eq!(codes, [0, 2], "{ann:?} {bob:?}");
    let refused = if ann.0 == 2 { &ann } else { &bob };
    assert!(
        refused.2.contains("is replaying") || refused.2.contains("the plan holds"),
        "{refused:?}"
    );
    assert_eq!(at_most_once(&world.take_published().await), 500);
    all_arrived(&world, &database, 500).await;
}

#[tokio::test]
async fn a_holder_that_stood_still_past_its_lease_publishes_nothing() {
    let world = World::new(Shape::default()).await;
    let database = support::database().await;
    world.bury(600, "timeout").await;
    let _worker = world.work(&database, None).await;
    let arguments = [
        "--write", "--yes", "600", "--rate", "300", "--lease", "3s", "--verify", "50ms",
    ];
    let ann = world.command("replay", &arguments).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(ann.id().unwrap()).unwrap()).unwrap();
    published(&world, 20).await;
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let other = tempfile::tempdir().unwrap();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let refused = world.command_as("replay", RESUME, other.path(), "bob").spawn().unwrap();
    let (code, _, err) = finish(refused).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains(&format!("--take-over ann@{host}")), "{err}");
    let name = format!("ann@{host}");
    let over = [RESUME, &["--take-over", &name]].concat();
    let (code, out, err) = finish(world.command_as("replay", &over, other.path(), "bob").spawn().unwrap()).await;
    assert_eq!(code, 0, "{out} {err}");
    world.take_published().await;
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let (code, _, err) = finish(ann).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("the lease is lost"), "{err}");
    assert!(world.take_published().await.is_empty(), "not one more");
    all_arrived(&world, &database, 600).await;
}
