//! From a letter to the message that is published.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue, NATS_MESSAGE_ID};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::act::exchange::{ExchangeError, Stored};
use crate::act::journal::{How, Intent};
use crate::act::plan::{REPLAY_ID, is_kept_by};
use crate::base::time::Timestamp;
use crate::model::letters;
use crate::signature::Signer;

/// The headers and the payload of a letter's replay: the webhook's own headers as they are, none
/// of the DLQ's or NATS's, our id, the payload of an edited replay, and new signatures from
/// `signer` with their time.
///
/// # Errors
/// When a header cannot be sent.
pub(super) fn message(
    letter: &Stored,
    intent: &Intent,
    how: &How,
    signer: Option<(&Signer, Timestamp)>,
) -> Result<(HeaderMap, Bytes), ExchangeError> {
    let payload: Bytes = match &how.payload {
        None => letter.payload.clone(),
        Some(text) => STANDARD
            .decode(text)
            .map_err(|error| ExchangeError::Unsent(format!("the edited payload is damaged: {error}")))?
            .into(),
    };
    let new = signer.filter(|_| how.sign.is_some()).map(|(signer, timestamp)| {
        signer.sign(&crate::signature::Message {
            id: letters::webhook_id(&letter.headers).unwrap_or(&intent.id),
            timestamp,
            body: &payload,
            url: how.to_url.as_deref().unwrap_or_default(),
        })
    });
    let new = new.unwrap_or_default();
    let mut headers = HeaderMap::new();
    let is_replaced = |name: &str| new.iter().any(|(new, _)| new.eq_ignore_ascii_case(name));
    let own = letter
        .headers
        .iter()
        .filter(|(name, _)| is_kept_by(how, name) && !is_replaced(name));
    // NATS tells names apart by their case: whoever reads them knows them as they were spelled.
    let spelled = |name| {
        let mut names = letter.headers.iter().map(|(known, _)| &**known);
        names.find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
    };
    let new = new.iter().map(|(name, value)| (spelled(name.as_str()), value.as_str()));
    for (name, value) in own.map(|(name, value)| (&**name, &**value)).chain(new) {
        let unsent = || ExchangeError::Unsent(format!("the header {} cannot be sent", crate::base::text::safe(name)));
        let name: HeaderName = name.parse().map_err(|_| unsent())?;
        let value: HeaderValue = value.parse().map_err(|_| unsent())?;
        headers.append(name, value);
    }
    headers.insert(NATS_MESSAGE_ID, &*intent.id);
    headers.insert("Nats-Expected-Stream", &*intent.stream);
    headers.insert(REPLAY_ID, &*intent.id);
    Ok((headers, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::act::journal::Purpose;
    use crate::signature::{Scheme, Verifier};

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
        let (headers, payload) = message(&letter(), &intent(), &How::default(), None).unwrap();
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
        let (headers, _) = message(&letter(), &intent(), &how, None).unwrap();
        assert_eq!(values(&headers, "X-NATS-DLQ-Reason"), ["boom"]);
        assert!(headers.get("Nats-Rollup").is_none());
    }

    #[test]
    fn an_edited_replay_replaces_payload_and_signature() {
        let scheme: Scheme = "hmac-sha256-hex:X-Signature".parse().unwrap();
        let signer = Signer::new(&scheme, &"key".to_owned().into()).unwrap();
        let verifier = Verifier::new(&scheme, &"key".to_owned().into()).unwrap();
        let how = How {
            payload: Some(STANDARD.encode("{}")),
            sign: Some(scheme.name().into()),
            ..How::default()
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let (headers, payload) = message(&letter(), &intent(), &how, Some((&signer, now))).unwrap();
        assert_eq!(&payload[..], b"{}");
        assert_eq!(
            values(&headers, "x-signature"),
            Vec::<String>::new(),
            "spelled as it was"
        );
        // A verifier asks as HTTP does, whatever the case.
        let is_it = |name: &str, known: &HeaderName| known.to_string().eq_ignore_ascii_case(name);
        let header = |name: &str| {
            let mut all = headers.iter();
            all.find(|(known, _)| is_it(name, known))
                .map(|(_, values)| values[0].as_str())
        };
        let verdict = verifier.verify(&header, &payload, "", now, Duration::from_secs(1));
        assert!(verdict.is_ok(), "{verdict:?}");
        assert_eq!(
            values(&headers, "X-Signature").len(),
            1,
            "the old one does not stay beside it"
        );
    }
}
