//! What was fired in this session, to look at and to fire again.

use std::collections::VecDeque;

use super::load::Load;
use super::order::Order;
use super::tally::Summary;
use crate::base::time::Timestamp;

/// Runs that are kept.
const KEPT: usize = 200;

/// One run. Order and load are all that it takes to fire it again; a key is not in it, only where it is.
#[derive(Clone, Debug)]
pub struct Fired {
    /// When it was begun.
    pub at: Timestamp,
    /// What was asked for.
    pub order: Order,
    /// How many, how fast.
    pub load: Load,
    /// The target, without credentials.
    pub to: String,
    /// What it came to; `Err`: why nothing was sent.
    pub outcome: Result<Summary, String>,
}

/// The last runs of a session.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Fired>);

impl History {
    /// Adds a run; the oldest one goes when there are too many.
    pub fn push(&mut self, fired: Fired) {
        if self.0.len() == KEPT {
            self.0.pop_back();
        }
        self.0.push_front(fired);
    }

    /// The runs, latest first.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fired> {
        self.0.iter()
    }

    /// A run by its place, the latest at 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Fired> {
        self.0.get(place)
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
                order: Order::default(),
                load: Load::default(),
                to: number.to_string(),
                outcome: Err("x".to_owned()),
            });
        }
        assert_eq!(history.iter().len(), KEPT);
        assert_eq!(history.get(0).unwrap().to, KEPT.to_string());
        assert_eq!(history.iter().last().unwrap().to, "1");
    }
}
