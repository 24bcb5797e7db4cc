//! Letters that go to a gateway over HTTP, as the provider sent them, instead of into a stream.
//!
//! A gateway keeps no message ids of ours: an answer that does not come leaves a letter in doubt.

use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio_util::task::AbortOnDropHandle;

use super::{Context, ReplayError};
use crate::act::journal::{How, Record};
use crate::base::cause::root;
use crate::base::text;

/// How long a gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Characters of an answer that are told.
const TOLD: usize = 120;

/// Headers of the request itself: they belong to the way that a webhook came, not to the webhook.
const ITS_OWN: [&str; 8] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "accept-encoding",
    "expect",
    "te",
    "upgrade",
];

/// Where letters are posted to.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    client: Client,
    url: Url,
}

/// A letter on its way to a gateway.
#[derive(Debug)]
pub(super) struct Posting(AbortOnDropHandle<Record>);

impl Gateway {
    /// The gateway of a replay; `None`: it goes into streams.
    ///
    /// # Errors
    /// When the key is missing that letters are signed with, or there can be no client.
    pub(super) fn of(how: &How, context: &Context) -> Result<Option<Self>, ReplayError> {
        let wrong = |reason: String| ReplayError::Gateway(text::safe(&reason).into_owned());
        if let Some(scheme) = &how.sign
            && context
                .signer
                .as_ref()
                .is_none_or(|signer| signer.scheme().name() != &**scheme)
        {
            return Err(ReplayError::NoKey(text::safe(scheme).into_owned()));
        }
        let Some(url) = &how.to_url else { return Ok(None) };
        let url = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        let client = Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .timeout(PATIENCE)
            .user_agent(concat!("hookwatch/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| wrong(error.to_string()))?;
        Ok(Some(Self { client, url }))
    }

    /// Sends a letter now; what became of it is known later.
    pub(super) fn post(&self, letter: u64, headers: &async_nats::HeaderMap, payload: Bytes) -> Posting {
        let mut request = self.client.post(self.url.clone()).body(payload);
        let mut is_typed = false;
        for (name, values) in headers.iter() {
            let name: &str = name.as_ref();
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("nats-") || ITS_OWN.contains(&&*lower) {
                continue;
            }
            is_typed |= lower == "content-type";
            for value in values {
                request = request.header(name, value.as_str());
            }
        }
        if !is_typed {
            request = request.header("content-type", "application/json");
        }
        let posting = async move {
            match request.send().await {
                Ok(response) if response.status().is_success() => Record::Landed {
                    letter,
                    stored: None,
                    duplicate: false,
                },
                Ok(response) => {
                    let status = response.status();
                    let body = response.text().await.unwrap_or_default();
                    let body = text::safe(&body).into_owned();
                    Record::Refused {
                        letter,
                        reason: format!("the gateway answered {status}: {}", text::cut(body.trim(), TOLD)),
                    }
                }
                Err(error) if error.is_connect() || error.is_builder() => Record::Refused {
                    letter,
                    reason: format!("the gateway was not reached: {}", root(&error)),
                },
                Err(error) => Record::Doubt {
                    letter,
                    reason: format!(
                        "the gateway may have taken it, its answer did not come: {}",
                        root(&error)
                    ),
                },
            }
        };
        Posting(AbortOnDropHandle::new(tokio::spawn(posting)))
    }
}

impl Posting {
    /// What became of it; `None`: nobody knows.
    pub(super) async fn outcome(self) -> Option<Record> {
        self.0.await.ok()
    }
}
