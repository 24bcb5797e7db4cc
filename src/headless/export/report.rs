//! What an incident report tells, gathered from a recording.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::walk::{Audience, Fold, walk};
use super::{ExportError, Part};
use crate::base::time::{Moment, Timestamp};
use crate::export::plot;
use crate::export::report::{Entry, Kind, Raised, SourceStory, Story};
use crate::export::series::{self, COLUMNS, value};
use crate::headless::record::wall;
use crate::model::{EventKind, Ledger, Model, Settings, Severity, Verdict, View};
use crate::record::{Action, Marker, Note, Recording};
use crate::sample::SourceId;

/// Gathers what a report tells of a part, and of the notes on it.
///
/// # Errors
/// When the recording cannot be played.
pub fn story(recording: &Arc<Recording>, part: Part, notes: &[Note]) -> Result<Story, ExportError> {
    let (start, end) = recording.span();
    let (from, to) = (part.from.max(start), part.to.min(end));
    let mut witness = Witness {
        from,
        ..Witness::default()
    };
    let missing = walk(recording, part, notes, &mut witness)?;
    witness.leave();
    let mut timeline = witness.timeline;
    timeline.retain(|entry| (wall(from)..=wall(to)).contains(&entry.at) || !matches!(entry.kind, Kind::Event(_)));
    timeline.sort_by_key(|entry| entry.at);
    let verdicts: Vec<Raised> = {
        let mut all = witness.over;
        all.extend(witness.raised.into_values());
        all.sort_by_key(|raised| raised.from);
        all
    };
    let length = seconds(from, to);
    let shaded: Vec<(f64, f64)> = verdicts
        .iter()
        .filter(|raised| raised.severity > Severity::Info)
        .map(|raised| {
            let place = |at: Timestamp| seconds(from, nanoseconds(at));
            (place(raised.from), raised.to.map_or(length, place))
        })
        .collect();
    Ok(Story {
        profile: recording.info().profile.clone(),
        from: wall(from),
        to: wall(to),
        sources: witness.sources.into_values().collect(),
        figures: series::summary(&witness.figures),
        charts: plot::charts(&witness.figures, wall(from), length, &shaded),
        verdicts,
        timeline,
        ledger: witness.ledger,
        missing,
    })
}

fn seconds(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64()
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// Sees a part of a recording.
#[derive(Default)]
struct Witness {
    from: u64,
    model: Option<Model>,
    sources: BTreeMap<SourceId, SourceStory>,
    /// Seconds since the begin, and the figures in the order of the columns.
    figures: Vec<(f64, Vec<Option<f64>>)>,
    raised: BTreeMap<(Arc<str>, Option<Arc<str>>), Raised>,
    over: Vec<Raised>,
    timeline: Vec<Entry>,
    ledger: Ledger,
    sessions: usize,
}

impl Witness {
    /// A session is over: its events are complete.
    fn leave(&mut self) {
        let Some(model) = self.model.take() else { return };
        let view = model.view();
        let acted = |kind| kind == EventKind::Action;
        self.timeline.extend(view.events.iter().map(|event| Entry {
            at: event.at,
            kind: if acted(event.kind) {
                Kind::Action
            } else {
                Kind::Event(event.severity)
            },
            text: event.text.clone(),
            detail: event.detail.clone(),
        }));
        self.ledger = view.ledger.clone();
    }

    fn judge(&mut self, view: &View) {
        let now = view.now.at;
        for verdict in &view.verdicts {
            let key = (verdict.id.clone(), verdict.subject.clone());
            let raised = self.raised.entry(key).or_insert_with(|| Raised {
                id: verdict.id.clone(),
                subject: verdict.subject.clone(),
                severity: verdict.severity,
                from: verdict.since,
                to: None,
                text: String::new(),
                evidence: Vec::new(),
                next: String::new(),
                runbook: verdict.runbook.clone(),
            });
            raised.severity = raised.severity.max(verdict.severity);
            raised.text.clone_from(&verdict.text);
            raised.evidence.clone_from(&verdict.evidence);
            raised.next.clone_from(&verdict.next);
        }
        let holds = |raised: &Raised| {
            let same = |verdict: &&Verdict| verdict.id == raised.id && verdict.subject == raised.subject;
            view.verdicts.iter().any(|verdict| same(&verdict))
        };
        let over: Vec<_> = self
            .raised
            .iter()
            .filter(|(_, raised)| !holds(raised))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            if let Some(raised) = self.raised.remove(&key) {
                self.over.push(Raised {
                    to: Some(now),
                    ..raised
                });
            }
        }
    }

    fn look_at_sources(&mut self, view: &View) {
        for source in &view.sources {
            let known = self.sources.entry(source.id.clone()).or_insert_with(|| SourceStory {
                name: source.id.to_string(),
                worst: (source.state, None),
                last: source.state,
            });
            known.last = source.state;
            if source.state.badness() >= known.worst.0.badness() {
                let why = source.error.clone().or_else(|| known.worst.1.take());
                known.worst = (source.state, why);
            }
        }
    }
}

impl Audience for Witness {
    fn folder(&mut self) -> &mut impl Fold {
        &mut self.model
    }

    fn begin(&mut self, settings: Settings, start: Moment) {
        self.leave();
        self.sessions += 1;
        if self.sessions > 1 {
            self.timeline.push(Entry {
                at: start.at,
                kind: Kind::Session,
                text: "another session begins".to_owned(),
                detail: String::new(),
            });
        }
        self.model.begin(settings, start);
    }

    fn show(&mut self, at: u64) -> io::Result<()> {
        let Some(model) = self.model.take() else { return Ok(()) };
        let view = model.view();
        self.judge(view);
        self.look_at_sources(view);
        let row = COLUMNS.iter().map(|field| value(&view.flow, *field)).collect();
        self.figures.push((seconds(self.from, at), row));
        self.model = Some(model);
        Ok(())
    }

    fn marker(&mut self, at: u64, marker: &Marker) -> io::Result<()> {
        self.timeline.push(Entry {
            at: wall(at),
            kind: Kind::Marker,
            text: marker.text.clone(),
            detail: String::new(),
        });
        Ok(())
    }

    fn action(&mut self, at: u64, action: &Action) -> io::Result<()> {
        self.timeline.push(Entry {
            at: wall(at),
            kind: Kind::Action,
            text: format!("{}: {}", action.what, action.text),
            detail: action.detail.clone(),
        });
        Ok(())
    }

    fn gap(&mut self, at: u64, reason: &str) -> io::Result<()> {
        self.timeline.push(Entry {
            at: wall(at),
            kind: Kind::Gap,
            text: reason.to_owned(),
            detail: String::new(),
        });
        Ok(())
    }
}
