//! The schemes and their names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The header of the generic scheme where none is named.
pub const DEFAULT_HMAC_HEADER: &str = "X-Webhook-Signature";

/// How a webhook is signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Standard Webhooks `v1`: HMAC-SHA256 over `id.timestamp.body`, headers `webhook-*`.
    StandardWebhooks,
    /// Standard Webhooks `v1a`: Ed25519 over the same text.
    StandardWebhooksEd25519,
    /// Svix and Resend: the construction of `v1` under headers `svix-*`.
    Svix,
    /// Telnyx API v2: Ed25519 over `timestamp|body`.
    Telnyx,
    /// Telnyx API v1: HMAC-SHA256 over `timestamp.body` in one header.
    TelnyxV1,
    /// Stripe: HMAC-SHA256 over `timestamp.body` in one header.
    Stripe,
    /// GitHub: HMAC-SHA256 over the body, hex.
    GitHub,
    /// Shopify: HMAC-SHA256 over the body, base64.
    Shopify,
    /// Slack: HMAC-SHA256 over `v0:timestamp:body`.
    Slack,
    /// Twilio: HMAC-SHA1 over the URL and the sorted form fields, or over a URL that carries the
    /// body's SHA-256.
    Twilio,
    /// `SendGrid`'s signed event webhook: ECDSA P-256 over `timestamp` and body.
    SendGrid,
    /// HMAC-SHA256 over the body, hex, in a header of choice.
    HmacSha256Hex {
        /// The header's name.
        header: Arc<str>,
    },
}

impl Scheme {
    /// Every scheme once, the generic one with its default header.
    #[must_use]
    pub fn all() -> [Self; 12] {
        [
            Self::StandardWebhooks,
            Self::StandardWebhooksEd25519,
            Self::Svix,
            Self::Telnyx,
            Self::TelnyxV1,
            Self::Stripe,
            Self::GitHub,
            Self::Shopify,
            Self::Slack,
            Self::Twilio,
            Self::SendGrid,
            Self::hmac_sha256_hex(),
        ]
    }

    /// The generic scheme with its default header.
    #[must_use]
    pub fn hmac_sha256_hex() -> Self {
        Self::HmacSha256Hex {
            header: Arc::from(DEFAULT_HMAC_HEADER),
        }
    }

    /// The name, without a header's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StandardWebhooks => "standard-webhooks",
            Self::StandardWebhooksEd25519 => "standard-webhooks-ed25519",
            Self::Svix => "svix",
            Self::Telnyx => "telnyx",
            Self::TelnyxV1 => "telnyx-v1",
            Self::Stripe => "stripe",
            Self::GitHub => "github",
            Self::Shopify => "shopify",
            Self::Slack => "slack",
            Self::Twilio => "twilio",
            Self::SendGrid => "sendgrid",
            Self::HmacSha256Hex { .. } => "hmac-sha256-hex",
        }
    }

    /// Whether a timestamp is signed along, so that an old request can be told from a fresh one.
    #[must_use]
    pub fn has_timestamp(&self) -> bool {
        !matches!(
            self,
            Self::GitHub | Self::Shopify | Self::Twilio | Self::HmacSha256Hex { .. }
        )
    }

    /// Whether the receiver's key is a public one, different from the provider's.
    #[must_use]
    pub fn is_asymmetric(&self) -> bool {
        matches!(self, Self::StandardWebhooksEd25519 | Self::Telnyx | Self::SendGrid)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::HmacSha256Hex { header } if **header != *DEFAULT_HMAC_HEADER => write!(f, ":{header}"),
            _ => Ok(()),
        }
    }
}

/// A name that is no scheme's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature scheme {name:?} is not known → {next}")]
pub struct UnknownScheme {
    name: String,
    next: String,
}

impl UnknownScheme {
    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> &str {
        &self.next
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    /// Reads a scheme's name; `resend` is `svix`; `hmac-sha256-hex:X-My-Header` names a header.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = |next| UnknownScheme {
            name: crate::base::text::cut(&crate::base::text::safe(text), 60).into_owned(),
            next,
        };
        if let Some(header) = text.strip_prefix("hmac-sha256-hex:") {
            return if is_header_name(header) {
                Ok(Self::HmacSha256Hex {
                    header: Arc::from(header),
                })
            } else {
                Err(unknown(
                    "name a header after the colon: letters, digits and hyphens".to_owned(),
                ))
            };
        }
        match text {
            "resend" => return Ok(Self::Svix),
            "telnyx-v2" => return Ok(Self::Telnyx),
            _ => {}
        }
        Self::all()
            .into_iter()
            .find(|scheme| scheme.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::all().iter().map(Self::name).collect();
                unknown(format!("use one of {}", names.join(", ")))
            })
    }
}

/// Whether `text` is a token as RFC 9110 §5.6.2 has it.
fn is_header_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
