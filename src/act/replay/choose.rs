//! The next window of a replay: which letters, what they are now, and where they go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::ahead::Ahead;
use super::halt::Halt;
use super::ramp::Ramp;
use super::run::Run;
use crate::act::exchange::Stored;
use crate::act::hash;
use crate::act::journal::{Intent, MOST_IN_A_WINDOW, Purpose, Stand, Standing, TargetMark};
use crate::act::plan::{archive_of, destination};
use crate::observe::letters::Mailbox;

/// A letter that is about to go.
pub(super) struct Ready {
    pub(super) intent: Intent,
    pub(super) letter: Stored,
}

/// What goes next: letters that are there, those that are gone, and their targets as they stand.
pub(super) struct Next {
    pub(super) ready: Vec<Ready>,
    pub(super) gone: Vec<u64>,
    pub(super) targets: BTreeMap<Arc<str>, TargetMark>,
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
        let (chosen, found) = match ahead {
            Some(_) if *self.context.steering.borrow() != super::Steering::Run => (Vec::new(), None),
            Some(ahead) => ahead.next(queue, most).await,
            None => (self.choose(queue, ramp).await, None),
        };
        let read = async {
            match found {
                Some(found) => Ok(found),
                None => self.exchange.messages(&self.begin.dlq, &chosen).await,
            }
        };
        let (found, targets) = tokio::join!(read, self.marks(&chosen));
        let (ready, gone) = self.sort(&chosen, found?);
        Ok(Next {
            ready,
            gone,
            targets: targets?,
        })
    }

    /// Reads ahead where it can.
    pub(super) async fn open_ahead(&self) -> Option<Ahead> {
        let mailbox = Mailbox::open(&self.context.link, &self.begin.dlq, &self.context.clock).await;
        if let Err(error) = &mailbox {
            tracing::debug!(%error, "letters are read in their turn");
        }
        mailbox.ok().map(Ahead::new)
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

    /// Letters as they were found; those that are no longer there, or are others now, come second.
    fn sort(&self, letters: &[u64], found: Vec<Option<Stored>>) -> (Vec<Ready>, Vec<u64>) {
        let mut ready = Vec::with_capacity(letters.len());
        let mut gone = Vec::new();
        for (sequence, letter) in letters.iter().zip(found) {
            let standing = self.standings.letters.get(sequence);
            let same = letter
                .zip(standing)
                .filter(|(letter, standing)| hash::short(&letter.payload) == standing.hash);
            let Some((letter, standing)) = same else {
                gone.push(*sequence);
                continue;
            };
            let (subject, stream) = self.target(standing);
            let id = hash::replay_id(&self.begin.dlq, self.begin.dlq_created, *sequence, 1);
            let intent = Intent {
                window: 0,
                letter: *sequence,
                hash: standing.hash.clone(),
                id,
                subject,
                stream,
            };
            ready.push(Ready { intent, letter });
        }
        (ready, gone)
    }

    /// The targets of letters, as they stand.
    async fn marks(&self, letters: &[u64]) -> Result<BTreeMap<Arc<str>, TargetMark>, Halt> {
        let mut marks = BTreeMap::new();
        for letter in letters {
            let stream = self
                .standings
                .letters
                .get(letter)
                .map(|standing| self.target(standing).1);
            // A gateway is no stream.
            if let Some(stream) = stream.filter(|stream| !stream.is_empty() && !marks.contains_key(stream)) {
                let mark = self.mark(&stream).await?;
                marks.insert(stream, mark);
            }
        }
        Ok(marks)
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

    /// A target as it stands.
    pub(super) async fn mark(&self, stream: &str) -> Result<TargetMark, Halt> {
        let reading = self.exchange.stream(stream).await?;
        Ok(TargetMark {
            created: reading.created.unwrap_or_default(),
            last_seq: reading.state.last_seq,
            leader: reading.cluster.and_then(|cluster| cluster.leader),
        })
    }
}
