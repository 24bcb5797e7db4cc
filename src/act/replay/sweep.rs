//! Deletes of what has landed, and the look whether it stays gone.

use std::time::Duration;

use super::halt::Halt;
use super::run::{AT_ONCE, LOOK, Run};
use crate::act::journal::{Record, Stand};

impl Run {
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
