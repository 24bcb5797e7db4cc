//! The next window of a replay: which letters, what they are now, and where they go.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::ahead::Ahead;
use super::halt::Halt;
use super::marks::{Marks, marks, targets};
use super::pack::{Packed, Wanted};
use super::ramp::Ramp;
use super::run::Run;
use crate::act::journal::{How, MOST_IN_A_WINDOW, Purpose, Stand, Standing};
use crate::act::plan::{archive_of, destination};
use crate::observe::letters::Mailbox;

/// What goes next: letters that are there, those that are gone, and their targets as they stand.
#[derive(Default)]
pub(super) struct Next {
    pub(super) packed: Packed,
    pub(super) targets: Marks,
}

impl Next {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.packed.ready.is_empty() && self.packed.gone.is_empty()
    }
}

impl Run {
    /// The next window: chosen, read, and its targets looked at.
    pub(super) async fn fetch(
        &self,
        queue: &mut VecDeque<u64>,
        ramp: &mut Ramp,
        ahead: Option<&mut Ahead>,
    ) -> Result<Next, Halt> {
        let most = self.begin.how.window.clamp(1, MOST_IN_A_WINDOW);
        if let Some(ahead) = ahead {
            if *self.context.steering.borrow() != super::Steering::Run {
                return Ok(Next::default());
            }
            let Some(next) = ahead.next(queue, most, |letters| self.wanted(letters)).await else {
                return Ok(Next::default());
            };
            return match next {
                Ok((packed, targets)) => Ok(Next {
                    packed,
                    targets: targets?,
                }),
                // One by one it may go, and if not it says why.
                Err(letters) => self.read(&letters).await,
            };
        }
        let chosen = self.choose(queue, ramp).await;
        self.read(&chosen).await
    }

    /// Letters in their turn.
    async fn read(&self, letters: &[u64]) -> Result<Next, Halt> {
        let wanted = self.wanted(letters);
        let (found, targets) = tokio::join!(
            self.exchange.messages(&self.begin.dlq, letters),
            marks(&self.exchange, targets(&wanted))
        );
        Ok(Next {
            packed: self.packer.pack(wanted, found?),
            targets: targets?,
        })
    }

    /// Letters as they were selected.
    fn wanted(&self, letters: &[u64]) -> Vec<Wanted> {
        let known = letters.iter().filter_map(|letter| {
            let standing = self.standings.letters.get(letter)?;
            let (subject, stream) = self.target(standing);
            Some(Wanted {
                letter: *letter,
                hash: standing.hash.clone(),
                subject,
                stream,
                how: self.how_of(*letter),
            })
        });
        known.collect()
    }

    /// Reads ahead where it can.
    pub(super) async fn open_ahead(&self) -> Option<Ahead> {
        let mailbox = Mailbox::open(&self.context.link, &self.begin.dlq, &self.context.clock).await;
        if let Err(error) = &mailbox {
            tracing::debug!(%error, "letters are read in their turn");
        }
        let mailbox = mailbox.ok()?;
        Some(Ahead::new(mailbox, self.exchange.clone(), self.packer.clone()))
    }

    /// The letters of the next window, as many as may go; waits until one may.
    async fn choose(&self, queue: &mut VecDeque<u64>, ramp: &mut Ramp) -> Vec<u64> {
        let most = self.begin.how.window.clamp(1, MOST_IN_A_WINDOW).min(queue.len());
        let may = loop {
            if most == 0 {
                break 0;
            }
            match ramp.take(most, self.context.clock.now().mono) {
                Ok(may) => break may,
                Err(wait) => tokio::time::sleep(wait.min(Duration::from_millis(100))).await,
            }
            if *self.context.steering.borrow() != super::Steering::Run {
                return Vec::new();
            }
        };
        if !self.begin.how.ordered {
            return queue.drain(..may).collect();
        }
        let mut busy: BTreeSet<Arc<str>> = self.blocked();
        let mut chosen = Vec::new();
        let mut left = VecDeque::new();
        for letter in queue.drain(..) {
            let Some(standing) = self.standings.letters.get(&letter) else {
                continue;
            };
            if chosen.len() < may && busy.insert(standing.subject.clone()) {
                chosen.push(letter);
            } else {
                left.push_back(letter);
            }
        }
        // What waits behind a letter that did not land stays in the DLQ.
        if chosen.is_empty() {
            left.clear();
        }
        *queue = left;
        chosen
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

    /// The subject that a letter goes to, and the stream that takes it.
    fn target(&self, standing: &Standing) -> (Arc<str>, Arc<str>) {
        if !standing.dropped {
            return (standing.subject.clone(), standing.stream.clone());
        }
        let how = crate::act::journal::How {
            purpose: Purpose::Archive,
            ..self.begin.how.clone()
        };
        let subject = destination(&how, &self.begin.dlq, Some(&standing.subject));
        (
            subject.unwrap_or_else(|| standing.subject.clone()),
            archive_of(&self.begin.dlq).into(),
        )
    }

    /// How a letter goes: a dropped one as into the archive.
    pub(super) fn how_of(&self, letter: u64) -> Arc<How> {
        let standing = self.standings.letters.get(&letter);
        if standing.is_some_and(|standing| standing.dropped) {
            Arc::new(How {
                purpose: Purpose::Archive,
                payload: None,
                sign: None,
                to_url: None,
                ..self.begin.how.clone()
            })
        } else {
            self.how.clone()
        }
    }
}
