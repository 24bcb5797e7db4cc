//! From a letter to the message that is published.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue, NATS_MESSAGE_ID};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::act::exchange::{ExchangeError, Stored};
use crate::act::journal::{How, Intent};
use crate::act::plan::{REPLAY_ID, is_kept_by};

/// The headers and the payload of a letter's replay: the webhook's own headers as they are, none
/// of the DLQ's or NATS's, our id, and what an edited replay replaces.
///
/// # Errors
/// When a header cannot be sent.
pub(super) fn message(letter: &Stored, intent: &Intent, how: &How) -> Result<(HeaderMap, Bytes), ExchangeError> {
    let mut headers = HeaderMap::new();
    let is_replaced = |name: &str| how.headers.iter().any(|(new, _)| new.eq_ignore_ascii_case(name));
    let own = letter
        .headers
        .iter()
        .filter(|(name, _)| is_kept_by(how.purpose, name) && !is_replaced(name));
    let new = how.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.map(|(name, value)| (&**name, &**value)).chain(new) {
        let unsent = || ExchangeError::Unsent(format!("the header {} cannot be sent", crate::base::text::safe(name)));
        let name: HeaderName = name.parse().map_err(|_| unsent())?;
        let value: HeaderValue = value.parse().map_err(|_| unsent())?;
        headers.append(name, value);
    }
    headers.insert(NATS_MESSAGE_ID, &*intent.id);
    headers.insert("Nats-Expected-Stream", &*intent.stream);
    headers.insert(REPLAY_ID, &*intent.id);
    let payload = match &how.payload {
        None => letter.payload.clone(),
        Some(text) => STANDARD
            .decode(text)
            .map_err(|error| ExchangeError::Unsent(format!("the edited payload is damaged: {error}")))?
            .into(),
    };
    Ok((headers, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::journal::Purpose;

    fn letter() -> Stored {
        let headers = [
            ("X-Signature", "t=1,v1=ab"),
            ("x-Twice", "a"),
            ("x-Twice", " b"),
            ("Nats-Msg-Id", "old"),
            ("Nats-Rollup", "all"),
            ("X-NATS-DLQ-Reason", "boom"),
            ("Hookwatch-Replay-Id", "earlier"),
        ];
        Stored {
            sequence: 7,
            subject: "dlq.webhook.a.b".into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            payload: Bytes::from_static(b"\x00\xff{"),
            at: None,
        }
    }

    fn intent() -> Intent {
        Intent {
            window: 1,
            letter: 7,
            hash: "h".into(),
            id: "abc".into(),
            subject: "webhook.a.b".into(),
            stream: "webhooks".into(),
        }
    }

    fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).map(|value| value.as_str().to_owned()).collect()
    }

    #[test]
    fn the_webhook_is_what_it_was_and_nothing_of_the_dlq_goes_along() {
        let (headers, payload) = message(&letter(), &intent(), &How::default()).unwrap();
        assert_eq!(payload, letter().payload);
        assert_eq!(values(&headers, "X-Signature"), ["t=1,v1=ab"]);
        assert_eq!(values(&headers, "x-Twice"), ["a", " b"]);
        assert_eq!(values(&headers, "Nats-Msg-Id"), ["abc"]);
        assert_eq!(values(&headers, "Hookwatch-Replay-Id"), ["abc"]);
        assert_eq!(values(&headers, "Nats-Expected-Stream"), ["webhooks"]);
        assert!(headers.get("Nats-Rollup").is_none() && headers.get("X-NATS-DLQ-Reason").is_none());
    }

    #[test]
    fn an_archived_letter_keeps_what_it_says_of_its_death() {
        let how = How {
            purpose: Purpose::Archive,
            ..How::default()
        };
        let (headers, _) = message(&letter(), &intent(), &how).unwrap();
        assert_eq!(values(&headers, "X-NATS-DLQ-Reason"), ["boom"]);
        assert!(headers.get("Nats-Rollup").is_none());
    }

    #[test]
    fn an_edited_replay_replaces_payload_and_signature() {
        let how = How {
            payload: Some(STANDARD.encode("{}")),
            headers: vec![("x-signature".into(), "new".into())],
            ..How::default()
        };
        let (headers, payload) = message(&letter(), &intent(), &how).unwrap();
        assert_eq!(&payload[..], b"{}");
        assert_eq!(values(&headers, "x-signature"), ["new"]);
        assert!(
            headers.get("X-Signature").is_none(),
            "the old one does not stay beside it"
        );
    }
}
