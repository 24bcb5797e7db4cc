//! One cycle: every request that is due, side by side, each sample sent as soon as it is
//! complete. What does not answer in time costs its own sample and nobody else's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::api::{Api, ApiError, REQUEST};
use super::queue::{self, Errand, Outcome};
use super::{JetStream, advisories, oldest, subjects, trouble};
use crate::base::time::{Moment, Timestamp};
use crate::observe::{Outlet, SourceError};
use crate::sample::{
    AccountReading, Interest, OldestReading, Panel, QueueReading, Sample, ServerReading, SubjectsReading,
};

/// How long a cycle may take; what has not answered by then has not answered.
pub(crate) const CYCLE: Duration = Duration::from_millis(2_400);

/// What a request of a cycle brought.
enum Finding {
    Account(Result<(AccountReading, Duration), ApiError>),
    Names(Result<Vec<Arc<str>>, ApiError>),
    Queue(Box<Outcome>),
    Ages(oldest::Ages),
    Subjects(Result<SubjectsReading, ApiError>),
}

/// A cycle under way.
pub(crate) struct Cycle<'a> {
    source: &'a mut JetStream,
    api: Arc<Api>,
    outlet: &'a mut Outlet,
    interest: Interest,
    jobs: FuturesUnordered<BoxFuture<'static, Finding>>,
    /// Streams that are being read or were.
    begun: BTreeSet<Arc<str>>,
    /// Streams that have not answered yet.
    open: BTreeSet<Arc<str>>,
    /// Answers that are awaited before the rest of a small server is read.
    overview: u32,
    account: Option<AccountReading>,
    rtt: Option<Duration>,
    quickest: Option<Duration>,
    skew: Option<(Duration, f64)>,
    /// The first error that makes the whole reading a failure.
    grave: Option<SourceError>,
    /// The first error of the account and the list, which is grave where nothing else is read.
    minor: Option<SourceError>,
    /// Whether the connection is unusable: nothing else is worth waiting for.
    over: bool,
}

impl<'a> Cycle<'a> {
    pub(crate) fn new(source: &'a mut JetStream, api: Arc<Api>, outlet: &'a mut Outlet) -> Self {
        let interest = source.interest.borrow_and_update().clone();
        Self {
            source,
            api,
            outlet,
            interest,
            jobs: FuturesUnordered::new(),
            begun: BTreeSet::new(),
            open: BTreeSet::new(),
            overview: 0,
            account: None,
            rtt: None,
            quickest: None,
            skew: None,
            grave: None,
            minor: None,
            over: false,
        }
    }

    /// Runs the cycle; returns the round-trip time.
    pub(crate) async fn run(mut self) -> Result<Duration, SourceError> {
        self.begin();
        let deadline = tokio::time::sleep(CYCLE);
        tokio::pin!(deadline);
        while !self.over {
            tokio::select! {
                finding = self.jobs.next() => match finding {
                    Some(finding) => self.take(finding).await,
                    None => break,
                },
                () = &mut deadline => break,
            }
        }
        self.end().await
    }

    fn now(&self) -> Moment {
        self.outlet.clock().now()
    }

    fn begin(&mut self) {
        let now = self.now().mono;
        self.source.ages.begin();
        let api = self.api.clone();
        self.overview = 1;
        self.jobs
            .push(Box::pin(async move { Finding::Account(api.account().await) }));
        if self.source.plan.wants_names(now) {
            self.list_streams();
        }
        for errand in self.source.plan.wanted(&self.interest, now) {
            self.read_queue(errand);
        }
    }

    fn list_streams(&mut self) {
        let api = self.api.clone();
        self.overview += 1;
        self.jobs
            .push(Box::pin(async move { Finding::Names(api.stream_names().await) }));
    }

    fn read_queue(&mut self, errand: Errand) {
        self.begun.insert(errand.stream.clone());
        self.open.insert(errand.stream.clone());
        let api = self.api.clone();
        self.jobs.push(Box::pin(async move {
            Finding::Queue(Box::new(queue::read(api, errand).await))
        }));
    }

    async fn take(&mut self, finding: Finding) {
        match finding {
            Finding::Account(outcome) => self.take_account(outcome).await,
            Finding::Names(outcome) => self.take_names(outcome).await,
            Finding::Queue(outcome) => self.take_queue(*outcome).await,
            Finding::Ages(ages) => self.take_ages(ages).await,
            Finding::Subjects(Ok(reading)) => {
                self.outlet.send(Sample::Subjects(reading)).await;
            }
            // The stream's own reading tells what is wrong with it.
            Finding::Subjects(Err(error)) => self.check_connection(&error),
        }
    }

    async fn take_account(&mut self, outcome: Result<(AccountReading, Duration), ApiError>) {
        let problem = match outcome {
            Ok((account, took)) => {
                self.rtt = Some(took);
                self.source.plan.learn_account(&account);
                self.account = Some(account);
                let now = self.now().mono;
                if self.overview == 1 && self.source.plan.wants_names(now) {
                    self.list_streams();
                }
                None
            }
            Err(error) => Some(self.note("read account of", &self.api.link().server.clone(), &error)),
        };
        self.source.panels.say(Panel::Account, "", problem, self.outlet).await;
        self.overview_done();
    }

    async fn take_names(&mut self, outcome: Result<Vec<Arc<str>>, ApiError>) {
        let now = self.now().mono;
        let problem = match outcome {
            Ok(names) => {
                self.source.plan.learn_names(names, now);
                None
            }
            Err(error) => Some(self.note("list streams of", &self.api.link().server.clone(), &error)),
        };
        self.source
            .panels
            .say(Panel::Inventory, "streams", problem, self.outlet)
            .await;
        self.overview_done();
    }

    /// When both the account and the list of streams are in, the rest of a small server is read.
    fn overview_done(&mut self) {
        self.overview -= 1;
        if self.overview > 0 {
            return;
        }
        let now = self.now().mono;
        for errand in self.source.plan.spare(&self.begun, now) {
            self.read_queue(errand);
        }
    }

    async fn take_queue(&mut self, outcome: Outcome) {
        self.open.remove(&outcome.stream);
        let now = self.now().mono;
        self.source.plan.learn(&outcome, now);
        let Outcome {
            stream,
            reading,
            names_error,
            failed,
            ..
        } = outcome;
        let followed = self.source.plan.followed() == Some(&stream);
        if self.source.plan.dlq() == Some(&stream) && !followed {
            let problem = reading.as_ref().err().map(|error| self.stream_error(&stream, error));
            let problem = problem.map(|error| trouble::line(&error));
            self.source
                .panels
                .say(Panel::DeadLetters, "", problem, self.outlet)
                .await;
        }
        match reading {
            Ok(reading) => {
                if followed {
                    self.judge_consumers(&reading, names_error, failed).await;
                }
                self.take_reading(reading).await;
            }
            Err(error) => {
                self.check_connection(&error);
                if followed && self.grave.is_none() {
                    self.grave = Some(self.stream_error(&stream, &error));
                }
            }
        }
    }

    /// A followed consumer that cannot be read is an error; one that is gone is a sample.
    async fn judge_consumers(
        &mut self,
        reading: &QueueReading,
        names_error: Option<ApiError>,
        failed: Vec<(Arc<str>, ApiError)>,
    ) {
        let stream = reading.before.name.clone();
        let configured = self.source.pipeline.consumer.clone();
        let problem = names_error.map(|error| {
            let problem = self.explain("list consumers of", &stream, &error);
            let next = format!("{}, or name the consumer in the profile", problem.next);
            trouble::line(&problem.next(next))
        });
        self.source
            .panels
            .say(Panel::Inventory, "consumers", problem, self.outlet)
            .await;
        let grave = failed.into_iter().find(|(name, _)| match &configured {
            Some(configured) => configured == name,
            None => reading.consumers.is_empty(),
        });
        if let Some((name, error)) = grave
            && self.grave.is_none()
        {
            self.grave = Some(self.explain("read consumer", &format!("{stream} > {name}"), &error));
        }
    }

    async fn take_reading(&mut self, reading: QueueReading) {
        let now = self.now();
        for stream in [&reading.before, &reading.after] {
            self.compare_clocks(stream.ts, stream.mono, stream.took, now);
        }
        let stream = reading.after.name.clone();
        for consumer in &reading.consumers {
            self.compare_clocks(consumer.ts, consumer.mono, consumer.took, now);
            let followed = self.source.plan.is_followed(consumer);
            if self.source.ages.take(consumer, followed, now.mono) {
                let (api, consumer) = (self.api.clone(), consumer.clone());
                self.jobs.push(Box::pin(
                    async move { Finding::Ages(oldest::read(api, consumer).await) },
                ));
            }
        }
        let shown = self.interest.subjects.as_ref() == Some(&stream);
        let followed = self.source.plan.followed() == Some(&stream);
        if (shown || followed) && self.source.counts.take(&stream, &reading.after.state, shown, now.mono) {
            let api = self.api.clone();
            self.jobs.push(Box::pin(
                async move { Finding::Subjects(subjects::read(api, stream).await) },
            ));
        }
        self.outlet.send(Sample::Queue(Box::new(reading))).await;
    }

    /// The server wrote `ts` somewhere between our request and its answer: half way, give or take.
    fn compare_clocks(&mut self, ts: Option<Timestamp>, mono: Duration, took: Duration, now: Moment) {
        self.quickest = Some(self.quickest.map_or(took, |best| best.min(took)));
        let Some(ts) = ts else { return };
        if self.skew.is_some_and(|(best, _)| best <= took) {
            return;
        }
        let age = now.mono.saturating_sub(mono) + took / 2;
        let ours = now.at.saturating_sub(age).unwrap_or(now.at);
        self.skew = Some((took, ts.duration_since(ours).as_secs_f64()));
    }

    async fn take_ages(&mut self, ages: oldest::Ages) {
        let stream = ages.stream.clone();
        let problem = match ages.found {
            Ok((waiting, held)) => {
                let reading = OldestReading {
                    stream: ages.stream,
                    consumer: ages.consumer,
                    waiting,
                    held,
                    asked_at: self.server_time(),
                };
                self.outlet.send(Sample::Oldest(reading)).await;
                None
            }
            Err(error @ ApiError::Denied(_)) => Some(trouble::line(&self.explain(
                "read the oldest message of",
                &ages.stream,
                &error,
            ))),
            // The next turn comes soon; what is broken, the stream's own reading tells.
            Err(error) => return self.check_connection(&error),
        };
        self.source
            .panels
            .say(Panel::Oldest, &stream, problem, self.outlet)
            .await;
    }

    /// The server's time now, where it ever told it; else ours.
    fn server_time(&self) -> Timestamp {
        let now = self.now();
        let skew = self.skew.map(|(_, skew)| skew).or(self.source.skew);
        skew.and_then(|skew| jiff::SignedDuration::try_from_secs_f64(skew).ok())
            .and_then(|skew| now.at.checked_add(skew).ok())
            .unwrap_or(now.at)
    }

    fn explain(&self, operation: &'static str, target: &str, error: &ApiError) -> SourceError {
        trouble::explain(operation, target, error, &self.source.link, &self.api.link().server)
    }

    fn stream_error(&self, stream: &str, error: &ApiError) -> SourceError {
        if error.is_missing_stream() {
            let names: Vec<Arc<str>> = self
                .source
                .plan
                .names()
                .filter(|name| &***name != stream)
                .cloned()
                .collect();
            let known = !self.source.plan.wants_names(self.now().mono);
            trouble::missing_stream(stream, known.then_some(names.as_slice()))
        } else {
            self.explain("read stream", stream, error)
        }
    }

    /// Notes an error of the account or of the list; returns it as a line. Where the API is
    /// imported in part, nobody may answer there although streams can be read.
    fn note(&mut self, operation: &'static str, target: &str, error: &ApiError) -> String {
        if !error.is_off() {
            self.check_connection(error);
        }
        let error = self.explain(operation, target, error);
        let line = trouble::line(&error);
        self.minor.get_or_insert(error);
        line
    }

    /// Some errors are about the connection or about JetStream itself, whatever was asked for.
    fn check_connection(&mut self, error: &ApiError) {
        if matches!(error, ApiError::Lost(_) | ApiError::Unheard(_)) || error.is_off() {
            let server = self.api.link().server.clone();
            self.grave = Some(self.explain("read", &server, error));
            self.over = true;
        }
    }

    async fn end(mut self) -> Result<Duration, SourceError> {
        let open = std::mem::take(&mut self.open);
        for stream in &open {
            let outcome = Outcome {
                stream: stream.clone(),
                reading: Err(ApiError::TimedOut(REQUEST)),
                names: None,
                names_error: None,
                failed: Vec::new(),
                gone: false,
            };
            if !self.over {
                self.take_queue(outcome).await;
            }
        }
        let unheard = self.api.link().signals.watch().borrow().unheard.clone();
        let unheard: Vec<String> = unheard
            .into_iter()
            .filter(|subject| advisories::is_advisory(subject))
            .collect();
        let problem = (!unheard.is_empty()).then(|| {
            let subjects = unheard.join(", ");
            let error = SourceError::new(
                "listen to",
                "advisories",
                &format!("no permission to subscribe to {subjects}"),
            )
            .next("allow this user to subscribe to them; everything else works without");
            trouble::line(&error)
        });
        self.source
            .panels
            .say(Panel::Advisories, "", problem, self.outlet)
            .await;
        self.send_server().await;
        let rtt = self.rtt.or(self.quickest);
        match (self.grave, self.minor, rtt) {
            (Some(error), _, _) | (None, Some(error), None) => Err(error),
            (None, _, Some(rtt)) => Ok(rtt),
            (None, None, None) => Err(trouble::explain(
                "read",
                &self.api.link().server,
                &ApiError::TimedOut(REQUEST),
                &self.source.link,
                &self.api.link().server,
            )),
        }
    }

    async fn send_server(&mut self) {
        let Some(rtt) = self.rtt.or(self.quickest) else { return };
        let now = self.now().mono;
        if let Some((_, skew)) = self.skew {
            self.source.skew = Some(skew);
        }
        let heard = self.source.listener.as_ref().and_then(|listener| listener.skew(now));
        let info = self.api.link().client.server_info();
        let reading = ServerReading {
            server_id: info.server_id,
            name: info.server_name,
            version: info.version,
            cluster: info.cluster,
            rtt,
            skew_s: self.skew.map(|(_, skew)| skew).or(heard),
            account: self.account.take(),
            our_requests: self.source.sent.load(std::sync::atomic::Ordering::Relaxed),
        };
        self.outlet.send(Sample::Server(Box::new(reading))).await;
    }
}
