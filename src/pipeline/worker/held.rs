//! What a worker holds: messages that it has pulled and not yet acked.
//!
//! While a batch waits (for the database, behind a rate limit, for its acks) the server is told
//! that work goes on, so that it does not deliver the messages again and their deliveries do not grow.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::webhook::Webhook;
use crate::base::time::{SharedClock, Timestamp, since};
use crate::pipeline::provider::Provider;

/// The batches that are held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    batches: Arc<Mutex<Batches>>,
    clock: SharedClock,
}

#[derive(Debug, Default)]
struct Batches {
    next: u64,
    open: BTreeMap<u64, Open>,
    /// The messages of all of them, by their sequence.
    sequences: HashSet<u64>,
}

#[derive(Debug)]
struct Open {
    replies: Vec<Subject>,
    sequences: Vec<u64>,
    /// The oldest webhook of each provider.
    oldest: BTreeMap<String, Timestamp>,
    /// How often the server is to hear of them.
    every: Duration,
    /// When it last did, on the monotonic clock.
    told_at: Duration,
}

impl Held {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            batches: Arc::default(),
            clock,
        }
    }

    /// Holds a batch until the returned value is dropped. What is in hand already is removed from
    /// it: a message that is delivered again in the meantime is settled by its first delivery, and
    /// would be counted twice.
    pub(super) fn hold(&self, batch: &mut Vec<Webhook>, ack_wait: Duration) -> Holding {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batch.retain(|webhook| batches.sequences.insert(webhook.sequence));
        let mut oldest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for webhook in &*batch {
            match oldest.get_mut(webhook.provider()) {
                Some(at) => *at = webhook.received_at.min(*at),
                None => drop(oldest.insert(webhook.provider().to_owned(), webhook.received_at)),
            }
        }
        let id = batches.next;
        batches.next += 1;
        batches.open.insert(
            id,
            Open {
                replies: batch.iter().map(|webhook| webhook.reply.clone()).collect(),
                sequences: batch.iter().map(|webhook| webhook.sequence).collect(),
                oldest,
                every: ack_wait / 3,
                told_at: self.clock.now().mono,
            },
        );
        Holding {
            batches: self.batches.clone(),
            id,
        }
    }

    /// The messages of which the server is to hear now.
    pub(super) fn due(&self) -> Vec<Subject> {
        let now = self.clock.now().mono;
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let due = batches
            .open
            .values_mut()
            .filter(|open| now.saturating_sub(open.told_at) >= open.every);
        due.flat_map(|open| {
            open.told_at = now;
            open.replies.clone()
        })
        .collect()
    }

    /// Age of the oldest webhook in hand, per provider: 0 where there is none.
    fn ages(&self) -> BTreeMap<String, Duration> {
        let now = self.clock.now().at;
        let mut ages: BTreeMap<String, Duration> = Provider::ALL
            .iter()
            .map(|provider| (provider.name().to_owned(), Duration::ZERO))
            .collect();
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        for (provider, at) in batches.open.values().flat_map(|open| &open.oldest) {
            let age = ages.entry(provider.clone()).or_default();
            *age = since(*at, now).max(*age);
        }
        ages
    }
}

/// A batch that is held.
#[derive(Debug)]
pub(super) struct Holding {
    batches: Arc<Mutex<Batches>>,
    id: u64,
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        for sequence in batches
            .open
            .remove(&self.id)
            .into_iter()
            .flat_map(|open| open.sequences)
        {
            batches.sequences.remove(&sequence);
        }
    }
}

/// `webhook_processing_lag_seconds`, computed when the page is read.
impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "webhook_processing_lag_seconds",
            "Age of the oldest webhook in this worker's hands",
            None,
            MetricType::Gauge,
        )?;
        for (provider, age) in self.ages() {
            let labels = [("provider", provider)];
            ConstGauge::new(age.as_secs_f64()).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::headers::Headers;
    use super::*;
    use crate::base::time::{Clock as _, ManualClock};

    fn webhook(sequence: u64, provider: &str, received_at: Timestamp) -> Webhook {
        Webhook {
            reply: sequence.to_string().into(),
            subject: format!("webhook.{provider}.y").into(),
            headers: Headers::default(),
            payload: bytes::Bytes::new(),
            sequence,
            delivery: 1,
            id: "1".to_owned(),
            received_at,
            recipient: None,
            failure: None,
        }
    }

    #[test]
    fn the_server_hears_of_a_batch_three_times_within_its_patience() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let held = Held::new(clock.clone());
        let mut batch = vec![
            webhook(1, "telnyx", clock.now().at),
            webhook(2, "resend", clock.now().at),
        ];
        let holding = held.hold(&mut batch, Duration::from_secs(30));
        assert!(held.due().is_empty());
        for _ in 0..3 {
            clock.advance(Duration::from_secs(10));
            assert_eq!(held.due().len(), 2);
            assert!(held.due().is_empty(), "once is enough");
        }
        drop(holding);
        clock.advance(Duration::from_secs(10));
        assert!(held.due().is_empty());
    }

    #[test]
    fn the_age_is_that_of_the_oldest_in_hand() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let held = Held::new(clock.clone());
        let first = held.hold(&mut vec![webhook(1, "telnyx", clock.now().at)], Duration::from_secs(30));
        clock.advance(Duration::from_secs(5));
        let second = held.hold(&mut vec![webhook(2, "telnyx", clock.now().at)], Duration::from_secs(30));
        assert_eq!(held.ages()["telnyx"], Duration::from_secs(5));
        assert_eq!(held.ages()["resend"], Duration::ZERO);
        drop(first);
        assert_eq!(held.ages()["telnyx"], Duration::ZERO);
        drop(second);
    }

    #[test]
    fn a_message_is_in_hand_once() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let held = Held::new(clock.clone());
        let delivered = |sequences: &[u64]| -> Vec<Webhook> {
            let now = clock.now().at;
            sequences
                .iter()
                .map(|sequence| webhook(*sequence, "telnyx", now))
                .collect()
        };
        let mut first = delivered(&[1, 2, 2]);
        let holding = held.hold(&mut first, Duration::from_secs(30));
        assert_eq!(first.len(), 2);
        let mut again = delivered(&[2, 3]);
        let other = held.hold(&mut again, Duration::from_secs(30));
        assert_eq!(again.iter().map(|webhook| webhook.sequence).collect::<Vec<_>>(), [3]);
        drop(holding);
        let mut later = delivered(&[1, 2, 3]);
        let last = held.hold(&mut later, Duration::from_secs(30));
        assert_eq!(later.iter().map(|webhook| webhook.sequence).collect::<Vec<_>>(), [1, 2]);
        drop((other, last));
    }
}
