//! `CONSUMER.INFO` and the elements of `CONSUMER.LIST`.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::scalar::{Count, Flag, Many, Maybe, Names, Pairs, Text, Time};
use super::stream::words;
use super::{Cluster, ErrorBody, Unreadable};
use crate::sample::{ConsumerConfig, ConsumerReading, SequencePair};

/// One `CONSUMER.INFO` answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerInfo {
    pub(super) error: Maybe<ErrorBody>,
    stream_name: Text,
    name: Text,
    created: Time,
    ts: Time,
    config: Maybe<Config>,
    delivered: Maybe<Sequence>,
    ack_floor: Maybe<Sequence>,
    num_pending: Count,
    num_ack_pending: Count,
    num_redelivered: Count,
    num_waiting: Count,
    paused: Flag,
    cluster: Maybe<Cluster>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    durable_name: Text,
    deliver_subject: Text,
    ack_policy: Text,
    ack_wait: Count,
    max_deliver: Count,
    max_ack_pending: Count,
    max_waiting: Count,
    filter_subject: Text,
    filter_subjects: Names,
    deliver_policy: Text,
    backoff: Many<Count>,
    pause_until: Time,
    metadata: Pairs<Text>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Sequence {
    consumer_seq: Count,
    stream_seq: Count,
    last_active: Time,
}

impl Sequence {
    fn pair(self, consumer: &'static str, stream: &'static str) -> Result<SequencePair, Unreadable> {
        Ok(SequencePair {
            consumer_seq: self.consumer_seq.0.ok_or(Unreadable(consumer))?,
            stream_seq: self.stream_seq.0.ok_or(Unreadable(stream))?,
            last_active: self.last_active.0,
        })
    }
}

impl ConsumerInfo {
    /// As a sample: `mono` is when the answer was in, `took` how long it took.
    pub(crate) fn reading(self, mono: Duration, took: Duration) -> Result<ConsumerReading, Unreadable> {
        let delivered = self.delivered.0.unwrap_or_default();
        let ack_floor = self.ack_floor.0.unwrap_or_default();
        Ok(ConsumerReading {
            stream: self.stream_name.0.as_deref().ok_or(Unreadable("stream_name"))?.into(),
            name: self.name.0.as_deref().ok_or(Unreadable("name"))?.into(),
            created: self.created.0,
            ts: self.ts.0,
            mono,
            took,
            delivered: delivered.pair("delivered.consumer_seq", "delivered.stream_seq")?,
            ack_floor: ack_floor.pair("ack_floor.consumer_seq", "ack_floor.stream_seq")?,
            num_pending: self.num_pending.0.ok_or(Unreadable("num_pending"))?,
            num_ack_pending: self.num_ack_pending.0.ok_or(Unreadable("num_ack_pending"))?,
            num_redelivered: self.num_redelivered.0.ok_or(Unreadable("num_redelivered"))?,
            num_waiting: self.num_waiting.0.ok_or(Unreadable("num_waiting"))?,
            paused: self.paused.0,
            cluster: self.cluster.0.map(Cluster::reading),
            config: Arc::new(self.config.0.ok_or(Unreadable("config"))?.sample()),
        })
    }
}

impl Config {
    fn sample(self) -> ConsumerConfig {
        let mut filter_subjects = self.filter_subjects.0;
        filter_subjects.extend(self.filter_subject.0);
        filter_subjects.sort_unstable();
        filter_subjects.dedup();
        ConsumerConfig {
            durable: self.durable_name.0.is_some(),
            push: self.deliver_subject.0.is_some(),
            ack_policy: self.ack_policy.0.unwrap_or_default(),
            ack_wait: self.ack_wait.nanos().unwrap_or_default(),
            max_deliver: self.max_deliver.limit(),
            max_ack_pending: self.max_ack_pending.limit(),
            max_waiting: self.max_waiting.limit(),
            filter_subjects,
            deliver_policy: self.deliver_policy.0.unwrap_or_default(),
            backoff: self.backoff.0.into_iter().filter_map(Count::nanos).collect(),
            pause_until: self.pause_until.0,
            metadata: words(self.metadata),
        }
    }
}
