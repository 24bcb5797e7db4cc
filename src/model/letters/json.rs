//! Letters as JSON: what lists, exports and imports agree on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::died;
use crate::sample::{LetterOrigin, Stored};

/// What a list says of a letter. `null` is what nobody said.
#[must_use]
pub fn summary(letter: &Stored, origin: &LetterOrigin) -> Value {
    let (provider, event) = super::label(origin);
    json!({
        "sequence": letter.sequence,
        "died_at": died(origin, letter.at),
        "original_subject": origin.subject,
        "provider": provider,
        "event": event,
        "id": super::webhook_id(&letter.headers),
        "deliveries": origin.deliveries,
        "reason": origin.reason,
        "bytes": letter.payload.len(),
    })
}

/// All of a letter: text as `payload`, anything else as `payload_base64`.
#[must_use]
pub fn whole(letter: &Stored, origin: &LetterOrigin) -> Value {
    let mut value = summary(letter, origin);
    let empty = &mut Map::new();
    let object = value.as_object_mut().unwrap_or(empty);
    object.insert("subject".to_owned(), json!(letter.subject));
    object.insert("stored_at".to_owned(), json!(letter.at));
    object.insert("stream".to_owned(), json!(origin.stream));
    object.insert("stream_sequence".to_owned(), json!(origin.sequence));
    object.insert("consumer".to_owned(), json!(origin.consumer));
    object.insert("headers".to_owned(), json!(letter.headers));
    match std::str::from_utf8(&letter.payload) {
        Ok(text) => object.insert("payload".to_owned(), json!(text)),
        Err(_) => object.insert("payload_base64".to_owned(), json!(STANDARD.encode(&letter.payload))),
    };
    value
}
