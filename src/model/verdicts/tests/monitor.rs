//! Thresholds in the metadata of streams and consumers.

use super::*;

#[test]
fn thresholds_in_metadata_alarm_beside_the_rules_own() {
    let of = |monitor| ConsumerFacts { monitor, ..consumer() };
    for (id, monitor) in [
        (
            "saturated",
            ConsumerMonitor {
                outstanding_ack: Some(50.0),
                ..Default::default()
            },
        ),
        (
            "stalled",
            ConsumerMonitor {
                last_ack: Some(3.0),
                ..Default::default()
            },
        ),
        (
            "redelivery_storm",
            ConsumerMonitor {
                redelivery: Some(5.0),
                ..Default::default()
            },
        ),
        (
            "backlog_growing",
            ConsumerMonitor {
                unprocessed: Some(100.0),
                ..Default::default()
            },
        ),
        (
            "stalled",
            ConsumerMonitor {
                last_delivery: Some(2.0),
                ..Default::default()
            },
        ),
        (
            "metadata_threshold",
            ConsumerMonitor {
                waiting: Some(12.0),
                ..Default::default()
            },
        ),
    ] {
        for (over, told) in [(true, true), (false, false)] {
            let mut facts = of(if over { monitor } else { ConsumerMonitor::default() });
            facts.idle_s = if id == "stalled" { 3.0 } else { 0.0 };
            facts.delivery_s = facts.idle_s;
            facts.waiting = 12.0;
            facts.redelivered = 5.0;
            facts.rise = Rise {
                steps: 6,
                seconds: 6.0,
                ..Rise::default()
            };
            let mut bench = bench_with(facts);
            bench.hold(6);
            assert_eq!(bench.has(id), told, "{id}");
            for verdict in bench.verdicts.view() {
                assert_eq!(verdict.severity, Severity::Critical, "{id}: its key says critical");
                let named = verdict
                    .evidence
                    .iter()
                    .any(|fact| fact.contains("-critical of its metadata is"));
                assert!(named, "{verdict:?}");
            }
        }
    }
}

#[test]
fn too_many_messages_and_too_few_by_a_streams_metadata() {
    let holding = |messages: f64, thresholds, acks_remove| {
        let mut bench = Bench::new();
        bench.facts.streams = vec![StreamFacts {
            messages,
            acks_remove,
            monitor: StreamMonitor {
                messages: thresholds,
                lag: None,
            },
            ..stream()
        }];
        bench.hold(6);
        bench
    };
    let bench = holding(12_000.0, (Some(10_000.0), Some(50_000.0)), true);
    assert_eq!(bench.text("limit_eviction"), "webhooks holds 12,000 messages");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Warning);
    assert_eq!(
        holding(9_000.0, (Some(10_000.0), Some(50_000.0)), true).ids(),
        Vec::<String>::new()
    );
    // A log that nobody writes to.
    let mut bench = holding(400.0, (Some(999.0), Some(500.0)), false);
    assert_eq!(bench.text("metadata_threshold"), "webhooks holds only 400 messages");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Critical);
    bench.facts.streams[0].messages = 600.0;
    bench.hold(1);
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Warning);
    bench.facts.streams[0].messages = 1_000.0;
    bench.hold(6);
    assert_eq!(bench.ids(), Vec::<String>::new());
    // A work queue that is drained is as it should be.
    assert_eq!(holding(0.0, (Some(10.0), None), true).ids(), Vec::<String>::new());
}
