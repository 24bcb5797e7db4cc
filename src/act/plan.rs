//! Plans: what a replay would do, before it does anything. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::hash;
use super::journal::{Hash, How, Purpose};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::sample::{Discard, LetterForm, StreamReading};

/// Headers that say where a letter came from and not what the webhook is: families of names that
/// dead letter queues add, lower case. They are stripped, so that the webhook is what it was.
const ADDED: &[&str] = &[
    "x-nats-original-",
    "x-nats-stream",
    "x-nats-num-delivered",
    "x-nats-dlq-",
    "x-nats-consumer",
    "x-dead-letter",
    "x-original-subject",
    "x-original-stream",
    "x-failed-at",
    "x-delivery-count",
    "x-dlq-",
    "x-deliveries",
    "hookwatch-import-id",
    "exception-type",
    "exception-message",
    "failed-at",
];

/// The header that names a replay's message.
pub const REPLAY_ID: &str = "Hookwatch-Replay-Id";

/// Whether a header is the webhook's own, and not the DLQ's, NATS's or ours.
#[must_use]
pub fn is_kept(name: &str) -> bool {
    !is_acted_upon(name) && !ADDED.iter().any(|added| starts_with(name, added))
}

/// Whether a header is NATS's, which the server acts upon, or an earlier replay's.
fn is_acted_upon(name: &str) -> bool {
    starts_with(name, "nats-") || name.eq_ignore_ascii_case(REPLAY_ID)
}

/// Whether a header's name begins so, in any case.
fn starts_with(name: &str, beginning: &str) -> bool {
    let begin = name.as_bytes().get(..beginning.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(beginning.as_bytes()))
}

/// A selected letter, reduced to what a plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its sequence in the DLQ.
    pub sequence: u64,
    /// Its form.
    pub form: LetterForm,
    /// Where the webhook was published to; `None`: nobody says.
    pub subject: Option<Arc<str>>,
    /// The hash of its payload.
    pub hash: Hash,
    /// Bytes of payload and headers.
    pub size: u64,
    /// Names of its headers.
    pub headers: Vec<Arc<str>>,
    /// When it was stored.
    pub stored_at: Option<Timestamp>,
}

/// A frozen selection.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The stream that the letters lie in.
    pub dlq: StreamReading,
    /// The letters, in the order in which they go.
    pub letters: Vec<Candidate>,
    /// Letters that were replayed before and came back when the server crashed: they are deleted
    /// again by a resume, and left out here.
    pub replayed_before: BTreeSet<u64>,
    /// Which letters, as they were asked for.
    pub filter: String,
    /// The time.
    pub now: Timestamp,
}

/// The streams that take the letters' subjects: one entry for each subject that was looked up.
pub type Takers = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// What a plan says of a target stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedTarget {
    /// The stream.
    pub stream: Arc<str>,
    /// When it was created.
    pub created: Timestamp,
    /// Letters that go there.
    pub letters: u64,
    /// The subjects.
    pub subjects: BTreeSet<Arc<str>>,
    /// Messages for which there is room; `None`: no limit.
    pub headroom: Option<u64>,
    /// Its deduplication window.
    pub window_s: f64,
}

/// Why letters of the selection are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Acked before a server crash.
    pub orphaned: u64,
    /// Replayed before.
    pub replayed_before: u64,
    /// Beyond `--max`.
    pub beyond_max: u64,
    /// Arrived after the selection was frozen.
    pub later: u64,
}

/// What a replay would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The stream that the letters lie in.
    pub dlq: Arc<str>,
    /// When it was created.
    pub dlq_created: Timestamp,
    /// Its last sequence when the selection was frozen.
    pub dlq_last_seq: u64,
    /// How many letters.
    pub count: u64,
    /// Bytes of payload and headers.
    pub bytes: u64,
    /// Where they go.
    pub targets: Vec<PlannedTarget>,
    /// The gateway that they go to instead of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_url: Option<Arc<str>>,
    /// How an edited payload differs from the letter's, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<String>,
    /// Names of headers that are kept.
    pub kept: BTreeSet<Arc<str>>,
    /// Names of headers that are stripped.
    pub stripped: BTreeSet<Arc<str>>,
    /// What is left out.
    pub left_out: LeftOut,
    /// What may go wrong all the same.
    pub risks: Vec<String>,
    /// Letters a second; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Letters that go first.
    pub canary: u64,
    /// How long it takes at that rate.
    pub estimate_s: Option<f64>,
    /// Which letters, as they were asked for.
    pub filter: String,
    /// The hash of all of this and of every letter in it.
    pub hash: Hash,
    /// The letters and where each goes.
    #[serde(skip)]
    pub letters: Vec<Planned>,
    /// How it is done.
    #[serde(skip)]
    pub how: How,
}

/// A letter of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its sequence in the DLQ.
    pub sequence: u64,
    /// The hash of its payload.
    pub hash: Hash,
    /// Where it goes.
    pub subject: Arc<str>,
    /// The stream that takes it; empty where a gateway does.
    pub stream: Arc<str>,
}

/// Why a plan cannot be made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Letters that nobody says the subject of.
    #[error(
        "plan: nobody says which subject {} came from (first: {first}) → give --to-subject, or leave them out",
        text::counted(*count, "letter", "letters")
    )]
    NoSubject {
        /// How many.
        count: u64,
        /// The first one's sequence.
        first: u64,
    },
    /// No stream takes a subject.
    #[error("plan: no stream takes the subject {0} → create one, or give --to-subject")]
    NoStream(String),
    /// The letters would land where they lie.
    #[error(
        "plan: the subject {subject} belongs to {stream}, which is the dead letter stream itself → give --to-subject"
    )]
    Itself {
        /// The subject.
        subject: String,
        /// The stream.
        stream: String,
    },
    /// Letters cannot be deleted after they landed.
    #[error(
        "plan: {0} refuses to delete messages, so that replayed letters would stay → allow deletes, or export and import instead"
    )]
    NoDelete(String),
    /// The target would evict waiting webhooks.
    #[error(
        "plan: {stream} has room for {headroom} more and discards the oldest beyond that, and the plan holds {count} → wait until it drains, narrow the filter, or use --max {headroom}"
    )]
    NoRoom {
        /// The stream.
        stream: String,
        /// Its room.
        headroom: u64,
        /// What the plan holds for it.
        count: u64,
    },
    /// A stream without an identity.
    #[error(
        "plan: the server does not say when {0} was created, so that it could not be told from another of its name → check its configuration"
    )]
    NoIdentity(String),
    /// An edited replay of several letters.
    #[error("plan: another payload was given for {0} letters → an edited replay takes one letter: give --ids")]
    EditOfMany(u64),
}

impl Plan {
    /// Draws a plan. `takers` knows every letter's subject, `streams` every stream named there.
    ///
    /// # Errors
    /// Why nothing can be sent.
    pub fn draw(
        selection: &Selection,
        mut how: How,
        max: Option<u64>,
        takers: &Takers,
        streams: &BTreeMap<Arc<str>, StreamReading>,
    ) -> Result<Self, PlanError> {
        let dlq = &selection.dlq;
        let shown = |text: &str| text::safe(text).into_owned();
        let dlq_created = dlq.created.ok_or_else(|| PlanError::NoIdentity(shown(&dlq.name)))?;
        if dlq.config.deny_delete || dlq.config.sealed {
            return Err(PlanError::NoDelete(shown(&dlq.name)));
        }
        let (chosen, left_out) = choose(selection, max);
        if how.payload.is_some() && chosen.len() > 1 {
            return Err(PlanError::EditOfMany(chosen.len() as u64));
        }
        let letters = route(&chosen, dlq, &how, takers)?;
        let targets = targets(&letters, streams)?;
        let (kept, stripped) = chosen
            .iter()
            .flat_map(|letter| &letter.headers)
            .cloned()
            .partition(|name| is_kept_by(&how, name));
        // A copy needs its room before the message that it replaces leaves.
        let own_room = targets
            .iter()
            .find(|target| how.parked.is_some() && target.stream == dlq.name);
        if let Some(room) = own_room.and_then(|target| target.headroom) {
            how.window = how.window.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1);
        }
        let count = letters.len() as u64;
        let rate = how.rate;
        let mut plan = Self {
            dlq: dlq.name.clone(),
            dlq_created,
            dlq_last_seq: dlq.state.last_seq,
            count,
            bytes: chosen.iter().map(|letter| letter.size).sum(),
            risks: risks(selection, &chosen, &targets, &how),
            targets,
            to_url: how.to_url.clone(),
            diff: Vec::new(),
            kept,
            stripped,
            left_out,
            rate,
            canary: how.canary.min(count),
            estimate_s: rate.map(|rate| count as f64 / rate),
            filter: selection.filter.clone(),
            hash: "".into(),
            letters,
            how,
        };
        plan.hash = plan.fingerprint();
        Ok(plan)
    }

    /// What a permit is bound to: another letter, payload, target or way of doing it is another plan.
    fn fingerprint(&self) -> Hash {
        let mut text = format!(
            "{}\n{}\n{}\n{}\n",
            self.dlq,
            self.dlq_created.as_nanosecond(),
            self.dlq_last_seq,
            serde_json::to_string(&self.how).unwrap_or_default()
        );
        for target in &self.targets {
            let _ = writeln!(text, "{} {}", target.stream, target.created.as_nanosecond());
        }
        for letter in &self.letters {
            let _ = writeln!(text, "{} {} {}", letter.sequence, letter.hash, letter.subject);
        }
        hash::short(text.as_bytes())
    }
}

/// Whether a header goes along.
#[must_use]
pub fn is_kept_by(how: &How, name: &str) -> bool {
    match how.purpose {
        // A message that is no copy has no headers of a DLQ's: what it bears is its own.
        Purpose::Replay if how.parked.is_some() => !is_acted_upon(name),
        Purpose::Replay => is_kept(name) && !how.headers.holds(name),
        // In the archive a letter stays a letter; only what the server acts upon is left out.
        Purpose::Archive => !starts_with(name, "nats-"),
    }
}

fn choose(selection: &Selection, max: Option<u64>) -> (Vec<&Candidate>, LeftOut) {
    let mut left_out = LeftOut::default();
    let mut chosen: Vec<&Candidate> = Vec::new();
    for letter in &selection.letters {
        if letter.sequence > selection.dlq.state.last_seq {
            left_out.later += 1;
        } else if letter.form == LetterForm::Orphaned {
            left_out.orphaned += 1;
        } else if selection.replayed_before.contains(&letter.sequence) {
            left_out.replayed_before += 1;
        } else if max.is_some_and(|max| chosen.len() as u64 >= max) {
            left_out.beyond_max += 1;
        } else {
            chosen.push(letter);
        }
    }
    (chosen, left_out)
}

/// Where each letter goes.
fn route(chosen: &[&Candidate], dlq: &StreamReading, how: &How, takers: &Takers) -> Result<Vec<Planned>, PlanError> {
    let subject_of = |letter: &Candidate| destination(how, &dlq.name, letter.subject.as_ref());
    let without: Vec<u64> = chosen
        .iter()
        .filter(|l| subject_of(l).is_none())
        .map(|l| l.sequence)
        .collect();
    if let Some(first) = without.first() {
        return Err(PlanError::NoSubject {
            count: without.len() as u64,
            first: *first,
        });
    }
    let mut letters = Vec::with_capacity(chosen.len());
    for letter in chosen {
        let Some(subject) = subject_of(letter) else { continue };
        if how.to_url.is_some() {
            letters.push(Planned {
                sequence: letter.sequence,
                hash: letter.hash.clone(),
                subject,
                stream: "".into(),
            });
            continue;
        }
        let shown = || text::safe(&subject).into_owned();
        let stream = takers.get(&subject).cloned().flatten();
        let stream = stream.ok_or_else(|| PlanError::NoStream(shown()))?;
        // A parked message goes back to where it lies: it is published again and the old one deleted.
        if stream == dlq.name && letter.form != LetterForm::Parked {
            return Err(PlanError::Itself {
                subject: shown(),
                stream: text::safe(&stream).into_owned(),
            });
        }
        letters.push(Planned {
            sequence: letter.sequence,
            hash: letter.hash.clone(),
            subject,
            stream,
        });
    }
    Ok(letters)
}

/// The subject that a letter is sent to.
#[must_use]
pub fn destination(how: &How, dlq: &str, original: Option<&Arc<str>>) -> Option<Arc<str>> {
    match how.purpose {
        Purpose::Replay => how
            .to_subject
            .as_ref()
            .or(original)
            .cloned()
            // A gateway decides on the subject itself.
            .or_else(|| how.to_url.as_ref().map(|_| "".into())),
        Purpose::Archive => Some(match original {
            Some(subject) => format!("{}.{subject}", archive_of(dlq)).into(),
            None => format!("{}.unknown", archive_of(dlq)).into(),
        }),
    }
}

/// The stream that letters of `dlq` are put aside in.
#[must_use]
pub fn archive_of(dlq: &str) -> String {
    format!("{dlq}-archive")
}

fn targets(letters: &[Planned], streams: &BTreeMap<Arc<str>, StreamReading>) -> Result<Vec<PlannedTarget>, PlanError> {
    let mut by_stream: BTreeMap<&Arc<str>, (u64, BTreeSet<Arc<str>>)> = BTreeMap::new();
    for letter in letters.iter().filter(|letter| !letter.stream.is_empty()) {
        let target = by_stream.entry(&letter.stream).or_default();
        target.0 += 1;
        target.1.insert(letter.subject.clone());
    }
    by_stream
        .into_iter()
        .map(|(name, (count, subjects))| {
            let shown = || text::safe(name).into_owned();
            let stream = streams.get(name).ok_or_else(|| PlanError::NoStream(shown()))?;
            let headroom = headroom(stream);
            if let Some(headroom) = headroom
                && stream.config.discard == Discard::Old
                && headroom < count
            {
                return Err(PlanError::NoRoom {
                    stream: shown(),
                    headroom,
                    count,
                });
            }
            Ok(PlannedTarget {
                stream: name.clone(),
                created: stream.created.ok_or_else(|| PlanError::NoIdentity(shown()))?,
                letters: count,
                subjects,
                headroom,
                window_s: stream.config.duplicate_window.as_secs_f64(),
            })
        })
        .collect()
}

/// For how many more messages a stream has room, by its limit of messages and, at the size of
/// those that it holds, by its limit of bytes. The limit per subject counts as if all of the
/// stream lay under one subject: what is left then is there in any case.
fn headroom(stream: &StreamReading) -> Option<u64> {
    let (config, state) = (&stream.config, &stream.state);
    let by_count = config.max_msgs.map(|max| max.saturating_sub(state.messages));
    let by_subject = config.max_msgs_per_subject.map(|max| {
        let fullest = if state.num_subjects == Some(0) {
            0
        } else {
            state.messages
        };
        max.saturating_sub(fullest)
    });
    let by_bytes = config.max_bytes.map(|max| {
        let each = state.bytes.checked_div(state.messages).unwrap_or(1_024).max(1);
        max.saturating_sub(state.bytes) / each
    });
    [by_count, by_subject, by_bytes].into_iter().flatten().min()
}

fn risks(selection: &Selection, chosen: &[&Candidate], targets: &[PlannedTarget], how: &How) -> Vec<String> {
    let mut risks = Vec::new();
    if how.to_url.is_some() {
        risks.push(
            "a gateway is not followed beyond its answer, and a letter whose answer does not come is in doubt"
                .to_owned(),
        );
    }
    if how.payload.is_some() && how.sign.is_none() {
        risks.push(
            "another payload under the old signature: whoever verifies it refuses it → sign it anew with --sign"
                .to_owned(),
        );
    }
    if how.parked.is_some() {
        risks.push(
            "a parked message that somebody deleted stays in the server's count of redelivered ones: then one that was \
             acked before a server crash may pass for a parked one"
                .to_owned(),
        );
    }
    let window = selection.dlq.config.duplicate_window;
    let recent = chosen
        .iter()
        .filter(|letter| {
            let age = letter.stored_at.map(|at| crate::base::time::since(at, selection.now));
            let has_id = letter
                .headers
                .iter()
                .any(|name| name.eq_ignore_ascii_case("Nats-Msg-Id"));
            how.parked.is_none() && has_id && age.is_some_and(|age| age < window)
        })
        .count();
    if recent > 0 {
        risks.push(format!(
            "younger than the dead letter stream's deduplication window of {1}: {0}; a worker that gives one up again \
             under the same id loses it",
            text::counted(recent as u64, "letter", "letters"),
            text::duration(window)
        ));
    }
    for target in targets {
        if target.headroom.is_some_and(|room| room < target.letters) {
            risks.push(format!(
                "{} has room for {} and refuses the rest: those stay dead letters",
                text::safe(&target.stream),
                text::counted(target.headroom.unwrap_or_default(), "message", "messages")
            ));
        }
        if Duration::from_secs_f64(target.window_s) < Duration::from_secs(10) {
            risks.push(format!(
                "{} forgets message ids after {}: after a crash more letters than usual may be in doubt",
                text::safe(&target.stream),
                text::duration(Duration::from_secs_f64(target.window_s))
            ));
        }
    }
    risks
}

#[cfg(test)]
mod tests;
