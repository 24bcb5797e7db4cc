//! `STREAM.INFO` and the elements of `STREAM.LIST`.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::scalar::{Count, Flag, Maybe, Names, Pairs, Text, Time};
use super::{Cluster, ErrorBody, Unreadable};
use crate::sample::{Discard, Retention, StreamConfig, StreamReading, StreamState};

/// One `STREAM.INFO` answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamInfo {
    pub(super) error: Maybe<ErrorBody>,
    config: Maybe<Config>,
    created: Time,
    ts: Time,
    state: Maybe<State>,
    cluster: Maybe<Cluster>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    name: Text,
    subjects: Names,
    retention: Text,
    discard: Text,
    discard_new_per_subject: Flag,
    storage: Text,
    max_msgs: Count,
    max_bytes: Count,
    max_age: Count,
    max_msgs_per_subject: Count,
    max_msg_size: Count,
    duplicate_window: Count,
    num_replicas: Count,
    allow_direct: Flag,
    deny_delete: Flag,
    sealed: Flag,
    mirror: Maybe<Mirror>,
    metadata: Pairs<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Mirror {
    name: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    messages: Count,
    bytes: Count,
    first_seq: Count,
    first_ts: Time,
    last_seq: Count,
    last_ts: Time,
    num_subjects: Count,
    subjects: Pairs<Count>,
    num_deleted: Count,
    consumer_count: Count,
}

impl StreamInfo {
    /// As a sample: `mono` is when the answer was in, `took` how long it took.
    pub(crate) fn reading(self, mono: Duration, took: Duration) -> Result<StreamReading, Unreadable> {
        let config = self.config.0.ok_or(Unreadable("config"))?;
        let state = self.state.0.ok_or(Unreadable("state"))?;
        let name: Arc<str> = config.name.0.as_deref().ok_or(Unreadable("config.name"))?.into();
        let replicas = config.num_replicas.0.and_then(|count| u32::try_from(count).ok());
        Ok(StreamReading {
            name,
            created: self.created.0,
            ts: self.ts.0,
            mono,
            took,
            state: StreamState {
                messages: state.messages.0.ok_or(Unreadable("state.messages"))?,
                bytes: state.bytes.0.ok_or(Unreadable("state.bytes"))?,
                first_seq: state.first_seq.0.ok_or(Unreadable("state.first_seq"))?,
                first_ts: state.first_ts.0,
                last_seq: state.last_seq.0.ok_or(Unreadable("state.last_seq"))?,
                last_ts: state.last_ts.0,
                num_subjects: state.num_subjects.0,
                num_deleted: state.num_deleted.0,
                consumer_count: state.consumer_count.0.ok_or(Unreadable("state.consumer_count"))?,
            },
            config: Arc::new(StreamConfig {
                subjects: config.subjects.0,
                retention: match config.retention.0.as_deref() {
                    Some("workqueue") => Retention::Workqueue,
                    Some("interest") => Retention::Interest,
                    // The retention from which the least is concluded also stands for an unknown one.
                    _ => Retention::Limits,
                },
                discard: match config.discard.0.as_deref() {
                    Some("new") => Discard::New,
                    _ => Discard::Old,
                },
                discard_new_per_subject: config.discard_new_per_subject.is_set(),
                storage: config.storage.0.unwrap_or_default(),
                max_msgs: config.max_msgs.limit(),
                max_bytes: config.max_bytes.limit(),
                max_age: config.max_age.limit().map(Duration::from_nanos),
                max_msgs_per_subject: config.max_msgs_per_subject.limit(),
                max_msg_size: config.max_msg_size.limit(),
                duplicate_window: config.duplicate_window.nanos().unwrap_or_default(),
                replicas: replicas.unwrap_or(0),
                allow_direct: config.allow_direct.is_set(),
                deny_delete: config.deny_delete.is_set(),
                sealed: config.sealed.is_set(),
                mirror: config.mirror.0.and_then(|mirror| mirror.name.0),
                metadata: words(config.metadata),
            }),
            cluster: self.cluster.0.map(Cluster::reading),
        })
    }

    /// Messages per subject, where they were asked for, in the order of the answer.
    pub(crate) fn take_subjects(&mut self) -> Vec<(String, u64)> {
        let Some(state) = &mut self.state.0 else {
            return Vec::new();
        };
        std::mem::take(&mut state.subjects.0)
            .into_iter()
            .filter_map(|(subject, count)| Some((subject, count.0?)))
            .collect()
    }
}

/// Metadata, without the entries that are no text.
pub(super) fn words(pairs: Pairs<Text>) -> std::collections::BTreeMap<String, String> {
    pairs
        .0
        .into_iter()
        .map(|(key, text)| (key, text.0.unwrap_or_default()))
        .collect()
}
