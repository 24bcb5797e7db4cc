//! What every command that changes something has in common: what it needs of its surroundings, and
//! why it did not run or broke off.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::act::audit::{Account, Action, AuditError, AuditLog};
use crate::act::calls::CallError;
use crate::act::draft::DraftError;
use crate::act::exchange::ConnectError;
use crate::act::fire::GuardError;
use crate::act::import::ImportError;
use crate::act::permit::Refusal;
use crate::act::replay::ReplayError;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{NatsLink, Profile};
use crate::headless::exit::{FAILED, REFUSED};
use crate::observe::letters::LetterError;

/// What a command needs of its surroundings.
#[derive(Clone, Debug)]
pub struct ActionContext {
    /// The profile.
    pub profile: Profile,
    /// Who: `user@host`.
    pub who: Arc<str>,
    /// The program's state folder.
    pub state: PathBuf,
    /// The clock.
    pub clock: SharedClock,
    /// Whether progress is drawn: standard error is a terminal.
    pub terminal: bool,
}

impl ActionContext {
    /// Where NATS is.
    pub(super) fn nats(&self) -> Result<&NatsLink, CommandError> {
        let link = self.profile.nats.as_ref();
        link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))
    }

    /// The dead letter stream.
    pub(super) fn dlq(&self) -> Result<&Arc<str>, CommandError> {
        let dlq = self.profile.pipeline.dlq.as_ref();
        dlq.ok_or(CommandError::Missing(
            "no dead letter stream is configured → give --dlq",
        ))
    }

    /// Writes down that an action begins.
    pub(super) fn begin(&self, action: Action<'_>) -> Result<Account, AuditError> {
        let log = AuditLog::new(&self.state, self.profile.redactor.clone());
        Account::open(log, action, &self.who, &self.profile.name, self.clock.clone())
    }
}

/// Why a command did not run, or broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("{0}")]
    Missing(&'static str),
    #[error("{0}")]
    Unread(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Letters(#[from] LetterError),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Gateway(#[from] GuardError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Calls(#[from] CallError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("write: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// Says why, and returns the exit code. `what` stands before the reason.
    pub(super) fn tell(&self, what: &str, context: &ActionContext, err: &mut impl Write) -> u8 {
        let shown = context.profile.redactor.clean(&self.to_string()).into_owned();
        // Nowhere is left to say that this could not be said.
        let _ = writeln!(err, "hookwatch dlq: {what}{}", text::safe(&shown));
        self.exit_code()
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Replay(error) if !error.is_refusal() => FAILED,
            Self::Output(_) | Self::Calls(CallError::Broken { .. }) => FAILED,
            _ => REFUSED,
        }
    }
}
