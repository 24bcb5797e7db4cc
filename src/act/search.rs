//! The letters of a stream that a filter means, read and never consumed.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::model::letters::LetterFilter;
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

/// A search that goes on window by window.
#[derive(Debug)]
pub struct Search {
    filter: LetterFilter,
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
                    to,
                    exact,
                    ..Reading::default()
                };
                Way::Scan(Box::new(mailbox.scan(&reading).await?))
            }
        };
        Ok(Self { filter, way })
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
        let meant = |letter: Stored| Some((self.filter.admit(&letter)?, letter));
        let meant = read.into_iter().filter_map(meant);
        found.letters = meant.map(|(origin, letter)| (letter, origin)).collect();
        Ok(Some(found))
    }
}
