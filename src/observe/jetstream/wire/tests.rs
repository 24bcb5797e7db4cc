use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sample::{AdvisoryKind, Discard, Retention};

const NOW: Duration = Duration::from_secs(3);
const TOOK: Duration = Duration::from_millis(2);

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/jetstream")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read<T: Answer>(name: &str) -> T {
    serde_json::from_str(&data(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_stream_of_2_9_is_read_with_its_limits_and_without_made_up_ones() {
    let mut info: StreamInfo = read("inbound/JS.API.STREAM.INFO.webhooks.json");
    let subjects = info.take_subjects();
    assert_eq!(subjects.len(), 5);
    assert!(subjects.contains(&("webhook.resend.delivered".to_owned(), 254)));
    let reading = info.reading(NOW, TOOK).unwrap();
    assert_eq!(&*reading.name, "webhooks");
    assert_eq!((reading.ts, reading.mono, reading.took), (None, NOW, TOOK));
    assert_eq!(reading.state.messages, 516);
    assert_eq!(reading.state.first_seq, 20_744);
    assert_eq!(reading.state.num_deleted, Some(2000));
    let config = &reading.config;
    assert_eq!(config.retention, Retention::Workqueue);
    assert_eq!(config.discard, Discard::Old);
    assert_eq!((config.max_msgs, config.max_msg_size), (None, None));
    assert_eq!(config.max_bytes, Some(1 << 30));
    assert_eq!(config.max_msgs_per_subject, Some(10_000));
    assert_eq!(config.max_age, Some(Duration::from_hours(24)));
    assert_eq!(config.duplicate_window, Duration::from_hours(1));
    assert!(config.deny_delete && !config.allow_direct);
    assert_eq!(reading.cluster, None);
}

#[test]
fn a_clustered_stream_of_2_10_is_read_with_its_time_leader_and_peers() {
    let reading = read::<StreamInfo>("newer/STREAM.INFO.2.10-cluster.json")
        .reading(NOW, TOOK)
        .unwrap();
    assert_eq!(reading.ts.unwrap().to_string(), "2026-01-02T03:06:00.25Z");
    assert!(
        reading.state.first_seq > reading.state.last_seq,
        "an empty stream stays as it is"
    );
    assert_eq!(reading.state.first_ts, None);
    assert!(reading.config.discard_new_per_subject);
    assert_eq!(reading.config.metadata["io.nats.monitor.lag-critical"], "100");
    let cluster = reading.cluster.unwrap();
    assert_eq!(cluster.leader.as_deref(), Some("n2"));
    assert_eq!(cluster.replicas.len(), 2);
    assert!(cluster.replicas[1].offline && !cluster.replicas[1].current);
    assert_eq!(cluster.replicas[1].lag, 12);
    assert_eq!(cluster.replicas[0].active, Duration::from_nanos(123_456_789));
}

#[test]
fn a_paused_consumer_of_2_11_is_read_with_its_filters_and_exact_waits() {
    let reading = read::<ConsumerInfo>("newer/CONSUMER.INFO.2.11-paused.json")
        .reading(NOW, TOOK)
        .unwrap();
    assert_eq!(reading.paused, Some(true));
    assert!(reading.config.pause_until.is_some());
    assert_eq!(reading.config.filter_subjects, ["webhook.resend.*", "webhook.telnyx.*"]);
    assert_eq!(reading.config.ack_wait, Duration::from_micros(30));
    assert_eq!(reading.config.backoff, [Duration::from_secs(1), Duration::from_secs(5)]);
    assert_eq!(
        (reading.config.max_deliver, reading.config.max_ack_pending),
        (None, None)
    );
    assert!(reading.config.durable && !reading.config.push);
    assert_eq!(reading.ack_floor.last_active, None);
}

#[test]
fn a_consumer_of_2_9_is_read_without_what_2_9_does_not_say() {
    let page: ConsumerPage = read("inbound/JS.API.CONSUMER.LIST.webhooks.json");
    assert_eq!(page.total.0, Some(1));
    let info = page.consumers.0.into_iter().next().unwrap().0.unwrap();
    let reading = info.reading(NOW, TOOK).unwrap();
    assert_eq!((&*reading.stream, &*reading.name), ("webhooks", "webhook-processor"));
    assert_eq!((reading.ts, reading.paused), (None, None));
    assert!(!reading.config.durable);
    assert_eq!(reading.config.max_deliver, Some(3));
    assert_eq!(reading.config.deliver_policy, "all");
    assert_eq!(reading.config.ack_policy, "explicit");
    assert_eq!(reading.delivered.consumer_seq, 17_987);
    assert_eq!(reading.delivered.stream_seq, 23_259);
    assert_eq!((reading.num_redelivered, reading.num_waiting), (516, 3));
}

#[test]
fn one_odd_element_does_not_cost_the_whole_list() {
    let page: StreamPage = read("newer/STREAM.LIST.2.12-offline.json");
    assert_eq!(page.missing.0, ["slow"]);
    assert_eq!(page.offline.0, ["newer"]);
    let streams: Vec<_> = page.streams.0.into_iter().filter_map(|stream| stream.0).collect();
    assert_eq!(streams.len(), 1);
    let reading = streams[0].clone().reading(NOW, TOOK).unwrap();
    assert_eq!(reading.config.retention, Retention::Limits, "an unknown word");
    assert_eq!(reading.config.max_msgs, None);
    assert_eq!(reading.config.replicas, 0, "raw: shown as 1");
    assert_eq!(reading.cluster.unwrap().leader, None);
}

#[test]
fn an_account_is_read_plain_and_with_tiers() {
    let plain = read::<AccountInfo>("inbound/JS.API.INFO.json").reading().unwrap();
    assert_eq!((plain.streams, plain.consumers), (2, 8));
    assert_eq!((plain.max_memory, plain.max_storage), (None, None));
    assert_eq!((plain.api_total, plain.api_errors), (318, 190));
    let tiers = read::<AccountInfo>("newer/INFO.tiers.json").reading().unwrap();
    assert_eq!(tiers.max_memory, None, "one tier has no limit");
    assert_eq!(tiers.max_storage, Some(4_000_000));
}

#[test]
fn names_are_read_with_their_total() {
    let (names, total) = read::<NamesPage>("inbound/JS.API.STREAM.NAMES.json").into_parts();
    assert_eq!(
        (names, total),
        (vec!["email-system".to_owned(), "webhooks".to_owned()], Some(2))
    );
    let (names, _) = read::<NamesPage>("inbound/JS.API.CONSUMER.NAMES.email-system.json").into_parts();
    assert_eq!(names.len(), 7);
    let none: NamesPage = serde_json::from_value(json!({"total": 0, "streams": null})).unwrap();
    assert!(none.into_parts().0.is_empty());
}

#[test]
fn an_error_inside_an_answer_is_found() {
    let mut stream: StreamInfo = read("inbound/JS.API.STREAM.INFO.NOPE.json");
    let error = stream.error().unwrap();
    assert_eq!((error.code(), error.err_code()), (404, 10_059));
    assert_eq!(error.description(), "stream not found");
    let mut consumer: ConsumerInfo = read("inbound/JS.API.CONSUMER.INFO.webhooks.nope.json");
    assert_eq!(consumer.error().unwrap().err_code(), 10_014);
    assert!(
        read::<StreamInfo>("inbound/JS.API.STREAM.INFO.webhooks.json")
            .error()
            .is_none()
    );
}

#[test]
fn an_absent_counter_makes_an_answer_unreadable_and_never_zero() {
    let whole: Value = serde_json::from_str(&data("inbound/JS.API.STREAM.INFO.webhooks.json")).unwrap();
    for field in ["messages", "bytes", "first_seq", "last_seq", "consumer_count"] {
        for odd in [Value::Null, json!(-1), json!("many"), json!(u64::MAX)] {
            let mut answer = whole.clone();
            answer["state"][field] = odd;
            let info: StreamInfo = serde_json::from_value(answer).unwrap();
            assert!(info.reading(NOW, TOOK).is_err(), "{field}");
        }
    }
    let whole: Value = serde_json::from_str(&data("newer/CONSUMER.INFO.2.11-paused.json")).unwrap();
    for field in [
        "num_pending",
        "num_ack_pending",
        "num_redelivered",
        "num_waiting",
        "delivered",
        "ack_floor",
        "name",
    ] {
        let mut answer = whole.clone();
        answer.as_object_mut().unwrap().remove(field);
        let info: ConsumerInfo = serde_json::from_value(answer).unwrap();
        assert!(info.reading(NOW, TOOK).is_err(), "{field}");
    }
}

#[test]
fn advisories_are_read_by_their_subject() {
    let mut kinds = Vec::new();
    for line in data("publishing/advisories.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let payload = serde_json::to_vec(&line["data"]).unwrap();
        let event = parse(line["subject"].as_str().unwrap(), &payload).unwrap();
        assert_eq!(event.advisory.stream.as_deref(), Some("WEBHOOKS"));
        assert_eq!(event.advisory.consumer.as_deref(), Some("webhook-worker-1"));
        assert!(event.advisory.stream_seq.unwrap() >= 9155);
        assert!(event.at.is_some());
        kinds.push((event.advisory.kind, event.advisory.deliveries.unwrap()));
    }
    assert_eq!(kinds[0], (AdvisoryKind::Naked, 1));
    assert_eq!(kinds[5], (AdvisoryKind::MaxDeliveries, 3));
}

#[test]
fn an_advisory_with_a_garbled_body_still_says_what_and_where() {
    let event = parse("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.webhooks.workers", b"\xff{").unwrap();
    assert_eq!(event.advisory.kind, AdvisoryKind::Terminated);
    assert_eq!(event.advisory.consumer.as_deref(), Some("workers"));
    assert_eq!((event.advisory.stream_seq, event.advisory.count), (None, 1));
    let odd = json!({"consumer_seq": "7", "stream_seq": "9", "deliveries": 3, "reason": "x".repeat(9000)});
    let event = parse(
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.webhooks.workers",
        odd.to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(event.advisory.stream_seq, Some(9));
    assert_eq!(event.advisory.reason.unwrap().len(), 500);
    let elected = json!({"stream": "webhooks", "leader": "n2", "replicas": []});
    let event = parse(
        "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.webhooks",
        elected.to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(event.advisory.reason.as_deref(), Some("n2"));
    assert_eq!(event.advisory.consumer, None);
    assert!(parse("$JS.EVENT.ADVISORY.API", b"{}").is_none());
    assert!(parse("webhook.telnyx.sms", b"{}").is_none());
}

#[test]
fn a_payload_is_never_kept() {
    let answer = json!({"message": {"subject": "webhook.a.b", "seq": 7, "hdrs": "TkFUUw==", "data": "c2VjcmV0",
        "time": "2026-01-02T03:04:05Z"}});
    let message: StoredMessage = serde_json::from_value(answer).unwrap();
    assert!(!format!("{message:?}").contains("c2VjcmV0"));
    let (seq, time) = message.position().unwrap();
    assert_eq!((seq, time.to_string().as_str()), (7, "2026-01-02T03:04:05Z"));
}

/// Everything that is ever done with the bytes of an answer.
fn digest(bytes: &[u8]) {
    if let Ok(mut info) = serde_json::from_slice::<StreamInfo>(bytes) {
        let _ = (info.error(), info.take_subjects(), info.reading(NOW, TOOK));
    }
    if let Ok(mut info) = serde_json::from_slice::<ConsumerInfo>(bytes) {
        let _ = (info.error(), info.reading(NOW, TOOK));
    }
    if let Ok(mut info) = serde_json::from_slice::<AccountInfo>(bytes) {
        let _ = (info.error(), info.reading());
    }
    if let Ok(message) = serde_json::from_slice::<StoredMessage>(bytes) {
        let _ = message.position();
    }
    if let Ok(page) = serde_json::from_slice::<NamesPage>(bytes) {
        let _ = page.into_parts();
    }
    if let Ok(page) = serde_json::from_slice::<StreamPage>(bytes) {
        for stream in page.streams.0.into_iter().filter_map(|stream| stream.0) {
            let _ = stream.reading(NOW, TOOK);
        }
    }
    if let Ok(page) = serde_json::from_slice::<ConsumerPage>(bytes) {
        for consumer in page.consumers.0.into_iter().filter_map(|consumer| consumer.0) {
            let _ = consumer.reading(NOW, TOOK);
        }
    }
    let _ = parse("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.a.b", bytes);
}

const CAPTURES: &[&str] = &[
    "inbound/JS.API.STREAM.INFO.webhooks.json",
    "inbound/JS.API.STREAM.LIST.json",
    "inbound/JS.API.CONSUMER.LIST.email-system.json",
    "inbound/JS.API.INFO.json",
    "newer/STREAM.INFO.2.10-cluster.json",
    "newer/CONSUMER.INFO.2.11-paused.json",
    "newer/STREAM.LIST.2.12-offline.json",
    "newer/INFO.tiers.json",
];

/// A value that no server should send.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!([null, 1, "a", {"b": []}])),
        Just(json!({})),
        Just(json!({"name": 7, "seq": "x"})),
    ]
}

/// Replaces the `at`-th value of a document, counted in document order.
fn replace(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| {
            if *at != usize::MAX {
                replace(value, at, with);
            }
        }),
        Value::Object(map) => map.values_mut().for_each(|value| {
            if *at != usize::MAX {
                replace(value, at, with);
            }
        }),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_mutated_answer_panics_and_no_odd_value_makes_one_unparseable(
        capture in 0..CAPTURES.len(),
        mutations in proptest::collection::vec((0usize..120, odd_value()), 1..6),
    ) {
        let mut value: Value = serde_json::from_str(&data(CAPTURES[capture])).unwrap();
        for (at, with) in mutations {
            replace(&mut value, &mut at.clone(), &with);
        }
        let bytes = serde_json::to_vec(&value).unwrap();
        digest(&bytes);
        if value.is_object() {
            prop_assert!(serde_json::from_slice::<StreamInfo>(&bytes).is_ok());
            prop_assert!(serde_json::from_slice::<ConsumerInfo>(&bytes).is_ok());
            prop_assert!(serde_json::from_slice::<StreamPage>(&bytes).is_ok());
            prop_assert!(serde_json::from_slice::<ConsumerPage>(&bytes).is_ok());
        }
    }

    #[test]
    fn no_damaged_bytes_panic(
        capture in 0..CAPTURES.len(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = data(CAPTURES[capture]).into_bytes();
        for (at, with) in flips {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        digest(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        digest(&bytes);
    }
}
