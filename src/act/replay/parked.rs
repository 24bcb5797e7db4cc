//! Parked messages on their way: each is looked at again just before its copy is sent, and a copy
//! that is given up in its turn is found where it lies.

use std::collections::BTreeSet;

use super::Steering;
use super::choose::Next;
use super::halt::Halt;
use super::run::{AT_ONCE, LOOK, Run};
use crate::act::exchange::Stored;
use crate::act::parked::{idle_up_to, is_same};
use crate::act::plan::REPLAY_ID;
use crate::base::text;
use crate::sample::ConsumerReading;

impl Run {
    /// Those of the letters that are there and certainly in nobody's hands. Waits for a while until
    /// that is known of all that are there; copies in a DLQ are in nobody's hands ever.
    pub(super) async fn idle(&self, letters: &[u64]) -> Result<BTreeSet<u64>, Halt> {
        let begun = self.context.clock.now().mono;
        let Some(last) = letters.iter().max() else {
            return Ok(BTreeSet::new());
        };
        loop {
            let Some(consumer) = self.gave_up().await? else {
                return Ok(letters.iter().copied().collect());
            };
            if *last <= idle_up_to(&consumer) {
                // Read after that: what was acked in the last moment is gone.
                let found = self.exchange.messages(&self.begin.dlq, letters).await?;
                return Ok(found.into_iter().flatten().map(|message| message.sequence).collect());
            }
            if *self.context.steering.borrow() == Steering::Cancel {
                return Err(Halt::Cancelled);
            }
            self.lease.check()?;
            let limit = self.context.timing.follow;
            if self.context.clock.now().mono.saturating_sub(begun) >= limit {
                return Err(Halt::Stopped(format!(
                    "for {} it could not be seen that nobody has the next messages in hand: {} not acked",
                    text::duration(limit),
                    text::counted(consumer.num_ack_pending, "message is", "messages are"),
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves parked messages out that are gone, just before their copies are sent.
    pub(super) async fn leave_out_held(&self, next: &mut Next) -> Result<(), Halt> {
        let letters: Vec<u64> = next.packed.ready.iter().map(|one| one.intent.letter).collect();
        let idle = self.idle(&letters).await?;
        let gone = letters.into_iter().filter(|letter| !idle.contains(letter));
        next.packed.gone.extend(gone);
        next.packed.ready.retain(|one| idle.contains(&one.intent.letter));
        Ok(())
    }

    /// The consumer that gave the letters up, as it stands; `None`: they are copies.
    async fn gave_up(&self) -> Result<Option<ConsumerReading>, Halt> {
        let Some(by) = &self.begin.how.parked else {
            return Ok(None);
        };
        let consumer = self.exchange.consumer(&self.begin.dlq, &by.consumer).await?;
        if is_same(by, &consumer) {
            return Ok(Some(consumer));
        }
        let name = text::safe(&by.consumer).into_owned();
        Err(Halt::Stopped(format!(
            "the consumer {name} was made anew: it delivers the parked messages again by itself"
        )))
    }

    /// Looks whether copies were given up again: they lie in the stream and in nobody's hands, twice
    /// in a row, so that an ack that is on its way is not mistaken for that.
    pub(super) async fn look_for_parked(&mut self) -> Result<(), Halt> {
        let Some(consumer) = self.gave_up().await? else {
            return Ok(());
        };
        let idle = idle_up_to(&consumer);
        let mut followed = self.follow.oldest(AT_ONCE);
        let mut followed = followed.remove(&self.begin.dlq).unwrap_or_default();
        followed.retain(|sequence| *sequence <= idle);
        let found = self.exchange.messages(&self.begin.dlq, &followed).await?;
        let found: Vec<Stored> = found.into_iter().flatten().collect();
        for message in found.iter().filter(|message| self.lying.contains(&message.sequence)) {
            if let Some(id) = message.header(REPLAY_ID) {
                self.follow.found_dead(id);
            }
        }
        self.lying = found.iter().map(|message| message.sequence).collect();
        Ok(())
    }
}
