//! How far a webhook has come.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A station on the way, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The gateway answered 2xx.
    Accepted,
    /// The stream holds it.
    Stored,
    /// A worker acked it.
    Acked,
    /// Its row is in Postgres.
    Written,
}

impl Stage {
    /// Every station, in order.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Stored, Self::Acked, Self::Written];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Stored => "stored",
            Self::Acked => "acked",
            Self::Written => "written",
        }
    }
}

/// Whether a webhook has been at a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum State {
    /// Not yet.
    Pending,
    /// It was there.
    Reached {
        /// From the sending.
        #[serde(rename = "after_s", serialize_with = "seconds")]
        after: Duration,
        /// Whether it may have been there earlier.
        at_most: bool,
    },
    /// Nobody looks: it is not configured.
    Skipped,
    /// It cannot be seen, or will not get there.
    Failed,
}

fn seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

/// A station, and how a webhook stands with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// What is known besides: status, sequence, consumer. Safe text.
    pub detail: String,
}

/// How far a webhook has come. Plain data, told anew at every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The webhook's id; empty until it is known.
    pub id: String,
    /// The four stations, in order.
    pub steps: Vec<Step>,
    /// Where it is stuck and why, as far as is known now.
    pub stuck: Option<String>,
    /// Whether nothing more will come.
    pub done: bool,
}

impl Default for Timeline {
    fn default() -> Self {
        let step = |stage| Step {
            stage,
            state: State::Pending,
            detail: String::new(),
        };
        Self {
            id: String::new(),
            steps: Stage::ALL.map(step).into(),
            stuck: None,
            done: false,
        }
    }
}

impl Timeline {
    /// How it stands with a station.
    #[must_use]
    pub fn state(&self, stage: Stage) -> &State {
        &self.steps[stage as usize].state
    }

    /// After how long it was at a station.
    #[must_use]
    pub fn after(&self, stage: Stage) -> Option<Duration> {
        match self.state(stage) {
            State::Reached { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// Whether it came to the end of its way, as far as anybody looks.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step.state, State::Reached { .. } | State::Skipped))
    }

    /// From the sending to the last station, when it passed.
    #[must_use]
    pub fn total(&self) -> Option<Duration> {
        let reached = Stage::ALL.into_iter().filter_map(|stage| self.after(stage));
        reached.max().filter(|_| self.passed())
    }

    /// The first station that it has not been at.
    #[must_use]
    pub fn next(&self) -> Option<Stage> {
        let step = self
            .steps
            .iter()
            .find(|step| matches!(step.state, State::Pending | State::Failed));
        step.map(|step| step.stage)
    }

    pub(super) fn set(&mut self, stage: Stage, to: State, detail: impl Into<String>) {
        let step = &mut self.steps[stage as usize];
        step.state = to;
        step.detail = detail.into();
    }

    pub(super) fn is_pending(&self, stage: Stage) -> bool {
        *self.state(stage) == State::Pending
    }
}
