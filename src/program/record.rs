//! Recordings on the command line.

use std::path::Path;

use crate::cli::{Cli, RecordArgs};
use crate::headless::record;
use crate::record::{RecordError, RecorderState, Target};
use crate::session::{Session, Tap};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Program, block_on, complain, print};

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Refused(vec![error.to_string()])
    }
}

impl Program<'_> {
    /// Records until the time is over or somebody ends it; either way the file is finished.
    pub(crate) fn record(&self, cli: &Cli, args: &RecordArgs) -> Result<u8, Failure> {
        let resolved = self.resolve(cli)?;
        resolved.require_something_to_watch()?;
        let progress = block_on(async {
            let mut ends = [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ];
            let session = Session::live(&resolved.profile, &self.clock);
            let mut tap = Tap::new(&resolved.profile, session.settings.clone());
            tap.record(Target::of(&args.target, args.force), session.started)?;
            let stop = async {
                let [interrupt, terminate, hangup] = &mut ends;
                let over = async {
                    match args.lasts {
                        Some(lasts) => tokio::time::sleep(lasts).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = over => {}
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            };
            Ok::<_, Failure>(record::record(session, tap, &self.clock, stop, |_| ()).await)
        })??;
        if let RecorderState::Stopped(reason) = &progress.state {
            complain(&progress.told());
            return Err(Failure::Failed(format!("the recording stopped: {reason}")));
        }
        print(format!("{}\n", progress.told()).as_bytes())
    }
}

/// Says whether a recording is as it was written.
pub(crate) fn verify(path: &Path) -> Result<u8, Failure> {
    let verification = record::verify(path)?;
    print(format!("{}\n", verification.lines.join("\n")).as_bytes())?;
    Ok(verification.exit_code())
}
