//! The guard: a process of its own that owns every server and every part of a lab, so that
//! nothing is left behind however the lab's own process ends.
//!
//! It reads orders, one JSON object a line, from its standard input and writes reports to its
//! standard output. The end of its input is the end of the lab, whether the parent closed it,
//! panicked or was killed with -9: the guard then stops what it started, last stage first, and
//! removes the folder. It sits in a session of its own, so ^C, a closed terminal and ^Z reach
//! the parent alone; a SIGTERM sent to the guard itself ends the lab in the same orderly way.
//!
//! [`run`] is the process, [`Guard`] is the handle that the parent holds. The protocol below
//! is theirs alone: both ends are always the same binary.

mod handle;
mod keeper;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{secret, text};

pub use handle::{Guard, GuardError, Status};
pub use keeper::run;

/// A signal that a lab sends to one of its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM: drain and exit.
    Term,
    /// SIGINT: for Postgres, disconnect everybody and exit.
    Int,
    /// SIGQUIT: for Postgres, exit at once and recover at the next start.
    Quit,
    /// SIGKILL.
    Kill,
    /// SIGSTOP: hang.
    Stop,
    /// SIGCONT: go on.
    Continue,
}

impl Signal {
    fn number(self) -> rustix::process::Signal {
        use rustix::process::Signal as S;
        match self {
            Self::Term => S::TERM,
            Self::Int => S::INT,
            Self::Quit => S::QUIT,
            Self::Kill => S::KILL,
            Self::Stop => S::STOP,
            Self::Continue => S::CONT,
        }
    }
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Its name in the lab; a name runs once at a time.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory; the lab's folder when not given.
    pub cwd: Option<PathBuf>,
    /// The user and group to become; the guard's own when not given.
    pub user: Option<(u32, u32)>,
    /// The signal that asks it to end.
    pub stop: Signal,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
    /// Higher stages end first.
    pub stage: u8,
    /// Whether its standard output is reported line by line; else it goes to the log.
    pub announces: bool,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its process id.
    pub pid: u32,
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// The end of what it wrote to its standard error.
    pub tail: String,
}

impl Exit {
    /// How it ended, without its last words.
    #[must_use]
    pub fn cause(&self) -> String {
        match (self.code, self.signal) {
            (_, Some(signal)) => format!("killed by signal {signal}"),
            (Some(code), None) => format!("exit code {code}"),
            (None, None) => "for an unknown reason".to_owned(),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause())?;
        let mut lines: Vec<&str> = self
            .tail
            .lines()
            .rev()
            .filter(|line| !line.is_empty())
            .take(3)
            .collect();
        lines.reverse();
        if !lines.is_empty() {
            let tail = lines.join(" / ");
            write!(
                f,
                ", its last words: {}",
                text::safe(&secret::strip_url_credentials(&tail))
            )?;
        }
        Ok(())
    }
}

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
enum Order {
    /// Make the lab's folder inside `base`. The first order.
    Open { base: PathBuf },
    /// Start a process.
    Start(Start),
    /// Send a signal to a process.
    Signal { name: String, signal: Signal },
    /// Ask a process to end, and kill it when its grace is over.
    Stop { name: String },
}

/// What the guard says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
enum Report {
    /// The folder is there.
    Opened { folder: PathBuf },
    /// It could not be made, or an order was not understood; the guard ends.
    Failed { reason: String },
    /// A process runs.
    Started { name: String, pid: u32 },
    /// A process could not be started.
    Refused { name: String, reason: String },
    /// A process wrote a line.
    Line { name: String, pid: u32, line: String },
    /// A process ended.
    Exited { name: String, exit: Exit },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_process_are_short_and_harmless() {
        let exit = Exit {
            pid: 1,
            code: Some(2),
            signal: None,
            tail: "one\ntwo\nconnect postgres://bob:s3cret@h/db\x1b[31m\n\nfour\n".to_owned(),
        };
        assert_eq!(
            exit.to_string(),
            "exit code 2, its last words: two / connect postgres://•••@h/db\\x1b[31m / four"
        );
        let killed = Exit {
            pid: 1,
            code: None,
            signal: Some(9),
            tail: String::new(),
        };
        assert_eq!(killed.to_string(), "killed by signal 9");
    }
}
