//! The five hops: received, queued, stored, processed, written, each from whichever source
//! knows it.

use super::counter::Counter;
use super::database::Database;
use super::metrics::{Distribution, Gauge, Metrics, Sum, Tally};
use super::queues::{Queues, StreamTrack};
use super::reading::Reading;
use super::sources::{Sources, Stamp};
use super::view::{Flow, Queue};
use crate::config::Pipeline;

/// What the flow is worked out from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    pub(super) sources: &'a Sources,
    pub(super) metrics: &'a Metrics,
    pub(super) database: &'a Database,
    pub(super) queues: &'a Queues,
    pub(super) pipeline: &'a Pipeline,
    /// The rows of the queues, worked out before.
    pub(super) rows: &'a [Queue],
    /// There are workers besides those whose counters are read.
    pub(super) unread_workers: bool,
}

impl Inputs<'_> {
    fn sum(&self, sum: &Sum) -> Reading {
        self.sources.reading(sum.value, sum.stamp.as_ref())
    }

    fn rate(&self, tally: Tally) -> Reading {
        self.sum(self.metrics.rate(tally))
    }

    fn total(&self, tally: Tally) -> Reading {
        self.sum(self.metrics.since_start(tally))
    }

    fn quantile(&self, of: Distribution, q: f64) -> Reading {
        let window = self.metrics.distribution(of);
        let value = window.buckets.as_ref().and_then(|buckets| buckets.quantile(q));
        self.sources.reading(value, window.stamp.as_ref())
    }
}

/// The flow as of now.
pub(super) fn flow(inputs: &Inputs<'_>) -> Flow {
    let mut flow = Flow {
        received_per_s: inputs.rate(Tally::Received),
        received_total: inputs.total(Tally::Received),
        response_p99_s: inputs.quantile(Distribution::Response, 0.99),
        queued_per_s: inputs.rate(Tally::Queued),
        queued_total: inputs.total(Tally::Queued),
        refused_total: inputs.total(Tally::Refused),
        unconfirmed_total: inputs.total(Tally::Unconfirmed),
        processed_per_s: inputs.rate(Tally::Processed),
        processed_total: inputs.total(Tally::Processed),
        batch_p95_s: inputs.quantile(Distribution::Processing, 0.95),
        update_p95_s: inputs.quantile(Distribution::Update, 0.95),
        ..Flow::default()
    };
    if inputs.unread_workers {
        // A sum over some of the workers would be too little.
        flow.processed_per_s = Reading::unknown();
        flow.processed_total = Reading::unknown();
    }
    add_queue(&mut flow, inputs);
    add_written(&mut flow, inputs);
    add_dead(&mut flow, inputs);
    flow
}

fn add_queue(flow: &mut Flow, inputs: &Inputs<'_>) {
    let Some((name, stream)) = inputs.queues.followed_stream(inputs.pipeline) else {
        add_lag(flow, inputs);
        return;
    };
    flow.stored_per_s = inputs.sources.reading(stream.stored.rate(), Some(&stream.stamp));
    if let Some(limit) = next_limit(inputs.queues, stream) {
        flow.limit_eta_s = inputs.sources.reading(limit.eta, Some(&stream.stamp));
        flow.limit = Some(limit.name.to_owned());
    }
    let Some(((_, consumer_name), consumer)) = inputs.queues.followed(inputs.pipeline) else {
        add_lag(flow, inputs);
        return;
    };
    let stamp = Some(&consumer.stamp);
    flow.backlog = inputs.sources.reading(Some(consumer.backlog() as f64), stamp);
    flow.backlog_per_s = inputs.sources.reading(consumer.backlog_slope(), stamp);
    let row = inputs
        .rows
        .iter()
        .find(|row| row.stream == *name && row.consumer.as_ref() == Some(consumer_name));
    if let Some(row) = row {
        flow.oldest_waiting_s = row.oldest_age_s.clone();
        flow.oldest_held_s = row.oldest_held_s.clone();
        flow.drain_eta_s = row.drain_eta_s.clone();
        if flow.processed_per_s.value.is_none() {
            flow.processed_per_s = row.completed_per_s.clone();
        }
    }
    if flow.oldest_waiting_s.value.is_none() && consumer.pending > 0 {
        add_lag(flow, inputs);
    }
}

/// Without the stream's own answer, the workers' idea of the oldest unprocessed.
fn add_lag(flow: &mut Flow, inputs: &Inputs<'_>) {
    flow.oldest_waiting_s = inputs.sum(&inputs.metrics.highest(Gauge::Lag));
}

fn add_written(flow: &mut Flow, inputs: &Inputs<'_>) {
    let known: Option<(&Counter, &Stamp)> = inputs.database.written.as_ref().zip(inputs.database.counters.as_ref());
    if let Some((written, stamp)) = known {
        flow.written_per_s = inputs.sources.reading(written.rate(), Some(stamp));
        flow.written_total = inputs.sources.reading(Some(written.since_start()), Some(stamp));
    } else {
        flow.written_per_s = inputs.rate(Tally::Written);
        flow.written_total = inputs.total(Tally::Written);
    }
}

fn add_dead(flow: &mut Flow, inputs: &Inputs<'_>) {
    let Some((_, letters)) = inputs.queues.dead_letters(inputs.pipeline) else {
        return;
    };
    let stamp = Some(&letters.stamp);
    flow.dead = inputs.sources.reading(Some(letters.state.messages as f64), stamp);
    let minute = letters.stored.last_minute();
    flow.dead_per_min = inputs.sources.reading(minute.map(|growth| growth.delta), stamp);
}

/// The limit of the followed stream that is reached first.
pub(super) fn next_limit(queues: &Queues, stream: &StreamTrack) -> Option<super::queues::Limit> {
    queues
        .limits(stream)
        .into_iter()
        .filter(|limit| limit.eta.is_some())
        .min_by(|a, b| {
            a.eta
                .unwrap_or(f64::INFINITY)
                .total_cmp(&b.eta.unwrap_or(f64::INFINITY))
        })
}
