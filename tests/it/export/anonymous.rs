//! Without names: none of the originals is left, and every figure is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookwatch::base::secret::Redactor;
use hookwatch::base::time::{Moment, Timestamp};
use hookwatch::config::{Families, Pipeline, Thresholds};
use hookwatch::model::Settings;
use hookwatch::record::{Action, Event, Gap, Item, Marker, RecordWriter, Redaction, SessionInfo, Tick};
use hookwatch::sample::{
    Advisory, AdvisoryKind, Blocked, CanaryReading, ClusterReading, ConsumerConfig, ConsumerReading, CounterReading,
    DatabaseReading, Envelope, Heartbeat, HeartbeatReading, InventoryReading, Layout, OldestReading, Panel,
    PanelReading, PeerReading, ProviderCounters, QueueReading, Sample, Scrape, SequencePair, SeriesId, SeriesKind,
    ServerReading, SourceId, SourceKind, SourceReport, SourceState, StreamConfig, StreamReading, StreamState,
    SubjectsReading,
};

use super::{export, export_with, shipped};

/// Every name of the made-up recording holds this, in every place where a name may stand.
const MARK: &str = "zqxjk";

fn moment(seconds: u64) -> Moment {
    Moment {
        at: Timestamp::from_second(1_800_000_000).unwrap() + Duration::from_secs(seconds),
        mono: Duration::from_secs(seconds),
    }
}

fn stream(now: Moment, name: &str) -> StreamReading {
    StreamReading {
        name: name.into(),
        created: Some(moment(0).at),
        ts: None,
        mono: now.mono,
        took: Duration::from_millis(1),
        config: Arc::new(StreamConfig {
            subjects: vec!["zqxjkorders.*.>".to_owned(), "zqxjkorders.zqxjkacme.paid".to_owned()],
            mirror: Some("zqxjkmirror".to_owned()),
            metadata: BTreeMap::from([
                ("zqxjkteam".to_owned(), "zqxjkpayments".to_owned()),
                ("io.nats.monitor.lag-critical".to_owned(), "9".to_owned()),
            ]),
            replicas: 3,
            ..StreamConfig::default()
        }),
        state: StreamState {
            messages: 100,
            first_seq: 1,
            last_seq: 100 + now.mono.as_secs() * 50,
            ..StreamState::default()
        },
        cluster: Some(ClusterReading {
            name: Some("zqxjkcluster".to_owned()),
            leader: Some("zqxjknode-1".to_owned()),
            replicas: vec![PeerReading {
                name: "zqxjknode-2".to_owned(),
                ..PeerReading::default()
            }],
        }),
    }
}

fn consumer(now: Moment) -> ConsumerReading {
    let pair = SequencePair {
        consumer_seq: 50 + now.mono.as_secs() * 40,
        stream_seq: 50 + now.mono.as_secs() * 40,
        last_active: Some(now.at),
    };
    ConsumerReading {
        stream: "zqxjkorders".into(),
        name: "zqxjkpool".into(),
        created: Some(moment(0).at),
        ts: None,
        mono: now.mono,
        took: Duration::from_millis(1),
        config: Arc::new(ConsumerConfig {
            durable: true,
            ack_policy: "explicit".to_owned(),
            filter_subjects: vec!["zqxjkorders.zqxjkacme.*".to_owned()],
            ..ConsumerConfig::default()
        }),
        delivered: pair,
        ack_floor: pair,
        num_pending: 500 + now.mono.as_secs() * 10,
        num_ack_pending: 3,
        num_redelivered: 0,
        num_waiting: 1,
        paused: None,
        cluster: None,
    }
}

fn report(state: SourceState, error: Option<&str>) -> Sample {
    Sample::Report(SourceReport {
        state,
        latency: Some(Duration::from_millis(2)),
        error: error.map(str::to_owned),
        retry_in: None,
        period: Duration::from_secs(1),
    })
}

fn scrape(second: u64) -> Sample {
    let series = |name: &str, labels: &[(&str, &str)]| SeriesId {
        name: name.into(),
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        kind: SeriesKind::Counter,
    };
    // In an order that the pseudonyms' order does not keep: values must move with their series.
    let layout = Layout::new(vec![
        series(
            "webhook_received_total",
            &[("instance", "zqxjkhost:9100"), ("provider", "zqxjkzulu")],
        ),
        series(
            "webhook_received_total",
            &[("instance", "zqxjkhost:9100"), ("provider", "zqxjkalpha")],
        ),
        series(
            "webhook_received_total",
            &[("host", "zqxjka"), ("provider", "zqxjkmike"), ("region", "zqxjkeu")],
        ),
        series(
            "webhook_build_info",
            &[("name", "zqxjkworker-7"), ("role", "worker"), ("version", "1.0.0")],
        ),
    ]);
    let values = layout.series.iter().map(|series| {
        let rate = match series.label("provider") {
            Some("zqxjkzulu") => 7.0,
            Some("zqxjkalpha") => 300.0,
            Some("zqxjkmike") => 41.0,
            _ => return 1.0,
        };
        rate * second as f64
    });
    Sample::Scrape(Scrape {
        target: "zqxjktarget.example:9100".into(),
        values: values.collect(),
        layout: Arc::new(layout),
        took: Duration::from_millis(3),
        bytes: 100,
        skipped: 1,
        first_skipped: Some("zqxjk_odd{provider=\"zqxjkacme\"} x".to_owned()),
        left_out: 0,
    })
}

fn nats(second: u64) -> Vec<Sample> {
    let now = moment(second);
    vec![
        report(SourceState::Ok, None),
        Sample::Server(Box::new(ServerReading {
            server_id: "zqxjkSERVERID".to_owned(),
            name: "zqxjknats".to_owned(),
            version: "2.10.1".to_owned(),
            cluster: Some("zqxjkcluster".to_owned()),
            rtt: Duration::from_millis(1),
            skew_s: None,
            account: None,
            our_requests: 1,
        })),
        Sample::Queue(Box::new(QueueReading {
            before: stream(now, "zqxjkorders"),
            consumers: vec![consumer(now)],
            after: stream(now, "zqxjkorders"),
            consumers_total: 1,
            missing: vec!["zqxjkgone".to_owned()],
        })),
        Sample::Inventory(InventoryReading {
            streams: vec![stream(now, "zqxjkorders"), stream(now, "zqxjkother")],
            consumers: vec![consumer(now)],
            missing: vec!["zqxjklost".to_owned()],
            offline: vec!["zqxjkoff".to_owned()],
            took: Duration::from_millis(1),
        }),
        Sample::Oldest(OldestReading {
            stream: "zqxjkorders".into(),
            consumer: "zqxjkpool".into(),
            waiting: Some(now.at),
            held: None,
            asked_at: now.at,
        }),
        Sample::Subjects(SubjectsReading {
            stream: "zqxjkorders".into(),
            counts: vec![("zqxjkorders.zqxjkacme.zqxjknew".into(), 17)],
            left_out: (0, 0),
        }),
        Sample::Advisory(Advisory {
            kind: AdvisoryKind::MaxDeliveries,
            stream: Some("zqxjkorders".into()),
            consumer: Some("zqxjkpool".into()),
            stream_seq: Some(9),
            deliveries: Some(5),
            reason: Some("zqxjknode-1 said so".to_owned()),
            count: 1,
        }),
    ]
}

fn postgres() -> Vec<Sample> {
    vec![
        report(
            SourceState::Failing,
            Some(
                "connect to postgres://zqxjkdb.internal:5432/zqxjkapp: role \"zqxjkrole\" is refused by zqxjk-db.example:5432 \
                 → ask zqxjkops@zqxjk.example",
            ),
        ),
        Sample::Counters(CounterReading {
            providers: vec![ProviderCounters {
                provider: "zqxjkzulu".into(),
                rows_written: 12,
                skipped: 0,
            }],
            took: Duration::from_millis(1),
        }),
        Sample::Heartbeats(HeartbeatReading {
            workers: vec![Heartbeat {
                worker: "zqxjkworker-7".into(),
                last_seen: Some(moment(1).at),
                started: None,
                state: Some("running".to_owned()),
                version: None,
                processed: Some(5),
            }],
            now: None,
        }),
        Sample::Database(Box::new(DatabaseReading {
            blocked: vec![Blocked {
                pid: 1,
                application: "zqxjkreports".to_owned(),
                waited: Duration::from_secs(9),
                blocking_pid: 2,
                blocking_application: "zqxjkmigration".to_owned(),
                blocking_state: "idle in transaction".to_owned(),
            }],
            ..DatabaseReading::default()
        })),
        Sample::Panel(PanelReading {
            panel: Panel::Counters,
            problem: Some("relation \"zqxjkschema.webhook_counters\" does not exist".to_owned()),
        }),
    ]
}

fn told(second: u64) -> Vec<Item> {
    let moment = moment(second);
    vec![
        Item::Marker(Marker {
            moment,
            text: "zqxjkacme calls: zqxjkorders is late".to_owned(),
        }),
        Item::Action(Action {
            moment,
            what: "replay".to_owned(),
            text: "12 letters of zqxjkorders".to_owned(),
            detail: "by 'zqxjkanna' on zqxjklaptop.local".to_owned(),
        }),
        Item::Gap(Gap {
            moment,
            lost: 3,
            reason: "zqxjknode-1 was slow".to_owned(),
        }),
        Item::Event(Event {
            moment,
            happened: moment.at,
            kind: "process".to_owned(),
            severity: "warning".to_owned(),
            text: "zqxjkworker-7 started".to_owned(),
            detail: "zqxjkorders/zqxjkpool".to_owned(),
            count: 1,
        }),
    ]
}

/// A recording in which every name holds the mark.
fn telling(path: &Path) {
    let settings = Settings {
        profile: "zqxjkproduction".into(),
        pipeline: Pipeline {
            stream: Some("zqxjkorders".into()),
            consumer: Some("zqxjkpool".into()),
            dlq: Some("zqxjkdead".into()),
        },
        families: Families::default(),
        thresholds: Thresholds::default(),
        runbooks: BTreeMap::from([("backlog_growing".into(), "https://wiki.zqxjk.example/backlog".into())]),
    };
    let info = SessionInfo::new("zqxjkproduction", moment(0), serde_json::to_value(settings).unwrap());
    let out = std::fs::File::create(path).unwrap();
    let mut writer = RecordWriter::new(out, info, moment(0), Redaction::new(Redactor::default())).unwrap();
    let mut seq = 0;
    for second in 1..20 {
        let now = moment(second);
        let metrics = SourceId::new(SourceKind::Metrics, "zqxjktarget.example:9100");
        let canary = Sample::Canary(CanaryReading {
            name: "zqxjkcanary".into(),
            passed: false,
            reason: Some("zqxjkhost.example:8080 answered 500".to_owned()),
            total: None,
        });
        let of =
            |source: SourceId, samples: Vec<Sample>| samples.into_iter().map(move |sample| (source.clone(), sample));
        let samples = of(SourceId::new(SourceKind::Jetstream, "nats"), nats(second))
            .chain(of(metrics, vec![report(SourceState::Ok, None), scrape(second), canary]))
            .chain(of(SourceId::new(SourceKind::Postgres, "postgres"), postgres()));
        for (source, sample) in samples {
            seq += 1;
            let envelope = Envelope {
                profile: "zqxjkproduction".into(),
                source,
                seq,
                at: now.at,
                mono: now.mono,
                sample,
            };
            writer.write(Item::Envelope(Box::new(envelope))).unwrap();
        }
        if second == 10 {
            for item in told(second) {
                writer.write(item).unwrap();
            }
        }
        writer
            .write(Item::Tick(Tick {
                moment: now,
                load: Some(348.0),
            }))
            .unwrap();
    }
    writer.finish().map_err(|(error, _)| error).unwrap();
}

fn holds_mark(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).to_lowercase().contains(MARK)
}

#[test]
fn none_of_the_names_is_left_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.mcap");
    telling(&original);
    assert!(
        holds_mark(text_of_partial(&original, &["--as", "report"]).as_bytes()),
        "the originals show names"
    );
    for screen in ["overview", "queues", "workers", "failures", "events"] {
        for form in ["cast", "cast3", "svg"] {
            let arguments = ["--as", form, "--screen", screen, "--size", "200x60"];
            assert!(
                holds_mark(text_of_partial(&original, &arguments).as_bytes()),
                "{form} {screen}: nothing to hide"
            );
            let output = export_with(&[], &original, &[&arguments[..], &["--anonymize"]].concat());
            let shown = String::from_utf8(output.stdout).unwrap();
            // The gap that was recorded makes it partial.
            assert_eq!(output.status.code(), Some(1), "{form} {screen}");
            assert!(!holds_mark(shown.as_bytes()), "{form} {screen}: {shown}");
            assert!(
                !holds_mark(&output.stderr),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    for form in ["csv", "json", "report"] {
        let output = export_with(&[], &original, &["--as", form, "--anonymize"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(!holds_mark(shown.as_bytes()), "{form}: {shown}");
    }
    // The copy, unpacked: JSON of every item.
    let copy = folder.path().join("copy.mcap");
    std::fs::write(
        &copy,
        export_with(&[], &original, &["--as", "mcap", "--anonymize"]).stdout,
    )
    .unwrap();
    let recording = Arc::new(hookwatch::record::Recording::open(&copy).unwrap());
    let mut reader = recording.reader();
    for chunk in 0..recording.chunks().len() {
        for (_, item) in reader.read(chunk).unwrap() {
            assert!(!holds_mark(format!("{item:?}").as_bytes()), "{item:?}");
        }
    }
    assert!(!holds_mark(format!("{:?}", recording.info()).as_bytes()));
    let report = text_of_partial(&copy, &["--as", "report"]);
    for kept in ["profile-1", "stream-", "consumer-1", "host-"] {
        assert!(report.contains(kept), "{kept}: {report}");
    }
}

fn text_of_partial(recording: &Path, arguments: &[&str]) -> String {
    String::from_utf8(export_with(&[], recording, arguments).stdout).unwrap()
}

#[test]
fn every_figure_stays() {
    for name in ["demo", "poison", "database-outage"] {
        let original = shipped(name);
        for form in ["csv", "json"] {
            let plain = export(&original, &["--as", form]);
            assert!(
                plain == export(&original, &["--as", form, "--anonymize"]),
                "{name} {form}"
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.mcap");
    telling(&original);
    let rates = |arguments: &[&str]| {
        let picture = text_of_partial(&original, arguments);
        ["300", "41", "7"].map(|rate| picture.contains(&format!(">{rate}<")))
    };
    let arguments = ["--as", "svg", "--size", "200x60"];
    let plain = rates(&arguments);
    assert_eq!(plain, rates(&[&arguments[..], &["--anonymize"]].concat()));
}

#[test]
fn what_was_replaced_is_counted() {
    let output = export_with(&[], &shipped("demo"), &["--as", "csv", "--anonymize"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("names replaced in") && told.contains("providers 2") && told.contains("streams 2"),
        "{told}"
    );
}
