//! A run: lanes that send what the dispatcher lets go, counted to the last shot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::FireError;
use super::compose::Composer;
use super::connection::{self, Lane, Pool};
use super::dispatch::{Dispatch, Dispatcher, Taken, lock};
use super::plan::Plan;
use super::tally::{Failure, FailureKind, Progress, Summary, Tally, Times};
use super::target::Target;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::SharedClock;

/// How often progress is reported.
const PERIOD: Duration = Duration::from_millis(250);

/// How long a run that is stopped waits for the answers to what it has sent.
const GRACE: Duration = Duration::from_secs(2);

/// What every lane has a hand on.
struct Shared {
    dispatch: Arc<Dispatch>,
    composer: Composer,
    tally: Mutex<Tally>,
    clock: SharedClock,
    timeout: Duration,
    redactor: Redactor,
}

/// Fires a plan to its end, or until `stop` is cancelled: then nothing new is sent, answers are
/// awaited for two seconds, and the summary says what is left without one.
///
/// # Errors
/// When the plan cannot be run at all: nothing has been sent then.
pub async fn run(
    plan: Plan,
    clock: SharedClock,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<Summary, FireError> {
    plan.check()?;
    let target = Arc::new(tokio::select! {
        () = stop.cancelled() => return Ok(Tally::new().summary(Duration::ZERO, 0, true)),
        target = prepare(&plan) => target?,
    });
    let dispatch = Arc::new(Dispatch::new(&plan, clock.clone()));
    let shared = Arc::new(Shared {
        dispatch: dispatch.clone(),
        composer: Composer::new(&plan, target.clone()),
        tally: Mutex::new(Tally::new()),
        clock,
        timeout: plan.timeout,
        redactor: plan.redactor,
    });
    let mut lanes = start_lanes(&shared, target, plan.concurrency.get(), plan.limit.count);
    let dispatcher = Dispatcher::start(dispatch.clone(), plan.limit, plan.steering).map_err(FireError::Thread)?;

    let mut ticks = tokio::time::interval(PERIOD);
    let report = || {
        let elapsed = dispatch.elapsed();
        let due = dispatch.due(plan.limit, elapsed);
        progress.send_replace(lock(&shared.tally).progress(elapsed, due));
    };
    let mut stopped_at = None;
    loop {
        tokio::select! {
            ended = lanes.join_next() => match ended {
                None => break,
                Some(ended) => propagate(ended),
            },
            _ = ticks.tick() => report(),
            () = stop.cancelled() => {
                stopped_at = Some(dispatch.elapsed());
                dispatch.halt();
                break;
            }
        }
    }
    drain(lanes).await;
    drop(dispatcher);
    let elapsed = dispatch.elapsed();
    let due = dispatch.due(plan.limit, stopped_at.unwrap_or(elapsed));
    report();
    Ok(lock(&shared.tally).summary(elapsed, due, stopped_at.is_some()))
}

/// No more lanes than shots.
fn start_lanes(shared: &Arc<Shared>, target: Arc<Target>, wanted: usize, count: Option<u64>) -> JoinSet<()> {
    let count = count.map_or(wanted, |count| usize::try_from(count).unwrap_or(wanted));
    let number = wanted.min(count);
    let pool = Arc::new(Pool::new(target, number));
    (0..number)
        .map(|lane| fire(shared.clone(), Lane::new(pool.clone(), lane)))
        .collect()
}

/// Waits a while for answers, then no longer.
async fn drain(mut lanes: JoinSet<()>) {
    let drained = tokio::time::timeout(GRACE, async {
        while let Some(ended) = lanes.join_next().await {
            propagate(ended);
        }
    });
    if drained.await.is_err() {
        lanes.shutdown().await;
    }
}

/// A lane's panic is the run's own.
fn propagate(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Finds the target. A target that speaks TLS must do so before the first shot; one that is only
/// away for a moment is counted, not refused.
async fn prepare(plan: &Plan) -> Result<Target, FireError> {
    let target = Target::prepare(plan).await?;
    if target.tls.is_some() {
        let probe = tokio::time::timeout(plan.timeout, connection::probe(&target)).await;
        if let Ok(Err(failure)) = probe
            && failure.kind == FailureKind::Tls
        {
            return Err(FireError::Tls {
                target: target.shown,
                reason: failure.reason,
            });
        }
    }
    Ok(target)
}

/// One lane: one request at a time until there are no more.
async fn fire(shared: Arc<Shared>, mut lane: Lane) {
    while let Some(Taken { seq, intended }) = shared.dispatch.take().await {
        let shot = shared
            .composer
            .compose(&shared.dispatch.mix(), seq, shared.clock.now().at);
        lock(&shared.tally).fired(&shot.kind);
        let mut sent = None;
        let exchange = lane.exchange(shot.request, || sent = Some(shared.dispatch.elapsed()));
        let outcome = tokio::time::timeout(shared.timeout, exchange).await;
        let outcome = outcome.unwrap_or_else(|_| {
            let kind = if sent.is_some() {
                FailureKind::Timeout
            } else {
                FailureKind::Connect
            };
            let limit = text::duration(shared.timeout);
            Err(Failure::new(kind, format!("no answer within {limit}")))
        });
        let times = Times {
            intended,
            sent,
            done: shared.dispatch.elapsed(),
        };
        lock(&shared.tally).done(&shot.kind, times, &outcome, &shared.redactor);
    }
}
