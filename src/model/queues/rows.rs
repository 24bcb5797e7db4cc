//! Queues as they are shown.

use std::sync::Arc;
use std::time::Duration;

use super::consumer::ConsumerTrack;
use super::stream::StreamTrack;
use super::{Key, Missing, Queues, limits};
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

/// What a row is about, beside its stream.
enum Place<'a> {
    Consumer(&'a Key, &'a ConsumerTrack),
    Missing(&'a Arc<str>, &'a Missing),
    Alone,
}

impl Place<'_> {
    fn consumer(&self) -> Option<&Arc<str>> {
        match self {
            Self::Consumer((_, consumer), _) => Some(consumer),
            Self::Missing(consumer, _) => Some(consumer),
            Self::Alone => None,
        }
    }
}

impl Queues {
    /// Every stream and consumer that is wanted, by its number, stream and consumer, sorted by
    /// stream and consumer.
    pub(in crate::model) fn rows(
        &self,
        sources: &Sources,
        pipeline: &Pipeline,
        followed: &Followed,
        wanted: impl Fn(usize, &Arc<str>, Option<&Arc<str>>) -> bool,
        state_of: impl Fn(&Key, &ConsumerTrack, &StreamTrack) -> QueueState,
    ) -> Vec<Queue> {
        let own = self.followed(pipeline).map(|(key, _)| key);
        let (mut rows, mut number) = (Vec::new(), 0);
        for (name, stream) in &self.streams {
            let (places, siblings) = self.places(name);
            // The stream's part of a row is the same for each of its consumers.
            let mut of_stream = None;
            for place in places {
                number += 1;
                if !wanted(number - 1, name, place.consumer()) {
                    continue;
                }
                let base = of_stream.get_or_insert_with(|| self.stream_row(sources, name, stream));
                let mut row = base.clone();
                row.consumer = place.consumer().cloned();
                match place {
                    Place::Consumer(key, consumer) => {
                        self.fill(&mut row, sources, stream, consumer, siblings);
                        row.state = state_of(key, consumer, stream);
                        if own == Some(key) {
                            prefer_workers(&mut row, sources, followed);
                        }
                    }
                    Place::Missing(_, missing) => {
                        row.state = QueueState::Missing;
                        row.pending = sources.reading(None, Some(&missing.stamp));
                    }
                    Place::Alone => {}
                }
                rows.push(row);
            }
        }
        rows
    }

    /// What there are rows about in a stream, sorted, and how many consumers it has.
    fn places(&self, name: &Arc<str>) -> (Vec<Place<'_>>, usize) {
        let first = (name.clone(), Arc::from(""));
        let consumers = self.consumers.range(first.clone()..);
        let mut places: Vec<Place<'_>> = consumers
            .take_while(|((of, _), _)| of == name)
            .map(|(key, consumer)| Place::Consumer(key, consumer))
            .collect();
        let siblings = places.len();
        let gone = self.missing.range(first..).take_while(|((of, _), _)| of == name);
        places.extend(gone.map(|((_, consumer), missing)| Place::Missing(consumer, missing)));
        if places.len() > siblings {
            places.sort_by(|a, b| a.consumer().cmp(&b.consumer()));
        }
        if places.is_empty() {
            places.push(Place::Alone);
        }
        (places, siblings)
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

    fn fill(
        &self,
        row: &mut Queue,
        sources: &Sources,
        stream: &StreamTrack,
        consumer: &ConsumerTrack,
        siblings: usize,
    ) {
        let stamp = Some(&consumer.stamp);
        let reading = |value: Option<f64>| sources.reading(value, stamp);
        row.pending = reading(Some(consumer.pending as f64));
        row.ack_pending = reading(Some(consumer.ack_pending as f64));
        row.waiting = reading(Some(consumer.waiting as f64));
        row.redelivered = reading(Some(consumer.redelivered as f64));
        row.attempts_per_s = reading(consumer.attempts.rate());
        row.retries_per_s = reading(consumer.retry_rate().filter(|_| stream.evictable.raw() <= 0.0));
        row.drain_eta_s = reading(consumer.drain_eta());
        row.completed_per_s = completed(sources, stream, consumer, siblings == 1);
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
        self.fill_parked(row, sources, stream, consumer, siblings);
    }

    fn fill_parked(
        &self,
        row: &mut Queue,
        sources: &Sources,
        stream: &StreamTrack,
        consumer: &ConsumerTrack,
        siblings: usize,
    ) {
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
            } else if siblings > 1 {
                row.parked = at_most(sources.reading(Some(found.parked.min(consumer.redelivered as f64)), stamp));
                row.orphaned = Reading::unknown();
            }
        } else if consumer.config.max_deliver.is_none() {
            row.parked = sources.reading(Some(0.0), stamp);
        } else {
            row.parked = at_most(sources.reading(Some(consumer.redelivered as f64), stamp));
        }
    }
}

/// Completions as the server shows them; `only`: nobody else consumes the stream.
fn completed(sources: &Sources, stream: &StreamTrack, consumer: &ConsumerTrack, only: bool) -> Reading {
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
