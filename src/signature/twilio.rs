//! Twilio: `X-Twilio-Signature`, base64 of HMAC-SHA1 over the URL and, for a form, every field's
//! name and value in the order of their names. Any other body is signed through its SHA-256,
//! which the URL carries as `bodySHA256`.
//!
//! The scheme's own weakness: names and values are joined without a separator, so `a=bc` and
//! `ab=c` sign alike.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::codec::{accept_any, from_base64, from_hex, same, to_base64};
use super::{Message, Received, Rejection, Sign, Verify};

const HEADER: &str = "x-twilio-signature";
const BODY_HASH: &str = "bodySHA256";
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) struct Twilio {
    key: Hmac<Sha1>,
}

impl Twilio {
    pub(super) fn new(token: &str) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of every length")]
        let key = Hmac::new_from_slice(token.as_bytes()).expect("invariant: HMAC takes a key of any length");
        Self { key }
    }

    fn mac(&self, url: &str, body: &[u8]) -> [u8; 20] {
        let mut mac = self.key.clone();
        mac.update(url.as_bytes());
        if body_hash(url).is_none() {
            // Sorted by name, then by value; a pair that repeats counts once.
            let fields: BTreeSet<_> = form_urlencoded::parse(body).collect();
            for (name, value) in &fields {
                mac.update(name.as_bytes());
                mac.update(value.as_bytes());
            }
        }
        mac.finalize().into_bytes().into()
    }
}

/// The URL with the body's hash where the body is no form.
pub(super) fn request_url<'a>(url: &'a str, body: &[u8], content_type: &str) -> Cow<'a, str> {
    if content_type.trim_start().starts_with(FORM) {
        return Cow::Borrowed(url);
    }
    let (base, fragment) = url
        .split_once('#')
        .map_or((url, None), |(base, rest)| (base, Some(rest)));
    let sign = if base.contains('?') { '&' } else { '?' };
    let hash = hex::encode(Sha256::digest(body));
    let mut out = format!("{base}{sign}{BODY_HASH}={hash}");
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    Cow::Owned(out)
}

/// The value of `bodySHA256` in a URL.
fn body_hash(url: &str) -> Option<&str> {
    let query = url.split_once('?')?.1;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(BODY_HASH)?.strip_prefix('='))
}

/// The URL with the scheme's own port written out, or with its port left out: Twilio signs the
/// one or the other, whatever was configured.
fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    // The colons of an IPv6 address stand within brackets.
    let port = authority[host_at..]
        .rfind(':')
        .map(|at| at + host_at)
        .filter(|at| !authority[*at..].contains(']'));
    Some(if let Some(at) = port {
        format!("{scheme}://{}{tail}", &authority[..at])
    } else {
        let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        format!("{scheme}://{authority}:{port}{tail}")
    })
}

impl Sign for Twilio {
    fn sign(&self, message: &Message<'_>) -> Vec<(String, String)> {
        vec![(HEADER.to_owned(), to_base64(&self.mac(message.url, message.body)))]
    }
}

impl Verify for Twilio {
    fn verify(&self, received: &Received<'_, '_>) -> Result<(), Rejection> {
        let value = received.header(HEADER)?;
        if let Some(hash) = body_hash(received.url) {
            let claimed: [u8; 32] = from_hex(hash).ok_or(Rejection::Malformed {
                header: Cow::Borrowed(BODY_HASH),
                reason: "the URL's parameter is no SHA-256 in hex",
            })?;
            let actual: [u8; 32] = Sha256::digest(received.body).into();
            if !bool::from(claimed.ct_eq(&actual)) {
                return Err(Rejection::Mismatch);
            }
        }
        let expected = self.mac(received.url, received.body);
        let other = other_port(received.url).map(|url| self.mac(&url, received.body));
        accept_any(HEADER, std::iter::once(value), from_base64, |candidate| {
            same(candidate, &expected) || other.is_some_and(|other| same(candidate, &other))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_written_out_or_left_out() {
        let other = |url| other_port(url).unwrap();
        assert_eq!(other("https://a.b/c?d=1"), "https://a.b:443/c?d=1");
        assert_eq!(other("http://a.b"), "http://a.b:80");
        assert_eq!(other("https://a.b:8443/c:d"), "https://a.b/c:d");
        assert_eq!(other("https://u:p@a.b/c"), "https://u:p@a.b:443/c");
        assert_eq!(other("https://[::1]/c"), "https://[::1]:443/c");
        assert_eq!(other("https://[::1]:9/c"), "https://[::1]/c");
    }

    #[test]
    fn only_a_body_that_is_no_form_is_hashed_into_the_url() {
        let hash = hex::encode(Sha256::digest(b"{}"));
        assert_eq!(request_url("http://h/p", b"a=1", FORM), "http://h/p");
        assert_eq!(
            request_url("http://h/p", b"a=1", "application/x-www-form-urlencoded; charset=utf-8"),
            "http://h/p"
        );
        assert_eq!(
            request_url("http://h/p", b"{}", "application/json"),
            format!("http://h/p?bodySHA256={hash}")
        );
        assert_eq!(
            request_url("http://h/p?a=1", b"{}", "application/json"),
            format!("http://h/p?a=1&bodySHA256={hash}")
        );
    }
}
