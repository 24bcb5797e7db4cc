//! Recordings on real servers: what is played back is what was seen; kills, full disks, bad input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hookwatch::act::fire::Limit;
use hookwatch::base::time::{Clock as _, SystemClock};
use hookwatch::headless::record::record;
use hookwatch::lab::{Lab, Options, Traffic};
use hookwatch::model::{Model, View};
use hookwatch::record::{RecorderState, Recording, Target};
use hookwatch::session::{Playback, Session, Step, Tap, state_at};

use crate::support::{self, PROGRAM};

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn refused(args: &[&str], reason: &str) {
    let output = run(args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains(reason), "{args:?}: {told}");
}

/// Plays a recording through: the view at every tick.
fn play(playback: &mut Playback) -> Vec<View> {
    let (mut model, mut views) = (None::<Model>, Vec::new());
    while !playback.is_over() {
        playback.read_ahead();
        for step in playback.step().unwrap() {
            match step {
                Step::Begin(settings, start) => model = Some(Model::new(*settings, start)),
                Step::Data(envelope) => model.as_mut().unwrap().apply(&envelope),
                Step::Tick(moment) => {
                    let model = model.as_mut().unwrap();
                    model.advance(moment);
                    views.push(model.view().clone());
                }
                Step::Gap(gap) => panic!("{gap:?}"),
                Step::Damage(damage) => panic!("{damage}"),
                _ => {}
            }
        }
    }
    views
}

#[tokio::test]
async fn a_recording_folds_to_the_view_of_the_live_session_at_every_tick() {
    support::choose_tls();
    let folder = tempfile::tempdir().unwrap();
    crate::lab::open_to_all(folder.path());
    let mut environment = support::environment();
    environment.insert("TMPDIR".to_owned(), folder.path().to_str().unwrap().to_owned());
    let lab = Lab::up(Options::pipeline(PROGRAM, environment, 2)).await.unwrap();
    let traffic = Traffic {
        rate: 300.0,
        poison: 0.02,
        ..Traffic::default()
    };
    let load = lab.load(traffic, 3, Limit::default(), SystemClock::shared()).unwrap();
    let profile = lab.profile("recorded").unwrap();
    let clock = SystemClock::shared();
    let session = Session::live(&profile, &clock);
    let path = folder.path().join("session.mcap");
    let mut tap = Tap::new(&profile, session.settings.clone());
    tap.record(Target::of(&path, false), session.started).unwrap();
    tap = tap.with_ring(session.started).unwrap();
    let mut views: Vec<View> = Vec::new();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        lab.kill("worker-1").await.unwrap();
        tokio::time::sleep(Duration::from_secs(7)).await;
    };
    let progress = record(session, tap, &clock, stop, |view| views.push(view.clone())).await;
    assert_eq!(progress.state, RecorderState::Finished);
    assert_eq!(progress.dropped, 0);
    load.stop().await.unwrap();
    lab.down().await.unwrap();

    let mut playback = Playback::new(Recording::open(&path).unwrap()).unwrap();
    let again = play(&mut playback);
    assert_eq!(again.len(), views.len());
    for (again, live) in again.iter().zip(&views) {
        assert_eq!(again, live, "at {}", live.now.at);
    }
    assert!(views.last().unwrap().flow.received_per_s.value.unwrap() > 100.0);

    // A seek to a tick gives that tick's view.
    let recording = Arc::new(Recording::open(&path).unwrap());
    for live in [&views[3], &views[views.len() / 2], &views[views.len() - 1]] {
        let at = recording.info().axis(live.now);
        assert_eq!(state_at(&recording, at).unwrap().view(), live);
        let mut past = playback.seek_time(live.now.at).run().unwrap();
        assert!(past.is_exact());
        playback.arrive(&mut past);
        let into = Duration::from_nanos(at - playback.timeline().start);
        assert!(playback.position().abs_diff(into) < Duration::from_millis(5));
    }

    let output = run(&["verify", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let csv = run(&["export", path.to_str().unwrap(), "--as", "csv"]);
    assert_eq!(String::from_utf8(csv.stdout).unwrap().lines().count(), views.len() + 1);
}

/// A child that is ended with its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn recorder(path: &Path, prefix: &str) -> Killed {
    let url = support::servers().await.nats_url().unwrap();
    let line = format!("{prefix} exec \"$0\" record \"$1\" --nats \"$2\"");
    let child = Command::new("sh")
        .args(["-c", &line, PROGRAM, path.to_str().unwrap(), &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Killed(child)
}

/// Waits until a file has at least so many bytes. The writer is another process: there is no
/// event to await.
async fn grown(path: &Path, bytes: u64) -> u64 {
    for _ in 0..1_500 {
        let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if size >= bytes {
            return size;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} does not grow to {bytes} bytes", path.display());
}

#[tokio::test]
async fn killed_while_recording_the_file_opens_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, part) = (folder.path().join("k.mcap"), folder.path().join("k.mcap.part"));
    let mut child = recorder(&path, "").await;
    let begun = grown(&part, 1).await;
    let clock = SystemClock::start();
    let text = part.to_str().unwrap();
    refused(&["verify", text], "another process is still writing it");
    refused(&["export", text, "--as", "csv"], "another process is still writing it");
    let url = support::servers().await.nats_url().unwrap();
    refused(
        &["record", path.to_str().unwrap(), "--nats", &url],
        "another process is still writing it",
    );
    // An event seals a chunk early: the file grows at least every 10 s.
    let mut size = begun;
    while clock.now().mono < Duration::from_secs(11) {
        size = grown(&part, size + 1).await;
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();

    let recording = Recording::open(&part).unwrap();
    let (start, end) = recording.span();
    assert!(
        Duration::from_nanos(end - start) >= Duration::from_secs(9),
        "what was sealed is there"
    );
    let output = run(&["verify", text]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("at most 10 s were not yet on the disk") && told.contains("missing: what came after"),
        "{told}"
    );
    let csv = run(&["export", text, "--as", "csv"]);
    assert_eq!(csv.status.code(), Some(1), "partial");
    assert!(String::from_utf8(csv.stdout).unwrap().lines().count() > 9);
}

#[tokio::test]
async fn a_full_disk_stops_the_recording_and_what_was_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.mcap");
    // Blocks of 512 bytes: the beginning fits, the first chunk of 10 s does not.
    let mut child = recorder(&path, "trap '' XFSZ; ulimit -f 9;").await;
    let status = child.0.wait().unwrap();
    let mut told = String::new();
    std::io::Read::read_to_string(child.0.stderr.as_mut().unwrap(), &mut told).unwrap();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(
        told.contains("the recording stopped") && told.contains("make room"),
        "{told}"
    );
    let output = run(&["verify", folder.path().join("f.mcap.part").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn bad_input_is_refused_with_a_reason_and_the_original_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings/schema-1.mcap");
    let original = fs::read(&golden).unwrap();
    let (empty, text) = (
        file("empty.mcap", b""),
        file("text.mcap", b"hello, this is no recording"),
    );
    let copy = file("copy.mcap", &original);
    for command in [&["verify"][..], &["export", "--as", "csv"]] {
        let with = |path: &str| -> Vec<String> {
            command
                .iter()
                .map(|word| (*word).to_owned())
                .chain([path.to_owned()])
                .collect()
        };
        for (path, reason) in [
            (empty.as_str(), "the file is empty"),
            (text.as_str(), "not an MCAP file"),
            ("/nonexistent/x.mcap", "check the path"),
        ] {
            let words = with(path);
            refused(&words.iter().map(String::as_str).collect::<Vec<_>>(), reason);
        }
    }
    refused(
        &["export", &copy, "--as", "csv", "--from", "yesterday"],
        "neither a time nor a duration",
    );
    refused(
        &["export", &copy, "--as", "csv", "--from", "400h"],
        "nothing of the recording lies between",
    );
    refused(
        &["export", &copy, "--as", "csv", "--out", &text],
        "overwrite it with --force",
    );
    refused(
        &["export", &copy, "--as", "csv", "--out", &copy, "--force"],
        "that is the recording itself",
    );
    refused(
        &["record", &copy, "--nats", "nats://127.0.0.1:9"],
        "overwrite it with --force",
    );
    // Nobody may write there, root neither.
    refused(
        &["record", "/sys/x.mcap", "--nats", "nats://127.0.0.1:9"],
        "/sys/x.mcap",
    );
    refused(
        &["verify", folder.path().join("none").to_str().unwrap()],
        "check the path",
    );
    assert_eq!(fs::read(&copy).unwrap(), original);
    assert_eq!(run(&["verify", &copy]).status.code(), Some(0));
}

/// The recordings that ship with the program.
fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "mcap"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    files
}

#[test]
fn every_shipped_recording_is_intact_and_draws_the_same_picture_wherever_it_is_drawn() {
    let draw = |file: &Path, environment: &[(&str, &str)], more: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["export", "--as", "svg"])
            .args(more)
            .arg(file)
            .env_clear()
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for file in shipped() {
        let verified = Command::new(PROGRAM).arg("verify").arg(&file).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        let plain = draw(&file, &[], &[]);
        let elsewhere = [
            ("NO_COLOR", "1"),
            ("TZ", "Asia/Tokyo"),
            ("COLORTERM", ""),
            ("HOME", "/nonexistent"),
        ];
        assert!(
            plain == draw(&file, &elsewhere, &[]),
            "{file:?}: the environment changes the picture"
        );
        assert!(plain != draw(&file, &[], &["--theme", "light", "--size", "80x24"]));
        assert!(plain.contains("PLAYBACK") || plain.contains("P</"), "{file:?}");
    }
}

#[test]
fn a_picture_that_cannot_be_drawn_is_refused_with_the_next_step() {
    let file = shipped().remove(0);
    for (arguments, reason) in [
        (&["--size", "5x5"][..], "like 120x40"),
        (&["--screen", "nope"], "one of: overview"),
        (&["--theme", "nope"], "nope"),
        (&["--at", "noon"], "neither a time nor a duration"),
    ] {
        let output = Command::new(PROGRAM)
            .args(["export", "--as", "svg"])
            .args(arguments)
            .arg(&file)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}
