//! Standard Webhooks (`v1` HMAC-SHA256, `v1a` Ed25519) and Svix, which signs alike under headers
//! of its own; Resend sends Svix's.
//!
//! Signed text: `id.timestamp.body`. Signature header: `v1,<base64>` entries separated by spaces,
//! several while a key is rotated. Secrets: base64 after `whsec_`, `whsk_` (private) or `whpk_` (public).

use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};

use super::codec::{accept_any, from_base64, mac, same, to_base64};
use super::key::{self, HmacSha256, Problem};
use super::{Message, Received, Rejection, Sign, Verify};

/// The three headers of a family.
pub(super) struct Headers {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
}

pub(super) const WEBHOOK: Headers = Headers {
    id: "webhook-id",
    timestamp: "webhook-timestamp",
    signature: "webhook-signature",
};

pub(super) const SVIX: Headers = Headers {
    id: "svix-id",
    timestamp: "svix-timestamp",
    signature: "svix-signature",
};

const SECRET_KIN: [(&str, &str); 2] = [
    (
        "whsk_",
        "give the shared secret (whsec_…), or use standard-webhooks-ed25519",
    ),
    (
        "whpk_",
        "give the shared secret (whsec_…), or use standard-webhooks-ed25519",
    ),
];

impl Headers {
    fn write(&self, message: &Message<'_>, timestamp: String, signature: String) -> Vec<(String, String)> {
        vec![
            (self.id.to_owned(), message.id.to_owned()),
            (self.timestamp.to_owned(), timestamp),
            (self.signature.to_owned(), signature),
        ]
    }

    /// Id, timestamp and signatures of a request whose timestamp is fresh.
    fn read<'h>(&self, received: &Received<'_, 'h>) -> Result<(&'h str, &'h str, &'h str), Rejection> {
        let id = received.header(self.id)?;
        let timestamp = received.header(self.timestamp)?;
        let signatures = received.header(self.signature)?;
        received.check_freshness(self.timestamp, timestamp)?;
        Ok((id, timestamp, signatures))
    }
}

/// The signatures of one version among those of a header.
fn of_version<'a>(signatures: &'a str, version: &'static str) -> impl Iterator<Item = &'a str> {
    signatures
        .split(' ')
        .filter_map(move |entry| entry.strip_prefix(version)?.strip_prefix(','))
}

/// `v1`: one secret, both directions.
pub(super) struct Hmac {
    headers: &'static Headers,
    key: HmacSha256,
}

impl Hmac {
    pub(super) fn new(headers: &'static Headers, secret: &str) -> Result<Self, Problem> {
        let key = key::prefixed_base64(secret, "whsec_", &SECRET_KIN)?;
        Ok(Self {
            headers,
            key: key::hmac_sha256(&key),
        })
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        mac(&self.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
    }
}

impl Sign for Hmac {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let signature = format!("v1,{}", to_base64(&self.mac(message.id, &timestamp, message.body)));
        self.headers.write(message, timestamp, signature)
    }
}

impl Verify for Hmac {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let (id, timestamp, signatures) = self.headers.read(received)?;
        let expected = self.mac(id, timestamp, received.body);
        accept_any(
            self.headers.signature,
            of_version(signatures, "v1"),
            from_base64,
            |candidate| same(candidate, &expected),
        )
    }
}

/// `v1a`, the provider's side.
pub(super) struct Ed25519Signer {
    key: SigningKey,
}

impl Ed25519Signer {
    pub(super) fn new(secret: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the private key, whsk_ and the base64 of 32 or 64 bytes";
        let bytes = key::prefixed_base64(secret, "whsk_", &[("whpk_", NEXT), ("whsec_", NEXT)])?;
        Ok(Self {
            key: key::ed25519_signing(&bytes, NEXT)?,
        })
    }
}

impl Sign for Ed25519Signer {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let parts: [&[u8]; 5] = [message.id.as_bytes(), b".", timestamp.as_bytes(), b".", message.body];
        let signature: Signature = self.key.multipart_sign(&parts);
        let signature = format!("v1a,{}", to_base64(&signature.to_bytes()));
        WEBHOOK.write(message, timestamp, signature)
    }
}

/// `v1a`, the receiver's side.
pub(super) struct Ed25519Verifier {
    key: VerifyingKey,
}

impl Ed25519Verifier {
    pub(super) fn new(public: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the public key, whpk_ and the base64 of 32 bytes";
        let bytes = key::prefixed_base64(public, "whpk_", &[("whsk_", NEXT), ("whsec_", NEXT)])?;
        Ok(Self {
            key: key::ed25519_verifying(&bytes, NEXT)?,
        })
    }
}

impl Verify for Ed25519Verifier {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let (id, timestamp, signatures) = WEBHOOK.read(received)?;
        let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", received.body].concat();
        accept_any(
            WEBHOOK.signature,
            of_version(signatures, "v1a"),
            from_base64,
            |candidate| self.key.verify_strict(&text, &Signature::from_bytes(candidate)).is_ok(),
        )
    }
}
