//! The journal of a replay: what is about to be done is on disk before it is done.
//!
//! A file a replay, `replays/<id>.jsonl` in the state folder: JSON lines, each with a checksum,
//! appended and synced a window at a time, locked while its replay runs. `grep '"letter":17,'`
//! tells what became of letter 17.

pub mod line;
mod record;
mod standing;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

pub use record::{
    Begin, Entry, GivenUpBy, Hash, How, Intent, MOST_IN_A_WINDOW, Outcome, Purpose, Record, Settlement, TargetMark,
    Window,
};
pub use standing::{Counts, Stand, Standing, Standings, WindowAt};

use crate::base::time::SharedClock;

/// Why the journal cannot be used. Nothing was sent that it does not hold.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{operation} {}: {source} → {next}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
        /// What to do.
        next: &'static str,
    },
    /// Another process has it.
    #[error("open journal {}: its replay is running in another process → wait for it, or end that process", .0.display())]
    Busy(PathBuf),
    /// A line in the middle is damaged.
    #[error("read journal {}, line {line}: {reason} → it cannot be resumed from here; \
             --take-over goes by the copy that the server keeps", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A write failed before: what came after it is not known to be whole.
    #[error("write journal {}: an earlier write failed → run it again with --resume", .0.display())]
    Broken(PathBuf),
}

/// Bytes of a buffer that is kept for the next lines: a window and what is known of another.
const MOST_KEPT: usize = 1 << 20;

/// Where the journal's bytes go. Tests put something between that fails.
pub trait Medium: Send + Sync + 'static {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// When some of them were not written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything appended survives a crash of the machine.
    ///
    /// # Errors
    /// When that is not so.
    fn sync(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// What stands between the journal and its file; the file itself by default.
pub type Between = fn(File) -> Box<dyn Medium>;

/// The file itself.
#[must_use]
pub fn directly(file: File) -> Box<dyn Medium> {
    Box::new(file)
}

/// An open, locked journal.
pub struct Journal {
    path: PathBuf,
    medium: Option<Box<dyn Medium>>,
    /// For the next lines.
    buffer: Vec<u8>,
    /// Holds the lock.
    _lock: File,
    clock: SharedClock,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Appends records and returns when they are on disk, with the time that they bear.
    ///
    /// # Errors
    /// When they may not be there. Nothing can be written from then on.
    pub async fn commit(&mut self, records: Vec<Record>) -> Result<Vec<Entry>, JournalError> {
        let entries = Arc::new(self.stamp(records));
        self.write(entries.clone()).await?;
        Ok(Arc::unwrap_or_clone(entries))
    }

    /// Records with the time that they bear from now on.
    #[must_use]
    pub fn stamp(&self, records: Vec<Record>) -> Vec<Entry> {
        let at = self.clock.now().at;
        records.into_iter().map(|record| Entry { at, record }).collect()
    }

    /// Appends entries and returns when they are on disk.
    ///
    /// # Errors
    /// When they may not be there. Nothing can be written from then on.
    pub async fn write(&mut self, entries: Arc<Vec<Entry>>) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut medium = self
            .medium
            .take()
            .ok_or_else(|| JournalError::Broken(self.path.clone()))?;
        let mut bytes = std::mem::take(&mut self.buffer);
        let work = move || {
            bytes.clear();
            for entry in &*entries {
                line::encode(entry, &mut bytes)?;
            }
            // The caller has them for itself again.
            drop(entries);
            medium.append(&bytes)?;
            medium.sync()?;
            io::Result::Ok((medium, bytes))
        };
        let outcome = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
        let (medium, bytes) = outcome.and_then(|done| done).map_err(|source| JournalError::Io {
            operation: "write journal",
            path: self.path.clone(),
            source,
            next: "make room on that disk, then run it again with --resume",
        })?;
        self.medium = Some(medium);
        if bytes.capacity() <= MOST_KEPT {
            self.buffer = bytes;
        }
        Ok(())
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder of all journals.
#[derive(Clone)]
pub struct Folder {
    path: PathBuf,
    clock: SharedClock,
    between: Arc<dyn Fn(File) -> Box<dyn Medium> + Send + Sync>,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Folder {
    /// The journals in `state`, the program's state folder.
    #[must_use]
    pub fn new(state: &Path, clock: SharedClock) -> Self {
        Self {
            path: state.join("replays"),
            clock,
            between: Arc::new(directly),
        }
    }

    /// The same with something between the journals and their files.
    #[must_use]
    pub fn with_medium(mut self, between: impl Fn(File) -> Box<dyn Medium> + Send + Sync + 'static) -> Self {
        self.between = Arc::new(between);
        self
    }

    /// A new journal for replay `id`.
    ///
    /// # Errors
    /// When the file cannot be made, or is there already.
    pub fn create(&self, id: &str) -> Result<Journal, JournalError> {
        let mut builder = fs::DirBuilder::new();
        // It holds subjects and reasons: other users need not read them.
        let made = builder.recursive(true).mode(0o700).create(&self.path);
        made.map_err(|source| self.error("make folder", &self.path, source))?;
        let path = self.file(id);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|source| self.error("make journal", &path, source))?;
        // The file's name must survive a crash, too.
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| self.error("make journal", &path, source))?;
        self.lock(path, file)
    }

    /// Opens the journal of replay `id` to go on with it. A torn last line is cut off.
    ///
    /// # Errors
    /// When another process has it, when it cannot be read, or when it is damaged.
    pub fn open(&self, id: &str) -> Result<(Journal, Standings), JournalError> {
        let path = self.file(id);
        let file = OpenOptions::new().read(true).append(true).open(&path);
        let mut file = file.map_err(|source| self.error("open journal", &path, source))?;
        let error = |source| self.error("read journal", &path, source);
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| JournalError::Busy(path.clone()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(error)?;
        let lines = line::read_all::<Entry>(&bytes).map_err(|(line, reason)| JournalError::Damaged {
            path: path.clone(),
            line,
            reason: reason.to_string(),
        })?;
        if lines.torn {
            file.set_len(lines.whole)
                .and_then(|()| file.sync_all())
                .map_err(error)?;
        }
        let standings = Standings::of(&lines.entries);
        Ok((self.lock(path, file)?, standings))
    }

    /// The journals of a DLQ, oldest first, as they can be read now; running ones too.
    ///
    /// # Errors
    /// When the folder cannot be read. A file that cannot is left out with a warning in the log.
    pub fn of(&self, dlq: &str, created: crate::base::time::Timestamp) -> Result<Vec<Standings>, JournalError> {
        let mut found = Vec::new();
        let files = match fs::read_dir(&self.path) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.error("read folder", &self.path, source)),
        };
        for path in files.flatten().map(|file| file.path()) {
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let Ok(bytes) = fs::read(&path) else { continue };
            match line::read_all::<Entry>(&bytes) {
                Ok(lines) => {
                    let standings = Standings::of(&lines.entries);
                    let is_wanted = |begin: &Begin| &*begin.dlq == dlq && begin.dlq_created == created;
                    if standings.begin.as_ref().is_some_and(is_wanted) {
                        let at = lines.entries.first().map(|entry| entry.at);
                        found.push((at, standings));
                    }
                }
                Err((line, reason)) => {
                    tracing::warn!(path = %path.display(), line, %reason, "a journal cannot be read");
                }
            }
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, standings)| standings).collect())
    }

    fn lock(&self, path: PathBuf, file: File) -> Result<Journal, JournalError> {
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| JournalError::Busy(path.clone()))?;
        let lock = file
            .try_clone()
            .map_err(|source| self.error("open journal", &path, source))?;
        Ok(Journal {
            path,
            medium: Some((self.between)(file)),
            buffer: Vec::new(),
            _lock: lock,
            clock: self.clock.clone(),
        })
    }

    fn file(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.jsonl"))
    }

    #[expect(clippy::unused_self, reason = "reads as the folder's own error")]
    fn error(&self, operation: &'static str, path: &Path, source: io::Error) -> JournalError {
        JournalError::Io {
            operation,
            path: path.to_owned(),
            source,
            next: "check the folder and its rights",
        }
    }
}

#[cfg(test)]
mod tests;
