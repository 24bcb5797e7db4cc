//! Why a recording cannot be read or written.

use std::io;
use std::path::{Path, PathBuf};

use super::item::{VERSION, Version};

/// Why a recording cannot be read or written, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refuses.
    #[error("{operation} {}: {reason}{}", path.display(), next(reason))]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// Nothing in it.
    #[error("read {}: the file is empty → it holds no recording", .0.display())]
    Empty(PathBuf),
    /// Something else.
    #[error("read {}: not an MCAP file → hookwatch reads the files that `hookwatch record` writes", .0.display())]
    NotMcap(PathBuf),
    /// An MCAP file of somebody else.
    #[error("read {}: an MCAP file, but no recording of hookwatch ({found})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        found: String,
    },
    /// Written by a later version.
    #[error("read {}: its schema is {found}, this version reads up to {}.x → update hookwatch", path.display(), VERSION.major)]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: Version,
    },
    /// Another process writes it.
    #[error("{operation} {}: another process is still writing it → wait until it has ended, or name another file", path.display())]
    Busy {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It is there already.
    #[error("write {}: it exists → name another file, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// A folder without a recording in it.
    #[error("read {}: no recording (*.mcap) in this folder", .0.display())]
    NoRecording(PathBuf),
    /// No chunk can be read.
    #[error("read {}: damaged, and nothing in it can be read ({reason})", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What was to be written cannot be encoded.
    #[error("write {}: {reason}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

fn next(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            " → make room, or record to another disk"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " → choose a folder that you may write to, or ask for the right"
        }
        io::ErrorKind::NotFound => " → check the path",
        _ => "",
    }
}

impl RecordError {
    pub(super) fn io(operation: &'static str, path: &Path, reason: io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_owned(),
            reason,
        }
    }

    /// Whether it was refused before anything was done: bad input, exit code 2. Else it failed
    /// while at work.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Encode { .. })
    }
}
