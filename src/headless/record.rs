//! `hookwatch record`, `verify` and `export`: recordings without a screen.

use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::config::parse_duration;
use crate::export::series;
use crate::model::{Model, View};
use crate::record::{Damage, Gap, Health, Progress, RecordError, RecorderState, Recording};
use crate::session::{Playback, PlaybackError, Session, Step, Tap, Ticker};

/// Records a session until `stop`, with the console's own ticks, and puts the end on the disk.
/// `each` is called after every tick, for what else is to be known of it.
pub async fn record(
    mut session: Session,
    mut tap: Tap,
    clock: &SharedClock,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(&View),
) -> Progress {
    let mut model = Model::new(session.settings.clone(), session.started);
    let mut ticker = Ticker::new(clock.now());
    tokio::pin!(stop);
    loop {
        let now = clock.now();
        if ticker.is_due(now) {
            model.advance(now);
            tap.tick(model.view());
            each(model.view());
            let stopped = |progress: &Progress| matches!(progress.state, RecorderState::Stopped(_));
            if tap.progress().as_ref().is_some_and(stopped) {
                break;
            }
        }
        let pause = ticker.at().saturating_sub(now.mono);
        tokio::select! {
            () = &mut stop => break,
            Some(envelope) = session.envelopes.recv() => {
                tap.envelope(&envelope);
                model.apply(&envelope);
                if model.has_news() {
                    ticker.hurry(clock.now());
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    tap.stop_recording().unwrap_or_default()
}

/// What is to be said of a recording's state.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Whether anything is wrong.
    pub health: Health,
    /// For a person, a line each.
    pub lines: Vec<String>,
}

impl Verification {
    /// 0 intact, 1 damaged but readable. What cannot be read is an error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.health != Health::Intact)
    }
}

/// Reads every byte of a recording and compares every checksum.
///
/// # Errors
/// When nothing in it can be read.
pub fn verify(path: &Path) -> Result<Verification, RecordError> {
    let recording = Recording::open(path)?;
    let (health, damage, items) = recording.verify()?;
    let (start, end) = recording.span();
    let length = text::duration(Duration::from_nanos(end - start));
    let what = match health {
        Health::Intact => "intact",
        Health::Damaged => "damaged, and readable",
    };
    let files = recording.files();
    let size = files.iter().map(crate::record::RecordingFile::size).sum();
    let mut lines = vec![format!(
        "{what}: {} {}, {}, {} items, {length} from {}",
        files.len(),
        if files.len() == 1 { "file" } else { "files" },
        text::bytes(size),
        text::count(items),
        wall(start)
    )];
    for file in files.iter().filter(|file| file.is_busy()) {
        let path = file.path().display().to_string();
        lines.push(format!(
            "{}: still being written; read up to its last sealed chunk",
            text::safe(&path)
        ));
    }
    lines.extend(damage.iter().map(Damage::to_string));
    lines.extend(
        recording
            .unreadable()
            .iter()
            .map(|reason| text::safe(reason).into_owned()),
    );
    Ok(Verification { health, lines })
}

fn wall(at: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(at)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesForm {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Json,
}

/// Which part of a recording: from where, to where. Unix nanoseconds on its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first moment.
    pub from: u64,
    /// The last moment.
    pub to: u64,
}

impl Part {
    /// Reads `--from` and `--to`: a time (`2026-07-31T14:03:22Z`), or how long after the
    /// beginning (`90s`).
    ///
    /// # Errors
    /// When one makes no sense, or nothing of the recording lies between them.
    pub fn read(recording: &Recording, from: Option<&str>, to: Option<&str>) -> Result<Self, String> {
        let (start, end) = recording.span();
        let part = Self {
            from: from.map_or(Ok(start), |text| moment(recording, "--from", text))?,
            to: to.map_or(Ok(end), |text| moment(recording, "--to", text))?,
        };
        if part.from > part.to || part.from > end || part.to < start {
            return Err(format!(
                "nothing of the recording lies between --from and --to → it goes from {} to {}",
                wall(start),
                wall(end)
            ));
        }
        Ok(part)
    }
}

/// Reads a moment of a recording: a time (`2026-07-31T14:03:22Z`), or how long after the
/// beginning (`90s`). Unix nanoseconds on the recording's axis.
///
/// # Errors
/// When it is neither; `name` is the option's.
pub fn moment(recording: &Recording, name: &str, text: &str) -> Result<u64, String> {
    let (start, _) = recording.span();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(u64::try_from(at.as_nanosecond()).unwrap_or(0));
    }
    parse_duration(text)
        .map(|after| start.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
        .map_err(|_| {
            let text = crate::base::text::safe(text);
            format!(
                "{name} {text}: neither a time nor a duration → write it like {} or 90s",
                wall(start)
            )
        })
}

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

/// Writes the pipeline's figures at every tick of a part. Returns what is missing in it.
///
/// # Errors
/// When the recording cannot be played, or `out` not be written.
pub fn export_series(
    recording: Recording,
    part: Part,
    form: SeriesForm,
    out: &mut impl Write,
) -> Result<Vec<String>, ExportError> {
    let mut missing: Vec<String> = recording.damage().iter().map(Damage::to_string).collect();
    let mut playback = Playback::new(recording)?;
    let start = playback.timeline().start;
    let mut model: Option<Model> = None;
    if form == SeriesForm::Csv {
        writeln!(out, "{}", series::csv_header())?;
    }
    while !playback.is_over() {
        for step in playback.step() {
            match step {
                Step::Begin(settings, start) => model = Some(Model::new(*settings, start)),
                Step::Data(envelope) => {
                    if let Some(model) = &mut model {
                        model.apply(&envelope);
                    }
                }
                Step::Tick(moment) => {
                    let Some(model) = &mut model else { continue };
                    model.advance(moment);
                    let at = start + u64::try_from(playback.position().as_nanos()).unwrap_or(0);
                    if at > part.to {
                        out.flush()?;
                        return Ok(missing);
                    }
                    if at >= part.from {
                        match form {
                            SeriesForm::Csv => writeln!(out, "{}", series::csv_row(model.view()))?,
                            SeriesForm::Json => writeln!(out, "{}", series::json_row(model.view()))?,
                        }
                    }
                }
                Step::Damage(damage) => missing.push(damage.to_string()),
                Step::Gap(Gap { moment, lost, reason }) => {
                    missing.push(format!(
                        "{}: {} items: {}",
                        moment.at,
                        text::count(lost),
                        text::safe(&reason)
                    ));
                }
                Step::Marker(_) | Step::Action(_) | Step::Event(_) => {}
            }
        }
    }
    out.flush()?;
    Ok(missing)
}
