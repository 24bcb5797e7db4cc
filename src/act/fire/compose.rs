//! One shot, from its number: which template, what is wrong with it, rendered and signed.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Request, Uri};
use rand::rngs::SmallRng;

use super::mix::{self, Choice, Mix, Prepared};
use super::payload::Payload;
use super::plan::{HttpVersion, Plan};
use super::target::Target;
use super::template::{BodyKind, Webhook};
use super::variant::Variant;
use crate::base::time::Timestamp;
use crate::signature::Message;

/// How long an oversized body is held back after its headers.
const HOLD: Duration = Duration::from_millis(200);

/// What a shot counts as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) template: Arc<str>,
    pub(super) variant: Variant,
    pub(super) poison: Option<Arc<str>>,
}

/// A request about to be sent.
pub(super) struct Shot {
    pub(super) kind: Kind,
    /// The webhook's id; of a batch its first one's.
    pub(super) id: String,
    pub(super) request: Request<Payload>,
}

/// Makes shots of one plan.
pub(super) struct Composer {
    method: hyper::Method,
    target: Arc<Target>,
    host: HeaderValue,
    agent: HeaderValue,
    batch: Option<usize>,
    webhooks: Option<u64>,
    oversize: usize,
    stale_by: Duration,
    slow_for: Duration,
    seed: u64,
}

impl Composer {
    pub(super) fn new(plan: &Plan, target: Arc<Target>) -> Self {
        Self {
            method: plan.method.clone(),
            host: HeaderValue::try_from(target.authority.as_str()).unwrap_or_else(|_| HeaderValue::from_static("")),
            agent: HeaderValue::from_static(concat!("hookwatch/", env!("CARGO_PKG_VERSION"))),
            target,
            batch: plan.batch.map(usize::from),
            oversize: plan.oversize,
            webhooks: plan.webhooks,
            stale_by: plan.stale_by,
            slow_for: plan.slow_for,
            seed: plan.seed,
        }
    }

    /// The shot number `seq`. The same seed, number, mix and time give the same shot.
    pub(super) fn compose(&self, mix: &Mix, seq: u64, now: Timestamp) -> Shot {
        let mut random = mix::random_of(self.seed, seq);
        let Choice {
            mut entry,
            mut variant,
            poison,
        } = mix.choose(&mut random);
        if variant == Variant::ReplayedId {
            // The first one is the one that the others replay.
            random = mix::random_of(self.seed, 0);
            entry = mix.choose(&mut random).entry;
            if seq == 0 {
                variant = Variant::Valid;
            }
        }
        let mut webhook = self.render(entry, seq, now, &mut random, poison.as_deref());
        match variant {
            Variant::MalformedJson => break_json(&mut webhook.body),
            Variant::Oversized => pad(&mut webhook.body, entry.template.kind(), self.oversize),
            _ => {}
        }
        let path = entry.path.as_ref().unwrap_or(&self.target.path);
        let url = format!("{}{path}", self.target.origin);
        let signer = match variant {
            Variant::WrongSignature => Some(&entry.stranger),
            _ => entry.signer.as_ref(),
        };
        let (url, signature) = match signer {
            None => (url.into(), Vec::new()),
            Some(signer) => {
                let body = webhook.body.as_bytes();
                let url = signer.request_url(&url, body, entry.template.content_type());
                let timestamp = match variant {
                    Variant::StaleTimestamp => now.saturating_sub(self.stale_by).unwrap_or(now),
                    _ => now,
                };
                let signature = signer.sign(&Message {
                    id: &webhook.id,
                    timestamp,
                    body,
                    url: &url,
                });
                (url, signature)
            }
        };
        let signature = if variant == Variant::MissingHeader {
            Vec::new()
        } else {
            signature
        };
        if variant == Variant::TamperedBody {
            webhook.body.push_str(match entry.template.kind() {
                BodyKind::Form => "&tampered=1",
                _ => " ",
            });
        }
        let uri = self.uri(&url, path);
        Shot {
            kind: Kind {
                template: entry.template.name().clone(),
                variant,
                poison,
            },
            id: webhook.id.clone(),
            request: self.request(entry, uri, webhook, signature, variant),
        }
    }

    /// One webhook, or an array of them under an id of its own.
    fn render(
        &self,
        entry: &Prepared,
        seq: u64,
        now: Timestamp,
        random: &mut SmallRng,
        cause: Option<&str>,
    ) -> Webhook {
        let mut render = |seq| {
            let mut webhook = entry.template.render(seq, now, random);
            if let Some(cause) = cause {
                mix::poison(&mut webhook, cause);
            }
            webhook
        };
        let Some(size) = self.batch else {
            return render(seq);
        };
        let first = seq * size as u64;
        // The last one holds what is left.
        let end = self.webhooks.map_or(u64::MAX, |all| all.max(first + 1));
        let mut batch = render(first);
        batch.body.insert(0, '[');
        for seq in first + 1..(first + size as u64).min(end) {
            batch.body.push(',');
            batch.body.push_str(&render(seq).body);
        }
        batch.body.push(']');
        batch
    }

    /// The URI as its version of HTTP wants it: the path alone, or the whole.
    fn uri(&self, url: &str, path: &PathAndQuery) -> Uri {
        // What was signed may have a parameter more than the path that was configured.
        let signed = url.strip_prefix(&self.target.origin).unwrap_or_default();
        let path = if signed == path.as_str() {
            path.clone()
        } else {
            signed.parse().unwrap_or_else(|_| path.clone())
        };
        match self.target.version {
            HttpVersion::Http1 => Uri::from(path),
            HttpVersion::Http2 => {
                let mut parts = hyper::http::uri::Parts::default();
                parts.scheme = Some(self.target.scheme.clone());
                parts.authority = Some(self.target.authority.clone());
                parts.path_and_query = Some(path);
                Uri::from_parts(parts).unwrap_or_default()
            }
        }
    }

    fn request(
        &self,
        entry: &Prepared,
        uri: Uri,
        webhook: Webhook,
        signature: Vec<(String, String)>,
        variant: Variant,
    ) -> Request<Payload> {
        let mut headers = HeaderMap::with_capacity(webhook.headers.len() + signature.len() + 4);
        if self.target.version == HttpVersion::Http1 {
            headers.insert(HOST, self.host.clone());
        }
        headers.insert(USER_AGENT, self.agent.clone());
        if let Some(authorization) = &self.target.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let own = std::iter::once((
            CONTENT_TYPE.as_str().to_owned(),
            entry.template.content_type().to_string(),
        ));
        for (name, value) in own.chain(webhook.headers).chain(signature) {
            // Both were checked when the template was read; a signer writes nothing else.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        let mut request = Request::new(match variant {
            Variant::SlowBody => Payload::slow(webhook.body, self.slow_for),
            Variant::Oversized => Payload::held(webhook.body, HOLD),
            _ => Payload::whole(webhook.body),
        });
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
    }
}

/// Cuts a JSON text in the middle.
fn break_json(body: &mut String) {
    let mut half = body.len() / 2;
    while !body.is_char_boundary(half) {
        half -= 1;
    }
    body.truncate(half);
    // Half a number is a number.
    body.push('{');
}

/// Makes a body larger without changing what it says.
fn pad(body: &mut String, kind: BodyKind, size: usize) {
    let missing = size.saturating_sub(body.len());
    match kind {
        BodyKind::Form => {
            body.push_str("&padding=");
            body.extend(std::iter::repeat_n('x', missing));
        }
        _ => body.extend(std::iter::repeat_n(' ', missing)),
    }
}
