//! The headers of a message that is held: text until somebody wants them. Most messages are acked
//! and nobody ever does; as a map they would take twice the room of the payload.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};

/// Between two headers. Neither a name nor a value can hold it.
const BREAK: &str = "\r\n";

/// Between a name and its value. No name can hold it.
const COLON: char = ':';

/// A message's headers in one piece of text.
#[derive(Debug, Default)]
pub(super) struct Headers(Box<str>);

impl Headers {
    pub(super) fn pack(map: Option<&HeaderMap>) -> Self {
        let headers = || map.into_iter().flat_map(HeaderMap::iter);
        let parts =
            || headers().flat_map(|(name, values)| values.iter().map(move |value| (name.as_ref(), value.as_str())));
        let length = parts()
            .map(|(name, value): (&str, &str)| name.len() + COLON.len_utf8() + value.len() + BREAK.len())
            .sum();
        let mut text = String::with_capacity(length);
        for (name, value) in parts() {
            text.push_str(name);
            text.push(COLON);
            text.push_str(value);
            text.push_str(BREAK);
        }
        Self(text.into_boxed_str())
    }

    pub(super) fn unpack(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in self.0.split(BREAK).filter_map(|line| line.split_once(COLON)) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                map.append(name, value);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let mut map = HeaderMap::new();
        map.insert("Nats-Msg-Id", "resend-msg_1");
        map.insert("X-Webhook-Received-At", "2026-01-01T00:00:00Z");
        map.append("X-Twice", "a: b");
        map.append("X-Twice", " c, d ");
        map.insert("x-empty", "");
        assert_eq!(Headers::pack(Some(&map)).unpack(), map);
        assert_eq!(Headers::pack(None).unpack(), HeaderMap::new());
    }
}
