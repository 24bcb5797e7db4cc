//! Webhook signatures, every scheme in both directions. Reader and writer of a scheme live in one file.
//!
//! Keys are parsed once, when a [`Signer`] or [`Verifier`] is made; a call then costs one pass over
//! the body. Secrets are compared in constant time and never appear in an error or a `Debug` text.

mod body_hmac;
mod codec;
mod key;
mod pair;
mod scheme;
mod sendgrid;
mod slack;
mod standard;
mod stripe;
mod telnyx;
mod twilio;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::base::time::Timestamp;

pub use key::{KeyError, KeyRole};
pub use pair::SecretPair;
pub use scheme::{DEFAULT_HMAC_HEADER, Scheme, UnknownScheme};

/// A webhook about to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its unique id. Part of the signature in the standard-webhooks family, ignored elsewhere.
    pub id: &'a str,
    /// When it is sent; signed with a resolution of one second where the scheme has a timestamp.
    pub timestamp: Timestamp,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The URL that is requested, as [`Signer::request_url`] gave it. Part of the signature of
    /// Twilio, ignored elsewhere.
    pub url: &'a str,
}

/// Signs webhooks as a provider does. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    scheme: Scheme,
    key: Arc<dyn Sign>,
}

impl Signer {
    /// A signer of `scheme` with the provider's side of the key.
    ///
    /// # Errors
    /// When the key is of the wrong kind or length for the scheme.
    pub fn new(scheme: &Scheme, secret: &SecretString) -> Result<Self, KeyError> {
        let problem = |problem: key::Problem| problem.of(scheme, KeyRole::Signing);
        let text = key::checked(secret.expose_secret()).map_err(problem)?;
        let key: Arc<dyn Sign> = match Key::parse(scheme, text).map_err(problem)? {
            Key::Shared(key) => key,
            Key::Pair(Pair::StandardWebhooks) => Arc::new(standard::Ed25519Signer::new(text).map_err(problem)?),
            Key::Pair(Pair::Telnyx) => Arc::new(telnyx::Ed25519Signer::new(text).map_err(problem)?),
            Key::Pair(Pair::SendGrid) => Arc::new(sendgrid::EcdsaSigner::new(text).map_err(problem)?),
        };
        Ok(Self {
            scheme: scheme.clone(),
            key,
        })
    }

    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The URL to request for a body of this content type: with `bodySHA256` added where Twilio
    /// sends something else than a form, unchanged everywhere else.
    #[must_use]
    pub fn request_url<'a>(&self, url: &'a str, body: &[u8], content_type: &str) -> Cow<'a, str> {
        match self.scheme {
            Scheme::Twilio => twilio::request_url(url, body, content_type),
            _ => Cow::Borrowed(url),
        }
    }

    /// The headers, name and value, that make `message` authentic.
    #[must_use]
    pub fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        self.key.sign(message)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.scheme)
    }
}

/// Checks webhooks as a receiver does. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    scheme: Scheme,
    key: Arc<dyn Verify>,
}

impl Verifier {
    /// A verifier of `scheme` with the receiver's side of the key: the shared secret, or the
    /// public key of the schemes that have one.
    ///
    /// # Errors
    /// When the key is of the wrong kind or length for the scheme.
    pub fn new(scheme: &Scheme, secret: &SecretString) -> Result<Self, KeyError> {
        let problem = |problem: key::Problem| problem.of(scheme, KeyRole::Verifying);
        let text = key::checked(secret.expose_secret()).map_err(problem)?;
        let key: Arc<dyn Verify> = match Key::parse(scheme, text).map_err(problem)? {
            Key::Shared(key) => key,
            Key::Pair(Pair::StandardWebhooks) => Arc::new(standard::Ed25519Verifier::new(text).map_err(problem)?),
            Key::Pair(Pair::Telnyx) => Arc::new(telnyx::Ed25519Verifier::new(text).map_err(problem)?),
            Key::Pair(Pair::SendGrid) => Arc::new(sendgrid::EcdsaVerifier::new(text).map_err(problem)?),
        };
        Ok(Self {
            scheme: scheme.clone(),
            key,
        })
    }

    /// Its scheme.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether a request is authentic and fresh. `header_lookup` finds a header by its
    /// lower-case name; `url` is the public URL that was requested (Twilio signs it); a timestamp
    /// may be off by `tolerance` in either direction. Schemes without a timestamp cannot be stale.
    ///
    /// # Errors
    /// Why it is not to be trusted.
    pub fn verify<'a>(
        &self,
        header_lookup: &dyn Fn(&str) -> Option<&'a str>,
        body: &[u8],
        url: &str,
        now: Timestamp,
        tolerance: Duration,
    ) -> Result<(), Rejection> {
        self.key.verify(&Received {
            header_lookup,
            body,
            url,
            now,
            tolerance,
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.scheme)
    }
}

/// Why a request is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header that the scheme needs is not there.
    #[error("header {header} is missing")]
    Missing {
        /// The header.
        header: Cow<'static, str>,
    },
    /// A header is there and cannot be read.
    #[error("header {header} is malformed: {reason}")]
    Malformed {
        /// The header.
        header: Cow<'static, str>,
        /// What is wrong with it. Never quotes what the sender wrote.
        reason: &'static str,
    },
    /// The timestamp lies outside the tolerance.
    #[error("the timestamp is {} s {}, {tolerance_s} s are tolerated", age_s.unsigned_abs(), if *age_s < 0 { "ahead" } else { "old" })]
    Stale {
        /// Its age in seconds; negative: it lies in the future.
        age_s: i64,
        /// What is tolerated, in seconds.
        tolerance_s: u64,
    },
    /// The signature is not that of this key over this request.
    #[error("the signature does not match")]
    Mismatch,
}

impl Rejection {
    /// A stable word for a metric's label: `missing`, `malformed`, `stale`, `mismatch`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Malformed { .. } => "malformed",
            Self::Stale { .. } => "stale",
            Self::Mismatch => "mismatch",
        }
    }
}

/// The writing side of a scheme, its key parsed.
trait Sign: Send + Sync {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)>;
}

/// The reading side of a scheme, its key parsed.
trait Verify: Send + Sync {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection>;
}

/// A key that signs and verifies alike.
trait SignAndVerify: Sign + Verify {}

impl<T: Sign + Verify> SignAndVerify for T {}

/// The key of a scheme, as far as both sides read it alike.
enum Key {
    /// A secret that both sides have.
    Shared(Arc<dyn SignAndVerify>),
    /// Each side has its own.
    Pair(Pair),
}

/// The schemes whose provider signs with one key and whose receiver verifies with another.
enum Pair {
    StandardWebhooks,
    Telnyx,
    SendGrid,
}

impl Key {
    fn parse(scheme: &Scheme, text: &str) -> Result<Self, key::Problem> {
        Ok(Self::Shared(match scheme {
            Scheme::StandardWebhooks => Arc::new(standard::Hmac::new(&standard::WEBHOOK, text)?),
            Scheme::Svix => Arc::new(standard::Hmac::new(&standard::SVIX, text)?),
            Scheme::TelnyxV1 => Arc::new(telnyx::Legacy::new(text)),
            Scheme::Stripe => Arc::new(stripe::Stripe::new(text)?),
            Scheme::GitHub => Arc::new(body_hmac::BodyHmac::github(text)),
            Scheme::Shopify => Arc::new(body_hmac::BodyHmac::shopify(text)),
            Scheme::HmacSha256Hex { header } => Arc::new(body_hmac::BodyHmac::generic(header, text)),
            Scheme::Slack => Arc::new(slack::Slack::new(text)),
            Scheme::Twilio => Arc::new(twilio::Twilio::new(text)),
            Scheme::StandardWebhooksEd25519 => return Ok(Self::Pair(Pair::StandardWebhooks)),
            Scheme::Telnyx => return Ok(Self::Pair(Pair::Telnyx)),
            Scheme::SendGrid => return Ok(Self::Pair(Pair::SendGrid)),
        }))
    }
}

/// A request about to be checked.
struct Received<'r, 'h> {
    header_lookup: &'r dyn Fn(&str) -> Option<&'h str>,
    body: &'r [u8],
    url: &'r str,
    now: Timestamp,
    tolerance: Duration,
}

impl<'h> Received<'_, 'h> {
    fn header(&self, name: &'static str) -> Result<&'h str, Rejection> {
        (self.header_lookup)(name).ok_or(Rejection::Missing {
            header: Cow::Borrowed(name),
        })
    }

    /// Checks that `text`, unix seconds found in `header`, lies within the tolerance.
    fn check_freshness(&self, header: &'static str, text: &str) -> Result<(), Rejection> {
        let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let sent: i64 = text.parse().ok().filter(|_| digits).ok_or(Rejection::Malformed {
            header: Cow::Borrowed(header),
            reason: "the timestamp is not a number of unix seconds",
        })?;
        let age_s = self.now.as_second() - sent;
        if age_s.unsigned_abs() > self.tolerance.as_secs() {
            return Err(Rejection::Stale {
                age_s,
                tolerance_s: self.tolerance.as_secs(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
