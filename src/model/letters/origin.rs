//! The headers that name a letter's origin: the families seen in the wild, all accepted.

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::config::LetterHeaders;
use crate::sample::{LetterForm, LetterOrigin, Stored};

/// A field, and the headers that may hold it, the most telling first.
const FAMILIES: &[(Field, &[&str])] = &[
    (
        Field::Subject,
        &[
            "X-NATS-Original-Subject",
            "x-original-subject",
            "Nats-DLQ-Original-Subject",
            "X-DLQ-Original-Subject",
        ],
    ),
    (
        Field::Stream,
        &[
            "X-NATS-Stream",
            "X-NATS-Original-Stream",
            "x-original-stream",
            "Nats-DLQ-Original-Stream",
        ],
    ),
    (
        Field::Sequence,
        &[
            "X-NATS-Stream-Sequence",
            "X-NATS-Original-Stream-Sequence",
            "Nats-DLQ-Original-Seq",
        ],
    ),
    (Field::Consumer, &["X-NATS-Consumer", "X-NATS-Original-Consumer"]),
    (
        Field::Deliveries,
        &[
            "X-NATS-Num-Delivered",
            "X-NATS-Original-Num-Delivered",
            "x-delivery-count",
            "x-deliveries",
            "Nats-DLQ-Deliveries",
        ],
    ),
    (
        Field::Reason,
        &[
            "X-NATS-DLQ-Reason",
            "X-NATS-Original-DLQ-Reason",
            "x-dead-letter-reason",
            "x-dlq-reason",
            "exception-message",
            "exception-type",
        ],
    ),
    (Field::FailedAt, &["x-failed-at", "X-DLQ-Timestamp", "failed-at"]),
];

/// Holds several fields as JSON.
const CONTEXT: &str = "x-dlq-context";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Subject,
    Stream,
    Sequence,
    Consumer,
    Deliveries,
    Reason,
    FailedAt,
}

impl Field {
    /// Its names in [`CONTEXT`].
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Subject => &["subject", "original_subject", "originalSubject"],
            Self::Stream => &["stream", "original_stream", "originalStream"],
            Self::Sequence => &["sequence", "stream_sequence", "streamSequence", "seq"],
            Self::Consumer => &["consumer"],
            Self::Deliveries => &["deliveries", "delivery_count", "deliveryCount"],
            Self::Reason => &["reason", "error", "message"],
            Self::FailedAt => &["failed_at", "failedAt", "timestamp"],
        }
    }

    /// Its headers in the configuration.
    fn configured(self, headers: &LetterHeaders) -> &[Arc<str>] {
        match self {
            Self::Subject => &headers.subject,
            Self::Stream => &headers.stream,
            Self::Sequence => &headers.sequence,
            Self::Consumer => &headers.consumer,
            Self::Deliveries => &headers.deliveries,
            Self::Reason => &headers.reason,
            Self::FailedAt => &headers.failed_at,
        }
    }
}

/// How it is read where a letter came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    headers: LetterHeaders,
    in_source: Option<LetterForm>,
}

impl Origins {
    /// By the headers that everybody knows, and before them by these.
    #[must_use]
    pub fn new(headers: LetterHeaders) -> Self {
        Self {
            headers,
            in_source: None,
        }
    }

    /// For messages that lie where they were published to, in this form: they say nothing of their
    /// death, and their subject is their own.
    #[must_use]
    pub fn in_source(self, form: LetterForm) -> Self {
        Self {
            in_source: Some(form),
            ..self
        }
    }

    /// Where a letter came from. What nobody says stays unknown.
    #[must_use]
    pub fn of(&self, letter: &Stored) -> LetterOrigin {
        let origin = self.read(&letter.headers);
        let Some(form) = self.in_source else { return origin };
        LetterOrigin {
            subject: Some(letter.subject.clone()),
            reason: Some(match form {
                LetterForm::Parked => "past max_deliver, nobody delivers it any more".into(),
                _ => "not acked, or acked before a server crash".into(),
            }),
            ..origin
        }
    }

    fn read(&self, headers: &[(Arc<str>, Arc<str>)]) -> LetterOrigin {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let context: serde_json::Value = header(CONTEXT)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let value = |field: Field| -> Option<Arc<str>> {
            let names = FAMILIES
                .iter()
                .find(|(known, _)| *known == field)
                .map_or(&[][..], |(_, names)| names);
            let configured = field.configured(&self.headers).iter().map(|name| &**name);
            let mut names = configured.chain(names.iter().copied());
            names.find_map(header).or_else(|| {
                let found = field.keys().iter().find_map(|key| context.get(key))?;
                let text = found.as_str().map(str::to_owned);
                text.or_else(|| found.as_u64().map(|number| number.to_string()))
                    .map(Into::into)
            })
        };
        let number = |field| value(field)?.trim().parse().ok();
        LetterOrigin {
            subject: value(Field::Subject),
            stream: value(Field::Stream),
            sequence: number(Field::Sequence),
            consumer: value(Field::Consumer),
            deliveries: number(Field::Deliveries),
            reason: value(Field::Reason),
            failed_at: value(Field::FailedAt).and_then(|text| time(&text)),
        }
    }
}

/// What a letter's headers say of where it came from, by the headers that everybody knows.
#[must_use]
pub fn origin(headers: &[(Arc<str>, Arc<str>)]) -> LetterOrigin {
    Origins::default().read(headers)
}

/// A time as RFC 3339, or as unix seconds or milliseconds.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let number: i64 = text.parse().ok()?;
    // Seconds until the year 5138; more are milliseconds.
    if number < 100_000_000_000 {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)]) -> LetterOrigin {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        origin(&headers)
    }

    #[test]
    fn every_family_of_headers_is_understood() {
        let whole = of(&[
            ("X-NATS-Original-Subject", "webhook.telnyx.sent"),
            ("X-NATS-Stream", "webhooks"),
            ("X-NATS-Stream-Sequence", "42"),
            ("X-NATS-Num-Delivered", "3"),
            ("X-NATS-DLQ-Reason", "timeout"),
            ("X-NATS-Consumer", "workers"),
        ]);
        assert_eq!(
            (
                whole.subject.as_deref(),
                whole.stream.as_deref(),
                whole.sequence,
                whole.deliveries
            ),
            (Some("webhook.telnyx.sent"), Some("webhooks"), Some(42), Some(3))
        );
        assert_eq!(
            (whole.reason.as_deref(), whole.consumer.as_deref()),
            (Some("timeout"), Some("workers"))
        );

        let dead_letter = of(&[
            ("x-dead-letter-reason", "gone"),
            ("x-original-subject", "a.b"),
            ("x-original-stream", "s"),
            ("x-failed-at", "2026-07-31T14:03:22Z"),
            ("x-delivery-count", "5"),
        ]);
        assert_eq!(
            (dead_letter.reason.as_deref(), dead_letter.deliveries),
            (Some("gone"), Some(5))
        );
        assert_eq!(dead_letter.failed_at, "2026-07-31T14:03:22Z".parse().ok());

        let context = of(&[
            ("x-dead-letter", "true"),
            ("x-dlq-reason", "boom"),
            ("x-deliveries", "4"),
            ("x-dlq-context", r#"{"stream":"s","sequence":7,"consumer":"c"}"#),
        ]);
        assert_eq!((context.stream.as_deref(), context.sequence), (Some("s"), Some(7)));
        assert_eq!(
            (context.reason.as_deref(), context.consumer.as_deref()),
            (Some("boom"), Some("c"))
        );

        let nats = of(&[
            ("Nats-DLQ-Original-Stream", "s"),
            ("Nats-DLQ-Original-Subject", "a.b"),
            ("Nats-DLQ-Original-Seq", "9"),
            ("Nats-DLQ-Deliveries", "2"),
        ]);
        assert_eq!(
            (nats.subject.as_deref(), nats.sequence, nats.deliveries),
            (Some("a.b"), Some(9), Some(2))
        );

        let dlq = of(&[
            ("X-DLQ-Reason", "bad"),
            ("X-DLQ-Original-Subject", "a.b"),
            ("X-DLQ-Timestamp", "1785506602"),
        ]);
        assert_eq!(
            (dlq.reason.as_deref(), dlq.subject.as_deref()),
            (Some("bad"), Some("a.b"))
        );
        assert_eq!(dlq.failed_at, Timestamp::from_second(1_785_506_602).ok());

        let spring = of(&[
            ("x-dlq-original-subject", "a.b"),
            ("exception-type", "java.lang.X"),
            ("exception-message", "null"),
            ("failed-at", "1785506602123"),
        ]);
        assert_eq!(
            (spring.subject.as_deref(), spring.reason.as_deref()),
            (Some("a.b"), Some("null"))
        );
        assert_eq!(spring.failed_at, Timestamp::from_millisecond(1_785_506_602_123).ok());
    }

    fn stored(headers: &[(&str, &str)]) -> Stored {
        Stored {
            sequence: 1,
            subject: "webhook.telnyx.sent".into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            payload: bytes::Bytes::new(),
            at: None,
        }
    }

    #[test]
    fn configured_headers_come_before_those_that_everybody_knows() {
        let names = |names: &[&str]| names.iter().copied().map(Arc::from).collect();
        let origins = Origins::new(LetterHeaders {
            reason: names(&["X-Why", "X-Else"]),
            subject: names(&["X-Key"]),
            stream: names(&["X-S"]),
            sequence: names(&["X-Seq"]),
            consumer: names(&["X-C"]),
            deliveries: names(&["X-Tries"]),
            failed_at: names(&["X-Died"]),
            strip: names(&["X-D"]),
        });
        let letter = stored(&[
            ("X-NATS-DLQ-Reason", "known"),
            ("x-else", "configured"),
            ("X-KEY", "a.b"),
            ("X-S", "s"),
            ("X-Seq", "7"),
            ("X-C", "c"),
            ("X-Tries", "4"),
            ("X-Died", "1785506602"),
        ]);
        let expected = LetterOrigin {
            subject: Some("a.b".into()),
            stream: Some("s".into()),
            sequence: Some(7),
            consumer: Some("c".into()),
            deliveries: Some(4),
            reason: Some("configured".into()),
            failed_at: Timestamp::from_second(1_785_506_602).ok(),
        };
        assert_eq!(origins.of(&letter), expected);
        let unknown = stored(&[("X-NATS-DLQ-Reason", "known")]);
        assert_eq!(origins.of(&unknown).reason.as_deref(), Some("known"));
    }

    #[test]
    fn a_message_in_its_own_stream_has_its_own_subject() {
        let origin = Origins::default().in_source(LetterForm::Parked).of(&stored(&[]));
        assert_eq!(origin.subject.as_deref(), Some("webhook.telnyx.sent"));
        assert!(origin.reason.is_some_and(|reason| reason.contains("max_deliver")));
    }

    #[test]
    fn what_no_header_says_is_unknown_and_nonsense_is_not_a_number() {
        assert_eq!(of(&[("content-type", "application/json")]), LetterOrigin::default());
        let odd = of(&[
            ("X-NATS-Stream-Sequence", "-1"),
            ("x-deliveries", "many"),
            ("failed-at", "yesterday"),
            ("x-dlq-context", "{"),
            ("X-NATS-DLQ-Reason", ""),
        ]);
        assert_eq!(odd, LetterOrigin::default());
    }
}
