//! Following one webhook, step by step.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::plan::{TraceError, TracePlan};
use super::stream::Nats;
use super::timeline::{Stage, State, Timeline};
use crate::act::database::Rows;
use crate::act::fire::{self, Exchange, Plan, Progress};
use crate::base::text;
use crate::base::time::{Moment, SharedClock, since};
use crate::sample::{Retention, Stored};

/// From one look to the next: how exactly a step's time is known.
const LOOK: Duration = Duration::from_millis(10);

/// Without a step for this long, it is said where the webhook seems to be stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long Postgres may take for an answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Messages that are looked at until the webhook's own is found.
const MOST_MESSAGES: usize = 20_000;

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
                    Some(_) => Some(Nats::open(plan, clock).await),
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
    async fn fire(&mut self, mut shot: Plan, stop: &CancellationToken) -> Result<(Exchange, Vec<Stored>), TraceError> {
        let (reports, mut heard) = mpsc::unbounded_channel();
        shot.reports = Some(reports);
        let expected = shot.expect.clone();
        let (progress, _watched) = watch::channel(Progress::default());
        let run = fire::run(shot, self.clock.clone(), progress, stop.clone());
        let mut come = Vec::new();
        let outcome = match &self.nats {
            Some(nats) => tokio::select! {
                outcome = run => outcome,
                () = nats.collect(&mut come) => unreachable_end(),
            },
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

    async fn follow(&mut self, (exchange, come): &(Exchange, Vec<Stored>), provider: &str) {
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
    async fn find(&mut self, exchange: &Exchange, come: &[Stored]) {
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
        let mut next = come.last().map_or(nats.before.state.last_seq, |last| last.sequence) + 1;
        if let Some(hint) = hint {
            match nats.at(hint).await {
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
            match nats.next(next).await {
                Ok(Some(message)) => {
                    next = message.sequence + 1;
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

    fn found(&mut self, key: String, message: &Stored) {
        let Some(nats) = &self.nats else { return };
        let detail = format!("{} #{}", nats.before.name, message.sequence);
        self.key = Some(key);
        self.sequence = Some(message.sequence);
        let seen = self.elapsed();
        // Two clocks: where the server's cannot be right, ours says by when at the latest.
        let stored = self.sent.zip(message.at).map(|(sent, at)| since(sent.at, at));
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

/// The stream sequence that an answer's body tells.
fn sequence_in(path: &serde_json_path::JsonPath, body: &str) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    path.query(&body).first()?.as_u64().filter(|sequence| *sequence > 0)
}
