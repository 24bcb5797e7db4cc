//! What to fire, where, how often and how long: checked before the first request.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::sync::{mpsc, watch};

use super::error::{MAX_CONCURRENCY, MAX_RETRIES, PlanError};
use super::expect::Expectation;
use super::mix::Mix;
use super::outcome::Exchange;
use crate::act::pace::Shape;
use crate::base::secret::Redactor;
use crate::config::Tls;

/// When a run ends by itself. Without either limit it goes on until it is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// After so many requests.
    pub count: Option<u64>,
    /// After so long. What was due and not sent by then stays unsent, and is counted.
    pub duration: Option<Duration>,
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// One request at a time on each connection, kept alive.
    #[default]
    Http1,
    /// Many requests on a few connections; without TLS by prior knowledge.
    Http2,
}

/// What may change while a run goes on.
#[derive(Clone, Debug)]
pub struct Steering {
    /// How shots are spread over time.
    pub shape: Shape,
    /// What they are.
    pub mix: Arc<Mix>,
}

/// A run to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://` or `https://`, host, port, path and query. A user and password in it become an
    /// `Authorization` header.
    pub url: String,
    /// The method.
    pub method: Method,
    /// When it ends.
    pub limit: Limit,
    /// How shots are spread over time.
    pub shape: Shape,
    /// Requests in flight at most.
    pub concurrency: NonZeroUsize,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// Which HTTP.
    pub version: HttpVersion,
    /// Authorities and a certificate of our own.
    pub tls: Tls,
    /// What is fired.
    pub mix: Arc<Mix>,
    /// So many webhooks in one request, as a JSON array.
    pub batch: Option<NonZeroUsize>,
    /// With [`Plan::batch`]: webhooks in all, so that the last request holds what is left of them.
    pub webhooks: Option<u64>,
    /// Size of an [`Oversized`](super::Variant::Oversized) body, bytes.
    pub oversize: usize,
    /// Age of a [`StaleTimestamp`](super::Variant::StaleTimestamp).
    pub stale_by: Duration,
    /// How long a [`SlowBody`](super::Variant::SlowBody) takes.
    pub slow_for: Duration,
    /// How often a request without an answer, or with 408, 429 or 5xx, is sent again: after 100 ms,
    /// 200 ms, and so on.
    pub retries: u32,
    /// What must hold of every answer; counted in [`Summary::checks`](super::Summary::checks).
    pub expect: Vec<Expectation>,
    /// Hears of every request as it ends.
    pub reports: Option<mpsc::UnboundedSender<Exchange>>,
    /// The same seed gives the same webhooks, times apart.
    pub seed: u64,
    /// Knows what must not be shown of an error's body.
    pub redactor: Redactor,
    /// Changes to shape and mix while the run goes on.
    pub steering: Option<watch::Receiver<Steering>>,
}

impl Plan {
    /// One shot of `mix` at `url`; set the other fields as needed.
    #[must_use]
    pub fn new(url: impl Into<String>, mix: Mix, seed: u64) -> Self {
        Self {
            url: url.into(),
            method: Method::POST,
            limit: Limit {
                count: Some(1),
                duration: None,
            },
            shape: Shape::Unpaced,
            concurrency: NonZeroUsize::MIN,
            timeout: Duration::from_secs(10),
            version: HttpVersion::Http1,
            tls: Tls::default(),
            mix: Arc::new(mix),
            batch: None,
            webhooks: None,
            oversize: 4 << 20,
            stale_by: Duration::from_hours(1),
            slow_for: Duration::from_secs(30),
            retries: 0,
            expect: Vec::new(),
            reports: None,
            seed,
            redactor: Redactor::default(),
            steering: None,
        }
    }

    /// One of its webhooks alone: number `number` of a canary.
    #[must_use]
    pub fn single(&self, number: u64) -> Self {
        Self {
            limit: Limit {
                count: Some(1),
                duration: None,
            },
            webhooks: None,
            seed: self.seed.wrapping_add(number),
            ..self.clone()
        }
    }

    /// Whether it can be run at all; where it goes is for the network to say.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.concurrency.get() > MAX_CONCURRENCY {
            return Err(PlanError::Concurrency(self.concurrency.get()));
        }
        if self.timeout.is_zero() {
            return Err(PlanError::Timeout);
        }
        if self.retries > MAX_RETRIES {
            return Err(PlanError::Retries(self.retries));
        }
        if self.limit.count == Some(0) || self.limit.duration == Some(Duration::ZERO) {
            return Err(PlanError::NothingToFire);
        }
        if self.batch.is_some() {
            self.mix.check_batch()?;
        }
        Ok(())
    }
}
