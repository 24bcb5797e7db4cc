//! Every place of a recording where a name may stand. Structs are taken apart field by field: a
//! new field does not compile until somebody has said what it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Class;
use super::places::Places;
use super::sent::{visit_connections, visit_outbound, visit_probe};
use crate::record::{Action, Event, Gap, Item, Marker};
use crate::sample::{
    Advisory, Blocked, CanaryReading, ClusterReading, ConsumerConfig, ConsumerReading, CounterReading, DatabaseReading,
    Envelope, Heartbeat, HeartbeatReading, InventoryReading, OldestReading, PanelReading, PeerReading,
    ProviderCounters, QueueReading, Sample, Scrape, SeriesId, ServerReading, SourceId, SourceKind, SourceReport,
    StreamConfig, StreamReading, SubjectsReading,
};

/// Shows `places` what an item holds.
pub(super) fn visit(item: &mut Item, places: &mut impl Places) {
    match item {
        Item::Envelope(envelope) => visit_envelope(envelope, places),
        Item::Gap(Gap {
            moment: _,
            lost: _,
            reason,
        }) => places.text(reason),
        Item::Marker(Marker { moment: _, text }) => places.text(text),
        Item::Action(Action {
            moment: _,
            what: _,
            text,
            detail,
        })
        | Item::Event(Event {
            moment: _,
            happened: _,
            kind: _,
            severity: _,
            text,
            detail,
            count: _,
        }) => {
            places.text(text);
            places.text(detail);
        }
        Item::Tick(_) | Item::Session(_) => {}
    }
}

fn visit_envelope(envelope: &mut Envelope, places: &mut impl Places) {
    let Envelope {
        profile,
        source,
        seq: _,
        at: _,
        mono: _,
        sample,
    } = envelope;
    places.word(Class::Profile, profile);
    let SourceId { kind, name } = source;
    // The names of the others are hookwatch's own.
    if matches!(kind, SourceKind::Metrics | SourceKind::Probe) {
        places.word(Class::Host, name);
    }
    match sample {
        Sample::Report(SourceReport {
            state: _,
            latency: _,
            error,
            retry_in: _,
            period: _,
        }) => places.texts(error.as_mut()),
        Sample::Scrape(scrape) => visit_scrape(scrape, places),
        Sample::Server(server) => visit_server(server, places),
        Sample::Queue(reading) => {
            let QueueReading {
                before,
                consumers,
                after,
                consumers_total: _,
                missing,
            } = &mut **reading;
            visit_stream(before, places);
            visit_stream(after, places);
            for consumer in consumers.iter_mut() {
                visit_consumer(consumer, places);
            }
            places.words(Class::Consumer, missing);
        }
        Sample::Inventory(inventory) => visit_inventory(inventory, places),
        Sample::Oldest(OldestReading {
            stream,
            consumer,
            waiting: _,
            held: _,
            asked_at: _,
        }) => {
            places.word(Class::Stream, stream);
            places.word(Class::Consumer, consumer);
        }
        Sample::Subjects(SubjectsReading {
            stream,
            counts,
            left_out: _,
        }) => {
            places.word(Class::Stream, stream);
            for (subject, _) in counts.iter_mut() {
                places.subject(subject);
            }
        }
        Sample::Advisory(Advisory {
            kind: _,
            stream,
            consumer,
            stream_seq: _,
            deliveries: _,
            reason,
            count: _,
        }) => {
            places.words(Class::Stream, stream.as_mut());
            places.words(Class::Consumer, consumer.as_mut());
            places.texts(reason.as_mut());
        }
        Sample::Canary(CanaryReading {
            name,
            passed: _,
            reason,
            total: _,
        }) => {
            places.word(Class::Label, name);
            places.texts(reason.as_mut());
        }
        Sample::Outbound(reading) => visit_outbound(reading, places),
        Sample::Connections(reading) => visit_connections(reading, places),
        Sample::Probe(reading) => visit_probe(reading, places),
        Sample::Counters(_) | Sample::Heartbeats(_) | Sample::Database(_) | Sample::Panel(_) => {
            visit_postgres(sample, places);
        }
    }
}

fn visit_inventory(inventory: &mut InventoryReading, places: &mut impl Places) {
    let InventoryReading {
        streams,
        consumers,
        missing,
        offline,
        took: _,
    } = inventory;
    for stream in streams.iter_mut() {
        visit_stream(stream, places);
    }
    for consumer in consumers.iter_mut() {
        visit_consumer(consumer, places);
    }
    places.words(Class::Stream, missing);
    places.words(Class::Stream, offline);
}

fn visit_postgres(sample: &mut Sample, places: &mut impl Places) {
    match sample {
        Sample::Counters(CounterReading { providers, took: _ }) => {
            for ProviderCounters {
                provider,
                rows_written: _,
                skipped: _,
            } in providers
            {
                places.word(Class::Provider, provider);
            }
        }
        Sample::Heartbeats(HeartbeatReading { workers, now: _ }) => {
            for Heartbeat {
                worker,
                last_seen: _,
                started: _,
                // The schema's own words (`running`, `stopped`).
                state: _,
                version: _,
                processed: _,
            } in workers
            {
                places.word(Class::Worker, worker);
            }
        }
        Sample::Database(reading) => visit_database(reading, places),
        Sample::Panel(PanelReading { panel: _, problem }) => places.texts(problem.as_mut()),
        _ => {}
    }
}

fn visit_database(reading: &mut DatabaseReading, places: &mut impl Places) {
    let DatabaseReading {
        version: _,
        started: _,
        in_recovery: _,
        latency: _,
        connections: _,
        max_connections: _,
        active: _,
        idle_in_transaction: _,
        longest_transaction: _,
        commits: _,
        rollbacks: _,
        deadlocks: _,
        size: _,
        blocked,
        hidden: _,
    } = reading;
    for Blocked {
        pid: _,
        application,
        waited: _,
        blocking_pid: _,
        blocking_application,
        // Postgres's own words (`idle in transaction`).
        blocking_state: _,
    } in blocked
    {
        places.word(Class::Application, application);
        places.word(Class::Application, blocking_application);
    }
}

fn visit_scrape(scrape: &mut Scrape, places: &mut impl Places) {
    let Scrape {
        target,
        layout,
        values,
        took: _,
        bytes: _,
        skipped: _,
        first_skipped,
        left_out: _,
    } = scrape;
    places.word(Class::Host, target);
    // A line of the page: nothing in it is known to be harmless.
    places.words(Class::Quoted, first_skipped.as_mut());
    if let Some((clean, stood)) = places.layout(layout) {
        let sorted = stood.iter().map(|at| values.get(*at).copied().unwrap_or(f64::NAN));
        *values = sorted.collect();
        *layout = clean;
    }
}

/// Labels whose values are figures, or words that decide what a series means.
const PLAIN_LABELS: &[&str] = &[
    "code",
    "le",
    "method",
    "operation",
    "outcome",
    "quantile",
    "reason",
    "result",
    "role",
    "state",
    "status",
    "version",
];

/// Shows the labels of a series.
pub(super) fn visit_series(series: &mut SeriesId, places: &mut impl Places) {
    let SeriesId { name, labels, kind: _ } = series;
    let process = name.ends_with("build_info");
    for (key, value) in labels {
        match &**key {
            "provider" => places.word(Class::Provider, value),
            "stream" => places.word(Class::Stream, value),
            "consumer" => places.word(Class::Consumer, value),
            "subject" => places.subject(value),
            "host" | "instance" | "node" | "pod" => places.word(Class::Host, value),
            "worker" => places.word(Class::Worker, value),
            "name" if process => places.word(Class::Worker, value),
            plain if PLAIN_LABELS.contains(&plain) => places.text(value),
            _ => places.word(Class::Label, value),
        }
    }
}

fn visit_server(server: &mut ServerReading, places: &mut impl Places) {
    let ServerReading {
        server_id,
        name,
        version: _,
        cluster,
        rtt: _,
        skew_s: _,
        account: _,
        our_requests: _,
    } = server;
    places.word(Class::Host, server_id);
    places.word(Class::Host, name);
    places.words(Class::Cluster, cluster.as_mut());
}

fn visit_cluster(cluster: &mut ClusterReading, places: &mut impl Places) {
    let ClusterReading { name, leader, replicas } = cluster;
    places.words(Class::Cluster, name.as_mut());
    places.words(Class::Host, leader.as_mut());
    for PeerReading {
        name,
        current: _,
        offline: _,
        active: _,
        lag: _,
    } in replicas
    {
        places.word(Class::Host, name);
    }
}

fn visit_stream(stream: &mut StreamReading, places: &mut impl Places) {
    let StreamReading {
        name,
        created: _,
        ts: _,
        mono: _,
        took: _,
        config,
        state: _,
        cluster,
    } = stream;
    places.word(Class::Stream, name);
    let StreamConfig {
        subjects,
        retention: _,
        discard: _,
        discard_new_per_subject: _,
        storage: _,
        max_msgs: _,
        max_bytes: _,
        max_age: _,
        max_msgs_per_subject: _,
        max_msg_size: _,
        duplicate_window: _,
        replicas: _,
        allow_direct: _,
        deny_delete: _,
        sealed: _,
        mirror,
        metadata,
    } = Arc::make_mut(config);
    for subject in subjects.iter_mut() {
        places.subject(subject);
    }
    places.words(Class::Stream, mirror.as_mut());
    visit_metadata(metadata, places);
    for cluster in cluster.iter_mut() {
        visit_cluster(cluster, places);
    }
}

fn visit_consumer(consumer: &mut ConsumerReading, places: &mut impl Places) {
    let ConsumerReading {
        stream,
        name,
        created: _,
        ts: _,
        mono: _,
        took: _,
        config,
        delivered: _,
        ack_floor: _,
        num_pending: _,
        num_ack_pending: _,
        num_redelivered: _,
        num_waiting: _,
        paused: _,
        cluster,
    } = consumer;
    places.word(Class::Stream, stream);
    places.word(Class::Consumer, name);
    let ConsumerConfig {
        durable: _,
        push: _,
        ack_policy: _,
        ack_wait: _,
        max_deliver: _,
        max_ack_pending: _,
        max_waiting: _,
        filter_subjects,
        deliver_policy: _,
        backoff: _,
        pause_until: _,
        metadata,
    } = Arc::make_mut(config);
    for subject in filter_subjects.iter_mut() {
        places.subject(subject);
    }
    visit_metadata(metadata, places);
    for cluster in cluster.iter_mut() {
        visit_cluster(cluster, places);
    }
}

/// NATS's own metadata are thresholds and versions; other keys are as telling as their values.
fn visit_metadata(metadata: &mut BTreeMap<String, String>, places: &mut impl Places) {
    let plain = |key: &str| key.starts_with("io.nats.monitor.") || key.starts_with("_nats.");
    if metadata.keys().all(|key| plain(key)) {
        return;
    }
    *metadata = std::mem::take(metadata)
        .into_iter()
        .map(|(mut key, mut value)| {
            if !plain(&key) {
                places.word(Class::Label, &mut key);
                places.word(Class::Label, &mut value);
            }
            (key, value)
        })
        .collect();
}
