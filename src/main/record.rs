//! Recordings on the command line.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use hookwatch::cli::{Cli, ExportArgs, ExportForm, RecordArgs};
use hookwatch::console::glyph::Charset;
use hookwatch::console::theme::Library;
use hookwatch::console::theme::colour::Depth;
use hookwatch::export::picture::{self, Shot};
use hookwatch::headless::record::{self, ExportError, Part, SeriesForm};
use hookwatch::record::{RecordError, RecorderState, Recording, Target};
use hookwatch::session::{Session, Tap, state_at};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, Program, block_on, complain, print};

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Refused(vec![error.to_string()])
    }
}

impl Program<'_> {
    /// Records until the time is over or somebody ends it; either way the file is finished.
    pub(crate) fn record(&self, cli: &Cli, args: &RecordArgs) -> Result<u8, Failure> {
        let resolved = self.resolve(cli)?;
        resolved.require_something_to_watch()?;
        let progress = block_on(async {
            let mut ends = [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ];
            let session = Session::live(&resolved.profile, &self.clock);
            let mut tap = Tap::new(&resolved.profile, session.settings.clone());
            tap.record(Target::of(&args.target, args.force), session.started)?;
            let stop = async {
                let [interrupt, terminate, hangup] = &mut ends;
                let over = async {
                    match args.lasts {
                        Some(lasts) => tokio::time::sleep(lasts).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = over => {}
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            };
            Ok::<_, Failure>(record::record(session, tap, &self.clock, stop, |_| ()).await)
        })??;
        if let RecorderState::Stopped(reason) = &progress.state {
            complain(&progress.told());
            return Err(Failure::Failed(format!("the recording stopped: {reason}")));
        }
        print(format!("{}\n", progress.told()).as_bytes())
    }
}

/// Says whether a recording is as it was written.
pub(crate) fn verify(path: &Path) -> Result<u8, Failure> {
    let verification = record::verify(path)?;
    print(format!("{}\n", verification.lines.join("\n")).as_bytes())?;
    Ok(verification.exit_code())
}

/// Turns a recording into something else. What is missing in it is told, and makes it partial.
pub(crate) fn export(args: &ExportArgs) -> Result<u8, Failure> {
    let recording = Recording::open(&args.recording)?;
    let form = match args.form {
        ExportForm::Csv => SeriesForm::Csv,
        ExportForm::Json => SeriesForm::Json,
        ExportForm::Svg => return export_picture(recording, args),
    };
    let part = Part::read(&recording, args.from.as_deref(), args.to.as_deref()).map_err(refused)?;
    let exported = match out(args)? {
        Some(file) => record::export_series(recording, part, form, &mut BufWriter::new(file)),
        None => record::export_series(recording, part, form, &mut BufWriter::new(io::stdout().lock())),
    };
    let missing = match exported {
        Ok(missing) => missing,
        // A reader that has gone away (`| head`) has seen enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
        Err(error @ ExportError::Playback(_)) => return Err(refused(error.to_string())),
        Err(error) => return Err(Failure::Failed(error.to_string())),
    };
    for line in &missing {
        complain(line);
    }
    Ok(u8::from(!missing.is_empty()))
}

/// A screen at one moment. The environment has no say in it: the same file gives the same picture.
fn export_picture(recording: Recording, args: &ExportArgs) -> Result<u8, Failure> {
    let shot = Shot::read(&args.screen, &args.size).map_err(refused)?;
    let library = Library::embedded().map_err(|error| Failure::Failed(error.to_string()))?;
    let theme = library
        .theme(&args.theme, Depth::True, Charset::Unicode)
        .map_err(|error| refused(error.to_string()))?;
    let (_, end) = recording.span();
    let at = args
        .at
        .as_deref()
        .map_or(Ok(end), |text| record::moment(&recording, "--at", text));
    let model = state_at(&Arc::new(recording), at.map_err(refused)?).map_err(|error| refused(error.to_string()))?;
    let picture = picture::svg(&model, &theme, shot);
    match out(args)? {
        Some(mut file) => {
            let written = file.write_all(picture.as_bytes()).and_then(|()| file.flush());
            written.map_err(|error| Failure::Failed(format!("write the picture: {error}")))?;
            Ok(0)
        }
        None => print(picture.as_bytes()),
    }
}

fn refused(reason: String) -> Failure {
    Failure::Refused(vec![reason])
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
    matches!((out.canonicalize(), recording.canonicalize()), (Ok(a), Ok(b)) if a == b)
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
