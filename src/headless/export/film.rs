//! The console's screen as it was: one moment, or all of them as a cast.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ratatui::buffer::Buffer;

use super::walk::{Audience, Fold, walk};
use super::{ExportError, Part};
use crate::base::text;
use crate::base::time::Moment;
use crate::export::Theme;
use crate::export::cast::{Cast, Title, Version};
use crate::export::film::Film;
use crate::export::shot::Shot;
use crate::headless::record::wall;
use crate::model::{Settings, Verdict, View};
use crate::record::{Marker, Note, Recording};
use crate::session::PlaybackError;

/// How a cast is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmForm {
    /// The version of its format.
    pub version: Version,
    /// What is drawn, and how large.
    pub shot: Shot,
    /// Times real time, above 0.
    pub speed: f64,
}

/// Speeds of a cast: at a quarter, the figures of two seconds are still nearer to each other than
/// the longest pause.
const SPEEDS: RangeInclusive<f64> = 0.25..=100.0;

/// Reads `--speed`: `2`, `0.5`, `16x`.
///
/// # Errors
/// When it is no speed, or out of range.
pub fn read_speed(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(['x', '×']).parse::<f64>().ok();
    number.filter(|speed| SPEEDS.contains(speed)).ok_or_else(|| {
        let (least, most) = (SPEEDS.start(), SPEEDS.end());
        format!(
            "--speed {}: not a speed between {least} and {most} → write it like 4",
            text::safe(text)
        )
    })
}

/// Writes the screen of every tick of a part as a cast; markers and notes become its markers. Returns what is missing in it.
///
/// # Errors
/// When the recording cannot be played, or `out` not be written.
pub fn export_film(
    recording: &Arc<Recording>,
    part: Part,
    notes: &[Note],
    form: FilmForm,
    theme: &Theme,
    out: &mut dyn Write,
) -> Result<Vec<String>, ExportError> {
    let title = Title {
        text: format!("hookwatch: {}", recording.info().profile),
        at: wall(part.from.max(recording.span().0)),
    };
    let mut projection = Projection {
        film: Film::new(theme, form.shot),
        cast: Cast::begin(out, form.version, form.shot.size, theme, &title, form.speed)?,
        raised: BTreeSet::new(),
    };
    let missing = walk(recording, part, notes, &mut projection)?;
    projection.cast.finish()?;
    Ok(missing)
}

struct Projection<'a, W> {
    film: Film<'a>,
    cast: Cast<W>,
    /// Verdicts that hold: those that are new become markers.
    raised: BTreeSet<(Arc<str>, Option<Arc<str>>)>,
}

impl<W: Write> Audience for Projection<'_, W> {
    fn folder(&mut self) -> &mut impl Fold {
        &mut self.film
    }

    fn begin(&mut self, settings: Settings, start: Moment) {
        self.film.begin(settings, start);
        self.raised.clear();
    }

    fn show(&mut self, at: u64) -> io::Result<()> {
        // Before the first source says something there is only the page that asks for one.
        let Some(view) = self.film.view().filter(|view| !view.sources.is_empty()) else {
            return Ok(());
        };
        let Some(frame) = self.film.frame() else { return Ok(()) };
        self.cast.frame(at, frame)?;
        for text in raised(view, &mut self.raised) {
            self.cast.marker(at, &text)?;
        }
        Ok(())
    }

    fn marker(&mut self, at: u64, marker: &Marker) -> io::Result<()> {
        self.cast.marker(at, &marker.text)
    }
}

/// What is said of the verdicts that do not stand in `known`, which then does.
fn raised(view: &View, known: &mut BTreeSet<(Arc<str>, Option<Arc<str>>)>) -> Vec<String> {
    let key = |verdict: &Verdict| (verdict.id.clone(), verdict.subject.clone());
    let new = view.verdicts.iter().filter(|verdict| !known.contains(&key(verdict)));
    let texts = new
        .map(|verdict| format!("{}: {}", verdict.id, text::safe(&verdict.text)))
        .collect();
    *known = view.verdicts.iter().map(key).collect();
    texts
}

/// The screen at a moment, unix nanoseconds on the recording's axis, and what is missing before it.
///
/// # Errors
/// When nothing before it can be read.
pub fn frame_at(
    recording: &Arc<Recording>,
    at: u64,
    theme: &Theme,
    shot: Shot,
) -> Result<(Buffer, Vec<String>), ExportError> {
    let mut still = Still(Film::new(theme, shot));
    let missing = walk(recording, Part { from: at, to: at }, &[], &mut still)?;
    Ok((still.0.frame().ok_or(PlaybackError::Nothing)?, missing))
}

struct Still<'a>(Film<'a>);

impl Audience for Still<'_> {
    fn folder(&mut self) -> &mut impl Fold {
        &mut self.0
    }

    fn show(&mut self, _at: u64) -> io::Result<()> {
        Ok(())
    }
}
