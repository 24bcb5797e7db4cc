//! Thresholds that sit in a stream's or consumer's own metadata: `io.nats.monitor.*`, as the NATS
//! CLI's checks read them. A value of the wrong type is refused by name, the others work.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::text;
use crate::config::parse_duration;

const PREFIX: &str = "io.nats.monitor.";

/// What a consumer's metadata calls critical.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct ConsumerMonitor {
    /// Messages held by workers.
    pub(super) outstanding_ack: Option<f64>,
    /// Pulls that wait.
    pub(super) waiting: Option<f64>,
    /// Messages that wait.
    pub(super) unprocessed: Option<f64>,
    /// Messages delivered more than once.
    pub(super) redelivery: Option<f64>,
    /// Seconds since the last delivery and the last ack.
    pub(super) last_delivery: Option<f64>,
    pub(super) last_ack: Option<f64>,
}

/// What a stream's metadata calls alarming.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::model) struct StreamMonitor {
    /// Messages: warning and critical. [`StreamMonitor::too_few`] says which way.
    pub(super) messages: (Option<f64>, Option<f64>),
    /// Seconds that the oldest waiting message may be old; a plain number is about mirrors and
    /// sources, and none of ours.
    pub(super) lag: Option<f64>,
}

/// Metadata, and what of it could not be used.
struct Metadata<'a> {
    all: &'a BTreeMap<String, String>,
    refused: Vec<String>,
}

/// Whether any of it is ours: this is asked every second of every consumer.
fn says_something(metadata: &BTreeMap<String, String>) -> bool {
    let from = metadata
        .range::<str, _>((Bound::Included(PREFIX), Bound::Unbounded))
        .next();
    from.is_some_and(|(key, _)| key.starts_with(PREFIX))
}

impl Metadata<'_> {
    fn take<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<Option<T>, String>) -> Option<T> {
        let key = format!("{PREFIX}{key}");
        let value = self.all.get(&key)?;
        read(value.trim()).unwrap_or_else(|reason| {
            let shown = text::cut(&text::safe(value), 40).into_owned();
            self.refused.push(format!("{key} = {shown}: {reason}"));
            None
        })
    }

    /// Whether its thresholds hold: `enabled` can say that they do not.
    fn is_on(&mut self) -> bool {
        let said = self.take("enabled", |value| match value.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Ok(Some(true)),
            "0" | "f" | "false" => Ok(Some(false)),
            _ => Err("wants true or false".to_owned()),
        });
        said.unwrap_or(true)
    }

    fn count(&mut self, key: &str) -> Option<f64> {
        self.take(key, |value| match value.parse::<i64>() {
            // 0 and less stand for no limit.
            Ok(count) => Ok((count > 0).then_some(count as f64)),
            Err(_) => Err("wants a whole number".to_owned()),
        })
    }

    fn time(&mut self, key: &str) -> Option<f64> {
        self.take(key, |value| {
            // So does no time at all.
            let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            if digits.parse::<f64>().is_ok_and(|number| number <= 0.0) {
                return Ok(None);
            }
            let time = parse_duration(value)?;
            Ok(Some(time.as_secs_f64()))
        })
    }
}

impl ConsumerMonitor {
    /// Reads a consumer's metadata; also returns what was refused, and why.
    pub(in crate::model) fn read(metadata: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        if !says_something(metadata) {
            return Default::default();
        }
        let mut from = Metadata {
            all: metadata,
            refused: Vec::new(),
        };
        let on = from.is_on();
        let monitor = Self {
            outstanding_ack: from.count("outstanding-ack-critical"),
            waiting: from.count("waiting-critical"),
            unprocessed: from.count("unprocessed-critical"),
            redelivery: from.count("redelivery-critical"),
            last_delivery: from.time("last-delivery-critical"),
            last_ack: from.time("last-ack-critical"),
        };
        (if on { monitor } else { Self::default() }, from.refused)
    }
}

impl StreamMonitor {
    /// Whether `msgs-warn` and `msgs-critical` say how few messages are alarming. Of two, their
    /// order tells it. One alone is read by the NATS CLI as the fewest there should be; in a stream
    /// that acks empty that would alarm whenever all is done, so there it is the most.
    pub(super) fn too_few(&self, acks_remove: bool) -> bool {
        match self.messages {
            (Some(warning), Some(critical)) => critical < warning,
            _ => !acks_remove,
        }
    }

    /// Reads a stream's metadata; also returns what was refused, and why.
    pub(in crate::model) fn read(metadata: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        if !says_something(metadata) {
            return Default::default();
        }
        let mut from = Metadata {
            all: metadata,
            refused: Vec::new(),
        };
        let on = from.is_on();
        let messages = (from.count("msgs-warn"), from.count("msgs-critical"));
        let lag = from.take("lag-critical", |value| match value.parse::<u64>() {
            Ok(_) => Ok(None),
            Err(_) => parse_duration(value).map(|time| Some(time.as_secs_f64())),
        });
        let monitor = Self { messages, lag };
        (if on { monitor } else { Self::default() }, from.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let named = pairs
            .iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()));
        named.chain([("owner".to_owned(), "payments".to_owned())]).collect()
    }

    #[test]
    fn thresholds_are_read_and_a_wrong_one_is_refused_by_name() {
        let (monitor, refused) = ConsumerMonitor::read(&metadata(&[
            ("outstanding-ack-critical", "many\u{1b}[31m"),
            ("unprocessed-critical", "500"),
            ("redelivery-critical", "0"),
            ("last-delivery-critical", "30"),
            ("last-ack-critical", "1m"),
        ]));
        assert_eq!((monitor.unprocessed, monitor.last_ack), (Some(500.0), Some(60.0)));
        assert_eq!(
            (monitor.outstanding_ack, monitor.redelivery, monitor.last_delivery),
            (None, None, None)
        );
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(
            refused[0].starts_with("io.nats.monitor.outstanding-ack-critical = many"),
            "{refused:?}"
        );
        assert!(!refused[0].contains('\u{1b}') && refused[0].ends_with("wants a whole number"));
        assert!(
            refused[1].contains("last-delivery-critical = 30: the unit is missing"),
            "{refused:?}"
        );
    }

    #[test]
    fn nothing_and_less_is_no_limit_and_what_is_switched_off_does_not_count() {
        let off = [
            ("waiting-critical", "-1"),
            ("last-ack-critical", "0s"),
            ("unprocessed-critical", "0"),
        ];
        assert_eq!(
            ConsumerMonitor::read(&metadata(&off)),
            (ConsumerMonitor::default(), Vec::new())
        );
        let read = |enabled| ConsumerMonitor::read(&metadata(&[("enabled", enabled), ("waiting-critical", "20")]));
        assert_eq!(read("true").0.waiting, Some(20.0));
        assert_eq!(read("false"), (ConsumerMonitor::default(), Vec::new()));
        let (monitor, refused) = read("sometimes");
        assert_eq!(monitor.waiting, Some(20.0));
        assert_eq!(refused, ["io.nats.monitor.enabled = sometimes: wants true or false"]);
    }

    #[test]
    fn how_many_messages_are_alarming_goes_by_their_order_and_by_the_stream() {
        let few = |warning, critical, acks_remove| {
            StreamMonitor {
                messages: (warning, critical),
                lag: None,
            }
            .too_few(acks_remove)
        };
        for acks_remove in [true, false] {
            assert!(few(Some(999.0), Some(500.0), acks_remove));
            assert!(!few(Some(500.0), Some(999.0), acks_remove));
        }
        assert!(few(Some(1.0), None, false) && few(None, Some(1.0), false));
        assert!(!few(Some(1.0), None, true) && !few(None, Some(1.0), true));
    }

    #[test]
    fn a_lag_in_messages_is_about_mirrors_and_none_of_ours() {
        let read = |value| StreamMonitor::read(&metadata(&[("lag-critical", value), ("msgs-warn", "7")]));
        assert_eq!(read("20s").0.lag, Some(20.0));
        let (monitor, refused) = read("100");
        assert_eq!((monitor.lag, monitor.messages), (None, (Some(7.0), None)));
        assert_eq!(refused, Vec::<String>::new());
        assert_eq!(read("soon").1.len(), 1);
    }
}
