//! Notes on a recording, in a file beside it: the recording itself is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::RecordError;
use crate::base::time::Timestamp;

/// A note on a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The moment.
    pub at: Timestamp,
    /// What somebody wrote: not safe to be shown as it is, the file may be anybody's.
    pub text: String,
}

/// The file beside a recording.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sidecar {
    notes: Vec<Note>,
}

/// A larger file is nobody's notes, bytes.
const LARGEST: u64 = 4 << 20;

/// The file with the notes on a recording: `x.mcap.notes.json`.
#[must_use]
pub fn notes_file(recording: &Path) -> PathBuf {
    // `dir/` and `dir` are the same folder.
    let mut name = recording.components().as_path().as_os_str().to_owned();
    name.push(".notes.json");
    name.into()
}

/// Reads the notes on a recording, in order. Without a file there are none.
///
/// # Errors
/// When the file cannot be read or is not understood.
pub fn read_notes(recording: &Path) -> Result<Vec<Note>, RecordError> {
    let path = notes_file(recording);
    let text = match fs::metadata(&path).map(|metadata| metadata.len()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(size) if size > LARGEST => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => fs::read_to_string(&path),
        Err(error) => Err(error),
    };
    let text = text.map_err(|error| RecordError::io("read the notes in", &path, error))?;
    let sidecar: Sidecar = serde_json::from_str(&text).map_err(|error| {
        RecordError::io(
            "read the notes in",
            &path,
            io::Error::new(io::ErrorKind::InvalidData, error),
        )
    })?;
    let mut notes = sidecar.notes;
    notes.sort_by_key(|note| note.at);
    Ok(notes)
}

/// Writes the notes on a recording, beside it.
///
/// # Errors
/// When the file cannot be written; the one that was there stays.
pub fn write_notes(recording: &Path, notes: &[Note]) -> Result<PathBuf, RecordError> {
    let path = notes_file(recording);
    let write = || -> io::Result<()> {
        let sidecar = Sidecar { notes: notes.to_vec() };
        let text = serde_json::to_string_pretty(&sidecar)? + "\n";
        // Written aside, then renamed: there is always one whole file.
        let mut aside = path.clone().into_os_string();
        aside.push(format!(".{}", std::process::id()));
        fs::write(&aside, text)?;
        fs::rename(&aside, &path)
    };
    write().map_err(|error| RecordError::io("write the notes in", &path, error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_stand_beside_the_recording_in_order_and_survive_a_wrong_file() {
        let folder = tempfile::tempdir().unwrap();
        let recording = folder.path().join("x.mcap");
        assert_eq!(read_notes(&recording).unwrap(), []);
        let note = |at: &str, text: &str| Note {
            at: at.parse().unwrap(),
            text: text.to_owned(),
        };
        let (early, late) = (
            note("2026-07-31T14:00:00Z", "deploy"),
            note("2026-07-31T14:05:00Z", "rolled back"),
        );
        let path = write_notes(&recording, &[late.clone(), early.clone()]).unwrap();
        assert_eq!(path, folder.path().join("x.mcap.notes.json"));
        assert_eq!(read_notes(&recording).unwrap(), [early, late]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
        fs::write(&path, "not json").unwrap();
        let error = read_notes(&recording).unwrap_err().to_string();
        assert!(error.contains("x.mcap.notes.json"), "{error}");
    }

    #[test]
    fn a_folders_notes_stand_beside_the_folder() {
        assert_eq!(notes_file(Path::new("a/day/")), Path::new("a/day.notes.json"));
    }
}
