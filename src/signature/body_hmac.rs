//! HMAC-SHA256 over the body alone: GitHub (`sha256=<hex>`), Shopify (base64) and the generic form
//! (hex, in a header of choice). Without a timestamp, an old request looks like a fresh one.

use std::borrow::Cow;

use super::codec::{accept_any, from_base64, from_hex, mac, same, to_base64};
use super::key::{self, HmacSha256};
use super::{Message, Received, Rejection, Sign, Verify};

/// How the signature stands in its header.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// `sha256=` and hex.
    PrefixedHex,
    /// Hex. Senders that prefix it with `sha256=` are read, too.
    Hex,
    Base64,
}

pub(super) struct BodyHmac {
    header: Cow<'static, str>,
    /// The header's name for a lookup.
    lower: Cow<'static, str>,
    form: Form,
    key: HmacSha256,
}

impl BodyHmac {
    pub(super) fn github(secret: &str) -> Self {
        Self::new(Cow::Borrowed("x-hub-signature-256"), Form::PrefixedHex, secret)
    }

    pub(super) fn shopify(secret: &str) -> Self {
        Self::new(Cow::Borrowed("x-shopify-hmac-sha256"), Form::Base64, secret)
    }

    pub(super) fn generic(header: &str, secret: &str) -> Self {
        Self::new(Cow::Owned(header.to_owned()), Form::Hex, secret)
    }

    fn new(header: Cow<'static, str>, form: Form, secret: &str) -> Self {
        Self {
            lower: Cow::Owned(header.to_ascii_lowercase()),
            header,
            form,
            key: key::hmac_sha256(secret.as_bytes()),
        }
    }
}

impl Sign for BodyHmac {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let mac = mac(&self.key, &[message.body]);
        let value = match self.form {
            Form::PrefixedHex => format!("sha256={}", hex::encode(mac)),
            Form::Hex => hex::encode(mac),
            Form::Base64 => to_base64(&mac),
        };
        vec![(self.header.clone().into_owned(), value)]
    }
}

impl Verify for BodyHmac {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let value = (received.header_lookup)(&self.lower).ok_or_else(|| Rejection::Missing {
            header: self.header.clone(),
        })?;
        let bare = value.strip_prefix("sha256=");
        let candidate = match self.form {
            Form::PrefixedHex => bare,
            Form::Hex => Some(bare.unwrap_or(value)),
            Form::Base64 => Some(value),
        };
        let decode = if self.form == Form::Base64 {
            from_base64
        } else {
            from_hex
        };
        let expected = mac(&self.key, &[received.body]);
        accept_any(&self.header, candidate.into_iter(), decode, |candidate| {
            same(candidate, &expected)
        })
    }
}
