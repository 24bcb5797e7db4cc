//! Rules about the database: down, slow, behind an open breaker.

use super::*;

#[test]
fn the_database_is_down_after_three_failures_or_one_and_an_open_breaker() {
    let mut bench = Bench::new();
    let mut postgres = source(SourceKind::Postgres, "postgres", Health::Failing);
    postgres.failures = 2;
    postgres.goods = 0;
    postgres.error = Some("connect to postgres: connection refused".into());
    bench.facts.sources = vec![postgres];
    bench.hold(2);
    assert!(!bench.has("database_down"));
    bench.facts.crew.breaker_open = vec!["w-1".into()];
    bench.facts.crew.breaker_known = 1;
    bench.hold(1);
    assert_eq!(bench.text("database_down"), "Postgres cannot be read");
    assert!(!bench.has("breaker_open"), "a symptom");
    bench.facts.crew.breaker_open.clear();
    bench.facts.sources[0].failures = 3;
    bench.hold(1);
    assert!(bench.has("database_down"));
    bench.facts.sources[0].health = Health::Ok;
    bench.facts.sources[0].failures = 0;
    bench.facts.sources[0].goods = 2;
    bench.hold(1);
    assert!(bench.has("database_down"));
    bench.facts.sources[0].goods = 3;
    bench.hold(1);
    assert!(!bench.has("database_down"));
}

#[test]
fn while_workers_write_it_is_our_own_way_to_the_database() {
    let mut bench = Bench::new();
    let mut postgres = source(SourceKind::Postgres, "postgres", Health::Failing);
    postgres.failures = 30;
    postgres.goods = 0;
    bench.facts.sources = vec![postgres];
    bench.facts.crew = crew();
    bench.hold(3);
    assert!(!bench.has("database_down"));
}

#[test]
fn an_open_breaker_is_said_by_the_gauge_only() {
    let mut bench = bench_with(consumer());
    bench.facts.crew.breaker_open = vec!["w-1".into(), "w-2".into()];
    bench.hold(1);
    assert_eq!(bench.text("breaker_open"), "Circuit breaker open on 2 of 4 workers");
    bench.facts.crew.breaker_half_open = std::mem::take(&mut bench.facts.crew.breaker_open);
    bench.hold(3);
    assert!(bench.has("breaker_open"), "half open is not closed");
    bench.facts.crew.breaker_half_open.clear();
    bench.hold(1);
    assert!(!bench.has("breaker_open"));
}

#[test]
fn the_database_is_slow_by_its_own_measure_until_it_is_as_usual() {
    let mut bench = bench_with(growing());
    bench.facts.crew.updates = 20.0;
    bench.facts.crew.usual_update_s = Some(0.04);
    bench.facts.crew.update_p95_s = Some(0.13);
    bench.facts.blocked = Some(Vec::new());
    bench.facts.crew.unusual_s = 2.0;
    bench.hold(3);
    assert!(!bench.has("database_slow"), "a moment is none");
    bench.facts.crew.unusual_s = 3.0;
    bench.hold(1);
    assert_eq!(
        bench.text("database_slow"),
        "Postgres is slow: updates take 130 ms, usually 40 ms"
    );
    assert!(!bench.has("backlog_growing"), "a symptom");
    bench.facts.crew.update_p95_s = Some(0.11);
    bench.hold(5);
    assert!(bench.has("database_slow"), "not yet below twice the usual");
    bench.facts.crew.update_p95_s = Some(0.079);
    bench.hold(1);
    assert!(!bench.has("database_slow"));
    // Quick ones, few ones and usual ones.
    for (p95, usual, updates) in [(0.09, 0.01, 20.0), (0.5, 0.04, 19.0), (0.119, 0.04, 20.0)] {
        let mut bench = bench_with(consumer());
        bench.facts.crew.updates = updates;
        bench.facts.crew.usual_update_s = Some(usual);
        bench.facts.crew.update_p95_s = Some(p95);
        bench.facts.crew.unusual_s = 9.0;
        bench.hold(9);
        assert!(!bench.has("database_slow"), "{p95} {usual} {updates}");
    }
}

fn waits(seconds: u64) -> Blocked {
    Blocked {
        pid: 7,
        application: "worker-1".into(),
        waited: Duration::from_secs(seconds),
        blocking_pid: 42,
        blocking_application: "nightly\u{1b}[31m-report".into(),
        blocking_state: "idle in transaction".into(),
    }
}

#[test]
fn who_holds_the_lock_is_named_and_hides_what_follows() {
    let mut bench = bench_with(ConsumerFacts {
        idle_s: 6.0,
        ..consumer()
    });
    bench.facts.crew.breaker_open = vec!["w-1".into()];
    bench.facts.blocked = Some(vec![waits(1)]);
    bench.hold(5);
    assert!(!bench.has("database_slow"), "a short wait is usual");
    bench.facts.blocked = Some(vec![waits(2)]);
    bench.hold(4);
    let text = bench.text("database_slow");
    assert!(
        text.contains("-report holds a lock") && !text.contains('\u{1b}'),
        "{text:?}"
    );
    assert_eq!(bench.ids(), ["database_slow"]);
    // Nobody knows: it stands.
    bench.facts.blocked = None;
    bench.hold(3);
    assert!(bench.has("database_slow"));
    bench.facts.blocked = Some(Vec::new());
    bench.hold(1);
    assert!(!bench.has("database_slow"));
}
