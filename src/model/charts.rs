//! Which figures have a history, and what is recorded in it at every tick.

use std::sync::Arc;

use super::Model;
use super::field::Field;
use super::reading::Reading;
use super::series::SeriesKey;
use crate::base::time::Moment;

/// Queues, workers and providers whose figures have a history whether or not somebody looks.
const CHARTED: usize = 12;

/// Series that are recorded because somebody looked at them.
const LOOKED_AT: usize = 64;

/// What the histories of a queue are about.
pub(super) fn queue_subject(stream: &Arc<str>, consumer: Option<&Arc<str>>) -> Arc<str> {
    match consumer {
        Some(consumer) => format!("{stream}/{consumer}").into(),
        None => stream.clone(),
    }
}

/// A stale value is no news: the chart shows a gap.
pub(super) fn fresh(reading: &Reading) -> Option<f64> {
    reading.value.filter(|_| !reading.is_stale())
}

impl Model {
    /// Notes that a chart of this series is on screen, so that it is recorded and its fine
    /// history is kept longest.
    pub fn touch(&mut self, key: &SeriesKey) {
        if self.charted.len() >= LOOKED_AT && !self.charted.contains(key) {
            self.charted.clear();
        }
        self.charted.insert(key.clone());
        self.histories.touch(key);
    }

    /// Whether the figures of one queue, worker or provider have a history: those of the first few
    /// whether or not somebody looks, others when somebody does.
    pub(super) fn is_charted(&self, number: usize, subject: impl FnOnce() -> Arc<str>, field: Field) -> bool {
        number < CHARTED || (!self.charted.is_empty() && self.charted.contains(&SeriesKey::about(field, subject())))
    }

    /// Records the figures that are charted.
    pub(super) fn record(&mut self, now: Moment) {
        let flow = &self.view.flow;
        let charted = [
            (Field::ReceivedPerS, &flow.received_per_s),
            (Field::QueuedPerS, &flow.queued_per_s),
            (Field::StoredPerS, &flow.stored_per_s),
            (Field::ProcessedPerS, &flow.processed_per_s),
            (Field::WrittenPerS, &flow.written_per_s),
            (Field::Backlog, &flow.backlog),
            (Field::OldestWaiting, &flow.oldest_waiting_s),
            (Field::Dead, &flow.dead),
            (Field::ResponseP99, &flow.response_p99_s),
        ];
        for (field, reading) in charted {
            self.histories.record(&SeriesKey::of(field), now, fresh(reading));
        }
        self.record_rows(now);
    }

    /// Records the figures of single queues, workers and providers: of the first few, and of
    /// those that somebody looks at.
    fn record_rows(&mut self, now: Moment) {
        for (number, queue) in self.view.queues.iter().enumerate() {
            let subject = || queue_subject(&queue.stream, queue.consumer.as_ref());
            if !self.is_charted(number, subject, Field::Pending) {
                continue;
            }
            let subject = subject();
            let pending = if queue.consumer.is_none() {
                &queue.messages
            } else {
                &queue.pending
            };
            for (field, reading) in [
                (Field::Pending, pending),
                (Field::StoredPerS, &queue.ingest_per_s),
                (Field::CompletedPerS, &queue.completed_per_s),
                (Field::OldestWaiting, &queue.oldest_age_s),
            ] {
                let key = SeriesKey::about(field, subject.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
        for (number, worker) in self.view.workers.iter().enumerate() {
            if !self.is_charted(number, || worker.name.clone(), Field::BatchP95) {
                continue;
            }
            for (field, reading) in [
                (Field::BatchP95, &worker.batch_p95_s),
                (Field::ErrorsPerS, &worker.errors_per_s),
                (Field::Memory, &worker.memory),
            ] {
                let key = SeriesKey::about(field, worker.name.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
        for provider in self.view.providers.iter().take(CHARTED) {
            for (field, reading) in [
                (Field::ReceivedPerS, &provider.received_per_s),
                (Field::ErrorRatio, &provider.error_ratio),
            ] {
                let key = SeriesKey::about(field, provider.name.clone());
                self.histories.record(&key, now, fresh(reading));
            }
        }
    }
}
