//! A replay from its first window to its report.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::follow::Follow;
use super::gateway::Gateway;
use super::halt::Halt;
use super::mirror::{Mirror, Sent};
use super::pack::Packer;
use super::ramp::Ramp;
use super::sweep::Sweep;
use super::{Context, Ending, Phase, Progress, ReplayError, Report, Steering};
use crate::act::bucket::BucketError;
use crate::act::exchange::Exchange;
use crate::act::journal::{Begin, Entry, How, Journal, Purpose, Record, Stand, Standings};
use crate::act::lease::{Lease, LeaseError};
use crate::base::text;

/// How often the stream and the DLQ are read while letters are followed.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Messages that are looked at in one go.
pub(super) const AT_ONCE: usize = 1_024;

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
    pub(super) packer: Arc<Packer>,
    /// How letters go.
    pub(super) how: Arc<How>,
    pub(super) follow: Follow,
    /// A connection for deletes alone: a server works off a connection's requests one by one.
    pub(super) sweeper: Option<Arc<Exchange>>,
    pub(super) sweep: Sweep,
    /// A connection for the bucket alone: what is written there does not wait behind a window.
    clerk: Option<Arc<Exchange>>,
    /// Copies of parked messages that the last look found in nobody's hands.
    pub(super) lying: BTreeSet<u64>,
    /// The last sequence of the DLQ that was searched for letters of our own.
    pub(super) searched: u64,
    /// When the last delete was made, on the monotonic clock.
    pub(super) last_delete: Option<Duration>,
    pub(super) came_back: u64,
    pub(super) published: u64,
    pub(super) publishing: Duration,
    started: Duration,
    pub(super) phase: Phase,
    pub(super) why: Option<String>,
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
            packer: Arc::new(Packer::new(
                &begin.dlq,
                begin.dlq_created,
                context.signer.clone(),
                &context.clock,
            )),
            how: Arc::new(begin.how.clone()),
            context,
            exchange,
            journal,
            standings,
            begin,
            lease,
            mirror,
            follow: Follow::default(),
            sweeper: None,
            sweep: Sweep::default(),
            clerk: None,
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
        if self.clerk.is_none() {
            let clerk = Exchange::connect(&self.context.link, &self.context.clock).await;
            self.clerk = clerk.ok().map(Arc::new);
        }
        self.enter(Phase::Limbo);
        self.resolve_limbo().await?;
        let landed: Vec<u64> = self.standings.which(|s| s.stand == Stand::Landed).collect();
        self.delete(landed);
        self.finish_deletes().await?;
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
        self.finish_deletes().await?;
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

    pub(super) fn elapsed(&self) -> Duration {
        self.context.clock.now().mono.saturating_sub(self.started)
    }

    /// Writes records to the journal and goes by them.
    pub(super) async fn commit(&mut self, records: Vec<Record>) -> Result<(), ReplayError> {
        let entries = self.journal.commit(records).await?;
        self.go_by(&entries);
        Ok(())
    }

    /// Writes records to the journal and how far we are to the bucket, both at once: what is sent
    /// after this is known in both.
    pub(super) async fn commit_to_both(
        &mut self,
        records: Vec<Record>,
        windows: &[(u64, Vec<u64>)],
    ) -> Result<(), Halt> {
        let entries = self.journal.stamp(records);
        self.go_by(&entries);
        let sent = Sent::of(&self.standings, windows);
        let (written, told) = tokio::join!(
            self.journal.write(Arc::new(entries)),
            self.mirror.write(self.clerk.as_ref().unwrap_or(&self.exchange), sent)
        );
        written.map_err(ReplayError::from)?;
        match told {
            Err(BucketError::Conflict) => self.publish_standpoint_again(windows).await,
            told => told.map_err(Halt::from),
        }
    }

    fn go_by(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.standings.apply(entry);
            match &entry.record {
                Record::Landed { letter, .. }
                | Record::Refused { letter, .. }
                | Record::Doubt { letter, .. }
                | Record::Gone { letter } => self.mirror.settle(*letter, &self.standings),
                _ => {}
            }
        }
    }

    /// Writes how far we are to the bucket.
    pub(super) async fn publish_standpoint(&mut self) -> Result<(), Halt> {
        let clerk = self.clerk.as_ref().unwrap_or(&self.exchange);
        match self.mirror.write(clerk, Vec::new()).await {
            Err(BucketError::Conflict) => self.publish_standpoint_again(&[]).await,
            told => told.map_err(Halt::from),
        }
    }

    /// Whoever else wrote to the bucket has taken over, unless the lease is still ours and the
    /// server forgot what we wrote.
    async fn publish_standpoint_again(&mut self, windows: &[(u64, Vec<u64>)]) -> Result<(), Halt> {
        self.lease.reconnect(&self.exchange).await?;
        self.mirror.reread();
        let sent = Sent::of(&self.standings, windows);
        let clerk = self.clerk.as_ref().unwrap_or(&self.exchange);
        Ok(self.mirror.write(clerk, sent).await?)
    }

    /// Connects again, as long as it is allowed to take.
    async fn reconnect(&mut self) -> Result<(), ReplayError> {
        // Deletes of the lost connection come to nothing: their letters have landed all the same.
        self.sweeper = None;
        self.clerk = None;
        self.sweep.stop().await;
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
}
