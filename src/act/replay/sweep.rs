//! Deletes under way: on a task of their own, behind what is sent.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::act::exchange::{Exchange, ExchangeError};

/// Deletes: they trail behind what is sent, and hold nothing up.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    pub(super) waiting: VecDeque<u64>,
    /// One task at most: a server works off a connection's requests one by one.
    pub(super) under_way: JoinSet<Result<Vec<u64>, ExchangeError>>,
}

impl Sweep {
    /// Goes on, unless it is at work.
    pub(super) fn go_on(&mut self, exchange: &Arc<Exchange>, dlq: &Arc<str>, most: usize) {
        if self.waiting.is_empty() || !self.under_way.is_empty() {
            return;
        }
        let letters: Vec<u64> = self.waiting.drain(..most.min(self.waiting.len())).collect();
        let (exchange, dlq) = (exchange.clone(), dlq.clone());
        self.under_way.spawn(async move {
            exchange.delete_all(&dlq, &letters).await?;
            Ok(letters)
        });
    }

    /// Ends, and forgets what is not deleted.
    pub(super) async fn stop(&mut self) {
        self.waiting.clear();
        self.under_way.shutdown().await;
    }
}
