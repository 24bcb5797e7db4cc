//! A frozen selection: the letters that are in a DLQ now and match.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exchange::{Exchange, ExchangeError};
use super::hash;
use super::journal::{Folder, How, JournalError, Stand};
use super::plan::{Candidate, Selection, Takers, destination};
use super::search::{Place, Search};
use crate::base::time::SharedClock;
use crate::model::letters::{LetterFilter, Origins};
use crate::observe::letters::{Direction, LetterError, Mailbox};
use crate::sample::{LetterForm, LetterOrigin, Stored, StreamReading};

/// Letters of `dlq` that came back although a journal says that they landed.
///
/// # Errors
/// When the journals cannot be read.
pub fn replayed_before(journals: &Folder, dlq: &StreamReading) -> Result<BTreeMap<u64, Arc<str>>, JournalError> {
    let Some(created) = dlq.created else {
        return Ok(BTreeMap::new());
    };
    let mut known = BTreeMap::new();
    for standings in journals.of(&dlq.name, created)? {
        let landed = standings
            .letters
            .iter()
            .filter(|(_, s)| matches!(s.stand, Stand::Landed | Stand::Deleted));
        known.extend(landed.map(|(letter, standing)| (*letter, standing.hash.clone())));
    }
    Ok(known)
}

/// Freezes what a filter means of the letters that are in a DLQ now. `progress` is told how many
/// sequences have been looked at, and of how many.
///
/// # Errors
/// When the stream or the journals cannot be read.
pub async fn select(
    mailbox: &Mailbox,
    filter: &LetterFilter,
    journals: &Folder,
    clock: &SharedClock,
    progress: impl FnMut(u64, u64),
) -> Result<Selection, SelectError> {
    let place = Place::new(Origins::default());
    select_at(mailbox, filter, (place, LetterForm::Copy), journals, clock, progress).await
}

/// The same at a place, where letters have this form.
///
/// # Errors
/// See [`select`].
pub async fn select_at(
    mailbox: &Mailbox,
    filter: &LetterFilter,
    (place, form): (Place, LetterForm),
    journals: &Folder,
    clock: &SharedClock,
    mut progress: impl FnMut(u64, u64),
) -> Result<Selection, SelectError> {
    let dlq = mailbox.state().await?;
    let before = replayed_before(journals, &dlq)?;
    let mut letters = Vec::new();
    let mut replayed = BTreeSet::new();
    let mut search = Search::begin_at(mailbox, filter.clone(), place, Direction::Oldest, false).await?;
    while let Some(found) = search.next().await? {
        // What arrived after its state was read is none of it.
        let frozen = |letter: &&(Stored, LetterOrigin)| letter.0.sequence <= dlq.state.last_seq;
        for (letter, origin) in found.letters.iter().filter(frozen) {
            let candidate = Candidate {
                form,
                ..candidate(letter, origin.subject.clone())
            };
            if before.get(&candidate.sequence) == Some(&candidate.hash) {
                replayed.insert(candidate.sequence);
            }
            letters.push(candidate);
        }
        progress(found.looked_at, found.span);
    }
    Ok(Selection {
        dlq,
        letters,
        replayed_before: replayed,
        filter: filter.shown(),
        now: clock.now().at,
    })
}

/// Why there is no selection.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The server did not answer as it should.
    #[error(transparent)]
    Letters(#[from] LetterError),
    /// The journals cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The streams that the letters go to.
///
/// # Errors
/// When they cannot be asked for.
pub async fn targets(
    exchange: &Exchange,
    selection: &Selection,
    how: &How,
) -> Result<(Takers, BTreeMap<Arc<str>, StreamReading>), ExchangeError> {
    let mut takers = Takers::new();
    let mut streams = BTreeMap::new();
    if how.to_url.is_some() {
        return Ok((takers, streams));
    }
    for letter in &selection.letters {
        let Some(subject) = destination(how, &selection.dlq.name, letter.subject.as_ref()) else {
            continue;
        };
        if takers.contains_key(&subject) {
            continue;
        }
        let taker = exchange.taker(&subject).await?;
        if let Some(stream) = &taker
            && !streams.contains_key(stream)
        {
            streams.insert(stream.clone(), exchange.stream(stream).await?);
        }
        takers.insert(subject, taker);
    }
    Ok((takers, streams))
}

/// A message of a DLQ as a candidate, whose subject is known.
#[must_use]
pub fn candidate(letter: &Stored, subject: Option<Arc<str>>) -> Candidate {
    Candidate {
        sequence: letter.sequence,
        form: LetterForm::Copy,
        subject,
        hash: hash::short(&letter.payload),
        size: letter.size(),
        headers: letter.headers.iter().map(|(name, _)| name.clone()).collect(),
        stored_at: letter.at,
    }
}

/// Makes the stream that letters are put aside in, where it is missing: like the DLQ, without limits.
///
/// # Errors
/// When it can be neither found nor made.
pub async fn ensure_archive(exchange: &Exchange, dlq: &StreamReading, archive: &str) -> Result<(), ExchangeError> {
    match exchange.stream(archive).await {
        Ok(_) => return Ok(()),
        Err(error) if error.code() == Some(super::exchange::NO_STREAM) => {}
        Err(error) => return Err(error),
    }
    let config = serde_json::json!({
        "name": archive,
        "description": "hookwatch: letters put aside",
        "subjects": [format!("{archive}.>")],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "num_replicas": dlq.config.replicas.max(1),
    });
    exchange
        .ask::<serde::de::IgnoredAny>(&format!("STREAM.CREATE.{archive}"), &config)
        .await?;
    Ok(())
}

/// A plan without writing makes no archive: it is planned as if there was one.
pub fn assume_archive(
    selection: &Selection,
    how: &How,
    takers: &mut Takers,
    streams: &mut BTreeMap<Arc<str>, StreamReading>,
) {
    let archive: Arc<str> = super::plan::archive_of(&selection.dlq.name).into();
    if streams.contains_key(&archive) {
        return;
    }
    let mut assumed = selection.dlq.clone();
    assumed.name = archive.clone();
    assumed.config = Arc::default();
    assumed.state = crate::sample::StreamState::default();
    for letter in &selection.letters {
        let subject = destination(how, &selection.dlq.name, letter.subject.as_ref());
        if let Some(taker) = subject.and_then(|subject| takers.get_mut(&subject))
            && taker.is_none()
        {
            *taker = Some(archive.clone());
        }
    }
    streams.insert(archive, assumed);
}
