//! Telnyx: API v2 signs `timestamp|body` with Ed25519, API v1 signs `timestamp.body` with
//! HMAC-SHA256 and the messaging profile's secret (`X-Telnyx-Signature: t=…,h=…`).
//!
//! The receiver's key of v2 is the base64 public key of the portal; the provider's, which only
//! tests hold, is the 32-byte seed in hex or base64.

use std::borrow::Cow;

use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};

use super::codec::{accept_any, from_base64, from_hex, mac, same, to_base64};
use super::key::{self, HmacSha256, Problem};
use super::{Message, Received, Rejection, Sign, Verify};

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";
const LEGACY: &str = "x-telnyx-signature";

/// v2, the provider's side.
pub(super) struct Ed25519Signer {
    key: SigningKey,
}

impl Ed25519Signer {
    pub(super) fn new(secret: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the private key: a 32-byte seed as 64 hex digits or base64";
        let bytes = match from_hex::<32>(secret) {
            Some(seed) => seed.to_vec(),
            None => key::base64(secret).ok_or_else(|| Problem::new("it is neither hex nor base64", NEXT))?,
        };
        Ok(Self {
            key: key::ed25519_signing(&bytes, NEXT)?,
        })
    }
}

impl Sign for Ed25519Signer {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let parts: [&[u8]; 3] = [timestamp.as_bytes(), b"|", message.body];
        let signature: Signature = self.key.multipart_sign(&parts);
        vec![
            (SIGNATURE.to_owned(), to_base64(&signature.to_bytes())),
            (TIMESTAMP.to_owned(), timestamp),
        ]
    }
}

/// v2, the receiver's side.
pub(super) struct Ed25519Verifier {
    key: VerifyingKey,
}

impl Ed25519Verifier {
    pub(super) fn new(public: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the public key of the portal: the base64 of 32 bytes, 44 characters";
        if from_hex::<32>(public).is_some() {
            return Err(Problem::new("it is hex: a private seed?", NEXT));
        }
        let bytes = key::base64(public).ok_or_else(|| Problem::new("it is not base64", NEXT))?;
        Ok(Self {
            key: key::ed25519_verifying(&bytes, NEXT)?,
        })
    }
}

impl Verify for Ed25519Verifier {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let signature = received.header(SIGNATURE)?;
        let timestamp = received.header(TIMESTAMP)?;
        received.check_freshness(TIMESTAMP, timestamp)?;
        let text = [timestamp.as_bytes(), b"|", received.body].concat();
        accept_any(SIGNATURE, std::iter::once(signature), from_base64, |candidate| {
            self.key.verify_strict(&text, &Signature::from_bytes(candidate)).is_ok()
        })
    }
}

/// v1, both directions.
pub(super) struct Legacy {
    key: HmacSha256,
}

impl Legacy {
    pub(super) fn new(secret: &str) -> Self {
        Self {
            key: key::hmac_sha256(secret.as_bytes()),
        }
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> [u8; 32] {
        mac(&self.key, &[timestamp.as_bytes(), b".", body])
    }
}

impl Sign for Legacy {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let hash = to_base64(&self.mac(&timestamp, message.body));
        vec![(LEGACY.to_owned(), format!("t={timestamp},h={hash}"))]
    }
}

impl Verify for Legacy {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let header = received.header(LEGACY)?;
        let fields = || header.split(',').map(str::trim);
        let timestamp = fields()
            .find_map(|field| field.strip_prefix("t="))
            .ok_or(Rejection::Malformed {
                header: Cow::Borrowed(LEGACY),
                reason: "it holds no timestamp",
            })?;
        received.check_freshness(LEGACY, timestamp)?;
        let expected = self.mac(timestamp, received.body);
        accept_any(
            LEGACY,
            fields().filter_map(|field| field.strip_prefix("h=")),
            from_base64,
            |candidate| same(candidate, &expected),
        )
    }
}
