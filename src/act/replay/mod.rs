//! Replay: letters are published again, followed to their end and deleted, and whatever happens
//! in between, none is lost and none is doubled in silence.
//!
//! ```text
//! plan ─permit─▶ begin ─▶ [limbo] ─▶ canary ─▶ windows ─▶ follow ─▶ verify ─▶ report
//!                             ▲   a window: read letters, intents to journal (fsync) and bucket,
//!                             │   lease checked, published, PubAcks, landed to journal, deleted
//!                     a lost connection, a resume, a takeover
//! ```

mod ahead;
mod answer;
mod begin;
mod choose;
mod delete;
mod flight;
mod follow;
mod gateway;
mod halt;
mod limbo;
mod look;
mod marks;
mod message;
mod mirror;
mod pack;
mod parked;
mod ramp;
mod report;
mod run;
mod steer;
mod sweep;
mod window;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

pub use begin::{resume, start};
pub use follow::{Fates, Follow};

use super::exchange::ExchangeError;
use super::journal::{Counts, Folder, JournalError, Settlement};
use super::lease::{self, LeaseError};
use super::oracle::Oracle;
use super::permit::Refusal;
use crate::base::time::SharedClock;
use crate::config::NatsLink;
use crate::observe::SourceError;
use crate::signature::Signer;

/// What a replay needs of its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where NATS is.
    pub link: NatsLink,
    /// The profile's name.
    pub profile: Arc<str>,
    /// Who replays: `user@host`.
    pub who: Arc<str>,
    /// The journals.
    pub journals: Folder,
    /// The clock.
    pub clock: SharedClock,
    /// What the operator wants.
    pub steering: watch::Receiver<Steering>,
    /// How it goes.
    pub progress: watch::Sender<Progress>,
    /// How long things may take.
    pub timing: Timing,
    /// Whether somebody is there to go on after an automatic pause; else the replay ends.
    pub attended: bool,
    /// Signs letters anew, where that is asked for.
    pub signer: Option<Signer>,
    /// Who knows whether a webhook was processed, when nobody else does.
    pub oracle: Option<Oracle>,
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steering {
    /// Go on.
    #[default]
    Run,
    /// Send nothing more for now.
    Pause,
    /// Send nothing more, settle what was sent, and end.
    Cancel,
}

/// How long things may take, and how much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a lease lasts without being renewed.
    pub lease: Duration,
    /// When to look, after the last delete, whether deletes have come back.
    pub verify: Duration,
    /// How long published letters are followed while nothing happens to them.
    pub follow: Duration,
    /// How long to try to connect again.
    pub reconnect: Duration,
    /// Published letters that may wait for the workers; above, nothing more is sent.
    pub backlog: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: lease::LASTS,
            verify: Duration::from_secs(10),
            follow: Duration::from_mins(1),
            reconnect: Duration::from_mins(1),
            backlog: 10_000,
        }
    }
}

/// What a replay is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connecting, taking the lease.
    #[default]
    Starting,
    /// Finding out what became of what was sent before.
    Limbo,
    /// Following the first letters.
    Canary,
    /// Sending.
    Sending,
    /// Waiting for the workers.
    Following,
    /// Waiting whether deletes come back.
    Verifying,
    /// Waiting for the operator.
    Paused,
    /// The end.
    Ended,
}

/// How a replay goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// The replay.
    pub replay: Arc<str>,
    /// What it is doing.
    pub phase: Phase,
    /// Why it paused by itself.
    pub why: Option<String>,
    /// Letters.
    pub counts: Counts,
    /// What became of those that landed.
    pub fates: Fates,
    /// Since its start.
    pub elapsed: Duration,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every letter was published and deleted.
    Done,
    /// Some were refused, are gone or in doubt.
    Partial,
    /// It stopped by itself.
    Stopped,
    /// The operator ended it.
    Cancelled,
}

/// A letter and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Its sequence in the DLQ.
    pub letter: u64,
    /// What is to be said.
    pub reason: String,
}

/// What a replay did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Its id.
    pub replay: Arc<str>,
    /// The stream that the letters lay in.
    pub dlq: Arc<str>,
    /// How it ended.
    pub ending: Ending,
    /// Why it stopped by itself.
    pub why: Option<String>,
    /// Letters.
    pub counts: Counts,
    /// What became of those that landed in this run.
    pub fates: Fates,
    /// Deletes that had come back and were deleted again.
    pub came_back: u64,
    /// Whether the deletes were looked at again.
    pub verified: bool,
    /// The letters in doubt.
    pub in_doubt: Vec<Remark>,
    /// The first refused letters.
    pub refused: Vec<Remark>,
    /// Letters published in this run.
    pub published: u64,
    /// How long this run took.
    pub elapsed_s: f64,
    /// How long publishing took of it.
    pub publishing_s: f64,
}

/// How a resume deals with letters in doubt.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// What becomes of the letters in doubt; `None`: they stay in doubt.
    pub in_doubt: Option<Settlement>,
    /// The holder's name, typed, to take over from.
    pub take_over: Option<String>,
}

/// Why a replay did not run, or broke off. What it sent is in its journal.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] SourceError),
    /// The server did not answer as it should.
    #[error("{operation}: {source} → {next}")]
    Exchange {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: ExchangeError,
        /// What to do.
        next: &'static str,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no lease.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// There is no permit.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// There is nothing to resume.
    #[error("resume: no replay of {0} was left unfinished → nothing to do")]
    NothingToResume(String),
    /// A journal of ours was left unfinished, and the bucket knows nothing of it.
    #[error("a replay of {dlq} was left unfinished: {landed} of {selected} published → go on with --resume")]
    Unfinished {
        /// The stream.
        dlq: String,
        /// Letters that landed.
        landed: u64,
        /// Letters in all.
        selected: u64,
    },
    /// Letters are to be signed anew, and nobody says with which key.
    #[error("replay: letters are signed anew as {0} → give the key again: --secret-env VARIABLE or --secret-file FILE")]
    NoKey(String),
    /// There can be no request to the gateway.
    #[error("replay: the gateway cannot be used: {0} → check --to-url")]
    Gateway(String),
    /// The stream is another one now.
    #[error("resume: {0} was deleted and made anew since → its letters are gone, nothing can be resumed")]
    AnotherStream(String),
}

impl ReplayError {
    /// Whether it was refused before anything was sent.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refusal(_)
            | Self::NothingToResume(_)
            | Self::Unfinished { .. }
            | Self::NoKey(_)
            | Self::Gateway(_)
            | Self::AnotherStream(_) => true,
            Self::Lease(error) => !matches!(error, LeaseError::Lost(_)),
            Self::Journal(error) => matches!(error, JournalError::Busy(_) | JournalError::Damaged { .. }),
            Self::Connect(_) | Self::Exchange { .. } => false,
        }
    }
}

impl From<super::bucket::BucketError> for ReplayError {
    fn from(error: super::bucket::BucketError) -> Self {
        Self::Lease(error.into())
    }
}
