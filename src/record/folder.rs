//! A folder of rotated files: names, the total cap, and which files are kept whatever it says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::time::Timestamp;

/// When a file of a folder is ended and the next one begun, and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest time in one file.
    pub longest: Duration,
    /// The largest file, bytes.
    pub largest: u64,
    /// All files together, bytes; the oldest that is not pinned goes first.
    pub total: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            longest: Duration::from_hours(1),
            largest: 64 << 20,
            total: 1 << 30,
        }
    }
}

/// The beginning of the names of rotated files: others in the folder are left alone.
const PREFIX: &str = "hookwatch-";

/// The name of a file that begins at `at`; `number` tells apart those of one second.
pub(super) fn file_name(at: Timestamp, number: u32) -> String {
    format!("{PREFIX}{}-{number:04}.mcap", at.strftime("%Y%m%dT%H%M%SZ"))
}

/// Keeps a recording, whatever the cap says.
///
/// # Errors
/// When the folder cannot be written.
pub fn pin(file: &Path) -> io::Result<()> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(pin_of(file))
        .map(drop)
}

/// Takes a pin off.
///
/// # Errors
/// When the folder cannot be written.
pub fn unpin(file: &Path) -> io::Result<()> {
    match fs::remove_file(pin_of(file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a recording is kept whatever the cap says.
#[must_use]
pub fn is_pinned(file: &Path) -> bool {
    pin_of(file).exists()
}

fn pin_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pin");
    name.into()
}

/// Removes the oldest finished files that are not pinned until the folder holds no more than
/// `total` bytes, `writing` included, which is never removed. Returns what was removed.
pub(super) fn keep_within(folder: &Path, total: u64, writing: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut used = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        used += size;
        if Path::new(name).extension().is_some_and(|extension| extension == "mcap") && entry.path() != writing {
            files.push((entry.path(), size));
        }
    }
    files.sort();
    let mut removed = Vec::new();
    for (path, size) in files {
        if used <= total {
            break;
        }
        if !is_pinned(&path) {
            fs::remove_file(&path)?;
            used -= size;
            removed.push(path);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_a_pinned_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let file = |n: i64| folder.path().join(file_name(Timestamp::from_second(n).unwrap(), 0));
        for n in 1..=4 {
            fs::write(file(n), vec![0; 100]).unwrap();
        }
        fs::write(folder.path().join("mine.mcap"), vec![0; 1_000]).unwrap();
        pin(&file(1)).unwrap();
        assert!(is_pinned(&file(1)));
        let removed = keep_within(folder.path(), 250, &file(4)).unwrap();
        assert_eq!(removed, [file(2), file(3)]);
        assert!(file(1).exists() && file(4).exists() && folder.path().join("mine.mcap").exists());
        unpin(&file(1)).unwrap();
        assert_eq!(keep_within(folder.path(), 0, &file(4)).unwrap(), [file(1)]);
    }
}
