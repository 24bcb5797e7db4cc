//! Signatures as they stand in headers, and the comparison that leaks no timing.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

use super::Rejection;
use super::key::HmacSha256;

/// Signatures of one header that are looked at. A sender that rotates keys sends two; a stranger
/// must not make us check thousands.
const CANDIDATES: usize = 8;

/// The MAC over `parts`, one after the other.
pub(super) fn mac(key: &HmacSha256, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Base64 as senders write it.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 of exactly `N` bytes, padded.
pub(super) fn from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Room for what decoding may touch before it knows the padding.
    let mut room = [0u8; 96];
    let len = STANDARD.decode_slice(text, &mut room).ok()?;
    room[..len].try_into().ok()
}

/// Hex of exactly `N` bytes.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Accepts when one of the candidates of a header is the signature.
pub(super) fn accept_any<'a, const N: usize>(
    header: &str,
    candidates: impl Iterator<Item = &'a str>,
    decode: fn(&str) -> Option<[u8; N]>,
    is_valid: impl Fn(&[u8; N]) -> bool,
) -> Result<(), Rejection> {
    let mut seen = false;
    for candidate in candidates.take(CANDIDATES).filter_map(decode) {
        seen = true;
        if is_valid(&candidate) {
            return Ok(());
        }
    }
    Err(if seen {
        Rejection::Mismatch
    } else {
        Rejection::Malformed {
            header: Cow::Owned(header.to_owned()),
            reason: "it holds no signature of this scheme",
        }
    })
}

/// Whether two MACs are the same, in constant time.
pub(super) fn same<const N: usize>(left: &[u8; N], right: &[u8; N]) -> bool {
    left.ct_eq(right).into()
}
