//! Postgres: the pipeline's counters, the workers' heartbeats and the server's health, read
//! once a second over one session that can only read.
//!
//! While every panel works, a cycle is two round trips: an empty one, for its time, and one
//! statement for everything. A panel that fails is switched off alone, says why, and is tried
//! again now and then. The size of the database, which can be slow to find, is asked for rarely.
//! What a pipeline that publishes from Postgres says of its webhooks is read more slowly still,
//! by `outbound`.

mod failed;
mod fault;
mod outbound;
mod reading;
mod session;

use std::time::Duration;

pub use self::failed::failed_calls;
use self::outbound::Outbound;

use self::reading::PANELS;
use self::reading::Panel;
use self::session::{ANSWER, Access, CONNECT, Failure, Session};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::PostgresLink;
use crate::observe::{Outlet, Source, SourceError};
use crate::sample::{PanelReading, Sample, SourceId, SourceKind};

/// How often it is read.
const PERIOD: Duration = Duration::from_secs(1);

/// When a panel that is off is tried again: after a lock, a timeout or a conflict, and else.
const RETRY: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(30));

/// How often the database's size is asked for, and how soon again when that failed.
const SIZE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(10));

/// Longest problem of a panel, in columns.
const PROBLEM: usize = 300;

/// Whether a panel works.
#[derive(Clone, Debug, Default)]
struct PanelState {
    /// Whether anything has been said of it yet.
    told: bool,
    /// Why it is off; `None`: it works, as far as is known.
    problem: Option<String>,
    /// What was told of that: nothing, where the relation belongs to the other kind of pipeline.
    said: Option<String>,
    /// Session time at which it is tried again while it is off.
    retry_at: Duration,
}

/// A Postgres server.
#[derive(Debug)]
pub struct Postgres {
    id: SourceId,
    shown: String,
    access: Result<Access, SourceError>,
    /// Taken out while it is used: a reading that fails or is dropped leaves none behind.
    session: Option<Session>,
    /// In the order of [`PANELS`].
    panels: [PanelState; 3],
    size: Option<u64>,
    /// Session time at which the size is asked for again.
    size_at: Duration,
    /// The relations about the webhooks that the pipeline sends.
    outbound: Outbound,
}

impl Postgres {
    /// The source of this link. Connects when it is first read, and holds one connection at most.
    #[must_use]
    pub fn new(link: &PostgresLink) -> Self {
        let access = Access::new(link).map_err(|error| {
            let (reason, next) = fault::session(&Failure::Answered(error));
            SourceError::new("connect to", link.shown.as_str(), &reason).next(next)
        });
        Self {
            id: SourceId::new(SourceKind::Postgres, "postgres"),
            shown: link.shown.clone(),
            access,
            session: None,
            panels: Default::default(),
            size: None,
            size_at: Duration::ZERO,
            outbound: Outbound::default(),
        }
    }

    fn error(&self, operation: &'static str, failure: &Failure) -> SourceError {
        let (reason, next) = fault::session(failure);
        SourceError::new(operation, self.shown.as_str(), &reason).next(next)
    }

    async fn connect(&mut self) -> Result<Session, SourceError> {
        let opened = self.access.as_mut().map_err(|error| error.clone())?.open().await;
        opened.map_err(|failure| self.error("connect to", &failure))
    }

    /// One cycle on an open session: the round-trip time of an empty query, and what was seen.
    async fn cycle(&mut self, session: &mut Session, clock: &SharedClock) -> Result<(Duration, Vec<Sample>), Failure> {
        let begun = clock.now().mono;
        session.ping().await?;
        let latency = clock.now().mono.saturating_sub(begun);

        let mut cycle = Cycle {
            clock,
            latency,
            samples: Vec::new(),
        };
        // What kind of pipeline it is decides what is missing.
        let found = self.outbound.discover(session, clock).await?;
        cycle.samples.extend(found);
        let (working, due) = self.due(clock.now().mono);
        if !working.is_empty() {
            self.ask_together(session, working, &mut cycle).await?;
        }
        for panel in due {
            self.ask_alone(session, panel, &mut cycle).await?;
        }
        self.ask_size(session, &mut cycle).await?;
        let limit = self.access.as_ref().map_or(ANSWER, |access| access.statement_timeout);
        let outbound = self.outbound.cycle(session, clock, limit).await?;
        cycle.samples.extend(outbound);
        Ok((latency, cycle.samples))
    }

    /// Panels that work as far as is known, and panels that are off and due to be tried again.
    fn due(&self, now: Duration) -> (Vec<Panel>, Vec<Panel>) {
        let mut working = Vec::with_capacity(PANELS.len());
        let mut due = Vec::new();
        for (panel, state) in PANELS.into_iter().zip(&self.panels) {
            if state.problem.is_none() {
                working.push(panel);
            } else if state.retry_at <= now {
                due.push(panel);
            }
        }
        (working, due)
    }

    /// Asks for several panels in one statement; where it fails, for each alone.
    ///
    /// # Errors
    /// When the session is lost.
    async fn ask_together(
        &mut self,
        session: &mut Session,
        panels: Vec<Panel>,
        cycle: &mut Cycle<'_>,
    ) -> Result<(), Failure> {
        let asked = cycle.clock.now().mono;
        match session.ask(&reading::combined(&panels)).await {
            Ok(answers) => {
                let took = cycle.clock.now().mono.saturating_sub(asked);
                for (panel, answer) in panels.into_iter().zip(answers) {
                    let problem = cycle.take(panel, &answer.unwrap_or_default(), took);
                    self.settle(panel, problem, false, RETRY.1, cycle);
                }
            }
            Err(failure) if fault::concerns_statement(&failure) => {
                for panel in panels {
                    self.ask_alone(session, panel, cycle).await?;
                }
            }
            Err(lost) => return Err(lost),
        }
        Ok(())
    }

    /// Asks for one panel, and switches it on or off by the outcome.
    ///
    /// # Errors
    /// When the session is lost.
    async fn ask_alone(&mut self, session: &mut Session, panel: Panel, cycle: &mut Cycle<'_>) -> Result<(), Failure> {
        let asked = cycle.clock.now().mono;
        match session.ask_one(reading::statement(panel)).await {
            Ok(answer) => {
                let took = cycle.clock.now().mono.saturating_sub(asked);
                let problem = cycle.take(panel, &answer, took);
                self.settle(panel, problem, false, RETRY.1, cycle);
            }
            Err(failure) if fault::concerns_statement(&failure) => {
                let relations = if fault::is_about_relation(&failure) {
                    match session.ask_one(&reading::relations_statement(panel)).await {
                        Ok(answer) => reading::relations(&answer).ok(),
                        Err(failure) if fault::concerns_statement(&failure) => None,
                        Err(lost) => return Err(lost),
                    }
                } else {
                    None
                };
                let limit = self.access.as_ref().map_or(ANSWER, |access| access.statement_timeout);
                let (reason, next) = fault::panel(panel.into(), &failure, relations.as_ref(), limit);
                let arrow = if next.is_empty() { "" } else { " → " };
                let retry = if fault::passes(&failure) { RETRY.0 } else { RETRY.1 };
                // A pipeline that publishes from Postgres has none of the other kind's tables.
                let foreign =
                    relations.is_some_and(|relations| relations.found.is_empty()) && self.outbound.is_present();
                self.settle(panel, Some(format!("{reason}{arrow}{next}")), foreign, retry, cycle);
            }
            Err(lost) => return Err(lost),
        }
        Ok(())
    }

    /// Switches a panel on or off, and tells it when that is news. Of one that is foreign to this
    /// kind of pipeline nothing is said.
    fn settle(&mut self, panel: Panel, problem: Option<String>, foreign: bool, retry: Duration, cycle: &mut Cycle<'_>) {
        let problem = problem.map(|said| text::cut(&text::safe(&said), PROBLEM).into_owned());
        let retry_at = cycle.clock.now().mono + retry;
        for (_, state) in PANELS
            .iter()
            .zip(&mut self.panels)
            .filter(|(known, _)| **known == panel)
        {
            let said = problem.clone().filter(|_| !foreign);
            if state.said != said || !state.told && !foreign {
                cycle.samples.push(Sample::Panel(PanelReading {
                    panel: panel.shown(),
                    problem: said.clone(),
                }));
            }
            *state = PanelState {
                told: state.told || !foreign,
                problem: problem.clone(),
                said,
                retry_at,
            };
        }
    }

    /// Completes the health by the database's size, which is asked for when it is due.
    ///
    /// # Errors
    /// When the session is lost.
    async fn ask_size(&mut self, session: &mut Session, cycle: &mut Cycle<'_>) -> Result<(), Failure> {
        let now = cycle.clock.now().mono;
        if now >= self.size_at {
            match session.ask_one("SELECT pg_database_size(current_database())").await {
                Ok(answer) => {
                    self.size = answer.parse().ok();
                    self.size_at = now + SIZE.0;
                }
                Err(failure) if fault::concerns_statement(&failure) => {
                    self.size = None;
                    self.size_at = now + SIZE.1;
                }
                Err(lost) => return Err(lost),
            }
        }
        for sample in &mut cycle.samples {
            if let Sample::Database(database) = sample {
                database.size = self.size;
            }
        }
        Ok(())
    }
}

/// What a cycle has seen so far.
struct Cycle<'a> {
    clock: &'a SharedClock,
    latency: Duration,
    samples: Vec<Sample>,
}

impl Cycle<'_> {
    /// Takes a panel's answer, which took this long. Returns what is wrong with it.
    fn take(&mut self, panel: Panel, answer: &str, took: Duration) -> Option<String> {
        let sample = match panel {
            Panel::Counters => reading::counters(answer, took).map(Sample::Counters),
            Panel::Heartbeats => reading::heartbeats(answer).map(Sample::Heartbeats),
            Panel::Health => reading::health(answer).map(|mut health| {
                health.latency = self.latency;
                Sample::Database(Box::new(health))
            }),
        };
        match sample {
            Ok(sample) => self.samples.push(sample),
            Err(unusable) => return Some(unusable.to_string()),
        }
        None
    }
}

impl Source for Postgres {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    /// Enough for every round trip of the longest cycle: each has a limit of its own, and the
    /// first that exceeds it ends the reading.
    fn timeout(&self) -> Duration {
        2 * CONNECT + 12 * ANSWER
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        let clock = outlet.clock().clone();
        let cycle = self.cycle(&mut session, &clock).await;
        let (latency, samples) = cycle.map_err(|failure| self.error("read", &failure))?;
        self.session = Some(session);
        for sample in samples {
            if !outlet.send(sample).await {
                break;
            }
        }
        Ok(latency)
    }
}

#[cfg(test)]
mod tests;
