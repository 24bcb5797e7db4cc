//! What a pipeline that publishes from Postgres says of its webhooks: its own views and tables,
//! read slowly and one by one.
//!
//! Which of them there are, and which columns the role may read, is looked up first; each is
//! then read with the columns that can be read. One that cannot be read is switched off alone
//! and says so by name. Where there is none of them, the pipeline is of another kind and nothing
//! is said. A relation that is slow to read is read the less often: at most a twentieth of the
//! time goes into it.

mod inventory;
mod relation;
mod rows;
mod statement;

use std::time::Duration;

use self::inventory::Inventory;
use self::relation::{COUNT, RELATIONS};
use self::statement::Plan;
use super::fault::{self, Asked};
use super::session::{Failure, Session};
use super::{PROBLEM, RETRY};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::sample::{Panel, PanelReading, Sample};

/// How often it is looked up what there is.
const DISCOVERY: Duration = Duration::from_secs(30);

/// What all of them together may take within one cycle before the rest waits for the next one.
const BUDGET: Duration = Duration::from_millis(400);

/// A relation is read at most once in this many times what it takes.
const SHARE: u32 = 20;

/// The longest wait for one that took too long.
const LONGEST: Duration = Duration::from_mins(10);

/// How one relation stands.
#[derive(Clone, Debug, Default)]
struct State {
    told: bool,
    /// Why it is off; `None`: it works, as far as is known.
    problem: Option<String>,
    /// The statement, where it can be read.
    statement: Option<String>,
    due: Duration,
    /// Failures in a row.
    failures: u32,
}

/// The relations, and how each of them stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbound {
    states: [State; COUNT],
    looked_up_at: Option<Duration>,
    /// Whether any of them has ever been seen.
    present: bool,
}

impl Outbound {
    /// Whether any of these relations has been seen: then the pipeline is of this kind.
    pub(super) fn is_present(&self) -> bool {
        self.present
    }

    /// Looks up what there is, when that is due.
    ///
    /// # Errors
    /// When the session is lost.
    pub(super) async fn discover(
        &mut self,
        session: &mut Session,
        clock: &SharedClock,
    ) -> Result<Vec<Sample>, Failure> {
        let now = clock.now().mono;
        let mut samples = Vec::new();
        if self.looked_up_at.is_none_or(|at| now >= at + DISCOVERY) {
            self.look_up(session, now, &mut samples).await?;
        }
        Ok(samples)
    }

    /// Reads what is due, as far as there is time.
    ///
    /// # Errors
    /// When the session is lost.
    pub(super) async fn cycle(
        &mut self,
        session: &mut Session,
        clock: &SharedClock,
        limit: Duration,
    ) -> Result<Vec<Sample>, Failure> {
        let begun = clock.now().mono;
        let mut samples = Vec::new();
        loop {
            let now = clock.now().mono;
            let next = (0..COUNT)
                .filter(|&at| self.states[at].statement.is_some() && self.states[at].due <= now)
                .min_by_key(|&at| self.states[at].due);
            let Some(at) = next.filter(|_| now.saturating_sub(begun) < BUDGET) else {
                return Ok(samples);
            };
            self.ask(session, clock, at, limit, &mut samples).await?;
        }
    }

    async fn look_up(
        &mut self,
        session: &mut Session,
        now: Duration,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Failure> {
        self.looked_up_at = Some(now);
        let inventory = match session.ask_one(&inventory::discovery()).await {
            Ok(answer) => match serde_json::from_str::<Inventory>(&answer) {
                Ok(inventory) => inventory,
                Err(_) => return Ok(()),
            },
            // What is known goes on until it is asked again.
            Err(failure) if fault::concerns_statement(&failure) => return Ok(()),
            Err(lost) => return Err(lost),
        };
        self.present |= !inventory.found.is_empty();
        if !self.present {
            return Ok(());
        }
        for (relation, state) in RELATIONS.iter().zip(&mut self.states) {
            match relation.plan(&inventory) {
                Plan::Read(statement) if state.statement.as_ref() == Some(&statement) => {}
                Plan::Read(statement) => {
                    state.statement = Some(statement);
                    state.due = now;
                    state.failures = 0;
                }
                Plan::Off(problem) => {
                    state.statement = None;
                    state.settle(relation.panel, Some(problem), samples);
                }
                Plan::Pass => {
                    state.statement = None;
                    if state.problem.is_some() {
                        state.settle(relation.panel, None, samples);
                    }
                }
            }
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        session: &mut Session,
        clock: &SharedClock,
        at: usize,
        limit: Duration,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Failure> {
        let (relation, state) = (&RELATIONS[at], &mut self.states[at]);
        let asked = clock.now().mono;
        let statement = state.statement.clone().unwrap_or_default();
        let answered = session.ask_one(&statement).await;
        let now = clock.now().mono;
        let took = now.saturating_sub(asked);
        let period = relation.period.max(took * SHARE);
        match answered {
            Ok(answer) => match rows::read(relation.panel, &answer, took, period) {
                Ok(reading) => {
                    state.failures = 0;
                    state.due = now + period;
                    state.settle(relation.panel, None, samples);
                    samples.push(Sample::Outbound(Box::new(reading)));
                }
                Err(unusable) => {
                    state.due = now + RETRY.1;
                    let problem = format!("its answer is not what was asked for: {unusable}");
                    state.settle(relation.panel, Some(problem), samples);
                }
            },
            Err(failure) if fault::concerns_statement(&failure) => {
                let passing = fault::passes(&failure) && took < limit / 2;
                let wait = if passing { RETRY.0 } else { RETRY.1 };
                state.due = now + wait.saturating_mul(1 << state.failures.min(6)).min(LONGEST);
                state.failures = state.failures.saturating_add(1);
                let columns: Vec<&str> = relation.columns.iter().map(|column| column.name).collect();
                let about = Asked {
                    relation: relation.panel.relation(),
                    columns: &columns.join(", "),
                    of_server: false,
                };
                let (reason, next) = fault::panel(about, &failure, None, limit);
                let arrow = if next.is_empty() { "" } else { " → " };
                state.settle(relation.panel, Some(format!("{reason}{arrow}{next}")), samples);
                // Rights and columns may have changed: the next lookup is due.
                if fault::is_about_relation(&failure) {
                    self.looked_up_at = self
                        .looked_up_at
                        .map(|at| at.min((now + RETRY.0).saturating_sub(DISCOVERY)));
                }
            }
            Err(lost) => return Err(lost),
        }
        Ok(())
    }
}

impl State {
    /// Switches it on or off, and tells it when that is news.
    fn settle(&mut self, panel: Panel, problem: Option<String>, samples: &mut Vec<Sample>) {
        let problem = problem.map(|said| text::cut(&text::safe(&said), PROBLEM).into_owned());
        if !self.told || self.problem != problem {
            samples.push(Sample::Panel(PanelReading {
                panel,
                problem: problem.clone(),
            }));
        }
        self.told = true;
        self.problem = problem;
    }
}
