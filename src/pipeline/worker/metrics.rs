//! What a worker counts.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::fault::REASONS;
use super::webhook::Webhook;
use crate::pipeline::breaker::State;
use crate::pipeline::metrics::{Counters, Labels, PerEvent, count, counter, size_buckets, work_buckets};
use crate::pipeline::provider::Provider;
use crate::pipeline::store::Fate;

/// A worker's metrics.
pub(super) struct Metrics {
    processed: Counters,
    dead_lettered: Counters,
    written: Counters,
    skipped: Counters,
    acked: Counter,
    naked: Counter,
    events: PerEvent<Event>,
    batch_size: Histogram,
    processing: Histogram,
    operations: Family<Labels, Histogram, fn() -> Histogram>,
    breaker: Gauge,
}

/// Handles of one event.
#[derive(Debug)]
struct Event {
    success: Counter,
    failure: Counter,
    written: Counter,
    skipped: Counter,
}

impl Event {
    fn new(processed: &Counters, written: &Counters, skipped: &Counters, provider: &str, event: &str) -> Self {
        let labels = |status| [("provider", provider), ("event_type", event), ("status", status)];
        Self {
            success: counter(processed, labels("success")),
            failure: counter(processed, labels("failure")),
            written: counter(written, [("provider", provider)]),
            skipped: counter(skipped, [("provider", provider)]),
        }
    }
}

impl Metrics {
    /// Registers every family, with all series of the known providers at 0.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let [processed, dead_lettered, written, skipped]: [Counters; 4] = Default::default();
        let [acked, naked, terminated]: [Counter; 3] = Default::default();
        let operations: Family<Labels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(work_buckets()));
        let batch_size = Histogram::new(size_buckets());
        let processing = Histogram::new(work_buckets());
        let breaker = Gauge::default();
        // The page is written in this order: what a message becomes stands before its ack.
        registry.register("webhook_processed", "Processed", processed.clone());
        registry.register(
            "webhook_dead_lettered",
            "Copied to the DLQ and acked",
            dead_lettered.clone(),
        );
        registry.register("webhook_acked", "Acks that the server confirmed", acked.clone());
        registry.register("webhook_naked", "Messages to be delivered again", naked.clone());
        registry.register(
            "webhook_terminated",
            "Messages terminated: never, they are copied",
            terminated,
        );
        registry.register("webhook_rows_written", "Rows written", written.clone());
        registry.register("webhook_skipped", "Webhooks that were written already", skipped.clone());
        registry.register("webhook_batch_size", "Messages in a batch", batch_size.clone());
        registry.register(
            "webhook_processing_duration_seconds",
            "A batch, from its transaction's start to its acks",
            processing.clone(),
        );
        registry.register(
            "webhook_db_update_duration_seconds",
            "A database operation",
            operations.clone(),
        );
        registry.register(
            "webhook_circuit_breaker_state",
            "0 closed, 1 open, 2 half-open",
            breaker.clone(),
        );
        for provider in Provider::ALL {
            for reason in REASONS {
                counter(&dead_lettered, [("provider", provider.name()), ("reason", reason)]);
            }
        }
        let events = PerEvent::new(&|provider, event| Event::new(&processed, &written, &skipped, provider, event));
        Self {
            processed,
            dead_lettered,
            written,
            skipped,
            acked,
            naked,
            events,
            batch_size,
            processing,
            operations,
            breaker,
        }
    }

    fn event(&self, webhook: &Webhook) -> std::sync::Arc<Event> {
        self.events.of(webhook.provider(), webhook.event(), &|provider, event| {
            Event::new(&self.processed, &self.written, &self.skipped, provider, event)
        })
    }

    /// The times of a database operation.
    pub(super) fn operation(&self, operation: &'static str) -> Histogram {
        self.operations
            .get_or_create_owned(&vec![("operation", operation.into())])
    }

    /// A transaction was committed.
    pub(super) fn written(&self, webhooks: &[Webhook], fates: &[Fate]) {
        for (webhook, fate) in webhooks.iter().zip(fates) {
            match fate {
                Fate::Written => self.event(webhook).written.inc(),
                Fate::Skipped => self.event(webhook).skipped.inc(),
                Fate::Known | Fate::Failed { .. } => continue,
            };
        }
    }

    /// A failed attempt is recorded.
    pub(super) fn failed(&self, webhook: &Webhook) {
        self.event(webhook).failure.inc();
    }

    /// The server confirmed the ack of a message that was processed.
    pub(super) fn succeeded(&self, webhook: &Webhook) {
        self.event(webhook).success.inc();
    }

    /// The server confirmed the ack of a message that was copied to the dead letter stream.
    pub(super) fn dead_lettered(&self, webhook: &Webhook) {
        let reason = webhook.failure.as_ref().map_or("unknown", |failure| failure.reason);
        count(
            &self.dead_lettered,
            [("provider", webhook.provider()), ("reason", reason)],
        );
    }

    /// The server confirmed acks.
    pub(super) fn acked(&self, count: usize) {
        self.acked.inc_by(count as u64);
    }

    /// A message is to be delivered again.
    pub(super) fn naked(&self) {
        self.naked.inc();
    }

    /// A batch is settled.
    pub(super) fn batch(&self, size: usize, took: Duration) {
        self.batch_size.observe(size as f64);
        self.processing.observe(took.as_secs_f64());
    }

    /// The breaker's state.
    pub(super) fn breaker(&self, state: State) {
        self.breaker.set(state.code());
    }
}
