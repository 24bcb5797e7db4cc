//! The operator's hand on a replay, and the brakes that it has of its own.

use super::follow::Follow;
use super::halt::Halt;
use super::run::Run;
use super::{Phase, Steering};
use crate::act::journal::Purpose;
use crate::base::text;

/// Letters that a gateway refuses, more than it takes, before nothing more is sent.
const MOST_REFUSED: u64 = 3;

impl Run {
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
    pub(super) async fn pause_by_itself(&mut self, why: String) -> Result<(), Halt> {
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

    /// Follows the first letters to their end; goes on only when none of them died.
    pub(super) async fn watch_canary(&mut self) -> Result<(), Halt> {
        self.finish_deletes().await?;
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
            let letters = text::counted(counts.refused, "letter", "letters");
            let why = format!("the gateway refused {letters}");
            return self.pause_by_itself(why).await;
        }
        let fates = self.follow.fates();
        if fates.is_deadly() {
            self.follow = Follow::default();
            let letters = text::counted(fates.died_again, "letter", "letters");
            return self.pause_by_itself(format!("{letters} died again")).await;
        }
        if fates.undecided > self.context.timing.backlog {
            let limit = self.context.timing.backlog;
            let enough = move |run: &Self| run.follow.fates().undecided <= limit / 2;
            if !self.follow_until(enough).await? {
                let letters = text::counted(limit, "letter", "letters");
                let why = format!("the backlog grew above {letters} and does not drain");
                return self.pause_by_itself(why).await;
            }
        }
        Ok(())
    }
}
