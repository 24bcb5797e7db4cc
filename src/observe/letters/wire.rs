//! Stored messages as the server hands them out: over the API, with raw headers in base64, or as
//! direct gets, which are messages themselves.

use std::sync::Arc;

use async_nats::{Message, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::LetterError;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::observe::jetstream::api::{Api, ApiError};
use crate::observe::jetstream::wire::scalar::Maybe;
use crate::observe::jetstream::wire::{self as api, ErrorBody};
use crate::sample::Stored;

/// What a direct get adds to a message's own headers, after them.
const ADDED: [&str; 4] = [SUBJECT, SEQUENCE, "Nats-Stream", TIME];
const SUBJECT: &str = "Nats-Subject";
const SEQUENCE: &str = "Nats-Sequence";
const TIME: &str = "Nats-Time-Stamp";

/// What an answer of a batch adds besides.
const BATCHED: [&str; 2] = [PENDING, "Nats-Last-Sequence"];
const PENDING: &str = "Nats-Num-Pending";

/// JetStream error: no message found.
const NO_MESSAGE: u64 = 10_037;
/// JetStream error: stream not found.
const NO_STREAM: u64 = 10_059;

/// An answer to a get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A message.
    Found {
        /// It.
        stored: Box<Stored>,
        /// Whether the server answers in batches.
        batched: bool,
        /// Whether its headers are as they are stored, as far as a reader can tell.
        faithful: bool,
    },
    /// There is none.
    Missing,
    /// The batch is over.
    Over,
}

/// `NATS/1.0\r\nName: value\r\n…\r\n`: every header, repeated ones too, in their order. What is no
/// UTF-8 is replaced.
#[must_use]
fn raw_headers(raw: &[u8]) -> Vec<(Arc<str>, Arc<str>)> {
    let text = String::from_utf8_lossy(raw);
    let lines = text.split("\r\n").skip(1);
    lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            // One blank after the colon belongs to the format, further ones to the value.
            Some((name.into(), value.strip_prefix(' ').unwrap_or(value).into()))
        })
        .collect()
}

/// A message as `STREAM.MSG.GET` answers it: exact to the byte.
#[derive(Debug, Deserialize)]
pub(crate) struct RawMessage {
    seq: u64,
    subject: String,
    hdrs: Option<String>,
    data: Option<String>,
    time: Option<Timestamp>,
}

impl RawMessage {
    /// The message itself.
    ///
    /// # Errors
    /// When its headers or its payload are no base64.
    pub(crate) fn decode(self) -> Result<Stored, base64::DecodeError> {
        let bytes = |text: Option<String>| STANDARD.decode(text.unwrap_or_default());
        Ok(Stored {
            sequence: self.seq,
            subject: self.subject.into(),
            headers: raw_headers(&bytes(self.hdrs)?),
            payload: bytes(self.data)?.into(),
            at: self.time,
        })
    }
}

/// The answer to `STREAM.MSG.GET`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Got {
    error: Maybe<ErrorBody>,
    message: Option<RawMessage>,
}

impl api::Answer for Got {
    fn error(&mut self) -> Option<ErrorBody> {
        self.error.0.take()
    }
}

impl Got {
    fn stored(self) -> Result<Stored, String> {
        let raw = self.message.ok_or("it holds no message")?;
        raw.decode().map_err(|error| error.to_string())
    }
}

/// One message over the API, exact to the byte; `None`: none fits. `wanted` is the request's body.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn one(api: &Api, stream: &str, wanted: &serde_json::Value) -> Result<Option<Stored>, ApiError> {
    let got: Option<Got> = api.message(stream, wanted).await?;
    let stored = got.map(Got::stored).transpose();
    stored.map_err(ApiError::Unreadable)
}

/// The answer to `STREAM.MSG.GET`.
pub(super) fn exact(payload: &[u8], stream: &str) -> Result<Answer, LetterError> {
    let mut got: Got = serde_json::from_slice(payload).map_err(|error| LetterError::Unreadable(error.to_string()))?;
    if let Some(failed) = got.error.0.take() {
        return match failed.err_code() {
            NO_MESSAGE => Ok(Answer::Missing),
            NO_STREAM => Err(LetterError::NoStream(text::safe(stream).into_owned())),
            code => Err(LetterError::Refused {
                description: text::safe(failed.description()).into_owned(),
                code: if code == 0 { failed.code() } else { code },
            }),
        };
    }
    Ok(Answer::Found {
        stored: Box::new(got.stored().map_err(LetterError::Unreadable)?),
        batched: false,
        faithful: true,
    })
}

/// The answer to a direct get. The client has parsed its headers: values are trimmed, and their
/// order is kept under one name only, so they are sorted by name.
pub(super) fn direct(message: Message, names: &mut Names) -> Result<Answer, LetterError> {
    match message.status {
        None | Some(StatusCode::OK) => {}
        Some(StatusCode::NO_RESPONDERS) => {
            return Err(LetterError::NoResponders(message.subject.to_string()));
        }
        Some(status) => {
            return match status.as_u16() {
                204 => Ok(Answer::Over),
                404 => Ok(Answer::Missing),
                code => Err(LetterError::Refused {
                    description: text::safe(message.description.as_deref().unwrap_or("no description")).into_owned(),
                    code: code.into(),
                }),
            };
        }
    }
    let outside = message.subject.len() + message.reply.as_ref().map_or(0, |reply| reply.len());
    let stored = message.length.saturating_sub(outside + message.payload.len());
    let headers = message.headers.unwrap_or_default();
    // Blanks that the client cut off, or lines that it joined, are missing.
    let faithful = written(&headers) == stored;
    let batched = headers.get(PENDING).is_some();
    let mut added: [Option<&str>; ADDED.len()] = [None; ADDED.len()];
    let mut own: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(headers.len());
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        let place = ADDED.iter().position(|known| *known == name);
        let is_added = place.is_some() || (batched && BATCHED.contains(&name));
        // A message that was republished has headers of these names itself: the server's come last.
        let kept = values.len() - usize::from(is_added);
        if let Some(place) = place {
            added[place] = values.last().map(async_nats::HeaderValue::as_str);
        }
        if kept > 0 {
            let name = names.of(name);
            own.extend(
                values
                    .iter()
                    .take(kept)
                    .map(|value| (name.clone(), value.as_str().into())),
            );
        }
    }
    own.sort_by(|(a, _), (b, _)| a.cmp(b));
    let [subject, sequence, _, at] = added;
    let missing = |name: &str| LetterError::Unreadable(format!("a direct get without {name}"));
    Ok(Answer::Found {
        stored: Box::new(Stored {
            sequence: sequence
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| missing(SEQUENCE))?,
            subject: names.of(subject.ok_or_else(|| missing(SUBJECT))?),
            headers: own,
            payload: message.payload,
            at: at.and_then(|text| text.parse().ok()),
        }),
        batched,
        faithful,
    })
}

/// Words that come again and again, each of them once: the names of headers, and subjects.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Vec<Arc<str>>,
}

impl Names {
    /// Words that are remembered: letters of one worker have few, and more would take longer to
    /// find than to make.
    const MOST: usize = 32;

    fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        if self.known.len() < Self::MOST {
            self.known.push(name.clone());
        }
        name
    }
}

/// The bytes of headers as the client would write them.
fn written(headers: &async_nats::HeaderMap) -> usize {
    let line = |name: &str, value: &str| name.len() + ": ".len() + value.len() + "\r\n".len();
    let lines = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| line(name.as_ref(), value.as_str())));
    "NATS/1.0\r\n".len() + lines.sum::<usize>() + "\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_headers_are_read_with_repeats_and_order() {
        let raw = b"NATS/1.0\r\nX-B: 1\r\nX-A:two\r\nX-B:  3: x\r\n\r\n";
        let headers = raw_headers(raw);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(headers, [("X-B", "1"), ("X-A", "two"), ("X-B", " 3: x")]);
        assert!(raw_headers(b"").is_empty());
    }

    #[test]
    fn an_answer_of_the_api_is_a_message_nothing_or_an_error() {
        let found = exact(
            br#"{"message":{"subject":"a.b","seq":7,"hdrs":"TkFUUy8xLjANClgtQTogMQ0KDQo=","data":"/w==","time":"2026-11-21T04:00:00Z"}}"#,
            "s",
        );
        let Ok(Answer::Found { stored, .. }) = found else {
            panic!("{found:?}");
        };
        assert_eq!(
            (stored.sequence, &*stored.subject, &stored.payload[..]),
            (7, "a.b", &[0xff][..])
        );
        assert_eq!(stored.headers, [("X-A".into(), "1".into())]);
        let none = br#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
        assert_eq!(exact(none, "s"), Ok(Answer::Missing));
        let gone = br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert_eq!(exact(gone, "s"), Err(LetterError::NoStream("s".into())));
        assert!(matches!(exact(b"nonsense", "s"), Err(LetterError::Unreadable(_))));
        assert!(matches!(exact(b"{}", "s"), Err(LetterError::Unreadable(_))));
    }

    fn answer(status: Option<u16>, headers: &[(&str, &str)]) -> Message {
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        Message {
            subject: "_INBOX.x.1".into(),
            reply: None,
            payload: "body".into(),
            headers: Some(map),
            status: status.map(|code| StatusCode::from_u16(code).unwrap()),
            description: None,
            length: 0,
        }
    }

    #[test]
    fn a_direct_get_keeps_what_a_republished_message_says_of_its_own_origin() {
        let message = answer(
            None,
            &[
                ("Nats-Subject", "first.place"),
                ("X-Twice", "a"),
                ("X-Twice", "b"),
                ("Nats-Stream", "DLQ"),
                ("Nats-Subject", "dlq.x"),
                ("Nats-Sequence", "9"),
                ("Nats-Time-Stamp", "2026-11-21T04:00:00Z"),
            ],
        );
        let Ok(Answer::Found { stored, batched, .. }) = direct(message, &mut Names::default()) else {
            panic!("no message");
        };
        assert!(!batched);
        assert_eq!((stored.sequence, &*stored.subject), (9, "dlq.x"));
        let own: Vec<(&str, &str)> = stored.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            own,
            [("Nats-Subject", "first.place"), ("X-Twice", "a"), ("X-Twice", "b")]
        );
    }

    #[test]
    fn a_direct_get_tells_nothing_from_the_end_of_a_batch_and_from_nobody() {
        assert_eq!(
            direct(answer(Some(404), &[]), &mut Names::default()),
            Ok(Answer::Missing)
        );
        assert_eq!(direct(answer(Some(204), &[]), &mut Names::default()), Ok(Answer::Over));
        assert!(matches!(
            direct(answer(Some(503), &[]), &mut Names::default()),
            Err(LetterError::NoResponders(_))
        ));
        assert!(matches!(
            direct(answer(Some(408), &[]), &mut Names::default()),
            Err(LetterError::Refused { code: 408, .. })
        ));
        assert!(matches!(
            direct(answer(None, &[]), &mut Names::default()),
            Err(LetterError::Unreadable(_))
        ));
    }
}
