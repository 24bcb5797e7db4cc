//! Watching for a while without a screen.

use std::time::Duration;

use crate::base::time::SharedClock;
use crate::model::{Health, Model, View};
use crate::sample::SourceId;
use crate::session::{Session, Ticker};

/// Feeds what the session's sources see into a model for `wait`, with the console's own ticks.
pub async fn observe(mut session: Session, clock: &SharedClock, wait: Duration) -> Model {
    let mut model = Model::new(session.settings.clone(), session.started);
    let begun = clock.now();
    let (mut ticker, end) = (Ticker::new(begun), begun.mono + wait);
    loop {
        let now = clock.now();
        if now.mono >= end {
            break;
        }
        if ticker.is_due(now) {
            model.advance(now);
        }
        let pause = ticker.at().min(end).saturating_sub(now.mono);
        tokio::select! {
            Some(envelope) = session.envelopes.recv() => {
                model.apply(&envelope);
                if model.has_news() {
                    ticker.hurry(clock.now());
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    // What has arrived by now belongs to this reading.
    while let Ok(envelope) = session.envelopes.try_recv() {
        model.apply(&envelope);
    }
    model.advance(clock.now());
    model
}

/// The expected sources that do not answer at this moment.
#[must_use]
pub fn unanswered(view: &View, expected: &[SourceId]) -> Vec<SourceId> {
    let answers = |id: &SourceId| view.sources.iter().any(|s| s.id == *id && s.state == Health::Ok);
    expected.iter().filter(|id| !answers(id)).cloned().collect()
}
