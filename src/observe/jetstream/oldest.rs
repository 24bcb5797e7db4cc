//! The oldest message that waits for a worker, and the oldest that a worker holds.
//!
//! Both are found by asking for the next stored message from a sequence on. The payload that
//! comes along is skipped while the answer is read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::api::{Api, ApiError};
use crate::base::time::Timestamp;
use crate::sample::{ConsumerKey, ConsumerReading};

/// How often the followed consumers are asked for.
const FOLLOWED: Duration = Duration::from_secs(2);

/// How often the others are.
const OTHERS: Duration = Duration::from_secs(10);

/// Others that are asked for in one cycle at most.
const OTHERS_PER_CYCLE: usize = 16;

/// Filters of a consumer up to which its ages are asked for: each is a request.
const FILTERS: usize = 64;

/// Consumers whose pace is remembered at most.
const REMEMBERED: usize = 4_096;

/// Which consumer is due when.
#[derive(Debug, Default)]
pub(crate) struct Cadence {
    asked: BTreeMap<ConsumerKey, Duration>,
    others: usize,
}

impl Cadence {
    /// Begins a cycle.
    pub(crate) fn begin(&mut self) {
        self.others = 0;
        if self.asked.len() > REMEMBERED {
            self.asked.clear();
        }
    }

    /// Whether `consumer` is due, and if so, notes that it is asked for now.
    pub(crate) fn take(&mut self, consumer: &ConsumerReading, followed: bool, now: Duration) -> bool {
        let key = ConsumerKey {
            stream: consumer.stream.clone(),
            consumer: consumer.name.clone(),
        };
        // Half a period of grace: a cycle that comes a little early must not skip one.
        let pace = if followed { FOLLOWED } else { OTHERS }.saturating_sub(Duration::from_millis(500));
        if self
            .asked
            .get(&key)
            .is_some_and(|asked| now.saturating_sub(*asked) < pace)
        {
            return false;
        }
        if !followed {
            if self.others >= OTHERS_PER_CYCLE {
                return false;
            }
            self.others += 1;
        }
        self.asked.insert(key, now);
        true
    }
}

/// The ages of one consumer's oldest messages.
#[derive(Debug)]
pub(crate) struct Ages {
    pub(crate) stream: Arc<str>,
    pub(crate) consumer: Arc<str>,
    pub(crate) found: Result<(Option<Timestamp>, Option<Timestamp>), ApiError>,
}

/// Asks for the oldest messages of a consumer as it was just read.
pub(crate) async fn read(api: Arc<Api>, consumer: ConsumerReading) -> Ages {
    Ages {
        found: find(&api, &consumer).await,
        stream: consumer.stream,
        consumer: consumer.name,
    }
}

async fn find(api: &Api, consumer: &ConsumerReading) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let waiting = async {
        if consumer.num_pending == 0 {
            return Ok(None);
        }
        let from = consumer.delivered.stream_seq.saturating_add(1);
        Ok(first(api, consumer, from).await?.map(|(_, stored)| stored))
    };
    let held = async {
        if consumer.num_ack_pending == 0 {
            return Ok(None);
        }
        // The message behind the floor may have been acked out of order and deleted: the next
        // one that is still stored is the oldest that can be held. Beyond the last delivery it
        // is not held but waiting.
        let from = consumer.ack_floor.stream_seq.saturating_add(1);
        let found = first(api, consumer, from).await?;
        Ok(found
            .filter(|(seq, _)| *seq <= consumer.delivered.stream_seq)
            .map(|(_, stored)| stored))
    };
    futures_util::future::try_join(waiting, held).await
}

/// The first stored message from `from` on that matches any of the consumer's filters.
async fn first(api: &Api, consumer: &ConsumerReading, from: u64) -> Result<Option<(u64, Timestamp)>, ApiError> {
    let filters = &consumer.config.filter_subjects;
    if filters.is_empty() {
        return api.next_message(&consumer.stream, from, ">").await;
    }
    if filters.len() > FILTERS {
        return Ok(None);
    }
    let each = filters
        .iter()
        .map(|filter| api.next_message(&consumer.stream, from, filter));
    Ok(try_join_all(each).await?.into_iter().flatten().min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{ConsumerConfig, SequencePair};

    fn consumer(name: &str) -> ConsumerReading {
        ConsumerReading {
            stream: "webhooks".into(),
            name: name.into(),
            created: None,
            ts: None,
            mono: Duration::ZERO,
            took: Duration::ZERO,
            config: Arc::new(ConsumerConfig::default()),
            delivered: SequencePair::default(),
            ack_floor: SequencePair::default(),
            num_pending: 0,
            num_ack_pending: 0,
            num_redelivered: 0,
            num_waiting: 0,
            paused: None,
            cluster: None,
        }
    }

    #[test]
    fn the_followed_consumer_is_due_every_2_s_and_others_every_10_s() {
        let mut cadence = Cadence::default();
        let (mut followed, mut others) = (0, 0);
        for second in 0..20 {
            cadence.begin();
            let now = Duration::from_millis(second * 1000 + 3);
            followed += u32::from(cadence.take(&consumer("workers"), true, now));
            others += u32::from(cadence.take(&consumer("other"), false, now));
        }
        assert_eq!((followed, others), (10, 2));
    }

    #[test]
    fn others_are_asked_for_in_small_numbers_until_each_had_its_turn() {
        let mut cadence = Cadence::default();
        let mut turns = Vec::new();
        for second in 0..4 {
            cadence.begin();
            let due =
                (0..40).filter(|i| cadence.take(&consumer(&format!("c{i:02}")), false, Duration::from_secs(second)));
            turns.push(due.count());
        }
        assert_eq!(turns, [16, 16, 8, 0]);
    }
}
