//! What is wrong with a recording, and what it cost.

use std::fmt;
use std::path::PathBuf;

use crate::base::text;
use crate::base::time::Timestamp;

use super::item::span;

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file; empty for a recording in memory.
    pub file: PathBuf,
    /// Where in the file, bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
    /// Which time is missing because of it, unix nanoseconds on the recording's axis: the end of
    /// what was readable before, and the beginning of what is readable after it. `None`: nothing
    /// is missing.
    pub lost: Option<(u64, Option<u64>)>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}: ", text::safe(&self.file.display().to_string()))?;
        }
        write!(f, "at byte {}: {}", self.offset, self.what)?;
        match self.lost {
            None => f.write_str("; nothing is missing"),
            Some((from, Some(to))) => write!(
                f,
                "; missing: {} from {}",
                text::duration(span(from, to)),
                clock_time(from)
            ),
            Some((from, None)) => write!(f, "; missing: what came after {}", clock_time(from)),
        }
    }
}

fn clock_time(at: u64) -> String {
    Timestamp::from_nanosecond(i128::from(at)).map_or_else(
        |_| "an unknown time".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// How a recording is, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every byte is as it was written, and it was finished.
    Intact,
    /// It can be read; what is missing is said.
    Damaged,
}
