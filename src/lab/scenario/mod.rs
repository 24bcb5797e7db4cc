//! Scenarios: what a lab is made of, what happens to it and when, and which verdicts must say so.
//!
//! A scenario is a file. The built-in ones are in `scenarios/`; any other file can be played, too.

mod fields;
mod parse;

use std::collections::BTreeMap;
use std::time::Duration;

use include_dir::{Dir, include_dir};

pub use fields::{Fault, Phase, Scenario, Timed, TopologyChange, What};
pub use parse::ScenarioError;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/lab/scenarios");

/// What the command line changes of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adjustment {
    /// Workers.
    pub workers: Option<usize>,
    /// Webhooks a second in the first phase.
    pub rate: Option<f64>,
    /// Seed of the random choices.
    pub seed: Option<u64>,
}

/// The target of a fault that stands for the server that leads the stream when it happens.
pub const STREAM_LEADER: &str = "stream-leader";

/// What the demo plays.
pub const DEMO: &str = "demo";

impl Scenario {
    /// The names and summaries of the built-in scenarios, by name.
    ///
    /// # Errors
    /// When a built-in file is broken, which the tests rule out.
    pub fn built_in() -> Result<BTreeMap<String, String>, ScenarioError> {
        names()
            .map(|name| Self::named(name).map(|scenario| (scenario.name, scenario.summary)))
            .collect()
    }

    /// A built-in scenario.
    ///
    /// # Errors
    /// When there is none of that name; the error names the nearest and the others.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let file = format!("{name}.toml");
        let text = BUILT_IN.get_file(&file).and_then(include_dir::File::contents_utf8);
        let text = text.ok_or_else(|| ScenarioError::unknown(name, names()))?;
        Self::parse(&file, text)
    }

    /// A scenario by the name of a built-in one or by the path of a file, which has a `/` or
    /// ends in `.toml`.
    ///
    /// # Errors
    /// When there is none, or when the file is broken.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        let path = std::path::Path::new(name_or_path);
        if !name_or_path.contains('/') && path.extension().is_none_or(|extension| extension != "toml") {
            return Self::named(name_or_path);
        }
        let text = std::fs::read_to_string(path).map_err(|error| ScenarioError::unreadable(name_or_path, &error))?;
        Self::parse(name_or_path, &text)
    }

    /// The same without what goes wrong: everything from `fault_at` on is left out. A test of
    /// `expect` must fail with it.
    #[must_use]
    pub fn without_faults(mut self) -> Self {
        if let Some(at) = self.fault_at {
            self.load.retain(|phase| phase.at < at);
            self.fault.retain(|fault| fault.at < at);
        }
        self
    }

    /// The same with another number of workers, another rate of the first phase (the other
    /// phases' rates change in proportion), or another seed.
    ///
    /// # Errors
    /// When it does not make sense any more: a fault's worker is gone.
    pub fn adjusted(mut self, change: Adjustment) -> Result<Self, ScenarioError> {
        self.workers = change.workers.unwrap_or(self.workers);
        self.seed = change.seed.unwrap_or(self.seed);
        if let Some(rate) = change.rate {
            let first = self.load.first().and_then(|phase| phase.rate).unwrap_or_default();
            for phase in &mut self.load {
                phase.rate = phase
                    .rate
                    .map(|old| if first > 0.0 { old * rate / first } else { rate });
            }
        }
        self.check(&[], &[]).map_err(|(_, what)| ScenarioError {
            file: self.name.clone(),
            line: None,
            what,
        })?;
        Ok(self)
    }

    /// The names of the gateways.
    #[must_use]
    pub fn gateway_names(&self) -> Vec<String> {
        numbered("gateway", self.gateways)
    }

    /// The names of the workers.
    #[must_use]
    pub fn worker_names(&self) -> Vec<String> {
        numbered("worker", self.workers)
    }

    /// When the last fault is undone; `None` when there is none, or when one stays.
    #[must_use]
    pub fn undone_at(&self) -> Option<Duration> {
        let ends: Option<Vec<Duration>> = self.fault.iter().map(|fault| Some(fault.at + fault.lasts?)).collect();
        let last_phase = self.load.iter().map(|phase| phase.at);
        ends?.into_iter().chain(last_phase).max()
    }

    /// When the last change is over, and at least the scenario's own length.
    #[must_use]
    pub fn end(&self) -> Duration {
        let faults = self
            .fault
            .iter()
            .map(|fault| fault.at + fault.lasts.unwrap_or_default());
        let phases = self.load.iter().map(|phase| phase.at);
        faults.chain(phases).fold(self.lasts, Duration::max)
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.files().filter_map(|file| file.path().file_stem()?.to_str())
}

/// `gateway` for one, `worker-1`, `worker-2` … for several; workers are always numbered, as
/// more may join.
fn numbered(role: &str, count: usize) -> Vec<String> {
    if role == "gateway" && count == 1 {
        return vec![role.to_owned()];
    }
    (1..=count).map(|number| format!("{role}-{number}")).collect()
}
