//! The journal's copy in the bucket, by which another operator can take over: what the replay is,
//! its selection, the windows that are on their way, and what became of all before them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::act::bucket::{self, BucketError};
use crate::act::exchange::Exchange;
use crate::act::hash;
use crate::act::journal::{Begin, Entry, Intent, Record, Stand, Standings, Window};
use crate::base::time::Timestamp;

/// Letters in a part of the selection: well below the server's limit of a message.
pub(super) const PART: usize = 5_000;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    begin: Begin,
    parts: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Part {
    replay: Arc<str>,
    record: Record,
}

/// How far the replay is.
#[derive(Debug, Serialize, Deserialize)]
struct Standpoint {
    replay: Arc<str>,
    /// Letters before this place in the order are settled.
    settled: usize,
    /// Further places that are.
    beyond: Vec<usize>,
    /// Those among them that did not land.
    exceptions: Vec<Record>,
    /// The windows that are on their way or about to be.
    windows: Vec<Sent>,
}

/// A window, without what can be worked out again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    window: Window,
    at: Timestamp,
    letters: Vec<u64>,
    /// Those that go elsewhere than they were selected for.
    odd: Vec<Intent>,
}

impl Sent {
    /// Windows and their letters, as they are written down in the journal.
    pub(super) fn of(standings: &Standings, windows: &[(u64, Vec<u64>)]) -> Vec<Self> {
        let sent = windows.iter().filter_map(|(number, letters)| {
            let known = standings.windows.get(number)?;
            let mut sent = Self {
                window: known.window.clone(),
                at: known.at,
                letters: Vec::with_capacity(letters.len()),
                odd: Vec::new(),
            };
            for letter in letters {
                let intent = standings
                    .letters
                    .get(letter)
                    .and_then(|standing| standing.intent.as_ref());
                match intent {
                    Some(intent) if is_as_selected(standings, intent) => sent.letters.push(*letter),
                    other => sent.odd.extend(other.cloned()),
                }
            }
            Some(sent)
        });
        sent.collect()
    }

    /// The records that the journal holds of it.
    fn entries(self, standings: &Standings) -> Vec<Entry> {
        let number = self.window.window;
        let letters = self.letters.iter();
        let intents = letters.filter_map(|letter| intended(standings, number, *letter));
        let mut records: Vec<Record> = intents.chain(self.odd).map(Record::Intent).collect();
        records.push(Record::Window(self.window));
        let at = self.at;
        records.into_iter().map(|record| Entry { at, record }).collect()
    }
}

/// Whether a letter goes where it was selected for.
fn is_as_selected(standings: &Standings, intent: &Intent) -> bool {
    let standing = standings.letters.get(&intent.letter);
    standing.is_some_and(|standing| standing.subject == intent.subject && standing.stream == intent.stream)
}

/// How a letter goes as it was selected.
fn intended(standings: &Standings, window: u64, letter: u64) -> Option<Intent> {
    let begin = standings.begin.as_ref()?;
    let standing = standings.letters.get(&letter)?;
    Some(Intent {
        window,
        letter,
        hash: standing.hash.clone(),
        id: hash::replay_id(&begin.dlq, begin.dlq_created, letter, 1),
        subject: standing.subject.clone(),
        stream: standing.stream.clone(),
    })
}

/// The copy, written by compare-and-set.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    dlq: Arc<str>,
    replay: Arc<str>,
    revision: Option<u64>,
    settled: usize,
    beyond: BTreeSet<usize>,
    exceptions: Vec<Record>,
}

impl Mirror {
    /// Writes what the replay is, before its first window.
    ///
    /// # Errors
    /// When the bucket cannot be written.
    pub(super) async fn begin(exchange: &Exchange, begin: &Begin, selected: &[Record]) -> Result<Self, BucketError> {
        let dlq = &begin.dlq;
        for (number, record) in selected.iter().enumerate() {
            let part = Part {
                replay: begin.replay.clone(),
                record: record.clone(),
            };
            bucket::put(exchange, &bucket::key(&format!("letters.{number}"), dlq), &part, None).await?;
        }
        let head = Head {
            begin: begin.clone(),
            parts: selected.len(),
        };
        bucket::put(exchange, &bucket::key("replay", dlq), &head, None).await?;
        Ok(Self::of(begin))
    }

    /// The copy of a replay that goes on.
    #[must_use]
    pub(super) fn of(begin: &Begin) -> Self {
        Self {
            dlq: begin.dlq.clone(),
            replay: begin.replay.clone(),
            ..Self::default()
        }
    }

    /// Takes up where every letter stands.
    pub(super) fn settle_all(&mut self, standings: &Standings) {
        for letter in &standings.order {
            self.settle(*letter, standings);
        }
    }

    /// Takes up where a letter stands, if it is settled.
    pub(super) fn settle(&mut self, letter: u64, standings: &Standings) {
        let Some(standing) = standings.letters.get(&letter) else {
            return;
        };
        let exception = match &standing.stand {
            Stand::Waiting | Stand::Sent => return,
            Stand::Landed | Stand::Deleted => None,
            Stand::Refused(reason) => Some(Record::Refused {
                letter,
                reason: reason.clone(),
            }),
            Stand::Doubt(reason) => Some(Record::Doubt {
                letter,
                reason: reason.clone(),
            }),
            Stand::Kept | Stand::Gone => Some(Record::Gone { letter }),
        };
        self.exceptions.extend(exception);
        if standing.index >= self.settled {
            self.beyond.insert(standing.index);
        }
        while self.beyond.remove(&self.settled) {
            self.settled += 1;
        }
    }

    /// Writes how far the replay is, and the windows that are on their way.
    ///
    /// # Errors
    /// [`BucketError::Conflict`] when somebody else wrote it.
    pub(super) async fn write(&mut self, exchange: &Exchange, windows: Vec<Sent>) -> Result<(), BucketError> {
        let key = bucket::key("window", &self.dlq);
        let standpoint = Standpoint {
            replay: self.replay.clone(),
            settled: self.settled,
            beyond: self.beyond.iter().copied().collect(),
            exceptions: self.exceptions.clone(),
            windows,
        };
        let expected = match self.revision {
            Some(revision) => revision,
            None => bucket::get::<serde::de::IgnoredAny>(exchange, &key)
                .await?
                .map_or(0, |found| found.revision),
        };
        self.revision = None;
        self.revision = Some(bucket::put(exchange, &key, &standpoint, Some(expected)).await?);
        Ok(())
    }

    /// Forgets what revision it wrote last: the server may have.
    pub(super) fn reread(&mut self) {
        self.revision = None;
    }
}

/// A replay as its copy tells it.
#[derive(Debug)]
pub(super) struct Copy {
    /// What it is.
    pub(super) begin: Begin,
    /// The records of a journal, but for the last windows.
    pub(super) records: Vec<Record>,
    /// The windows that may have been on their way.
    pub(super) windows: Vec<Entry>,
    /// When they were written down, by the server's clock.
    pub(super) at: Option<Timestamp>,
}

/// Reads a replay's copy.
///
/// # Errors
/// When there is none, or it is not whole.
pub(super) async fn read(exchange: &Exchange, dlq: &str) -> Result<Copy, BucketError> {
    let missing = |what: &str| BucketError::Unknown(format!("{what} of the replay is missing"));
    let head = bucket::get::<Head>(exchange, &bucket::key("replay", dlq)).await?;
    let Head { begin, parts } = head.ok_or_else(|| missing("the description"))?.value;
    let mut records = vec![Record::Begin(Box::new(begin.clone()))];
    for number in 0..parts {
        let part = bucket::get::<Part>(exchange, &bucket::key(&format!("letters.{number}"), dlq)).await?;
        let part = part.ok_or_else(|| missing("a part"))?.value;
        if part.replay != begin.replay {
            return Err(missing("a part"));
        }
        records.push(part.record);
    }
    let standpoint = bucket::get::<Standpoint>(exchange, &bucket::key("window", dlq)).await?;
    let at = standpoint.as_ref().and_then(|found| found.at);
    let Some(standpoint) = standpoint
        .map(|found| found.value)
        .filter(|found| found.replay == begin.replay)
    else {
        return Ok(Copy {
            begin,
            records,
            windows: Vec::new(),
            at: None,
        });
    };
    let letters = records.iter().flat_map(|record| match record {
        Record::Selected { letters, .. } => letters.as_slice(),
        _ => &[],
    });
    let beyond: BTreeSet<usize> = standpoint.beyond.into_iter().collect();
    let landed: Vec<Record> = letters
        .enumerate()
        .filter(|(index, _)| *index < standpoint.settled || beyond.contains(index))
        .map(|(_, (letter, ..))| Record::Landed {
            letter: *letter,
            stored: None,
            duplicate: false,
        })
        .collect();
    records.extend(landed);
    // What did not land says so after what was taken for landed.
    records.extend(standpoint.exceptions);
    let undated = records.iter().map(|record| Entry {
        at: Timestamp::UNIX_EPOCH,
        record: record.clone(),
    });
    let standings = Standings::of(&undated.collect::<Vec<_>>());
    let windows = standpoint.windows.into_iter();
    Ok(Copy {
        windows: windows.flat_map(|sent| sent.entries(&standings)).collect(),
        begin,
        records,
        at,
    })
}
