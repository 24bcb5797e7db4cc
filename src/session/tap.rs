//! The tee: what the model is given goes to the recorder and into the ring, in the model's order.

use crate::base::secret::Redactor;
use crate::base::time::{Moment, Timestamp};
use crate::config::Profile;
use crate::model::{History, Settings, View};
use crate::record::{Action, Event, Item, Marker, Progress, RecordError, Recorder, RecorderOptions, Target, Tick};
use crate::sample::Envelope;

use super::describe;
use super::history::Before;
use super::ring::Ring;

/// Whoever feeds a model tells the tap the same things in the same order, so that folding the
/// recording gives the same figures at the same moments. Nothing here waits.
#[derive(Debug)]
pub struct Tap {
    settings: Settings,
    redactor: Redactor,
    recorder: Option<Recorder>,
    ring: Option<Ring>,
    before: Option<Before>,
    /// The last event told: when, and how many at that moment.
    told: (Option<Timestamp>, usize),
}

impl Tap {
    /// A tap that goes nowhere yet.
    #[must_use]
    pub fn new(profile: &Profile, settings: Settings) -> Self {
        Self {
            settings,
            redactor: profile.redactor.clone(),
            recorder: None,
            ring: None,
            before: None,
            told: (None, 0),
        }
    }

    /// The same with the last 15 minutes kept in memory, for a model that began at `start`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn with_ring(mut self, start: Moment) -> std::io::Result<Self> {
        self.ring = Some(Ring::start(self.settings.clone(), start, self.redactor.clone())?);
        Ok(self)
    }

    /// The same where one can step back to before the session's start, too.
    #[must_use]
    pub fn with_before(mut self, before: Option<Before>) -> Self {
        self.before = before;
        self
    }

    /// Where what was before the session's start is kept.
    #[must_use]
    pub fn before(&self) -> Option<&Before> {
        self.before.as_ref()
    }

    /// The model is told what was before its start.
    pub fn remember(&self, history: &History) {
        if let Some(ring) = &self.ring {
            ring.remember(history.clone());
        }
    }

    /// Starts to record, from `start` on: where the model began, or now.
    ///
    /// # Errors
    /// When the first file cannot be created.
    pub fn record(&mut self, target: Target, start: Moment) -> Result<(), RecordError> {
        self.attach(Recorder::start(self.recorder(target, start))?);
        Ok(())
    }

    /// What starts a recorder from `start` on, away from the screen. [`Tap::attach`] takes it.
    #[must_use]
    pub fn recorder(&self, target: Target, start: Moment) -> RecorderOptions {
        RecorderOptions {
            target,
            info: describe::info(&self.settings, start),
            redactor: self.redactor.clone(),
        }
    }

    /// From here on it is recorded.
    pub fn attach(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Takes the recorder off, to be finished away from the screen.
    #[must_use]
    pub fn detach(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }

    /// The secrets that are taken out.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// A sample that the model is given.
    pub fn envelope(&mut self, envelope: &Envelope) {
        self.offer(|| Item::Envelope(Box::new(envelope.clone())));
    }

    /// The model has worked out its figures: `view` is what it says now.
    pub fn tick(&mut self, view: &View) {
        for event in self.fresh_events(view) {
            self.offer(|| Item::Event(event.clone()));
        }
        let flow = &view.flow;
        let load = flow.received_per_s.value.or(flow.stored_per_s.value);
        self.offer(|| Item::Tick(Tick { moment: view.now, load }));
    }

    /// Somebody marks this moment.
    pub fn mark(&mut self, moment: Moment, text: &str) {
        self.offer(|| {
            Item::Marker(Marker {
                moment,
                text: text.to_owned(),
            })
        });
    }

    /// Somebody did something.
    pub fn action(&mut self, action: &Action) {
        self.offer(|| Item::Action(action.clone()));
    }

    fn offer(&mut self, item: impl Fn() -> Item) {
        if let Some(recorder) = &mut self.recorder {
            recorder.offer(item());
        }
        if let Some(ring) = &self.ring {
            ring.offer(item());
        }
    }

    /// The events that were not told yet. The list is sorted by time.
    fn fresh_events(&mut self, view: &View) -> Vec<Event> {
        let (last, count) = self.told;
        let from = last.map_or(0, |last| view.events.partition_point(|event| event.at < last) + count);
        let fresh: Vec<Event> = view
            .events
            .iter()
            .skip(from)
            .map(|event| Event {
                moment: view.now,
                happened: event.at,
                kind: event.kind.word().to_owned(),
                severity: event.severity.word().to_owned(),
                text: event.text.clone(),
                detail: event.detail.clone(),
                count: event.count,
            })
            .collect();
        if let Some(last) = view.events.last() {
            let same = view.events.iter().rev().take_while(|event| event.at == last.at).count();
            self.told = (Some(last.at), same);
        }
        fresh
    }

    /// What the recorder has done; `None`: nothing is recorded.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.recorder.as_ref().map(Recorder::progress)
    }

    /// The last 15 minutes.
    #[must_use]
    pub fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }

    /// Puts what was recorded so far on the disk, without waiting for it.
    pub fn flush(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.flush();
        }
    }

    /// Ends the recording and waits until it is on the disk. `None`: nothing was recorded.
    pub fn stop_recording(&mut self) -> Option<Progress> {
        self.recorder.take().map(Recorder::finish)
    }
}
