//! Watching for a while without a screen.

use std::time::Duration;

use crate::base::time::SharedClock;
use crate::model::{Health, Model, View};
use crate::sample::{Panel, SourceId};
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
            session.alarms.note(model.view());
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
    session.alarms.note(model.view());
    if let Some(failed) = session.alarms.finish().await {
        tracing::warn!("{failed}");
    }
    model
}

/// The expected sources that do not answer at this moment.
#[must_use]
pub fn unanswered(view: &View, expected: &[SourceId]) -> Vec<SourceId> {
    let answers = |id: &SourceId| view.sources.iter().any(|s| s.id == *id && s.state == Health::Ok);
    expected.iter().filter(|id| !answers(id)).cloned().collect()
}

/// What a pipeline is judged by and cannot be read, although its source answers: the counters in
/// Postgres, the dead letter stream. What else is off costs detail only.
pub(super) fn unreadable(view: &View) -> impl Iterator<Item = (Panel, &str)> {
    let needed = |panel: Panel| matches!(panel, Panel::Counters | Panel::DeadLetters);
    let off = view.panels_off.iter().filter(move |(panel, _)| needed(*panel));
    off.map(|(panel, problem)| (*panel, problem.as_str()))
}
