//! What is played: a recording, or the last minutes of the live session. It moves the playback
//! engine and tells the screen what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::job::{Done, Jobs, Rewound};
use crate::base::text::{self, safe};
use crate::base::time::{Moment, Timestamp};
use crate::console::app::{App, Msg, Played, update};
use crate::console::command::Command;
use crate::console::player::{Back, Control, Mark, Player, Reel, length};
use crate::console::screen::Hits;
use crate::model::{Model, Severity};
use crate::record::{BUCKET, Damage, Note, RecordError, Recording, read_notes, write_notes};
use crate::session::{Before, FURTHER, Loaded, Past, Playback, PlaybackError, Ring, Speed, Step, Tap};

/// What is played moves this often on screen.
const STEP: Duration = Duration::from_millis(100);

/// A recording to be played.
#[derive(Debug)]
pub struct Recorded {
    playback: Playback,
    reel: Reel,
    /// The file or folder beside which notes are kept; `None`: nowhere.
    path: Option<PathBuf>,
    notes: Vec<Note>,
    at: Duration,
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
fn reel_of(playback: &Playback, name: String, live: bool) -> Reel {
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

/// What is played now.
#[derive(Debug)]
pub(super) struct Deck {
    playing: Option<Playing>,
    /// How many reels were played: answers to an earlier one are of no use.
    played: u64,
    /// The last minutes are being fetched.
    fetching: bool,
    /// Notes on the past of the live session, until it is saved.
    pub(super) retro: Vec<Note>,
}

#[derive(Debug)]
struct Playing {
    number: u64,
    playback: Playback,
    reel: Arc<Reel>,
    path: Option<PathBuf>,
    notes: Vec<Note>,
    /// Where the figures that are being worked out will be, and where to go after that.
    target: Option<Duration>,
    queued: Option<Duration>,
    since: Option<Timestamp>,
    /// Why the past of a live session begins where it does: told there.
    begins: String,
    /// When it was moved last, time since session start.
    moved: Duration,
    /// Whether its figures have been on screen.
    shown: bool,
    /// Whether to step one reading forward as soon as it is read.
    stepping: bool,
}

impl Playing {
    fn new(number: u64, playback: Playback, reel: Reel) -> Self {
        Self {
            number,
            playback,
            reel: Arc::new(reel),
            path: None,
            notes: Vec::new(),
            target: None,
            queued: None,
            since: None,
            begins: String::new(),
            moved: Duration::ZERO,
            shown: false,
            stepping: false,
        }
    }

    /// One reading forward, once it is read.
    fn step(&mut self, app: &mut App, jobs: &mut Jobs) {
        let steps = self.playback.step();
        self.stepping = steps.is_none();
        match steps {
            Some(steps) if steps.is_empty() => app.flash(Severity::Info, "Nothing comes after this"),
            Some(steps) => self.feed(steps, app),
            None => {}
        }
        self.read_on(jobs);
    }

    /// Has read what comes next, away from the screen.
    fn read_on(&mut self, jobs: &mut Jobs) {
        if let Some(load) = self.playback.wanted() {
            let number = self.number;
            jobs.start(move || Done::Read(number, load.run()));
        }
    }

    fn player(&self) -> Player {
        let speed = self.playback.speed();
        Player {
            reel: self.reel.clone(),
            position: self.queued.or(self.target).unwrap_or_else(|| self.playback.position()),
            playing: self.playback.is_playing(),
            speed: speed.name(),
            factor: speed.factor(),
            ramp: self.playback.idle_ramp(),
            looping: self.playback.is_looping(),
            seeking: self.target.is_some(),
            since: self.since,
        }
    }

    fn tell(&self, app: &mut App) {
        // The past of a live session is on screen once its figures are.
        if self.shown || !self.reel.live {
            tell(app, Msg::Player(Some(Box::new(self.player()))));
        }
    }

    /// Goes to a position. Of several that are asked for while one is worked out, the last counts.
    fn seek(&mut self, to: Duration, app: &App, jobs: &mut Jobs) {
        let to = to.min(self.reel.length);
        if self.target.is_some() {
            self.queued = Some(to);
            return;
        }
        self.target = Some(to);
        let seek = self.playback.seek(to).charting(app.charted());
        let number = self.number;
        jobs.start(move || Done::Sought(number, seek.run().map(Box::new)));
    }

    fn feed(&mut self, steps: Vec<Step>, app: &mut App) {
        for step in steps {
            match step {
                Step::Begin(settings, start) => {
                    self.since = None;
                    tell(app, Msg::Past(Box::new(Model::new(*settings, start))));
                }
                Step::Resume(model) => {
                    self.since = None;
                    tell(app, Msg::Past(Box::new((*model).clone())));
                }
                Step::Data(envelope) => tell(app, Msg::Played(Played::Data(envelope))),
                Step::Tick(moment) => tell(app, Msg::Played(Played::Tick(moment))),
                Step::Damage(damage) => self.miss(&damage, app),
                Step::Gap(gap) => app.flash(
                    Severity::Warning,
                    format!("Missing here: {} items ({})", gap.lost, safe(&gap.reason)),
                ),
                Step::Action(action) => app.flash(Severity::Info, safe(&action.text).into_owned()),
                Step::Marker(_) | Step::Event(_) => {}
            }
        }
    }

    /// A place that turned out to be damaged is told once.
    fn miss(&mut self, damage: &Damage, app: &mut App) {
        let text = damage.to_string();
        if self.reel.missing.contains(&text) {
            return;
        }
        app.flash(Severity::Warning, text.clone());
        let reel = Arc::make_mut(&mut self.reel);
        reel.missing.push(text);
        if let Some((from, to)) = damage.lost {
            let begin = self.playback.timeline().start;
            let offset = |at: u64| Duration::from_nanos(at.saturating_sub(begin)).min(reel.length);
            let span = (offset(from), to.map_or(reel.length, offset));
            reel.gaps.push(span);
        }
    }
}

fn tell(app: &mut App, msg: Msg) {
    // What is played asks for nothing outside of the console.
    update(app, msg, &Hits::default());
}

impl Deck {
    pub(super) fn empty() -> Self {
        Self {
            playing: None,
            played: 0,
            fetching: false,
            retro: Vec::new(),
        }
    }

    /// A recording, on its way to its first moment.
    pub(super) fn recorded(recorded: Recorded, app: &mut App, jobs: &mut Jobs) -> Self {
        let mut playing = Playing::new(0, recorded.playback, recorded.reel);
        (playing.path, playing.notes) = (recorded.path, recorded.notes);
        for missing in &playing.reel.missing {
            app.flash(Severity::Warning, missing.as_str());
        }
        playing.seek(recorded.at, app, jobs);
        playing.tell(app);
        Self {
            playing: Some(playing),
            ..Self::empty()
        }
    }

    /// When it moves next, time since session start; `None`: it stands.
    pub(super) fn wake(&self) -> Option<Duration> {
        let playing = self.playing.as_ref()?;
        (playing.playback.is_playing() && playing.target.is_none()).then_some(playing.moved + STEP)
    }

    /// Moves on with the time. Returns whether anything changed.
    pub(super) fn advance(&mut self, now: Duration, app: &mut App, jobs: &mut Jobs) -> bool {
        if self.wake().is_none_or(|at| now < at) {
            return false;
        }
        let Some(playing) = &mut self.playing else { return false };
        let passed = now.saturating_sub(playing.moved);
        playing.moved = now;
        let steps = playing.playback.advance(passed);
        playing.feed(steps, app);
        playing.read_on(jobs);
        if let Some(skipped) = playing.playback.skip_hole() {
            let skipped = text::duration(Duration::from_secs(skipped.as_secs()));
            app.flash(Severity::Info, format!("Nothing was recorded for {skipped}: left out"));
        }
        if !playing.playback.is_playing() {
            let text = if playing.reel.live {
                let key = app.key(Command::Rewind);
                format!("This is where you stepped back: {key} returns to live")
            } else {
                let key = app.key(Command::PlayPause);
                format!("The end of the recording: {key} plays it again")
            };
            app.flash(Severity::Info, text);
        }
        playing.tell(app);
        true
    }

    /// Does what a person wants of the past.
    pub(super) fn control(
        &mut self,
        control: Control,
        now: Moment,
        app: &mut App,
        tap: Option<&mut Tap>,
        jobs: &mut Jobs,
    ) {
        match control {
            Control::Back(back) => return self.step_back(back, tap.as_deref(), jobs),
            Control::Live => {
                self.playing = None;
                return tell(app, Msg::Player(None));
            }
            Control::Note(at, text) => return self.note(at, text, now, app, tap, jobs),
            _ => {}
        }
        let Some(playing) = &mut self.playing else { return };
        let playback = &mut playing.playback;
        match control {
            Control::Toggle => {
                let play = !playback.is_playing();
                playback.set_playing(play);
                playing.moved = now.mono;
                if play && playing.playback.is_over() && playing.target.is_none() {
                    playing.seek(Duration::ZERO, app, jobs);
                }
            }
            Control::Step { forward } => {
                playback.set_playing(false);
                if !forward {
                    let to = playing.player().position.saturating_sub(Duration::from_millis(1_001));
                    playing.seek(to, app, jobs);
                } else if playing.target.is_none() {
                    playing.step(app, jobs);
                }
            }
            Control::To(to) => playing.seek(to, app, jobs),
            Control::Faster => playback.set_speed(playback.speed().faster()),
            Control::Slower => playback.set_speed(playback.speed().slower()),
            Control::Loop => playback.set_looping(!playback.is_looping()),
            Control::Ramp => playback.set_idle_ramp(!playback.idle_ramp()),
            Control::Back(_) | Control::Live | Control::Note(..) => {}
        }
        playing.tell(app);
    }

    /// Fetches the last minutes of the live session, and what was before them.
    fn step_back(&mut self, back: Back, tap: Option<&Tap>, jobs: &mut Jobs) {
        let idle = !self.fetching && self.playing.is_none();
        let Some((tap, ring)) = tap.filter(|_| idle).and_then(|tap| Some((tap, tap.ring()?.clone()))) else {
            return;
        };
        let before = tap.before().cloned();
        self.fetching = true;
        jobs.start(move || Done::Rewound(fetch_past(&ring, before.as_ref()).map(Box::new), back));
    }

    /// The past is there: where to in it?
    pub(super) fn rewound(
        &mut self,
        rewound: Result<Box<Rewound>, String>,
        back: &Back,
        app: &mut App,
        jobs: &mut Jobs,
    ) {
        self.fetching = false;
        let Rewound { playback, begins } = match rewound {
            Ok(rewound) => *rewound,
            Err(reason) => return app.flash(Severity::Warning, format!("cannot step back: {reason}")),
        };
        let mut reel = reel_of(&playback, String::new(), true);
        for note in &self.retro {
            reel.add_marker(Mark::new(reel.position(note.at), &note.text));
        }
        let end = reel.length;
        let to = match back {
            Back::By(by) => Ok(end.saturating_sub(*by)),
            Back::To(kind) => reel.find(*kind, end, false).map(|mark| mark.at).ok_or_else(|| {
                format!(
                    "No {} in the last {}",
                    kind.name(),
                    text::duration(Duration::from_secs(end.as_secs()))
                )
            }),
            Back::Typed(text) => reel.read(text, end, app.ui().zone()),
        };
        match to {
            Ok(to) => {
                self.played += 1;
                let mut playing = Playing::new(self.played, playback, reel);
                playing.begins = begins;
                playing.seek(to, app, jobs);
                self.playing = Some(playing);
            }
            Err(reason) => app.flash(Severity::Info, reason),
        }
    }

    /// What comes next was read.
    pub(super) fn read(&mut self, number: u64, loaded: Loaded, app: &mut App, jobs: &mut Jobs) {
        let Some(playing) = self.playing.as_mut().filter(|playing| playing.number == number) else {
            return;
        };
        playing.playback.take(loaded);
        if playing.stepping && playing.target.is_none() {
            playing.step(app, jobs);
            playing.tell(app);
        }
        playing.read_on(jobs);
    }

    /// The figures of a moment are there.
    pub(super) fn sought(
        &mut self,
        number: u64,
        past: Result<Box<Past>, PlaybackError>,
        now: Duration,
        app: &mut App,
        jobs: &mut Jobs,
    ) {
        // It came back to live meanwhile.
        let Some(playing) = self.playing.as_mut().filter(|playing| playing.number == number) else {
            return;
        };
        let Some(target) = playing.target.take() else { return };
        match past {
            Ok(mut past) => {
                playing.playback.arrive(&mut past);
                playing.stepping = false;
                let start = playing.playback.timeline().start;
                playing.since = (!past.is_exact() && past.since() > start)
                    .then(|| Timestamp::from_nanosecond(i128::from(past.since())).ok())
                    .flatten();
                for damage in past.damage() {
                    playing.miss(damage, app);
                }
                tell(app, Msg::Past(Box::new(past.into_model())));
                let first = !std::mem::replace(&mut playing.shown, true);
                if playing.reel.live && target.is_zero() {
                    app.flash(Severity::Info, playing.begins.as_str());
                } else if first {
                    if playing.reel.live {
                        let length = length(playing.reel.length.saturating_sub(target));
                        let key = app.key(Command::Rewind);
                        app.flash(
                            Severity::Info,
                            format!("{length} back; live goes on, {key} returns to it"),
                        );
                    } else if target.is_zero() {
                        // At its very beginning nothing is known yet: the first reading is shown.
                        playing.step(app, jobs);
                    }
                }
            }
            Err(error) => app.flash(Severity::Warning, error.to_string()),
        }
        playing.moved = now;
        if let Some(next) = playing.queued.take() {
            playing.seek(next, app, jobs);
        }
        playing.read_on(jobs);
        playing.tell(app);
    }

    fn note(
        &mut self,
        at: Option<Duration>,
        text: String,
        now: Moment,
        app: &mut App,
        tap: Option<&mut Tap>,
        jobs: &mut Jobs,
    ) {
        let (Some(playing), Some(at)) = (&mut self.playing, at) else {
            let Some(tap) = tap else { return };
            tap.mark(now, &text);
            tap.flush();
            let clock = app.ui().zone().clock(now.at);
            return app.flash(Severity::Info, format!("Marked {clock}: {}", safe(&text)));
        };
        let note = Note {
            at: playing.reel.moment(at),
            text,
        };
        let clock = app.ui().zone().clock(note.at);
        Arc::make_mut(&mut playing.reel).add_marker(Mark::new(at, &note.text));
        if playing.reel.live {
            self.retro.push(note);
            app.flash(
                Severity::Info,
                format!("Marked {clock}: kept when the last 15 minutes are saved"),
            );
        } else {
            playing.notes.push(note);
            if let Some(path) = playing.path.clone() {
                let notes = playing.notes.clone();
                jobs.start(move || Done::Written(keep_notes(&path, &notes, &clock)));
            } else {
                app.flash(
                    Severity::Warning,
                    format!("Marked {clock}, until the end: there is no file to keep it in"),
                );
            }
        }
        playing.tell(app);
    }
}

/// What a ring holds.
pub(super) fn last_minutes(ring: &Ring) -> Result<(Recording, Model), String> {
    ring.recording().map_err(|error| match error {
        RecordError::NoRecording(_) => "nothing has been seen yet".to_owned(),
        error => error.to_string(),
    })
}

/// The last minutes, and what recordings know of the time before them.
fn fetch_past(ring: &Ring, before: Option<&Before>) -> Result<Rewound, String> {
    let (recording, base) = last_minutes(ring)?;
    let (earlier, begins) = match before.map(|before| before.recording(base.settings())) {
        None => (
            None,
            "The last 15 minutes are kept; --history reaches further back".to_owned(),
        ),
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

fn keep_notes(path: &Path, notes: &[Note], clock: &str) -> Result<String, String> {
    let written: Result<PathBuf, RecordError> = write_notes(path, notes);
    let told = |path: &Path| safe(&path.display().to_string()).into_owned();
    written
        .map(|file| format!("Marked {clock}: kept in {}", told(&file)))
        .map_err(|error| error.to_string())
}
