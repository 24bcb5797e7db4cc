//! A recording played: a pure stepping engine. It is told how much time passed and says what the
//! model is to be given. There is no source and no actor behind it: nothing can be changed.

mod fold;
mod timeline;

pub use fold::{Past, PlaybackError, Seek, settings_of, state_at};
pub use timeline::Timeline;

pub(super) use fold::{feed, pass};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::{Moment, Timestamp};
use crate::model::{Model, Settings};
use crate::record::{Action, ChunkReader, Damage, Event, Gap, Item, Marker, Recording};
use crate::sample::Envelope;

/// What comes next, in the order in which the live model was given it.
#[derive(Clone, Debug)]
pub enum Step {
    /// A session begins: a new model with these settings, from this moment on.
    Begin(Box<Settings>, Moment),
    /// What the live session remembers begins: the model as it was then.
    Resume(Arc<Model>),
    /// For [`Model::apply`].
    Data(Box<Envelope>),
    /// For [`Model::advance`].
    Tick(Moment),
    /// Something is missing here.
    Gap(Gap),
    /// Somebody marked this moment.
    Marker(Marker),
    /// Somebody did something.
    Action(Action),
    /// What the live model told; the model tells its own.
    Event(Event),
    /// A damaged chunk was left out.
    Damage(Damage),
}

/// How fast it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speed {
    /// ½×
    Half,
    /// As it was.
    #[default]
    Normal,
    /// 2×
    Double,
    /// 4×
    Four,
    /// 8×
    Eight,
    /// 16×
    Sixteen,
}

impl Speed {
    const ALL: [Self; 6] = [
        Self::Half,
        Self::Normal,
        Self::Double,
        Self::Four,
        Self::Eight,
        Self::Sixteen,
    ];

    /// Times real time.
    #[must_use]
    pub fn factor(self) -> f64 {
        match self {
            Self::Half => 0.5,
            Self::Normal => 1.0,
            Self::Double => 2.0,
            Self::Four => 4.0,
            Self::Eight => 8.0,
            Self::Sixteen => 16.0,
        }
    }

    /// Its name: `½×`, `1×`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        ["½×", "1×", "2×", "4×", "8×", "16×"][self as usize]
    }

    /// Reads it as it is typed: `4`, `4x`, `4×`, `0.5`, `½`.
    ///
    /// # Errors
    /// Lists the speeds that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches(['x', '×']);
        let wanted = if number == "½" {
            Some(0.5)
        } else {
            number.parse::<f64>().ok()
        };
        let found = |speed: &Self| wanted.is_some_and(|wanted| (wanted - speed.factor()).abs() < f64::EPSILON);
        Self::ALL
            .into_iter()
            .find(found)
            .ok_or_else(|| "one of 0.5, 1, 2, 4, 8, 16".to_owned())
    }

    /// The next faster one.
    #[must_use]
    pub fn faster(self) -> Self {
        Self::ALL[(self as usize + 1).min(Self::ALL.len() - 1)]
    }

    /// The next slower one.
    #[must_use]
    pub fn slower(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }
}

/// How much faster it goes where nothing happens, at most.
const RAMP: f64 = 8.0;

/// Chunks that are read ahead of where it stands: at the fastest a chunk lasts a twelfth of a second.
const AHEAD: usize = 4;

/// Nothing happens this far from an alert, marker, action or gap: from here on faster, and from
/// here on fastest.
const QUIET: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// The model where the recording of a session begins in the middle of it.
#[derive(Clone, Debug)]
struct Base {
    session: String,
    model: Arc<Model>,
}

/// A recording being played.
#[derive(Debug)]
pub struct Playback {
    recording: Arc<Recording>,
    /// `None`: a chunk is being read.
    reader: Option<ChunkReader>,
    timeline: Timeline,
    base: Option<Base>,
    /// Unix nanoseconds on the recording's axis.
    position: u64,
    /// The chunk to read next.
    next: usize,
    waiting: VecDeque<(u64, Step)>,
    session: Option<String>,
    playing: bool,
    speed: Speed,
    ramp: bool,
    looping: bool,
}

impl Playback {
    /// A recording from its beginning, paused.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn new(recording: Recording) -> Result<Self, PlaybackError> {
        Self::start(recording, None)
    }

    /// What a live session's ring holds, with the model as it was at its beginning; it stands at
    /// its end, paused.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn rewind(recording: Recording, base: Model) -> Result<Self, PlaybackError> {
        Self::rewind_beyond(recording, base, None)
    }

    /// The same after what is known of the `reach` before it.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn rewind_beyond(
        recording: Recording,
        base: Model,
        earlier: Option<(Recording, Duration)>,
    ) -> Result<Self, PlaybackError> {
        let base = Base {
            session: recording.info().session.clone(),
            model: Arc::new(base),
        };
        let recording = match earlier {
            Some((earlier, reach)) => recording.after(earlier, reach),
            None => recording,
        };
        let mut playback = Self::start(recording, Some(base))?;
        playback.position = playback.timeline.end;
        playback.next = playback.recording.chunks().len();
        Ok(playback)
    }

    fn start(recording: Recording, base: Option<Base>) -> Result<Self, PlaybackError> {
        settings_of(recording.info())?;
        let recording = Arc::new(recording);
        let timeline = Timeline::of(&recording);
        Ok(Self {
            reader: Some(recording.reader()),
            position: timeline.start,
            session: None,
            base,
            timeline,
            recording,
            next: 0,
            waiting: VecDeque::new(),
            playing: false,
            speed: Speed::Normal,
            ramp: false,
            looping: false,
        })
    }

    /// The recording.
    #[must_use]
    pub fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    /// What the strip under the screen shows.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Time from the recording's beginning.
    #[must_use]
    pub fn position(&self) -> Duration {
        Duration::from_nanos(self.position.saturating_sub(self.timeline.start))
    }

    /// Its length.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.timeline.duration()
    }

    /// Whether it plays.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Whether it stands at its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.next >= self.recording.chunks().len()
    }

    /// How fast it plays.
    #[must_use]
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Plays or pauses.
    pub fn set_playing(&mut self, playing: bool) {
        self.playing = playing;
    }

    /// Changes the speed.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Whether it goes faster where nothing happens.
    #[must_use]
    pub fn idle_ramp(&self) -> bool {
        self.ramp
    }

    /// Whether it begins anew at its end.
    #[must_use]
    pub fn is_looping(&self) -> bool {
        self.looping
    }

    /// Whether it goes faster where nothing happens.
    pub fn set_idle_ramp(&mut self, on: bool) {
        self.ramp = on;
    }

    /// Whether it begins anew at its end.
    pub fn set_looping(&mut self, on: bool) {
        self.looping = on;
    }

    /// `wall` time has passed: what the model is to be given. Nothing while paused.
    pub fn advance(&mut self, wall: Duration) -> Vec<Step> {
        if !self.playing {
            return Vec::new();
        }
        let passed = wall.mul_f64(self.speed.factor() * self.ramp_factor());
        let to = self
            .position
            .saturating_add(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX));
        // No further than it was read.
        let unread = self.recording.chunks().get(self.next).map(|chunk| chunk.start);
        let to = unread.map_or(to, |unread| to.min(unread.max(self.position)));
        let mut steps = self.take_until(to);
        self.position = to.min(self.timeline.end);
        if self.is_over() {
            if self.looping {
                self.restart();
                steps.extend(self.take_until(self.position));
            } else {
                self.playing = false;
            }
        }
        steps
    }

    /// Leaves a span of which nothing is known, if it stands in one. Returns how long that was.
    pub fn skip_hole(&mut self) -> Option<Duration> {
        let here = self.position;
        let inside = |(from, to): &&(u64, u64)| (*from..*to).contains(&here);
        let (_, end) = *self.timeline.holes.iter().find(inside)?;
        self.position = end;
        Some(Duration::from_nanos(end - here))
    }

    fn ramp_factor(&self) -> f64 {
        if !self.ramp {
            return 1.0;
        }
        let away = self.timeline.nearest(self.position).as_secs_f64();
        let (near, far) = (QUIET.0.as_secs_f64(), QUIET.1.as_secs_f64());
        1.0 + (RAMP - 1.0) * ((away - near) / (far - near)).clamp(0.0, 1.0)
    }

    fn restart(&mut self) {
        self.position = self.timeline.start;
        self.next = 0;
        self.waiting.clear();
        self.session = None;
    }

    fn take_until(&mut self, to: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        while self.waiting.front().is_some_and(|(at, _)| *at <= to) {
            steps.extend(self.waiting.pop_front().map(|(_, step)| step));
        }
        steps
    }

    /// One tick forward: what the model is to be given up to it. Empty at the end. `None`: it must
    /// be read first, with [`Playback::wanted`].
    pub fn step(&mut self) -> Option<Vec<Step>> {
        let tick = self.waiting.iter().position(|(_, step)| matches!(step, Step::Tick(_)));
        let count = match tick {
            Some(tick) => tick + 1,
            // A span without any tick is passed in parts.
            None if self.is_short() => return None,
            None => self.waiting.len(),
        };
        if let Some((at, _)) = self.waiting.get(count.wrapping_sub(1)) {
            self.position = self.position.max(*at);
        }
        Some(self.waiting.drain(..count).map(|(_, step)| step).collect())
    }

    /// Whether there is more to be read by now.
    fn is_short(&self) -> bool {
        let here = self.recording.chunk_before(self.position);
        self.next < self.recording.chunks().len() && self.next <= here + AHEAD
    }

    /// A job that reads what comes next. Run it away from the screen, and give what comes of it to
    /// [`Playback::take`]. `None`: enough is read, or it is being read.
    pub fn wanted(&mut self) -> Option<Load> {
        if !self.is_short() {
            return None;
        }
        Some(Load {
            reader: self.reader.take()?,
            chunk: self.next,
        })
    }

    /// Takes what was read. What nobody waits for any more is left out.
    pub fn take(&mut self, loaded: Loaded) {
        self.reader = Some(loaded.reader);
        let chunk = loaded.chunk;
        if chunk != self.next {
            return;
        }
        self.next += 1;
        let info = self.recording.session_of(chunk).clone();
        let start = self.recording.chunks()[chunk].start;
        if self.session.as_ref() != Some(&info.session) {
            self.session = Some(info.session.clone());
            let base = self.base.as_ref().filter(|base| base.session == info.session);
            let begin = match base {
                Some(base) => Some(Step::Resume(base.model.clone())),
                None => settings_of(&info)
                    .ok()
                    .map(|settings| Step::Begin(Box::new(settings), info.start)),
            };
            self.waiting.extend(begin.map(|step| (start, step)));
        }
        match loaded.items {
            Ok(items) => self.wait_for(items),
            Err(damage) => self.waiting.push_back((start, Step::Damage(damage))),
        }
    }

    fn wait_for(&mut self, items: Vec<(u64, Item)>) {
        self.waiting
            .extend(items.into_iter().filter_map(|(at, item)| Some((at, step_of(item)?))));
    }

    /// Reads what comes next here and now: for whoever may wait.
    pub fn read_ahead(&mut self) {
        while let Some(load) = self.wanted() {
            self.take(load.run());
        }
    }

    /// A job that works out the model at `to`, time from the beginning. Run it away from the
    /// screen, give its model to the screen and its answer to [`Playback::arrive`].
    #[must_use]
    pub fn seek(&self, to: Duration) -> Seek {
        let to = self.timeline.start + u64::try_from(to.as_nanos()).unwrap_or(u64::MAX / 2);
        Seek::new(self.recording.clone(), self.base.clone(), to.min(self.timeline.end))
    }

    /// To a time of day. Before the beginning is the beginning, after the end the end.
    #[must_use]
    pub fn seek_time(&self, at: Timestamp) -> Seek {
        let at = u64::try_from(at.as_nanosecond()).unwrap_or(0);
        self.seek(Duration::from_nanos(at.saturating_sub(self.timeline.start)))
    }

    /// To the tick before this one.
    #[must_use]
    pub fn seek_back(&self) -> Seek {
        let position = self.position();
        self.seek(position.saturating_sub(Duration::from_millis(1_001)))
    }

    /// A seek is done: from there on.
    pub fn arrive(&mut self, past: &mut Past) {
        let (rest, next) = past.take_rest();
        self.position = past.at();
        self.session = Some(past.session().to_owned());
        self.waiting.clear();
        self.next = next;
        self.wait_for(rest);
    }
}

/// A job: what comes next is read.
#[derive(Debug)]
pub struct Load {
    reader: ChunkReader,
    chunk: usize,
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    reader: ChunkReader,
    chunk: usize,
    items: Result<Vec<(u64, Item)>, Damage>,
}

impl Load {
    /// Reads it.
    #[must_use]
    pub fn run(mut self) -> Loaded {
        Loaded {
            items: self.reader.read(self.chunk),
            reader: self.reader,
            chunk: self.chunk,
        }
    }
}

fn step_of(item: Item) -> Option<Step> {
    Some(match item {
        Item::Session(_) => return None,
        Item::Envelope(envelope) => Step::Data(envelope),
        Item::Tick(tick) => Step::Tick(tick.moment),
        Item::Gap(gap) => Step::Gap(gap),
        Item::Action(action) => Step::Action(action),
        Item::Marker(marker) => Step::Marker(marker),
        Item::Event(event) => Step::Event(event),
    })
}
