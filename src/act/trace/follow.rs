//! Following one webhook, step by step.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::message::{Message, Reader};
use super::plan::{TraceError, TracePlan};
use super::timeline::{Stage, State, Timeline};
use crate::act::database::Rows;
use crate::act::fire::{self, Exchange, Plan, Progress};
use crate::base::text;
use crate::base::time::{Moment, SharedClock, since};
use crate::observe::jetstream::{Api, connect};
use crate::sample::{ConsumerReading, Retention, StreamReading};

/// From one look to the next: how exactly a step's time is known.
const LOOK: Duration = Duration::from_millis(10);

/// Without a step for this long, it is said where the webhook seems to be stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long Postgres may take for an answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Messages that are looked at until the webhook's own is found.
const MOST_MESSAGES: usize = 20_000;

/// Messages that are kept while the gateway has not answered yet.
const MOST_KEPT: usize = 1_000;

/// Fires one webhook and follows it until it has come to the end of its way, the plan's time is
/// over, or `stop` is cancelled. `progress` hears of every step as it happens.
///
/// # Errors
/// When it could not be fired at all. What cannot be read later is part of the timeline.
pub async fn trace(
    plan: &TracePlan,
    shot: Plan,
    clock: &SharedClock,
    progress: &watch::Sender<Timeline>,
    stop: &CancellationToken,
) -> Result<Timeline, TraceError> {
    let provider = shot.mix.provider().to_owned();
    let mut walk = Walk::begin(plan, clock, progress).await;
    let within = plan.within;
    let looked = async {
        let exchange = walk.fire(shot, stop).await?;
        walk.follow(&exchange, &provider).await;
        Ok(())
    };
    tokio::select! {
        ended = tokio::time::timeout(within, looked) => match ended {
            Ok(outcome) => outcome?,
            Err(_) => walk.give_up().await,
        },
        () = stop.cancelled() => walk.timeline.stuck = Some("interrupted".to_owned()),
    }
    Ok(walk.end())
}

/// The stream's side.
struct Nats {
    api: Api,
    reader: Reader,
    /// The stream before the webhook was sent.
    before: StreamReading,
    /// The workers' consumer before it was sent; `None`: there is none, or none that is named.
    consumer: Option<ConsumerReading>,
    consumers: usize,
    /// The dead letter stream and its first sequence of interest.
    letters: Option<(Arc<str>, Reader, u64)>,
}

struct Walk<'a> {
    plan: &'a TracePlan,
    clock: &'a SharedClock,
    progress: &'a watch::Sender<Timeline>,
    timeline: Timeline,
    nats: Option<Nats>,
    rows: Option<Rows>,
    sent: Option<Moment>,
    id: String,
    key: Option<String>,
    sequence: Option<u64>,
    looked_at: usize,
    was_waiting: bool,
    /// What was expected of the answer and did not hold.
    missed: Option<fire::Checked>,
}

impl<'a> Walk<'a> {
    /// Connects, and notes where the stream stands before anything is sent.
    async fn begin(plan: &'a TracePlan, clock: &'a SharedClock, progress: &'a watch::Sender<Timeline>) -> Self {
        let (nats, rows) = tokio::join!(
            async {
                match &plan.nats {
                    Some(_) => Some(open_nats(plan, clock).await),
                    None => None,
                }
            },
            async {
                match &plan.postgres {
                    Some(link) => Some(Rows::open(link, &plan.query, ANSWER).await),
                    None => None,
                }
            }
        );
        let mut walk = Self {
            plan,
            clock,
            progress,
            timeline: Timeline::default(),
            nats: None,
            rows: None,
            sent: None,
            id: String::new(),
            key: None,
            sequence: None,
            looked_at: 0,
            was_waiting: false,
            missed: None,
        };
        match nats {
            None => {
                walk.set(Stage::Stored, State::Skipped, "no NATS is configured");
                walk.set(Stage::Acked, State::Skipped, "no NATS is configured");
            }
            Some(Ok(nats)) => walk.nats = Some(nats),
            Some(Err(reason)) => {
                walk.fail(Stage::Stored, &reason);
                walk.fail(Stage::Acked, &reason);
            }
        }
        match rows {
            None => walk.set(Stage::Written, State::Skipped, "no Postgres is configured"),
            Some(Ok(rows)) => walk.rows = Some(rows),
            Some(Err(reason)) => walk.fail(Stage::Written, &format!("connect to Postgres: {reason}")),
        }
        walk
    }

    fn set(&mut self, stage: Stage, to: State, detail: &str) {
        let clean = self.plan.redactor.clean(detail);
        self.timeline.set(stage, to, text::cut(&text::safe(&clean), 160));
        self.tell();
    }

    fn fail(&mut self, stage: Stage, reason: &str) {
        self.set(stage, State::Failed, reason);
        if self.timeline.stuck.is_none() {
            self.stuck(reason);
        }
    }

    fn reach(&mut self, stage: Stage, after: Duration, at_most: bool, detail: &str) {
        self.timeline.stuck = None;
        self.set(stage, State::Reached { after, at_most }, detail);
    }

    fn stuck(&mut self, why: &str) {
        let clean = self.plan.redactor.clean(why);
        let why = text::cut(&text::safe(&clean), 240).into_owned();
        if self.timeline.stuck.as_ref() != Some(&why) {
            self.timeline.stuck = Some(why);
            self.tell();
        }
    }

    fn tell(&self) {
        self.progress.send_replace(self.timeline.clone());
    }

    /// From the sending until now.
    fn elapsed(&self) -> Duration {
        let now = self.clock.now().mono;
        self.sent.map_or(Duration::ZERO, |sent| now.saturating_sub(sent.mono))
    }

    /// Fires, and meanwhile keeps what comes into the stream: fast workers remove it at once.
    async fn fire(&mut self, mut shot: Plan, stop: &CancellationToken) -> Result<(Exchange, Vec<Message>), TraceError> {
        let (reports, mut heard) = mpsc::unbounded_channel();
        shot.reports = Some(reports);
        let expected = shot.expect.clone();
        let (progress, _watched) = watch::channel(Progress::default());
        let run = fire::run(shot, self.clock.clone(), progress, stop.clone());
        let mut come = Vec::new();
        let outcome = match &self.nats {
            Some(nats) => {
                let from = nats.before.state.last_seq + 1;
                tokio::select! {
                    outcome = run => outcome,
                    () = collect(&nats.reader, from, &mut come) => unreachable_end(),
                }
            }
            None => run.await,
        };
        let summary = outcome.map_err(|error| TraceError::Fire(Arc::new(error)))?;
        self.missed = expected
            .iter()
            .map(|expected| expected.check(&summary))
            .find(|checked| !checked.is_met);
        // A run that was stopped before it began has none.
        let exchange = heard.recv().await.unwrap_or_else(|| Exchange {
            seq: 0,
            id: String::new(),
            template: String::new(),
            variant: fire::Variant::Valid,
            sent: None,
            took: None,
            status: None,
            failure: None,
            body: "interrupted".to_owned(),
        });
        self.sent = exchange.sent;
        self.id.clone_from(&exchange.id);
        self.timeline.id = text::safe(&exchange.id).into_owned();
        Ok((exchange, come))
    }

    async fn follow(&mut self, (exchange, come): &(Exchange, Vec<Message>), provider: &str) {
        if !self.accepted(exchange) {
            return;
        }
        if self.nats.is_some() {
            self.find(exchange, come).await;
        }
        if self.key.is_none() && (self.sequence.is_some() || self.nats.is_none()) {
            // Nobody has seen its message: its id is as the reference gateway writes it.
            self.key = Some(if self.plan.is_reference() {
                format!("{provider}-{}", self.id)
            } else {
                self.id.clone()
            });
        }
        self.settle().await;
    }

    fn accepted(&mut self, exchange: &Exchange) -> bool {
        let body = text::safe(&exchange.body).into_owned();
        let body = text::cut(&body, 100);
        match (exchange.status, exchange.took) {
            (Some(status @ 200..=299), Some(took)) => {
                if let Some(missed) = self.missed.take() {
                    let why = format!("answered {status}, but expected {}: {}", missed.expected, missed.actual);
                    self.fail(Stage::Accepted, &why);
                    return false;
                }
                self.reach(Stage::Accepted, took, false, &format!("HTTP {status}"));
                true
            }
            (Some(status), _) => {
                self.fail(
                    Stage::Accepted,
                    &format!("refused by the gateway with {status}: {body}"),
                );
                false
            }
            (None, _) => {
                let kind = exchange.failure.map_or("stopped", fire::FailureKind::name);
                self.fail(Stage::Accepted, &format!("no answer from the gateway ({kind}): {body}"));
                false
            }
        }
    }

    /// Finds its message: by the sequence in the answer, among those that came, or among those to come.
    async fn find(&mut self, exchange: &Exchange, come: &[Message]) {
        let hint = sequence_in(&self.plan.sequence, &exchange.body);
        self.looked_at = come.len();
        let own = come.iter().find_map(|message| {
            let key = self.plan.finder.key(message, &self.id)?;
            Some((key, message.clone()))
        });
        if let Some((key, message)) = own {
            return self.found(key, &message);
        }
        let Some(nats) = &self.nats else { return };
        let mut next = come.last().map_or(nats.before.state.last_seq, |last| last.seq) + 1;
        if let Some(hint) = hint {
            match nats.reader.at(hint).await {
                Ok(Some(message)) => {
                    if let Some(key) = self.plan.finder.key(&message, &self.id) {
                        return self.found(key, &message);
                    }
                }
                Ok(None) => {
                    // It was stored before the answer, and has left already.
                    self.sequence = Some(hint);
                    let detail = format!("{} #{hint}, as the gateway says", nats.before.name);
                    let after = exchange.took.unwrap_or_default();
                    return self.reach(Stage::Stored, after, true, &detail);
                }
                Err(reason) => return self.fail(Stage::Stored, &format!("read the stream: {reason}")),
            }
        }
        loop {
            let Some(nats) = &self.nats else { return };
            match nats.reader.next(next).await {
                Ok(Some(message)) => {
                    next = message.seq + 1;
                    self.looked_at += 1;
                    if let Some(key) = self.plan.finder.key(&message, &self.id) {
                        return self.found(key, &message);
                    }
                    if self.looked_at >= MOST_MESSAGES {
                        let why = format!("not among the {} messages that came", text::count(MOST_MESSAGES as u64));
                        return self.fail(Stage::Stored, &why);
                    }
                }
                Ok(None) => {
                    if self.elapsed() > PATIENCE {
                        self.not_stored();
                    }
                    tokio::time::sleep(LOOK).await;
                }
                Err(reason) => return self.fail(Stage::Stored, &format!("read the stream: {reason}")),
            }
        }
    }

    fn not_stored(&mut self) {
        let Some(nats) = &self.nats else { return };
        let why = format!(
            "accepted, but not in the stream {} ({} messages looked at): is it published elsewhere, or dropped as a duplicate?",
            nats.before.name,
            text::count(self.looked_at as u64)
        );
        self.stuck(&why);
    }

    fn found(&mut self, key: String, message: &Message) {
        let Some(nats) = &self.nats else { return };
        let detail = format!("{} #{}", nats.before.name, message.seq);
        self.key = Some(key);
        self.sequence = Some(message.seq);
        let seen = self.elapsed();
        // Two clocks: where the server's cannot be right, ours says by when at the latest.
        let stored = self.sent.map(|sent| since(sent.at, message.stored_at));
        match stored.filter(|after| !after.is_zero() && *after <= seen) {
            Some(after) => self.reach(Stage::Stored, after, false, &detail),
            None => self.reach(Stage::Stored, seen, true, &detail),
        }
    }

    /// Looks at consumer and row until there is nothing left to wait for.
    async fn settle(&mut self) {
        let mut first = true;
        let mut since_step = self.elapsed();
        loop {
            let open = [Stage::Acked, Stage::Written].map(|stage| self.timeline.is_pending(stage));
            if open == [false, false] {
                return;
            }
            if open[0] {
                self.look_at_ack(first).await;
            }
            if open[1] {
                self.look_at_row(first).await;
            }
            let still = [Stage::Acked, Stage::Written].map(|stage| self.timeline.is_pending(stage));
            if still != open {
                since_step = self.elapsed();
            } else if self.elapsed().saturating_sub(since_step) > PATIENCE {
                self.explain().await;
            }
            first = false;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look_at_ack(&mut self, first: bool) {
        let (Some(nats), Some(sequence)) = (&self.nats, self.sequence) else {
            return self.set(Stage::Acked, State::Skipped, "its message was not seen");
        };
        match nats.acked(sequence).await {
            Ok(Some(detail)) => {
                let after = self.elapsed();
                self.reach(Stage::Acked, after, first, &detail);
            }
            Ok(None) if nats.before.config.retention == Retention::Limits && nats.consumer.is_none() => {
                let why = match nats.consumers {
                    0 => "the stream has no consumer",
                    _ => "the stream has several consumers: name one with --consumer",
                };
                self.set(Stage::Acked, State::Skipped, why);
            }
            Ok(None) => {}
            Err(reason) => self.fail(Stage::Acked, &format!("read the consumer: {reason}")),
        }
    }

    async fn look_at_row(&mut self, first: bool) {
        let (Some(rows), Some(key)) = (&mut self.rows, &self.key) else {
            return self.fail(Stage::Written, "nothing is known to look for");
        };
        match rows.is_there(key, self.sequence).await {
            Ok(true) => {
                let after = self.elapsed();
                let stuck = self.timeline.stuck.take();
                let detail = key.clone();
                self.reach(Stage::Written, after, first, &detail);
                // A row that is there says nothing of an ack that is not.
                if self.timeline.is_pending(Stage::Acked) {
                    self.timeline.stuck = stuck;
                }
            }
            Ok(false) => {}
            Err(reason) => self.fail(Stage::Written, &format!("ask for the row: {reason}")),
        }
    }

    /// Says where it is stuck, as far as can be seen.
    async fn explain(&mut self) {
        let why = match (&self.nats, self.timeline.next()) {
            (Some(nats), Some(Stage::Acked)) => {
                let (why, is_waiting) = nats
                    .why_unacked(self.sequence.unwrap_or_default(), self.was_waiting)
                    .await;
                self.was_waiting |= is_waiting;
                why
            }
            (Some(nats), Some(Stage::Written)) => nats
                .dead_letter(&self.plan.finder, &self.id)
                .await
                .unwrap_or_else(|| "acked by a worker, but its row is not there: is the query right?".to_owned()),
            (_, Some(Stage::Written)) => "accepted, but its row is not there".to_owned(),
            _ => return,
        };
        self.stuck(&why);
    }

    async fn give_up(&mut self) {
        if self.timeline.is_pending(Stage::Accepted) {
            let limit = text::duration(self.plan.within);
            self.fail(Stage::Accepted, &format!("no answer from the gateway within {limit}"));
        } else if self.timeline.is_pending(Stage::Stored) {
            self.not_stored();
        } else if self.timeline.stuck.is_none() {
            self.explain().await;
        }
    }

    fn end(mut self) -> Timeline {
        self.timeline.done = true;
        self.tell();
        self.timeline
    }
}

/// What reads for ever never ends.
fn unreachable_end() -> Result<fire::Summary, fire::FireError> {
    Err(fire::FireError::Thread(std::io::Error::other(
        "the stream's reader ended",
    )))
}

/// Keeps what comes into a stream. Never returns.
async fn collect(reader: &Reader, from: u64, come: &mut Vec<Message>) {
    let mut next = from;
    while come.len() < MOST_KEPT {
        match reader.next(next).await {
            Ok(Some(message)) => {
                next = message.seq + 1;
                come.push(message);
            }
            // What cannot be read is told when it is looked for.
            Ok(None) | Err(_) => tokio::time::sleep(LOOK / 5).await,
        }
    }
    std::future::pending::<()>().await;
}

/// The stream sequence that an answer's body tells.
fn sequence_in(path: &serde_json_path::JsonPath, body: &str) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    path.query(&body).first()?.as_u64().filter(|sequence| *sequence > 0)
}

async fn open_nats(plan: &TracePlan, clock: &SharedClock) -> Result<Nats, String> {
    let (Some(link), Some(stream)) = (&plan.nats, &plan.pipeline.stream) else {
        return Err("no stream is named".to_owned());
    };
    let connected = connect(link, &[], clock).await.map_err(|error| error.to_string())?;
    let client = connected.client.clone();
    let reader = |stream: &str| Reader::new(client.clone(), &link.api_prefix, stream);
    let api = Api::new(connected, &link.api_prefix, clock.clone(), Arc::new(AtomicU64::new(0)));
    let failed = |what: &str, error: crate::observe::jetstream::ApiError| format!("{what}: {error}");
    let before = api
        .stream(stream)
        .await
        .map_err(|error| failed(&format!("read the stream {stream}"), error))?;
    let names = match &plan.pipeline.consumer {
        Some(consumer) => vec![consumer.clone()],
        None => api
            .consumer_names(stream)
            .await
            .map_err(|error| failed("list its consumers", error))?,
    };
    let consumer = match names.as_slice() {
        [only] => match api.consumer(stream, only).await {
            Ok(reading) => Some(reading),
            Err(error) if error.is_missing_consumer() => None,
            Err(error) => return Err(failed(&format!("read the consumer {only}"), error)),
        },
        _ => None,
    };
    let letters = match &plan.pipeline.dlq {
        // Without it, dead letters are not told: no more than that.
        Some(dlq) => api.stream(dlq).await.ok().map(|reading| {
            let from = reading.state.last_seq + 1;
            (dlq.clone(), reader(dlq), from)
        }),
        None => None,
    };
    Ok(Nats {
        reader: reader(stream),
        api,
        before,
        consumers: consumer.as_ref().map_or(names.len(), |_| 1),
        consumer,
        letters,
    })
}

impl Nats {
    /// Whether a message was acked, and how that shows.
    async fn acked(&self, sequence: u64) -> Result<Option<String>, String> {
        let leaves = self.before.config.retention != Retention::Limits;
        if leaves && self.reader.at(sequence).await?.is_none() {
            return Ok(Some("left the stream".to_owned()));
        }
        let Some(consumer) = self.consumer().await? else {
            return Ok(None);
        };
        if consumer.ack_floor.stream_seq >= sequence {
            return Ok(Some(format!("below the ack floor of {}", consumer.name)));
        }
        if !leaves && consumer.delivered.stream_seq >= sequence && consumer.num_ack_pending == 0 {
            return Ok(Some(format!("delivered and not pending at {}", consumer.name)));
        }
        Ok(None)
    }

    async fn consumer(&self) -> Result<Option<ConsumerReading>, String> {
        let Some(before) = &self.consumer else {
            return Ok(None);
        };
        match self.api.consumer(&before.stream, &before.name).await {
            Ok(reading) => Ok(Some(reading)),
            Err(error) if error.is_missing_consumer() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Why a message is not acked, and whether a worker waits for messages now, which one that
    /// `was_waiting` before did.
    async fn why_unacked(&self, sequence: u64, was_waiting: bool) -> (String, bool) {
        let before = match &self.consumer {
            Some(before) => before,
            None if self.consumers == 0 => {
                return ("waiting in the stream, which has no consumer".to_owned(), false);
            }
            None => return ("waiting in the stream: name its consumer to see more".to_owned(), false),
        };
        let now = match self.consumer().await {
            Ok(Some(now)) => now,
            Ok(None) => {
                return (
                    format!("waiting in the stream, the consumer {} is gone", before.name),
                    false,
                );
            }
            Err(reason) => return (format!("read the consumer: {reason}"), false),
        };
        let is_waiting = now.num_waiting > 0;
        let moves = now.delivered.consumer_seq != before.delivered.consumer_seq;
        let why = if now.paused == Some(true) {
            format!("waiting in the stream, the consumer {} is paused", now.name)
        } else if now.delivered.stream_seq >= sequence {
            let held = text::count(now.num_ack_pending);
            format!(
                "delivered and not acked: {held} messages are held by workers of {}, or parked",
                now.name
            )
        } else if !is_waiting && !was_waiting && !moves {
            "waiting in the stream, no worker pulls".to_owned()
        } else if now
            .config
            .max_ack_pending
            .is_some_and(|most| now.num_ack_pending >= most)
        {
            format!(
                "waiting in the stream, {} has as many messages unacked as it may",
                now.name
            )
        } else {
            let ahead = text::count(now.num_pending.saturating_sub(1));
            format!("waiting in the stream, about {ahead} others with it; workers pull")
        };
        (why, is_waiting)
    }

    /// Whether it died instead.
    async fn dead_letter(&self, finder: &super::plan::Finder, id: &str) -> Option<String> {
        let (name, reader, from) = self.letters.as_ref()?;
        let mut next = *from;
        for _ in 0..256 {
            let letter = reader.next(next).await.ok()??;
            next = letter.seq + 1;
            if finder.key(&letter, id).is_some() {
                return Some(format!("it is a dead letter: {name} #{}", letter.seq));
            }
        }
        None
    }
}
