//! Which letters are meant: on the command line and in the console.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{GroupBy, Origins};
use crate::base::json_match::JsonMatch;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::base::words::Words;
use crate::config::parse_duration;
use crate::sample::{LetterOrigin, Stored};

/// Which letters are meant. Every part must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LetterFilter {
    /// The second token of the subject.
    pub provider: Option<String>,
    /// What follows it.
    pub event: Option<String>,
    /// Text that the reason holds, in any case.
    pub reason_like: Option<String>,
    /// Sequences.
    pub ids: Option<BTreeSet<u64>>,
    /// Died at this time or later.
    pub since: Option<Timestamp>,
    /// Died at this time or earlier.
    pub until: Option<Timestamp>,
    /// What must be in the payload, each as it was typed.
    pub matching: Vec<(String, JsonMatch)>,
    /// Words that subject, headers and payload hold, as they were typed.
    pub text: Option<String>,
    /// The group that they are of.
    pub group: Option<(GroupBy, Arc<str>)>,
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

    /// Reads what is typed in a console: words, and parts as [`LetterFilter::shown`] writes them:
    /// `timeout !retry provider=telnyx since=2h match=$.data.status=failed ids=17,20-25`. A value
    /// with blanks stands in quotes.
    ///
    /// # Errors
    /// The part that cannot be read, and how it is written.
    pub fn parse(typed: &str, now: Timestamp) -> Result<Self, String> {
        let mut filter = Self::default();
        let mut words = Vec::new();
        for part in parts(typed) {
            let Some((name, value)) = part.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                words.push(part);
                continue;
            };
            let value = value.to_owned();
            match name {
                "provider" => filter.provider = Some(value),
                "event" => filter.event = Some(value),
                "reason" | "reason-like" => filter.reason_like = Some(value),
                "ids" => filter.ids = Some(Self::parse_ids(&value).map_err(|error| error.replace("--ids", "ids="))?),
                "since" => filter.since = Some(when(name, &value, now)?),
                "until" => filter.until = Some(when(name, &value, now)?),
                "match" => {
                    let wanted = JsonMatch::parse(&value).map_err(|error| format!("match={value}: {error}"))?;
                    filter.matching.push((value, wanted));
                }
                "cause" => filter.group = Some((GroupBy::Cause, value.into())),
                // Any other word with an equals sign in it.
                _ => words.push(part),
            }
        }
        if !Words::new(&words.join(" ")).is_empty() {
            filter.text = Some(words.join(" "));
        }
        Ok(filter)
    }

    /// Whether every letter is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The sequences between which all of them lie.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        let ids = self.ids.as_ref();
        let first = ids.map_or(1, |ids| ids.first().copied().unwrap_or(1));
        let last = ids.map_or(u64::MAX, |ids| ids.last().copied().unwrap_or(0));
        (first, last)
    }

    /// The letter's origin, if it is meant. The cheap parts are looked at first.
    #[must_use]
    pub fn admit(&self, letter: &Stored) -> Option<LetterOrigin> {
        self.admit_by(letter, &Origins::default())
    }

    /// The same where letters are read so.
    #[must_use]
    pub fn admit_by(&self, letter: &Stored, origins: &Origins) -> Option<LetterOrigin> {
        if self.ids.as_ref().is_some_and(|ids| !ids.contains(&letter.sequence)) {
            return None;
        }
        let origin = origins.of(letter);
        let meant = self.is_of_origin(letter, &origin)
            && self
                .text
                .as_deref()
                .is_none_or(|typed| holds(letter, &Words::new(typed)))
            && self.matches(&letter.payload);
        meant.then_some(origin)
    }

    fn is_of_origin(&self, letter: &Stored, origin: &LetterOrigin) -> bool {
        let (provider, event) = super::label(origin);
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        let reason = || origin.reason.as_deref().unwrap_or_default().to_lowercase();
        let died = super::died(origin, letter.at);
        let group = |(by, key): &(GroupBy, Arc<str>)| by.key(origin, letter.at) == *key;
        is(&self.provider, provider)
            && is(&self.event, event)
            && self.since.is_none_or(|since| died.is_some_and(|died| died >= since))
            && self.until.is_none_or(|until| died.is_some_and(|died| died <= until))
            && self
                .reason_like
                .as_ref()
                .is_none_or(|text| reason().contains(&text.to_lowercase()))
            && self.group.as_ref().is_none_or(group)
    }

    fn matches(&self, payload: &[u8]) -> bool {
        if self.matching.is_empty() {
            return true;
        }
        let Ok(document) = serde_json::from_slice(payload) else {
            return false;
        };
        self.matching.iter().all(|(_, wanted)| wanted.holds(&document))
    }

    /// The filter as it was typed, for plan and audit log.
    #[must_use]
    pub fn shown(&self) -> String {
        let named = |name: &str, value: &str| format!("{name}={}", text::safe(value));
        let texts = [
            ("provider", self.provider.as_deref()),
            ("event", self.event.as_deref()),
            ("reason-like", self.reason_like.as_deref()),
            ("text", self.text.as_deref()),
        ];
        let times = [("since", self.since), ("until", self.until)];
        let mut parts: Vec<String> = texts
            .into_iter()
            .filter_map(|(name, value)| Some(named(name, value?)))
            .chain(
                times
                    .into_iter()
                    .filter_map(|(name, at)| Some(format!("{name}={}", at?))),
            )
            .chain(self.matching.iter().map(|(typed, _)| named("match", typed)))
            .collect();
        parts.extend(self.group.as_ref().map(|(by, key)| named(by.name(), key)));
        parts.extend(self.ids.as_ref().map(|ids| match ids.len() {
            1 => "1 id".to_owned(),
            many => format!("{many} ids"),
        }));
        if parts.is_empty() {
            "all".to_owned()
        } else {
            parts.join(" ")
        }
    }
}

/// A time, or how long ago it was: `2026-07-31T14:03:22Z`, `2h`.
fn when(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = parse_duration(text).map_err(|_| format!("{name}={text}: write it like 2h, or 2026-07-31T14:03:22Z"))?;
    Ok(now.saturating_sub(ago).unwrap_or(now))
}

/// Words, with what stands in double quotes kept together and the quotes taken off.
fn parts(typed: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in typed.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether subject, headers and payload together hold the words.
fn holds(letter: &Stored, words: &Words) -> bool {
    let mut bytes = Vec::with_capacity(usize::try_from(letter.size()).unwrap_or(0) + letter.subject.len() + 1);
    let headers = letter.headers.iter().flat_map(|(name, value)| [name, value]);
    for part in std::iter::once(&letter.subject).chain(headers) {
        bytes.extend(part.to_lowercase().into_bytes());
        bytes.push(b'\n');
    }
    match std::str::from_utf8(&letter.payload) {
        Ok(text) if !text.is_ascii() => bytes.extend(text.to_lowercase().into_bytes()),
        _ => bytes.extend(letter.payload.iter().map(u8::to_ascii_lowercase)),
    }
    words.passes_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(sequence: u64, headers: &[(&str, &str)], payload: &[u8]) -> Stored {
        Stored {
            sequence,
            subject: "dlq.x".into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            payload: bytes::Bytes::copy_from_slice(payload),
            at: Timestamp::from_second(1_000).ok(),
        }
    }

    fn sent(payload: &[u8]) -> Stored {
        letter(
            7,
            &[
                ("X-NATS-Original-Subject", "webhook.telnyx.message.sent"),
                ("X-NATS-DLQ-Reason", "Time out after 17 ms"),
            ],
            payload,
        )
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
        let letter = sent(b"");
        let filter = |provider: &str, event: &str, reason: &str, id| LetterFilter {
            provider: Some(provider.into()),
            event: Some(event.into()),
            reason_like: Some(reason.into()),
            ids: Some([id].into()),
            ..LetterFilter::default()
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

    #[test]
    fn a_letter_is_as_old_as_its_death_and_both_ends_count() {
        let at = |second| Timestamp::from_second(second).ok();
        let filter = |since, until| LetterFilter {
            since,
            until,
            ..LetterFilter::default()
        };
        let stored = sent(b"");
        for (since, until, meant) in [
            (at(1_000), at(1_000), true),
            (at(999), None, true),
            (at(1_001), None, false),
            (None, at(999), false),
        ] {
            assert_eq!(filter(since, until).admit(&stored).is_some(), meant);
        }
        let headers = [("x-failed-at", "1970-01-01T00:00:10Z")];
        let failed = letter(1, &headers, b"");
        assert!(filter(None, at(10)).admit(&failed).is_some(), "a header says when");
        let timeless = Stored { at: None, ..stored };
        assert!(filter(at(0), None).admit(&timeless).is_none(), "unknown is not within");
    }

    #[test]
    fn payloads_are_matched_by_path_and_searched_as_bytes() {
        let matching = |text: &str| LetterFilter {
            matching: vec![(text.to_owned(), JsonMatch::parse(text).unwrap())],
            ..LetterFilter::default()
        };
        let json = sent(br#"{"data":{"to":"+49","n":3}}"#);
        assert!(matching("$.data.n=3").admit(&json).is_some());
        assert!(matching("$.data.n=4").admit(&json).is_none());
        assert!(matching("$.data").admit(&sent(b"{")).is_none(), "no JSON");
        let text = |text: &str| LetterFilter {
            text: Some(text.to_owned()),
            ..LetterFilter::default()
        };
        for (typed, payload, meant) in [
            ("telnyx TIME", &b""[..], true),
            ("größe", "GRÖßE".as_bytes(), true),
            ("needle", b"\xff\x00NeeDle", true),
            ("needle !telnyx", b"needle", false),
            ("needle", b"hay", false),
        ] {
            assert_eq!(text(typed).admit(&sent(payload)).is_some(), meant, "{typed}");
        }
    }

    #[test]
    fn a_group_holds_its_own_letters() {
        let of = |by, key: &str| LetterFilter {
            group: Some((by, key.into())),
            ..LetterFilter::default()
        };
        let letter = sent(b"");
        assert!(of(GroupBy::Cause, "Time out after ‹n› ms").admit(&letter).is_some());
        assert!(of(GroupBy::Cause, "Time out after ‹n› s").admit(&letter).is_none());
        assert!(of(GroupBy::Provider, "telnyx").admit(&letter).is_some());
        assert!(of(GroupBy::Hour, "1970-01-01 00:00Z").admit(&letter).is_some());
    }

    #[test]
    fn what_is_typed_in_the_console_is_words_and_named_parts() {
        let now = Timestamp::from_second(10_000).unwrap();
        let typed = "Time !retry a=b provider=telnyx since=1h reason=\"not found\" match=$.a[?@.n==1] ids=7,9-10";
        let filter = LetterFilter::parse(typed, now).unwrap();
        assert_eq!(filter.text.as_deref(), Some("Time !retry a=b"));
        assert_eq!(filter.provider.as_deref(), Some("telnyx"));
        assert_eq!(filter.reason_like.as_deref(), Some("not found"));
        assert_eq!(filter.since, Timestamp::from_second(6_400).ok());
        assert_eq!(filter.ids, Some([7, 9, 10].into()));
        assert_eq!(filter.matching.len(), 1);
        assert!(LetterFilter::parse("  !  ", now).unwrap().is_all());
        for wrong in ["since=yesterday", "match=a.b", "ids=x"] {
            let error = LetterFilter::parse(wrong, now).unwrap_err();
            assert!(error.starts_with(wrong.split('=').next().unwrap()), "{error}");
        }
        // While it is typed it is not there yet.
        assert_eq!(
            LetterFilter::parse("provider=", now).unwrap().text.as_deref(),
            Some("provider=")
        );
    }

    #[test]
    fn a_filter_is_shown_as_it_was_typed() {
        assert_eq!(LetterFilter::default().shown(), "all");
        let filter = LetterFilter {
            provider: Some("tel\u{202e}nyx".into()),
            ids: Some([1, 2].into()),
            matching: vec![("$.a=1".into(), JsonMatch::parse("$.a=1").unwrap())],
            since: Timestamp::from_second(0).ok(),
            group: Some((GroupBy::Cause, "gone".into())),
            ..LetterFilter::default()
        };
        let shown = "provider=tel\\u{202e}nyx since=1970-01-01T00:00:00Z match=$.a=1 cause=gone 2 ids";
        assert_eq!(filter.shown(), shown);
        assert_eq!(filter.span(), (1, 2));
    }
}
