//! What people answer verdicts, and what canaries and metadata say: through the whole model.

use std::time::Duration;

use crate::model::testing::{Feed, QueueSpec, jetstream, metrics, settings};
use crate::model::{EventKind, Hush, Settings};
use crate::sample::{CanaryReading, ConsumerConfig, Sample};

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
