//! `SendGrid`'s signed event webhook: ECDSA P-256 with SHA-256 over the timestamp followed by the
//! body, DER in base64. The receiver's key is the base64 of the public key's DER, as the portal shows it.

use std::borrow::Cow;

use p256::SecretKey;
use p256::ecdsa::signature::{MultipartSigner as _, MultipartVerifier as _};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;

use super::codec::to_base64;
use super::key::{self, Problem};
use super::{Message, Received, Rejection, Sign, Verify};

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";

/// A PEM block as it stands in a file, or on one line with `\n` written out.
fn pem(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    text.starts_with("-----BEGIN").then(|| {
        if text.contains("\\n") {
            Cow::Owned(text.replace("\\n", "\n"))
        } else {
            Cow::Borrowed(text)
        }
    })
}

/// The provider's side.
pub(super) struct EcdsaSigner {
    key: SigningKey,
}

impl EcdsaSigner {
    pub(super) fn new(secret: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the private key of P-256: PEM, or the base64 of its DER (PKCS#8 or SEC1)";
        let key = if let Some(pem) = pem(secret) {
            SecretKey::from_pem(&pem).map_err(|_| Problem::new("its PEM holds no private key of P-256", NEXT))?
        } else {
            let der = key::base64(secret).ok_or_else(|| Problem::new("it is neither PEM nor base64", NEXT))?;
            SecretKey::from_der(&der).map_err(|_| Problem::new("its DER holds no private key of P-256", NEXT))?
        };
        Ok(Self { key: key.into() })
    }
}

impl Sign for EcdsaSigner {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let signature: DerSignature = {
            let signature: p256::ecdsa::Signature = self.key.multipart_sign(&[timestamp.as_bytes(), message.body]);
            signature.to_der()
        };
        vec![
            (SIGNATURE.to_owned(), to_base64(signature.as_bytes())),
            (TIMESTAMP.to_owned(), timestamp),
        ]
    }
}

/// The receiver's side.
pub(super) struct EcdsaVerifier {
    key: VerifyingKey,
}

impl EcdsaVerifier {
    pub(super) fn new(public: &str) -> Result<Self, Problem> {
        const NEXT: &str = "give the verification key of the portal: base64 DER that begins with MFkw, or PEM";
        let key = if let Some(pem) = pem(public) {
            VerifyingKey::from_public_key_pem(&pem)
                .map_err(|_| Problem::new("its PEM holds no public key of P-256", NEXT))?
        } else {
            let der = key::base64(public).ok_or_else(|| Problem::new("it is neither PEM nor base64", NEXT))?;
            VerifyingKey::from_public_key_der(&der)
                .map_err(|_| Problem::new("its DER holds no public key of P-256", NEXT))?
        };
        Ok(Self { key })
    }
}

impl Verify for EcdsaVerifier {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let signature = received.header(SIGNATURE)?;
        let timestamp = received.header(TIMESTAMP)?;
        received.check_freshness(TIMESTAMP, timestamp)?;
        let signature = key::base64(signature)
            .and_then(|der| p256::ecdsa::Signature::from_der(&der).ok())
            .ok_or(Rejection::Malformed {
                header: Cow::Borrowed(SIGNATURE),
                reason: "it holds no signature of this scheme",
            })?;
        self.key
            .multipart_verify(&[timestamp.as_bytes(), received.body], &signature)
            .map_err(|_| Rejection::Mismatch)
    }
}
