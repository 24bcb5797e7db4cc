//! Recordings played by the real binary in a pseudo-terminal, live sessions stepped back into,
//! and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hookwatch::record::{RecordWriter, Recording, Redaction, SessionInfo, read_notes};

use crate::support::{self, PROGRAM};
use crate::terminal::Terminal;

const LIMIT: Duration = Duration::from_secs(30);

/// A recording that ships with the program.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name)
}

/// A copy of one, in a folder of its own.
fn copy(name: &str, folder: &Path) -> PathBuf {
    let path = folder.join(name);
    fs::copy(shipped(name), &path).unwrap();
    path
}

fn play(path: &Path, more: &[&str], columns: u16, rows: u16) -> Terminal {
    let args = [&["play", path.to_str().unwrap()], more].concat();
    Terminal::start(&args, &[], columns, rows)
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().stdin(Stdio::null());
    command.output().unwrap()
}

fn refused(args: &[&str], reason: &str) {
    let output = run(args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains(reason), "{args:?}: {told}");
}

/// Whether it stands paused at a position, and no message hides the keys.
fn stands_at(position: &str) -> impl Fn(&str) -> bool {
    let place = format!("{position} / ");
    move |screen| screen.contains("paused") && screen.contains(&place) && screen.contains("space play")
}

#[test]
fn a_recording_plays_pauses_seeks_and_ends() {
    let mut terminal = play(&shipped("database-outage.mcap"), &[], 120, 40);
    terminal.see("PLAYBACK");
    terminal.wait("it plays", LIMIT, |screen| {
        screen.contains("playing 1×") && screen.contains("0:02 / 0:44")
    });
    terminal.press(" ");
    terminal.see("paused");
    terminal.press("{");
    terminal.see("No alert before this moment");
    terminal.press("}");
    terminal.wait("the first alert", LIMIT, |screen| {
        screen.contains("06:22:1") && screen.contains("Circuit breaker open")
    });
    terminal.press(":goto 06:22:30\r");
    terminal.wait("the time that was typed", LIMIT, stands_at("0:24"));
    terminal.press("\u{1b}[D");
    terminal.wait("5 s before", LIMIT, stands_at("0:19"));
    terminal.press("0");
    terminal.wait("the beginning", LIMIT, stands_at("0:00"));
    terminal.press("\u{1b}5");
    terminal.wait("the middle", LIMIT, stands_at("0:22"));
    terminal.press(":goto 23:00\r");
    terminal.see("no such moment: it goes from 06:22:05 to 06:22:50");
    terminal.press("r");
    terminal.see("only a live session can do that");
    terminal.press("T");
    terminal.see("Theme");
    terminal.resize(80, 24);
    terminal.wait("the small screen", LIMIT, stands_at("0:22"));
    terminal.press(">>>>");
    terminal.see("16×");
    terminal.press(" ");
    terminal.see("The end of the recording");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[test]
fn the_same_moment_is_the_same_screen_in_two_processes() {
    let screen = || {
        let mut terminal = play(&shipped("poison.mcap"), &["--at", "50%", "--theme", "light"], 120, 40);
        terminal.see("playing");
        terminal.press(" ");
        terminal.see("paused");
        terminal.press(":goto 20s\r");
        let screen = terminal.wait("a moment", LIMIT, stands_at("0:20"));
        terminal.press("q");
        assert_eq!(terminal.end(LIMIT), 0);
        screen
    };
    assert_eq!(screen(), screen());
}

#[test]
fn a_loop_begins_anew_with_what_it_began_with() {
    let more = ["--loop", "--speed", "16", "--at", "90%"];
    let mut terminal = play(&shipped("steady.mcap"), &more, 100, 30);
    terminal.wait("near its end", LIMIT, |screen| {
        screen.contains("loop") && screen.contains("playing 16×")
    });
    terminal.wait("its beginning again", LIMIT, |screen| {
        ["0:00 /", "0:01 /", "0:02 /", "0:03 /", "0:04 /", "0:05 /"]
            .iter()
            .any(|at| screen.contains(at))
    });
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[test]
fn a_note_is_kept_beside_the_recording_which_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy("poison.mcap", folder.path());
    let original = fs::read(&path).unwrap();
    let mut terminal = play(&path, &["--at", "10s"], 120, 40);
    terminal.see("playing");
    terminal.press(" ");
    terminal.see("paused");
    terminal.press(":goto 15s\r");
    terminal.wait("a moment", LIMIT, stands_at("0:15"));
    terminal.press("mfirst poison \u{202e}here\r");
    terminal.see("poison.mcap.notes.json");
    terminal.see("◆ first poison");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    assert_eq!(fs::read(&path).unwrap(), original);
    let notes = read_notes(&path).unwrap();
    assert_eq!(notes.len(), 1);

    // It is there again, and one can go to it.
    let mut terminal = play(&path, &[], 120, 40);
    terminal.see("◆ 1");
    terminal.press("'");
    terminal.see("Markers and alerts");
    terminal.see("first poison");
    terminal.press("'");
    terminal.press(" ");
    terminal.see("paused");
    terminal.press("]");
    terminal.wait("the caption where it was put", LIMIT, |screen| {
        screen.contains("0:15 /") && screen.contains("◆ first poison")
    });
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[test]
fn notes_that_cannot_be_read_are_said_and_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy("steady.mcap", folder.path());
    let notes = folder.path().join("steady.mcap.notes.json");
    fs::write(&notes, "{ half").unwrap();
    let mut terminal = play(&path, &[], 120, 40);
    terminal.see("read the notes in");
    terminal.press("mmine\r");
    terminal.see("there is no file to keep it in");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    assert_eq!(fs::read_to_string(&notes).unwrap(), "{ half");
}

#[test]
fn of_a_damaged_recording_what_is_intact_is_played_and_what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy("steady.mcap", folder.path());
    let mut bytes = fs::read(&path).unwrap();
    // Its end was never written, and somewhere in the middle a page is lost.
    bytes.truncate(bytes.len() * 9 / 10);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 512].fill(0);
    fs::write(&path, &bytes).unwrap();
    let mut terminal = play(&path, &["--speed", "16"], 120, 40);
    terminal.see("missing");
    terminal.wait("what is intact", LIMIT, |screen| {
        screen.contains("balanced") || screen.contains("✔ received")
    });
    terminal.press("N");
    terminal.see("Messages");
    terminal.see("at byte");
    terminal.press("N");
    terminal.wait("the messages closed", LIMIT, |screen| !screen.contains("at byte"));
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the file is only read");
}

#[test]
fn what_cannot_be_played_is_refused_with_a_reason_and_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let steady = copy("steady.mcap", folder.path());
    let steady = steady.to_str().unwrap();
    for (args, reason) in [
        (vec![write("empty.mcap", b"")], "the file is empty"),
        (
            vec![write("text.mcap", b"hello, this is no recording")],
            "not an MCAP file",
        ),
        (vec![write("later.mcap", &later_major())], "update hookwatch"),
        (vec![folder.path().join("none").display().to_string()], "check the path"),
        (
            vec![steady.to_owned(), "--at=23:00".to_owned()],
            "no such moment: it goes from",
        ),
        (vec![steady.to_owned(), "--at=10h".to_owned()], "longer than it is"),
        (vec![steady.to_owned(), "--at=soon".to_owned()], "no time: soon"),
        (vec![steady.to_owned(), "--speed=3".to_owned()], "one of 0.5, 1, 2"),
        (
            vec![steady.to_owned(), "--record=x".to_owned()],
            "nothing live to record",
        ),
        (vec![steady.to_owned()], "needs a terminal"),
    ] {
        let args: Vec<&str> = std::iter::once("play").chain(args.iter().map(String::as_str)).collect();
        refused(&args, reason);
    }
    fs::create_dir(folder.path().join("nothing")).unwrap();
    let nothing = folder.path().join("nothing");
    refused(
        &["play", nothing.to_str().unwrap()],
        "no recording (*.mcap) in this folder",
    );
    assert_eq!(fs::read(steady).unwrap(), fs::read(shipped("steady.mcap")).unwrap());
    assert_eq!(
        fs::read(folder.path().join("text.mcap")).unwrap(),
        b"hello, this is no recording"
    );
}

/// A recording of a later major version.
fn later_major() -> Vec<u8> {
    let recording = Recording::open(&shipped("steady.mcap")).unwrap();
    let info = SessionInfo {
        schema: "2.0".to_owned(),
        ..SessionInfo::clone(recording.info())
    };
    let start = info.start;
    let writer = RecordWriter::new(Vec::new(), info, start, Redaction::default()).unwrap();
    writer.finish().map_err(|(error, _)| error).unwrap()
}

#[test]
fn a_folder_is_played_as_one_recording() {
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("day");
    fs::create_dir(&day).unwrap();
    copy("steady.mcap", &day);
    copy("poison.mcap", &day);
    let mut terminal = play(&day, &["--speed", "16"], 120, 40);
    terminal.wait("two sessions with a hole between them", LIMIT, |screen| {
        screen.contains("╱╱╱") && screen.contains(" day ")
    });
    terminal.see("Nothing was recorded for");
    terminal.see("The end of the recording");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[test]
fn without_servers_the_demo_is_a_recording_that_says_so() {
    let said = "this is a recording of the demo: nothing here is live";
    let mut terminal = Terminal::start(&["demo", "--recorded"], &[], 120, 40);
    terminal.see(said);
    let screen = terminal.wait("its figures", LIMIT, |screen| screen.contains("✔ received"));
    assert!(
        screen.contains("DEMO") && screen.contains("PLAYBACK") && !screen.contains("LIVE"),
        "{screen}"
    );
    terminal.press("mno file\r");
    terminal.see("there is no file to keep it in");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);

    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["demo", "--recorded", "--headless", "1s"])
        .env_clear()
        .current_dir(empty.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(said), "{told}");
    let snapshot: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(snapshot["flow"]["received_per_s"].as_f64().unwrap() > 0.0, "{snapshot}");
    assert_eq!(snapshot["read_only"], true);
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_watched_session_is_recorded_from_its_beginning_or_from_a_key_on() {
    let url = support::servers().await.nats_url().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let vars = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let first = folder.path().join("first.mcap");
    let args = ["watch", "--nats", &url, "--record", first.to_str().unwrap()];
    let mut terminal = Terminal::start(&args, &vars, 120, 40);
    terminal.see("REC");
    terminal.see("LIVE");
    terminal.press("mbegan\r");
    terminal.see("Marked");
    terminal.press("r");
    terminal.wait("the end of the recording", LIMIT, |screen| {
        screen.contains("recorded") && screen.contains("first.mcap") && !screen.contains(" REC ")
    });
    terminal.press("r");
    terminal.wait("a recording with a name of its own", LIMIT, |screen| {
        screen.contains("Recording to") && screen.contains(" REC")
    });
    let path = first.to_str().unwrap();
    terminal.press(&format!(":save {path}\r"));
    terminal.see(":save!");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);

    assert_eq!(run(&["verify", path]).status.code(), Some(0));
    let recording = std::sync::Arc::new(Recording::open(&first).unwrap());
    assert_eq!(recording.outline().markers[0].text, "began");
    let own: Vec<PathBuf> = fs::read_dir(state.join("hookwatch/recordings"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(own.len(), 1, "{own:?}");
    let output = run(&["verify", own[0].to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_disk_stops_the_recording_and_the_console_goes_on() {
    let url = support::servers().await.nats_url().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.mcap");
    // Blocks of 512 bytes: the beginning fits, the first chunk of 10 s does not.
    let line = "trap '' XFSZ; ulimit -f 9; exec \"$0\" watch --nats \"$1\" --record \"$2\"";
    let args = ["-c", line, PROGRAM, &url, path.to_str().unwrap()];
    let mut terminal = Terminal::start_program(Path::new("/bin/sh"), &args, &[], 120, 40);
    terminal.see("REC");
    terminal.see("the recording stopped");
    terminal.wait("no recording, and data", LIMIT, |screen| {
        !screen.contains(" REC ") && screen.contains("LIVE")
    });
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}

#[test]
fn a_live_session_is_stepped_back_into_saved_and_played() {
    let folder = tempfile::tempdir().unwrap();
    crate::lab::open_to_all(folder.path());
    let saved = folder.path().join("saved.mcap");
    let vars = [("TMPDIR", folder.path().to_str().unwrap())];
    let mut terminal = Terminal::start(&["demo"], &vars, 120, 40);
    terminal.wait("a line that balances", LIMIT, |screen| screen.contains("✔ received"));
    terminal.press("mmark me\r");
    terminal.see("Marked");
    terminal.press("R");
    terminal.see("REWIND −0:0");
    terminal.see("paused");
    terminal.press(",,,");
    terminal.press("D");
    terminal.see("largest change first");
    terminal.press("D");
    terminal.wait("it falls further behind while live goes on", LIMIT, |screen| {
        screen.contains("REWIND −0:1")
    });
    terminal.press(&format!(":save {}\r", saved.display()));
    terminal.wait("it is saved", LIMIT, |screen| {
        screen.contains("saved") && screen.contains("items")
    });
    terminal.press("R");
    terminal.wait("live again", LIMIT, |screen| {
        screen.contains("LIVE") && !screen.contains("REWIND")
    });
    terminal.press("[");
    terminal.wait("the marker", LIMIT, |screen| {
        screen.contains("REWIND") && screen.contains("◆ mark me")
    });
    terminal.press("R");
    terminal.see("LIVE");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);

    assert_eq!(run(&["verify", saved.to_str().unwrap()]).status.code(), Some(0));
    let mut terminal = play(&saved, &[], 120, 40);
    terminal.see("saved.mcap");
    terminal.see("◆ 1");
    terminal.press("q");
    assert_eq!(terminal.end(LIMIT), 0);
}
