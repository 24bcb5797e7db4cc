//! The signals that concern a console, and being stopped by the shell.

use std::io;
use std::time::Duration;

use rustix::process::{Signal as Kill, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;
use crate::console::terminal::Terminal;

/// How long to wait for being stopped before the terminal is taken again: where no shell
/// controls jobs, nobody stops us.
const STOPPING: Duration = Duration::from_millis(250);

/// Gives the terminal and the process group to the shell, as ^Z does, and takes the terminal
/// again when the shell lets us go on.
pub(super) async fn suspend(terminal: &mut Terminal, signals: &mut Signals) -> Result<(), Error> {
    terminal.leave();
    if let Err(error) = kill_current_process_group(Kill::TSTP) {
        tracing::warn!(%error, "suspend");
    }
    let _ = tokio::time::timeout(STOPPING, signals.go_on.recv()).await;
    terminal.resume()?;
    Ok(())
}

/// The signals that concern a console.
pub(super) struct Signals {
    end: [(i32, Signal); 4],
    go_on: Signal,
}

/// What a signal asks for.
pub(super) enum Received {
    End(i32),
    Continue,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let listen = |kind: SignalKind| Ok::<_, io::Error>((kind.as_raw_value(), signal(kind)?));
        Ok(Self {
            end: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
                listen(SignalKind::quit())?,
            ],
            go_on: signal(SignalKind::from_raw(Kill::CONT.as_raw()))?,
        })
    }

    pub(super) async fn next(&mut self) -> Received {
        let [
            (interrupt, on_interrupt),
            (terminate, on_terminate),
            (hangup, on_hangup),
            (quit, on_quit),
        ] = &mut self.end;
        tokio::select! {
            _ = on_interrupt.recv() => Received::End(*interrupt),
            _ = on_terminate.recv() => Received::End(*terminate),
            _ = on_hangup.recv() => Received::End(*hangup),
            _ = on_quit.recv() => Received::End(*quit),
            _ = self.go_on.recv() => Received::Continue,
        }
    }
}
