//! What can go wrong in a lab.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::guard::GuardError;
use super::scenario::ScenarioError;
use crate::act::fire::{FireError, TemplateError};
use crate::base::text;

/// A server that is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{program} is not installed: {install}")]
pub struct Missing {
    /// The program that was looked for.
    pub program: &'static str,
    /// How to get it here: ``install it with `apt-get install nats-server` ``.
    pub install: String,
}

/// Why the lab did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A server is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The guard, or a process that it owns.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A file of the lab.
    #[error("{operation} {}: {reason}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// No loopback port.
    #[error("reserve a port on 127.0.0.1: {0}")]
    Port(io::Error),
    /// A process that runs and yet is not ready.
    #[error("{name} was not ready within {}{}", text::duration(*.waited), if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    NotReady {
        /// Its name in the lab.
        name: String,
        /// How long it was given.
        waited: Duration,
        /// What was seen last.
        reason: String,
    },
    /// Postgres refuses to run as root, and there is nobody else to run it as.
    #[error("Postgres does not run as root: create a user named postgres, or run hookwatch as an ordinary user")]
    NoUser,
    /// The user that Postgres runs as can't enter the lab's folder.
    #[error(
        "user {user} can't enter {}, so Postgres can't run there: set TMPDIR to a folder open to all, such as /tmp",
        folder.display()
    )]
    Closed {
        /// Who.
        user: String,
        /// Which folder.
        folder: PathBuf,
    },
    /// Postgres refuses a Unix socket there.
    #[error("the path {} is too long for a socket: set TMPDIR to a shorter one, such as /tmp", .0.display())]
    LongPath(PathBuf),
    /// The lab was built without it.
    #[error("this lab has no {0}")]
    Without(String),
    /// The load could not be sent.
    #[error("load: {0}")]
    Load(#[from] FireError),
    /// A template of the load.
    #[error("load: {0}")]
    Template(#[from] TemplateError),
    /// It was asked for what cannot be: nothing was done.
    #[error("{0}")]
    Refused(String),
    /// A scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A server was asked for something and refused or did not answer.
    #[error("{operation}: {reason}")]
    Server {
        /// What was tried.
        operation: String,
        /// What it said.
        reason: String,
    },
}

impl LabError {
    /// An error of a file operation.
    pub(super) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| Self::File {
            operation,
            path,
            reason,
        }
    }

    /// An error of a request to a server. Its text may come from the server: it is made safe.
    pub(super) fn server(operation: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Server {
            operation: operation.into(),
            reason: text::safe(&crate::base::secret::strip_url_credentials(&reason.to_string())).into_owned(),
        }
    }
}
