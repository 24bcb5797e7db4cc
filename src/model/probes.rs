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
    answers: BTreeMap<Arc<str>, (Stamp, ProbeReading)>,
}

impl Probes {
    /// Takes an answer in; true: the service says otherwise than before. The first word of a
    /// healthy one is no news.
    pub(super) fn take(&mut self, stamp: Stamp, reading: &ProbeReading) -> bool {
        let name = stamp.source.name.clone();
        let before = self.answers.insert(name, (stamp, reading.clone()));
        let before = before.map(|(_, reading)| reading.state);
        before.unwrap_or(ProbeState::Healthy) != reading.state
    }

    /// The probes as they are shown, by name. One that does not answer says nothing of its service.
    pub(super) fn rows(&self, sources: &Sources) -> Vec<ProbeView> {
        sources
            .of_kind(SourceKind::Probe)
            .map(|source| {
                let answer = self.answers.get(&source.id.name);
                let stamp = answer.map(|(stamp, _)| stamp);
                let reading = answer.map(|(_, reading)| reading);
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
