//! Limbo: letters that were about to be sent when something broke. None is sent again before it
//! is known that it did not arrive, or that a second copy does no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::answer::verdict;
use super::halt::Halt;
use super::run::Run;
use crate::act::exchange::{ExchangeError, NO_STREAM, PATIENCE, WRONG_LAST_SEQUENCE};
use crate::act::hash;
use crate::act::journal::{Hash, Intent, Purpose, Record, Settlement, Stand, WindowAt};
use crate::act::plan::REPLAY_ID;
use crate::base::time::since;
use crate::sample::StreamReading;

/// What is kept of the deduplication window, so that it does not end while an id travels.
const SAFETY: Duration = Duration::from_secs(5);

/// How often a letter's fence may be moved by others before it is left in doubt.
const FENCES: usize = 20;

/// Messages that are read in one go.
const AT_ONCE: usize = 1_024;

/// What a target holds above the place where it was before a window.
struct Above {
    /// The target now.
    now: StreamReading,
    /// Our ids there, and where.
    ids: BTreeMap<Hash, u64>,
    /// Whether nothing was removed.
    whole: bool,
}

impl Run {
    /// Settles every letter in limbo, the steps (a) to (e) in their order.
    pub(super) async fn resolve_limbo(&mut self) -> Result<(), Halt> {
        let letters: Vec<u64> = self.standings.which(|s| s.stand == Stand::Sent).collect();
        if letters.is_empty() {
            return Ok(());
        }
        self.lease.check()?;
        let again = self.ids_in_dlq().await?;
        let mut by_window: BTreeMap<(u64, Arc<str>), Vec<Intent>> = BTreeMap::new();
        for letter in letters {
            let standing = self.standings.letters.get(&letter);
            if let Some(intent) = standing.and_then(|standing| standing.intent.clone()) {
                by_window
                    .entry((intent.window, intent.stream.clone()))
                    .or_default()
                    .push(intent);
            }
        }
        for ((number, stream), intents) in by_window {
            if stream.is_empty() {
                self.doubt_gateway(intents).await?;
                continue;
            }
            let Some(window) = self.standings.windows.get(&number).cloned() else {
                continue;
            };
            self.resolve_window(&window, &stream, intents, &again).await?;
        }
        Ok(())
    }

    /// Looks once more at the letters in doubt: (d) somebody may know by now that they arrived.
    pub(super) async fn reconsider(&mut self) -> Result<(), Halt> {
        let doubtful = |letter: u64| self.standings.letters.get(&letter)?.intent.clone();
        let doubts = self.standings.which(|s| matches!(s.stand, Stand::Doubt(_)));
        let doubts: Vec<Intent> = doubts.filter_map(doubtful).collect();
        if doubts.is_empty() {
            return Ok(());
        }
        let again = self.ids_in_dlq().await?;
        let (dead, left): (Vec<Intent>, Vec<Intent>) =
            doubts.into_iter().partition(|intent| again.contains(&intent.id));
        self.commit(dead.iter().map(consequence).collect()).await?;
        self.consult(left).await?;
        Ok(())
    }

    /// (d) Asks the oracle, where there is one. Those that it knows have landed; the others come
    /// back, with what it said.
    async fn consult(&mut self, intents: Vec<Intent>) -> Result<(Vec<Intent>, Option<String>), Halt> {
        let Some(oracle) = self.context.oracle.clone() else {
            return Ok((intents, None));
        };
        let letters: Vec<u64> = intents.iter().map(|intent| intent.letter).collect();
        let found = self.exchange.messages(&self.begin.dlq, &letters).await?;
        // That a webhook was processed does not say that its letter is in the archive.
        let is_replayed = |intent: &Intent| self.how_of(intent.letter).purpose == Purpose::Replay;
        let asked: Vec<_> = intents
            .iter()
            .zip(found)
            .filter(|(intent, _)| is_replayed(intent))
            .filter_map(|(intent, letter)| Some((letter?, &*intent.id)))
            .collect();
        let processed = match oracle.ask(&asked).await {
            Ok(processed) => processed,
            Err(reason) => {
                return Ok((
                    intents,
                    Some(format!("whether it was processed cannot be asked: {reason}")),
                ));
            }
        };
        let (known, left): (Vec<Intent>, Vec<Intent>) = intents
            .into_iter()
            .partition(|intent| processed.contains(&intent.letter));
        self.commit(known.iter().map(consequence).collect()).await?;
        Ok((left, Some("nor is it known as processed".to_owned())))
    }

    /// A gateway cannot be asked what it took.
    async fn doubt_gateway(&mut self, intents: Vec<Intent>) -> Result<(), Halt> {
        let (intents, said) = self.consult(intents).await?;
        let idempotent = self.begin.how.idempotent_workers;
        let record = |intent: &Intent| {
            let letter = intent.letter;
            if idempotent {
                let settlement = Settlement::Resend;
                Record::Settled { letter, settlement }
            } else {
                let reason = with(
                    "the gateway may have taken it, its answer is not known",
                    said.as_deref(),
                );
                Record::Doubt { letter, reason }
            }
        };
        self.commit(intents.iter().map(record).collect()).await?;
        Ok(())
    }

    async fn resolve_window(
        &mut self,
        window: &WindowAt,
        stream: &Arc<str>,
        intents: Vec<Intent>,
        again: &BTreeSet<Hash>,
    ) -> Result<(), Halt> {
        let mark = window.window.targets.get(stream).cloned();
        let Some(mark) = mark else { return Ok(()) };
        let mut records = Vec::new();
        let mut left = Vec::new();
        let wanted: BTreeSet<Hash> = intents.iter().map(|intent| intent.id.clone()).collect();
        let above = self.above(stream, mark.last_seq, &wanted).await?;
        let same_stream = above.as_ref().filter(|above| above.now.created == Some(mark.created));
        for intent in intents {
            let letter = intent.letter;
            let found = same_stream.and_then(|above| above.ids.get(&intent.id)).copied();
            if found.is_some() || again.contains(&intent.id) {
                // (a) it is there; (d) it was there, and died again.
                if let Some(stored) = found {
                    self.follow.published(stream, stored, &intent.id);
                }
                records.push(Record::Landed {
                    letter,
                    stored: found,
                    duplicate: false,
                });
            } else {
                left.push(intent);
            }
        }
        self.commit(records).await?;
        let (left, said) = self.consult(left).await?;
        let is_within = |run: &Self| {
            let Some(above) = same_stream else { return false };
            let leader = above.now.cluster.as_ref().and_then(|cluster| cluster.leader.clone());
            let age = since(window.at, run.context.clock.now().at) + Duration::from_millis(window.window.age_ms);
            let remembered = above.now.config.duplicate_window.saturating_sub(SAFETY);
            window.window.server_id == run.exchange.server_id()
                && leader == mark.leader
                // Another machine's clock says nothing of the age by ours.
                && window.window.who == run.context.who
                && age < remembered
        };
        for intent in left {
            self.lease.check()?;
            let record = if is_within(self) {
                // (b) the server still knows the id: sent again, either answer settles it.
                self.send_again(&intent, None).await?
            } else if same_stream.is_some_and(|above| above.whole) {
                // (c) it never arrived: sent behind a fence.
                self.send_fenced(stream, mark.last_seq, &intent).await?
            } else {
                None
            };
            let record = match record {
                Some(record) => record,
                None if self.begin.how.idempotent_workers && same_stream.is_some() => {
                    let sent = self.send_again(&intent, None).await?;
                    sent.ok_or(Halt::Lost)?
                }
                // (e) nobody can know.
                None => Record::Doubt {
                    letter: intent.letter,
                    reason: with(doubt(same_stream.is_some()), said.as_deref()),
                },
            };
            if let Record::Landed {
                stored: Some(stored), ..
            } = &record
            {
                self.follow.published(stream, *stored, &intent.id);
            }
            self.commit(vec![record]).await?;
        }
        Ok(())
    }

    /// What a target holds above `from`; `None`: there is no such stream.
    async fn above(&self, stream: &str, from: u64, wanted: &BTreeSet<Hash>) -> Result<Option<Above>, Halt> {
        let now = match self.exchange.stream(stream).await {
            Ok(now) => now,
            Err(error) if error.code() == Some(NO_STREAM) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut ids = BTreeMap::new();
        let mut seen = 0;
        let sequences: Vec<u64> = (from + 1..=now.state.last_seq).collect();
        for some in sequences.chunks(AT_ONCE) {
            for found in self.exchange.messages(stream, some).await?.into_iter().flatten() {
                seen += 1;
                if let Some(id) = found.header("Nats-Msg-Id").and_then(|id| wanted.get(&**id)) {
                    ids.insert(id.clone(), found.sequence);
                }
            }
        }
        Ok(Some(Above {
            whole: seen == sequences.len(),
            now,
            ids,
        }))
    }

    /// Sends under the same id; `None`: no answer settles it.
    async fn send_again(&mut self, intent: &Intent, expected: Option<u64>) -> Result<Option<Record>, Halt> {
        // A parked message that its consumer has in hand again needs no copy.
        self.idle(&[intent.letter]).await?;
        let letter = self.exchange.message(&self.begin.dlq, intent.letter).await?;
        let Some(letter) = letter.filter(|letter| hash::short(&letter.payload) == intent.hash) else {
            // Somebody deleted it: it cannot be sent again, and nobody knows whether it was.
            return Ok(Some(Record::Doubt {
                letter: intent.letter,
                reason: "it was deleted from the dead letter stream before it was known to have landed".to_owned(),
            }));
        };
        let how = self.how_of(intent.letter);
        let (mut headers, payload) = self.packer.message(&letter, intent, &how)?;
        if let Some(expected) = expected {
            headers.insert("Nats-Expected-Last-Sequence", expected.to_string());
        }
        self.published += 1;
        let answer = self.exchange.send(intent.subject.to_string(), headers, payload).await?;
        let outcome = answer.acked(PATIENCE).await;
        if outcome.as_ref().err().and_then(ExchangeError::code) == Some(WRONG_LAST_SEQUENCE) {
            return Ok(None);
        }
        verdict(intent, outcome, true).map(Some).ok_or(Halt::Lost)
    }

    /// Sends behind a fence: only if nothing was stored since it was seen that it is not there.
    async fn send_fenced(&mut self, stream: &Arc<str>, from: u64, intent: &Intent) -> Result<Option<Record>, Halt> {
        let wanted = BTreeSet::from([intent.id.clone()]);
        let mut from = from;
        for _ in 0..FENCES {
            let Some(above) = self.above(stream, from, &wanted).await? else {
                return Ok(None);
            };
            if let Some(stored) = above.ids.get(&intent.id) {
                return Ok(Some(Record::Landed {
                    letter: intent.letter,
                    stored: Some(*stored),
                    duplicate: false,
                }));
            }
            if !above.whole {
                return Ok(None);
            }
            from = above.now.state.last_seq;
            if let Some(record) = self.send_again(intent, Some(from)).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The replay ids of letters that arrived in the DLQ since this replay began.
    async fn ids_in_dlq(&self) -> Result<BTreeSet<Hash>, Halt> {
        let dlq = &self.begin.dlq;
        let last = self.exchange.stream(dlq).await?.state.last_seq;
        let mut ids = BTreeSet::new();
        let sequences: Vec<u64> = (self.begin.dlq_last_seq + 1..=last).collect();
        for some in sequences.chunks(AT_ONCE) {
            let found = self.exchange.messages(dlq, some).await?;
            ids.extend(
                found
                    .into_iter()
                    .flatten()
                    .filter_map(|letter| letter.header(REPLAY_ID).cloned()),
            );
        }
        Ok(ids)
    }
}

fn doubt(same_stream: bool) -> &'static str {
    if same_stream {
        "it may have been stored and taken by a worker since: the server's memory of ids does not reach back"
    } else {
        "the target stream was deleted or made anew since it was sent"
    }
}

/// A letter that arrived, as its consequences say.
fn consequence(intent: &Intent) -> Record {
    Record::Landed {
        letter: intent.letter,
        stored: None,
        duplicate: false,
    }
}

/// Why a letter is in doubt, and what the oracle said.
fn with(reason: &str, said: Option<&str>) -> String {
    match said {
        Some(said) => format!("{reason}; {said}"),
        None => reason.to_owned(),
    }
}
