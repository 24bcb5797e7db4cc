//! A replay from its first window to its report.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::follow::Follow;
use super::gateway::Gateway;
use super::mirror::{Mirror, Sent};
use super::window::Ramp;
use super::{Context, Ending, Phase, Progress, Remark, ReplayError, Report, Steering};
use crate::act::bucket::BucketError;
use crate::act::exchange::{Exchange, ExchangeError};
use crate::act::journal::{Begin, Entry, Journal, Outcome, Purpose, Record, Stand, Standings};
use crate::act::lease::{Lease, LeaseError};
use crate::act::plan::REPLAY_ID;
use crate::base::text;
use crate::observe::SourceError;
use crate::sample::Retention;

/// How often the stream and the DLQ are read while letters are followed.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Messages that are looked at in one go.
pub(super) const AT_ONCE: usize = 1_024;

/// Letters that a gateway refuses, more than it takes, before nothing more is sent.
const MOST_REFUSED: u64 = 3;

/// A replay under way.
pub(super) struct Run {
    pub(super) context: Context,
    pub(super) exchange: Arc<Exchange>,
    pub(super) journal: Journal,
    pub(super) standings: Standings,
    pub(super) begin: Begin,
    pub(super) lease: Lease,
    pub(super) mirror: Mirror,
    /// Where letters go that go into no stream.
    pub(super) gateway: Option<Gateway>,
    pub(super) follow: Follow,
    /// A connection for deletes alone: a server works off a connection's requests one by one.
    sweeper: Option<Arc<Exchange>>,
    /// Deletes under way: each task the letters of a window, those that are gone come back.
    pub(super) deletes: JoinSet<Result<Vec<u64>, ExchangeError>>,
    /// Copies of parked messages that the last look found in nobody's hands.
    pub(super) lying: BTreeSet<u64>,
    /// The last sequence of the DLQ that was searched for letters of our own.
    searched: u64,
    /// When the last delete was made, on the monotonic clock.
    pub(super) last_delete: Option<Duration>,
    pub(super) came_back: u64,
    pub(super) published: u64,
    pub(super) publishing: Duration,
    started: Duration,
    phase: Phase,
    why: Option<String>,
}

/// Why a pass ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection is gone, or an answer did not come: what was sent is in limbo.
    Lost,
    /// It cannot go on.
    Broken(ReplayError),
    /// It stops by itself.
    Stopped(String),
    /// The operator ended it.
    Cancelled,
}

impl From<ExchangeError> for Halt {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Refused { .. } => Self::Broken(ReplayError::Exchange {
                operation: "replay",
                source: error,
                next: "see what the server refuses, then --resume",
            }),
            // Unsent because the connection is gone, nobody there because the server restarts.
            _ => Self::Lost,
        }
    }
}

impl From<ReplayError> for Halt {
    fn from(error: ReplayError) -> Self {
        Self::Broken(error)
    }
}

impl From<LeaseError> for Halt {
    fn from(error: LeaseError) -> Self {
        Self::Broken(error.into())
    }
}

impl Run {
    pub(super) fn new(
        context: Context,
        exchange: Arc<Exchange>,
        journal: Journal,
        standings: Standings,
        begin: Begin,
        lease: Lease,
        mirror: Mirror,
    ) -> Self {
        Self {
            gateway: None,
            started: context.clock.now().mono,
            searched: begin.dlq_last_seq,
            context,
            exchange,
            journal,
            standings,
            begin,
            lease,
            mirror,
            follow: Follow::default(),
            sweeper: None,
            deletes: JoinSet::new(),
            lying: BTreeSet::new(),
            last_delete: None,
            came_back: 0,
            published: 0,
            publishing: Duration::ZERO,
            phase: Phase::Starting,
            why: None,
        }
    }

    /// Runs it, over as many connections as it takes.
    pub(super) async fn complete(&mut self) -> Result<Report, ReplayError> {
        let (ending, verified) = loop {
            match Box::pin(self.pass()).await {
                Ok(verified) => break (Ending::Done, verified),
                Err(Halt::Lost) => {
                    self.reconnect().await?;
                    // A server that restarts may have forgotten deletes.
                    let deleted: Vec<u64> = self.standings.which(|s| s.stand == Stand::Deleted).collect();
                    if let Err(Halt::Broken(error)) = self.verify(deleted).await {
                        return Err(error);
                    }
                }
                Err(Halt::Broken(error)) => return Err(error),
                Err(Halt::Stopped(why)) => {
                    self.why = Some(why);
                    break (Ending::Stopped, false);
                }
                Err(Halt::Cancelled) => break (Ending::Cancelled, false),
            }
        };
        self.finish(ending, verified).await
    }

    /// Once through what is left to do.
    async fn pass(&mut self) -> Result<bool, Halt> {
        if self.sweeper.is_none() {
            let sweeper = Exchange::connect(&self.context.link, &self.context.clock).await;
            self.sweeper = sweeper.ok().map(Arc::new);
        }
        self.enter(Phase::Limbo);
        self.resolve_limbo().await?;
        let landed: Vec<u64> = self.standings.which(|s| s.stand == Stand::Landed).collect();
        self.delete(landed);
        self.collect_deletes(true).await?;
        let mut queue: VecDeque<u64> = self.standings.which(|s| s.stand == Stand::Waiting).collect();
        let canary = usize::try_from(self.begin.how.canary).unwrap_or(usize::MAX);
        let is_first = self.published == 0 && queue.len() == self.standings.order.len();
        if canary > 0 && is_first && self.begin.how.purpose == Purpose::Replay {
            self.enter(Phase::Canary);
            let rest = queue.split_off(canary.min(queue.len()));
            self.send(&mut queue, &mut Ramp::unpaced()).await?;
            self.watch_canary().await?;
            queue = rest;
        }
        self.enter(Phase::Sending);
        let begun = self.context.clock.now().mono;
        let mut ramp = Ramp::new(self.begin.how.rate, begun).map_err(Halt::Stopped)?;
        let sent = self.send(&mut queue, &mut ramp).await;
        self.publishing += self.context.clock.now().mono.saturating_sub(begun);
        sent?;
        self.collect_deletes(true).await?;
        if self.begin.how.purpose == Purpose::Replay {
            self.enter(Phase::Following);
            self.follow_to_end().await?;
        }
        self.enter(Phase::Verifying);
        self.verify_in_time().await
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.tell();
    }

    pub(super) fn tell(&self) {
        let counts = self.standings.counts();
        self.lease.show(counts);
        self.context.progress.send_replace(Progress {
            replay: self.begin.replay.clone(),
            phase: self.phase,
            why: self.why.clone(),
            counts,
            fates: self.follow.fates(),
            elapsed: self.elapsed(),
        });
    }

    fn elapsed(&self) -> Duration {
        self.context.clock.now().mono.saturating_sub(self.started)
    }

    /// Writes records to the journal and goes by them.
    pub(super) async fn commit(&mut self, records: Vec<Record>) -> Result<Vec<Entry>, ReplayError> {
        let entries = self.journal.commit(records).await?;
        for entry in &entries {
            self.standings.apply(entry);
            match &entry.record {
                Record::Landed { letter, .. }
                | Record::Refused { letter, .. }
                | Record::Doubt { letter, .. }
                | Record::Gone { letter } => self.mirror.settle(*letter, &self.standings),
                _ => {}
            }
        }
        Ok(entries)
    }

    /// Writes how far we are to the bucket. Whoever else wrote there has taken over, unless the
    /// lease is still ours and the server forgot what we wrote.
    pub(super) async fn publish_standpoint(&mut self, windows: &[(u64, Vec<u64>)]) -> Result<(), Halt> {
        let sent = Sent::of(&self.standings, windows);
        match self.mirror.write(&self.exchange, sent).await {
            Ok(()) => return Ok(()),
            Err(BucketError::Conflict) => {}
            Err(BucketError::Exchange(error)) => return Err(error.into()),
            Err(error) => return Err(Halt::Broken(error.into())),
        }
        self.lease.reconnect(&self.exchange).await?;
        self.mirror.reread();
        let sent = Sent::of(&self.standings, windows);
        match self.mirror.write(&self.exchange, sent).await {
            Ok(()) => Ok(()),
            Err(BucketError::Exchange(error)) => Err(error.into()),
            Err(error) => Err(Halt::Broken(error.into())),
        }
    }

    /// Waits while the operator pauses.
    pub(super) async fn heed(&mut self) -> Result<(), Halt> {
        loop {
            let wanted = *self.context.steering.borrow_and_update();
            match wanted {
                Steering::Run => return Ok(()),
                Steering::Cancel => return Err(Halt::Cancelled),
                Steering::Pause => {
                    let before = self.phase;
                    self.enter(Phase::Paused);
                    self.lease.check()?;
                    // Nobody can steer any more: it goes on as it was told last.
                    if self.context.steering.changed().await.is_err() {
                        return Ok(());
                    }
                    self.enter(before);
                }
            }
        }
    }

    /// An automatic pause: somebody decides, or it ends.
    async fn pause_by_itself(&mut self, why: String) -> Result<(), Halt> {
        if !self.context.attended {
            return Err(Halt::Stopped(why));
        }
        self.why = Some(why);
        let before = self.phase;
        self.enter(Phase::Paused);
        self.context.steering.borrow_and_update();
        let decided = self.context.steering.changed().await;
        self.why = None;
        if decided.is_err() {
            return Err(Halt::Cancelled);
        }
        self.enter(before);
        self.heed().await
    }

    /// Connects again, as long as it is allowed to take.
    async fn reconnect(&mut self) -> Result<(), ReplayError> {
        // Deletes of the lost connection come to nothing: their letters have landed all the same.
        self.sweeper = None;
        self.deletes.abort_all();
        while self.deletes.join_next().await.is_some() {}
        let begun = self.context.clock.now().mono;
        loop {
            let error = match self.connect_again().await {
                Ok(()) => return Ok(()),
                Err(ReplayError::Lease(LeaseError::Lost(reason))) => return Err(LeaseError::Lost(reason).into()),
                Err(error) => error,
            };
            let spent = self.context.clock.now().mono.saturating_sub(begun);
            if spent >= self.context.timing.reconnect || *self.context.steering.borrow() == Steering::Cancel {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn connect_again(&mut self) -> Result<(), ReplayError> {
        let exchange = Arc::new(Exchange::connect(&self.context.link, &self.context.clock).await?);
        let dlq = exchange
            .stream(&self.begin.dlq)
            .await
            .map_err(|source| ReplayError::Exchange {
                operation: "read the dead letter stream",
                source,
                next: "start the server, then --resume",
            })?;
        if dlq.created != Some(self.begin.dlq_created) {
            return Err(ReplayError::AnotherStream(text::safe(&self.begin.dlq).into_owned()));
        }
        self.lease.reconnect(&exchange).await?;
        self.mirror.reread();
        self.exchange = exchange;
        Ok(())
    }

    /// Follows the first letters to their end; goes on only when none of them died.
    async fn watch_canary(&mut self) -> Result<(), Halt> {
        self.collect_deletes(true).await?;
        self.follow_to_end().await?;
        let fates = self.follow.fates();
        let unsettled = self.standings.counts();
        let why = if fates.died_again > 0 {
            format!(
                "{} of the first letters died again: the cause persists",
                fates.died_again
            )
        } else if fates.undecided > 0 {
            format!(
                "{} of the first letters were not processed within {}: do workers run?",
                fates.undecided,
                text::duration(self.context.timing.follow)
            )
        } else if unsettled.refused + unsettled.in_doubt > 0 {
            "the first letters were not taken".to_owned()
        } else {
            return Ok(());
        };
        self.pause_by_itself(why).await
    }

    /// Whether letters die again, or wait for the workers: then nothing more is sent for now.
    pub(super) async fn brake(&mut self) -> Result<(), Halt> {
        if self.begin.how.purpose != Purpose::Replay {
            return Ok(());
        }
        let counts = self.standings.counts();
        let is_shut = counts.refused >= MOST_REFUSED && counts.refused > counts.landed;
        if self.gateway.is_some() && is_shut {
            let why = format!(
                "the gateway refused {}",
                text::counted(counts.refused, "letter", "letters")
            );
            return self.pause_by_itself(why).await;
        }
        let fates = self.follow.fates();
        if fates.is_deadly() {
            self.follow = Follow::default();
            return self
                .pause_by_itself(format!(
                    "{} died again",
                    text::counted(fates.died_again, "letter", "letters")
                ))
                .await;
        }
        if fates.undecided > self.context.timing.backlog {
            let limit = self.context.timing.backlog;
            let enough = move |run: &Self| run.follow.fates().undecided <= limit / 2;
            if !self.follow_until(enough).await? {
                let why = format!(
                    "the backlog grew above {} and does not drain",
                    text::counted(limit, "letter", "letters")
                );
                return self.pause_by_itself(why).await;
            }
        }
        Ok(())
    }

    async fn follow_to_end(&mut self) -> Result<(), Halt> {
        self.follow_until(|run| run.follow.fates().undecided == 0).await?;
        Ok(())
    }

    /// Follows until `enough`; false when nothing happens any more.
    async fn follow_until(&mut self, enough: impl Fn(&Self) -> bool) -> Result<bool, Halt> {
        let mut moved = self.context.clock.now().mono;
        let mut last = self.follow.fates();
        loop {
            self.look().await?;
            self.tell();
            if enough(self) {
                return Ok(true);
            }
            let fates = self.follow.fates();
            let now = self.context.clock.now().mono;
            if fates != last {
                (last, moved) = (fates, now);
            }
            if now.saturating_sub(moved) >= self.context.timing.follow {
                return Ok(false);
            }
            self.heed().await?;
            self.collect_deletes(false).await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks once at what became of the oldest letters whose end is not known.
    pub(super) async fn look(&mut self) -> Result<(), Halt> {
        for (stream, sequences) in self.follow.oldest(AT_ONCE) {
            let reading = self.exchange.stream(&stream).await?;
            let floor = match reading.config.retention {
                Retention::Workqueue => None,
                Retention::Limits | Retention::Interest => self.exchange.floor(&stream).await?,
            };
            let state = &reading.state;
            let is_whole = state.messages > 0 && state.last_seq - state.first_seq + 1 == state.messages;
            let (below, mut within): (Vec<u64>, Vec<u64>) = sequences.into_iter().partition(|sequence| {
                *sequence < reading.state.first_seq || floor.is_some_and(|floor| *sequence <= floor)
            });
            // Without a hole, whatever lies between the ends is there.
            within.retain(|sequence| !is_whole || *sequence > reading.state.last_seq);
            let found = self.exchange.messages(&stream, &within).await?;
            let missing = within.iter().zip(found).filter(|(_, found)| found.is_none());
            for sequence in below.into_iter().chain(missing.map(|(sequence, _)| *sequence)) {
                self.follow.found_gone(&stream, sequence);
            }
        }
        if self.begin.how.parked.is_some() {
            // Their stream is their target: what lies there under our id is no letter of it.
            self.look_for_parked().await?;
        } else {
            self.search_dlq().await?;
        }
        self.follow.decide();
        Ok(())
    }

    /// Reads what is new in the DLQ and remembers the letters that carry a replay id.
    async fn search_dlq(&mut self) -> Result<(), Halt> {
        let last = self.exchange.stream(&self.begin.dlq).await?.state.last_seq;
        while self.searched < last {
            let to = last.min(self.searched + AT_ONCE as u64);
            let sequences: Vec<u64> = (self.searched + 1..=to).collect();
            for found in self
                .exchange
                .messages(&self.begin.dlq, &sequences)
                .await?
                .into_iter()
                .flatten()
            {
                if let Some(id) = found.header(REPLAY_ID) {
                    self.follow.found_dead(id);
                }
            }
            self.searched = to;
        }
        Ok(())
    }

    /// Starts to delete letters that have landed.
    pub(super) fn delete(&mut self, letters: Vec<u64>) {
        if letters.is_empty() {
            return;
        }
        let exchange = self.sweeper.as_ref().unwrap_or(&self.exchange).clone();
        let dlq = self.begin.dlq.clone();
        self.deletes.spawn(async move {
            exchange.delete_all(&dlq, &letters).await?;
            Ok(letters)
        });
    }

    /// Writes down the deletes that are done; `all`: waits for every one.
    pub(super) async fn collect_deletes(&mut self, all: bool) -> Result<(), Halt> {
        let records = self.finished_deletes(all).await?;
        if !records.is_empty() {
            self.commit(records).await?;
        }
        Ok(())
    }

    /// The deletes that are done and still to be written down; `all`: waits for every one.
    pub(super) async fn finished_deletes(&mut self, all: bool) -> Result<Vec<Record>, Halt> {
        let mut records = Vec::new();
        loop {
            let done = if all {
                self.deletes.join_next().await
            } else {
                self.deletes.try_join_next()
            };
            match done {
                None => break,
                Some(Ok(Ok(letters))) => records.push(Record::Deleted { letters }),
                Some(Ok(Err(error))) => return Err(error.into()),
                Some(Err(_)) => return Err(Halt::Lost),
            }
        }
        if !records.is_empty() {
            self.last_delete = Some(self.context.clock.now().mono);
        }
        Ok(records)
    }

    /// Some time after the last delete, looks whether all letters stay gone.
    async fn verify_in_time(&mut self) -> Result<bool, Halt> {
        let deleted: Vec<u64> = self.standings.which(|s| s.stand == Stand::Deleted).collect();
        if deleted.is_empty() {
            return Ok(true);
        }
        let due = self
            .last_delete
            .map_or(Duration::ZERO, |at| at + self.context.timing.verify);
        loop {
            let left = due.saturating_sub(self.context.clock.now().mono);
            if left.is_zero() {
                break;
            }
            self.heed().await?;
            if let Some(reason) = self.exchange.lost() {
                tracing::debug!(%reason, "lost while waiting to verify");
                return Err(Halt::Lost);
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
        self.verify(deleted).await?;
        Ok(true)
    }

    /// Deletes again what came back, if it is the same letter. It is never published again.
    pub(super) async fn verify(&mut self, mut deleted: Vec<u64>) -> Result<(), Halt> {
        let state = self.exchange.stream(&self.begin.dlq).await?.state;
        // Nothing lies below the first sequence, nor anywhere in an empty stream.
        deleted.retain(|letter| state.messages > 0 && *letter >= state.first_seq);
        for some in deleted.chunks(AT_ONCE) {
            let found = self.exchange.messages(&self.begin.dlq, some).await?;
            let back: Vec<u64> = found
                .into_iter()
                .flatten()
                .filter(|found| {
                    let known = self.standings.letters.get(&found.sequence);
                    known.is_some_and(|known| known.hash == crate::act::hash::short(&found.payload))
                })
                .map(|found| found.sequence)
                .collect();
            if !back.is_empty() {
                self.lease.check()?;
                self.came_back += back.len() as u64;
                self.exchange.delete_all(&self.begin.dlq, &back).await?;
                self.last_delete = Some(self.context.clock.now().mono);
            }
        }
        Ok(())
    }

    /// Settles what is under way, writes the end, gives the lease back, and reports.
    async fn finish(&mut self, ending: Ending, verified: bool) -> Result<Report, ReplayError> {
        // Deletes that fail now stay landed letters, which a resume deletes.
        let _ = self.collect_deletes(true).await;
        let counts = self.standings.counts();
        let open = counts.sent + counts.in_doubt + (counts.landed - counts.deleted);
        let ending = match ending {
            Ending::Done if counts.deleted < counts.selected => Ending::Partial,
            ending => ending,
        };
        let ended = open == 0;
        if ended {
            let outcome = match ending {
                Ending::Done => Outcome::Done,
                Ending::Partial | Ending::Stopped => Outcome::Partial,
                Ending::Cancelled => Outcome::Cancelled,
            };
            self.commit(vec![Record::End { outcome }]).await?;
        }
        if let Err(Halt::Broken(error)) = self.publish_standpoint(&[]).await {
            tracing::warn!(%error, "the bucket does not know how the replay ended");
        }
        if let Err(error) = self.lease.release(&self.exchange, counts, ended).await {
            tracing::warn!(%error, "the lease could not be given back and ends by itself");
        }
        self.enter(Phase::Ended);
        Ok(self.report(ending, verified))
    }

    fn report(&self, ending: Ending, verified: bool) -> Report {
        let remarks = |reason: fn(&Stand) -> Option<&String>| -> Vec<Remark> {
            let letters = self.standings.letters.iter();
            letters
                .filter_map(|(letter, standing)| {
                    Some(Remark {
                        letter: *letter,
                        reason: reason(&standing.stand)?.clone(),
                    })
                })
                .collect()
        };
        let mut refused = remarks(|stand| match stand {
            Stand::Refused(reason) => Some(reason),
            _ => None,
        });
        refused.truncate(20);
        Report {
            replay: self.begin.replay.clone(),
            dlq: self.begin.dlq.clone(),
            ending,
            why: self.why.clone(),
            counts: self.standings.counts(),
            fates: self.follow.fates(),
            came_back: self.came_back,
            verified,
            in_doubt: remarks(|stand| match stand {
                Stand::Doubt(reason) => Some(reason),
                _ => None,
            }),
            refused,
            published: self.published,
            elapsed_s: self.elapsed().as_secs_f64(),
            publishing_s: self.publishing.as_secs_f64(),
        }
    }

    /// The subjects under which a letter did not land: in an ordered replay the ones after it wait.
    pub(super) fn blocked(&self) -> BTreeSet<Arc<str>> {
        if !self.begin.how.ordered {
            return BTreeSet::new();
        }
        let letters = self.standings.letters.values();
        letters
            .filter(|standing| matches!(standing.stand, Stand::Refused(_) | Stand::Doubt(_) | Stand::Sent))
            .map(|standing| standing.subject.clone())
            .collect()
    }
}

impl From<SourceError> for Halt {
    fn from(error: SourceError) -> Self {
        Self::Broken(error.into())
    }
}
