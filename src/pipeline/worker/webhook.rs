//! A message of the stream as the worker sees it.

use async_nats::jetstream::Message;
use async_nats::jetstream::message::Info;
use async_nats::{HeaderMap, HeaderValue, Subject};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::fault::{self, Failure};
use super::headers::Headers;
use crate::base::time::Timestamp;
use crate::pipeline::metrics::UNKNOWN;
use crate::pipeline::provider::Provider;
use crate::pipeline::{envelope, topology};

/// A webhook in a worker's hands.
#[derive(Debug)]
pub(super) struct Webhook {
    /// Where acks go.
    pub(super) reply: Subject,
    pub(super) subject: Subject,
    pub(super) headers: Headers,
    pub(super) payload: Bytes,
    /// Its sequence in the stream.
    pub(super) sequence: u64,
    /// Which delivery this is, from 1.
    pub(super) delivery: u64,
    /// The key that makes processing idempotent.
    pub(super) id: String,
    pub(super) received_at: Timestamp,
    pub(super) recipient: Option<String>,
    /// Why it cannot be processed.
    pub(super) failure: Option<Failure>,
}

/// What the worker reads of a body.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// What a test or a demo asks for.
    #[serde(borrow, default)]
    hookwatch: Option<&'a RawValue>,
}

impl Webhook {
    /// Reads a message. `None` when it is none of a consumer's. Its payload is
    /// copied: as a part of what came over the wire it would keep all of that in memory.
    pub(super) fn read(message: Message, now: Timestamp) -> Option<Self> {
        let (reply, info) = (message.reply.clone()?, message.info().ok()?);
        let (sequence, delivery) = (info.stream_sequence, u64::try_from(info.delivered).unwrap_or(1));
        let (provider, _) = parts(&message.subject);
        let headers = message.headers.as_ref();
        let header = |name: &str| headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
        let mut id = header(envelope::ID).map_or_else(|| fallback_id(headers, &info), str::to_owned);
        let received_at = header(envelope::RECEIVED_AT)
            .and_then(|text| text.parse().ok())
            .or_else(|| Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).ok())
            .unwrap_or(now);
        let (recipient, failure) = match read_body(&message.payload, provider, sequence, delivery) {
            Ok(recipient) => (recipient, None),
            Err(failure) => (None, Some(failure)),
        };
        // Postgres takes no NUL.
        let nul = id.contains('\0') || recipient.as_ref().is_some_and(|recipient| recipient.contains('\0'));
        id.retain(|c| c != '\0');
        let (headers, payload) = (Headers::pack(headers), Bytes::copy_from_slice(&message.payload));
        Some(Self {
            reply,
            subject: message.message.subject,
            headers,
            payload,
            sequence,
            delivery,
            id,
            received_at,
            recipient,
            failure: failure.or_else(|| nul.then(|| Failure::malformed("a text holds a NUL character"))),
        })
    }

    pub(super) fn provider(&self) -> &str {
        parts(&self.subject).0
    }

    pub(super) fn event(&self) -> &str {
        parts(&self.subject).1
    }
}

/// Provider and event, as the subject names them.
fn parts(subject: &str) -> (&str, &str) {
    topology::parts(subject).unwrap_or((UNKNOWN, UNKNOWN))
}

/// The id of a message that did not come through the gateway: its message id; else its place in
/// the stream. A replayed message's own id names the replay and not the webhook, but replays keep
/// the gateway's header.
fn fallback_id(headers: Option<&HeaderMap>, info: &Info<'_>) -> String {
    headers
        .and_then(|headers| headers.get(async_nats::header::NATS_MESSAGE_ID))
        .map_or_else(
            || format!("{}-{}", info.stream, info.stream_sequence),
            |id| id.as_str().to_owned(),
        )
}

/// The recipient, or why the webhook cannot be processed.
fn read_body(payload: &[u8], provider: &str, sequence: u64, delivery: u64) -> Result<Option<String>, Failure> {
    let body: Body<'_> = match serde_json::from_slice(payload) {
        Ok(body) => body,
        // Valid, but no object of ours: nothing to read in it.
        Err(_) if serde_json::from_slice::<IgnoredAny>(payload).is_ok() => return Ok(None),
        Err(error) => return Err(Failure::malformed(&format!("payload is not JSON: {error}"))),
    };
    if let Some(failure) = body
        .hookwatch
        .and_then(|asked| fault::asked_for(asked, sequence, delivery))
    {
        return Err(failure);
    }
    Ok(body.data.and_then(|data| Provider::named(provider)?.recipient(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_read_where_the_provider_has_one() {
        let body = br#"{"type":"email.sent","data":{"to":["a@b.example"]}}"#;
        assert_eq!(read_body(body, "resend", 1, 1).unwrap().as_deref(), Some("a@b.example"));
        assert_eq!(read_body(body, "stranger", 1, 1).unwrap(), None);
        for valid in [&b"[1]"[..], b"7", b"{}", br#"{"data":7,"hookwatch":7}"#] {
            assert_eq!(
                read_body(valid, "telnyx", 1, 1).unwrap(),
                None,
                "valid JSON is no failure"
            );
        }
    }

    #[test]
    fn what_is_no_json_fails() {
        for payload in [&b""[..], b"{", b"\xff", b"{} {}"] {
            assert_eq!(read_body(payload, "telnyx", 1, 1).unwrap_err().reason, "malformed");
        }
    }

    #[test]
    fn poison_fails_as_it_asks_to() {
        let body = br#"{"data":{},"hookwatch":{"poison":"timeout"}}"#;
        assert_eq!(read_body(body, "telnyx", 1, 1).unwrap_err().reason, "timeout");
    }
}
