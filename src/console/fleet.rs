//! Several profiles side by side: a line for each, of which one fills the screens.

use std::sync::Arc;

use super::widget::tidy;
use crate::model::{Health, Reading, Severity, View};
use crate::sample::SourceKind;

/// Columns of a profile's name at most.
const NAME: usize = 40;

/// Every profile that is watched, in the order in which they were named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    /// A line for each.
    pub lanes: Vec<Lane>,
    /// The one whose figures fill the screens: a place in `lanes`.
    pub here: usize,
}

/// One profile at a glance, always as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// Its name: safe and cut.
    pub name: Arc<str>,
    /// Whether it is marked as protected.
    pub protected: bool,
    /// How it is.
    pub standing: Standing,
    /// The sentence of its worst verdict; empty: none.
    pub told: String,
    /// Further verdicts besides.
    pub more: usize,
    /// Webhooks received; where no gateway tells, messages stored.
    pub received: Reading,
    /// Webhooks processed.
    pub processed: Reading,
    /// Waiting and held.
    pub backlog: Reading,
    /// Letters in the dead letter stream.
    pub dead: Reading,
    /// Its sources.
    pub sources: Sources,
}

/// How a profile is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No verdict, and every source answers.
    Ok,
    /// Nothing is known yet.
    Connecting,
    /// Its worst verdict is a warning.
    Warning,
    /// No verdict, but a source does not answer: it could be anything.
    Unknown,
    /// Its worst verdict is critical.
    Critical,
}

impl Standing {
    /// It in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Connecting => "connecting",
            Self::Warning => "warning",
            Self::Unknown => "no answer",
            Self::Critical => "critical",
        }
    }
}

/// How the sources of a profile are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Those that answer.
    pub fresh: usize,
    /// All that should.
    pub all: usize,
    /// The worst state among them; `None`: there is none.
    pub worst: Option<Health>,
    /// The kinds of those that do not answer.
    pub kinds: Vec<SourceKind>,
}

impl Sources {
    fn of(view: &View) -> Self {
        let mut out = Self::default();
        for source in view.sources.iter().filter(|source| source.state != Health::Off) {
            out.all += 1;
            if out.worst.is_none_or(|worst| source.state.badness() > worst.badness()) {
                out.worst = Some(source.state);
            }
            if source.state == Health::Ok {
                out.fresh += 1;
            } else if !out.kinds.contains(&source.id.kind) {
                out.kinds.push(source.id.kind);
            }
        }
        out
    }
}

impl Lane {
    /// What a profile's figures come to.
    #[must_use]
    pub fn of(view: &View, protected: bool) -> Self {
        let heard = || {
            let verdicts = view.verdicts.iter();
            verdicts.filter(|verdict| verdict.hush.is_none() && verdict.severity > Severity::Info)
        };
        // Most severe first.
        let worst = heard().next();
        let sources = Sources::of(view);
        let standing = match (worst.map(|verdict| verdict.severity), sources.worst) {
            (Some(Severity::Critical), _) => Standing::Critical,
            (_, Some(Health::Failing | Health::Stale)) if worst.is_none() => Standing::Unknown,
            (Some(_), _) => Standing::Warning,
            (None, Some(Health::Ok)) => Standing::Ok,
            (None, _) => Standing::Connecting,
        };
        let flow = &view.flow;
        let received = if flow.received_per_s.value.is_some() {
            &flow.received_per_s
        } else {
            &flow.stored_per_s
        };
        Self {
            name: tidy(&view.profile, NAME).as_ref().into(),
            protected,
            standing,
            told: worst.map(|verdict| verdict.text.clone()).unwrap_or_default(),
            more: heard().count().saturating_sub(1),
            received: received.clone(),
            processed: flow.processed_per_s.clone(),
            backlog: flow.backlog.clone(),
            dead: flow.dead.clone(),
            sources,
        }
    }
}

impl Fleet {
    /// The lanes that `rows` rows have room for, in their order: the one that is on screen, then
    /// those that are worst off. A critical profile is never left out for one that is well.
    #[must_use]
    pub fn chosen(&self, rows: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|index| {
            let lane = &self.lanes[*index];
            (*index != self.here, std::cmp::Reverse(lane.standing), *index)
        });
        order.truncate(rows);
        order.sort_unstable();
        order
    }

    /// The lane so many places further, around the end.
    #[must_use]
    pub fn step(&self, step: isize) -> usize {
        let count = self.lanes.len().max(1);
        (self.here + count).saturating_add_signed(step) % count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture;
    use crate::model::Hush;

    fn fleet(standings: &[Standing], here: usize) -> Fleet {
        let view = fixture::healthy_pipeline().0;
        let lanes = standings.iter().map(|standing| Lane {
            standing: *standing,
            ..Lane::of(&view, false)
        });
        Fleet {
            lanes: lanes.collect(),
            here,
        }
    }

    #[test]
    fn a_lane_has_the_worst_verdict_that_nobody_has_acknowledged() {
        let mut view = fixture::rich().0;
        let lane = Lane::of(&view, true);
        assert_eq!(lane.told, view.verdicts[0].text);
        assert!(lane.standing >= Standing::Warning && lane.protected);
        for verdict in &mut view.verdicts {
            verdict.hush = Some(Hush::Acknowledged { at: view.now.at });
        }
        let lane = Lane::of(&view, false);
        assert_eq!((lane.told.as_str(), lane.more), ("", 0));
    }

    #[test]
    fn who_does_not_answer_is_not_well() {
        let mut view = fixture::healthy_pipeline().0;
        assert_eq!(Lane::of(&view, false).standing, Standing::Ok);
        view.sources[0].state = Health::Failing;
        let lane = Lane::of(&view, false);
        assert_eq!(lane.standing, Standing::Unknown);
        assert_eq!(lane.sources.fresh + 1, lane.sources.all);
        assert_eq!(lane.sources.kinds, [view.sources[0].id.kind]);
        view.sources.clear();
        assert_eq!(Lane::of(&view, false).standing, Standing::Connecting);
    }

    #[test]
    fn the_profile_on_screen_and_the_worst_are_shown_first() {
        use Standing::{Critical, Ok, Warning};
        let fleet = fleet(&[Ok, Warning, Ok, Ok, Critical, Ok], 2);
        assert_eq!(fleet.chosen(1), [2]);
        assert_eq!(fleet.chosen(2), [2, 4]);
        assert_eq!(fleet.chosen(3), [1, 2, 4]);
        assert_eq!(fleet.chosen(9), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn stepping_goes_around() {
        let fleet = fleet(&[Standing::Ok; 3], 2);
        assert_eq!((fleet.step(1), fleet.step(-1)), (0, 1));
        assert_eq!(Fleet::default().step(1), 0);
    }
}
