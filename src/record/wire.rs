//! How an envelope is written: like [`Envelope`], but what repeats from frame to frame (the names
//! of series, configurations) stands once in a chunk, under an id.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dictionary::{Dictionary, Id, Missing, Words};
use crate::base::time::Timestamp;
use crate::sample::{
    Advisory, CanaryReading, ClusterReading, ConnectionsReading, ConsumerReading, CounterReading, DatabaseReading,
    Envelope, HeartbeatReading, InventoryReading, OldestReading, OutboundReading, PanelReading, ProbeReading,
    QueueReading, Sample, Scrape, SequencePair, ServerReading, SourceId, SourceReport, StreamReading, StreamState,
    SubjectsReading,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EnvelopeWire {
    at: Timestamp,
    mono: Duration,
    profile: Arc<str>,
    source: SourceId,
    seq: u64,
    sample: SampleWire,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SampleWire {
    Report(SourceReport),
    Scrape(ScrapeWire),
    Server(Box<ServerReading>),
    Queue(Box<QueueWire>),
    Inventory(InventoryWire),
    Oldest(OldestReading),
    Subjects(SubjectsReading),
    Advisory(Advisory),
    Counters(CounterReading),
    Heartbeats(HeartbeatReading),
    Database(Box<DatabaseReading>),
    Panel(PanelReading),
    Outbound(Box<OutboundReading>),
    Probe(Box<ProbeReading>),
    Connections(ConnectionsReading),
    Canary(CanaryReading),
}

#[derive(Debug, Serialize, Deserialize)]
struct ScrapeWire {
    target: Arc<str>,
    layout: Id,
    values: Vec<Number>,
    took: Duration,
    bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    skipped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_skipped: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    left_out: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct QueueWire {
    before: StreamWire,
    consumers: Vec<ConsumerWire>,
    after: StreamWire,
    consumers_total: u64,
    missing: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct InventoryWire {
    streams: Vec<StreamWire>,
    consumers: Vec<ConsumerWire>,
    missing: Vec<String>,
    offline: Vec<String>,
    took: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
struct StreamWire {
    name: Arc<str>,
    created: Option<Timestamp>,
    ts: Option<Timestamp>,
    mono: Duration,
    took: Duration,
    config: Id,
    state: StreamState,
    cluster: Option<ClusterReading>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ConsumerWire {
    stream: Arc<str>,
    name: Arc<str>,
    created: Option<Timestamp>,
    ts: Option<Timestamp>,
    mono: Duration,
    took: Duration,
    config: Id,
    delivered: SequencePair,
    ack_floor: SequencePair,
    num_pending: u64,
    num_ack_pending: u64,
    num_redelivered: u64,
    num_waiting: u64,
    paused: Option<bool>,
    cluster: Option<ClusterReading>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl EnvelopeWire {
    /// The texts of a metrics page, which is names and numbers but for those; `None`: it is
    /// something else.
    pub(super) fn texts_of_page(&self) -> Option<[&str; 4]> {
        match &self.sample {
            SampleWire::Scrape(scrape) => Some([
                &self.profile,
                &self.source.name,
                &scrape.target,
                scrape.first_skipped.as_deref().unwrap_or_default(),
            ]),
            _ => None,
        }
    }

    /// Takes the names out of an envelope; `words` notes which of them the chunk lacks.
    pub(super) fn new(envelope: Envelope, words: &mut Words) -> serde_json::Result<Self> {
        let sample = match envelope.sample {
            Sample::Report(report) => SampleWire::Report(report),
            Sample::Scrape(scrape) => SampleWire::Scrape(ScrapeWire {
                layout: words.layout(&scrape.layout),
                target: scrape.target,
                values: scrape.values.into_iter().map(Number).collect(),
                took: scrape.took,
                bytes: scrape.bytes,
                skipped: scrape.skipped,
                first_skipped: scrape.first_skipped,
                left_out: scrape.left_out,
            }),
            Sample::Server(reading) => SampleWire::Server(reading),
            Sample::Queue(reading) => SampleWire::Queue(Box::new(QueueWire {
                before: StreamWire::new(reading.before, words)?,
                consumers: consumers(reading.consumers, words)?,
                after: StreamWire::new(reading.after, words)?,
                consumers_total: reading.consumers_total,
                missing: reading.missing,
            })),
            Sample::Inventory(reading) => SampleWire::Inventory(InventoryWire {
                streams: reading
                    .streams
                    .into_iter()
                    .map(|stream| StreamWire::new(stream, words))
                    .collect::<Result<_, _>>()?,
                consumers: consumers(reading.consumers, words)?,
                missing: reading.missing,
                offline: reading.offline,
                took: reading.took,
            }),
            Sample::Oldest(reading) => SampleWire::Oldest(reading),
            Sample::Subjects(reading) => SampleWire::Subjects(reading),
            Sample::Advisory(advisory) => SampleWire::Advisory(advisory),
            Sample::Counters(reading) => SampleWire::Counters(reading),
            Sample::Heartbeats(reading) => SampleWire::Heartbeats(reading),
            Sample::Database(reading) => SampleWire::Database(reading),
            Sample::Panel(reading) => SampleWire::Panel(reading),
            Sample::Outbound(reading) => SampleWire::Outbound(reading),
            Sample::Probe(reading) => SampleWire::Probe(reading),
            Sample::Connections(reading) => SampleWire::Connections(reading),
            Sample::Canary(reading) => SampleWire::Canary(reading),
        };
        Ok(Self {
            at: envelope.at,
            mono: envelope.mono,
            profile: envelope.profile,
            source: envelope.source,
            seq: envelope.seq,
            sample,
        })
    }

    /// The envelope again. A frame whose layout the chunk lacks is missing: it is not guessed.
    pub(super) fn resolve(self, dictionary: &Dictionary) -> Result<Envelope, Missing> {
        let sample = match self.sample {
            SampleWire::Report(report) => Sample::Report(report),
            SampleWire::Scrape(scrape) => Sample::Scrape(scrape.resolve(dictionary)?),
            SampleWire::Server(reading) => Sample::Server(reading),
            SampleWire::Queue(reading) => Sample::Queue(Box::new(QueueReading {
                before: reading.before.resolve(dictionary)?,
                consumers: resolve_all(reading.consumers, dictionary)?,
                after: reading.after.resolve(dictionary)?,
                consumers_total: reading.consumers_total,
                missing: reading.missing,
            })),
            SampleWire::Inventory(reading) => Sample::Inventory(InventoryReading {
                streams: reading
                    .streams
                    .into_iter()
                    .map(|stream| stream.resolve(dictionary))
                    .collect::<Result<_, _>>()?,
                consumers: resolve_all(reading.consumers, dictionary)?,
                missing: reading.missing,
                offline: reading.offline,
                took: reading.took,
            }),
            SampleWire::Oldest(reading) => Sample::Oldest(reading),
            SampleWire::Subjects(reading) => Sample::Subjects(reading),
            SampleWire::Advisory(advisory) => Sample::Advisory(advisory),
            SampleWire::Counters(reading) => Sample::Counters(reading),
            SampleWire::Heartbeats(reading) => Sample::Heartbeats(reading),
            SampleWire::Database(reading) => Sample::Database(reading),
            SampleWire::Panel(reading) => Sample::Panel(reading),
            SampleWire::Outbound(reading) => Sample::Outbound(reading),
            SampleWire::Probe(reading) => Sample::Probe(reading),
            SampleWire::Connections(reading) => Sample::Connections(reading),
            SampleWire::Canary(reading) => Sample::Canary(reading),
        };
        Ok(Envelope {
            profile: self.profile,
            source: self.source,
            seq: self.seq,
            at: self.at,
            mono: self.mono,
            sample,
        })
    }
}

fn consumers(readings: Vec<ConsumerReading>, words: &mut Words) -> serde_json::Result<Vec<ConsumerWire>> {
    readings
        .into_iter()
        .map(|reading| ConsumerWire::new(reading, words))
        .collect()
}

fn resolve_all(wires: Vec<ConsumerWire>, dictionary: &Dictionary) -> Result<Vec<ConsumerReading>, Missing> {
    wires.into_iter().map(|wire| wire.resolve(dictionary)).collect()
}

impl ScrapeWire {
    fn resolve(self, dictionary: &Dictionary) -> Result<Scrape, Missing> {
        let layout = dictionary.layout(&self.layout)?;
        if layout.series.len() != self.values.len() {
            return Err(Missing);
        }
        Ok(Scrape {
            target: self.target,
            layout,
            values: self.values.into_iter().map(|number| number.0).collect(),
            took: self.took,
            bytes: self.bytes,
            skipped: self.skipped,
            first_skipped: self.first_skipped,
            left_out: self.left_out,
        })
    }
}

impl StreamWire {
    fn new(reading: StreamReading, words: &mut Words) -> serde_json::Result<Self> {
        Ok(Self {
            config: words.stream(&reading.config)?,
            name: reading.name,
            created: reading.created,
            ts: reading.ts,
            mono: reading.mono,
            took: reading.took,
            state: reading.state,
            cluster: reading.cluster,
        })
    }

    fn resolve(self, dictionary: &Dictionary) -> Result<StreamReading, Missing> {
        Ok(StreamReading {
            config: dictionary.stream(&self.config)?,
            name: self.name,
            created: self.created,
            ts: self.ts,
            mono: self.mono,
            took: self.took,
            state: self.state,
            cluster: self.cluster,
        })
    }
}

impl ConsumerWire {
    fn new(reading: ConsumerReading, words: &mut Words) -> serde_json::Result<Self> {
        Ok(Self {
            config: words.consumer(&reading.config)?,
            stream: reading.stream,
            name: reading.name,
            created: reading.created,
            ts: reading.ts,
            mono: reading.mono,
            took: reading.took,
            delivered: reading.delivered,
            ack_floor: reading.ack_floor,
            num_pending: reading.num_pending,
            num_ack_pending: reading.num_ack_pending,
            num_redelivered: reading.num_redelivered,
            num_waiting: reading.num_waiting,
            paused: reading.paused,
            cluster: reading.cluster,
        })
    }

    fn resolve(self, dictionary: &Dictionary) -> Result<ConsumerReading, Missing> {
        Ok(ConsumerReading {
            config: dictionary.consumer(&self.config)?,
            stream: self.stream,
            name: self.name,
            created: self.created,
            ts: self.ts,
            mono: self.mono,
            took: self.took,
            delivered: self.delivered,
            ack_floor: self.ack_floor,
            num_pending: self.num_pending,
            num_ack_pending: self.num_ack_pending,
            num_redelivered: self.num_redelivered,
            num_waiting: self.num_waiting,
            paused: self.paused,
            cluster: self.cluster,
        })
    }
}

/// A value of a page. JSON knows neither NaN nor infinities: `null`, `"inf"`, `"-inf"`. A whole
/// number has no fraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Below it every whole number is exact in an f64.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let value = self.0;
        if value.is_nan() {
            serializer.serialize_none()
        } else if value.is_infinite() {
            serializer.serialize_str(if value > 0.0 { "inf" } else { "-inf" })
        } else if value.fract() == 0.0 && value.abs() < EXACT && (value != 0.0 || value.is_sign_positive()) {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            serializer.serialize_i64(value as i64)
        } else {
            serializer.serialize_f64(value)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, null, \"inf\" or \"-inf\"")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(f64::NAN))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    other => Err(E::custom(format!("not a number: {other}"))),
                }
            }
        }
        deserializer.deserialize_any(Any)
    }
}
