//! Streams and consumers: what waits, who holds it, where it is heading.

mod consumer;
mod limits;
mod parked;
mod rows;
mod stream;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use consumer::{ConsumerSign, ConsumerTrack, Rise};
pub(super) use limits::Limit;
pub(super) use rows::{Followed, plain_state};
pub(super) use stream::{StreamSign, StreamTrack, seconds};
pub(crate) use subjects::covers;

use parked::Parked;

use super::counter::{Counter, Growth, Span};
use super::reading::Reading;
use super::sources::{Sources, Stamp};
use crate::config::Pipeline;
use crate::sample::{
    ConsumerReading, InventoryReading, OldestReading, QueueReading, ServerReading, StreamConfig, StreamReading,
    SubjectsReading,
};

/// Subjects that are remembered by name where no filter takes them.
const NAMED: usize = 4;

/// A stream's consumer by name.
type Key = (Arc<str>, Arc<str>);

/// What a reading revealed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum QueueSign {
    Stream(Arc<str>, StreamSign),
    Consumer(Arc<str>, Arc<str>, ConsumerSign),
    /// A consumer that should be there is not.
    Missing(Arc<str>, Arc<str>),
}

/// A consumer that is gone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Missing {
    pub(super) stamp: Stamp,
    pub(super) since: f64,
}

/// Messages under no consumer's filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unmatched {
    pub(super) messages: f64,
    /// Counts per subject, one after the other, that showed some.
    pub(super) sweeps: u32,
    /// Some of their subjects, the largest first.
    pub(super) subjects: Vec<Arc<str>>,
    /// When the newest of these counts was taken.
    counted: f64,
}

/// Every stream and consumer that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queues {
    pub(super) streams: BTreeMap<Arc<str>, StreamTrack>,
    pub(super) consumers: BTreeMap<Key, ConsumerTrack>,
    pub(super) missing: BTreeMap<Key, Missing>,
    parked: BTreeMap<Arc<str>, Parked>,
    /// Messages under no consumer's filter, where that is known.
    unmatched: BTreeMap<Arc<str>, Unmatched>,
    pub(super) server: Option<ServerReading>,
    /// Our own requests, and when they were last told.
    calls: Option<(Stamp, Counter)>,
}

impl Queues {
    /// Takes in what the server's own reading says.
    pub(super) fn serve(&mut self, stamp: Stamp, server: &ServerReading) {
        let span = Span::new(stamp.mono, server.rtt);
        let sent = server.our_requests as f64;
        match &mut self.calls {
            None => self.calls = Some((stamp, Counter::new(span, sent, true))),
            Some((newest, counter)) => {
                *newest = stamp;
                if sent < counter.raw() {
                    counter.restart(span, sent);
                } else {
                    counter.observe(span, sent);
                }
            }
        }
        self.server = Some(server.clone());
    }

    /// Our own requests per second, over the last minute: sweeps come only now and then.
    pub(super) fn calls(&self, sources: &Sources) -> Reading {
        let Some((stamp, counter)) = &self.calls else {
            return Reading::unknown();
        };
        sources.reading(counter.last_minute().map(Growth::per_second), Some(stamp))
    }

    /// Takes one cycle over a stream in. `epoch`: session start, unix seconds.
    pub(super) fn cycle(&mut self, stamp: &Stamp, reading: &QueueReading, epoch: f64) -> Vec<QueueSign> {
        let mut signs = Vec::new();
        let name = &reading.before.name;
        self.stream(stamp, &reading.before, epoch, &mut signs);
        let around = [&reading.before.state, &reading.after.state];
        for consumer in &reading.consumers {
            self.consumer(stamp, consumer, around, &reading.before.config, epoch, &mut signs);
        }
        self.stream(stamp, &reading.after, epoch, &mut signs);
        self.note_missing(stamp, name, reading, &mut signs);
        self.note_parked(name, reading, &signs);
        signs
    }

    fn stream(&mut self, stamp: &Stamp, reading: &StreamReading, epoch: f64, signs: &mut Vec<QueueSign>) {
        if let Some(track) = self.streams.get_mut(&reading.name) {
            let found = track.observe(stamp.clone(), reading, epoch);
            signs.extend(
                found
                    .into_iter()
                    .map(|sign| QueueSign::Stream(reading.name.clone(), sign)),
            );
        } else {
            self.streams
                .insert(reading.name.clone(), StreamTrack::new(stamp.clone(), reading, epoch));
        }
    }

    fn consumer(
        &mut self,
        stamp: &Stamp,
        reading: &ConsumerReading,
        around: [&crate::sample::StreamState; 2],
        config: &StreamConfig,
        epoch: f64,
        signs: &mut Vec<QueueSign>,
    ) {
        let key = (reading.stream.clone(), reading.name.clone());
        if let Some(track) = self.consumers.get_mut(&key) {
            if let Some(sign) = track.observe(stamp.clone(), reading, around, config, epoch) {
                signs.push(QueueSign::Consumer(key.0, key.1, sign));
            }
        } else {
            let mut track = ConsumerTrack::new(stamp.clone(), reading, around, config, epoch);
            if let Some(missing) = self.missing.get(&key) {
                if reading.mono.saturating_sub(reading.took) < missing.stamp.mono {
                    // A sweep asked for it before it was gone.
                    return;
                }
                // It was away for no longer than between two looks at the figures: all the same
                // somebody has to hear of it.
                track.note_recreated();
                signs.push(QueueSign::Consumer(
                    key.0.clone(),
                    key.1.clone(),
                    ConsumerSign::Recreated,
                ));
            }
            self.consumers.insert(key, track);
        }
    }

    fn note_missing(&mut self, stamp: &Stamp, stream: &Arc<str>, reading: &QueueReading, signs: &mut Vec<QueueSign>) {
        let now = stamp.mono.as_secs_f64();
        self.missing
            .retain(|(of, name), _| of != stream || reading.missing.iter().any(|gone| **gone == **name));
        for gone in &reading.missing {
            let key: Key = (stream.clone(), Arc::from(gone.as_str()));
            self.consumers.remove(&key);
            let known = self.missing.entry(key.clone()).or_insert_with(|| {
                signs.push(QueueSign::Missing(key.0, key.1));
                Missing {
                    stamp: stamp.clone(),
                    since: now,
                }
            });
            known.stamp = stamp.clone();
        }
        // What is neither read nor missing any more is known to be gone when all were read.
        let all = reading.consumers.len() as u64 == reading.consumers_total;
        let known = self.consumers.range((stream.clone(), Arc::from(""))..);
        let known = known.map(|(key, _)| key).take_while(|(of, _)| of == stream);
        if all && known.clone().count() > reading.consumers.len() {
            let read: BTreeSet<&str> = reading.consumers.iter().map(|read| &*read.name).collect();
            let gone: BTreeSet<Key> = known.filter(|(_, name)| !read.contains(&**name)).cloned().collect();
            self.consumers.retain(|key, _| !gone.contains(key));
        }
    }

    fn note_parked(&mut self, stream: &Arc<str>, reading: &QueueReading, signs: &[QueueSign]) {
        let found = unmatched(self.streams.get(stream), reading);
        let unmatched = self.note_unmatched(stream, found);
        let parked = self.parked.entry(stream.clone()).or_default();
        let delivered = reading.consumers.iter().map(|c| c.delivered.consumer_seq).sum();
        if signs
            .iter()
            .any(|sign| matches!(sign, QueueSign::Consumer(_, _, ConsumerSign::FellBack)))
        {
            parked.server_restarted(delivered);
        }
        let work = reading.before.config.retention == crate::sample::Retention::Workqueue;
        match unmatched.filter(|_| work && all_read(reading)) {
            Some(unmatched) => {
                let redelivered: u64 = reading.consumers.iter().map(|c| c.num_redelivered).sum();
                parked.observe(parked::gap(reading, unmatched), redelivered as f64, delivered);
            }
            None => parked.forget(),
        }
    }

    /// Keeps what is under no filter, and returns how many messages that are.
    fn note_unmatched(&mut self, stream: &Arc<str>, found: Option<Unmatched>) -> Option<f64> {
        let Some(found) = found else {
            self.unmatched.remove(stream);
            return None;
        };
        let known = self.unmatched.entry(stream.clone()).or_default();
        known.sweeps = match found.messages > 0.0 {
            false => 0,
            true if found.counted > known.counted => known.sweeps + 1,
            true => known.sweeps.max(1),
        };
        known.messages = found.messages;
        known.subjects = found.subjects;
        known.counted = found.counted;
        Some(known.messages)
    }

    /// What of a stream is under no consumer's filter, where that is known.
    pub(super) fn unmatched(&self, stream: &str) -> Option<&Unmatched> {
        self.unmatched.get(stream)
    }

    /// Takes a sweep over the whole account in.
    pub(super) fn sweep(&mut self, stamp: &Stamp, reading: &InventoryReading, epoch: f64) -> Vec<QueueSign> {
        let mut signs = Vec::new();
        for stream in &reading.streams {
            self.stream(stamp, stream, epoch, &mut signs);
        }
        for consumer in &reading.consumers {
            let Some(stream) = self.streams.get(&consumer.stream) else {
                continue;
            };
            let (state, config) = (stream.state.clone(), stream.config.clone());
            self.consumer(stamp, consumer, [&state, &state], &config, epoch, &mut signs);
        }
        let read = reading.streams.iter().map(|stream| &*stream.name);
        let silent = reading.missing.iter().chain(&reading.offline).map(|name| &**name);
        let listed: BTreeSet<&str> = read.chain(silent).collect();
        self.streams.retain(|name, _| listed.contains(&**name));
        self.consumers
            .retain(|(stream, _), _| self.streams.contains_key(stream));
        self.missing.retain(|(stream, _), _| self.streams.contains_key(stream));
        self.parked.retain(|stream, _| self.streams.contains_key(stream));
        self.unmatched.retain(|stream, _| self.streams.contains_key(stream));
        signs
    }

    /// Takes the oldest messages' ages in.
    pub(super) fn oldest(&mut self, stamp: Stamp, reading: &OldestReading) {
        let key = (reading.stream.clone(), reading.consumer.clone());
        if let Some(track) = self.consumers.get_mut(&key) {
            track.oldest = Some((stamp, reading.clone()));
        }
    }

    /// Takes the counts per subject in.
    pub(super) fn subjects(&mut self, stamp: &Stamp, reading: &SubjectsReading) {
        if let Some(track) = self.streams.get_mut(&reading.stream) {
            track.note_subjects(stamp.mono.as_secs_f64(), reading);
        }
    }

    /// The stream that the profile follows.
    pub(super) fn followed_stream(&self, pipeline: &Pipeline) -> Option<(&Arc<str>, &StreamTrack)> {
        self.streams.get_key_value(pipeline.stream.as_ref()?)
    }

    /// The consumer that the profile follows: the named one, or the stream's only one.
    pub(super) fn followed(&self, pipeline: &Pipeline) -> Option<(&Key, &ConsumerTrack)> {
        let stream = pipeline.stream.as_ref()?;
        if let Some(consumer) = &pipeline.consumer {
            return self.consumers.get_key_value(&(stream.clone(), consumer.clone()));
        }
        let mut own = self
            .consumers
            .range((stream.clone(), Arc::from(""))..)
            .take_while(|((of, _), _)| of == stream);
        let only = own.next()?;
        own.next().is_none().then_some(only)
    }

    /// The only stream that has consumers, when every stream of the account was read.
    pub(super) fn only_consumed(&self) -> Option<Arc<str>> {
        let account = self.server.as_ref()?.account.as_ref()?;
        if (self.streams.len() as u64) < account.streams || (self.consumers.len() as u64) < account.consumers {
            return None;
        }
        let (first, last) = (self.consumers.keys().next()?, self.consumers.keys().next_back()?);
        (first.0 == last.0).then(|| first.0.clone())
    }

    /// The dead letter stream.
    pub(super) fn dead_letters(&self, pipeline: &Pipeline) -> Option<(&Arc<str>, &StreamTrack)> {
        self.streams.get_key_value(pipeline.dlq.as_ref()?)
    }

    /// What of a stream is in no backlog, and whether that is from before a server restart.
    pub(super) fn parked(&self, stream: &str) -> Option<(parked::Found, bool)> {
        self.parked.get(stream)?.found()
    }

    /// A stream's limits.
    pub(super) fn limits(&self, stream: &StreamTrack) -> Vec<Limit> {
        limits::limits(stream, self.server.as_ref().and_then(|server| server.account.as_ref()))
    }
}

/// Whether every consumer of the stream was read.
fn all_read(reading: &QueueReading) -> bool {
    reading.consumers.len() as u64 == reading.consumers_total && reading.consumers_total > 0
}

/// Messages that no consumer's filter takes: known without counting when the filters take all
/// of the stream's subjects, else from the counts per subject.
fn unmatched(stream: Option<&StreamTrack>, reading: &QueueReading) -> Option<Unmatched> {
    if !all_read(reading) {
        return None;
    }
    let taken = |subject: &str| {
        reading
            .consumers
            .iter()
            .any(|consumer| subjects::takes(&consumer.config.filter_subjects, subject))
    };
    let config = &reading.before.config;
    if reading.consumers.iter().any(|c| c.config.filter_subjects.is_empty())
        || (!config.subjects.is_empty() && config.subjects.iter().all(|subject| taken(subject)))
    {
        return Some(Unmatched::default());
    }
    let sweep = stream?.subjects.as_ref()?;
    let loose: Vec<&(Arc<str>, u64)> = sweep
        .reading
        .counts
        .iter()
        .filter(|(subject, _)| !taken(subject))
        .collect();
    Some(Unmatched {
        messages: loose.iter().map(|(_, count)| count).sum::<u64>() as f64,
        sweeps: 0,
        subjects: loose.iter().take(NAMED).map(|(subject, _)| subject.clone()).collect(),
        counted: sweep.at,
    })
}
