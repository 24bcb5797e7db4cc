//! Slack: `X-Slack-Signature: v0=<hex>`, HMAC-SHA256 over `v0:timestamp:body`.

use super::codec::{accept_any, from_hex, mac, same};
use super::key::{self, HmacSha256};
use super::{Message, Received, Rejection, Sign, Verify};

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

pub(super) struct Slack {
    key: HmacSha256,
}

impl Slack {
    pub(super) fn new(secret: &str) -> Self {
        Self {
            key: key::hmac_sha256(secret.as_bytes()),
        }
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> [u8; 32] {
        mac(&self.key, &[b"v0:", timestamp.as_bytes(), b":", body])
    }
}

impl Sign for Slack {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        let timestamp = message.timestamp.as_second().to_string();
        let signature = hex::encode(self.mac(&timestamp, message.body));
        vec![
            (SIGNATURE.to_owned(), format!("v0={signature}")),
            (TIMESTAMP.to_owned(), timestamp),
        ]
    }
}

impl Verify for Slack {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let signature = received.header(SIGNATURE)?;
        let timestamp = received.header(TIMESTAMP)?;
        received.check_freshness(TIMESTAMP, timestamp)?;
        let expected = self.mac(timestamp, received.body);
        accept_any(
            SIGNATURE,
            signature.strip_prefix("v0=").into_iter(),
            from_hex,
            |candidate| same(candidate, &expected),
        )
    }
}
