//! Recordings: MCAP files that hold what the model was given, redacted, in the order in which it
//! was given. Foreign tools read them; folding one gives the figures of the session again.
//!
//! A file is a header, a metadata record `session`, chunks of at most 10 s, and a summary. Every
//! chunk can be read alone: layouts and configurations stand in it at their first use, and the
//! numbers of the channels are fixed by the schema's major version.

mod damage;
mod dictionary;
mod error;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod folder;

mod item;
mod notes;
mod outline;

mod recorder;
mod recording;
mod redaction;
mod scan;
mod store;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

#[cfg(test)]
use crate as hookwatch;

pub use damage::{Damage, Health};
pub use error::RecordError;
pub use file::{Finished, RecordingFile};

pub use folder::{Limits, is_pinned, pin, unpin};
pub use item::{Action, Event, Gap, Item, Marker, SessionInfo, Tick, Topic, VERSION, Version};
pub use notes::{Note, notes_file, read_notes, write_notes};
pub use outline::{BUCKET, Outline, Point};

pub use recorder::{Progress, Recorder, RecorderOptions, RecorderState, Target};
pub use recording::{ChunkAt, ChunkReader, Recording};
pub use redaction::Redaction;
pub use writer::{CHUNK, Counts, RecordWriter, WriteError};
