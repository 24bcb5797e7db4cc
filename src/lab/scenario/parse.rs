//! Reading a scenario file. An error names the file, the line and the key.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{Fault, STREAM_LEADER, Scenario, What, numbered};
use crate::act::fire::Variant;
use crate::act::pace::Rate;
use crate::base::text;

/// What is wrong with a scenario, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scenario {file}{}: {what}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct ScenarioError {
    /// The file's path, or the name that was asked for.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl ScenarioError {
    pub(super) fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        let near = known
            .iter()
            .min_by_key(|candidate| strsim::damerau_levenshtein(candidate, name))
            .filter(|candidate| strsim::damerau_levenshtein(candidate, name) <= 3);
        let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        Self {
            file: text::safe(name).into_owned(),
            line: None,
            what: format!("there is none of that name{hint}; there are {}", known.join(", ")),
        }
    }

    pub(super) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        Self {
            file: text::safe(file).into_owned(),
            line: None,
            what: format!("can't be read: {error}"),
        }
    }
}

/// Where the tables stand whose contents are checked after they were read.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    load: Vec<Spanned<toml::Table>>,
    #[serde(default)]
    fault: Vec<Spanned<toml::Table>>,
}

impl Scenario {
    /// Reads a scenario; `file` is what errors call it.
    ///
    /// # Errors
    /// At the first thing that is wrong, with its line.
    pub fn parse(file: &str, source: &str) -> Result<Self, ScenarioError> {
        let fail = |line: Option<usize>, what: String| ScenarioError {
            file: text::safe(file).into_owned(),
            line,
            what: text::safe(&what).into_owned(),
        };
        let broken = |error: &toml::de::Error| {
            let line = error.span().map(|span| line_of(source, span.start));
            let key = line.and_then(|line| key_on(source, line));
            let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
            fail(line, format!("{key}{}", error.message()))
        };
        let scenario: Self = toml::from_str(source).map_err(|error| broken(&error))?;
        let places: Places = toml::from_str(source).map_err(|error| broken(&error))?;
        let lines = |tables: &[Spanned<toml::Table>]| -> Vec<usize> {
            tables.iter().map(|table| line_of(source, table.span().start)).collect()
        };
        scenario
            .check(&lines(&places.load), &lines(&places.fault))
            .map_err(|(line, what)| fail(line, what))?;
        Ok(scenario)
    }

    /// Whether it makes sense. `loads` and `faults` are the lines of their tables, as far as known.
    pub(super) fn check(&self, loads: &[usize], faults: &[usize]) -> Result<(), (Option<usize>, String)> {
        let line_in = |lines: &[usize], at: usize| lines.get(at).copied();
        if self.gateways == 0 && !self.load.is_empty() {
            return Err((None, "gateways: 0 gateways can't take a load".to_owned()));
        }
        for (at, phase) in self.load.iter().enumerate() {
            let fail = |what: String| Err((line_in(loads, at), what));
            if phase.rate.is_some_and(|rate| !(0.0..=Rate::MAX).contains(&rate)) {
                return fail(format!("rate: must be between 0 and {} a second", Rate::MAX));
            }
            if let Some(providers) = &phase.providers
                && providers.values().any(|weight| !(0.0..=1e6).contains(weight))
            {
                return fail("providers: a weight must be between 0 and 1000000".to_owned());
            }
            if phase.poison.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return fail("poison: a share is between 0 and 1".to_owned());
            }
            if phase.causes.as_ref().is_some_and(Vec::is_empty) {
                return fail("causes: name at least one".to_owned());
            }
            for (name, share) in phase.variants.iter().flatten() {
                if let Err(error) = name.parse::<Variant>() {
                    return fail(format!("variants: {error}"));
                }
                if !(0.0..=1.0).contains(share) {
                    return fail(format!("variants: the share of {name} is not between 0 and 1"));
                }
            }
            if phase.variants.iter().flat_map(BTreeMap::values).sum::<f64>() > 1.0 {
                return fail("variants: all shares together are more than 1".to_owned());
            }
        }
        if let Some(first) = self.load.first()
            && (!first.at.is_zero() || first.rate.is_none())
        {
            let what = "load: the first phase begins at 0s and states a rate";
            return Err((loads.first().copied(), what.to_owned()));
        }
        let processes = self.processes();
        for (at, fault) in self.fault.iter().enumerate() {
            fault.check(&processes).map_err(|what| (line_in(faults, at), what))?;
        }
        match self.fault_at {
            None if !self.expect.is_empty() => Err((None, "fault_at: missing, as `expect` needs it".to_owned())),
            Some(at) if !self.load.iter().any(|phase| phase.at == at) && !self.fault.iter().any(|f| f.at == at) => {
                Err((None, "fault_at: no load and no fault begins then".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn processes(&self) -> BTreeSet<String> {
        let nats = match self.servers {
            0 | 1 => vec!["nats".to_owned()],
            many => numbered("nats", many)
                .into_iter()
                .chain([STREAM_LEADER.to_owned()])
                .collect(),
        };
        let servers = nats.into_iter().chain(["postgres".to_owned()]);
        let parts = self.gateway_names().into_iter().chain(self.worker_names());
        servers.chain(parts).collect()
    }
}

impl Fault {
    /// Whether it can happen to one of `processes`.
    pub(crate) fn check(&self, processes: &BTreeSet<String>) -> Result<(), String> {
        self.check_target(processes)?;
        match (self.value, self.what.has_value()) {
            (None, true) => Err("value: missing; how long?".to_owned()),
            (Some(_), false) => Err("value: this fault has none".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether its target is one of `processes`, or none where it has none.
    pub(crate) fn check_target(&self, processes: &BTreeSet<String>) -> Result<(), String> {
        let known = || processes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match (&self.target, self.what.has_target()) {
            (None, true) => Err(format!("target: missing; which process? there are {}", known())),
            (Some(_), false) => Err("target: this fault has none".to_owned()),
            (Some(target), true) if !processes.contains(target) => {
                Err(format!("target: there is no {target}; there are {}", known()))
            }
            (Some(target), true) if self.what == What::Hang && target == "postgres" => {
                Err("target: postgres is many processes and can't hang as one; use lock-database".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The line of a byte, from 1.
fn line_of(source: &str, at: usize) -> usize {
    source.get(..at).unwrap_or(source).matches('\n').count() + 1
}

/// The key that a line sets.
fn key_on(source: &str, line: usize) -> Option<&str> {
    let (key, _) = source.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    Some(key.trim())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Timed, names};
    use super::*;

    const HEAD: &str = "name = \"x\"\nsummary = \"y\"\nfor = \"30s\"\n";

    fn error(rest: &str) -> String {
        Scenario::parse("x.toml", &format!("{HEAD}{rest}"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_built_in_scenario_is_sound_and_named_after_its_file() {
        assert!(names().count() >= 10);
        for name in names() {
            let scenario = Scenario::named(name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(!scenario.summary.is_empty(), "{name}");
            assert!(
                scenario.end() <= Duration::from_secs(90),
                "{name}: {:?}",
                scenario.end()
            );
        }
    }

    #[test]
    fn without_its_faults_a_scenario_stays_as_it_was_before() {
        for name in names() {
            let scenario = Scenario::named(name).unwrap();
            let mutated = scenario.clone().without_faults();
            if let Some(at) = scenario.fault_at {
                assert_ne!(mutated, scenario, "{name}");
                assert!(mutated.timeline().iter().all(|(when, _)| *when < at), "{name}");
            }
        }
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_key() {
        assert_eq!(
            error("rate = 7\n"),
            "scenario x.toml, line 4: rate: unknown field `rate`, expected one of `name`, `summary`, `seed`, `for`, \
             `repeat`, `servers`, `gateways`, `workers`, `gateway`, `worker`, `topology`, `load`, `fault`, `fault_at`, `evidence`, \
             `clear`, `expect`, `allow`"
        );
        assert!(error("workers = \"many\"\n").starts_with("scenario x.toml, line 4: workers: invalid type"));
        assert!(
            error("[[load]]\nrate = 1\n[[load]]\nat = \"soon\"\n")
                .starts_with("scenario x.toml, line 7: at: not a duration: write it like 500ms, 20s or 2m")
        );
        assert!(error("[topology]\nack_wait = \"0s\"\n").contains("line 5: ack_wait: must be above zero"));
        assert!(
            error("[[fault]]\nat = \"1s\"\nwhat = \"explode\"\n").contains("line 6: what: unknown variant `explode`")
        );
        assert!(error("[[load]\n").contains("line 4"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_line() {
        let fault = "[[fault]]\nat = \"1s\"\n";
        assert!(error(&format!("{fault}what = \"kill\"\n")).contains("line 4: target: missing"));
        assert!(error(&format!("{fault}what = \"kill\"\ntarget = \"worker-9\"\n")).contains("there is no worker-9"));
        assert!(error(&format!("{fault}what = \"slow-database\"\n")).contains("line 4: value: missing"));
        assert!(error(&format!("{fault}what = \"lock-database\"\ntarget = \"nats\"\n")).contains("has none"));
        assert!(error("[[load]]\nrate = -1\n").contains("line 4: rate:"));
        assert!(error("[[load]]\nrate = 1\n[[load]]\nat = \"2s\"\npoison = 1.5\n").contains("line 6: poison:"));
        let hung = format!("{fault}what = \"hang\"\ntarget = \"postgres\"\n");
        assert!(error(&hung).contains("use lock-database"));
        let variants = "variants = { valid = 0.7, oversized = 0.7 }";
        assert!(error(&format!("[[load]]\nrate = 1\n{variants}\n")).contains("line 4: variants: all shares"));
        assert!(
            error("[[load]]\nrate = 1\nvariants = { huge = 0.1 }\n")
                .contains("line 4: variants: variant \"huge\" is not")
        );
        assert!(error("[[load]]\nat = \"1s\"\nrate = 1\n").contains("the first phase begins at 0s"));
        assert!(error("expect = [\"stalled\"]\n").contains("fault_at: missing"));
        assert!(error("fault_at = \"3s\"\n").contains("no load and no fault begins then"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all() {
        let error = Scenario::load("stedy").unwrap_err().to_string();
        assert!(error.contains("did you mean steady?"), "{error}");
        assert!(error.contains("worker-crash"), "{error}");
        let error = Scenario::load("./none.toml").unwrap_err().to_string();
        assert!(
            error.contains("./none.toml") && error.contains("can't be read"),
            "{error}"
        );
    }

    #[test]
    fn the_timeline_is_in_order_and_undoes_what_is_to_be_undone() {
        let scenario = Scenario::parse(
            "x.toml",
            &format!(
                "{HEAD}fault_at = \"5s\"\n[[load]]\nrate = 10\n[[load]]\nat = \"8s\"\nrate = 20\n\
                 [[fault]]\nat = \"5s\"\nwhat = \"kill\"\ntarget = \"worker-1\"\nfor = \"4s\"\n"
            ),
        )
        .unwrap();
        let timeline = scenario.timeline();
        let times: Vec<u64> = timeline.iter().map(|(at, _)| at.as_secs()).collect();
        assert_eq!(times, [0, 5, 8, 9]);
        assert!(matches!(&timeline[1].1, Timed::Break(fault) if fault.what == What::Kill));
        assert!(matches!(&timeline[3].1, Timed::Mend(fault) if fault.what == What::Kill));
    }
}
