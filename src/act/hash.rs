//! Names that follow from what they name.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::base::time::Timestamp;

/// The first 16 bytes of the SHA-256 of `bytes`, in hex.
#[must_use]
pub fn short(bytes: &[u8]) -> Arc<str> {
    let digest = Sha256::digest(bytes);
    hex::encode(&digest[..16]).into()
}

/// The id of a replayed letter, for `Nats-Msg-Id` and `Hookwatch-Replay-Id`: the same whoever
/// replays this letter, another for every other letter and attempt.
#[must_use]
pub fn replay_id(dlq: &str, created: Timestamp, sequence: u64, attempt: u64) -> Arc<str> {
    short(format!("{dlq}\n{}\n{sequence}\n{attempt}", created.as_nanosecond()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_id_names_one_letter_and_one_attempt() {
        let id =
            |dlq, second, sequence, attempt| replay_id(dlq, Timestamp::from_second(second).unwrap(), sequence, attempt);
        let first = id("dlq", 1, 7, 1);
        assert_eq!(first, id("dlq", 1, 7, 1));
        assert_eq!(first.len(), 32);
        for other in [
            id("dlq2", 1, 7, 1),
            id("dlq", 2, 7, 1),
            id("dlq", 1, 8, 1),
            id("dlq", 1, 7, 2),
        ] {
            assert_ne!(first, other);
        }
    }
}
