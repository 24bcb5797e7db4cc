//! The audit log: every action, who took it, where and why, and how it ended. Append-only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::journal::{Counts, line};
use super::replay::{Ending, Progress, ReplayError, Report};
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};

/// One action, or one step of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// Who: `user@host`.
    pub who: Arc<str>,
    /// The profile.
    pub profile: Arc<str>,
    /// What: an [`Action`]'s name.
    pub action: String,
    /// On which stream.
    pub dlq: Arc<str>,
    /// The replay's id.
    pub replay: Option<Arc<str>>,
    /// Which letters, as they were asked for.
    pub filter: String,
    /// Why.
    pub reason: Option<String>,
    /// How many were planned.
    pub planned: u64,
    /// What became of them; `None`: it begins.
    pub counts: Option<Counts>,
    /// How it ended: `begun`, `done`, `partial`, `stopped`, `cancelled`, `failed`, with a reason.
    pub outcome: String,
}

/// What is about to be done.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// What: `replay`, `resume`, `archive`, `import`, `retry`.
    pub name: &'static str,
    /// The stream or table that it is done to.
    pub to: &'a Arc<str>,
    /// Which of it, as it was asked for.
    pub filter: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
    /// How many are planned; 0: as many as were confirmed when it began.
    pub planned: u64,
}

impl Action<'_> {
    /// That it begins, by `who` under `profile`.
    fn begun(self, who: &Arc<str>, profile: &Arc<str>, at: Timestamp) -> Deed {
        Deed {
            at,
            who: who.clone(),
            profile: profile.clone(),
            action: self.name.to_owned(),
            dlq: self.to.clone(),
            replay: None,
            filter: self.filter.to_owned(),
            reason: self.reason.map(ToOwned::to_owned),
            planned: self.planned,
            counts: None,
            outcome: "begun".to_owned(),
        }
    }
}

/// The log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
    redactor: Redactor,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{operation} audit log {}: {source} → check its folder and rights", path.display())]
pub struct AuditError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl AuditLog {
    /// The log in `state`, the program's state folder.
    #[must_use]
    pub fn new(state: &Path, redactor: Redactor) -> Self {
        Self {
            path: state.join("audit.jsonl"),
            redactor,
        }
    }

    /// Appends a deed, on disk when this returns. Secrets and control characters are taken out.
    ///
    /// # Errors
    /// When it was not written.
    pub fn append(&self, deed: &Deed) -> Result<(), AuditError> {
        let clean = |text: &str| text::safe(&self.redactor.clean(text)).into_owned();
        let deed = Deed {
            filter: clean(&deed.filter),
            reason: deed.reason.as_deref().map(clean),
            outcome: clean(&deed.outcome),
            ..deed.clone()
        };
        let write = || -> io::Result<()> {
            if let Some(folder) = self.path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)?;
            // Another replay may write at the same time.
            flock(&file, FlockOperation::LockExclusive)?;
            let mut bytes = Vec::new();
            // What a crash left of a line does not take the next one with it.
            let torn = fs::read(&self.path)?.last().is_some_and(|last| *last != b'\n');
            if torn {
                bytes.push(b'\n');
            }
            line::encode(&deed, &mut bytes)?;
            file.write_all(&bytes)?;
            file.sync_data()
        };
        write().map_err(|source| self.error("write", source))
    }

    /// Every deed, oldest first, and how many lines are damaged.
    ///
    /// # Errors
    /// When the file cannot be read; none is an empty log.
    pub fn read(&self) -> Result<(Vec<Deed>, u64), AuditError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(source) => return Err(self.error("read", source)),
        };
        let mut deeds = Vec::new();
        let mut damaged = 0;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match line::decode(line) {
                Ok(deed) => deeds.push(deed),
                Err(_) => damaged += 1,
            }
        }
        Ok((deeds, damaged))
    }

    fn error(&self, operation: &'static str, source: io::Error) -> AuditError {
        AuditError {
            operation,
            path: self.path.clone(),
            source,
        }
    }
}

/// An action that is written down: that it begins, and how it ended. Whatever ends it before that
/// is known, an interrupt or an error on the way, is written down as `cancelled`.
#[derive(Debug)]
pub struct Account {
    log: AuditLog,
    deed: Deed,
    clock: SharedClock,
    is_open: bool,
}

impl Account {
    /// Writes down that `who` begins it under `profile`: what cannot be written down is not done.
    ///
    /// # Errors
    /// When it was not written.
    pub fn open(
        log: AuditLog,
        action: Action<'_>,
        who: &Arc<str>,
        profile: &Arc<str>,
        clock: SharedClock,
    ) -> Result<Self, AuditError> {
        let deed = action.begun(who, profile, clock.now().at);
        log.append(&deed)?;
        Ok(Self {
            log,
            deed,
            clock,
            is_open: true,
        })
    }

    /// Writes down how a replay ended. `last` is how it went until then.
    ///
    /// # Errors
    /// When it was not written.
    pub fn close(mut self, last: &Progress, end: &Result<Report, ReplayError>) -> Result<(), AuditError> {
        self.deed.replay = (!last.replay.is_empty()).then(|| last.replay.clone());
        match end {
            Ok(report) => self.end(Some(report.counts), ending(report)),
            Err(error) => self.end(Some(last.counts), format!("failed: {error}")),
        }
    }

    /// Writes down how anything else ended: its counts and whether all of it was done, or why it
    /// failed.
    ///
    /// # Errors
    /// When it was not written.
    pub fn settle<E: std::fmt::Display>(self, end: Result<(Counts, bool), &E>) -> Result<(), AuditError> {
        match end {
            Ok((counts, true)) => self.end(Some(counts), "done".to_owned()),
            Ok((counts, false)) => self.end(Some(counts), "partial".to_owned()),
            Err(error) => self.end(None, format!("failed: {error}")),
        }
    }

    fn end(mut self, counts: Option<Counts>, outcome: String) -> Result<(), AuditError> {
        self.write_end(counts, outcome)
    }

    fn write_end(&mut self, counts: Option<Counts>, outcome: String) -> Result<(), AuditError> {
        self.is_open = false;
        self.deed.at = self.clock.now().at;
        if let Some(counts) = &counts
            && self.deed.planned == 0
        {
            self.deed.planned = counts.selected;
        }
        (self.deed.counts, self.deed.outcome) = (counts, outcome);
        self.log.append(&self.deed)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.is_open {
            let outcome = "cancelled: it was broken off, nobody saw how far it came".to_owned();
            if let Err(error) = self.write_end(None, outcome) {
                tracing::error!(%error, "how the action ended is not in the audit log");
            }
        }
    }
}

fn ending(report: &Report) -> String {
    let ending = match report.ending {
        Ending::Done => "done",
        Ending::Partial => "partial",
        Ending::Stopped => "stopped",
        Ending::Cancelled => "cancelled",
    };
    match &report.why {
        Some(why) => format!("{ending}: {why}"),
        None => ending.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SystemClock;

    fn action<'a>(to: &'a Arc<str>, reason: &'a str) -> Action<'a> {
        Action {
            name: "replay",
            to,
            filter: "all",
            reason: Some(reason),
            planned: 3,
        }
    }

    fn deed(reason: &str) -> Deed {
        let (who, profile) = (Arc::from("ann@host"), Arc::from("prod"));
        action(&"dlq".into(), reason).begun(&who, &profile, Timestamp::UNIX_EPOCH)
    }

    fn account(place: &Path) -> (AuditLog, Account) {
        let log = AuditLog::new(place, Redactor::default());
        let (who, profile, to) = (Arc::from("ann@host"), Arc::from("prod"), Arc::from("dlq"));
        let begun = Account::open(log.clone(), action(&to, "one"), &who, &profile, SystemClock::shared());
        let account = begun.unwrap();
        (log, account)
    }

    fn ends(log: &AuditLog) -> Vec<(Option<u64>, String)> {
        let (deeds, damaged) = log.read().unwrap();
        assert_eq!((damaged, deeds[0].outcome.as_str()), (0, "begun"));
        let ends = deeds.into_iter().skip(1);
        ends.map(|deed| (deed.counts.map(|counts| counts.landed), deed.outcome))
            .collect()
    }

    #[test]
    fn an_action_has_one_end_whatever_ends_it() {
        let counts = Counts {
            landed: 2,
            ..Counts::default()
        };
        for (end, outcome) in [
            (Ok((counts, true)), "done"),
            (Ok((counts, false)), "partial"),
            (Err(&"no answer"), "failed: no answer"),
        ] {
            let place = tempfile::tempdir().unwrap();
            let (log, account) = account(place.path());
            account.settle(end).unwrap();
            assert_eq!(ends(&log), [(end.ok().map(|_| 2), outcome.to_owned())]);
        }
    }

    #[test]
    fn an_action_that_is_dropped_ends_as_cancelled() {
        let place = tempfile::tempdir().unwrap();
        let (log, account) = account(place.path());
        drop(account);
        let ends = ends(&log);
        assert_eq!(ends.len(), 1);
        assert!(ends[0].0.is_none() && ends[0].1.starts_with("cancelled"), "{ends:?}");
    }

    #[test]
    fn deeds_are_appended_and_read_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        let log = AuditLog::new(place.path(), Redactor::default());
        assert_eq!(log.read().unwrap(), (Vec::new(), 0));
        for reason in ["one", "two"] {
            log.append(&deed(reason)).unwrap();
        }
        assert_eq!(log.read().unwrap(), (vec![deed("one"), deed("two")], 0));
    }

    #[test]
    fn a_torn_or_changed_line_is_counted_and_hides_no_other() {
        let place = tempfile::tempdir().unwrap();
        let log = AuditLog::new(place.path(), Redactor::default());
        log.append(&deed("one")).unwrap();
        let mut bytes = fs::read(&log.path).unwrap();
        bytes.truncate(bytes.len() - 9);
        fs::write(&log.path, bytes).unwrap();
        log.append(&deed("two")).unwrap();
        assert_eq!(log.read().unwrap(), (vec![deed("two")], 1));
    }

    #[test]
    fn secrets_and_escape_sequences_do_not_reach_the_log() {
        let place = tempfile::tempdir().unwrap();
        let mut redactor = Redactor::default();
        redactor.learn("s3cret-token");
        let log = AuditLog::new(place.path(), redactor);
        log.append(&deed("with s3cret-token \u{1b}[31m")).unwrap();
        let (deeds, _) = log.read().unwrap();
        assert_eq!(deeds[0].reason.as_deref(), Some("with ••• \\x1b[31m"));
    }
}
