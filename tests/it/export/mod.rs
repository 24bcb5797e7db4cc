//! Exports by the binary: the same file gives the same bytes wherever it is exported, a cast
//! plays to what the console draws, names leave no trace, and nonsense is refused.

mod anonymous;
mod cast;
mod files;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::PROGRAM;

/// A recording that ships with the program.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("recordings")
        .join(name)
        .with_extension("mcap")
}

fn export_with(environment: &[(&str, &str)], recording: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .arg("export")
        .arg(recording)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What an export that succeeds writes.
#[track_caller]
fn export(recording: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = export_with(&[], recording, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

#[track_caller]
fn text(recording: &Path, arguments: &[&str]) -> String {
    String::from_utf8(export(recording, arguments)).unwrap()
}
