//! The letters of a stream that a filter means, read and never consumed.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::model::covers;
use crate::model::letters::{LetterFilter, Origins};
use crate::observe::letters::{Direction, LetterError, Mailbox, Reading, Scan};
use crate::sample::{LetterOrigin, Stored};

/// So few letters that are named are got one by one, however far apart they lie.
const FEW: usize = 2_048;

/// Gets on their way at the same time.
const AT_ONCE: usize = 64;

/// Letters that were found together, in the direction of the search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The letters, and where each came from.
    pub letters: Vec<(Stored, LetterOrigin)>,
    /// How far it is, of [`Found::span`].
    pub looked_at: u64,
    /// How far it goes.
    pub span: u64,
}

/// Where letters lie, and how it is read where they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// How it is read.
    pub origins: Origins,
    /// The last sequence that is looked at.
    pub up_to: u64,
    /// The subjects that are looked at; `None`: all.
    pub subject: Option<Arc<str>>,
}

impl Place {
    /// A whole dead letter stream.
    #[must_use]
    pub fn new(origins: Origins) -> Self {
        Self {
            origins,
            up_to: u64::MAX,
            subject: None,
        }
    }

    /// Whether a letter lies here.
    #[must_use]
    pub fn holds(&self, letter: &Stored) -> bool {
        let meant = |subject: &Arc<str>| covers(subject, &letter.subject);
        letter.sequence <= self.up_to && self.subject.as_ref().is_none_or(meant)
    }
}

/// A search that goes on window by window.
#[derive(Debug)]
pub struct Search {
    filter: LetterFilter,
    place: Place,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Scan(Box<Scan>),
    /// Named letters that are still to be got, the next one last, and how many there were.
    Named(Mailbox, Vec<u64>, u64),
}

impl Search {
    /// Begins to search what is in the stream now. `exact`: with headers to the byte, at half the speed.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn begin(
        mailbox: &Mailbox,
        filter: LetterFilter,
        direction: Direction,
        exact: bool,
    ) -> Result<Self, LetterError> {
        Self::begin_at(mailbox, filter, Place::new(Origins::default()), direction, exact).await
    }

    /// The same at a place.
    ///
    /// # Errors
    /// See [`Search::begin`].
    pub async fn begin_at(
        mailbox: &Mailbox,
        filter: LetterFilter,
        place: Place,
        direction: Direction,
        exact: bool,
    ) -> Result<Self, LetterError> {
        let named = filter.ids.as_ref().filter(|ids| ids.len() <= FEW);
        let way = match named {
            Some(ids) => {
                let mut left: Vec<u64> = ids.iter().copied().collect();
                if direction == Direction::Oldest {
                    left.reverse();
                }
                let count = left.len() as u64;
                Way::Named(mailbox.clone(), left, count)
            }
            None => {
                let (from, to) = filter.span();
                let reading = Reading {
                    direction,
                    from,
                    to: to.min(place.up_to),
                    subject: place.subject.clone(),
                    exact,
                    ..Reading::default()
                };
                Way::Scan(Box::new(mailbox.scan(&reading).await?))
            }
        };
        Ok(Self { filter, place, way })
    }

    /// The next letters, perhaps none of a window; `None`: that was all.
    ///
    /// # Errors
    /// When the stream cannot be read. Nothing follows.
    pub async fn next(&mut self) -> Result<Option<Found>, LetterError> {
        let mut found = Found::default();
        let read: Vec<Stored> = match &mut self.way {
            Way::Scan(scan) => {
                let Some(batch) = scan.next().await? else {
                    return Ok(None);
                };
                (found.looked_at, found.span) = (batch.looked_at, batch.span);
                batch.messages
            }
            Way::Named(_, left, _) if left.is_empty() => return Ok(None),
            Way::Named(mailbox, left, count) => {
                let some = left.split_off(left.len().saturating_sub(4 * AT_ONCE));
                (found.looked_at, found.span) = (*count - left.len() as u64, *count);
                let mailbox = &*mailbox;
                let gets = futures_util::stream::iter(some.into_iter().rev().map(|id| mailbox.get(id)));
                let got: Vec<Option<Stored>> = gets.buffered(AT_ONCE).try_collect().await?;
                got.into_iter().flatten().collect()
            }
        };
        let origins = &self.place.origins;
        let meant = |letter: Stored| Some((self.filter.admit_by(&letter, origins)?, letter));
        let meant = read
            .into_iter()
            .filter(|letter| self.place.holds(letter))
            .filter_map(meant);
        found.letters = meant.map(|(origin, letter)| (letter, origin)).collect();
        Ok(Some(found))
    }
}
