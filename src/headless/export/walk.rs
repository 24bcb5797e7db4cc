//! A recording from its beginning: whoever exports is given what the live model was given.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::{ExportError, Part};
use crate::base::text;
use crate::base::time::Moment;
use crate::export::film::Film;
use crate::model::{Model, Settings};
use crate::record::{Action, Damage, Gap, Item, Marker, Note, Recording};
use crate::sample::Envelope;
use crate::session::settings_of;

/// Whatever works out the figures of a recording.
pub(super) trait Fold {
    /// A session begins.
    fn begin(&mut self, settings: Settings, start: Moment);
    /// A sample.
    fn data(&mut self, envelope: Envelope);
    /// Figures are to be worked out.
    fn tick(&mut self, now: Moment);
}

impl Fold for Option<Model> {
    fn begin(&mut self, settings: Settings, start: Moment) {
        *self = Some(Model::new(settings, start));
    }

    fn data(&mut self, envelope: Envelope) {
        if let Some(model) = self {
            model.apply(&envelope);
        }
    }

    fn tick(&mut self, now: Moment) {
        if let Some(model) = self {
            model.advance(now);
        }
    }
}

impl Fold for Film<'_> {
    fn begin(&mut self, settings: Settings, start: Moment) {
        self.begin(settings, start);
    }

    fn data(&mut self, envelope: Envelope) {
        self.data(envelope);
    }

    fn tick(&mut self, now: Moment) {
        self.tick(now);
    }
}

/// Whoever is told what a recording holds. Times are unix nanoseconds on its axis. Everything up
/// to the end of the part feeds the model; what lies before it is not shown.
pub(super) trait Audience {
    /// What works out the figures.
    fn folder(&mut self) -> &mut impl Fold;
    /// A session begins.
    fn begin(&mut self, settings: Settings, start: Moment) {
        self.folder().begin(settings, start);
    }
    /// The figures of a moment within the part are there.
    fn show(&mut self, at: u64) -> io::Result<()>;
    /// Somebody marked a moment within the part.
    fn marker(&mut self, _at: u64, _marker: &Marker) -> io::Result<()> {
        Ok(())
    }
    /// Somebody did something within the part.
    fn action(&mut self, _at: u64, _action: &Action) -> io::Result<()> {
        Ok(())
    }
    /// Something is missing within the part.
    fn gap(&mut self, _at: u64, _reason: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Plays `part` to `audience`, as fast as it can; `notes`, sorted, are markers. Returns what is
/// missing.
pub(super) fn walk(
    recording: &Arc<Recording>,
    part: Part,
    notes: &[Note],
    audience: &mut impl Audience,
) -> Result<Vec<String>, ExportError> {
    settings_of(recording.info())?;
    let mut missing: Vec<String> = recording.damage().iter().map(Damage::to_string).collect();
    missing.extend(
        recording
            .unreadable()
            .iter()
            .map(|reason| text::safe(reason).into_owned()),
    );
    let mut notes = notes.iter().filter(|note| part.holds(place(note))).peekable();
    let mut reader = recording.reader();
    let mut session = None;
    for (number, chunk) in recording.chunks().iter().enumerate() {
        if chunk.start > part.to {
            break;
        }
        let info = recording.session_of(number);
        if session.as_ref() != Some(&info.session) {
            session = Some(info.session.clone());
            audience.begin(settings_of(info)?, info.start);
        }
        let items = match reader.read(number) {
            Ok(items) => items,
            Err(damage) => {
                audience.gap(chunk.start, &damage.to_string())?;
                missing.push(damage.to_string());
                continue;
            }
        };
        for (at, item) in items {
            if at > part.to {
                break;
            }
            while let Some(note) = notes.next_if(|note| place(note) < at) {
                tell(note, audience)?;
            }
            if let ControlFlow::Break(gap) = hand_over(at, item, part, audience)? {
                missing.push(gap);
            }
        }
    }
    for note in notes {
        tell(note, audience)?;
    }
    Ok(missing)
}

/// Where a note stands on the recording's axis.
fn place(note: &Note) -> u64 {
    u64::try_from(note.at.as_nanosecond()).unwrap_or(0)
}

fn tell(note: &Note, audience: &mut impl Audience) -> io::Result<()> {
    let moment = Moment {
        at: note.at,
        mono: Duration::ZERO,
    };
    let text = note.text.clone();
    audience.marker(place(note), &Marker { moment, text })
}

/// Breaks with what is missing.
fn hand_over(at: u64, item: Item, part: Part, audience: &mut impl Audience) -> io::Result<ControlFlow<String>> {
    let within = part.holds(at);
    match item {
        Item::Envelope(envelope) => audience.folder().data(*envelope),
        Item::Tick(tick) => {
            audience.folder().tick(tick.moment);
            if within {
                audience.show(at)?;
            }
        }
        Item::Gap(Gap { moment, lost, reason }) => {
            let reason = format!("{} items: {}", text::count(lost), text::safe(&reason));
            audience.gap(at, &reason)?;
            return Ok(ControlFlow::Break(format!("{}: {reason}", moment.at)));
        }
        Item::Marker(marker) if within => audience.marker(at, &marker)?,
        Item::Action(action) if within => audience.action(at, &action)?,
        // Playback derives its own events.
        Item::Marker(_) | Item::Action(_) | Item::Event(_) | Item::Session(_) => {}
    }
    Ok(ControlFlow::Continue(()))
}
