//! What happened, in one list: bounded, and merged when alike within a few seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::view::{Event, EventKind, Severity};
use crate::base::time::Moment;

/// Events kept.
const LONGEST: usize = 1_000;
/// Events alike within this are one.
const MERGE: Duration = Duration::from_secs(5);
/// How far back an event alike is looked for.
const LOOK_BACK: usize = 32;

/// Something that happened, before it is merged.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    /// Events with equal keys are alike.
    pub(super) key: String,
    pub(super) kind: EventKind,
    pub(super) severity: Severity,
    /// How many things it stands for.
    pub(super) count: u64,
    /// Its text when it stands for one.
    pub(super) one: String,
    /// Its text when it stands for several, with `{n}` for their number; empty: as for one.
    pub(super) many: String,
    pub(super) detail: String,
}

impl Happening {
    pub(super) fn new(key: impl Into<String>, kind: EventKind, severity: Severity, text: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            kind,
            severity,
            count: 1,
            one: text.into(),
            many: String::new(),
            detail: String::new(),
        }
    }

    #[must_use]
    pub(super) fn many(mut self, count: u64, text: impl Into<String>) -> Self {
        self.count = count;
        self.many = text.into();
        self
    }

    #[must_use]
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn text(&self, count: u64) -> String {
        if count > 1 && !self.many.is_empty() {
            self.many.replace("{n}", &crate::base::text::count(count))
        } else {
            self.one.clone()
        }
    }
}

/// Remembers which events may still be merged into.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Merger {
    keys: VecDeque<(String, Duration)>,
}

impl Merger {
    /// Adds an event to `log`, or to the one alike that stands there.
    pub(super) fn add(&mut self, log: &mut Vec<Event>, now: Moment, what: &Happening) {
        let alike = self
            .keys
            .iter()
            .enumerate()
            .rev()
            .take(LOOK_BACK)
            .find(|(_, (key, at))| *key == what.key && now.mono.saturating_sub(*at) <= MERGE)
            .map(|(index, _)| index);
        if let Some(event) = alike.and_then(|index| log.get_mut(index)) {
            event.count += what.count;
            event.severity = event.severity.max(what.severity);
            event.text = what.text(event.count);
            event.detail.clone_from(&what.detail);
            return;
        }
        log.push(Event {
            at: now.at,
            kind: what.kind,
            severity: what.severity,
            text: what.text(what.count),
            detail: what.detail.clone(),
            count: what.count.max(1),
        });
        self.keys.push_back((what.key.clone(), now.mono));
        if log.len() > LONGEST {
            log.remove(0);
            self.keys.pop_front();
        }
    }
}

impl Merger {
    /// Puts what happened earlier, sorted, before `log`: as much as there is room for. Nothing is
    /// merged into it.
    pub(super) fn precede(&mut self, log: &mut Vec<Event>, older: &[Event]) {
        let room = LONGEST.saturating_sub(log.len());
        let older = &older[older.len().saturating_sub(room)..];
        for _ in older {
            // No happening has this key.
            self.keys.push_front((String::new(), Duration::ZERO));
        }
        log.splice(0..0, older.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn moment(seconds: u64) -> Moment {
        Moment {
            at: Timestamp::UNIX_EPOCH + Duration::from_secs(seconds),
            mono: Duration::from_secs(seconds),
        }
    }

    fn dead(count: u64) -> Happening {
        Happening::new("dead", EventKind::Advisory, Severity::Warning, "1 letter dead").many(count, "{n} letters dead")
    }

    #[test]
    fn events_alike_within_seconds_are_one() {
        let (mut merger, mut log) = (Merger::default(), Vec::new());
        merger.add(&mut log, moment(0), &dead(1));
        assert_eq!(log[0].text, "1 letter dead");
        merger.add(&mut log, moment(2), &dead(2));
        assert_eq!(
            (log.len(), log[0].text.as_str(), log[0].count),
            (1, "3 letters dead", 3)
        );
        merger.add(&mut log, moment(20), &dead(1));
        assert_eq!(log.len(), 2);
    }

    #[test]
    fn what_happened_earlier_stands_before_it_and_is_not_merged_into() {
        let (mut merger, mut log) = (Merger::default(), Vec::new());
        merger.add(&mut log, moment(100), &dead(1));
        let older = (0..2_000).map(|n| Event {
            at: moment(n).at,
            text: format!("old {n}"),
            ..log[0].clone()
        });
        let older: Vec<Event> = older.collect();
        merger.precede(&mut log, &older);
        assert_eq!((log.len(), log[0].text.as_str()), (LONGEST, "old 1001"));
        merger.add(&mut log, moment(102), &dead(1));
        assert_eq!((log.len(), log.last().unwrap().count), (LONGEST, 2));
    }

    #[test]
    fn the_list_is_bounded_and_merging_survives_it() {
        let (mut merger, mut log) = (Merger::default(), Vec::new());
        for n in 0..2_500_u64 {
            let what = Happening::new(
                format!("k{n}"),
                EventKind::Console,
                Severity::Info,
                format!("event {n}"),
            );
            merger.add(&mut log, moment(n), &what);
        }
        assert_eq!(log.len(), LONGEST);
        assert_eq!(log.last().unwrap().text, "event 2499");
        let again = Happening::new("k2499", EventKind::Console, Severity::Info, "again");
        merger.add(&mut log, moment(2_500), &again);
        assert_eq!((log.len(), log.last().unwrap().text.as_str()), (LONGEST, "again"));
    }
}
