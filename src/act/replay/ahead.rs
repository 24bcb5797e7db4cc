//! Letters read before their turn, where they go as fast as they can: the next windows are on
//! their way here, and made ready to go, while one is on its way there.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::marks::{Marks, marks, targets};
use super::pack::{Packed, Packer, Wanted};
use crate::act::exchange::{Exchange, ExchangeError};
use crate::observe::letters::{LetterError, Mailbox};

/// Windows that are read ahead.
const DEPTH: usize = 4;

/// The windows that come next, and their letters, which are being read.
#[derive(Debug)]
pub(super) struct Ahead {
    mailbox: Mailbox,
    exchange: Arc<Exchange>,
    packer: Arc<Packer>,
    windows: VecDeque<Window>,
}

#[derive(Debug)]
struct Window {
    letters: Vec<u64>,
    targets: BTreeSet<Arc<str>>,
    packing: AbortOnDropHandle<Result<Packed, LetterError>>,
    /// The targets as they stand, asked for when it is this window's turn but one.
    marking: Option<AbortOnDropHandle<Result<Marks, ExchangeError>>>,
}

/// Letters that are ready to go and their targets, or letters that could not be read ahead.
pub(super) type Read = Result<(Packed, Result<Marks, ExchangeError>), Vec<u64>>;

impl Ahead {
    pub(super) fn new(mailbox: Mailbox, exchange: Arc<Exchange>, packer: Arc<Packer>) -> Self {
        Self {
            mailbox,
            exchange,
            packer,
            windows: VecDeque::new(),
        }
    }

    /// Whether nothing is being read.
    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The next window of at most `most` letters; `None`: there is none.
    pub(super) async fn next(
        &mut self,
        queue: &mut VecDeque<u64>,
        most: usize,
        wanted: impl Fn(&[u64]) -> Vec<Wanted>,
    ) -> Option<Read> {
        while self.windows.len() < DEPTH && !queue.is_empty() {
            let letters: Vec<u64> = queue.drain(..most.min(queue.len())).collect();
            let wanted = wanted(&letters);
            self.begin(letters, wanted);
        }
        let mut next = self.windows.pop_front()?;
        let marking = next.marking.take().unwrap_or_else(|| self.mark(&next.targets));
        if let Some(after) = self.windows.front() {
            let marking = self.mark(&after.targets);
            if let Some(after) = self.windows.front_mut() {
                after.marking = Some(marking);
            }
        }
        let Ok(Ok(packed)) = next.packing.await else {
            return Some(Err(next.letters));
        };
        let marks = marking
            .await
            .unwrap_or_else(|_| Err(ExchangeError::Lost("closed".into())));
        Some(Ok((packed, marks)))
    }

    fn begin(&mut self, letters: Vec<u64>, wanted: Vec<Wanted>) {
        let targets = targets(&wanted);
        let (mailbox, packer) = (self.mailbox.clone(), self.packer.clone());
        let packing = tokio::spawn(async move {
            let sequences: Vec<u64> = wanted.iter().map(|wanted| wanted.letter).collect();
            let found = mailbox.these(&sequences).await?;
            Ok(packer.pack(wanted, found))
        });
        self.windows.push_back(Window {
            letters,
            targets,
            packing: AbortOnDropHandle::new(packing),
            marking: None,
        });
    }

    fn mark(&self, targets: &BTreeSet<Arc<str>>) -> AbortOnDropHandle<Result<Marks, ExchangeError>> {
        let (exchange, targets) = (self.exchange.clone(), targets.clone());
        AbortOnDropHandle::new(tokio::spawn(async move { marks(&exchange, targets).await }))
    }

    /// Forgets what was read, and puts its letters back: it is too old when it goes on.
    pub(super) fn put_back(&mut self, queue: &mut VecDeque<u64>) {
        while let Some(window) = self.windows.pop_back() {
            for letter in window.letters.into_iter().rev() {
                queue.push_front(letter);
            }
        }
    }
}
