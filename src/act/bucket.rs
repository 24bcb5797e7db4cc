//! The key-value bucket in which operators meet: leases, and copies of journals. Made by hand,
//! because the client's own way asks the server for what 2.9 does not answer.

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::exchange::{Exchange, ExchangeError, NO_STREAM, PATIENCE, WRONG_LAST_SEQUENCE};
use super::hash;
use crate::base::time::Timestamp;

/// The bucket.
pub const BUCKET: &str = "hookwatch";

/// Its stream.
pub const STREAM: &str = "KV_hookwatch";

/// Why a value was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// Somebody else wrote it in between.
    #[error("somebody else wrote it")]
    Conflict,
    /// It could not be asked or written.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The value is none of ours.
    #[error("it holds what this program does not know: {0}")]
    Unknown(String),
}

/// A value and the revision that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revised<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: u64,
    /// When it was written, by the server's clock.
    pub at: Option<Timestamp>,
}

/// Makes the bucket where it is missing.
///
/// # Errors
/// When it can be neither found nor made.
pub async fn ensure(exchange: &Exchange, replicas: u32) -> Result<(), ExchangeError> {
    match exchange.stream(STREAM).await {
        Ok(_) => return Ok(()),
        Err(error) if error.code() == Some(NO_STREAM) => {}
        Err(error) => return Err(error),
    }
    let config = json!({
        "name": STREAM,
        "description": "hookwatch: leases and journals of replays",
        "subjects": [format!("$KV.{BUCKET}.>")],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msg_size": -1,
        "max_consumers": -1,
        "num_replicas": replicas.max(1),
        "allow_rollup_hdrs": true,
        "deny_delete": true,
    });
    exchange
        .ask::<serde::de::IgnoredAny>(&format!("STREAM.CREATE.{STREAM}"), &config)
        .await?;
    Ok(())
}

/// A key of a DLQ: streams' names may hold what keys may not.
#[must_use]
pub fn key(kind: &str, dlq: &str) -> String {
    let plain = dlq
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain {
        format!("{kind}.{dlq}")
    } else {
        format!("{kind}.={}", hash::short(dlq.as_bytes()))
    }
}

/// Reads a value.
///
/// # Errors
/// When it cannot be read.
pub async fn get<T: for<'a> Deserialize<'a>>(
    exchange: &Exchange,
    key: &str,
) -> Result<Option<Revised<T>>, BucketError> {
    let found = match exchange.last(STREAM, &subject(key)).await {
        Err(error) if error.code() == Some(NO_STREAM) => None,
        found => found?,
    };
    let Some(found) = found.filter(|found| found.header("KV-Operation").is_none()) else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&found.payload).map_err(|error| BucketError::Unknown(error.to_string()))?;
    Ok(Some(Revised {
        value,
        revision: found.sequence,
        at: found.at,
    }))
}

/// Writes a value where `expected` is its revision (0: there is none) and returns the new one.
///
/// # Errors
/// When somebody else wrote it in between, or it may not have been written.
pub async fn put<T: Serialize + Sync>(
    exchange: &Exchange,
    key: &str,
    value: &T,
    expected: Option<u64>,
) -> Result<u64, BucketError> {
    let payload = serde_json::to_vec(value).map_err(|error| BucketError::Unknown(error.to_string()))?;
    let mut headers = HeaderMap::new();
    if let Some(expected) = expected {
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
    }
    headers.insert("Nats-Expected-Stream", STREAM);
    let answer = exchange.send(subject(key), headers, Bytes::from(payload)).await?;
    match answer.acked(PATIENCE).await {
        Ok(ack) => Ok(ack.sequence),
        Err(error) if error.code() == Some(WRONG_LAST_SEQUENCE) => Err(BucketError::Conflict),
        Err(error) => Err(error.into()),
    }
}

fn subject(key: &str) -> String {
    format!("$KV.{BUCKET}.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_valid_for_any_stream() {
        assert_eq!(key("lease", "webhooks_dlq-1"), "lease.webhooks_dlq-1");
        let odd = key("lease", "a/b+c");
        assert!(odd.starts_with("lease.=") && odd.len() == 39, "{odd}");
        assert_ne!(odd, key("lease", "a/b+d"));
    }
}
