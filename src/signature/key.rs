//! Key formats: what a pasted secret may look like, and what is wrong with it when it does not.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{SigningKey, VerifyingKey};
use hmac::KeyInit as _;
use sha2::Sha256;

use super::Scheme;

/// HMAC-SHA256, its key already mixed in; cloned for every message.
pub(super) type HmacSha256 = hmac::Hmac<Sha256>;

/// Keys come with and without padding.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which side of a scheme a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// The provider's: it signs.
    Signing,
    /// The receiver's: it verifies.
    Verifying,
}

/// A key that does not fit its scheme. Never quotes the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} key for {scheme}: {reason} → {next}", match role { KeyRole::Signing => "signing", KeyRole::Verifying => "verifying" })]
pub struct KeyError {
    /// The scheme.
    pub scheme: Scheme,
    /// What the key was meant for.
    pub role: KeyRole,
    /// What is wrong with it.
    pub reason: String,
    /// What to give instead.
    pub next: &'static str,
}

/// What is wrong with a key, before it is said of which scheme.
#[derive(Debug)]
pub(super) struct Problem {
    reason: String,
    next: &'static str,
}

impl Problem {
    pub(super) fn new(reason: impl Into<String>, next: &'static str) -> Self {
        Self {
            reason: reason.into(),
            next,
        }
    }

    pub(super) fn of(self, scheme: &Scheme, role: KeyRole) -> KeyError {
        KeyError {
            scheme: scheme.clone(),
            role,
            reason: self.reason,
            next: self.next,
        }
    }
}

/// What holds for every key: it is not empty and is no line of a file with its end.
pub(super) fn checked(text: &str) -> Result<&str, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(
            "it is empty",
            "set the environment variable or file that holds it",
        ));
    }
    // A PEM block ends in a line break and has more within.
    let is_pem = text.trim_start().starts_with("-----BEGIN");
    if !is_pem && text.contains(['\n', '\r']) {
        return Err(Problem::new(
            "it contains a line break",
            "remove it: a file's last line end is not part of a key",
        ));
    }
    Ok(text)
}

/// A key for HMAC-SHA256; any length will do.
pub(super) fn hmac_sha256(key: &[u8]) -> HmacSha256 {
    #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of every length")]
    HmacSha256::new_from_slice(key).expect("invariant: HMAC takes a key of any length")
}

/// Base64 after an optional prefix. `kin` are prefixes of keys that look alike and are not meant.
pub(super) fn prefixed_base64(text: &str, prefix: &str, kin: &[(&str, &'static str)]) -> Result<Vec<u8>, Problem> {
    for (other, next) in kin {
        if text.starts_with(other) {
            return Err(Problem::new(format!("it begins with {other}, not with {prefix}"), next));
        }
    }
    let decoded = KEY_BASE64
        .decode(text.strip_prefix(prefix).unwrap_or(text))
        .map_err(|_| {
            Problem::new(
                format!("it is not base64 (after an optional {prefix})"),
                "copy it again, whole",
            )
        })?;
    if decoded.is_empty() {
        return Err(Problem::new(
            format!("nothing follows {prefix}"),
            "copy it again, whole",
        ));
    }
    Ok(decoded)
}

/// Base64 without any prefix.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    KEY_BASE64.decode(text).ok()
}

/// An Ed25519 private key from its 32-byte seed, or from seed and public key together.
pub(super) fn ed25519_signing(bytes: &[u8], next: &'static str) -> Result<SigningKey, Problem> {
    if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
        return Ok(SigningKey::from_bytes(seed));
    }
    if let Ok(pair) = <&[u8; 64]>::try_from(bytes) {
        return SigningKey::from_keypair_bytes(pair)
            .map_err(|_| Problem::new("its public half does not belong to its private half", next));
    }
    Err(Problem::new(
        format!("it has {} bytes where 32 or 64 are needed", bytes.len()),
        next,
    ))
}

/// An Ed25519 public key.
pub(super) fn ed25519_verifying(bytes: &[u8], next: &'static str) -> Result<VerifyingKey, Problem> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| {
        let hint = if bytes.len() == 64 {
            " (64 bytes: a private key?)"
        } else {
            ""
        };
        Problem::new(format!("it has {} bytes where 32 are needed{hint}", bytes.len()), next)
    })?;
    let key =
        VerifyingKey::from_bytes(bytes).map_err(|_| Problem::new("it is no point of the curve of Ed25519", next))?;
    if key.is_weak() {
        return Err(Problem::new("it is a weak key that anyone can sign for", next));
    }
    Ok(key)
}
