//! What takes a while is done away from the screen.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::console::player::Back;
use crate::record::{RecordError, Recorder};
use crate::session::{Loaded, Past, Playback, PlaybackError};

/// What came of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// The figures of a moment were worked out, for what is played under this number.
    Sought(u64, Result<Box<Past>, PlaybackError>),
    /// What comes next was read, for what is played under this number.
    Read(u64, Loaded),
    /// The last minutes can be played, and what was before them.
    Rewound(Result<Box<Rewound>, String>, Back),
    /// It is recorded, or not.
    Recording(Result<Recorder, RecordError>),
    /// Something was written: what to say of it.
    Written(Result<String, String>),
}

/// The past of a live session.
#[derive(Debug)]
pub(super) struct Rewound {
    /// It stands at its end.
    pub(super) playback: Playback,
    /// Why it begins where it does: safe text.
    pub(super) begins: String,
}

/// How long the end of the console waits for what is being written.
const PATIENCE: Duration = Duration::from_secs(10);

/// The jobs of a console.
#[derive(Debug)]
pub(super) struct Jobs {
    sender: mpsc::UnboundedSender<Done>,
    done: mpsc::UnboundedReceiver<Done>,
    running: usize,
    /// Whether a recording is being begun: then no other one is.
    pub(super) beginning: bool,
}

impl Jobs {
    pub(super) fn new() -> Self {
        let (sender, done) = mpsc::unbounded_channel();
        Self {
            sender,
            done,
            running: 0,
            beginning: false,
        }
    }

    /// Starts a job on a thread of its own.
    pub(super) fn start(&mut self, job: impl FnOnce() -> Done + Send + 'static) {
        let sender = self.sender.clone();
        self.running += 1;
        // Nobody listens any more once the console has ended.
        tokio::task::spawn_blocking(move || drop(sender.send(job())));
    }

    /// How many run.
    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// What is done next. Never, while nothing runs.
    pub(super) async fn next(&mut self) -> Done {
        loop {
            // A sender is held here: the channel does not end.
            if let Some(done) = self.done.recv().await {
                self.running = self.running.saturating_sub(1);
                return done;
            }
        }
    }

    /// Waits for what still runs: a recording that is being finished is not cut off.
    pub(super) async fn finish(mut self) {
        let rest = async {
            while self.running > 0 {
                drop(self.next().await);
            }
        };
        if tokio::time::timeout(PATIENCE, rest).await.is_err() {
            tracing::warn!("the disk is too slow: what was being written may be cut off");
        }
    }
}
