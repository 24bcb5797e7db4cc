//! Letters of the same cause, provider, subject or hour: how many, since when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::cause::cause;
use crate::base::time::Timestamp;
use crate::sample::LetterOrigin;

/// Groups kept at most: what a stranger writes into a reason must not fill memory.
const MOST: usize = 10_000;

/// By what letters are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    /// The error without its numbers, ids and times.
    #[default]
    Cause,
    /// The provider.
    Provider,
    /// The subject that they came from.
    Subject,
    /// The hour in which they died.
    Hour,
}

impl GroupBy {
    /// Every way, in the order in which a key goes through them.
    pub const ALL: [Self; 4] = [Self::Cause, Self::Provider, Self::Subject, Self::Hour];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Provider => "provider",
            Self::Subject => "subject",
            Self::Hour => "hour",
        }
    }

    /// What a letter has in common with the others of its group: safe text for a cause, else a
    /// stranger's.
    #[must_use]
    pub fn key(self, origin: &LetterOrigin, stored_at: Option<Timestamp>) -> Arc<str> {
        match self {
            Self::Cause => origin
                .reason
                .as_deref()
                .map_or_else(|| "no reason given".into(), |reason| cause(reason).into()),
            Self::Provider => super::label(origin).0.unwrap_or("unknown").into(),
            Self::Subject => origin.subject.clone().unwrap_or_else(|| "unknown".into()),
            Self::Hour => super::died(origin, stored_at).map_or_else(
                || "unknown".into(),
                |at| at.strftime("%Y-%m-%d %H:00Z").to_string().into(),
            ),
        }
    }
}

/// Letters that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What they have in common: safe text for a cause, else a stranger's.
    pub key: Arc<str>,
    /// How many.
    pub count: u64,
    /// When the first one died.
    pub first: Option<Timestamp>,
    /// When the last one died.
    pub last: Option<Timestamp>,
    /// The sequence of the newest one.
    pub example: u64,
}

/// Groups, filled letter by letter.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    by: GroupBy,
    known: BTreeMap<Arc<str>, Group>,
    left_out: u64,
}

impl Groups {
    /// No groups yet.
    #[must_use]
    pub fn new(by: GroupBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Takes a letter in. `stored_at` is when it was stored in the DLQ, where no header says when
    /// it died.
    pub fn add(&mut self, sequence: u64, origin: &LetterOrigin, stored_at: Option<Timestamp>) {
        let died = super::died(origin, stored_at);
        let key = self.by.key(origin, stored_at);
        if !self.known.contains_key(&key) && self.known.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let group = self.known.entry(key.clone()).or_insert(Group {
            key,
            count: 0,
            first: died,
            last: died,
            example: sequence,
        });
        group.count += 1;
        group.first = group.first.into_iter().chain(died).min();
        group.last = group.last.into_iter().chain(died).max();
        group.example = group.example.max(sequence);
    }

    /// The groups, largest first.
    #[must_use]
    pub fn sorted(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.known.values().cloned().collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        groups
    }

    /// Letters whose groups were too many.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &str, subject: &str, second: i64) -> LetterOrigin {
        LetterOrigin {
            reason: Some(reason.into()),
            subject: Some(subject.into()),
            failed_at: Timestamp::from_second(second).ok(),
            ..LetterOrigin::default()
        }
    }

    #[test]
    fn letters_of_one_cause_are_one_group_the_largest_first() {
        let mut groups = Groups::new(GroupBy::Cause);
        groups.add(
            1,
            &letter("recipient rcp_00017 not found", "webhook.resend.bounced", 10),
            None,
        );
        groups.add(2, &letter("timeout after 17 ms", "webhook.telnyx.sent", 30), None);
        groups.add(3, &letter("timeout after 3,004 ms", "webhook.telnyx.sent", 20), None);
        let sorted = groups.sorted();
        let shown: Vec<_> = sorted
            .iter()
            .map(|group| (&*group.key, group.count, group.example))
            .collect();
        assert_eq!(
            shown,
            [("timeout after ‹n› ms", 2, 3), ("recipient ‹id› not found", 1, 1)]
        );
        assert_eq!(sorted[0].first, Timestamp::from_second(20).ok());
        assert_eq!(sorted[0].last, Timestamp::from_second(30).ok());
    }

    #[test]
    fn letters_are_grouped_by_what_is_asked_for() {
        for (by, keys) in [
            (GroupBy::Provider, vec!["resend", "telnyx"]),
            (GroupBy::Subject, vec!["webhook.resend.bounced", "webhook.telnyx.sent"]),
            (GroupBy::Hour, vec!["1970-01-01 00:00Z", "1970-01-01 01:00Z"]),
        ] {
            let mut groups = Groups::new(by);
            groups.add(1, &letter("a", "webhook.resend.bounced", 10), None);
            groups.add(2, &letter("b", "webhook.telnyx.sent", 3_700), None);
            let sorted = groups.sorted();
            assert_eq!(sorted.iter().map(|group| &*group.key).collect::<Vec<_>>(), keys);
        }
    }

    #[test]
    fn a_stranger_cannot_fill_memory_with_reasons() {
        let mut groups = Groups::new(GroupBy::Subject);
        for n in 0..MOST as u64 + 7 {
            groups.add(n, &letter("x", &format!("webhook.p{n}.e"), 1), None);
        }
        assert_eq!((groups.sorted().len(), groups.left_out()), (MOST, 7));
    }
}
