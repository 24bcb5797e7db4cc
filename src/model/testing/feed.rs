//! Fabricates envelopes at chosen times and feeds them to a model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::{Moment, Timestamp};
use crate::config::{Families, Pipeline, Thresholds};
use crate::model::{Event, LedgerLine, Model, Queue, Reading, Settings, Verdict, View, Worker};
use crate::sample::{
    ClusterReading, ConsumerConfig, ConsumerReading, CounterReading, Discard, Envelope, Heartbeat, HeartbeatReading,
    InventoryReading, Layout, OldestReading, ProviderCounters, QueueReading, Retention, Sample, Scrape, SequencePair,
    SeriesId, SeriesKind, SourceId, SourceKind, SourceReport, SourceState, StreamConfig, StreamReading, StreamState,
};

/// Unix time at which every test's session starts.
pub(in crate::model) const EPOCH: i64 = 1_800_000_000;

pub(in crate::model) fn jetstream() -> SourceId {
    SourceId::new(SourceKind::Jetstream, "nats")
}

pub(in crate::model) fn postgres() -> SourceId {
    SourceId::new(SourceKind::Postgres, "postgres")
}

pub(in crate::model) fn metrics(name: &str) -> SourceId {
    SourceId::new(SourceKind::Metrics, name)
}

/// A profile that follows stream `webhooks`, consumer `workers`, letters in `webhooks_dlq`.
pub(in crate::model) fn settings() -> Settings {
    Settings {
        profile: "test".into(),
        pipeline: Pipeline {
            stream: Some("webhooks".into()),
            consumer: Some("workers".into()),
            dlq: Some("webhooks_dlq".into()),
        },
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: std::collections::BTreeMap::new(),
    }
}

/// Whether a reading has this value, to a relative 1e-6.
pub(in crate::model) fn close(reading: &Reading, value: f64) -> bool {
    reading
        .value
        .is_some_and(|known| (known - value).abs() <= 1e-6 * value.abs().max(1.0))
}

/// The same to one in a thousand: a stream is read twice a cycle, milliseconds apart.
pub(in crate::model) fn near(reading: &Reading, value: f64) -> bool {
    reading
        .value
        .is_some_and(|known| (known - value).abs() <= 1e-3 * value.abs().max(1.0))
}

/// One cycle over a stream with at most one consumer. What is not given is consistent with an
/// idle, healthy consumer.
#[derive(Clone, Debug)]
pub(in crate::model) struct QueueSpec {
    pub(in crate::model) stream: &'static str,
    pub(in crate::model) consumer: Option<&'static str>,
    pub(in crate::model) config: StreamConfig,
    pub(in crate::model) consumer_config: ConsumerConfig,
    pub(in crate::model) created: i64,
    pub(in crate::model) consumer_created: i64,
    pub(in crate::model) last_seq: u64,
    pub(in crate::model) messages: u64,
    pub(in crate::model) bytes: u64,
    pub(in crate::model) first_ts: Option<Timestamp>,
    /// Arrivals and removals between the two readings of the stream.
    pub(in crate::model) meanwhile: (u64, u64),
    pub(in crate::model) pending: u64,
    pub(in crate::model) ack_pending: u64,
    pub(in crate::model) redelivered: u64,
    pub(in crate::model) waiting: u64,
    pub(in crate::model) delivered: u64,
    pub(in crate::model) delivered_seq: u64,
    pub(in crate::model) floor: u64,
    pub(in crate::model) first_seq: u64,
    pub(in crate::model) cluster: Option<ClusterReading>,
    pub(in crate::model) missing: Vec<String>,
    pub(in crate::model) took: Duration,
}

impl Default for QueueSpec {
    fn default() -> Self {
        Self {
            stream: "webhooks",
            consumer: Some("workers"),
            config: StreamConfig {
                subjects: vec!["webhook.*.*".into()],
                retention: Retention::Workqueue,
                discard: Discard::New,
                discard_new_per_subject: true,
                storage: "file".into(),
                max_bytes: Some(1 << 30),
                max_age: Some(Duration::from_hours(24)),
                max_msgs_per_subject: Some(10_000),
                duplicate_window: Duration::from_mins(1),
                replicas: 1,
                ..StreamConfig::default()
            },
            consumer_config: ConsumerConfig {
                durable: true,
                ack_policy: "explicit".into(),
                ack_wait: Duration::from_secs(30),
                max_ack_pending: Some(1_000),
                ..ConsumerConfig::default()
            },
            created: EPOCH - 1_000,
            consumer_created: EPOCH - 1_000,
            last_seq: 0,
            messages: 0,
            bytes: 0,
            first_ts: None,
            meanwhile: (0, 0),
            pending: 0,
            ack_pending: 0,
            redelivered: 0,
            waiting: 2,
            delivered: 0,
            delivered_seq: 0,
            floor: 0,
            first_seq: 1,
            cluster: None,
            missing: Vec::new(),
            took: Duration::from_millis(2),
        }
    }
}

impl QueueSpec {
    /// A healthy queue: so many were stored, and all but `pending` and `held` are done.
    pub(in crate::model) fn healthy(stored: u64, pending: u64, held: u64) -> Self {
        Self {
            last_seq: stored,
            messages: pending + held,
            bytes: (pending + held) * 500,
            pending,
            ack_pending: held,
            delivered: stored - pending,
            delivered_seq: stored - pending,
            floor: stored - pending - held,
            first_seq: stored - pending - held + 1,
            ..Self::default()
        }
    }

    /// The dead letter stream with so many letters.
    pub(in crate::model) fn letters(count: u64) -> Self {
        Self {
            stream: "webhooks_dlq",
            consumer: None,
            config: StreamConfig {
                subjects: vec!["dlq.>".into()],
                retention: Retention::Limits,
                replicas: 1,
                ..StreamConfig::default()
            },
            last_seq: count,
            messages: count,
            ..Self::default()
        }
    }

    fn stream(&self, mono: Duration, state: StreamState) -> StreamReading {
        StreamReading {
            name: self.stream.into(),
            created: Timestamp::from_second(self.created).ok(),
            ts: None,
            mono,
            took: self.took,
            config: Arc::new(self.config.clone()),
            state,
            cluster: self.cluster.clone(),
        }
    }

    pub(super) fn reading(&self, now: Duration, at: Timestamp) -> QueueReading {
        let before = StreamState {
            messages: self.messages,
            bytes: self.bytes,
            first_seq: self.first_seq,
            first_ts: self.first_ts.or((self.messages > 0).then_some(at)),
            last_seq: self.last_seq,
            consumer_count: u64::from(self.consumer.is_some()),
            ..StreamState::default()
        };
        let after = StreamState {
            messages: self.messages + self.meanwhile.0 - self.meanwhile.1,
            last_seq: self.last_seq + self.meanwhile.0,
            ..before.clone()
        };
        let consumers: Vec<ConsumerReading> = self
            .consumer
            .map(|name| ConsumerReading {
                stream: self.stream.into(),
                name: name.into(),
                created: Timestamp::from_second(self.consumer_created).ok(),
                ts: None,
                mono: now.saturating_sub(self.took),
                took: self.took,
                config: Arc::new(self.consumer_config.clone()),
                delivered: SequencePair {
                    consumer_seq: self.delivered,
                    stream_seq: self.delivered_seq,
                    last_active: None,
                },
                ack_floor: SequencePair {
                    consumer_seq: self.floor,
                    stream_seq: self.floor,
                    last_active: None,
                },
                num_pending: self.pending,
                num_ack_pending: self.ack_pending,
                num_redelivered: self.redelivered,
                num_waiting: self.waiting,
                paused: None,
                cluster: self.cluster.clone(),
            })
            .into_iter()
            .collect();
        QueueReading {
            before: self.stream(now.saturating_sub(self.took * 2), before),
            consumers_total: consumers.len() as u64,
            consumers,
            after: self.stream(now, after),
            missing: self.missing.clone(),
        }
    }
}

/// A model with a clock, and what is told to it.
#[derive(Clone)]
pub(in crate::model) struct Feed {
    pub(in crate::model) model: Model,
    now: Duration,
    seqs: BTreeMap<SourceId, u64>,
    layouts: BTreeMap<Vec<String>, Arc<Layout>>,
    /// Everything that was told, for folding it again.
    pub(in crate::model) told: Vec<Told>,
}

/// What was told to a model.
#[derive(Clone, Debug)]
pub(in crate::model) enum Told {
    Start(Moment),
    Apply(Box<Envelope>),
    Advance(Moment),
}

fn moment(now: Duration) -> Moment {
    Moment {
        at: Timestamp::from_second(EPOCH).unwrap() + now,
        mono: now,
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::with(settings())
    }
}

impl Feed {
    pub(in crate::model) fn with(settings: Settings) -> Self {
        Self {
            model: Model::new(settings, moment(Duration::ZERO)),
            now: Duration::ZERO,
            seqs: BTreeMap::new(),
            layouts: BTreeMap::new(),
            told: vec![Told::Start(moment(Duration::ZERO))],
        }
    }

    /// Moves the clock.
    pub(in crate::model) fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = Duration::from_secs_f64(seconds);
        self
    }

    pub(in crate::model) fn moment(&self) -> Moment {
        moment(self.now)
    }

    pub(in crate::model) fn send(&mut self, source: &SourceId, sample: Sample) -> &mut Self {
        let seq = self.seqs.entry(source.clone()).or_default();
        let envelope = Envelope {
            profile: "test".into(),
            source: source.clone(),
            seq: *seq,
            at: moment(self.now).at,
            mono: self.now,
            sample,
        };
        *seq += 1;
        self.model.apply(&envelope);
        self.told.push(Told::Apply(Box::new(envelope)));
        self
    }

    pub(in crate::model) fn report(&mut self, source: &SourceId, state: SourceState, error: Option<&str>) -> &mut Self {
        let report = SourceReport {
            state,
            latency: Some(Duration::from_millis(1)),
            error: error.map(str::to_owned),
            retry_in: None,
            period: Duration::from_secs(1),
        };
        self.send(source, Sample::Report(report))
    }

    pub(in crate::model) fn ok(&mut self, source: &SourceId) -> &mut Self {
        self.report(source, SourceState::Ok, None)
    }

    pub(in crate::model) fn fail(&mut self, source: &SourceId, error: &str) -> &mut Self {
        self.report(source, SourceState::Failing, Some(error))
    }

    /// A page: `name{label=value,…}` and its value.
    pub(in crate::model) fn scrape(&mut self, target: &str, page: &[(&str, f64)]) -> &mut Self {
        let named: Vec<(String, f64)> = page.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        self.scrape_taking(target, &named, Duration::from_millis(4))
    }

    pub(in crate::model) fn scrape_taking(
        &mut self,
        target: &str,
        page: &[(String, f64)],
        took: Duration,
    ) -> &mut Self {
        let mut rows: Vec<(SeriesId, f64)> = page.iter().map(|(name, value)| (series(name), *value)).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let names: Vec<String> = page.iter().map(|(name, _)| name.clone()).collect();
        let layout = self
            .layouts
            .entry(names)
            .or_insert_with(|| Arc::new(Layout::new(rows.iter().map(|(id, _)| id.clone()).collect())))
            .clone();
        let scrape = Scrape {
            target: target.into(),
            layout,
            values: rows.into_iter().map(|(_, value)| value).collect(),
            took,
            bytes: 1_000,
            skipped: 0,
            first_skipped: None,
            left_out: 0,
        };
        self.send(&metrics(target), Sample::Scrape(scrape));
        self.ok(&metrics(target))
    }

    pub(in crate::model) fn queue(&mut self, spec: &QueueSpec) -> &mut Self {
        let reading = spec.reading(self.now, moment(self.now).at);
        self.send(&jetstream(), Sample::Queue(Box::new(reading)));
        self.ok(&jetstream())
    }

    /// How old the oldest waiting and held messages of `webhooks`/`workers` are, seconds.
    /// A sweep over the account whose answers were asked for `took` ago.
    pub(in crate::model) fn sweep(&mut self, spec: &QueueSpec, took: Duration) -> &mut Self {
        let QueueReading {
            mut before,
            mut consumers,
            ..
        } = spec.reading(self.now, self.moment().at);
        (before.mono, before.took) = (self.now, took);
        for consumer in &mut consumers {
            (consumer.mono, consumer.took) = (self.now, took);
        }
        let reading = InventoryReading {
            streams: vec![before],
            consumers,
            took,
            missing: Vec::new(),
            offline: Vec::new(),
        };
        self.send(&jetstream(), Sample::Inventory(reading))
    }

    pub(in crate::model) fn oldest(&mut self, waiting: Option<u64>, held: Option<u64>) -> &mut Self {
        let asked_at = moment(self.now).at;
        let ago = |age: u64| asked_at - Duration::from_secs(age);
        let reading = OldestReading {
            stream: "webhooks".into(),
            consumer: "workers".into(),
            waiting: waiting.map(ago),
            held: held.map(ago),
            asked_at,
        };
        self.send(&jetstream(), Sample::Oldest(reading))
    }

    /// Rows and skips of one provider.
    pub(in crate::model) fn rows(&mut self, rows_written: u64, skipped: u64) -> &mut Self {
        let reading = CounterReading {
            providers: vec![ProviderCounters {
                provider: "telnyx".into(),
                rows_written,
                skipped,
            }],
            took: Duration::from_millis(1),
        };
        self.send(&postgres(), Sample::Counters(reading));
        self.ok(&postgres())
    }

    /// Heartbeats: worker, state, seconds since it was last seen.
    pub(in crate::model) fn beats(&mut self, workers: &[(&str, &str, u64)]) -> &mut Self {
        let now = moment(self.now).at;
        let reading = HeartbeatReading {
            workers: workers
                .iter()
                .map(|(worker, state, age)| Heartbeat {
                    worker: (*worker).into(),
                    last_seen: Some(now - Duration::from_secs(*age)),
                    started: None,
                    state: Some((*state).to_owned()),
                    version: None,
                    processed: None,
                })
                .collect(),
            now: Some(now),
        };
        self.send(&postgres(), Sample::Heartbeats(reading));
        self.ok(&postgres())
    }

    pub(in crate::model) fn advance(&mut self) -> &View {
        let now = self.moment();
        self.told.push(Told::Advance(now));
        self.model.advance(now);
        self.model.view()
    }

    pub(in crate::model) fn view(&self) -> &View {
        self.model.view()
    }

    pub(in crate::model) fn worker(&self, name: &str) -> &Worker {
        self.view().workers.iter().find(|worker| &*worker.name == name).unwrap()
    }

    pub(in crate::model) fn row(&self, stream: &str) -> &Queue {
        self.view().queues.iter().find(|row| &*row.stream == stream).unwrap()
    }

    pub(in crate::model) fn line(&self, id: &str) -> &LedgerLine {
        self.view().ledger.lines.iter().find(|line| &*line.line == id).unwrap()
    }

    pub(in crate::model) fn verdict(&self, id: &str) -> Option<&Verdict> {
        self.view().verdicts.iter().find(|verdict| &*verdict.id == id)
    }

    pub(in crate::model) fn events(&self) -> Vec<&str> {
        self.view()
            .events
            .iter()
            .map(|event: &Event| event.text.as_str())
            .collect()
    }
}

fn series(text: &str) -> SeriesId {
    let (name, rest) = text.split_once('{').unwrap_or((text, ""));
    let mut labels: Vec<(Arc<str>, Arc<str>)> = rest
        .trim_end_matches('}')
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(label, value)| (label.into(), value.into()))
        .collect();
    labels.sort();
    let kind = match name {
        name if name.ends_with("_total") => SeriesKind::Counter,
        name if name.ends_with("_bucket") => SeriesKind::Bucket,
        name if name.ends_with("_sum") => SeriesKind::Sum,
        name if name.ends_with("_count") => SeriesKind::Count,
        _ => SeriesKind::Gauge,
    };
    SeriesId {
        name: name.into(),
        labels,
        kind,
    }
}
