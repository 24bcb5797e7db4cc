//! Dead letters without a screen.

pub mod audit;
pub mod browse;
pub mod import;
pub mod replay;
mod report;

use std::collections::BTreeSet;

use crate::act::exchange::Stored;
use crate::act::plan::Candidate;
use crate::act::select::candidate;
use crate::base::text;
use crate::model::letters;

/// Which letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// The second token of the subject.
    pub provider: Option<String>,
    /// What follows it.
    pub event: Option<String>,
    /// Text that the reason holds, in any case.
    pub reason_like: Option<String>,
    /// Sequences.
    pub ids: Option<BTreeSet<u64>>,
}

impl LetterFilter {
    /// Reads `17,20-25`.
    ///
    /// # Errors
    /// The part that is no sequence.
    pub fn parse_ids(text: &str) -> Result<BTreeSet<u64>, String> {
        let mut ids = BTreeSet::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
                (Ok(from), Ok(to)) if from <= to && to - from < 10_000_000 => ids.extend(from..=to),
                _ => {
                    return Err(format!(
                        "--ids: {} is no sequence → write them like 17,20-25",
                        text::safe(part)
                    ));
                }
            }
        }
        Ok(ids)
    }

    /// The letter as a candidate, if it is meant.
    #[must_use]
    pub fn admit(&self, letter: &Stored) -> Option<Candidate> {
        let origin = letters::origin(&letter.headers);
        let (provider, event) = letters::label(&origin);
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        let reason = || origin.reason.as_deref().unwrap_or_default().to_lowercase();
        let meant = is(&self.provider, provider)
            && is(&self.event, event)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&letter.sequence))
            && self
                .reason_like
                .as_ref()
                .is_none_or(|text| reason().contains(&text.to_lowercase()));
        meant.then(|| candidate(letter, origin.subject))
    }

    /// The filter as it was typed, for plan and audit log.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut parts = Vec::new();
        let named = [
            ("provider", &self.provider),
            ("event", &self.event),
            ("reason-like", &self.reason_like),
        ];
        for (name, value) in named {
            parts.extend(value.as_ref().map(|value| format!("{name}={}", text::safe(value))));
        }
        parts.extend(self.ids.as_ref().map(|ids| format!("{} ids", ids.len())));
        if parts.is_empty() {
            "all".to_owned()
        } else {
            parts.join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(sequence: u64, headers: &[(&str, &str)]) -> Stored {
        Stored {
            sequence,
            subject: "dlq.x".into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            payload: bytes::Bytes::new(),
            at: None,
        }
    }

    #[test]
    fn ids_are_single_ones_and_ranges() {
        let ids = LetterFilter::parse_ids("17, 20-22").unwrap();
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), [17, 20, 21, 22]);
        for wrong in ["a", "5-3", "1-", "-4"] {
            assert!(LetterFilter::parse_ids(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_part_of_a_filter_must_hold() {
        let letter = letter(
            7,
            &[
                ("X-NATS-Original-Subject", "webhook.telnyx.message.sent"),
                ("X-NATS-DLQ-Reason", "Time out"),
            ],
        );
        let filter = |provider: &str, event: &str, reason: &str, id| LetterFilter {
            provider: Some(provider.into()),
            event: Some(event.into()),
            reason_like: Some(reason.into()),
            ids: Some([id].into()),
        };
        assert!(filter("telnyx", "message.sent", "TIME", 7).admit(&letter).is_some());
        for other in [
            filter("stripe", "message.sent", "time", 7),
            filter("telnyx", "message", "time", 7),
            filter("telnyx", "message.sent", "refused", 7),
            filter("telnyx", "message.sent", "time", 8),
        ] {
            assert!(other.admit(&letter).is_none(), "{other:?}");
        }
    }
}
