//! What can be played: a recording, or the past of the live session.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::job::Rewound;
use crate::base::text::{self, safe};
use crate::base::time::Timestamp;
use crate::console::player::{Mark, Reel};
use crate::model::Model;
use crate::record::{BUCKET, Damage, Note, RecordError, Recording, read_notes};
use crate::session::{Before, FURTHER, Playback, PlaybackError, Ring, Speed};

/// A recording to be played.
#[derive(Debug)]
pub struct Recorded {
    pub(super) playback: Playback,
    pub(super) reel: Reel,
    /// The file or folder beside which notes are kept; `None`: nowhere.
    pub(super) path: Option<PathBuf>,
    pub(super) notes: Vec<Note>,
    pub(super) at: Duration,
}

impl Recorded {
    /// A recording with the notes beside it, played from its beginning at once.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn new(recording: Recording, path: Option<&Path>) -> Result<Self, PlaybackError> {
        let mut missing: Vec<String> = recording.damage().iter().map(Damage::to_string).collect();
        missing.extend(recording.unreadable().iter().map(|reason| safe(reason).into_owned()));
        let busy = recording.files().iter().filter(|file| file.is_busy());
        missing.extend(busy.map(|_| "it is still being written: read up to its last sealed chunk".to_owned()));
        let lost: Vec<(u64, Option<u64>)> = recording.damage().iter().filter_map(|damage| damage.lost).collect();
        let mut playback = Playback::new(recording)?;
        playback.set_playing(true);
        let name = path
            .and_then(Path::file_name)
            .map_or_else(String::new, |name| safe(&name.to_string_lossy()).into_owned());
        let mut reel = reel_of(&playback, name, false);
        let (begin, length) = (playback.timeline().start, reel.length);
        let offset = |at: u64| Duration::from_nanos(at.saturating_sub(begin)).min(length);
        reel.gaps.extend(
            lost.into_iter()
                .map(|(from, to)| (offset(from), to.map_or(length, offset))),
        );
        // Notes that cannot be read are not written over either.
        let (path, notes) = match path.map_or(Ok(Vec::new()), read_notes) {
            Ok(notes) => (path, notes),
            Err(error) => {
                missing.push(error.to_string());
                (None, Vec::new())
            }
        };
        reel.missing = missing;
        for note in &notes {
            reel.add_marker(Mark::new(reel.position(note.at), &note.text));
        }
        Ok(Self {
            playback,
            reel,
            path: path.map(Path::to_owned),
            notes,
            at: Duration::ZERO,
        })
    }

    /// What it holds.
    #[must_use]
    pub fn reel(&self) -> &Reel {
        &self.reel
    }

    /// The same, begun at a position, at a speed, over and over.
    #[must_use]
    pub fn from(mut self, at: Duration, speed: Speed, looping: bool) -> Self {
        self.at = at;
        self.playback.set_speed(speed);
        self.playback.set_looping(looping);
        self
    }
}

/// What a playback holds.
pub(super) fn reel_of(playback: &Playback, name: String, live: bool) -> Reel {
    let timeline = playback.timeline();
    let length = timeline.duration();
    let offset = |at: u64| Duration::from_nanos(at.saturating_sub(timeline.start)).min(length);
    let marks = |points: &[crate::record::Point]| -> Vec<Mark> {
        points
            .iter()
            .map(|point| Mark::new(offset(point.at), &point.text))
            .collect()
    };
    let outline = &timeline.outline;
    let holes = timeline.holes.iter().map(|(from, to)| (offset(*from), offset(*to)));
    let gaps = outline.gaps.iter().map(|gap| (offset(gap.at), offset(gap.at)));
    let load = outline.load.iter();
    Reel {
        live,
        name,
        start: Timestamp::from_nanosecond(i128::from(timeline.start)).unwrap_or_default(),
        length,
        load: load
            .map(|(bucket, load)| (offset(bucket * BUCKET), offset((bucket + 1) * BUCKET), *load))
            .collect(),
        seam: timeline.seam.map(offset),
        alerts: marks(&outline.alerts),
        markers: marks(&outline.markers),
        actions: marks(&outline.actions),
        gaps: holes.chain(gaps).collect(),
        missing: Vec::new(),
    }
}

/// What a ring holds.
pub(super) fn last_minutes(ring: &Ring) -> Result<(Recording, Model), String> {
    ring.recording().map_err(|error| match error {
        RecordError::NoRecording(_) => "nothing has been seen yet".to_owned(),
        error => error.to_string(),
    })
}

/// How much of the last minutes is kept: a fleet fills a ring's memory in less than its time.
fn kept(recording: &Recording) -> String {
    let (start, end) = recording.span();
    let held = Duration::from_nanos(end.saturating_sub(start));
    format!(
        "The last {} are kept, {} min or {} at most",
        text::duration(held),
        Ring::REACH.as_secs() / 60,
        text::bytes(Ring::CAP as u64),
    )
}

/// The last minutes, and what recordings know of the time before them.
pub(super) fn fetch_past(ring: &Ring, before: Option<&Before>) -> Result<Rewound, String> {
    let (recording, base) = last_minutes(ring)?;
    let (earlier, begins) = match before.map(|before| before.recording(base.settings())) {
        None => (None, format!("{}; --history reaches further back", kept(&recording))),
        Some(Ok(None)) => (
            None,
            "What Prometheus knows of the time before this is charts: it cannot be stepped into".to_owned(),
        ),
        Some(Ok(Some(earlier))) => (
            Some((earlier, FURTHER)),
            "Nothing before this is in the recordings of --history, 6 h at most".to_owned(),
        ),
        Some(Err(error)) => (None, error.to_string()),
    };
    let playback = Playback::rewind_beyond(recording, base, earlier).map_err(|error| error.to_string())?;
    Ok(Rewound { playback, begins })
}
