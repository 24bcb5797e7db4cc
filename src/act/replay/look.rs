//! What becomes of published letters, read from the stream and the DLQ.

use super::halt::Halt;
use super::run::{AT_ONCE, LOOK, Run};
use crate::act::plan::REPLAY_ID;
use crate::sample::Retention;

impl Run {
    pub(super) async fn follow_to_end(&mut self) -> Result<(), Halt> {
        self.follow_until(|run| run.follow.fates().undecided == 0).await?;
        Ok(())
    }

    /// Follows until `enough`; false when nothing happens any more.
    pub(super) async fn follow_until(&mut self, enough: impl Fn(&Self) -> bool) -> Result<bool, Halt> {
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
            self.collect_deletes().await?;
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
}
