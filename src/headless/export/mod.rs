//! `hookwatch export`: a recording as something that others read.

mod film;
mod part;
mod report;
mod series;
mod walk;

pub use film::{FilmForm, export_film, frame_at, read_speed};
pub use part::{Part, moment};
pub use report::story;
pub use series::{SeriesForm, export_series};

use std::io;

use crate::session::PlaybackError;

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording cannot be played.
    #[error(transparent)]
    Playback(#[from] PlaybackError),
    /// The output cannot be written.
    #[error("write the export: {0}")]
    Write(#[from] io::Error),
}
