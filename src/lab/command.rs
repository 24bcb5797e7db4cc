//! `hookwatch lab up`: a lab until ^C.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::guard::Status;
use super::{DATABASE, Lab, LabError, Options};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::Environment;

/// What the process that runs a lab command hands in.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The hookwatch executable.
    pub program: PathBuf,
    /// The environment.
    pub environment: Environment,
    /// The clock.
    pub clock: SharedClock,
}

/// The options of `hookwatch lab up`.
#[derive(Clone, Debug, Default)]
pub struct UpOptions {
    /// Only the servers, no pipeline.
    pub servers_only: bool,
    /// When to take everything down; not given: on ^C.
    pub lasts: Option<Duration>,
    /// Prints how to connect as one JSON object.
    pub json: bool,
}

/// Runs a lab until ^C, SIGTERM or the end of its time. Returns the exit code: 0, or 1 when the
/// lab did not start or did not end well, 2 when it can't be (a server is not installed).
pub async fn up_command(options: UpOptions, surroundings: Surroundings, out: &mut (impl Write + Send)) -> u8 {
    match up(options, surroundings, out).await {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "hookwatch: {error}");
            u8::from(matches!(error, LabError::Missing { .. })) + 1
        }
    }
}

async fn up(options: UpOptions, surroundings: Surroundings, out: &mut (impl Write + Send)) -> Result<(), LabError> {
    let begun = surroundings.clock.now().mono;
    let mut stop = Stop::new()?;
    let lab_options = Options::servers(surroundings.program, surroundings.environment);
    let lab = tokio::select! {
        lab = Lab::up(lab_options) => lab?,
        () = stop.asked() => return Ok(()),
    };
    let took = surroundings.clock.now().mono.saturating_sub(begun);
    let said = if options.json {
        writeln!(out, "{}", connection(&lab)?)
    } else {
        print(&lab, took, out)
    };
    said.and_then(|()| out.flush())
        .map_err(LabError::file("write to", "standard output"))?;
    let outcome = tokio::select! {
        () = stop.asked() => Ok(()),
        () = over(options.lasts) => Ok(()),
        error = failure(&lab) => Err(error),
    };
    lab.down().await?;
    outcome
}

async fn over(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => tokio::time::sleep(lasts).await,
        None => std::future::pending().await,
    }
}

/// ^C, SIGTERM and a closed terminal: whichever comes first.
struct Stop {
    signals: [tokio::signal::unix::Signal; 3],
}

impl Stop {
    fn new() -> Result<Self, LabError> {
        let on = |kind| signal(kind).map_err(|error| LabError::server("watch for signals", &error));
        Ok(Self {
            signals: [
                on(SignalKind::interrupt())?,
                on(SignalKind::terminate())?,
                on(SignalKind::hangup())?,
            ],
        })
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// How to connect, for programs.
fn connection(lab: &Lab) -> Result<serde_json::Value, LabError> {
    Ok(json!({
        "ready": "lab",
        "folder": lab.folder(),
        "nats": lab.nats_url()?,
        "monitoring": lab.monitoring_url()?,
        "postgres": lab.postgres_url(DATABASE)?,
    }))
}

/// How to connect, for people.
fn print(lab: &Lab, took: Duration, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "The lab is up after {}.", text::duration(took))?;
    for (what, url) in [
        ("NATS", lab.nats_url()),
        ("monitoring", lab.monitoring_url()),
        ("Postgres", lab.postgres_url(DATABASE)),
    ] {
        if let Ok(url) = url {
            writeln!(out, "  {what:<11} {url}")?;
        }
    }
    writeln!(out, "^C takes it down.")
}

/// Waits until the lab can't go on: its guard is gone.
async fn failure(lab: &Lab) -> LabError {
    lab.guard_gone().await.into()
}
