//! Metrics endpoints: one source a target, read over HTTP and through [`exposition`].

pub(in crate::observe) mod client;
mod discovery;
pub mod exposition;
pub(in crate::observe) mod fault;
mod federation;
mod range;

pub use range::{RangeClient, RangeSeries};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use self::client::{ClientPool, Request};
pub use self::discovery::Group;
use self::exposition::{Page, Reader, SERIES_LIMIT, Wanted};
use self::fault::Fault;
pub use self::federation::Federation;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{Families, Target};
use crate::observe::{Outlet, Source, SourceError};
use crate::sample::{Sample, Scrape, SourceId, SourceKind};

/// Largest page that is read, bytes, uncompressed.
pub const PAGE_LIMIT: u64 = 16 << 20;

/// How much of a page's start is kept to be quoted, bytes.
const START: usize = 400;

/// How long the body of a refusal is waited for: its status is what counts.
const REFUSAL: Duration = Duration::from_millis(250);

/// Longest time that a target may ask us to stay away.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// By how much the supervisor's timeout exceeds ours, which says more.
const GRACE: Duration = Duration::from_millis(250);

/// Scrapes of all discovered targets of a profile a second at most, on average.
const PACE: f64 = 200.0;

/// Targets that begin at once, and how far apart the further ones begin: a thousand of them must
/// not knock at the same instant, and should all be read after a second.
const AT_ONCE: usize = 64;
const APART: Duration = Duration::from_millis(1);

/// Targets of a profile beyond which connections without TLS are not kept between readings: each
/// would hold a buffer as large as its page and one of the files that a process may open (often
/// 1,024), for the sake of a connect every few seconds. TLS connections are always kept.
const KEPT: usize = 200;

/// The targets of one profile. They share HTTP clients where their certificates are the same,
/// and the table of wanted names.
#[derive(Debug)]
pub struct Fleet {
    wanted: Arc<Wanted>,
    clients: ClientPool,
    families: Families,
    /// Names of discovered targets that are taken.
    names: discovery::Names,
    /// Targets that are read.
    size: Size,
    /// Targets that were begun together with the next one.
    begun: usize,
    /// Targets that are known to come.
    expected: usize,
}

/// How many targets a profile has. Many of them share one pace.
#[derive(Clone, Debug, Default)]
struct Size(Arc<AtomicUsize>);

impl Size {
    /// One target more, until the answer is dropped.
    fn join(&self) -> Member {
        self.0.fetch_add(1, Ordering::Relaxed);
        Member(self.clone())
    }

    /// How often each of so many may be read, at most.
    fn period(&self) -> Duration {
        Duration::from_secs_f64(self.0.load(Ordering::Relaxed) as f64 / PACE)
    }
}

/// A target that counts.
#[derive(Debug)]
struct Member(Size);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Fleet {
    /// A fleet whose targets are read for these families.
    #[must_use]
    pub fn new(families: &Families) -> Self {
        Self {
            wanted: Arc::new(Wanted::new(families)),
            clients: ClientPool::default(),
            families: families.clone(),
            names: discovery::Names::default(),
            size: Size::default(),
            begun: 0,
            expected: 0,
        }
    }

    /// Says how many targets are about to be asked for.
    pub fn expect(&mut self, targets: usize) {
        self.begun = 0;
        self.expected = targets;
    }

    /// The source of a group of targets that are looked up.
    #[must_use]
    pub fn group(&self, target: &Target) -> Group {
        let fleet = Self {
            names: self.names.clone(),
            size: self.size.clone(),
            ..Self::new(&self.families)
        };
        Group::new(target, fleet)
    }

    /// The source of a Prometheus server's `/federate`.
    ///
    /// # Errors
    /// When its URL, a header or a certificate file is unusable.
    pub fn federation(&mut self, target: &Target) -> Result<Federation, SourceError> {
        Ok(Federation::new(self.source(target)?))
    }

    /// The source of a target.
    ///
    /// # Errors
    /// When its URL, a header or a certificate file is unusable.
    pub fn source(&mut self, target: &Target) -> Result<Metrics, SourceError> {
        self.names
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(target.name.to_string());
        self.source_at(target, None, false)
    }

    /// The same of a target whose host name stands for this address. One that is `paced` is read
    /// more seldom where there are many.
    fn source_at(&mut self, target: &Target, address: Option<SocketAddr>, paced: bool) -> Result<Metrics, SourceError> {
        let behind = u32::try_from(self.begun.saturating_sub(AT_ONCE)).unwrap_or(u32::MAX);
        self.begun += 1;
        let member = self.size.join();
        self.clients.transient = self.expected.max(self.size.0.load(Ordering::Relaxed)) > KEPT;
        Ok(Metrics {
            id: SourceId::new(SourceKind::Metrics, &target.name),
            period: target.interval,
            member,
            paced,
            begins_in: APART.saturating_mul(behind),
            request: match address {
                None => Request::new(target, &mut self.clients)?,
                Some(address) => Request::pinned(target, address, &mut self.clients)?,
            },
            reader: Reader::new(self.wanted.clone(), SERIES_LIMIT),
            paused_until: Duration::ZERO,
        })
    }
}

/// One metrics endpoint.
#[derive(Debug)]
pub struct Metrics {
    id: SourceId,
    period: Duration,
    member: Member,
    /// Whether it is read more seldom where there are many.
    paced: bool,
    /// How long its first reading waits.
    begins_in: Duration,
    request: Request,
    reader: Reader,
    /// Session time until which the target asked us to stay away.
    paused_until: Duration,
}

/// What arrived, as far as it did.
#[derive(Debug, Default)]
struct Arrival {
    answered: bool,
    bytes: u64,
    start: Vec<u8>,
    /// For how long the target asks us to stay away.
    pause: Duration,
}

impl Metrics {
    /// The source of one target on its own. Several share clients through a [`Fleet`].
    ///
    /// # Errors
    /// When the target's URL, a header or a certificate file is unusable.
    pub fn new(target: &Target, families: &Families) -> Result<Self, SourceError> {
        Fleet::new(families).source(target)
    }

    fn error(&self, (reason, next): Fault) -> SourceError {
        SourceError::new("scrape", self.request.shown.as_str(), &reason).next(next)
    }

    /// Gets a page and reads it while it arrives.
    async fn fetch(&mut self, arrival: &mut Arrival) -> Result<Page, Fault> {
        let https = self.request.is_https();
        let mut response = self
            .request
            .send()
            .await
            .map_err(|error| fault::transport(error, https))?;
        arrival.answered = true;
        if response.status() != StatusCode::OK {
            let body = tokio::time::timeout(REFUSAL, response.chunk()).await;
            let body = body.ok().and_then(Result::ok).flatten().unwrap_or_default();
            let (fault, retry_after) = fault::status(&response, &body);
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                arrival.pause = Duration::from_secs(retry_after.unwrap_or(0)).min(LONGEST_PAUSE);
            }
            return Err(fault);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        let openmetrics = kind.starts_with("application/openmetrics-text");
        if kind.starts_with("application/vnd.google.protobuf") {
            return Err(binary());
        }
        self.reader.begin();
        while let Some(piece) = response.chunk().await.map_err(|error| fault::transport(error, https))? {
            arrival.bytes += piece.len() as u64;
            if arrival.bytes > PAGE_LIMIT {
                let reason = format!("its page is larger than {}", text::bytes(PAGE_LIMIT));
                return Err((reason, "give this target a page with fewer series"));
            }
            let room = START - arrival.start.len();
            let start = &piece[..piece.len().min(room)];
            if start.contains(&0) {
                return Err(binary());
            }
            arrival.start.extend_from_slice(start);
            self.reader.feed(&piece);
        }
        let page = self.reader.finish();
        if !page.found {
            return Err(fault::nothing_found(&arrival.start, page.families));
        }
        if openmetrics && !page.ended {
            return Err((
                "its page is cut off: it does not end with # EOF".to_owned(),
                "look at the process's own log",
            ));
        }
        Ok(page)
    }

    /// What to say when the time is up.
    fn too_slow(&self, arrival: &Arrival) -> Fault {
        let limit = text::duration(self.request.timeout);
        if arrival.answered {
            let reason = format!(
                "its page was not complete after {limit} ({} so far)",
                text::bytes(arrival.bytes)
            );
            (reason, "give this target a longer timeout, or a smaller page")
        } else {
            (
                format!("no answer within {limit}"),
                "is the process hung, or its host behind a firewall?",
            )
        }
    }
}

fn binary() -> Fault {
    (
        "binary data instead of metrics text".to_owned(),
        "check that its url is a metrics page in text form",
    )
}

impl Source for Metrics {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn period(&self) -> Duration {
        if self.paced {
            self.period.max(self.member.0.period())
        } else {
            self.period
        }
    }

    fn timeout(&self) -> Duration {
        self.begins_in + self.request.timeout + GRACE
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        if !self.begins_in.is_zero() {
            tokio::time::sleep(self.begins_in).await;
            self.begins_in = Duration::ZERO;
        }
        let page = self.scrape(outlet.clock()).await?;
        let took = page.took;
        outlet.send(Sample::Scrape(page)).await;
        Ok(took)
    }
}

impl Metrics {
    /// Gets a page, within the time that the target has.
    async fn scrape(&mut self, clock: &SharedClock) -> Result<Scrape, SourceError> {
        let begun = clock.now().mono;
        if let Some(left) = self.paused_until.checked_sub(begun).filter(|left| !left.is_zero()) {
            let reason = format!(
                "429 Too Many Requests, asked to stay away for another {}",
                text::duration(left)
            );
            return Err(self.error((reason, "give this target a longer interval")));
        }
        let mut arrival = Arrival::default();
        let limit = self.request.timeout;
        let outcome = tokio::time::timeout(limit, self.fetch(&mut arrival)).await;
        let ended = clock.now().mono;
        if !arrival.pause.is_zero() {
            self.paused_until = ended + arrival.pause;
        }
        let page = outcome
            .unwrap_or_else(|_| Err(self.too_slow(&arrival)))
            .map_err(|fault| self.error(fault))?;
        let took = ended.saturating_sub(begun);
        Ok(Scrape {
            target: self.id.name.clone(),
            layout: page.layout,
            values: page.values,
            took,
            bytes: arrival.bytes,
            skipped: page.skipped,
            first_skipped: page.first_skipped,
            left_out: page.left_out,
        })
    }
}

#[cfg(test)]
pub(in crate::observe) mod tests;
