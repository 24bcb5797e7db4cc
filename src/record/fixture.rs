//! A made-up session for tests and benches: what sources see of a pipeline, second by second.

use std::sync::Arc;
use std::time::Duration;

use super::hookwatch;
use hookwatch::base::time::{Moment, Timestamp};
use hookwatch::record::{Event, Item, Tick};
use hookwatch::sample::{
    ConsumerConfig, ConsumerReading, CounterReading, Envelope, Heartbeat, HeartbeatReading, Layout, ProviderCounters,
    QueueReading, Retention, Sample, Scrape, SequencePair, SeriesId, SeriesKind, SourceId, SourceKind, SourceReport,
    SourceState, StreamConfig, StreamReading, StreamState,
};

/// Unix time at which the session starts.
pub(crate) const EPOCH: i64 = 1_800_000_000;

/// How much there is to see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Width {
    pub(crate) targets: u64,
    pub(crate) series: u64,
    pub(crate) consumers: u64,
    pub(crate) workers: u64,
    /// Webhooks per second; 0: nothing moves.
    pub(crate) rate: u64,
}

/// A small pipeline at work.
pub(crate) const CALM: Width = Width {
    targets: 3,
    series: 40,
    consumers: 1,
    workers: 2,
    rate: 200,
};

/// The widest that a budget is for: 500 series, 50 consumers, 100 workers.
pub(crate) const FULL: Width = Width {
    targets: 10,
    series: 50,
    consumers: 50,
    workers: 100,
    rate: 5_000,
};

/// A made-up session.
#[derive(Debug)]
pub(crate) struct Session {
    width: Width,
    layouts: Vec<Arc<Layout>>,
    values: Vec<Vec<f64>>,
    stream_config: Arc<StreamConfig>,
    consumer_config: Arc<ConsumerConfig>,
    stored: u64,
    dice: u64,
    seqs: Vec<u64>,
}

pub(crate) fn moment(seconds: f64) -> Moment {
    let mono = Duration::from_secs_f64(seconds);
    Moment {
        at: Timestamp::from_second(EPOCH).unwrap_or(Timestamp::UNIX_EPOCH) + mono,
        mono,
    }
}

impl Session {
    pub(crate) fn new(width: Width) -> Self {
        let layouts: Vec<_> = (0..width.targets).map(|target| layout(target, width.series)).collect();
        Self {
            values: layouts.iter().map(|layout| vec![0.0; layout.series.len()]).collect(),
            seqs: vec![0; layouts.len() + 2],
            layouts,
            width,
            stream_config: Arc::new(StreamConfig {
                subjects: vec!["webhook.*.*".into()],
                retention: Retention::Workqueue,
                storage: "file".into(),
                max_bytes: Some(1 << 30),
                max_age: Some(Duration::from_hours(24)),
                duplicate_window: Duration::from_mins(2),
                replicas: 1,
                ..StreamConfig::default()
            }),
            consumer_config: Arc::new(ConsumerConfig {
                durable: true,
                ack_policy: "explicit".into(),
                ack_wait: Duration::from_secs(30),
                max_ack_pending: Some(1_000),
                deliver_policy: "all".into(),
                ..ConsumerConfig::default()
            }),
            stored: 1_000_000,
            dice: 0x9E37_79B9_7F4A_7C15,
        }
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        if below == 0 { 0 } else { (self.dice >> 11) % below }
    }

    fn envelope(&mut self, place: usize, source: SourceId, now: Moment, sample: Sample) -> Item {
        let seq = self.seqs[place];
        self.seqs[place] += 1;
        Item::Envelope(Box::new(Envelope {
            profile: "made-up".into(),
            source,
            seq,
            at: now.at,
            mono: now.mono,
            sample,
        }))
    }

    /// What is seen and worked out in second `second` of the session.
    pub(crate) fn second(&mut self, second: u32) -> Vec<Item> {
        let begun = f64::from(second);
        let mut items = Vec::new();
        for target in 0..self.layouts.len() {
            let now = moment(begun + 0.1 + 0.003 * target as f64);
            items.extend(self.scrape(target, now));
        }
        items.extend(self.queues(moment(begun + 0.4)));
        items.extend(self.database(moment(begun + 0.5)));
        let now = moment(begun + 1.0);
        if second % 600 == 599 {
            items.push(Item::Event(Event {
                moment: now,
                happened: now.at,
                kind: "verdict".to_owned(),
                severity: "warning".to_owned(),
                text: "Falling behind by 100/s".to_owned(),
                detail: String::new(),
                count: 1,
            }));
        }
        items.push(Item::Tick(Tick {
            moment: now,
            load: Some(self.width.rate as f64),
        }));
        items
    }

    fn scrape(&mut self, target: usize, now: Moment) -> [Item; 2] {
        let rate = self.width.rate;
        for i in 0..self.values[target].len() {
            let more = self.roll(rate / 10 + 1);
            let kind = self.layouts[target].series[i].kind;
            let value = &mut self.values[target][i];
            match kind {
                SeriesKind::Gauge => *value = more as f64 / 7.0,
                SeriesKind::Sum => *value += more as f64 * 0.001_234,
                _ => *value += more as f64,
            }
        }
        let name: Arc<str> = format!("target-{target}").into();
        let source = SourceId::new(SourceKind::Metrics, &name);
        let took = Duration::from_micros(2_000 + self.roll(3_000));
        let scrape = Scrape {
            target: name,
            layout: self.layouts[target].clone(),
            values: self.values[target].clone(),
            took,
            bytes: 9_000,
            skipped: 0,
            first_skipped: None,
            left_out: 0,
        };
        [
            self.envelope(target, source.clone(), now, Sample::Scrape(scrape)),
            self.envelope(target, source, now, report(took)),
        ]
    }

    fn queues(&mut self, now: Moment) -> [Item; 2] {
        let source = SourceId::new(SourceKind::Jetstream, "nats");
        let took = Duration::from_micros(300 + self.roll(500));
        self.stored += self.width.rate;
        let consumers = (0..self.width.consumers).map(|i| self.consumer(i, now, took)).collect();
        let reading = QueueReading {
            before: self.stream(now, took),
            consumers,
            after: self.stream(now, took),
            consumers_total: self.width.consumers,
            missing: Vec::new(),
        };
        let place = self.layouts.len();
        [
            self.envelope(place, source.clone(), now, Sample::Queue(Box::new(reading))),
            self.envelope(place, source, now, report(took)),
        ]
    }

    fn stream(&self, now: Moment, took: Duration) -> StreamReading {
        StreamReading {
            name: "webhooks".into(),
            created: Timestamp::from_second(EPOCH - 9_000).ok(),
            ts: None,
            mono: now.mono,
            took,
            config: self.stream_config.clone(),
            state: StreamState {
                messages: 100 + self.stored % 17,
                bytes: 50_000 + self.stored % 1_700,
                first_seq: self.stored - 100,
                first_ts: Some(now.at),
                last_seq: self.stored,
                last_ts: Some(now.at),
                consumer_count: self.width.consumers,
                ..StreamState::default()
            },
            cluster: None,
        }
    }

    fn consumer(&mut self, number: u64, now: Moment, took: Duration) -> ConsumerReading {
        let held = self.roll(90);
        let done = self.stored - held;
        ConsumerReading {
            stream: "webhooks".into(),
            name: format!("workers-{number}").into(),
            created: Timestamp::from_second(EPOCH - 8_000).ok(),
            ts: None,
            mono: now.mono,
            took,
            config: self.consumer_config.clone(),
            delivered: SequencePair {
                consumer_seq: self.stored + number,
                stream_seq: self.stored,
                last_active: Some(now.at),
            },
            ack_floor: SequencePair {
                consumer_seq: done + number,
                stream_seq: done,
                last_active: Some(now.at),
            },
            num_pending: self.roll(100),
            num_ack_pending: held,
            num_redelivered: 0,
            num_waiting: 2,
            paused: None,
            cluster: None,
        }
    }

    fn database(&mut self, now: Moment) -> [Item; 3] {
        let source = SourceId::new(SourceKind::Postgres, "postgres");
        let took = Duration::from_micros(400 + self.roll(500));
        let place = self.layouts.len() + 1;
        let workers = (0..self.width.workers)
            .map(|i| Heartbeat {
                worker: format!("worker-{i}").into(),
                last_seen: Some(now.at - Duration::from_millis(self.roll(5_000))),
                started: Timestamp::from_second(EPOCH - 5_000).ok(),
                state: Some("running".to_owned()),
                version: Some("1.0.0".to_owned()),
                processed: Some(self.stored + i),
            })
            .collect();
        let counters = CounterReading {
            providers: vec![ProviderCounters {
                provider: "telnyx".into(),
                rows_written: self.stored,
                skipped: 3,
            }],
            took,
        };
        let beats = HeartbeatReading {
            workers,
            now: Some(now.at),
        };
        [
            self.envelope(place, source.clone(), now, Sample::Counters(counters)),
            self.envelope(place, source.clone(), now, Sample::Heartbeats(beats)),
            self.envelope(place, source, now, report(took)),
        ]
    }
}

fn report(latency: Duration) -> Sample {
    Sample::Report(SourceReport {
        state: SourceState::Ok,
        latency: Some(latency),
        error: None,
        retry_in: None,
        period: Duration::from_secs(1),
    })
}

fn layout(target: u64, count: u64) -> Arc<Layout> {
    let names = [
        ("webhook_received_total", SeriesKind::Counter),
        ("webhook_queued_total", SeriesKind::Counter),
        ("webhook_processed_total", SeriesKind::Counter),
        ("webhook_response_duration_seconds_bucket", SeriesKind::Bucket),
        ("webhook_response_duration_seconds_sum", SeriesKind::Sum),
        ("webhook_queue_depth", SeriesKind::Gauge),
    ];
    let series = (0..count)
        .map(|i| {
            let (name, kind) = names[usize::try_from(i).unwrap_or(0) % names.len()];
            SeriesId {
                name: name.into(),
                labels: vec![
                    ("event_type".into(), format!("event.{}", i / 6).into()),
                    ("provider".into(), format!("provider-{target}").into()),
                ],
                kind,
            }
        })
        .collect();
    Arc::new(Layout::new(series))
}
