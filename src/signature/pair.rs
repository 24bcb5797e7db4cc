//! Fresh keys, for a lab that signs and verifies by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use rand::Rng;
use secrecy::SecretString;

use super::Scheme;

/// Both sides of a key. Equal where the scheme's secret is shared.
#[derive(Clone, Debug)]
pub struct SecretPair {
    /// The provider's side, as [`super::Signer::new`] takes it.
    pub signing: SecretString,
    /// The receiver's side, as [`super::Verifier::new`] takes it.
    pub verifying: SecretString,
}

impl SecretPair {
    /// A fresh key of `scheme`, in the form in which its provider hands keys out. The same
    /// generator state gives the same key: with a seeded `rng` this is for private labs and
    /// tests, never for keys that guard anything.
    pub fn generate(scheme: &Scheme, rng: &mut impl Rng) -> Self {
        match scheme {
            Scheme::StandardWebhooks | Scheme::Svix => Self::shared(format!("whsec_{}", base64(&bytes::<24>(rng)))),
            Scheme::Stripe => Self::shared(format!("whsec_{}", hex::encode(bytes::<16>(rng)))),
            Scheme::StandardWebhooksEd25519 => {
                let key = SigningKey::from_bytes(&bytes(rng));
                Self::of(
                    format!("whsk_{}", base64(&key.to_keypair_bytes())),
                    format!("whpk_{}", base64(key.verifying_key().as_bytes())),
                )
            }
            Scheme::Telnyx => {
                let key = SigningKey::from_bytes(&bytes(rng));
                Self::of(hex::encode(key.to_bytes()), base64(key.verifying_key().as_bytes()))
            }
            Scheme::SendGrid => Self::p256(rng),
            Scheme::TelnyxV1
            | Scheme::GitHub
            | Scheme::Shopify
            | Scheme::Slack
            | Scheme::Twilio
            | Scheme::HmacSha256Hex { .. } => Self::shared(hex::encode(bytes::<16>(rng))),
        }
    }

    fn shared(secret: String) -> Self {
        Self {
            signing: secret.clone().into(),
            verifying: secret.into(),
        }
    }

    fn of(signing: String, verifying: String) -> Self {
        Self {
            signing: signing.into(),
            verifying: verifying.into(),
        }
    }

    fn p256(rng: &mut impl Rng) -> Self {
        let key = loop {
            // Fails for 0 and for numbers above the curve's order: once in 2^32.
            if let Ok(key) = p256::SecretKey::from_slice(&bytes::<32>(rng)) {
                break key;
            }
        };
        #[expect(clippy::expect_used, reason = "encoding writes to memory only")]
        let (private, public) = (
            key.to_pkcs8_der().expect("invariant: a valid key has a DER form"),
            key.public_key()
                .to_public_key_der()
                .expect("invariant: a valid key has a DER form"),
        );
        Self::of(base64(private.as_bytes()), base64(public.as_bytes()))
    }
}

fn bytes<const N: usize>(rng: &mut impl Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
