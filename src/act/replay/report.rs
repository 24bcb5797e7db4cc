//! The end of a replay, and what it says of it.

use super::halt::Halt;
use super::run::Run;
use super::{Ending, Phase, Remark, ReplayError, Report};
use crate::act::journal::{Outcome, Record, Stand};

impl Run {
    /// Settles what is under way, writes the end, gives the lease back, and reports.
    pub(super) async fn finish(&mut self, ending: Ending, verified: bool) -> Result<Report, ReplayError> {
        // Deletes that fail now stay landed letters, which a resume deletes.
        let _ = self.finish_deletes().await;
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
        if let Err(Halt::Broken(error)) = self.publish_standpoint().await {
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
}
