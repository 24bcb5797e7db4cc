//! Queues as they are shown.

use std::sync::Arc;
use std::time::Duration;

use super::consumer::ConsumerTrack;
use super::stream::StreamTrack;
use super::{Key, Queues, limits};
use crate::config::Pipeline;
use crate::model::metrics::Sum;
use crate::model::reading::{Reading, ReadingState};
use crate::model::sources::{Sources, Stamp};
use crate::model::view::{Queue, QueueState};
use crate::sample::Retention;

/// The ages of the oldest messages are asked for at a slower pace than the rest.
const AGES_EVERY: Duration = Duration::from_secs(10);
/// Growth of a backlog below this share of the ingest is no growth.
const GROWTH: f64 = 0.02;

/// What else is known of the followed consumer.
#[derive(Clone, Debug, Default)]
pub(in crate::model) struct Followed {
    /// Acks per second, as the workers count them.
    pub(in crate::model) acks: Sum,
    /// Retries per second, as the workers count them.
    pub(in crate::model) retries: Sum,
}

impl Queues {
    /// Every stream and consumer, sorted by stream and consumer.
    pub(in crate::model) fn rows(
        &self,
        sources: &Sources,
        pipeline: &Pipeline,
        followed: &Followed,
        state_of: impl Fn(&Key, &ConsumerTrack, &StreamTrack) -> QueueState,
    ) -> Vec<Queue> {
        let own = self.followed(pipeline).map(|(key, _)| key.clone());
        let mut rows = Vec::new();
        for (name, stream) in &self.streams {
            let mut alone = true;
            let consumers = self.consumers.range((name.clone(), Arc::from(""))..);
            for (key, consumer) in consumers.take_while(|((of, _), _)| of == name) {
                alone = false;
                let mut row = self.stream_row(sources, name, stream);
                self.fill(&mut row, sources, stream, consumer);
                row.consumer = Some(key.1.clone());
                row.state = state_of(key, consumer, stream);
                if own.as_ref() == Some(key) {
                    prefer_workers(&mut row, sources, followed);
                }
                rows.push(row);
            }
            let gone = self.missing.range((name.clone(), Arc::from(""))..);
            for ((_, consumer), missing) in gone.take_while(|((of, _), _)| of == name) {
                alone = false;
                let mut row = self.stream_row(sources, name, stream);
                row.consumer = Some(consumer.clone());
                row.state = QueueState::Missing;
                row.pending = sources.reading(None, Some(&missing.stamp));
                rows.push(row);
            }
            if alone {
                rows.push(self.stream_row(sources, name, stream));
            }
        }
        rows.sort_by(|a, b| (&a.stream, &a.consumer).cmp(&(&b.stream, &b.consumer)));
        rows
    }

    /// What is known of a stream whoever consumes it.
    fn stream_row(&self, sources: &Sources, name: &Arc<str>, stream: &StreamTrack) -> Queue {
        let stamp = Some(&stream.stamp);
        let limits = self.limits(stream);
        Queue {
            stream: name.clone(),
            messages: sources.reading(Some(stream.state.messages as f64), stamp),
            bytes: sources.reading(Some(stream.state.bytes as f64), stamp),
            unmatched: sources.reading(self.unmatched.get(name).map(|unmatched| unmatched.messages), stamp),
            ingest_per_s: sources.reading(stream.stored.rate(), stamp),
            limit_eta_s: sources.reading(limits::next(&limits).and_then(|limit| limit.eta), stamp),
            state: QueueState::Unknown,
            leader: stream.leader.clone(),
            replicas: stream.config.replicas.max(1),
            stream_config: stream.config.clone(),
            ..Queue::default()
        }
    }

    fn fill(&self, row: &mut Queue, sources: &Sources, stream: &StreamTrack, consumer: &ConsumerTrack) {
        let stamp = Some(&consumer.stamp);
        let reading = |value: Option<f64>| sources.reading(value, stamp);
        row.pending = reading(Some(consumer.pending as f64));
        row.ack_pending = reading(Some(consumer.ack_pending as f64));
        row.waiting = reading(Some(consumer.waiting as f64));
        row.redelivered = reading(Some(consumer.redelivered as f64));
        row.attempts_per_s = reading(consumer.attempts.rate());
        row.retries_per_s = reading(consumer.retry_rate().filter(|_| stream.evictable.raw() <= 0.0));
        row.drain_eta_s = reading(consumer.drain_eta());
        row.completed_per_s = self.completed(&row.stream, sources, stream, consumer);
        row.consumer_config = Some(consumer.config.clone());
        row.leader = consumer.leader.clone().or_else(|| stream.leader.clone());
        if !consumer.unfiltered {
            // What arrives for a filtered consumer cannot be told from the stream's sequence.
            row.ingest_per_s = Reading::unknown();
        }
        let old = |age: Option<(Duration, &Stamp)>| {
            age.map_or_else(Reading::unknown, |(age, stamp)| {
                let mut reading = sources.reading(Some(age.as_secs_f64()), Some(stamp));
                if sources.is_fresh_for(stamp, AGES_EVERY) {
                    reading.state = ReadingState::Fresh;
                }
                reading
            })
        };
        row.oldest_age_s = old(consumer.oldest_waiting());
        row.oldest_held_s = old(consumer.oldest_held());
        self.fill_parked(row, sources, stream, consumer);
    }

    fn fill_parked(&self, row: &mut Queue, sources: &Sources, stream: &StreamTrack, consumer: &ConsumerTrack) {
        let stamp = Some(&consumer.stamp);
        if stream.config.retention == Retention::Workqueue {
            let Some((found, kept)) = self.parked(&row.stream) else {
                return;
            };
            row.parked = sources.reading(Some(found.parked), stamp);
            row.orphaned = sources.reading(Some(found.orphaned), stamp);
            if kept {
                row.parked.state = ReadingState::Stale;
                row.orphaned.state = ReadingState::Stale;
            } else if self.consumers_of(&row.stream) > 1 {
                row.parked = at_most(sources.reading(Some(found.parked.min(consumer.redelivered as f64)), stamp));
                row.orphaned = Reading::unknown();
            }
        } else if consumer.config.max_deliver.is_none() {
            row.parked = sources.reading(Some(0.0), stamp);
        } else {
            row.parked = at_most(sources.reading(Some(consumer.redelivered as f64), stamp));
        }
    }

    /// Completions as the server shows them.
    fn completed(&self, name: &str, sources: &Sources, stream: &StreamTrack, consumer: &ConsumerTrack) -> Reading {
        let only = self.consumers_of(name) == 1;
        if stream.config.retention == Retention::Workqueue && consumer.unfiltered && only {
            // Evicted at least so many: what remains is at most what was completed.
            let evicted = consumer.evicted().rate().filter(|_| stream.evictable.raw() > 0.0);
            let left = stream.removed.rate().map(|removed| removed - evicted.unwrap_or(0.0));
            return at_most(sources.reading(left.filter(|left| *left >= 0.0), Some(&stream.stamp)));
        }
        match consumer.completed() {
            Some((rate, false)) => sources.reading(Some(rate), Some(&consumer.stamp)),
            Some((rate, true)) => at_most(sources.reading(Some(rate), Some(&consumer.stamp))),
            None => Reading::unknown(),
        }
    }
}

/// The same as a bound.
fn at_most(mut reading: Reading) -> Reading {
    if reading.state == ReadingState::Fresh {
        reading.state = ReadingState::AtMost;
    }
    reading
}

/// The workers' own counts of the followed consumer stand above what the server shows.
fn prefer_workers(row: &mut Queue, sources: &Sources, followed: &Followed) {
    let acks = sources.reading(followed.acks.value, followed.acks.stamp.as_ref());
    if acks.value.is_some() && (acks.state == ReadingState::Fresh || row.completed_per_s.value.is_none()) {
        row.completed_per_s = acks;
    }
    if row.retries_per_s.value.is_none() {
        row.retries_per_s = sources.reading(followed.retries.value, followed.retries.stamp.as_ref());
    }
}

/// What a consumer does, as far as its own numbers tell. Whether nobody pulls and whether
/// work has stalled takes more than that.
pub(in crate::model) fn plain_state(consumer: &ConsumerTrack, ingest: Option<f64>) -> QueueState {
    if consumer.paused {
        return QueueState::Paused;
    }
    if consumer.pending > 0 && consumer.fill().is_some_and(|fill| fill >= 0.98) {
        return QueueState::Saturated;
    }
    if consumer.backlog() == 0 {
        return QueueState::Idle;
    }
    match consumer.steady_slope() {
        None => QueueState::Unknown,
        Some(slope) if slope > 0.0 && slope > ingest.unwrap_or(0.0) * GROWTH => QueueState::Growing,
        Some(_) => QueueState::Draining,
    }
}
