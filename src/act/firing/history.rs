//! What was fired in this session, to look at and to fire again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::act::fire::{Checked, Request, Summary};
use crate::act::trace::Outcome;
use crate::base::time::Timestamp;

/// Runs that are kept.
const KEPT: usize = 200;

/// One run. The request is all that it takes to fire it again; a key is not in it, only where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// When it was begun.
    pub at: Timestamp,
    /// What was asked for.
    pub request: Request,
    /// The target, without credentials. Safe text.
    pub to: String,
    /// What it came to.
    pub ended: Ended,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It was counted.
    Counted {
        /// The counts.
        summary: Box<Summary>,
        /// What was expected, and whether it held.
        checks: Vec<Checked>,
        /// The same seed gives the same webhooks, times apart.
        seed: u64,
    },
    /// It was one, and followed.
    Traced(Box<Outcome>),
    /// Nothing was sent: why. Safe text without secrets.
    Refused(String),
}

impl Ended {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        match self {
            Self::Counted { summary, checks, .. } => !summary.stopped && checks.iter().all(|check| check.is_met),
            Self::Traced(outcome) => outcome.reading.passed,
            Self::Refused(_) => false,
        }
    }

    /// Requests put on a connection.
    #[must_use]
    pub fn sent(&self) -> u64 {
        match self {
            Self::Counted { summary, .. } => summary.sent,
            Self::Traced(_) => 1,
            Self::Refused(_) => 0,
        }
    }

    /// How long it took: the whole way of one that was followed, else from the start to the last answer.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        match self {
            Self::Counted { summary, .. } => Duration::try_from_secs_f64(summary.elapsed_s).ok(),
            Self::Traced(outcome) => outcome.reading.total,
            Self::Refused(_) => None,
        }
    }
}

/// The last runs of a session.
#[derive(Clone, Debug, Default)]
pub struct History {
    runs: VecDeque<Fired>,
    pushed: usize,
}

impl History {
    /// Adds a run; the oldest one goes when there are too many.
    pub fn push(&mut self, fired: Fired) {
        if self.runs.len() == KEPT {
            self.runs.pop_back();
        }
        self.runs.push_front(fired);
        self.pushed += 1;
    }

    /// The runs, latest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fired> {
        self.runs.iter()
    }

    /// A run by its place, the latest at 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Fired> {
        self.runs.get(place)
    }

    /// The place of the run with a number; `None`: it is gone.
    #[must_use]
    pub fn place(&self, number: usize) -> Option<usize> {
        let place = self.pushed.checked_sub(number)?;
        (place < self.runs.len()).then_some(place)
    }

    /// The number of the run at a place, counted from 1 since the start of the session.
    #[must_use]
    pub fn number(&self, place: usize) -> usize {
        self.pushed - place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_run_comes_first_and_the_oldest_goes() {
        let mut history = History::default();
        for number in 0..=KEPT {
            history.push(Fired {
                at: Timestamp::UNIX_EPOCH,
                request: Request::default(),
                to: number.to_string(),
                ended: Ended::Refused("x".to_owned()),
            });
        }
        assert_eq!(history.iter().len(), KEPT);
        assert_eq!(history.get(0).unwrap().to, KEPT.to_string());
        assert_eq!((history.number(0), history.place(KEPT + 1)), (KEPT + 1, Some(0)));
        assert_eq!((history.place(2), history.place(1)), (Some(KEPT - 1), None));
        assert_eq!(history.iter().last().unwrap().to, "1");
    }
}
