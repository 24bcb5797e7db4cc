//! Each rule on hand-made facts: what triggers it, what clears it, and a near miss. Then what
//! is common to all rules.

use std::time::Duration;

use super::facts::{
    ConsumerFacts, Crew, DepthFacts, Gate, LineFacts, ProbeFacts, ProviderFacts, SilentWorker, SourceFacts, StreamFacts,
};
use super::learnt::{Canary, Silence};
use super::monitor::{ConsumerMonitor, StreamMonitor};
use super::*;
use crate::base::time::{Moment, Timestamp};
use crate::model::failures::Tried;
use crate::model::ledger::LineId;
use crate::model::queues::{Limit, Rise};
use crate::model::view::{Health, Severity};
use crate::sample::{Blocked, CanaryReading, ProbeState, SourceId, SourceKind};

/// Time goes on second by second.
struct Bench {
    verdicts: Verdicts,
    facts: Facts,
    second: u64,
    changes: Vec<Change>,
}

fn moment(second: u64) -> Moment {
    Moment {
        at: Timestamp::UNIX_EPOCH + Duration::from_secs(second),
        mono: Duration::from_secs(second),
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            verdicts: Verdicts::default(),
            facts: Facts::none(moment(0)),
            second: 100,
            changes: Vec::new(),
        }
    }

    /// The facts stay as they are for so many seconds.
    fn hold(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            self.second += 1;
            self.facts.now = moment(self.second);
            let changes = self.verdicts.evaluate(&self.facts);
            self.changes.extend(changes);
        }
        self
    }

    fn ids(&self) -> Vec<String> {
        self.verdicts
            .view()
            .iter()
            .map(|verdict| verdict.id.to_string())
            .collect()
    }

    fn has(&self, id: &str) -> bool {
        self.ids().iter().any(|known| known == id)
    }

    fn text(&self, id: &str) -> String {
        let verdict = self
            .verdicts
            .view()
            .into_iter()
            .find(|verdict| &*verdict.id == id)
            .unwrap();
        assert!(!verdict.evidence.iter().any(String::is_empty), "{verdict:?}");
        assert!(!verdict.next.is_empty(), "{verdict:?}");
        verdict.text
    }
}

/// A consumer that is well.
fn consumer() -> ConsumerFacts {
    ConsumerFacts {
        subject: "webhooks/workers".into(),
        fresh: true,
        followed: true,
        pending: 100.0,
        ack_pending: 50.0,
        waiting: 1.0,
        fill: Some(0.05),
        max_ack_pending: Some(1_000.0),
        ack_wait_s: 30.0,
        ingest: Some(1_000.0),
        completed: Some(1_000.0),
        oldest_waiting_s: Some(0.1),
        parked: Some((0.0, false)),
        ..ConsumerFacts::default()
    }
}

fn crew() -> Crew {
    Crew {
        known: 4,
        up: 4,
        per_worker: Some(2_470.0),
        breaker_known: 4,
        batch: Some(100.0),
        batch_p95_s: Some(0.21),
        update_p95_s: Some(0.031),
        working: true,
        ..Crew::default()
    }
}

fn bench_with(consumer: ConsumerFacts) -> Bench {
    let mut bench = Bench::new();
    bench.facts.crew = crew();
    bench.facts.consumers = vec![consumer];
    bench
}

fn source(kind: SourceKind, name: &str, health: Health) -> SourceFacts {
    SourceFacts {
        id: SourceId::new(kind, name),
        health,
        failures: 0,
        goods: 10,
        failing_s: 0.0,
        error: None,
    }
}

fn stream() -> StreamFacts {
    StreamFacts {
        name: "webhooks".into(),
        fresh: true,
        followed: true,
        keeps: true,
        refuses: true,
        ..StreamFacts::default()
    }
}

fn limit(name: &'static str, used: f64, most: f64, eta: Option<f64>) -> Limit {
    Limit {
        name,
        used,
        most,
        eta,
        refuses: true,
    }
}

#[test]
fn a_healthy_pipeline_has_no_verdict() {
    let mut bench = bench_with(consumer());
    bench.facts.streams = vec![stream()];
    bench.facts.sources = vec![
        source(SourceKind::Jetstream, "nats", Health::Ok),
        source(SourceKind::Metrics, "w-1", Health::Ok),
        source(SourceKind::Postgres, "postgres", Health::Ok),
    ];
    bench.hold(60);
    assert_eq!(bench.ids(), Vec::<String>::new());
}

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

fn growing() -> ConsumerFacts {
    ConsumerFacts {
        pending: 84_160.0,
        ingest: Some(12_431.0),
        completed: Some(9_870.0),
        oldest_waiting_s: Some(8.4),
        rise: Rise {
            steps: 6,
            rises: 6,
            grown: 15_366.0,
            seconds: 6.0,
        },
        ..consumer()
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

fn line(line: LineId, difference: f64, apart: u32, apart_s: f64) -> LineFacts {
    LineFacts {
        line,
        difference,
        apart,
        apart_s,
        meeting: 0,
    }
}

#[test]
fn loss_needs_three_cycles_and_five_seconds_and_stays() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 4.9)];
    bench.hold(3);
    assert!(!bench.has("loss"));
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 2, 9.0)];
    bench.hold(3);
    assert!(!bench.has("loss"));
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 5.0)];
    bench.hold(1);
    assert_eq!(bench.text("loss"), "5 confirmed webhooks are not in the stream");
    bench.facts.lines.clear();
    bench.hold(300);
    assert!(bench.has("loss"), "what is lost stays lost");
    // More in the stream than was confirmed is no loss.
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, -5.0, 9, 9.0)];
    bench.hold(3);
    assert!(!bench.has("loss") && bench.has("sources_disagree"));
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
    assert_eq!(bench.text("database_down"), "Postgres does not answer");
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

fn provider(received: f64, failed: f64) -> ProviderFacts {
    let tried = Tried {
        received,
        refused: failed,
        ..Tried::default()
    };
    ProviderFacts {
        name: "stripe".into(),
        minute: tried,
        lately: tried,
        signatures: (0.0, 0.0),
        answers: None,
        silence: None,
    }
}

#[test]
fn an_error_rate_needs_fifty_attempts_and_must_still_go_on() {
    let mut bench = Bench::new();
    bench.facts.providers = vec![provider(1_000.0, 60.0)];
    bench.hold(5);
    assert_eq!(bench.text("error_rate"), "6.0 % of stripe's webhooks fail");
    bench.facts.providers = vec![provider(1_000.0, 40.0)];
    bench.hold(60);
    assert!(bench.has("error_rate"), "4 % are not below 3 %");
    bench.facts.providers = vec![provider(1_000.0, 29.0)];
    bench.hold(30);
    assert!(bench.has("error_rate"));
    bench.hold(1);
    assert!(!bench.has("error_rate"));

    for near in [provider(49.0, 40.0), provider(1_000.0, 50.0)] {
        let mut bench = Bench::new();
        bench.facts.providers = vec![near.clone()];
        bench.hold(10);
        assert!(!bench.has("error_rate"), "{near:?}");
    }
    let mut over = provider(1_000.0, 100.0);
    over.lately = Tried {
        received: 100.0,
        ..Tried::default()
    };
    let mut bench = Bench::new();
    bench.facts.providers = vec![over];
    bench.hold(10);
    assert!(!bench.has("error_rate"), "it is over");
}

#[test]
fn wrong_signatures_hide_the_same_providers_error_rate() {
    let mut bench = Bench::new();
    let mut stripe = provider(1_000.0, 400.0);
    stripe.signatures = (40.0, 11.0);
    let mut other = provider(1_000.0, 400.0);
    other.name = "github".into();
    bench.facts.providers = vec![stripe, other];
    bench.hold(5);
    assert_eq!(
        bench.text("signature_failures"),
        "21.6 % of stripe's signatures are wrong"
    );
    let about: Vec<_> = bench
        .verdicts
        .view()
        .into_iter()
        .filter(|verdict| &*verdict.id == "error_rate")
        .map(|verdict| verdict.subject.unwrap().to_string())
        .collect();
    assert_eq!(about, ["github"]);
    bench.facts.providers[0].signatures = (97.0, 4.0);
    bench.hold(60);
    assert!(bench.has("signature_failures"));
    bench.hold(1);
    assert!(!bench.has("signature_failures"));
    for near in [(4.0, 4.0), (40.0, 10.0)] {
        let mut bench = Bench::new();
        let mut stripe = provider(0.0, 0.0);
        stripe.signatures = near;
        bench.facts.providers = vec![stripe];
        bench.hold(3);
        assert!(!bench.has("signature_failures"), "{near:?}");
    }
}

#[test]
fn endpoints_that_fail_are_one_verdict_until_all_have_answered_twice() {
    let mut bench = Bench::new();
    bench.facts.sources = (1..=5)
        .map(|n| source(SourceKind::Metrics, &format!("w-{n}"), Health::Ok))
        .collect();
    bench.facts.sources[0].failures = 1;
    bench.facts.sources[0].health = Health::Failing;
    bench.hold(2);
    assert!(!bench.has("scrape_failing"));
    bench.facts.sources[0].failures = 2;
    bench.hold(1);
    assert_eq!(bench.text("scrape_failing"), "w-1 does not answer");
    bench.facts.sources[1].health = Health::Stale;
    bench.hold(1);
    assert_eq!(bench.text("scrape_failing"), "2 of 5 metrics endpoints do not answer");
    for source in &mut bench.facts.sources {
        source.failures = 0;
        source.health = Health::Ok;
    }
    bench.facts.sources[0].goods = 1;
    bench.hold(1);
    assert!(bench.has("scrape_failing"));
    bench.facts.sources[0].goods = 2;
    bench.hold(1);
    assert!(!bench.has("scrape_failing"));
}

#[test]
fn a_counter_that_fell_is_told_for_a_minute() {
    let mut bench = Bench::new();
    bench.facts.falls = vec![("w-1".into(), "acks")];
    bench.hold(1);
    assert_eq!(bench.text("counter_reset"), "A counter of w-1 fell");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Info);
    bench.facts.falls.clear();
    bench.hold(1);
    assert!(!bench.has("counter_reset"));
}

#[test]
fn sources_that_disagree_meet_for_two_cycles_before_it_is_over() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Written, 12.0, 3, 5.0)];
    bench.hold(1);
    assert_eq!(bench.text("sources_disagree"), "the workers say 12 more than Postgres");
    bench.facts.lines[0].apart = 0;
    bench.facts.lines[0].meeting = 1;
    bench.hold(3);
    assert!(bench.has("sources_disagree"));
    bench.facts.lines[0].meeting = 2;
    bench.hold(1);
    assert!(!bench.has("sources_disagree"));
    bench.facts.lines = vec![line(LineId::Written, 12.0, 2, 5.0)];
    bench.hold(3);
    assert!(!bench.has("sources_disagree"));
    bench.facts.depths = vec![DepthFacts {
        by: "api".into(),
        says: 0.0,
        backlog: (84_000.0, 84_210.0),
    }];
    bench.hold(1);
    assert_eq!(
        bench.text("sources_disagree"),
        "api says a queue depth of 0, NATS says 84,210"
    );
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

#[test]
fn a_server_that_does_not_answer_hides_what_follows_from_it() {
    let mut bench = Bench::new();
    bench.facts.sources = vec![source(SourceKind::Jetstream, "nats", Health::Failing)];
    bench.facts.providers = vec![provider(1_000.0, 10.0)];
    bench.hold(3);
    assert_eq!(bench.text("leader_lost"), "NATS does not answer");
    bench.facts.providers = vec![provider(1_000.0, 300.0)];
    bench.hold(5);
    assert!(!bench.has("error_rate"));
    bench.facts.sources[0].health = Health::Ok;
    bench.hold(10);
    assert!(
        !bench.has("leader_lost") && !bench.has("error_rate"),
        "the window still holds it"
    );
    bench.hold(25);
    assert!(bench.has("error_rate"), "it goes on without its cause");
}

#[test]
fn rates_are_not_judged_while_they_mean_nothing() {
    let mut bench = bench_with(growing());
    bench.facts.muted = true;
    bench.hold(10);
    assert!(!bench.has("backlog_growing"));
    bench.facts.muted = false;
    bench.hold(1);
    assert!(bench.has("backlog_growing"));
    bench.facts.muted = true;
    bench.facts.consumers[0].rise.rises = 0;
    bench.hold(60);
    assert!(bench.has("backlog_growing"), "nor is it over");
}

#[test]
fn what_was_never_shown_is_no_event_and_what_was_is_one() {
    let mut bench = bench_with(growing());
    bench.facts.crew.breaker_open = vec!["w-1".into()];
    bench.hold(3);
    let raised: Vec<_> = bench
        .changes
        .iter()
        .map(|change| change.verdict.id.to_string())
        .collect();
    assert_eq!(raised, ["breaker_open"]);
    bench.facts.crew.breaker_open.clear();
    bench.facts.consumers.clear();
    bench.hold(30);
    let last = bench.changes.last().unwrap();
    assert_eq!((&*last.verdict.id, last.raised), ("breaker_open", false));
    assert_eq!(bench.changes.len(), 2);
}

#[test]
fn most_severe_first_and_causes_before_symptoms() {
    let mut bench = bench_with(ConsumerFacts {
        fill: Some(1.0),
        ..growing()
    });
    bench.facts.missing = vec!["webhooks/other".into()];
    bench.facts.falls = vec![("w-1".into(), "acks")];
    bench.hold(10);
    assert_eq!(bench.ids(), ["consumer_missing", "saturated", "counter_reset"]);
}

#[test]
fn rules_are_evaluated_once_a_second() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.facts.now = moment(10);
    assert_eq!(bench.verdicts.evaluate(&bench.facts).len(), 1);
    bench.facts.missing.clear();
    bench.facts.now.mono += Duration::from_millis(250);
    assert!(bench.verdicts.evaluate(&bench.facts).is_empty());
    assert!(bench.has("consumer_missing"));
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

#[test]
fn a_storm_is_a_fifth_of_the_deliveries_for_five_seconds() {
    let stormy = ConsumerFacts {
        attempts: Some(100.0),
        retries: Some(21.0),
        ..consumer()
    };
    let mut bench = bench_with(stormy.clone());
    bench.hold(5);
    assert!(!bench.has("redelivery_storm"));
    bench.hold(1);
    assert_eq!(bench.text("redelivery_storm"), "21.0 % of all deliveries are retries");
    bench.facts.consumers[0].retries = Some(12.0);
    bench.hold(60);
    assert!(bench.has("redelivery_storm"), "12 % are not below 10 %");
    bench.facts.consumers[0].retries = Some(9.0);
    bench.hold(30);
    assert!(bench.has("redelivery_storm"));
    bench.hold(1);
    assert!(!bench.has("redelivery_storm"));
    for (attempts, retries) in [(Some(100.0), Some(20.0)), (Some(2.0), Some(1.0)), (Some(100.0), None)] {
        let mut bench = bench_with(ConsumerFacts {
            attempts,
            retries,
            ..stormy.clone()
        });
        bench.hold(10);
        assert!(!bench.has("redelivery_storm"), "{attempts:?} {retries:?}");
    }
}

#[test]
fn an_ack_wait_below_a_batch_is_a_storm_and_printed_exactly() {
    let mut bench = bench_with(ConsumerFacts {
        ack_wait_s: 30e-6,
        ..consumer()
    });
    bench.hold(6);
    assert_eq!(
        bench.text("redelivery_storm"),
        "ack_wait is 30 µs: webhooks are delivered again before they are done"
    );
    let mut bench = bench_with(ConsumerFacts {
        ack_wait_s: 0.22,
        ..consumer()
    });
    bench.hold(6);
    assert!(!bench.has("redelivery_storm"), "a batch takes 210 ms");
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

#[test]
fn a_provider_is_silent_until_its_next_webhook() {
    let mut bench = Bench::new();
    let silence = |lasts| {
        Some(Silence {
            lasts,
            unusual: 5.0,
            mean: 0.012,
        })
    };
    bench.facts.providers = vec![ProviderFacts {
        silence: silence(5.0),
        ..provider(1_000.0, 0.0)
    }];
    bench.hold(1);
    assert!(!bench.has("provider_silent"));
    bench.facts.providers[0].silence = silence(6.0);
    bench.hold(1);
    assert_eq!(bench.text("provider_silent"), "Nothing from stripe for 6 s");
    // A gateway does not answer: nobody knows.
    bench.facts.providers[0].silence = None;
    bench.hold(9);
    assert!(bench.has("provider_silent"));
    bench.facts.providers[0].silence = silence(0.0);
    bench.hold(1);
    assert!(!bench.has("provider_silent"));
}

#[test]
fn slow_answers_are_told_after_five_seconds_until_thirty_below_eighty_per_cent() {
    let mut bench = Bench::new();
    bench.facts.providers = vec![ProviderFacts {
        answers: Some((0.14, 20.0)),
        ..provider(1_000.0, 0.0)
    }];
    bench.hold(6);
    assert_eq!(
        bench.text("slow_webhook"),
        "stripe waits 140 ms for an answer on average"
    );
    bench.facts.providers[0].answers = Some((0.09, 20.0));
    bench.hold(60);
    assert!(bench.has("slow_webhook"));
    bench.facts.providers[0].answers = Some((0.07, 20.0));
    bench.hold(31);
    assert!(!bench.has("slow_webhook"));
    for near in [(0.14, 19.0), (0.1, 20.0)] {
        let mut bench = Bench::new();
        bench.facts.providers = vec![ProviderFacts {
            answers: Some(near),
            ..provider(1_000.0, 0.0)
        }];
        bench.hold(10);
        assert!(!bench.has("slow_webhook"), "{near:?}");
    }
}

#[test]
fn an_inactive_worker_is_named_until_it_is_heard_of() {
    let mut bench = Bench::new();
    bench.facts.inactive = vec![SilentWorker {
        name: "w-7".into(),
        silent_s: 400.0,
    }];
    bench.hold(1);
    assert_eq!(bench.text("worker_inactive"), "Worker w-7 was last heard of 7 min ago");
    bench.facts.inactive.clear();
    bench.hold(1);
    assert!(!bench.has("worker_inactive"));
}

#[test]
fn a_canary_fails_at_once_and_is_well_after_two_passes() {
    let mut bench = Bench::new();
    let run = |passed| CanaryReading {
        name: "stripe".into(),
        passed,
        reason: (!passed).then(|| "no row within 10 s\u{1b}[2J".to_owned()),
        total: None,
    };
    let mut canary = Canary::default();
    for (passed, shown) in [(true, false), (false, true), (true, true), (true, false)] {
        canary.observe(&run(passed));
        bench.facts.canaries = vec![("stripe".into(), canary.clone())];
        bench.hold(1);
        assert_eq!(bench.has("canary_failed"), shown, "{canary:?}");
        if shown {
            assert_eq!(bench.text("canary_failed"), "Canary stripe did not get through");
            assert!(!bench.verdicts.view()[0].evidence[0].contains('\u{1b}'));
        }
    }
}

fn probe(health: Health, said: Option<ProbeState>) -> ProbeFacts {
    ProbeFacts {
        name: "billing".into(),
        health,
        failures: 0,
        error: None,
        said,
        status: said.map(|said| if said == ProbeState::Unhealthy { 503 } else { 200 }),
        well: 0,
        ill: 0,
        bad: Vec::new(),
    }
}

#[test]
fn a_service_that_calls_itself_unhealthy_twice_is_said_with_the_checks_that_fail() {
    let mut bench = Bench::new();
    let mut ill = probe(Health::Ok, Some(ProbeState::Unhealthy));
    ill.bad = ["database: refused", "a: x", "b: y", "c: z"]
        .map(str::to_owned)
        .to_vec();
    ill.ill = 1;
    bench.facts.probes = vec![ill];
    bench.hold(2);
    assert!(!bench.has("probe_failing"), "one answer may be a restart");
    bench.facts.probes[0].ill = 2;
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing says that it is unhealthy");
    let verdict = bench.verdicts.view().remove(0);
    assert_eq!(verdict.severity, Severity::Critical);
    assert_eq!(
        verdict.evidence,
        [
            "2 answers in a row, the last with HTTP 503",
            "database: refused",
            "a: x",
            "b: y",
            "and 1 check more"
        ]
    );
    bench.facts.probes[0] = ProbeFacts {
        well: 1,
        ..probe(Health::Ok, Some(ProbeState::Healthy))
    };
    bench.hold(1);
    assert!(bench.has("probe_failing"), "one good answer is not enough");
    bench.facts.probes[0].well = 2;
    bench.hold(1);
    assert!(!bench.has("probe_failing"));
}

#[test]
fn a_degraded_service_and_one_that_does_not_answer_are_warnings() {
    let mut bench = Bench::new();
    bench.facts.probes = vec![ProbeFacts {
        ill: 2,
        ..probe(Health::Ok, Some(ProbeState::Degraded))
    }];
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing says that it is degraded");
    assert_eq!(bench.verdicts.view()[0].severity, Severity::Warning);
    bench.facts.probes = vec![ProbeFacts {
        failures: 2,
        error: Some("ask http://billing/health: connection refused".to_owned()),
        ..probe(Health::Failing, Some(ProbeState::Healthy))
    }];
    bench.hold(1);
    assert_eq!(bench.text("probe_failing"), "billing's health endpoint does not answer");
    assert_eq!(bench.verdicts.view()[0].evidence[1], "before that it said healthy");
    bench.facts.probes[0].failures = 1;
    bench.facts.probes[0].health = Health::Ok;
    bench.hold(1);
    assert!(bench.has("probe_failing"), "neither two good answers nor a bad one");
}

#[test]
fn an_unhealthy_service_is_a_symptom_of_a_database_that_is_down() {
    let mut bench = Bench::new();
    let mut postgres = source(SourceKind::Postgres, "postgres", Health::Failing);
    postgres.failures = 3;
    postgres.goods = 0;
    bench.facts.sources = vec![postgres];
    bench.facts.probes = vec![ProbeFacts {
        ill: 3,
        ..probe(Health::Ok, Some(ProbeState::Unhealthy))
    }];
    bench.hold(2);
    assert_eq!(bench.ids(), ["database_down"]);
}

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

#[test]
fn what_is_acknowledged_stays_quiet_until_it_clears() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    let now = bench.facts.now;
    assert!(
        bench.verdicts.acknowledge("consumer_missing", None, now).is_none(),
        "another subject"
    );
    assert!(
        bench
            .verdicts
            .acknowledge("consumer_missing", Some("a/b"), now)
            .is_some()
    );
    assert_eq!(bench.verdicts.view()[0].hush, Some(Hush::Acknowledged { at: now.at }));
    bench.facts.missing.clear();
    bench.hold(1);
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    assert_eq!(bench.verdicts.view()[0].hush, None, "it is back");
}

#[test]
fn what_is_silenced_stays_quiet_for_its_time_even_when_it_comes_back() {
    let mut bench = Bench::new();
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    let minute = Duration::from_mins(1);
    assert!(
        bench
            .verdicts
            .silence("consumer_missing", Some("a/b"), minute, bench.facts.now)
            .is_some()
    );
    bench.facts.missing.clear();
    bench.hold(2);
    bench.facts.missing = vec!["a/b".into()];
    bench.hold(1);
    assert!(matches!(bench.verdicts.view()[0].hush, Some(Hush::Silenced { .. })));
    bench.hold(60);
    assert_eq!(bench.verdicts.view()[0].hush, None);
    assert!(
        bench.verdicts.heed("consumer_missing", Some("a/b")).is_none(),
        "nothing to take back"
    );
    bench
        .verdicts
        .acknowledge("consumer_missing", Some("a/b"), bench.facts.now);
    assert!(bench.verdicts.heed("consumer_missing", Some("a/b")).is_some());
    assert_eq!(bench.verdicts.view()[0].hush, None);
}

#[test]
fn a_loss_is_over_when_it_is_acknowledged_and_news_when_it_grows() {
    let mut bench = Bench::new();
    bench.facts.lines = vec![line(LineId::Stored, 5.0, 3, 5.0)];
    bench.hold(1);
    assert!(
        bench
            .verdicts
            .acknowledge("loss", Some("stored"), bench.facts.now)
            .is_some()
    );
    bench.hold(30);
    assert!(!bench.has("loss"), "seen");
    bench.facts.lines[0].difference = 6.0;
    bench.hold(1);
    assert_eq!(bench.text("loss"), "6 confirmed webhooks are not in the stream");
}

#[test]
fn every_id_is_there_once_and_every_link_names_rules() {
    let ids: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    assert_eq!(
        super::ids().collect::<Vec<_>>(),
        crate::config::VERDICTS,
        "runbooks are checked against these"
    );
    for link in SYMPTOMS {
        assert!(
            ids.contains(link.cause) && ids.contains(link.symptom),
            "{}",
            link.symptom
        );
    }
}
