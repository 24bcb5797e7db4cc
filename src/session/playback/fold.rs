//! The model at a moment of a recording.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Moment;
use crate::model::{Model, SeriesKey, Settings};
use crate::record::{Damage, Item, Recording, SessionInfo};

use super::Base;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    /// What it says of its profile is not understood.
    #[error("play the recording of {profile}: its settings cannot be read: {reason}")]
    Settings {
        /// The profile.
        profile: String,
        /// Why not.
        reason: serde_json::Error,
    },
    /// Nothing of it can be read.
    #[error("play the recording: nothing before this moment can be read")]
    Nothing,
}

/// A recording up to this length before a moment is folded from its beginning; of a longer one,
/// as much as the finest charts show.
const WINDOW: Duration = Duration::from_mins(15);

/// What the model needs to know of the profile that was recorded.
///
/// # Errors
/// When it is not understood.
pub fn settings_of(info: &SessionInfo) -> Result<Settings, PlaybackError> {
    serde_json::from_value(info.settings.clone()).map_err(|reason| PlaybackError::Settings {
        profile: info.profile.clone(),
        reason,
    })
}

/// Gives a model what an item says.
pub(in crate::session) fn feed(model: &mut Model, item: &Item) {
    match item {
        Item::Envelope(envelope) => model.apply(envelope),
        Item::Tick(tick) => model.advance(tick.moment),
        _ => {}
    }
}

/// The same where nobody looks at the moment: [`Model::view`] is whole after the next [`feed`] of a tick.
pub(in crate::session) fn pass(model: &mut Model, item: &Item) {
    match item {
        Item::Tick(tick) => model.pass(tick.moment),
        item => feed(model, item),
    }
}

/// The model at `at` (unix nanoseconds on the recording's axis), exactly as the live session had
/// it: everything before is folded.
///
/// # Errors
/// When nothing before it can be read.
pub fn state_at(recording: &Arc<Recording>, at: u64) -> Result<Model, PlaybackError> {
    let seek = Seek {
        exact: true,
        ..Seek::new(recording.clone(), None, at)
    };
    Ok(seek.run()?.into_model())
}

/// A job: the model at a moment. Pure, and away from the screen.
#[derive(Clone, Debug)]
pub struct Seek {
    recording: Arc<Recording>,
    base: Option<Base>,
    at: u64,
    exact: bool,
    charted: Vec<SeriesKey>,
}

/// Where a seek arrived.
#[derive(Debug)]
pub struct Past {
    model: Model,
    session: String,
    at: u64,
    /// From when on everything was folded.
    since: u64,
    exact: bool,
    damage: Vec<Damage>,
    /// What is left of the chunk in which it stands, and the chunk after it.
    rest: Vec<(u64, Item)>,
    next: usize,
}

impl Past {
    /// The model at that moment.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_model(self) -> Model {
        self.model
    }

    /// Unix nanoseconds on the recording's axis.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What is left of the chunk in which it stands, and the chunk after it.
    pub(super) fn take_rest(&mut self) -> (Vec<(u64, Item)>, usize) {
        (std::mem::take(&mut self.rest), self.next)
    }

    /// The session that it is in.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Whether it is what the live session showed. Else totals, the ledger and events count from
    /// [`Past::since`] on only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// From when on everything was folded, unix nanoseconds.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since
    }

    /// Chunks that had to be left out.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// What came of folding.
struct Folded {
    model: Option<Model>,
    damage: Vec<Damage>,
    rest: Vec<(u64, Item)>,
    next: usize,
    /// Whether its last tick was worked out in full.
    whole: bool,
}

impl Seek {
    pub(super) fn new(recording: Arc<Recording>, base: Option<Base>, at: u64) -> Self {
        Self {
            recording,
            base,
            at,
            exact: false,
            charted: Vec::new(),
        }
    }

    /// The same, folding everything from the session's beginning, however long that takes.
    #[must_use]
    pub fn exactly(self) -> Self {
        Self { exact: true, ..self }
    }

    /// The same, keeping the histories that are on screen.
    #[must_use]
    pub fn charting(self, charted: Vec<SeriesKey>) -> Self {
        Self { charted, ..self }
    }

    /// Works it out.
    ///
    /// # Errors
    /// When nothing before the moment can be read.
    pub fn run(self) -> Result<Past, PlaybackError> {
        let chunks = self.recording.chunks();
        if chunks.is_empty() {
            return Err(PlaybackError::Nothing);
        }
        let last = self.recording.chunk_before(self.at);
        let session = &self.recording.session_of(last).session;
        let begun = (0..=last)
            .rev()
            .take_while(|i| self.recording.session_of(*i).session == *session)
            .last()
            .unwrap_or(last);
        let far = u64::try_from(WINDOW.as_nanos()).unwrap_or(u64::MAX);
        let near = self.recording.chunk_before(self.at.saturating_sub(far));
        let near = if chunks[near].end < self.at.saturating_sub(far) {
            near + 1
        } else {
            near
        };
        let first = if self.exact || self.base_of(session).is_some() {
            begun
        } else {
            near.clamp(begun, last)
        };
        // Within half a window more it is worth to be exact.
        let first = if chunks[first].start.saturating_sub(chunks[begun].start) <= far / 2 {
            begun
        } else {
            first
        };
        // Only the figures of the last tick are shown. It is in one of the last two chunks, unless
        // those are damaged.
        let mut folded = self.fold(first, last, first == begun, last.saturating_sub(1))?;
        if !folded.whole {
            folded = self.fold(first, last, first == begun, first)?;
        }
        let exact = first == begun && folded.damage.is_empty();
        Ok(Past {
            model: folded.model.ok_or(PlaybackError::Nothing)?,
            session: session.clone(),
            at: self.at,
            since: chunks[first].start,
            exact,
            damage: folded.damage,
            rest: folded.rest,
            next: folded.next,
        })
    }

    /// The model that this session begins with, where its recording begins in the middle of it.
    fn base_of(&self, session: &str) -> Option<&Base> {
        self.base.as_ref().filter(|base| base.session == session)
    }

    /// Everything up to the moment; at a tick's own moment, up to that tick: what came after it may
    /// bear the same time. From chunk `shown` on ticks are worked out in full.
    fn fold(&self, first: usize, last: usize, from_begin: bool, shown: usize) -> Result<Folded, PlaybackError> {
        let info = self.recording.session_of(first);
        let settings = settings_of(info)?;
        let begun = |start: Moment| {
            let mut model = Model::new(settings.clone(), start);
            self.charted.iter().for_each(|key| model.touch(key));
            model
        };
        let mut folded = Folded {
            model: from_begin.then(|| match self.base_of(&info.session) {
                Some(base) => {
                    let mut model = (*base.model).clone();
                    self.charted.iter().for_each(|key| model.touch(key));
                    model
                }
                None => begun(info.start),
            }),
            damage: Vec::new(),
            rest: Vec::new(),
            next: first,
            whole: true,
        };
        self.recording.each_chunk(first..=last, |chunk, items| {
            folded.next = chunk + 1;
            let mut items = match items {
                Ok(items) => items.into_iter().peekable(),
                Err(broken) => {
                    folded.damage.push(broken);
                    return ControlFlow::Continue(());
                }
            };
            let mut arrived = chunk == last;
            while let Some((at, item)) = items.next_if(|(at, _)| *at <= self.at) {
                if matches!(item, Item::Session(_)) {
                    continue;
                }
                let model = folded.model.get_or_insert_with(|| begun(item.moment()));
                let is_tick = matches!(item, Item::Tick(_));
                if chunk >= shown {
                    feed(model, &item);
                } else {
                    pass(model, &item);
                }
                if is_tick {
                    folded.whole = chunk >= shown;
                }
                if at == self.at && is_tick {
                    arrived = true;
                    break;
                }
            }
            if arrived {
                folded.rest = items.collect();
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        Ok(folded)
    }
}
