//! A Prometheus server's `/federate`: one page about many instances. Each instance is shown as a
//! source of its own, as if it had been scraped; how old its values are, the server does not say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Metrics;
use crate::base::text;
use crate::observe::{Outlet, Source, SourceError};
use crate::sample::{Layout, Sample, Scrape, SeriesId, SourceId, SourceKind, SourceReport, SourceState};

/// Instances of one page beyond which further ones are left out.
const INSTANCES: usize = 5_000;

/// Labels that the server adds: they say whose series it is.
const ADDED: [&str; 2] = ["instance", "job"];

/// What a page's layout means, instance by instance.
#[derive(Debug)]
struct Split {
    hash: u64,
    instances: Vec<(Arc<str>, Arc<Layout>, Vec<usize>)>,
    left_out: u64,
}

/// A federation endpoint.
#[derive(Debug)]
pub struct Federation {
    inner: Metrics,
    split: Option<Split>,
    members: BTreeMap<Arc<str>, Outlet>,
}

impl Federation {
    pub(super) fn new(inner: Metrics) -> Self {
        Self {
            inner,
            split: None,
            members: BTreeMap::new(),
        }
    }

    /// Hands every instance's part of a page over.
    async fn spread(&mut self, page: Scrape, outlet: &mut Outlet) -> u64 {
        if self.split.as_ref().is_none_or(|split| split.hash != page.layout.hash) {
            self.split = Some(split(&page.target, &page.layout));
        }
        let Some(split) = &self.split else { return 0 };
        let period = self.inner.period();
        let report = |state, error: Option<&str>| {
            Sample::Report(SourceReport {
                state,
                latency: Some(page.took).filter(|_| state == SourceState::Ok),
                error: error.map(str::to_owned),
                retry_in: None,
                period,
            })
        };
        for (name, layout, places) in &split.instances {
            let member = self
                .members
                .entry(name.clone())
                .or_insert_with(|| outlet.of(SourceId::new(SourceKind::Metrics, name)));
            member
                .send(Sample::Scrape(Scrape {
                    target: name.clone(),
                    layout: layout.clone(),
                    values: places.iter().map(|&place| page.values[place]).collect(),
                    took: page.took,
                    bytes: 0,
                    skipped: 0,
                    first_skipped: None,
                    left_out: 0,
                }))
                .await;
            member.send(report(SourceState::Ok, None)).await;
        }
        let told: std::collections::BTreeSet<&Arc<str>> = split.instances.iter().map(|(name, ..)| name).collect();
        let gone: Vec<Arc<str>> = self
            .members
            .keys()
            .filter(|name| !told.contains(name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(mut member) = self.members.remove(&name) {
                let error = "the Prometheus server says nothing of it any more → look whether it is still scraped";
                member.send(report(SourceState::Failing, Some(error))).await;
            }
        }
        split.left_out
    }
}

/// The series of a page by instance, without the labels that the server added.
fn split(target: &str, layout: &Layout) -> Split {
    let mut by_instance: BTreeMap<Arc<str>, Vec<(SeriesId, usize)>> = BTreeMap::new();
    let mut left_out = 0;
    for (place, series) in layout.series.iter().enumerate() {
        let named = series.label("instance").filter(|name| !name.is_empty());
        let name: Arc<str> = match named {
            Some(name) => text::cut(&text::safe(name), 60).into(),
            None => format!("{target}/no instance").into(),
        };
        if by_instance.len() >= INSTANCES && !by_instance.contains_key(&name) {
            left_out += 1;
            continue;
        }
        let mut own = SeriesId::clone(series);
        own.labels.retain(|(label, _)| !ADDED.contains(&&**label));
        by_instance.entry(name).or_default().push((own, place));
    }
    let instances = by_instance.into_iter().map(|(name, mut series)| {
        // Two jobs may scrape one instance: the first says it.
        series.sort();
        series.dedup_by(|later, first| later.0 == first.0);
        let places = series.iter().map(|(_, place)| *place).collect();
        let layout = Layout::new(series.into_iter().map(|(own, _)| own).collect());
        (name, Arc::new(layout), places)
    });
    Split {
        hash: layout.hash,
        instances: instances.collect(),
        left_out,
    }
}

impl Source for Federation {
    fn id(&self) -> SourceId {
        self.inner.id()
    }

    fn period(&self) -> Duration {
        self.inner.period()
    }

    fn timeout(&self) -> Duration {
        self.inner.timeout()
    }

    async fn read(&mut self, outlet: &mut Outlet) -> Result<Duration, SourceError> {
        let page = self.inner.scrape(outlet.clock()).await?;
        let took = page.took;
        let left_out = page.left_out;
        let over = self.spread(page, outlet).await + left_out;
        if over > 0 {
            let reason = format!("{} series are left out", text::count(over));
            return Err(self.inner.error((reason, "narrow its match[]")));
        }
        Ok(took)
    }
}
