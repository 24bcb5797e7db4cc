//! Health endpoints: what each service says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::metrics::safe_name;
use super::sources::{Sources, Stamp};
use super::view::{Health, ProbeView};
use crate::sample::{ProbeReading, ProbeState, SourceKind};

/// The last answer of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Probes {
    answers: BTreeMap<Arc<str>, Answered>,
}

/// A probe's last answer, and how many alike came before it.
#[derive(Clone, Debug, PartialEq)]
struct Answered {
    stamp: Stamp,
    reading: ProbeReading,
    /// Answers in a row that called the service healthy, and those that did not.
    well: u32,
    ill: u32,
}

/// What the rules judge of a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    /// Its last answer.
    pub(super) reading: &'a ProbeReading,
    /// Answers in a row that called the service healthy, and those that did not.
    pub(super) well: u32,
    pub(super) ill: u32,
}

impl Probes {
    /// Takes an answer in; true: the service says otherwise than before. The first word of a
    /// healthy one is no news.
    pub(super) fn take(&mut self, stamp: Stamp, reading: &ProbeReading) -> bool {
        let name = stamp.source.name.clone();
        let healthy = reading.state == ProbeState::Healthy;
        let before = self.answers.get(&name);
        let (well, ill) = before.map_or((0, 0), |before| (before.well, before.ill));
        let said = before.map_or(ProbeState::Healthy, |before| before.reading.state);
        let answered = Answered {
            stamp,
            reading: reading.clone(),
            well: if healthy { well.saturating_add(1) } else { 0 },
            ill: if healthy { 0 } else { ill.saturating_add(1) },
        };
        self.answers.insert(name, answered);
        said != reading.state
    }

    /// What the rules judge of a probe; `None`: it has never answered.
    pub(super) fn standing(&self, name: &str) -> Option<Standing<'_>> {
        let answered = self.answers.get(name)?;
        Some(Standing {
            reading: &answered.reading,
            well: answered.well,
            ill: answered.ill,
        })
    }

    /// The probes as they are shown, by name. One that does not answer says nothing of its service.
    pub(super) fn rows(&self, sources: &Sources) -> Vec<ProbeView> {
        sources
            .of_kind(SourceKind::Probe)
            .map(|source| {
                let answer = self.answers.get(&source.id.name);
                let stamp = answer.map(|answer| &answer.stamp);
                let reading = answer.map(|answer| &answer.reading);
                ProbeView {
                    name: safe_name(&source.id.name),
                    state: reading
                        .filter(|_| source.health() == Health::Ok)
                        .map(|reading| reading.state),
                    last: reading.map(|reading| reading.state),
                    status: reading.map(|reading| reading.status),
                    service: reading.and_then(|reading| reading.service.clone()),
                    version: reading.and_then(|reading| reading.version.clone()),
                    checks: reading.map(|reading| reading.checks.clone()).unwrap_or_default(),
                    left_out: reading.map_or(0, |reading| reading.left_out),
                    response_s: sources.reading(reading.map(|reading| reading.took.as_secs_f64()), stamp),
                    error: source.error().map(str::to_owned),
                }
            })
            .collect()
    }
}
