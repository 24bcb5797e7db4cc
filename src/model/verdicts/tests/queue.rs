//! Rules about consumers: who pulls, who holds, what waits.

use super::*;

#[test]
fn no_workers_needs_stillness_and_a_sign_that_nobody_is_there() {
    let deserted = ConsumerFacts {
        waiting: 0.0,
        ack_pending: 0.0,
        still_s: 5.0,
        delivery_s: 5.0,
        idle_s: 5.0,
        ..consumer()
    };
    let mut bench = bench_with(deserted.clone());
    bench.hold(1);
    assert_eq!(bench.text("no_workers"), "No worker pulls: 100 webhooks wait");
    assert!(!bench.has("stalled"), "a symptom");
    // A delivery clears it.
    bench.facts.consumers[0].still_s = 0.0;
    bench.facts.consumers[0].idle_s = 0.0;
    bench.hold(1);
    assert!(!bench.has("no_workers"));

    let near = [
        ConsumerFacts {
            still_s: 4.9,
            ..deserted.clone()
        },
        ConsumerFacts {
            waiting: 1.0,
            ..deserted.clone()
        },
        // Busy workers hold messages, and none was delivered for less than ack_wait.
        ConsumerFacts {
            ack_pending: 50.0,
            delivery_s: 29.0,
            ..deserted.clone()
        },
        ConsumerFacts {
            fill: Some(1.0),
            ..deserted.clone()
        },
        ConsumerFacts {
            paused: true,
            ..deserted.clone()
        },
        ConsumerFacts {
            fresh: false,
            ..deserted.clone()
        },
    ];
    for facts in near {
        let mut bench = bench_with(facts.clone());
        bench.hold(3);
        assert!(!bench.has("no_workers"), "{facts:?}");
    }
    let held = ConsumerFacts {
        ack_pending: 50.0,
        delivery_s: 31.0,
        ..deserted.clone()
    };
    let mut bench = bench_with(held.clone());
    bench.hold(1);
    assert!(bench.has("no_workers"), "older than ack_wait");
    let mut bench = bench_with(ConsumerFacts {
        delivery_s: 10.0,
        ..held
    });
    bench.facts.crew.up = 0;
    bench.facts.crew.down = 4;
    bench.hold(1);
    assert!(bench.has("no_workers"), "all known workers are down");
}

#[test]
fn a_missing_consumer_is_named_until_it_is_back() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["webhooks/workers".into()];
    bench.hold(1);
    assert_eq!(bench.text("consumer_missing"), "Consumer webhooks/workers is gone");
    bench.facts.missing.clear();
    bench.hold(1);
    assert!(!bench.has("consumer_missing"));
    bench.facts.consumers = vec![ConsumerFacts {
        recreated_s: Some(3.0),
        ..consumer()
    }];
    bench.hold(1);
    assert!(bench.text("consumer_missing").contains("created anew"));
}

#[test]
fn a_verdict_names_the_consumer_where_several_may_be_meant() {
    let mut bench = bench_with(deserted());
    bench.hold(1);
    assert_eq!(
        bench.text("no_workers"),
        "audit/nobody: No worker pulls: 100 webhooks wait"
    );
}

#[test]
fn saturated_holds_for_five_seconds_and_clears_below_ninety_per_cent() {
    let mut bench = bench_with(ConsumerFacts {
        fill: Some(0.98),
        ack_pending: 980.0,
        ..consumer()
    });
    bench.hold(5);
    assert!(!bench.has("saturated"));
    bench.hold(1);
    assert_eq!(bench.text("saturated"), "Workers hold 980 of 1,000 allowed");
    bench.facts.consumers[0].fill = Some(0.93);
    bench.hold(5);
    assert!(bench.has("saturated"), "between the thresholds it stands");
    bench.facts.consumers[0].fill = Some(0.89);
    bench.hold(1);
    assert!(!bench.has("saturated"));
    // Full, but nothing waits.
    let mut bench = bench_with(ConsumerFacts {
        fill: Some(1.0),
        pending: 0.0,
        ..consumer()
    });
    bench.hold(10);
    assert!(!bench.has("saturated"));
}

#[test]
fn stalled_waits_longer_for_slow_batches_and_not_for_delayed_retries() {
    let stuck = ConsumerFacts {
        idle_s: 6.0,
        ..consumer()
    };
    let mut bench = bench_with(stuck.clone());
    bench.hold(1);
    assert_eq!(bench.text("stalled"), "Nothing is completed, 150 webhooks wait");
    assert!(
        bench.verdicts.view()[0]
            .next
            .starts_with("look at what the workers wait for")
    );
    bench.facts.crew.silent = vec!["w-1".into()];
    bench.facts.crew.up = 0;
    bench.hold(1);
    assert!(bench.verdicts.view()[0].next.contains("restart it"), "nobody else will");
    bench.facts.consumers[0].idle_s = 0.0;
    bench.hold(1);
    assert!(!bench.has("stalled"), "a completion clears it");

    let mut slow = bench_with(stuck.clone());
    slow.facts.crew.batch_p95_s = Some(3.0);
    slow.hold(3);
    assert!(!slow.has("stalled"), "three batches take nine seconds");
    for facts in [
        ConsumerFacts {
            only_retries: true,
            ..stuck.clone()
        },
        ConsumerFacts {
            paused: true,
            ..stuck.clone()
        },
        ConsumerFacts {
            pending: 0.0,
            ack_pending: 0.0,
            ..stuck.clone()
        },
        ConsumerFacts { idle_s: 4.9, ..stuck },
    ] {
        let mut bench = bench_with(facts.clone());
        bench.hold(3);
        assert!(!bench.has("stalled"), "{facts:?}");
    }
}

#[test]
fn a_growing_backlog_says_by_how_much_why_and_what_would_drain_it() {
    let mut bench = bench_with(growing());
    bench.facts.next_limit = Some(limit("max_bytes", 1.0, 2.0, Some(1_260.0)));
    bench.hold(1);
    let verdict = bench.verdicts.view().remove(0);
    assert_eq!(verdict.text, "Falling behind by 2,561/s");
    assert_eq!(verdict.severity, Severity::Warning);
    assert_eq!(
        verdict.evidence,
        [
            "backlog 84,210, oldest waits 8.4 s",
            "12,431/s arrive, 9,870/s are completed",
            "4 workers pull, 2,470/s each",
            "database p95 31 ms, breaker closed",
        ]
    );
    assert_eq!(
        verdict.next,
        "6 workers would drain it in 35 s; as it is, max_bytes refuses webhooks in 21 min"
    );
    // It clears after 15 s without.
    bench.facts.consumers[0].rise.rises = 2;
    bench.hold(15);
    assert!(bench.has("backlog_growing"));
    bench.hold(1);
    assert!(!bench.has("backlog_growing"));
}

#[test]
fn a_backlog_that_only_breathes_does_not_grow() {
    for facts in [
        ConsumerFacts {
            rise: Rise {
                rises: 4,
                ..growing().rise
            },
            ..growing()
        },
        ConsumerFacts {
            rise: Rise {
                grown: 6.0 * 12_431.0 * 0.019,
                ..growing().rise
            },
            ..growing()
        },
        // Two batches.
        ConsumerFacts {
            rise: Rise {
                grown: 200.0,
                ..growing().rise
            },
            ingest: Some(10.0),
            ..growing()
        },
        ConsumerFacts {
            oldest_waiting_s: Some(0.9),
            ..growing()
        },
        // Workers that were told to stop finish what they hold, and take no more.
        ConsumerFacts {
            undelivered_s: 1.5,
            ..growing()
        },
        ConsumerFacts {
            rise: Rise {
                steps: 4,
                rises: 4,
                ..growing().rise
            },
            ..growing()
        },
    ] {
        let mut bench = bench_with(facts.clone());
        bench.hold(10);
        assert!(!bench.has("backlog_growing"), "{facts:?}");
    }
    let late = ConsumerFacts {
        oldest_waiting_s: Some(11.0),
        ..growing()
    };
    let mut bench = bench_with(late);
    bench.hold(1);
    assert_eq!(
        bench.verdicts.view()[0].severity,
        Severity::Critical,
        "beyond the lag threshold"
    );
}

#[test]
fn parked_messages_clear_only_when_a_pull_shows_none() {
    let mut bench = bench_with(ConsumerFacts {
        parked: Some((594.0, false)),
        ..consumer()
    });
    bench.hold(1);
    assert!(bench.text("parked_messages").starts_with("594 messages are parked"));
    // From before a server restart: not news, and not over.
    bench.facts.consumers[0].parked = Some((594.0, true));
    bench.hold(30);
    assert!(bench.has("parked_messages"));
    bench.facts.consumers[0].parked = Some((0.0, false));
    bench.hold(1);
    assert!(!bench.has("parked_messages"));
    let mut bench = bench_with(ConsumerFacts {
        parked: Some((3.0, true)),
        ..consumer()
    });
    bench.hold(3);
    assert!(!bench.has("parked_messages"));
}

#[test]
fn unmatched_messages_need_two_counts_and_clear_at_none() {
    let mut bench = Bench::new();
    bench.facts.streams = vec![StreamFacts {
        unmatched: Some((84.0, 1)),
        unmatched_subjects: vec!["webhook.resend.sent".into()],
        ..stream()
    }];
    bench.hold(5);
    assert!(!bench.has("unmatched_messages"));
    bench.facts.streams[0].unmatched = Some((84.0, 2));
    bench.hold(1);
    assert_eq!(
        bench.text("unmatched_messages"),
        "84 messages in webhooks match no consumer"
    );
    bench.facts.streams[0].unmatched = Some((0.0, 0));
    bench.hold(1);
    assert!(!bench.has("unmatched_messages"));
    // Nobody consumes dead letters.
    bench.facts.streams[0].unmatched = Some((84.0, 2));
    bench.facts.streams[0].letters = true;
    bench.hold(1);
    assert!(!bench.has("unmatched_messages"));
}
