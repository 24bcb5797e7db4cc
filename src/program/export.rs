//! `hookwatch export` on the command line.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::text;
use crate::cli::{ExportArgs, ExportForm};
use crate::console::glyph::Charset;
use crate::console::theme::colour::Depth;
use crate::console::theme::{Library, Theme};
use crate::export::anonymous::Anonymous;
use crate::export::cast::Version;
use crate::export::plot::Plot;
use crate::export::png;
use crate::export::shot::Shot;
use crate::export::svg::{self, Palette};
use crate::headless::export::{
    self, ExportError, FilmForm, Part, SeriesForm, export_film, export_series, frame_at, read_speed, story,
};
use crate::record::{Note, RecordError, Recording, read_notes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Failure, Program, complain};

const SIZE: &str = "120x40";
const THEME: &str = "dark";
const SCREEN: &str = "overview";

/// Reports are read on white pages.
const REPORT_THEME: &str = "light";

/// Turns a recording into something else. What is missing in it is told, and makes it partial.
pub(crate) fn export(program: &Program<'_>, args: &ExportArgs) -> Result<u8, Failure> {
    refuse_what_has_no_meaning(args)?;
    let original = Arc::new(Recording::open(&args.recording)?);
    let notes = read_notes(&args.recording)?;
    let copy = if args.anonymize {
        Some(anonymous(&original, &notes)?)
    } else {
        None
    };
    let notes = copy.as_ref().map_or(notes, |copy| copy.notes.clone());
    let recording = copy.as_ref().map_or(original, |copy| copy.recording.clone());
    // The environment has no say in a picture; a theme that somebody names may be the user's own.
    let library = match &args.theme {
        Some(_) => program.themes()?.0,
        None => Library::embedded().map_err(|error| Failure::Failed(error.to_string()))?,
    };
    let exported = match args.form {
        ExportForm::Cast => cast(&recording, &notes, args, Version::Two, &library),
        ExportForm::Cast3 => cast(&recording, &notes, args, Version::Three, &library),
        ExportForm::Svg | ExportForm::Png => picture(&recording, args, &library),
        ExportForm::Csv => series(&recording, args, SeriesForm::Csv),
        ExportForm::Json => series(&recording, args, SeriesForm::Json),
        ExportForm::Report => report(&recording, &notes, args, &library),
        ExportForm::Mcap => mcap(copy.as_ref(), args),
    };
    let missing = exported?;
    for line in &missing {
        complain(line);
    }
    Ok(u8::from(!missing.is_empty()))
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Playback(error) => refused(error.to_string()),
            ExportError::Write(_) => Self::Failed(error.to_string()),
        }
    }
}

/// An option that this form has no use for would be ignored in silence.
fn refuse_what_has_no_meaning(args: &ExportArgs) -> Result<(), Failure> {
    let cast = matches!(args.form, ExportForm::Cast | ExportForm::Cast3);
    let picture = matches!(args.form, ExportForm::Svg | ExportForm::Png);
    let (drawn, copy) = (cast || picture, args.form == ExportForm::Mcap);
    for (option, given, has_meaning) in [
        ("--at", args.at.is_some(), picture),
        ("--from", args.from.is_some(), !picture && !copy),
        ("--to", args.to.is_some(), !picture && !copy),
        ("--size", args.size.is_some(), drawn),
        (
            "--theme",
            args.theme.is_some(),
            drawn || args.form == ExportForm::Report,
        ),
        ("--screen", args.screen.is_some(), drawn),
        ("--speed", args.speed.is_some(), cast),
    ] {
        if given && !has_meaning {
            return Err(refused(format!(
                "{option} has no meaning for --as {} → leave it out; `hookwatch export --help` says which has",
                args.form.name()
            )));
        }
    }
    Ok(())
}

/// A copy without names; how many there were is told.
fn anonymous(original: &Arc<Recording>, notes: &[Note]) -> Result<Anonymous, Failure> {
    for damage in original.damage() {
        complain(&damage.to_string());
    }
    for reason in original.unreadable() {
        complain(reason);
    }
    let copy = Anonymous::of(original, notes).map_err(|error| refused(error.to_string()))?;
    let kinds: Vec<String> = copy
        .names
        .iter()
        .map(|(class, count)| format!("{} {}", class.plural(), text::count(*count as u64)))
        .collect();
    let places = text::count(copy.places);
    complain(&format!("names replaced in {places} places: {}", kinds.join(", ")));
    Ok(copy)
}

/// A recording again, without names.
fn mcap(copy: Option<&Anonymous>, args: &ExportArgs) -> Result<Vec<String>, Failure> {
    let Some(copy) = copy else {
        return Err(refused(
            "--as mcap is a copy without names → add --anonymize".to_owned(),
        ));
    };
    let [file] = &*copy.files else {
        return Err(refused(format!(
            "--as mcap writes one session, the folder holds {} → export its files one by one",
            copy.files.len()
        )));
    };
    write_to(args, |out| {
        out.write_all(file)?;
        out.flush()?;
        Ok(Vec::new())
    })
}

fn series(recording: &Arc<Recording>, args: &ExportArgs, form: SeriesForm) -> Result<Vec<String>, Failure> {
    let part = part(recording, args)?;
    write_to(args, |out| export_series(recording, part, form, out))
}

fn cast(
    recording: &Arc<Recording>,
    notes: &[Note],
    args: &ExportArgs,
    version: Version,
    library: &Library,
) -> Result<Vec<String>, Failure> {
    let part = part(recording, args)?;
    let form = FilmForm {
        version,
        shot: shot(args)?,
        speed: args.speed.as_deref().map_or(Ok(1.0), read_speed).map_err(refused)?,
    };
    let theme = theme(args, THEME, library)?;
    write_to(args, |out| export_film(recording, part, notes, form, &theme, out))
}

fn picture(recording: &Arc<Recording>, args: &ExportArgs, library: &Library) -> Result<Vec<String>, Failure> {
    let (shot, theme) = (shot(args)?, theme(args, THEME, library)?);
    let (_, end) = recording.span();
    let at = args
        .at
        .as_deref()
        .map_or(Ok(end), |text| export::moment(recording, "--at", text))
        .map_err(refused)?;
    let (frame, missing) = frame_at(recording, at, &theme, shot)?;
    let palette = Palette::of(&theme);
    let picture = match args.form {
        ExportForm::Png => png::render(&frame, &palette).map_err(|error| Failure::Failed(error.to_string()))?,
        _ => svg::render(&frame, &palette).into_bytes(),
    };
    write_to(args, |out| {
        out.write_all(&picture)?;
        out.flush()?;
        Ok(missing)
    })
}

/// A report. Its charts are files beside it; on standard output they stand in it.
fn report(
    recording: &Arc<Recording>,
    notes: &[Note],
    args: &ExportArgs,
    library: &Library,
) -> Result<Vec<String>, Failure> {
    let theme = theme(args, REPORT_THEME, library)?;
    let mut story = story(recording, part(recording, args)?, notes)?;
    let charts: Vec<String> = story.charts.iter().map(|chart| chart.svg(&theme)).collect();
    let pictures: Vec<String> = match &args.out {
        None => charts
            .iter()
            .map(|chart| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(chart)))
            .collect(),
        Some(out) => {
            let paths: Vec<PathBuf> = story.charts.iter().map(|chart| beside(out, chart)).collect();
            // All or nothing: nothing is written when one is in the way.
            if let Some(known) = paths.iter().chain([out]).find(|path| path.exists() && !args.force) {
                return Err(RecordError::Exists(known.clone()).into());
            }
            for (path, chart) in paths.iter().zip(&charts) {
                let written = create(path, args.force)?.write_all(chart.as_bytes());
                written.map_err(|error| Failure::Failed(format!("write {}: {error}", path.display())))?;
            }
            let names = paths.iter().filter_map(|path| path.file_name());
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        }
    };
    let page = story.markdown(&pictures);
    let missing = std::mem::take(&mut story.missing);
    write_to(args, |out| {
        out.write_all(page.as_bytes())?;
        out.flush()?;
        Ok(missing)
    })
}

/// The file of a chart beside the report.
fn beside(out: &Path, chart: &Plot) -> PathBuf {
    let name = chart.title.to_lowercase().replace(' ', "-");
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{name}.svg"))
}

fn part(recording: &Recording, args: &ExportArgs) -> Result<Part, Failure> {
    Part::read(recording, args.from.as_deref(), args.to.as_deref()).map_err(refused)
}

fn shot(args: &ExportArgs) -> Result<Shot, Failure> {
    let (screen, size) = (args.screen.as_deref(), args.size.as_deref());
    Shot::read(screen.unwrap_or(SCREEN), size.unwrap_or(SIZE)).map_err(refused)
}

/// The terminal has no say in it: the same file gives the same picture.
fn theme(args: &ExportArgs, default: &str, library: &Library) -> Result<Theme, Failure> {
    library
        .theme(args.theme.as_deref().unwrap_or(default), Depth::True, Charset::Unicode)
        .map_err(|error| refused(error.to_string()))
}

fn refused(reason: String) -> Failure {
    Failure::Refused(vec![reason])
}

/// Writes to the file that was asked for, else to standard output. A reader that has gone away
/// (`| head`) has seen enough.
fn write_to<T: Default>(
    args: &ExportArgs,
    write: impl FnOnce(&mut dyn Write) -> Result<T, ExportError>,
) -> Result<T, Failure> {
    let written = match out(args)? {
        Some(file) => write(&mut BufWriter::new(file)),
        None => write(&mut BufWriter::new(io::stdout().lock())),
    };
    match written {
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
        other => Ok(other?),
    }
}

/// The file that an export goes to; `None`: standard output.
fn out(args: &ExportArgs) -> Result<Option<impl Write + use<>>, Failure> {
    let Some(path) = &args.out else { return Ok(None) };
    if is_same(path, &args.recording) {
        return Err(refused(format!(
            "write {}: that is the recording itself → name another file",
            path.display()
        )));
    }
    create(path, args.force).map(Some)
}

fn is_same(out: &Path, recording: &Path) -> bool {
    let (Ok(out), Ok(recording)) = (out.canonicalize(), recording.canonicalize()) else {
        return false;
    };
    // A file of a folder of recordings is one of them.
    let of_folder = out.extension().is_some_and(|kind| kind == "mcap" || kind == "part");
    out == recording || (of_folder && recording.is_dir() && out.parent() == Some(&recording))
}

fn create(path: &Path, force: bool) -> Result<impl Write + use<>, Failure> {
    let mut options = OpenOptions::new();
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.write(true).open(path).map_err(|error| {
        Failure::from(match error.kind() {
            io::ErrorKind::AlreadyExists => RecordError::Exists(path.to_owned()),
            _ => RecordError::Io {
                operation: "write",
                path: path.to_owned(),
                reason: error,
            },
        })
    })
}
