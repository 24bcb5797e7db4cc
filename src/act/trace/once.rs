//! One run of a canary, or of a trace alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::canary::{Outcome, reading};
use super::follow::trace;
use super::plan::{TraceError, TracePlan};
use super::timeline::Timeline;
use crate::act::fire::{self, Plan, Progress};
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::sample::CanaryReading;

/// Fires one webhook. With `tracing` it is followed to the end of its way, else its answer has to
/// be as the plan expects. `progress` hears of every step.
///
/// # Errors
/// When it was to be followed and could not be fired at all.
pub async fn once(
    tracing: Option<&TracePlan>,
    shot: Plan,
    name: &str,
    clock: &SharedClock,
    progress: &watch::Sender<Timeline>,
    stop: &CancellationToken,
) -> Result<Outcome, TraceError> {
    let at = clock.now().at;
    let Some(tracing) = tracing else {
        return Ok(answered(shot, name, at, clock, stop).await);
    };
    let timeline = trace(tracing, shot, clock, progress, stop).await?;
    Ok(Outcome {
        at,
        reading: reading(name, &timeline),
        timeline: Some(timeline),
    })
}

/// One webhook, and whether its answer was as expected.
async fn answered(shot: Plan, name: &str, at: Timestamp, clock: &SharedClock, stop: &CancellationToken) -> Outcome {
    let expected = shot.expect.clone();
    let (progress, _watched) = watch::channel(Progress::default());
    let summary = match fire::run(shot, clock.clone(), progress, stop.clone()).await {
        Ok(summary) => summary,
        Err(error) => return Outcome::failed(at, name, error.to_string()),
    };
    let missed = expected
        .iter()
        .map(|expected| expected.check(&summary))
        .find(|checked| !checked.is_met);
    let total = summary.latency_s.max.and_then(|s| Duration::try_from_secs_f64(s).ok());
    let reason = missed.map(|checked| {
        let why = summary.samples.first().map_or("", |sample| sample.text.as_str());
        format!("expected {}: {} {why}", checked.expected, checked.actual)
    });
    Outcome {
        at,
        reading: CanaryReading {
            name: Arc::from(name),
            passed: reason.is_none(),
            reason: reason.map(|reason| text::safe(reason.trim()).into_owned()),
            total,
        },
        timeline: None,
    }
}
