//! What happened, in one list: bounded, and merged when alike within a few seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::view::{Event, EventKind, Severity};
use crate::base::time::Moment;

/// Events kept.
const LONGEST: usize = 1_000;
/// Events alike within this are one.
const MERGE: Duration = Duration::from_secs(5);
/// Names that a merged event tells.
const NAMES: usize = 3;
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
    /// Its text when it stands for several, with `{n}` for their number and `{names}` for those that
    /// it is about; empty: as for one.
    pub(super) many: String,
    pub(super) detail: String,
    /// What it is about, where several alike are told by their names.
    pub(super) name: Option<String>,
    /// The stream and the last sequence of messages one after the other, as their detail.
    pub(super) run: Option<(String, u64)>,
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
            name: None,
            run: None,
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

    /// Names what it is about.
    #[must_use]
    pub(super) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its detail is the messages of a stream up to `last`, as many as it stands for.
    #[must_use]
    pub(super) fn run(mut self, stream: impl Into<String>, last: u64) -> Self {
        self.run = Some((stream.into(), last));
        self
    }

    fn text(&self, count: u64, names: &[String]) -> String {
        if count > 1 && !self.many.is_empty() {
            // Names are put in last: they are strangers' text.
            let text = self.many.replace("{n}", &crate::base::text::count(count));
            text.replace("{names}", &listed(names))
        } else {
            self.one.clone()
        }
    }

    fn told(&self, count: u64) -> String {
        match &self.run {
            None => self.detail.clone(),
            Some((stream, last)) if count <= 1 => format!("{stream} {last}"),
            Some((stream, last)) => format!("{stream} {}–{last}", last.saturating_sub(count - 1)),
        }
    }
}

/// `w-1, w-2, w-3 and more`.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>();
    let more = if names.len() > NAMES { " and more" } else { "" };
    shown.join(", ") + more
}

/// Remembers which events may still be merged into.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Merger {
    keys: VecDeque<Known>,
}

/// An event that alike ones may be merged into.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    key: String,
    at: Duration,
    /// What it is about so far: one more than are told.
    names: Vec<String>,
}

impl Known {
    fn add(&mut self, name: Option<&String>) {
        let new = name.filter(|name| self.names.len() <= NAMES && !self.names.contains(name));
        self.names.extend(new.cloned());
    }
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
            .find(|(_, known)| known.key == what.key && now.mono.saturating_sub(known.at) <= MERGE)
            .map(|(index, _)| index);
        let alike = alike.and_then(|index| Some((log.get_mut(index)?, self.keys.get_mut(index)?)));
        if let Some((event, known)) = alike {
            known.add(what.name.as_ref());
            event.count += what.count;
            event.severity = event.severity.max(what.severity);
            event.text = what.text(event.count, &known.names);
            event.detail = what.told(event.count);
            return;
        }
        let mut known = Known {
            key: what.key.clone(),
            at: now.mono,
            names: Vec::new(),
        };
        known.add(what.name.as_ref());
        log.push(Event {
            at: now.at,
            kind: what.kind,
            severity: what.severity,
            text: what.text(what.count, &known.names),
            detail: what.told(what.count),
            count: what.count.max(1),
        });
        self.keys.push_back(known);
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
            self.keys.push_front(Known::default());
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
    fn letters_one_after_the_other_are_told_as_one_run() {
        let (mut merger, mut log) = (Merger::default(), Vec::new());
        merger.add(&mut log, moment(0), &dead(1).run("dlq", 7));
        assert_eq!(log[0].detail, "dlq 7");
        merger.add(&mut log, moment(2), &dead(2).run("dlq", 9));
        assert_eq!(log[0].detail, "dlq 7–9");
    }

    #[test]
    fn what_is_merged_is_told_by_name() {
        let fails = |name: &str| {
            Happening::new(
                "fails",
                EventKind::Source,
                Severity::Warning,
                format!("{name} does not answer"),
            )
            .many(1, "{n} sources do not answer: {names}")
            .named(name)
        };
        let (mut merger, mut log) = (Merger::default(), Vec::new());
        merger.add(&mut log, moment(0), &fails("w-1"));
        assert_eq!(log[0].text, "w-1 does not answer");
        merger.add(&mut log, moment(1), &fails("w-2"));
        assert_eq!(log[0].text, "2 sources do not answer: w-1, w-2");
        for n in 3..1_000 {
            merger.add(&mut log, moment(1), &fails(&format!("w-{n}")));
        }
        assert_eq!(log[0].text, "999 sources do not answer: w-1, w-2, w-3 and more");
        assert!(merger.keys[0].names.len() <= NAMES + 1);
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
