//! The pipeline's figures at every second: CSV and JSON lines.

use std::io::{self, Write};
use std::sync::Arc;

use super::walk::{Audience, Fold, walk};
use super::{ExportError, Part};
use crate::export::series;
use crate::model::Model;
use crate::record::Recording;

/// The form of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesForm {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Json,
}

/// Writes the pipeline's figures at every tick of a part. Returns what is missing in it.
///
/// # Errors
/// When the recording cannot be played, or `out` not be written.
pub fn export_series(
    recording: &Arc<Recording>,
    part: Part,
    form: SeriesForm,
    out: &mut dyn Write,
) -> Result<Vec<String>, ExportError> {
    if form == SeriesForm::Csv {
        writeln!(out, "{}", series::csv_header())?;
    }
    let mut rows = Rows { model: None, form, out };
    let missing = walk(recording, part, &[], &mut rows)?;
    out.flush()?;
    Ok(missing)
}

struct Rows<'a> {
    model: Option<Model>,
    form: SeriesForm,
    out: &'a mut dyn Write,
}

impl Audience for Rows<'_> {
    fn folder(&mut self) -> &mut impl Fold {
        &mut self.model
    }

    fn show(&mut self, _at: u64) -> io::Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        match self.form {
            SeriesForm::Csv => writeln!(self.out, "{}", series::csv_row(model.view())),
            SeriesForm::Json => writeln!(self.out, "{}", series::json_row(model.view())),
        }
    }
}
