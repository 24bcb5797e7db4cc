//! Health endpoints: what a service says of itself, in either of two JSON shapes.

mod answer;

use std::time::Duration;

use crate::base::text;
use crate::config::Target;
use crate::observe::metrics::client::{ClientPool, Request};
use crate::observe::metrics::fault::{self, Fault};
use crate::observe::{Outlet, Source, SourceError};
use crate::sample::{ProbeReading, Sample, SourceId, SourceKind};

/// Largest answer that is read, bytes.
pub const ANSWER_LIMIT: usize = 1 << 20;

/// By how much the supervisor's timeout exceeds ours, which says more.
const GRACE: Duration = Duration::from_millis(250);

/// One health endpoint.
#[derive(Debug)]
pub struct Probe {
    id: SourceId,
    period: Duration,
    request: Request,
}

impl Probe {
    /// The source of a health endpoint.
    ///
    /// # Errors
    /// When its URL, a header or a certificate file is unusable.
    pub fn new(target: &Target) -> Result<Self, SourceError> {
        Ok(Self {
            id: SourceId::new(SourceKind::Probe, &target.name),
            period: target.interval,
            request: Request::accepting("application/json, */*;q=0.1", target, &mut ClientPool::default())?,
        })
    }

    fn error(&self, (reason, next): Fault) -> SourceError {
        SourceError::new("ask", self.request.shown.as_str(), &reason).next(next)
    }

    async fn ask(&self) -> Result<ProbeReading, Fault> {
        let https = self.request.is_https();
        let sent = self.request.send().await;
        let mut response = sent.map_err(|error| fault::transport(error, https))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| fault::transport(error, https))? {
            if body.len() + piece.len() > ANSWER_LIMIT {
                let reason = format!("its answer is larger than {}", text::bytes(ANSWER_LIMIT as u64));
                return Err((reason, "check that its url is a health endpoint"));
            }
            body.extend_from_slice(&piece);
        }
        answer::read(status, &body)
    }
}

impl Source for Probe {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn period(&self) -> Duration {
        self.period
    }

    fn timeout(&self) -> Duration {
        self.request.timeout + GRACE
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        let clock = outlet.clock().clone();
        let begun = clock.now().mono;
        let limit = self.request.timeout;
        let asked = tokio::time::timeout(limit, self.ask()).await;
        let answered = asked.unwrap_or_else(|_| {
            let reason = format!("no complete answer within {}", text::duration(limit));
            Err((reason, "is the service hung, or its host behind a firewall?"))
        });
        let mut reading = answered.map_err(|fault| self.error(fault))?;
        reading.took = clock.now().mono.saturating_sub(begun);
        let took = reading.took;
        outlet.send(Sample::Probe(Box::new(reading))).await;
        Ok(took)
    }
}

#[cfg(test)]
mod tests;
