//! Names that follow from what they name.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::base::time::Timestamp;

/// Bytes of a hash.
const LENGTH: usize = 16;

/// The first 16 bytes of the SHA-256 of `bytes`, in hex.
#[must_use]
pub fn short(bytes: &[u8]) -> Arc<str> {
    digits(bytes, |digits| digits.into())
}

/// Gives those digits to `take`, without keeping them.
pub fn digits<T>(bytes: &[u8], take: impl FnOnce(&str) -> T) -> T {
    let mut digits = [0; 2 * LENGTH];
    let digest = Sha256::digest(bytes);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    take(std::str::from_utf8(&digits).unwrap_or_default())
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
    fn a_hash_is_the_beginning_of_a_sha_256() {
        // The digest of "abc" in FIPS 180-2.
        assert_eq!(&*short(b"abc"), "ba7816bf8f01cfea414140de5dae2223");
    }

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
