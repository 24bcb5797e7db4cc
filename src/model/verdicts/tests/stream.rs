//! Rules about streams and servers: limits, space, leaders.

use super::*;

#[test]
fn a_limit_alarms_when_near_in_room_or_time_and_when_it_evicts() {
    let mut bench = Bench::new();
    bench.facts.streams = vec![stream()];
    bench.facts.streams[0].limits = vec![limit("max_msgs", 91.0, 100.0, None)];
    bench.hold(6);
    assert_eq!(bench.text("limit_eviction"), "webhooks: 9.0 % of max_msgs left");
    bench.facts.streams[0].limits[0].used = 88.0;
    bench.hold(20);
    assert!(bench.has("limit_eviction"), "12 % are not enough to clear");
    bench.facts.streams[0].limits[0].used = 84.0;
    bench.hold(6);
    assert!(!bench.has("limit_eviction"));

    bench.facts.streams[0].limits = vec![limit("max_bytes", 20.0, 100.0, Some(1_260.0))];
    bench.hold(6);
    assert_eq!(
        bench.text("limit_eviction"),
        "webhooks: max_bytes refuses webhooks in 21 min"
    );

    let mut bench = Bench::new();
    bench.facts.streams = vec![stream()];
    // A few batches in an empty stream are no forecast.
    bench.facts.streams[0].limits = vec![limit("max_bytes", 9.0, 100.0, Some(600.0))];
    bench.hold(10);
    assert!(!bench.has("limit_eviction"));
    bench.facts.streams[0].limits = vec![limit("max_bytes", 50.0, 100.0, Some(1_801.0))];
    bench.hold(10);
    assert!(!bench.has("limit_eviction"));
    // A log that rolls over.
    bench.facts.streams[0].limits = vec![limit("max_bytes", 100.0, 100.0, None)];
    bench.facts.streams[0].keeps = false;
    bench.hold(10);
    assert!(!bench.has("limit_eviction"));
    bench.facts.streams[0].evicted = 12.0;
    bench.hold(6);
    assert_eq!(
        bench.text("limit_eviction"),
        "12 webhooks were evicted from webhooks at a limit"
    );
    assert!(bench.has("loss"));
}

#[test]
fn a_full_stream_is_told_by_refused_publishes() {
    let mut bench = Bench::new();
    bench.facts.streams = vec![stream()];
    bench.facts.streams[0].limits = vec![limit("max_msgs", 100.0, 100.0, None)];
    bench.hold(3);
    assert!(!bench.has("storage_full"), "nothing is refused yet");
    bench.facts.gate = Gate {
        unconfirmed: 40.0,
        no_space: 0.0,
        queued: 5.0,
    };
    bench.hold(1);
    assert_eq!(bench.text("storage_full"), "webhooks is full: publishes are refused");
    assert!(!bench.has("limit_eviction"), "a symptom");
    bench.facts.gate.unconfirmed = 0.0;
    bench.hold(3);
    assert!(bench.has("storage_full"));
    bench.hold(1);
    assert!(!bench.has("storage_full"));
    // Room is left: publishes fail for another reason.
    let mut bench = Bench::new();
    bench.facts.streams = vec![stream()];
    bench.facts.streams[0].limits = vec![limit("max_msgs", 10.0, 100.0, None)];
    bench.facts.gate.unconfirmed = 40.0;
    bench.hold(3);
    assert!(!bench.has("storage_full"));
    bench.facts.gate.no_space = 1.0;
    bench.hold(1);
    assert!(bench.has("storage_full"), "the gateway says so");
}

#[test]
fn a_stream_that_was_replaced_is_a_loss() {
    let mut bench = Bench::new();
    bench.facts.replaced = vec![("webhooks".into(), Some(40))];
    bench.hold(1);
    assert_eq!(bench.text("loss"), "Stream webhooks went back by 40 messages");
    bench.facts.replaced = vec![("webhooks".into(), None)];
    bench.hold(1);
    assert_eq!(bench.text("loss"), "Stream webhooks was created anew");
}

#[test]
fn a_lost_leader_is_told_after_two_seconds_until_three_seconds_with_one() {
    let mut bench = Bench::new();
    bench.facts.streams = vec![StreamFacts {
        leaderless: true,
        ..stream()
    }];
    bench.hold(2);
    assert!(!bench.has("leader_lost"));
    bench.hold(1);
    assert_eq!(bench.text("leader_lost"), "Stream webhooks has no leader");
    bench.facts.streams[0].leaderless = false;
    bench.hold(3);
    assert!(bench.has("leader_lost"));
    bench.hold(1);
    assert!(!bench.has("leader_lost"));
}
