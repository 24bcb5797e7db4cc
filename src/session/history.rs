//! What was before the console's start, from a folder of recordings or a Prometheus server: charts
//! and events reach back to before somebody looked, and recordings can be stepped back into.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::playback::{PlaybackError, pass, settings_of};
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::config::Family;
use crate::model::field::Field;
use crate::model::{Event, EventKind, Histories, History, Model, REACH, SeriesKey, Settings};
use crate::observe::SourceError;
use crate::observe::metrics::RangeClient;
use crate::record::{Item, RecordError, Recording, SessionInfo};

/// Why nothing is known of what was before.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The recordings cannot be read.
    #[error("--history: {0}")]
    Record(#[from] RecordError),
    /// What they are of is not understood.
    #[error("--history: {0}")]
    Playback(#[from] PlaybackError),
    /// The server cannot be asked.
    #[error("--history: {0}")]
    Server(#[from] SourceError),
    /// The server has none of the metrics.
    #[error("--history {server}: it knows nothing of the pipeline's metrics → does it scrape the gateway and workers?")]
    Unknown {
        /// The server.
        server: String,
    },
    /// None of them is of this time and this pipeline.
    #[error("--history {path}: nothing of the last 6 h of this stream is in it → is `hookwatch record` running?")]
    Nothing {
        /// The folder.
        path: String,
    },
}

/// Where what was before the console's start is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// A file or folder of recordings.
    Recordings(PathBuf),
    /// A Prometheus server: it knows charts, and no moment that could be stepped back into.
    Server,
}

/// How far beyond the last minutes of a live session one can step back into recordings.
pub const FURTHER: Duration = REACH;

impl Before {
    /// What can be stepped back into beyond the memory of a live session with these settings;
    /// `None`: nothing of it ever can.
    ///
    /// # Errors
    /// When it cannot be read, or holds nothing of that stream.
    pub fn recording(&self, settings: &Settings) -> Result<Option<Recording>, HistoryError> {
        match self {
            Self::Recordings(path) => sessions_in(path, settings).map(Some),
            Self::Server => Ok(None),
        }
    }
}

/// The recorded sessions that watched the same stream.
fn sessions_in(path: &Path, settings: &Settings) -> Result<Recording, HistoryError> {
    let same = |info: &SessionInfo| settings_of(info).is_ok_and(|of| of.pipeline.stream == settings.pipeline.stream);
    match Recording::open(path)?.of_sessions(same) {
        Err(RecordError::NoRecording(_)) => Err(nothing_in(path)),
        other => Ok(other?),
    }
}

fn nothing_in(path: &Path) -> HistoryError {
    HistoryError::Nothing {
        path: text::safe(&path.display().to_string()).into_owned(),
    }
}

/// Folds what a file or folder of recordings holds of the 6 h before `start`, where the model
/// with these settings began. A job: it takes a second or two, away from the screen. What is
/// recorded from `start` on is left alone, so that no sample counts twice.
///
/// # Errors
/// When it cannot be read, or holds nothing of that time and stream.
pub fn past_of(path: &Path, settings: &Settings, start: Moment) -> Result<History, HistoryError> {
    let recording = Arc::new(sessions_in(path, settings)?);
    let begin = nanoseconds(start);
    let reach = u64::try_from(REACH.as_nanos()).unwrap_or(u64::MAX);
    let mut teller = Teller {
        start,
        histories: Histories::reaching_back(),
        events: Vec::new(),
        until: None,
        open: None,
    };
    let mut reader = recording.reader();
    for (number, chunk) in recording.chunks().iter().enumerate() {
        if chunk.end < begin.saturating_sub(reach) || chunk.start >= begin {
            continue;
        }
        let info = recording.session_of(number);
        let of_info = settings_of(info)?;
        // Damage is a gap in the charts.
        for (at, item) in reader.read(number).unwrap_or_default() {
            if at >= begin {
                break;
            }
            if !matches!(item, Item::Session(_)) {
                teller.hear(info, &of_info, &item);
            }
        }
    }
    teller.leave();
    let Some(until) = teller.until else {
        return Err(nothing_in(path));
    };
    let path = path.display().to_string();
    Ok(History {
        histories: teller.histories,
        events: teller.events,
        told: told(until.at, &path),
    })
}

/// What a figure is asked for with, where a family of metrics feeds it; `NAMES` are the family's.
const QUERIES: [(Field, Family, &str); 6] = [
    (Field::ReceivedPerS, Family::Received, "sum(rate(NAMES[1m]))"),
    (Field::QueuedPerS, Family::Queued, "sum(rate(NAMES[1m]))"),
    (Field::ProcessedPerS, Family::Processed, "sum(rate(NAMES[1m]))"),
    (Field::WrittenPerS, Family::Written, "sum(rate(NAMES[1m]))"),
    // Every worker tells the depth of the same queue.
    (Field::Backlog, Family::Depth, "max(NAMES)"),
    (
        Field::ReceivedPerS,
        Family::Received,
        "sum by (provider) (rate(NAMES[1m]))",
    ),
];

/// Seconds between two values that are asked for.
const STEP: u64 = 10;

/// Asks a Prometheus server for the 6 h before `start`.
///
/// # Errors
/// When it does not answer, or knows nothing of these metrics.
pub async fn past_on(server: &str, settings: &Settings, start: Moment) -> Result<History, HistoryError> {
    let client = RangeClient::new(server)?;
    let zero = start.at.as_second() - i64::try_from(start.mono.as_secs()).unwrap_or(0);
    // Whole steps, so that every value has a slot of its own.
    let end = start.at.as_second() - i64::try_from(STEP).unwrap_or(0);
    let begin = end - i64::try_from(REACH.as_secs()).unwrap_or(0);
    let mut histories = Histories::reaching_back();
    let mut until = None;
    for (field, family, query) in QUERIES {
        let known = settings.families.names.iter().filter(|(_, of)| **of == family);
        let names: Vec<&str> = known.map(|(name, _)| &**name).filter(|name| is_metric(name)).collect();
        let selector = format!("{{__name__=~\"{}\"}}", names.join("|"));
        if names.is_empty() {
            continue;
        }
        let query = query.replace("NAMES", &selector);
        for series in client.query(&query, begin, end, STEP).await? {
            let key = match series.metric.get("provider") {
                Some(provider) => SeriesKey::about(field, text::safe(provider)),
                None => SeriesKey::of(field),
            };
            for (at, value) in &series.values {
                #[expect(clippy::cast_possible_truncation, reason = "unix seconds")]
                let at = *at as i64;
                if let Ok(value) = value.parse::<f64>()
                    && (begin..=end).contains(&at)
                {
                    histories.recall(&key, at - zero, value);
                    until = until.max(Some(at));
                }
            }
        }
    }
    let until = until.and_then(|until| Timestamp::from_second(until).ok());
    let Some(until) = until else {
        return Err(HistoryError::Unknown {
            server: client.shown().to_owned(),
        });
    };
    Ok(History {
        histories,
        events: Vec::new(),
        told: told(until, client.shown()),
    })
}

fn is_metric(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn told(until: Timestamp, whence: &str) -> String {
    format!(
        "until {} UTC from {}; totals and ledger count from the start",
        until.strftime("%H:%M:%S"),
        text::safe(whence)
    )
}

fn nanoseconds(moment: Moment) -> u64 {
    u64::try_from(moment.at.as_nanosecond()).unwrap_or(0)
}

/// Folds session after session.
struct Teller {
    start: Moment,
    histories: Histories,
    events: Vec<Event>,
    until: Option<Moment>,
    open: Option<(Arc<SessionInfo>, Model)>,
}

impl Teller {
    fn hear(&mut self, info: &Arc<SessionInfo>, settings: &Settings, item: &Item) {
        if self.open.as_ref().is_none_or(|(open, _)| open.session != info.session) {
            self.leave();
            self.open = Some((info.clone(), Model::new(settings.clone(), item.moment())));
        }
        if let Some((_, model)) = &mut self.open {
            // Its histories and events are what is wanted.
            pass(model, item);
        }
        if matches!(item, Item::Tick(_)) {
            self.until = Some(item.moment());
        }
    }

    /// A session is over: what it knows is put into the time of the model that begins.
    fn leave(&mut self) {
        let Some((info, model)) = self.open.take() else { return };
        let zero = |moment: Moment| moment.at.as_second() - i64::try_from(moment.mono.as_secs()).unwrap_or(0);
        self.histories
            .append(model.histories(), zero(info.start) - zero(self.start));
        let told = model.view().events.iter();
        self.events
            .extend(told.filter(|event| event.kind != EventKind::Console).cloned());
    }
}
