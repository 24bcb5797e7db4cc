//! A run: lanes that send what the dispatcher lets go, counted to the last shot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Request;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::compose::{Composer, Kind, Shot};
use super::connection::{self, Lane, Pool};
use super::dispatch::{Dispatch, Dispatcher, lock};
use super::error::FireError;
use super::expect::Expectation;
use super::outcome::{Answer, Exchange, Failure, FailureKind, Progress, Summary};
use super::payload::Payload;
use super::plan::Plan;
use super::tally::{Tally, Times};
use super::target::Target;
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::{Moment, SharedClock};

/// How often progress is reported.
const PERIOD: Duration = Duration::from_millis(250);

/// How long before a request is sent again, the first time; twice as long each time after.
const BACKOFF: Duration = Duration::from_millis(100);

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
    retries: u32,
    reports: Option<mpsc::UnboundedSender<Exchange>>,
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
        () = stop.cancelled() => return Ok(Tally::new(&[]).summary(Duration::ZERO, 0, true)),
        target = prepare(&plan) => target?,
    });
    // Bodies of answers are kept where somebody looks into them.
    let is_read = plan.reports.is_some() || plan.expect.iter().any(Expectation::reads_body);
    let keep = if is_read { connection::READ } else { 0 };
    let dispatch = Arc::new(Dispatch::new(&plan, clock.clone()));
    let shared = Arc::new(Shared {
        dispatch: dispatch.clone(),
        composer: Composer::new(&plan, target.clone()),
        tally: Mutex::new(Tally::new(&plan.expect)),
        clock,
        timeout: plan.timeout,
        redactor: plan.redactor,
        retries: plan.retries,
        reports: plan.reports,
    });
    let wanted = plan.concurrency.get();
    // No more lanes than shots.
    let lanes = plan
        .limit
        .count
        .map_or(wanted, |count| usize::try_from(count).unwrap_or(wanted).min(wanted));
    let mut lanes = start_lanes(&shared, Pool::new(target, lanes, keep), lanes);
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

fn start_lanes(shared: &Arc<Shared>, pool: Pool, number: usize) -> JoinSet<()> {
    let pool = Arc::new(pool);
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
    while let Some(taken) = shared.dispatch.take().await {
        let shot = shared
            .composer
            .compose(&shared.dispatch.mix(), taken.seq, shared.clock.now().at);
        let Shot { kind, id, request } = shot;
        lock(&shared.tally).fired(&kind);
        let mut spare = (shared.retries > 0).then(|| request.clone());
        let mut request = request;
        let mut attempt = 0;
        let (outcome, sent) = loop {
            let (outcome, sent) = send(&shared, &mut lane, request).await;
            let is_last = attempt >= shared.retries || !is_worth_another(&outcome) || shared.dispatch.is_over();
            let Some(next) = spare.take().filter(|_| !is_last) else {
                break (outcome, sent);
            };
            lock(&shared.tally).outcome(&kind, &outcome, &shared.redactor);
            tokio::time::sleep(BACKOFF * 2_u32.pow(attempt)).await;
            lock(&shared.tally).again(&kind);
            attempt += 1;
            spare = (attempt < shared.retries).then(|| next.clone());
            request = next;
        };
        let times = Times {
            intended: taken.intended,
            sent: sent.map(|moment| shared.dispatch.since_start(moment)),
            done: shared.dispatch.elapsed(),
        };
        lock(&shared.tally).done(&kind, times, &outcome, &shared.redactor);
        report(&shared, taken.seq, (kind, id), times, sent, &outcome);
    }
}

/// One attempt, and when it was put on a connection.
async fn send(
    shared: &Shared,
    lane: &mut Lane,
    request: Request<Payload>,
) -> (Result<Answer, Failure>, Option<Moment>) {
    let mut sent = None;
    let exchange = lane.exchange(request, || sent = Some(shared.clock.now()));
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
    (outcome, sent)
}

/// Whether the same request may fare better in a moment.
fn is_worth_another(outcome: &Result<Answer, Failure>) -> bool {
    match outcome {
        Ok(answer) => matches!(answer.status, 408 | 429 | 500..=599),
        Err(failure) => failure.kind != FailureKind::Protocol,
    }
}

/// Tells whoever wants to hear of every request.
fn report(
    shared: &Shared,
    seq: u64,
    (kind, id): (Kind, String),
    times: Times,
    sent: Option<Moment>,
    outcome: &Result<Answer, Failure>,
) {
    let Some(reports) = &shared.reports else { return };
    let body = match outcome {
        Ok(answer) => String::from_utf8_lossy(&answer.body),
        Err(failure) => failure.reason.as_str().into(),
    };
    let exchange = Exchange {
        seq,
        id,
        template: kind.template.to_string(),
        variant: kind.variant,
        sent,
        took: times
            .sent
            .filter(|_| outcome.is_ok())
            .map(|sent| times.done.saturating_sub(sent)),
        status: outcome.as_ref().ok().map(|answer| answer.status),
        failure: outcome.as_ref().err().map(|failure| failure.kind),
        body: shared.redactor.clean(&body).into_owned(),
    };
    // Nobody listens any more: the run goes on.
    let _ = reports.send(exchange);
}
