//! What is played: a recording, or the last minutes of the live session. It moves the playback
//! engine and tells the screen what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::job::{Done, Jobs, Rewound};
use super::playing::{Playing, tell};
use super::reel::{Recorded, fetch_past, reel_of};
use crate::base::text::{self, safe};
use crate::base::time::{Moment, Timestamp};
use crate::console::app::{App, Msg};
use crate::console::command::Command;
use crate::console::player::{Back, Control, Mark, length};
use crate::model::Severity;
use crate::record::{Note, RecordError, write_notes};
use crate::session::{Loaded, Past, PlaybackError, Tap};

/// What is played moves this often on screen.
const STEP: Duration = Duration::from_millis(100);

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

fn keep_notes(path: &Path, notes: &[Note], clock: &str) -> Result<String, String> {
    let written: Result<PathBuf, RecordError> = write_notes(path, notes);
    let told = |path: &Path| safe(&path.display().to_string()).into_owned();
    written
        .map(|file| format!("Marked {clock}: kept in {}", told(&file)))
        .map_err(|error| error.to_string())
}
