//! The source against real servers, and against canned answers of newer ones.

mod captured;
mod errors;
mod server;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::base::secret::Redactor;
use crate::base::time::SystemClock;
use crate::sample::{
    Advisory, Envelope, InventoryReading, OldestReading, QueueReading, ServerReading, SubjectsReading,
};

fn pipeline(stream: Option<&str>, consumer: Option<&str>, dlq: Option<&str>) -> Pipeline {
    Pipeline {
        stream: stream.map(Arc::from),
        consumer: consumer.map(Arc::from),
        dlq: dlq.map(Arc::from),
    }
}

/// A source that is read by hand.
struct Reader {
    source: JetStream,
    outlet: Outlet,
    samples: mpsc::Receiver<Envelope>,
    /// Held, or the source would see its interest end.
    _interest: watch::Sender<Interest>,
}

impl Reader {
    fn new(link: NatsLink, pipeline: Pipeline) -> Self {
        let (interest, watched) = watch::channel(Interest::default());
        let source = JetStream::new(link, pipeline, watched);
        let (sender, samples) = mpsc::channel(65_536);
        let outlet = Outlet::new(
            sender,
            "test".into(),
            source.id(),
            SystemClock::shared(),
            Redactor::default(),
        );
        Self {
            source,
            outlet,
            samples,
            _interest: interest,
        }
    }

    /// One reading: its outcome, and what it sent.
    async fn read(&mut self) -> (Result<Duration, SourceError>, Seen) {
        let outcome = self.source.read(&mut self.outlet).await;
        let mut seen = Seen::default();
        while let Ok(envelope) = self.samples.try_recv() {
            seen.add(envelope.sample);
        }
        (outcome, seen)
    }

    /// One reading that succeeds.
    async fn read_ok(&mut self) -> Seen {
        let (outcome, seen) = self.read().await;
        outcome.unwrap_or_else(|error| panic!("{error}"));
        seen
    }

    /// One reading that fails.
    async fn read_error(&mut self) -> SourceError {
        let (outcome, _) = self.read().await;
        outcome.expect_err("the reading must fail")
    }
}

/// What a reading sent.
#[derive(Debug, Default)]
struct Seen {
    server: Option<ServerReading>,
    queues: Vec<QueueReading>,
    inventories: Vec<InventoryReading>,
    oldest: Vec<OldestReading>,
    subjects: Vec<SubjectsReading>,
    advisories: Vec<Advisory>,
    panels: Vec<PanelReading>,
}

impl Seen {
    fn add(&mut self, sample: Sample) {
        match sample {
            Sample::Server(reading) => self.server = Some(*reading),
            Sample::Queue(reading) => self.queues.push(*reading),
            Sample::Inventory(reading) => self.inventories.push(reading),
            Sample::Oldest(reading) => self.oldest.push(reading),
            Sample::Subjects(reading) => self.subjects.push(reading),
            Sample::Advisory(advisory) => self.advisories.push(advisory),
            Sample::Panel(reading) => self.panels.push(reading),
            other => panic!("a JetStream source never sends {other:?}"),
        }
    }

    fn queue(&self, stream: &str) -> &QueueReading {
        self.queues
            .iter()
            .find(|queue| &*queue.before.name == stream)
            .unwrap_or_else(|| panic!("no reading of {stream} among {}", self.queues.len()))
    }
}

fn stream_config(name: &str) -> async_nats::jetstream::stream::Config {
    async_nats::jetstream::stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        ..Default::default()
    }
}
