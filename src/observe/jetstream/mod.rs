//! The JetStream source: streams, consumers, cluster state, ages and named advisories, read
//! over `$JS.API` and never changed. No consumer is created, nothing is acked.
//!
//! # Permissions
//!
//! This is all that a user needs (with another API or inbox prefix, that one):
//!
//! | right | subject | without it |
//! |---|---|---|
//! | subscribe | `_INBOX.>` | nothing works |
//! | publish | `$JS.API.STREAM.INFO.*`, `$JS.API.CONSUMER.INFO.*.*` | nothing works |
//! | publish | `$JS.API.INFO` | no account limits |
//! | publish | `$JS.API.STREAM.NAMES`, `$JS.API.STREAM.LIST`, `$JS.API.CONSUMER.NAMES.*`, `$JS.API.CONSUMER.LIST.*` | only what the profile names |
//! | publish | `$JS.API.STREAM.MSG.GET.*` | no ages of the oldest messages |
//! | subscribe | `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.*`, `….CONSUMER.MSG_TERMINATED.*.*`, `….CONSUMER.MSG_NAKED.*.*`, `….CONSUMER.LEADER_ELECTED.*.*`, `….CONSUMER.QUORUM_LOST.*.*`, `….STREAM.LEADER_ELECTED.*`, `….STREAM.QUORUM_LOST.*`, `….API.LIMIT_REACHED` | no advisories |
//!
//! A right that is missing is told once, as a [`Panel`] that cannot be read.
//!
//! # Pace
//!
//! Every second: the account, the followed stream with its consumers, the dead letters, the rows
//! on screen, and on a small server everything. Every 2 s the ages of the followed consumer,
//! every 10 s those of the others. Every 15 s a sweep over everything, on a connection of its
//! own. At most 32 requests wait for an answer at a time, each for at most 2 s.

mod advisories;
pub(crate) mod api;
mod cycle;
mod failure;
pub(crate) mod link;
mod monitor;
mod oldest;
mod plan;
mod queue;
mod subjects;
mod sweep;
mod trouble;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use self::advisories::Listener;
pub(crate) use self::api::{Api, ApiError};
use self::cycle::Cycle;
pub(crate) use self::link::connect;
use self::monitor::Monitor;
use self::plan::Plan;
use self::sweep::Sweeper;
use super::{Outlet, Source, SourceError};
use crate::base::time::SharedClock;
use crate::config::{NatsLink, Pipeline};
use crate::sample::{Interest, Panel, PanelReading, Sample, SourceId, SourceKind};

/// How often a cycle runs.
const PERIOD: Duration = Duration::from_secs(1);

/// The source's name.
const NAME: &str = "nats";

/// The part of [`Panel::Inventory`] that the sweep reads.
const SWEEP: &str = "sweep";

/// NATS JetStream as a [`Source`].
#[derive(Debug)]
pub struct JetStream {
    link: NatsLink,
    pipeline: Pipeline,
    interest: watch::Receiver<Interest>,
    /// Requests since session start, over all connections.
    sent: Arc<AtomicU64>,
    api: Option<Arc<Api>>,
    listener: Option<Listener>,
    /// `host:port` of the cluster's other servers, as the last one told them.
    peers: Vec<String>,
    plan: Plan,
    ages: oldest::Cadence,
    counts: subjects::Cadence,
    sweeper: Sweeper,
    monitor: Monitor,
    panels: Panels,
    /// The server's clock minus ours, as last known.
    skew: Option<f64>,
}

impl JetStream {
    /// A source that reads `link`'s account, follows `pipeline`'s stream, consumer and dead
    /// letters, and what `interest` declares to be on screen. Connects at the first reading.
    #[must_use]
    pub fn new(link: NatsLink, pipeline: Pipeline, interest: watch::Receiver<Interest>) -> Self {
        Self {
            monitor: Monitor::new(link.monitoring.as_deref()),
            link,
            plan: Plan::new(pipeline.clone()),
            pipeline,
            interest,
            sent: Arc::new(AtomicU64::new(0)),
            api: None,
            listener: None,
            peers: Vec::new(),
            ages: oldest::Cadence::default(),
            counts: subjects::Cadence::default(),
            sweeper: Sweeper::default(),
            panels: Panels::default(),
            skew: None,
        }
    }

    /// The connection, made anew where it is gone.
    async fn connected(&mut self, clock: &SharedClock) -> Result<Arc<Api>, SourceError> {
        if let Some(api) = &self.api {
            if let Some(reason) = api.lost() {
                let server = api.link().server.clone();
                self.disconnect();
                return Err(trouble::explain(
                    "read",
                    &server,
                    &api::ApiError::Lost(reason),
                    &self.link,
                    &server,
                ));
            }
            if !api.is_worn() {
                return Ok(api.clone());
            }
            self.disconnect();
        }
        let link = link::connect(&self.link, &self.peers, clock).await?;
        self.peers = link.client.server_info().connect_urls;
        let stream = self.pipeline.stream.as_deref().filter(|name| api::is_name(name));
        self.listener = Some(Listener::start(&link.client, advisories::subjects(stream), clock.clone()).await);
        let api = Arc::new(Api::new(link, &self.link.api_prefix, clock.clone(), self.sent.clone()));
        self.api = Some(api.clone());
        Ok(api)
    }

    fn disconnect(&mut self) {
        self.sweeper.stop();
        self.listener = None;
        self.api = None;
    }

    async fn forward_advisories(&mut self, outlet: &mut Outlet) {
        let Some(listener) = &self.listener else { return };
        for advisory in listener.take() {
            outlet.send(Sample::Advisory(advisory)).await;
        }
        if let Some(api) = &self.api {
            let lost = api.link().signals.overflow.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(lost, "advisories came faster than they could be counted");
            }
        }
    }

    /// Who is connected, by the monitoring port. Asked whether or not the account answers.
    async fn forward_connections(&mut self, outlet: &mut Outlet) {
        let clock = outlet.clock().clone();
        let answer = match self.monitor.begin(&clock) {
            Some(problem) => Some(Err(problem)),
            None => self.monitor.take(),
        };
        let problem = match answer {
            None => return,
            Some(Ok(reading)) => {
                outlet.send(Sample::Connections(reading)).await;
                None
            }
            Some(Err(problem)) => Some(problem),
        };
        self.panels.say(Panel::Connections, "", problem, outlet).await;
    }

    async fn forward_inventory(&mut self, outlet: &mut Outlet) {
        let now = outlet.clock().now().mono;
        match self.sweeper.take(now) {
            None => {}
            Some(Ok(swept)) => {
                let problem = swept.problem.map(|error| self.inventory_problem(&error));
                outlet.send(Sample::Inventory(swept.inventory)).await;
                self.panels.say(Panel::Inventory, SWEEP, problem, outlet).await;
            }
            Some(Err(error)) => {
                let problem = self.inventory_problem(&error);
                self.panels.say(Panel::Inventory, SWEEP, Some(problem), outlet).await;
            }
        }
    }

    fn inventory_problem(&self, error: &api::ApiError) -> String {
        let server = self.api.as_ref().map_or("NATS", |api| &api.link().server);
        trouble::line(&trouble::explain(
            "list everything on",
            server,
            error,
            &self.link,
            server,
        ))
    }
}

impl Source for JetStream {
    fn id(&self) -> SourceId {
        SourceId::new(SourceKind::Jetstream, NAME)
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    /// Connecting and a cycle have limits of their own; this one is never reached.
    fn timeout(&self) -> Duration {
        link::CONNECT + cycle::CYCLE + PERIOD
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        let clock = outlet.clock().clone();
        self.forward_connections(outlet).await;
        let api = self.connected(&clock).await?;
        self.forward_advisories(outlet).await;
        self.sweeper.begin(&api, &clock);
        let outcome = Cycle::new(self, api.clone(), outlet).run().await;
        self.forward_inventory(outlet).await;
        self.forward_advisories(outlet).await;
        if api.lost().is_some() {
            self.disconnect();
        }
        outcome
    }
}

/// What cannot be read, by panel and part of it; said when what is to be said of a panel changes.
#[derive(Debug, Default)]
struct Panels(BTreeMap<(Panel, String), String>);

/// Parts of a panel whose problems are told apart at most.
const PARTS: usize = 256;

impl Panels {
    async fn say(&mut self, panel: Panel, part: &str, problem: Option<String>, outlet: &mut Outlet) {
        let before = self.of(panel);
        let key = (panel, part.to_owned());
        match problem {
            Some(problem) if self.0.len() < PARTS || self.0.contains_key(&key) => {
                self.0.insert(key, problem);
            }
            Some(_) => {}
            None => {
                self.0.remove(&key);
            }
        }
        let problem = self.of(panel);
        if problem != before {
            outlet.send(Sample::Panel(PanelReading { panel, problem })).await;
        }
    }

    /// The problem of the panel's first part that has one.
    fn of(&self, panel: Panel) -> Option<String> {
        let first = self.0.range((panel, String::new())..).next();
        first
            .filter(|((of, _), _)| *of == panel)
            .map(|(_, problem)| problem.clone())
    }
}

#[cfg(test)]
mod tests;
