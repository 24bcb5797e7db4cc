//! What a source is, and the supervisor that keeps it reading: quick first readings, a timeout
//! on every reading, backoff with jitter after failures, a report at every turn.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::{Moment, SharedClock, Timestamp};
use crate::sample::{Envelope, Sample, SourceId, SourceReport, SourceState};

/// Period of the first readings, so that a rate is known half a second after the start.
const QUICK: Duration = Duration::from_millis(250);

/// How long after the session's start readings are quick.
const QUICK_FOR: Duration = Duration::from_secs(2);

/// The longest period of a source that is read quickly at first and keeps step with the wall clock.
/// Longer ones are those of many sources, and of what changes slowly.
const STEP: Duration = Duration::from_secs(1);

/// The first wait of a source with a longer period is from this share of the period up to all of
/// it, at random: a thousand sources that begin together are soon spread evenly.
const SPREAD: f64 = 0.25;

/// Readings come this long before a full second of the wall clock, when figures are worked out:
/// long enough for a slow answer, short enough that what is shown is new.
const LEAD: Duration = Duration::from_millis(150);

/// First and longest wait after a failure. Short, because recovery is to be seen within 3 s.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Why a reading failed: which operation on which thing, the reason, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {target}: {reason}{}", if next.is_empty() { String::new() } else { format!(" → {next}") })]
pub struct SourceError {
    /// What was tried: `connect to`, `scrape`, `read stream`.
    pub operation: &'static str,
    /// On what.
    pub target: String,
    /// What went wrong.
    pub reason: String,
    /// What to do about it; empty when nothing better than waiting is known.
    pub next: String,
}

impl SourceError {
    /// An error of an operation on a target.
    pub fn new(operation: &'static str, target: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self {
            operation,
            target: target.into(),
            reason: reason.to_string(),
            next: String::new(),
        }
    }

    /// The same with a next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

/// Something that can be read again and again. Implementations change nothing on what they read.
pub trait Source: Send + 'static {
    /// Which source it is.
    fn id(&self) -> SourceId;

    /// How often it is read.
    fn period(&self) -> Duration;

    /// How long one reading, connecting included, may take before it counts as failed.
    fn timeout(&self) -> Duration;

    /// Connects where needed, reads once, sends samples to `outlet`.
    /// Returns the round-trip time to show. When it fails or is timed out (the future is
    /// dropped), the next call starts afresh with whatever is left of the connection.
    ///
    /// # Errors
    /// When the system could not be read. Parts that are missing without hurting the rest are
    /// samples ([`Sample::Panel`]), not errors.
    fn read(&mut self, outlet: &mut Outlet) -> impl Future<Output = Result<Duration, SourceError>> + Send;
}

/// Where a source puts its samples.
#[derive(Debug)]
pub struct Outlet {
    sender: mpsc::Sender<Envelope>,
    profile: std::sync::Arc<str>,
    source: SourceId,
    seq: u64,
    clock: SharedClock,
    redactor: Redactor,
}

impl Outlet {
    /// An outlet of `source` into `sender`.
    #[must_use]
    pub fn new(
        sender: mpsc::Sender<Envelope>,
        profile: std::sync::Arc<str>,
        source: SourceId,
        clock: SharedClock,
        redactor: Redactor,
    ) -> Self {
        Self {
            sender,
            profile,
            source,
            seq: 0,
            clock,
            redactor,
        }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// An outlet of another source into the same place.
    #[must_use]
    pub fn of(&self, source: SourceId) -> Self {
        Self {
            sender: self.sender.clone(),
            profile: self.profile.clone(),
            source,
            seq: 0,
            clock: self.clock.clone(),
            redactor: self.redactor.clone(),
        }
    }

    /// Says that its source fails for good, and why.
    pub async fn fail(&mut self, error: &SourceError, period: Duration) -> bool {
        let error = text::safe(&self.redactor.clean(&error.to_string())).into_owned();
        self.report(SourceReport {
            state: SourceState::Failing,
            latency: None,
            error: Some(error),
            retry_in: None,
            period,
        })
        .await
    }

    /// Sends a sample, stamped now. Waits while the queue is full: a source may wait, the screen never does.
    /// Returns false when nobody listens any more.
    pub async fn send(&mut self, sample: Sample) -> bool {
        let now = self.clock.now();
        let envelope = Envelope {
            profile: self.profile.clone(),
            source: self.source.clone(),
            seq: self.seq,
            at: now.at,
            mono: now.mono,
            sample,
        };
        self.seq += 1;
        self.sender.send(envelope).await.is_ok()
    }

    async fn report(&mut self, report: SourceReport) -> bool {
        self.send(Sample::Report(report)).await
    }
}

/// Reads `source` until `stop` is cancelled or nobody listens any more.
pub async fn supervise<S: Source>(mut source: S, mut outlet: Outlet, stop: CancellationToken) {
    let mut report = SourceReport {
        state: SourceState::Connecting,
        latency: None,
        error: None,
        retry_in: None,
        period: source.period(),
    };
    let mut failures: u32 = 0;
    let mut spread = SPREAD + (1.0 - SPREAD) * rand::random::<f64>();
    if !outlet.report(report.clone()).await {
        return;
    }
    loop {
        let begun = outlet.clock.now();
        let limit = source.timeout();
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = tokio::time::timeout(limit, source.read(&mut outlet)) => outcome.unwrap_or_else(|_| {
                Err(SourceError::new("read", source.id().name.to_string(), &format!("no answer within {}", text::duration(limit))))
            }),
        };
        let now = outlet.clock.now();
        let before = report.state;
        let wait = match outcome {
            Ok(latency) => {
                failures = 0;
                report.state = SourceState::Ok;
                report.latency = Some(latency);
                report.error = None;
                report.retry_in = None;
                // A period may change while a source is read: many targets share one pace.
                report.period = source.period();
                until_reading(begun, now, pace(report.period, now.mono, &mut spread))
            }
            Err(error) => {
                let wait = backoff(failures, report.period);
                failures = failures.saturating_add(1);
                report.state = SourceState::Failing;
                report.latency = None;
                report.error = Some(text::safe(&outlet.redactor.clean(&error.to_string())).into_owned());
                report.retry_in = Some(wait);
                wait
            }
        };
        if report.state != before {
            log_turn(&source.id(), &report);
        }
        if !outlet.report(report.clone()).await {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A source that fails or answers again is worth a line of the log, once.
fn log_turn(source: &SourceId, report: &SourceReport) {
    let (kind, name) = (source.kind.name(), &*source.name);
    match &report.error {
        Some(error) => tracing::warn!(kind, name, error, "a source cannot be read"),
        None => tracing::info!(kind, name, latency = ?report.latency, "a source answers"),
    }
}

/// The period to keep after a reading that ended at `now`: quick at first; long ones begin spread,
/// once, by `share`.
fn pace(period: Duration, now: Duration, share: &mut f64) -> Duration {
    if period > STEP {
        period.mul_f64(std::mem::replace(share, 1.0))
    } else if now < QUICK_FOR {
        QUICK.min(period)
    } else {
        period
    }
}

/// How long after `now` to read again what is read every `period` and was last read from `begun`
/// on. Periods of a second or less keep step with the wall clock: sources that are read together
/// can be compared, and what they say is new when figures are worked out. Longer ones do not, so
/// that many consoles do not ask for a sweep in the same second.
fn until_reading(begun: Moment, now: Moment, period: Duration) -> Duration {
    if period > STEP || period.is_zero() {
        return period.saturating_sub(now.mono.saturating_sub(begun.mono));
    }
    let since_epoch = Duration::try_from(now.at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default() + LEAD;
    let into = Duration::from_nanos_u128(since_epoch.as_nanos() % period.as_nanos());
    period.saturating_sub(into)
}

/// The wait after the `failures`-th failure in a row: doubled each time up to a limit, then
/// between half of it and all of it at random, so that many sources do not knock together. Who is
/// read rarely is asked no more often when it fails.
fn backoff(failures: u32, period: Duration) -> Duration {
    let full = BACKOFF
        .0
        .saturating_mul(1 << failures.min(8))
        .min(BACKOFF.1.max(period));
    full.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::time::SystemClock;
    use crate::sample::SourceKind;

    struct Flaky {
        answers: Vec<Result<Duration, SourceError>>,
        hang: bool,
    }

    impl Source for Flaky {
        fn id(&self) -> SourceId {
            SourceId::new(SourceKind::Probe, "flaky")
        }
        fn period(&self) -> Duration {
            Duration::from_millis(10)
        }
        fn timeout(&self) -> Duration {
            Duration::from_millis(50)
        }
        async fn read(&mut self, _: &mut Outlet) -> Result<Duration, SourceError> {
            if self.hang {
                std::future::pending::<()>().await;
            }
            self.answers.pop().unwrap_or(Ok(Duration::from_millis(1)))
        }
    }

    fn run(source: Flaky) -> (mpsc::Receiver<Envelope>, CancellationToken) {
        let (sender, receiver) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let mut redactor = Redactor::default();
        redactor.learn("hunter2");
        let outlet = Outlet::new(sender, Arc::from("test"), source.id(), SystemClock::shared(), redactor);
        tokio::spawn(supervise(source, outlet, stop.clone()));
        (receiver, stop)
    }

    async fn next(receiver: &mut mpsc::Receiver<Envelope>) -> SourceReport {
        match receiver.recv().await.unwrap().sample {
            Sample::Report(report) => report,
            other => panic!("unexpected {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_failure_is_reported_redacted_and_retried() {
        let error = SourceError::new("connect to", "db", "bad password hunter2\u{1b}[31m").next("check the password");
        let (mut receiver, stop) = run(Flaky {
            answers: vec![Err(error)],
            hang: false,
        });
        assert_eq!(next(&mut receiver).await.state, SourceState::Connecting);
        let failing = next(&mut receiver).await;
        assert_eq!(failing.state, SourceState::Failing);
        assert_eq!(
            failing.error.unwrap(),
            "connect to db: bad password •••\\x1b[31m → check the password"
        );
        assert!(failing.retry_in.unwrap() <= BACKOFF.0);
        assert_eq!(next(&mut receiver).await.state, SourceState::Ok);
        stop.cancel();
    }

    #[tokio::test]
    async fn a_source_that_hangs_is_timed_out() {
        let (mut receiver, stop) = run(Flaky {
            answers: vec![],
            hang: true,
        });
        assert_eq!(next(&mut receiver).await.state, SourceState::Connecting);
        let failing = next(&mut receiver).await;
        assert_eq!(failing.state, SourceState::Failing);
        assert!(failing.error.unwrap().contains("no answer within 50 ms"));
        stop.cancel();
    }

    #[test]
    fn readings_keep_step_with_the_wall_clock_unless_they_are_rare() {
        let moment = |at: &str, mono| Moment {
            at: at.parse().unwrap(),
            mono: Duration::from_millis(mono),
        };
        let second = Duration::from_secs(1);
        for (now, period, expected) in [
            ("2026-07-31T14:03:22.860Z", second, 990),
            ("2026-07-31T14:03:22.100Z", second, 750),
            ("2026-07-31T14:03:22.849Z", second, 1),
            ("2026-07-31T14:03:22.110Z", QUICK, 240),
            ("2026-07-31T14:03:22.860Z", 10 * second, 9_900),
        ] {
            let wait = until_reading(moment(now, 4_900), moment(now, 5_000), period);
            assert_eq!(wait, Duration::from_millis(expected), "{now} {period:?}");
        }
    }

    #[test]
    fn short_periods_are_quick_at_first_and_long_ones_are_spread_once() {
        let second = Duration::from_secs(1);
        let mut share = 0.5;
        assert_eq!(pace(second, Duration::from_millis(1_900), &mut share), QUICK);
        assert_eq!(pace(second, QUICK_FOR, &mut share), second);
        assert_eq!(
            pace(5 * second, Duration::ZERO, &mut share),
            Duration::from_millis(2_500)
        );
        assert_eq!(pace(5 * second, Duration::from_millis(2_500), &mut share), 5 * second);
    }

    #[test]
    fn backoff_grows_to_its_limit_and_no_further() {
        for failures in 0..40 {
            let wait = backoff(failures, QUICK);
            assert!(wait >= BACKOFF.0 / 2 && wait <= BACKOFF.1, "{failures}: {wait:?}");
            let wait = backoff(failures, 3 * BACKOFF.1);
            assert!(wait <= 3 * BACKOFF.1, "{failures}: {wait:?}");
            assert!(failures < 8 || wait > BACKOFF.1, "{failures}: {wait:?}");
        }
    }
}
