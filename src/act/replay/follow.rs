//! What becomes of what was published: processed, or dead again. Pure; `poll` brings the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::act::journal::Hash;

/// Published letters and what is known of their end.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// By stream and sequence there: those whose end is not known.
    outstanding: BTreeMap<(Arc<str>, u64), Hash>,
    /// The same by replay id.
    by_id: BTreeMap<Hash, (Arc<str>, u64)>,
    /// Left their stream; decided when the DLQ was read after that.
    left: Vec<(Arc<str>, u64)>,
    /// Replay ids on new letters in the DLQ.
    dead: BTreeSet<Hash>,
    processed: u64,
    died: u64,
}

/// How many came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fates {
    /// Left the stream without a new letter.
    pub processed: u64,
    /// Became a letter again.
    pub died_again: u64,
    /// Still in the stream.
    pub undecided: u64,
}

/// Dead letters that stop a replay: this many, and this share of those that ended.
const MOST_DEAD: (u64, f64) = (3, 0.05);

impl Follow {
    /// A letter is stored.
    pub fn published(&mut self, stream: &Arc<str>, sequence: u64, id: &Hash) {
        self.outstanding.insert((stream.clone(), sequence), id.clone());
        self.by_id.insert(id.clone(), (stream.clone(), sequence));
    }

    /// A new letter in the DLQ carries this replay id.
    pub fn found_dead(&mut self, id: &str) {
        self.dead.insert(id.into());
    }

    /// The message left its stream, or every consumer has acked it.
    pub fn found_gone(&mut self, stream: &Arc<str>, sequence: u64) {
        self.left.push((stream.clone(), sequence));
    }

    /// Decides on everything that left, the DLQ having been read to its end since.
    pub fn decide(&mut self) {
        for key in std::mem::take(&mut self.left) {
            if let Some(id) = self.outstanding.remove(&key) {
                self.by_id.remove(&id);
                if self.dead.remove(&id) {
                    self.died += 1;
                } else {
                    self.processed += 1;
                }
            }
        }
        // A copy is made before the message is acked.
        let known: Vec<Hash> = self
            .dead
            .iter()
            .filter(|id| self.by_id.contains_key(*id))
            .cloned()
            .collect();
        for id in known {
            self.dead.remove(&id);
            if let Some(key) = self.by_id.remove(&id) {
                self.outstanding.remove(&key);
                self.died += 1;
            }
        }
    }

    /// The oldest messages whose end is not known, at most `most` a stream.
    #[must_use]
    pub fn oldest(&self, most: usize) -> BTreeMap<Arc<str>, Vec<u64>> {
        let mut oldest: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        let mut next = self.outstanding.keys().next();
        while let Some((stream, _)) = next {
            let last = (stream.clone(), u64::MAX);
            let of = self.outstanding.range((stream.clone(), 0)..=last.clone()).take(most);
            oldest.insert(stream.clone(), of.map(|((_, sequence), _)| *sequence).collect());
            next = self
                .outstanding
                .range((Bound::Excluded(last), Bound::Unbounded))
                .next()
                .map(|(key, _)| key);
        }
        oldest
    }

    /// How many came to which end.
    #[must_use]
    pub fn fates(&self) -> Fates {
        Fates {
            processed: self.processed,
            died_again: self.died,
            undecided: self.outstanding.len() as u64,
        }
    }
}

impl Fates {
    /// Whether so many died again that going on does harm.
    #[must_use]
    pub fn is_deadly(self) -> bool {
        let ended = self.processed + self.died_again;
        self.died_again >= MOST_DEAD.0 && self.died_again as f64 > ended as f64 * MOST_DEAD.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(count: u64) -> (Follow, Arc<str>) {
        let stream: Arc<str> = "webhooks".into();
        let mut follow = Follow::default();
        for n in 1..=count {
            follow.published(&stream, n, &format!("id{n}").into());
        }
        (follow, stream)
    }

    fn fates(processed: u64, died_again: u64, undecided: u64) -> Fates {
        Fates {
            processed,
            died_again,
            undecided,
        }
    }

    #[test]
    fn what_left_without_a_letter_was_processed() {
        let (mut follow, stream) = published(3);
        follow.found_gone(&stream, 1);
        assert_eq!(follow.fates(), fates(0, 0, 3), "not before the DLQ was read");
        follow.decide();
        assert_eq!(follow.fates(), fates(1, 0, 2));
        assert_eq!(follow.oldest(1)[&stream], [2]);
    }

    #[test]
    fn what_left_with_a_letter_died_again_whichever_is_seen_first() {
        let (mut follow, stream) = published(2);
        follow.found_dead("id1");
        follow.decide();
        assert_eq!(follow.fates(), fates(0, 1, 1));
        follow.found_gone(&stream, 1);
        follow.found_gone(&stream, 2);
        follow.found_dead("id2");
        follow.decide();
        assert_eq!(follow.fates(), fates(0, 2, 0), "and is counted once");
    }

    #[test]
    fn a_stranger_in_the_dlq_is_none_of_ours() {
        let (mut follow, _) = published(1);
        follow.found_dead("other");
        follow.decide();
        assert_eq!(follow.fates(), fates(0, 0, 1));
    }

    #[test]
    fn many_deaths_stop_a_replay_and_few_do_not() {
        for (processed, died, deadly) in [
            (0, 2, false),
            (0, 3, true),
            (97, 3, false),
            (50, 3, true),
            (1_000, 0, false),
        ] {
            assert_eq!(fates(processed, died, 9).is_deadly(), deadly, "{processed} {died}");
        }
    }
}
