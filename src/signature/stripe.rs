//! Stripe: `Stripe-Signature: t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `timestamp.body`; several
//! `v1` while a secret is rolled. The key is the whole secret, `whsec_` included.

use std::borrow::Cow;

use super::codec::{accept_any, from_hex, mac, same};
use super::key::{self, HmacSha256, Problem};
use super::{Message, Received, Rejection, Sign, Verify};

const HEADER: &str = "stripe-signature";

pub(super) struct Stripe {
    key: HmacSha256,
}

impl Stripe {
    pub(super) fn new(secret: &str) -> Result<Self, Problem> {
        if ["sk_", "rk_", "pk_"].iter().any(|prefix| secret.starts_with(prefix)) {
            return Err(Problem::new(
                "it is an API key",
                "give the endpoint's signing secret, which begins with whsec_",
            ));
        }
        Ok(Self {
            key: key::hmac_sha256(secret.as_bytes()),
        })
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> [u8; 32] {
        mac(&self.key, &[timestamp.as_bytes(), b".", body])
    }
}

impl Sign for Stripe {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let signature = hex::encode(self.mac(&timestamp, message.body));
        vec![(HEADER.to_owned(), format!("t={timestamp},v1={signature}"))]
    }
}

impl Verify for Stripe {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let header = received.header(HEADER)?;
        let fields = || header.split(',').map(str::trim);
        let timestamp = fields()
            .find_map(|field| field.strip_prefix("t="))
            .ok_or(Rejection::Malformed {
                header: Cow::Borrowed(HEADER),
                reason: "it holds no timestamp",
            })?;
        received.check_freshness(HEADER, timestamp)?;
        let expected = self.mac(timestamp, received.body);
        accept_any(
            HEADER,
            fields().filter_map(|field| field.strip_prefix("v1=")),
            from_hex,
            |candidate| same(candidate, &expected),
        )
    }
}
