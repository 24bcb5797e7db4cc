//! The pipeline's figures at every second: CSV and JSON lines.

use std::io::{self, Write};
use std::sync::Arc;

use super::walk::{Audience, walk};
use super::{ExportError, Part};
use crate::base::time::Moment;
use crate::export::series;
use crate::model::{Model, Settings};
use crate::record::Recording;
use crate::sample::Envelope;

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
    let missing = walk(recording, part, &mut rows)?;
    out.flush()?;
    Ok(missing)
}

struct Rows<'a> {
    model: Option<Model>,
    form: SeriesForm,
    out: &'a mut dyn Write,
}

impl Audience for Rows<'_> {
    fn begin(&mut self, settings: Settings, start: Moment) {
        self.model = Some(Model::new(settings, start));
    }

    fn data(&mut self, envelope: Envelope) {
        if let Some(model) = &mut self.model {
            model.apply(&envelope);
        }
    }

    fn tick(&mut self, now: Moment) {
        if let Some(model) = &mut self.model {
            model.advance(now);
        }
    }

    fn show(&mut self, _at: u64) -> io::Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        match self.form {
            SeriesForm::Csv => writeln!(self.out, "{}", series::csv_row(model.view())),
            SeriesForm::Json => writeln!(self.out, "{}", series::json_row(model.view())),
        }
    }
}
