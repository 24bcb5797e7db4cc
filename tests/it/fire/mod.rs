//! Test webhooks from the command line and the console: on the lab's real pipeline, and against
//! independent receivers.

mod gateway;
mod receiver;
mod screen;
mod trace;

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::support::PROGRAM;

/// What a run of the program came to.
pub(super) struct Run {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Run {
    /// The last line as JSON.
    pub(super) fn last(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Every line as JSON.
    pub(super) fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// `hookwatch fire`, with an environment of its own: no variable and no configuration of ours.
pub(super) fn command(home: &Path, args: &[&str], secrets: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg("fire")
        .args(args)
        .env_clear()
        .env("HOME", home)
        .envs(secrets.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs it to its end; no secret may be in what it wrote.
pub(super) async fn fire(home: &Path, args: &[&str], secrets: &[(&str, &str)]) -> Run {
    let output = command(home, args, secrets).output().await.unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    for (name, secret) in secrets {
        let bare = secret.split_once('_').map_or(*secret, |(_, bare)| bare);
        for text in [&run.out, &run.err] {
            assert!(!text.contains(bare), "{name} is in the output: {text}");
        }
    }
    run
}
