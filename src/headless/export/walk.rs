//! A recording from its beginning: whoever exports is given what the live model was given.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ExportError, Part};
use crate::base::text;
use crate::base::time::Moment;
use crate::model::Settings;
use crate::record::{Action, Damage, Gap, Item, Marker, Recording};
use crate::sample::Envelope;
use crate::session::settings_of;

/// Whoever is told what a recording holds. Times are unix nanoseconds on its axis. Everything up
/// to the end of the part feeds the model; what lies before it is not shown.
pub(super) trait Audience {
    /// A session begins.
    fn begin(&mut self, settings: Settings, start: Moment);
    /// A sample for the model.
    fn data(&mut self, envelope: Envelope);
    /// Figures are to be worked out.
    fn tick(&mut self, now: Moment);
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

/// Plays `part` to `audience`, as fast as it can. Returns what is missing.
pub(super) fn walk(
    recording: &Arc<Recording>,
    part: Part,
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
            if let ControlFlow::Break(gap) = hand_over(at, item, part, audience)? {
                missing.push(gap);
            }
        }
    }
    Ok(missing)
}

/// Breaks with what is missing.
fn hand_over(at: u64, item: Item, part: Part, audience: &mut impl Audience) -> io::Result<ControlFlow<String>> {
    let within = part.holds(at);
    match item {
        Item::Envelope(envelope) => audience.data(*envelope),
        Item::Tick(tick) => {
            audience.tick(tick.moment);
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
