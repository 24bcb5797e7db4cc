//! Deletes of what has landed, written down, and the look whether it stays gone.

use std::time::Duration;

use tokio::task::JoinError;

use super::halt::Halt;
use super::run::{AT_ONCE, LOOK, Run};
use crate::act::exchange::ExchangeError;
use crate::act::journal::{Record, Stand};

/// Letters that are deleted in one go, between two windows.
const STROKE: usize = 256;

/// The same when nothing is sent any more.
const LONG_STROKE: usize = 4_096;

/// Records of deletes that are written down together.
const MOST_UNWRITTEN: usize = 8;

impl Run {
    /// Starts to delete letters that have landed.
    pub(super) fn delete(&mut self, letters: Vec<u64>) {
        self.sweep.waiting.extend(letters);
        self.sweep_on(STROKE);
    }

    fn sweep_on(&mut self, most: usize) {
        let exchange = self.sweeper.as_ref().unwrap_or(&self.exchange);
        self.sweep.go_on(exchange, &self.begin.dlq, most);
    }

    /// Writes down the deletes that are done, and goes on.
    pub(super) async fn collect_deletes(&mut self) -> Result<(), Halt> {
        let records = self.finished_deletes()?.into_iter().collect();
        self.commit(records).await?;
        self.lease.check()?;
        self.sweep_on(LONG_STROKE);
        Ok(())
    }

    /// Waits for every delete, and writes them down.
    pub(super) async fn finish_deletes(&mut self) -> Result<(), Halt> {
        let mut records = Vec::new();
        loop {
            self.lease.check()?;
            self.sweep_on(LONG_STROKE);
            let done = self.sweep.under_way.join_next().await;
            let is_last = done.is_none();
            if let Some(done) = done {
                records.push(self.finished_delete(done)?);
            }
            if is_last || records.len() == MOST_UNWRITTEN {
                self.commit(std::mem::take(&mut records)).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The deletes that are done and still to be written down.
    pub(super) fn finished_deletes(&mut self) -> Result<Option<Record>, Halt> {
        let Some(done) = self.sweep.under_way.try_join_next() else {
            return Ok(None);
        };
        let record = self.finished_delete(done)?;
        Ok(Some(record))
    }

    fn finished_delete(&mut self, done: Result<Result<Vec<u64>, ExchangeError>, JoinError>) -> Result<Record, Halt> {
        let letters = done.map_err(|_| Halt::Lost)??;
        self.last_delete = Some(self.context.clock.now().mono);
        Ok(Record::Deleted { letters })
    }

    /// Some time after the last delete, looks whether all letters stay gone.
    pub(super) async fn verify_in_time(&mut self) -> Result<bool, Halt> {
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
}
