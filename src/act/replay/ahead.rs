//! Letters read before their turn, where they go as fast as they can: the next windows are on
//! their way here while one is on its way there.

use std::collections::VecDeque;

use tokio_util::task::AbortOnDropHandle;

use crate::observe::letters::{LetterError, Mailbox};
use crate::sample::Stored;

/// Windows that are read ahead.
const DEPTH: usize = 4;

/// The windows that come next, and their letters, which are being read.
#[derive(Debug)]
pub(super) struct Ahead {
    mailbox: Mailbox,
    windows: VecDeque<Window>,
}

#[derive(Debug)]
struct Window {
    letters: Vec<u64>,
    reading: AbortOnDropHandle<Result<Vec<Option<Stored>>, LetterError>>,
}

impl Ahead {
    pub(super) fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox,
            windows: VecDeque::new(),
        }
    }

    /// Whether nothing is being read.
    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The next window of at most `most` letters, and the letters where they could be read.
    pub(super) async fn next(
        &mut self,
        queue: &mut VecDeque<u64>,
        most: usize,
    ) -> (Vec<u64>, Option<Vec<Option<Stored>>>) {
        while self.windows.len() < DEPTH && !queue.is_empty() {
            let letters: Vec<u64> = queue.drain(..most.min(queue.len())).collect();
            let (mailbox, wanted) = (self.mailbox.clone(), letters.clone());
            let reading = tokio::spawn(async move { mailbox.these(&wanted).await });
            self.windows.push_back(Window {
                letters,
                reading: AbortOnDropHandle::new(reading),
            });
        }
        let Some(next) = self.windows.pop_front() else {
            return (Vec::new(), None);
        };
        let found = next.reading.await;
        (next.letters, found.ok().and_then(Result::ok))
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
