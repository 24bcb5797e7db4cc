//! What people answer verdicts, and what canaries and metadata say: through the whole model.

use std::time::Duration;

use crate::config::Thresholds;
use crate::model::testing::{Feed, QueueSpec, jetstream, metrics, settings};
use crate::model::{EventKind, Hush, Settings};
use crate::sample::{CanaryReading, ConsumerConfig, Sample, StreamConfig};

fn canary(passed: bool) -> Sample {
    Sample::Canary(CanaryReading {
        name: "stripe".into(),
        passed,
        reason: (!passed).then(|| "no row within 10 s".to_owned()),
        total: Some(Duration::from_secs(10)),
    })
}

#[test]
fn a_failed_canary_is_a_verdict_with_its_runbook_and_can_be_answered() {
    let mut feed = Feed::with(Settings {
        runbooks: [("canary_failed".into(), "https://runbooks/canary".into())].into(),
        ..settings()
    });
    feed.at(10.0).send(&metrics("canary"), canary(false)).advance();
    let verdict = feed.verdict("canary_failed").unwrap();
    assert_eq!(verdict.runbook.as_deref(), Some("https://runbooks/canary"));
    assert_eq!((verdict.subject.as_deref(), verdict.hush), (Some("stripe"), None));

    let now = feed.moment();
    assert!(
        !feed.model.acknowledge("canary_failed", None, now),
        "there is none without a subject"
    );
    assert!(feed.model.acknowledge("canary_failed", Some("stripe"), now));
    let answered = feed.verdict("canary_failed").unwrap();
    assert_eq!(answered.hush, Some(Hush::Acknowledged { at: now.at }));
    let told = feed.view().events.last().unwrap();
    assert_eq!(told.kind, EventKind::Action);
    assert!(told.text.starts_with("acknowledged: Canary stripe"), "{}", told.text);

    assert!(feed.model.heed("canary_failed", Some("stripe"), now));
    assert!(
        feed.model
            .silence("canary_failed", Some("stripe"), Duration::from_mins(5), now)
    );
    assert!(matches!(
        feed.verdict("canary_failed").unwrap().hush,
        Some(Hush::Silenced { .. })
    ));
    feed.at(11.0).send(&metrics("canary"), canary(true)).advance();
    assert!(feed.verdict("canary_failed").is_some(), "one pass is not enough");
    feed.at(12.0).send(&metrics("canary"), canary(true)).advance();
    assert!(feed.verdict("canary_failed").is_none());
}

#[test]
fn a_threshold_of_the_wrong_type_is_told_once_and_the_others_hold() {
    let mut feed = Feed::default();
    let metadata = [
        ("io.nats.monitor.redelivery-critical", "many"),
        ("io.nats.monitor.outstanding-ack-critical", "40"),
    ];
    for second in 1..20 {
        let spec = QueueSpec {
            consumer_config: ConsumerConfig {
                metadata: metadata
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
                ..QueueSpec::default().consumer_config
            },
            ..QueueSpec::healthy(1_000 * second, 10, 50)
        };
        feed.at(second as f64).ok(&jetstream()).queue(&spec).advance();
    }
    let refused = feed
        .view()
        .events
        .iter()
        .filter(|event| event.text == "threshold refused");
    let details: Vec<(&str, u64)> = refused.map(|event| (&*event.detail, event.count)).collect();
    assert_eq!(
        details,
        [(
            "webhooks/workers: io.nats.monitor.redelivery-critical = many: wants a whole number",
            1
        )]
    );
    assert!(feed.verdict("saturated").unwrap().text.contains("50 of 40"));
}

/// What a server that knows metadata (2.10 and later) says of it, through the whole model.
fn with_metadata(feed: &mut Feed, stream: &[(&str, &str)], consumer: &[(&str, &str)]) {
    let named = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| (format!("io.nats.monitor.{key}"), (*value).to_owned()))
            .collect()
    };
    for second in 1..20 {
        let healthy = QueueSpec::healthy(1_000 * second, 10, 50);
        let spec = QueueSpec {
            config: StreamConfig {
                metadata: named(stream),
                ..healthy.config.clone()
            },
            waiting: 1,
            consumer_config: ConsumerConfig {
                metadata: named(consumer),
                ..healthy.consumer_config.clone()
            },
            ..healthy
        };
        feed.at(second as f64).ok(&jetstream()).queue(&spec).advance();
    }
}

#[test]
fn thresholds_come_from_the_configuration_then_from_metadata_then_from_the_defaults() {
    let lag = |settings: Settings, metadata: &[(&str, &str)]| {
        let mut feed = Feed::with(settings);
        with_metadata(&mut feed, metadata, &[]);
        feed.view().lag_critical_s
    };
    let configured = Settings {
        thresholds: Thresholds {
            lag: (Duration::from_secs(5), Duration::from_secs(10)),
            lag_set: true,
            ..Thresholds::default()
        },
        ..settings()
    };
    assert_eq!(lag(settings(), &[]), None, "the default holds");
    assert_eq!(lag(settings(), &[("lag-critical", "30s")]), Some(30.0));
    assert_eq!(
        lag(settings(), &[("lag-critical", "soon")]),
        None,
        "refused, and the default holds"
    );
    assert_eq!(
        lag(configured, &[("lag-critical", "30s")]),
        None,
        "the configuration holds"
    );
    let defaults = Thresholds::default();
    assert_eq!(defaults.lag, (Duration::from_secs(5), Duration::from_secs(10)));
    assert_eq!(
        (defaults.success_ratio, defaults.latency),
        (0.95, Duration::from_millis(100))
    );
    assert_eq!(defaults.worker_inactive, Duration::from_mins(5));
}

#[test]
fn every_key_of_a_consumers_metadata_alarms_by_its_own_figure() {
    for (key, value, id) in [
        ("outstanding-ack-critical", "50", "saturated"),
        ("waiting-critical", "1", "metadata_threshold"),
        ("unprocessed-critical", "10", "backlog_growing"),
    ] {
        let mut feed = Feed::default();
        with_metadata(&mut feed, &[], &[(key, value)]);
        let verdict = feed.verdict(id).unwrap_or_else(|| panic!("{key}"));
        let named = format!("{key} of its metadata is {value}");
        assert!(verdict.evidence.contains(&named), "{verdict:?}");
        // One more than there is: nothing is said.
        let mut feed = Feed::default();
        let more = (value.parse::<u64>().unwrap() + 1).to_string();
        with_metadata(&mut feed, &[], &[(key, &more)]);
        assert!(feed.verdict(id).is_none(), "{key}: {:?}", feed.view().verdicts);
        // A value of the wrong type is told by its name, and alarms nobody.
        let mut feed = Feed::default();
        with_metadata(&mut feed, &[], &[(key, "lots")]);
        assert!(feed.verdict(id).is_none(), "{key}");
        let events = &feed.view().events;
        assert!(
            events.iter().any(|event| event.detail.contains(key)),
            "{key}: {events:?}"
        );
    }
}
