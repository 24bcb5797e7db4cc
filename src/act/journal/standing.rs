//! Where every letter of a replay stands: a pure function of the journal's records.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::{Begin, Entry, Hash, Intent, Outcome, Record, Settlement, Window};
use crate::base::time::Timestamp;

/// Where a letter stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Its turn has not come.
    Waiting,
    /// It was about to be sent, and nothing is known since: limbo.
    Sent,
    /// It is stored in its target and still to be deleted.
    Landed,
    /// It is stored in its target and was deleted.
    Deleted,
    /// The target did not take it.
    Refused(String),
    /// Nobody can know.
    Doubt(String),
    /// A person left it in the DLQ.
    Kept,
    /// It was gone before its turn came.
    Gone,
}

/// One letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The hash of its payload when it was selected.
    pub hash: Hash,
    /// The subject that it goes to.
    pub subject: Arc<str>,
    /// The stream that takes that subject.
    pub stream: Arc<str>,
    /// Its place in the order in which letters go, from 0.
    pub index: usize,
    /// Where it stands.
    pub stand: Stand,
    /// How it was last sent.
    pub intent: Option<Intent>,
    /// Its sequence in the target.
    pub stored: Option<u64>,
    /// Whether a person wants it archived instead.
    pub dropped: bool,
    /// In how many windows it was sent.
    pub sends: u64,
}

/// A window and when it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAt {
    /// The window.
    pub window: Window,
    /// By the clock of the one who sent it.
    pub at: Timestamp,
}

/// A replay as its journal tells it.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// What it is.
    pub begin: Option<Begin>,
    /// The letters by sequence.
    pub letters: BTreeMap<u64, Standing>,
    /// Their sequences in the order in which they go.
    pub order: Vec<u64>,
    /// The windows that were complete, by number.
    pub windows: BTreeMap<u64, WindowAt>,
    /// Intents of the window that is being written: nothing of it was sent.
    open: Vec<Intent>,
    /// How it ended; `None`: it did not.
    pub outcome: Option<Outcome>,
    /// How many letters stand where, kept up with every record.
    counts: Counts,
}

/// How many letters stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Selected.
    pub selected: u64,
    /// Not sent yet.
    pub waiting: u64,
    /// In limbo.
    pub sent: u64,
    /// Stored in their targets.
    pub landed: u64,
    /// Of these: deleted from the DLQ.
    pub deleted: u64,
    /// Not taken by the target.
    pub refused: u64,
    /// In doubt.
    pub in_doubt: u64,
    /// Left by a person.
    pub kept: u64,
    /// Gone before their turn.
    pub gone: u64,
}

impl Counts {
    fn enter(&mut self, stand: &Stand) {
        self.each(stand, |count| *count += 1);
    }

    fn leave(&mut self, stand: &Stand) {
        self.each(stand, |count| *count -= 1);
    }

    fn each(&mut self, stand: &Stand, change: impl Fn(&mut u64)) {
        change(match stand {
            Stand::Waiting => &mut self.waiting,
            Stand::Sent => &mut self.sent,
            Stand::Landed => &mut self.landed,
            Stand::Deleted => {
                change(&mut self.landed);
                &mut self.deleted
            }
            Stand::Refused(_) => &mut self.refused,
            Stand::Doubt(_) => &mut self.in_doubt,
            Stand::Kept => &mut self.kept,
            Stand::Gone => &mut self.gone,
        });
    }
}

impl Standings {
    /// The standings after `entries`.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut standings = Self::default();
        for entry in entries {
            standings.apply(entry);
        }
        standings
    }

    /// Goes on with one more record. One that fits nowhere changes nothing.
    pub fn apply(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Begin(begin) => self.begin = Some((**begin).clone()),
            Record::Selected { targets, letters } => {
                for (letter, hash, target) in letters {
                    if let Some(target) = targets.get(*target) {
                        self.select(*letter, hash, target);
                    }
                }
            }
            Record::Intent(intent) => self.open.push(intent.clone()),
            Record::Window(window) => self.seal(window, entry.at),
            Record::Landed { letter, stored, .. } => self.set(*letter, |standing| {
                if standing.stand != Stand::Deleted {
                    standing.stand = Stand::Landed;
                }
                standing.stored = standing.stored.or(*stored);
            }),
            Record::Refused { letter, reason } => {
                self.set(*letter, |standing| standing.stand = Stand::Refused(reason.clone()));
            }
            Record::Doubt { letter, reason } => {
                self.set(*letter, |standing| standing.stand = Stand::Doubt(reason.clone()));
            }
            Record::Settled { letter, settlement } => self.set(*letter, |standing| match settlement {
                Settlement::Keep => standing.stand = Stand::Kept,
                Settlement::Resend => standing.stand = Stand::Waiting,
                Settlement::Drop => {
                    standing.stand = Stand::Waiting;
                    standing.dropped = true;
                }
            }),
            Record::Gone { letter } => self.set(*letter, |standing| standing.stand = Stand::Gone),
            Record::Deleted { letters } => {
                for letter in letters {
                    self.set(*letter, |standing| standing.stand = Stand::Deleted);
                }
            }
            Record::End { outcome } => self.outcome = Some(*outcome),
        }
    }

    fn select(&mut self, letter: u64, hash: &Hash, (subject, stream): &(Arc<str>, Arc<str>)) {
        let standing = Standing {
            hash: hash.clone(),
            subject: subject.clone(),
            stream: stream.clone(),
            index: self.order.len(),
            stand: Stand::Waiting,
            intent: None,
            stored: None,
            dropped: false,
            sends: 0,
        };
        match self.letters.insert(letter, standing) {
            None => self.order.push(letter),
            Some(before) => self.counts.leave(&before.stand),
        }
        self.counts.enter(&Stand::Waiting);
    }

    /// A window whose last line is missing was never sent: its intents are dropped.
    fn seal(&mut self, window: &Window, at: Timestamp) {
        let intents = std::mem::take(&mut self.open);
        for intent in intents.into_iter().filter(|intent| intent.window == window.window) {
            self.set(intent.letter, |standing| {
                standing.stand = Stand::Sent;
                standing.intent = Some(intent);
                standing.sends += 1;
            });
        }
        let window = window.clone();
        self.windows.insert(window.window, WindowAt { window, at });
    }

    fn set(&mut self, letter: u64, change: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.letters.get_mut(&letter) {
            self.counts.leave(&standing.stand);
            change(standing);
            self.counts.enter(&standing.stand);
        }
    }

    /// What was refused is tried again: the target may have room now.
    pub fn retry_refused(&mut self) {
        let refused: Vec<u64> = self
            .which(|standing| matches!(standing.stand, Stand::Refused(_)))
            .collect();
        for letter in refused {
            self.set(letter, |standing| standing.stand = Stand::Waiting);
        }
    }

    /// How many letters stand where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            selected: self.letters.len() as u64,
            ..self.counts
        }
    }

    /// The letters that stand so, in the order in which they go.
    pub fn which(&self, wanted: impl Fn(&Standing) -> bool) -> impl Iterator<Item = u64> {
        let is_wanted = move |letter: &&u64| self.letters.get(letter).is_some_and(&wanted);
        self.order.iter().filter(is_wanted).copied()
    }

    /// Whether the whole selection is there. Nothing is sent before it is.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.begin
            .as_ref()
            .is_some_and(|begin| begin.count == self.letters.len() as u64)
    }

    /// The number of the next window.
    #[must_use]
    pub fn next_window(&self) -> u64 {
        self.windows.last_key_value().map_or(1, |(last, _)| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(record: Record) -> Entry {
        Entry {
            at: Timestamp::UNIX_EPOCH,
            record,
        }
    }

    fn intent(window: u64, letter: u64) -> Entry {
        at(Record::Intent(Intent {
            window,
            letter,
            hash: "h".into(),
            id: format!("id{letter}").into(),
            subject: "s".into(),
            stream: "t".into(),
        }))
    }

    fn window(window: u64) -> Entry {
        at(Record::Window(Window {
            window,
            letters: 1,
            server_id: "S".into(),
            who: "ann@a".into(),
            age_ms: 0,
            targets: BTreeMap::new(),
        }))
    }

    fn selected(letters: std::ops::RangeInclusive<u64>) -> Entry {
        at(Record::Selected {
            targets: vec![("s".into(), "t".into())],
            letters: letters.map(|letter| (letter, "h".into(), 0)).collect(),
        })
    }

    #[test]
    fn a_window_without_its_last_line_was_never_sent() {
        let mut entries = vec![selected(1..=2), intent(1, 1), intent(1, 2)];
        assert_eq!(Standings::of(&entries).counts().waiting, 2);
        entries.push(window(1));
        assert_eq!(Standings::of(&entries).counts().sent, 2);
    }

    #[test]
    fn a_torn_window_leaves_nothing_to_the_next_one() {
        let entries = [selected(1..=2), intent(1, 1), intent(2, 2), window(2)];
        let standings = Standings::of(&entries);
        assert_eq!(standings.letters[&1].stand, Stand::Waiting);
        assert_eq!(standings.letters[&2].stand, Stand::Sent);
        assert_eq!(standings.next_window(), 3);
    }

    #[test]
    fn a_letter_goes_from_waiting_to_deleted() {
        let landed = Record::Landed {
            letter: 1,
            stored: Some(9),
            duplicate: false,
        };
        let entries = [
            selected(1..=1),
            intent(1, 1),
            window(1),
            at(landed),
            at(Record::Deleted { letters: vec![1] }),
        ];
        let counts: Vec<Counts> = (1..=5).map(|n| Standings::of(&entries[..n]).counts()).collect();
        assert_eq!(counts.iter().map(|c| c.waiting).collect::<Vec<_>>(), [1, 1, 0, 0, 0]);
        assert_eq!(counts.iter().map(|c| c.sent).collect::<Vec<_>>(), [0, 0, 1, 0, 0]);
        assert_eq!(
            counts.iter().map(|c| (c.landed, c.deleted)).collect::<Vec<_>>()[3..],
            [(1, 0), (1, 1)]
        );
    }

    #[test]
    fn a_person_settles_a_doubt() {
        let doubt = Record::Doubt {
            letter: 1,
            reason: "?".into(),
        };
        for (settlement, stand, dropped) in [
            (Settlement::Keep, Stand::Kept, false),
            (Settlement::Resend, Stand::Waiting, false),
            (Settlement::Drop, Stand::Waiting, true),
        ] {
            let settled = Record::Settled { letter: 1, settlement };
            let standings = Standings::of(&[selected(1..=1), intent(1, 1), window(1), at(doubt.clone()), at(settled)]);
            let letter = &standings.letters[&1];
            assert_eq!((&letter.stand, letter.dropped), (&stand, dropped));
        }
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let letter = 0u64..6;
        prop_oneof![
            (1u64..4, letter.clone()).prop_map(|(w, l)| intent(w, l).record),
            (1u64..4).prop_map(|w| window(w).record),
            (letter.clone(), any::<Option<u64>>()).prop_map(|(letter, stored)| Record::Landed {
                letter,
                stored,
                duplicate: false
            }),
            letter.clone().prop_map(|letter| Record::Refused {
                letter,
                reason: String::new()
            }),
            letter.clone().prop_map(|letter| Record::Gone { letter }),
            letter.prop_map(|letter| Record::Deleted { letters: vec![letter] }),
        ]
    }

    proptest! {
        #[test]
        fn every_letter_stands_somewhere_and_nowhere_twice(records in prop::collection::vec(any_record(), 0..40)) {
            let mut entries = vec![selected(0..=5)];
            entries.extend(records.into_iter().map(at));
            let counts = Standings::of(&entries).counts();
            let sum = counts.waiting + counts.sent + counts.landed + counts.refused + counts.in_doubt + counts.kept + counts.gone;
            prop_assert_eq!((counts.selected, sum), (6, 6));
            prop_assert!(counts.deleted <= counts.landed);
        }

        #[test]
        fn a_deleted_letter_is_never_waiting_again(records in prop::collection::vec(any_record(), 0..40)) {
            let mut standings = Standings::of(&[selected(0..=5)]);
            for record in records {
                let before: Vec<u64> = standings.which(|s| s.stand == Stand::Deleted).collect();
                standings.apply(&at(record));
                prop_assert!(before.iter().all(|letter| standings.letters[letter].stand != Stand::Waiting));
            }
        }
    }
}
