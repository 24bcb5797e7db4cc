//! The binary's command line: help, exit codes, error lines, secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The configuration folder with a secret in every place that can hold one.
fn planted() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config")
}

/// The binary in an empty environment and an empty home folder.
struct Run {
    home: tempfile::TempDir,
    command: Command,
}

impl Run {
    fn new(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwatch"));
        command
            .args(args)
            .env_clear()
            .env("HOME", home.path())
            .env("COLUMNS", "80")
            .current_dir(home.path())
            .stdin(Stdio::null());
        Self { home, command }
    }

    fn variable(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".config/hookwatch/hookwatch.toml", text)
    }

    fn output(mut self) -> Ended {
        let output = self.command.output().unwrap();
        Ended::new(&output, self.home.path())
    }
}

/// What a run left behind; the home folder is written `~`.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn new(output: &Output, home: &Path) -> Self {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .unwrap()
                .replace(home.to_str().unwrap(), "~")
        };
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

fn run(args: &[&str]) -> Ended {
    Run::new(args).output()
}

/// Every line of standard error is a message of ours: no backtrace, no debug print.
fn refused(run: Run, line: &str) {
    let ended = run.output();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.out, "", "{ended:?}");
    assert!(
        ended.err.lines().all(|line| line.starts_with("hookwatch: ")),
        "{}",
        ended.err
    );
    assert!(
        ended.err.lines().any(|got| got == format!("hookwatch: {line}")),
        "wanted {line}\ngot {}",
        ended.err
    );
}

// Help.

#[test]
fn help_and_version_are_printed_and_succeed() {
    let ended = run(&["--version"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), concat!("hookwatch ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    for args in [
        vec!["--help"],
        vec!["-h"],
        vec!["help"],
        vec!["watch", "--help"],
        vec!["snapshot", "--help"],
        vec!["check", "--help"],
        vec!["config", "--help"],
        vec!["demo", "--help"],
        vec!["play", "--help"],
        vec!["lab", "--help"],
        vec!["lab", "up", "--help"],
        vec!["lab", "gateway", "--help"],
        vec!["lab", "worker", "--help"],
        vec!["lab", "load", "--help"],
        vec!["lab", "fault", "--help"],
        vec!["themes", "--help"],
        vec!["keys", "--help"],
        vec!["completions", "--help"],
        vec!["man", "--help"],
    ] {
        let ended = run(&args);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.out.contains("Usage: hookwatch"), "{}", ended.out);
        for line in ended.out.lines() {
            assert!(hookwatch::base::text::width(line) <= 80, "{args:?}: {line}");
        }
    }
}

#[test]
fn the_parts_of_the_pipeline_name_the_variables_that_they_read() {
    let shared = include_str!("../../src/pipeline/settings.rs");
    for (part, own) in [
        ("gateway", include_str!("../../src/pipeline/gateway/config.rs")),
        ("worker", include_str!("../../src/pipeline/worker/config.rs")),
    ] {
        let help = run(&["lab", part, "--help"]).out;
        let mut read = 0;
        for source in [shared, own] {
            let code = source.split("#[cfg(test)]").next().unwrap();
            for name in code.split('"').skip(1).step_by(2) {
                let is_variable = name.contains('_') && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
                if is_variable {
                    read += 1;
                    assert!(help.contains(name), "{part}: {name}\n{help}");
                }
            }
        }
        assert!(read > 8, "{part}: {read}");
    }
}

#[test]
fn a_part_that_never_reached_its_servers_says_so_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut run = Run::new(&["lab", "worker", "--log", log.to_str().unwrap()])
        .variable("NATS_URL", "nats://127.0.0.1:9")
        .variable("DATABASE_URL", "postgres://bob:hunter2@127.0.0.1:9/x");
    let mut worker = run.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut told = String::new();
    // Another process writes it: there is no event to await.
    for _ in 0..600 {
        told = fs::read_to_string(&log).unwrap_or_default();
        if told.contains("NATS client error") && told.contains("unhealthy") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    let line = |words: &str| told.lines().filter(|line| line.contains(words)).count();
    assert_eq!(
        (line("NATS client error"), line("check=\"database\"")),
        (1, 1),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_changes_no_exit_code() {
    let full = |args: &[&str]| {
        let mut run = Run::new(args);
        run.command
            .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        run.output()
    };
    // Code 1 would be a warning to a monitoring system.
    let ended = full(&["check", "--wait", "300ms", "--metrics", "127.0.0.1:9"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("cannot write to standard output"), "{ended:?}");
    assert_eq!(full(&["themes"]).code, Some(1));

    let ended = run(&[
        "--log",
        "/dev/full",
        "snapshot",
        "--wait",
        "300ms",
        "--metrics",
        "127.0.0.1:9",
    ]);
    assert_eq!(ended.code, Some(1), "the target's, not the log's: {ended:?}");
    assert!(
        ended
            .err
            .contains("warning: --log: lines are missing in /dev/full: No space left on device"),
        "{ended:?}"
    );
}

#[test]
fn the_log_tells_when_a_source_fails() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    run(&[
        "--log",
        log.to_str().unwrap(),
        "snapshot",
        "--wait",
        "3s",
        "--metrics",
        "gw=http://127.0.0.1:9/metrics",
    ]);
    let told = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("a source cannot be read"))
        .collect();
    assert_eq!(lines.len(), 1, "once, however often it is tried: {told}");
    assert!(
        lines[0].contains("gw") && lines[0].contains("connection refused"),
        "{told}"
    );
}

#[test]
fn wrong_usage_exits_with_2_and_for_a_check_with_3() {
    for args in [
        vec!["lab", "fault", "bogus"],
        vec!["lab", "load", "--rate", "0"],
        vec!["--bogus"],
        vec!["bogus"],
        vec!["snapshot", "--wait", "3"],
        vec!["completions", "tcsh"],
        vec!["--theme", "x", "snapshot"],
    ] {
        let ended = run(&args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ended.err.starts_with("error: "), "{}", ended.err);
    }
    for args in [
        ["check", "--bogus"].as_slice(),
        &["--profile", "shop", "check", "--bogus"],
    ] {
        let ended = run(args);
        assert_eq!(ended.code, Some(3), "{args:?}");
        assert!(
            ended.out.starts_with("UNKNOWN - ") && ended.out.lines().count() == 1,
            "{}",
            ended.out
        );
    }
}

#[test]
fn wrong_usage_does_not_echo_the_credentials_in_it() {
    for args in [
        vec!["nats://bob:PLANTED@h"],
        vec!["check", "nats://bob:PLANTED@h"],
        vec!["snapshot", "--wait", "nats://bob:PLANTED@h"],
    ] {
        let ended = run(&args);
        assert!(
            !ended.err.contains("PLANTED") && !ended.out.contains("PLANTED"),
            "{ended:?}"
        );
    }
}

#[test]
fn themes_and_keys_are_listed() {
    let ended = run(&["themes"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.lines().any(|line| line == "dark") && ended.out.lines().count() >= 6,
        "{}",
        ended.out
    );
    let broken = Run::new(&["themes"])
        .file(".config/hookwatch/themes/mine.toml", "nonsense = 1")
        .output();
    assert_eq!((broken.code, broken.out.as_str()), (Some(1), ended.out.as_str()));
    assert!(broken.err.contains("mine.toml"), "{}", broken.err);
    let ended = run(&["keys"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.lines().any(|line| line.trim_start().starts_with("q ")),
        "{}",
        ended.out
    );
}

#[test]
fn the_guard_is_not_advertised() {
    assert!(!run(&["lab", "--help"]).out.contains("guard"));
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(
            ended.out.contains("snapshot") && ended.out.contains("monitoring"),
            "{shell}"
        );
    }
}

#[test]
fn the_manual_is_troff() {
    for (args, title) in [
        (vec!["man"], ".TH hookwatch 1"),
        (vec!["man", "snapshot"], ".TH hookwatch-snapshot 1"),
    ] {
        let ended = run(&args);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(
            ended.out.contains(title) && ended.out.contains(".SH SYNOPSIS"),
            "{}",
            ended.out
        );
    }
    refused(
        Run::new(&["man", "nope"]),
        "there is no such command to have a manual page → one of: watch, snapshot, check, dlq, record, play, verify, export, fire, config, demo, lab, themes, keys, completions, man, \
         help",
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for args in [vec!["config", "--example"], vec!["completions", "bash"], vec!["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut run = Run::new(&args);
        let output = run
            .command
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let mut run = Run::new(&["config", "--example"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = run.command.stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

// Configuration.

#[test]
fn the_example_can_be_used_as_it_is_printed() {
    let example = run(&["config", "--example"]);
    assert_eq!((example.code, example.err.as_str()), (Some(0), ""));
    let ended = Run::new(&["config"]).config(&example.out).output();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.starts_with("# ~/.config/hookwatch/hookwatch.toml\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("nats://127.0.0.1:4222"), "{}", ended.out);
}

#[test]
fn the_path_of_the_file_is_told() {
    assert_eq!(run(&["config", "--path"]).out, "~/.config/hookwatch/hookwatch.toml\n");
    let ended = Run::new(&["config", "--path"])
        .variable("XDG_CONFIG_HOME", "/etc/xdg")
        .output();
    assert_eq!(ended.out, "/etc/xdg/hookwatch/hookwatch.toml\n");
    assert_eq!(run(&["config", "--path", "--config", "x.toml"]).out, "x.toml\n");
}

#[test]
fn each_value_is_shown_with_where_it_is_from() {
    let ended = Run::new(&["config", "--stream", "hooks"])
        .config("[profile.a.nats]\nurl = 'nats://file'\n[profile.a.metrics]\ntargets = ['h:9100']\ninterval = '5s'\n")
        .variable("HOOKWATCH_DLQ", "dead")
        .output();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let from = |key: &str| {
        let line = ended
            .out
            .lines()
            .find(|line| line.split_whitespace().next() == Some(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in {}", ended.out));
        line.split("  ")
            .filter(|cell| !cell.is_empty())
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(from("profile"), ["profile", "a", "default"]);
    assert_eq!(from("pipeline.stream"), ["pipeline.stream", "hooks", "flag --stream"]);
    assert_eq!(
        from("pipeline.dlq"),
        ["pipeline.dlq", "dead", "environment HOOKWATCH_DLQ"]
    );
    assert_eq!(
        from("nats.url"),
        [
            "nats.url",
            "nats://file:4222",
            "file ~/.config/hookwatch/hookwatch.toml:2"
        ]
    );
    assert_eq!(from("metrics.h:9100")[1], "http://h:9100/metrics");
    assert_eq!(
        from("metrics.interval"),
        ["metrics.interval", "5s", "file ~/.config/hookwatch/hookwatch.toml:5"]
    );
    assert_eq!(from("metrics.timeout"), ["metrics.timeout", "1s500ms", "default"]);
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_nearest() {
    for command in ["watch", "snapshot", "config"] {
        refused(
            Run::new(&[command]).config("[profile.a.nats]\nurl = 'x'\nmonitorin = 'y'\n"),
            "~/.config/hookwatch/hookwatch.toml:3: unknown key `monitorin` in [profile.a.nats] → did you mean `monitoring`?",
        );
    }
}

#[test]
fn everything_wrong_with_a_file_is_told_at_once() {
    let run = Run::new(&["snapshot"]).config("lable = 'x'\n[metrics]\ninterval = 3\n[thresholds]\nlatency = 'slow'\n");
    let ended = run.output();
    assert_eq!(ended.code, Some(2));
    assert_eq!(
        ended.err,
        "hookwatch: ~/.config/hookwatch/hookwatch.toml:1: unknown key `lable` at the top level → did you mean `label`?\n\
         hookwatch: ~/.config/hookwatch/hookwatch.toml:3: `metrics.interval` wants a duration like \"20s\", not a whole number\n\
         hookwatch: ~/.config/hookwatch/hookwatch.toml:5: `thresholds.latency` not a duration: write it like 500ms, 20s or 2m\n"
    );
}

#[test]
fn what_cannot_be_read_is_named_with_the_next_step() {
    refused(
        Run::new(&["snapshot", "--config", "none.toml"]),
        "--config: cannot read the configuration none.toml: No such file or directory (os error 2) → hookwatch config \
         --example prints one to start from",
    );
    refused(
        Run::new(&["snapshot", "--creds", "none.creds"]),
        "--creds: cannot read the file of the creds, none.creds: No such file or directory (os error 2) → check the path \
         and its permissions",
    );
    refused(
        Run::new(&["snapshot", "--creds", "."]),
        "--creds: cannot read the file of the creds, .: Is a directory (os error 21) → check the path and its permissions",
    );
    refused(
        Run::new(&["snapshot", "--context", "prod"]),
        "--context: cannot read the NATS context `prod` (~/.config/nats/context/prod.json): No such file or directory \
         (os error 2) → there is no context: `nats context add` makes one, and --nats does without",
    );
    refused(
        Run::new(&["snapshot", "--profile", "prod"]).config("[profile.production]\n"),
        "--profile: there is no profile `prod` in ~/.config/hookwatch/hookwatch.toml → there are: production",
    );
    refused(
        Run::new(&["snapshot", "--nats", "a", "--log", "/nowhere/log"]),
        "--log: cannot write /nowhere/log: No such file or directory (os error 2) → name a file in a folder that you may \
         write to",
    );
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    refused(
        Run::new(&["snapshot"]).config("[profile.a.nats]\ntoken_env = 'NATS_TOKEN'\n"),
        "~/.config/hookwatch/hookwatch.toml:2: the variable `NATS_TOKEN` for the token is not set → set it before the start",
    );
}

#[test]
fn a_bad_url_is_told_with_its_reason() {
    refused(
        Run::new(&["snapshot", "--nats", "ws://h"]),
        "--nats: the URL of `nats.url` cannot be used: WebSocket connections are not supported → write it like \
         nats://host:4222, or tls://host:4222 for TLS",
    );
    refused(
        Run::new(&["snapshot"]).variable("DATABASE_URL", "mysql://app:PLANTED@h/x"),
        "$DATABASE_URL: the URL of `postgres.url` cannot be used: `mysql` is not a scheme of Postgres → write it like \
         postgres://host:5432/database",
    );
}

#[test]
fn nothing_to_watch_is_refused_with_what_to_do() {
    let line = "nothing to watch: neither NATS nor metrics nor Postgres is configured → give --nats, --metrics or \
                --postgres, or write a profile: hookwatch config --example shows how";
    refused(Run::new(&[]), line);
    refused(Run::new(&["snapshot"]), line);
    let ended = run(&["check"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(3), ""));
    assert_eq!(ended.out, format!("UNKNOWN - {line}\n"));
    let ended = run(&["check", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&value["status"], &value["code"], &value["profile"]),
        (&"unknown".into(), &3.into(), &serde_json::Value::Null)
    );
}

#[test]
fn the_console_wants_a_terminal() {
    for args in [
        vec!["--metrics", "127.0.0.1:9"],
        vec!["watch", "--metrics", "127.0.0.1:9"],
        vec!["demo"],
    ] {
        refused(
            Run::new(&args),
            "the console needs a terminal → hookwatch snapshot prints one reading",
        );
    }
}

// Readings. Nothing listens on port 9.

#[test]
fn a_snapshot_without_an_answer_is_printed_and_partial() {
    let ended = run(&[
        "snapshot",
        "--json",
        "--wait",
        "300ms",
        "--metrics",
        "gw=http://127.0.0.1:9/metrics",
    ]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.out.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["hookwatch"], env!("CARGO_PKG_VERSION"));
    assert_eq!(value["read_only"], true);
    assert!(value["flow"]["backlog"].is_null() && value["flow"]["received_per_s"].is_null());
    let ended = run(&["snapshot", "--wait", "300ms", "--metrics", "127.0.0.1:9"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.out.contains("\nFlow\n") && !ended.out.contains('\u{1b}'),
        "{}",
        ended.out
    );
}

#[test]
fn a_check_without_an_answer_is_unknown() {
    let ended = run(&["check", "--wait", "300ms", "--metrics", "gw=http://127.0.0.1:9/metrics"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.starts_with("UNKNOWN - gw cannot be read"), "{}", ended.out);
    assert!(
        ended
            .out
            .trim_end()
            .ends_with("| backlog=U oldest=U received=U processed=U written=U dead_letters=U"),
        "{}",
        ended.out
    );
}

#[test]
fn an_interrupt_ends_with_130() {
    let mut run = Run::new(&["snapshot", "--wait", "10m", "--metrics", "127.0.0.1:9", "--log", "log"])
        .variable("HOOKWATCH_LOG", "hookwatch=debug");
    let mut child = run.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = run.home.path().join("log");
    while !fs::read_to_string(&log).is_ok_and(|text| text.contains("interrupts are handled")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
}

// Secrets.

#[test]
fn no_secret_is_ever_printed_or_logged() {
    let mut ways: Vec<Vec<&str>> = ["inline", "elsewhere", "creds", "nkey", "jwt", "variables"]
        .iter()
        .map(|name| vec!["--profile", name])
        .collect();
    ways.extend(
        ["password", "nkey", "jwt", "token", "url", "creds"]
            .iter()
            .map(|name| vec!["--context", name]),
    );
    ways.push(vec![
        "--nats",
        "nats://PLANTED@127.0.0.1:9",
        "--postgres",
        "postgres://a:PLANTED@127.0.0.1:9/x",
    ]);
    ways.push(vec!["--metrics", "http://ann:PLANTED@127.0.0.1:9/m"]);
    std::thread::scope(|scope| {
        for way in &ways {
            scope.spawn(|| prints_no_secret(way));
        }
    });
}

fn prints_no_secret(way: &[&str]) {
    for command in [
        vec!["config"],
        vec!["snapshot", "--json", "--wait", "400ms"],
        vec!["check", "--wait", "400ms"],
    ] {
        let args: Vec<&str> = command.iter().chain(way).chain(&["--log", "log"]).copied().collect();
        let mut run = Run::new(&args)
            .variable("XDG_CONFIG_HOME", planted())
            .variable("HOOKWATCH_LOG", "trace")
            .variable("PASSWORD", "PLANTED$env word")
            .variable("DATABASE", "postgres://app:PLANTED@127.0.0.1:9/x")
            .variable("PGPASSWORD", "PLANTED-pg");
        let output = run.command.output().unwrap();
        let ended = Ended::new(&output, run.home.path());
        assert!(ended.code != Some(2) && ended.code != Some(101), "{args:?} {ended:?}");
        let log = run.home.path().join("log");
        let logged = fs::read_to_string(&log).unwrap();
        assert!(logged.contains("started"), "{logged}");
        assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
        for text in [&ended.out, &ended.err, &logged] {
            assert!(!text.contains("PLANTED"), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_secret_that_others_can_see_is_warned_of() {
    let ended = run(&["config", "--nats", "nats://bob:hunter22@127.0.0.1:9"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.err,
        "hookwatch: warning: --nats: everybody on this machine can see the password in the list of processes; use the \
         environment or a profile\n"
    );
    assert_eq!(
        Run::new(&["config"])
            .variable("NATS_URL", "nats://bob:hunter22@h")
            .output()
            .err,
        ""
    );
}
