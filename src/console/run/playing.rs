//! What is on its way through the past: it moves the playback engine and tells the screen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::job::{Done, Jobs};
use crate::base::text::safe;
use crate::base::time::Timestamp;
use crate::console::app::{App, Msg, Played, update};
use crate::console::player::{Player, Reel};
use crate::console::screen::Hits;
use crate::model::{Model, Severity};
use crate::record::{Damage, Note};
use crate::session::{Playback, Step};

#[derive(Debug)]
pub(super) struct Playing {
    pub(super) number: u64,
    pub(super) playback: Playback,
    pub(super) reel: Arc<Reel>,
    pub(super) path: Option<PathBuf>,
    pub(super) notes: Vec<Note>,
    /// Where the figures that are being worked out will be, and where to go after that.
    pub(super) target: Option<Duration>,
    pub(super) queued: Option<Duration>,
    pub(super) since: Option<Timestamp>,
    /// Why the past of a live session begins where it does: told there.
    pub(super) begins: String,
    /// When it was moved last, time since session start.
    pub(super) moved: Duration,
    /// Whether its figures have been on screen.
    pub(super) shown: bool,
    /// Whether to step one reading forward as soon as it is read.
    pub(super) stepping: bool,
}

impl Playing {
    pub(super) fn new(number: u64, playback: Playback, reel: Reel) -> Self {
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
    pub(super) fn step(&mut self, app: &mut App, jobs: &mut Jobs) {
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
    pub(super) fn read_on(&mut self, jobs: &mut Jobs) {
        if let Some(load) = self.playback.wanted() {
            let number = self.number;
            jobs.start(move || Done::Read(number, load.run()));
        }
    }

    pub(super) fn player(&self) -> Player {
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

    pub(super) fn tell(&self, app: &mut App) {
        // The past of a live session is on screen once its figures are.
        if self.shown || !self.reel.live {
            tell(app, Msg::Player(Some(Box::new(self.player()))));
        }
    }

    /// Goes to a position. Of several that are asked for while one is worked out, the last counts.
    pub(super) fn seek(&mut self, to: Duration, app: &App, jobs: &mut Jobs) {
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

    pub(super) fn feed(&mut self, steps: Vec<Step>, app: &mut App) {
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
    pub(super) fn miss(&mut self, damage: &Damage, app: &mut App) {
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

pub(super) fn tell(app: &mut App, msg: Msg) {
    // What is played asks for nothing outside of the console.
    update(app, msg, &Hits::default());
}
