//! Whole stories: what happened, what the model says, and what it says when it is over.

use std::time::Duration;

use crate::model::testing::{Fault, Feed, QueueSpec, Setup, Simulator, close, jetstream, metrics, postgres};
use crate::model::{EventKind, QueueState, ReadingState, Severity};
use crate::sample::{Advisory, AdvisoryKind, ClusterReading, Sample, StreamConfig};

fn verdicts(feed: &Feed) -> Vec<&str> {
    feed.view().verdicts.iter().map(|verdict| &*verdict.id).collect()
}

#[test]
fn steady_load_says_nothing_for_ten_minutes() {
    let mut simulator = Simulator::new(Setup {
        rate: 300.0,
        poison: 0.001,
        ..Setup::default()
    });
    simulator.run(600.0);
    assert_eq!(simulator.verdicts, std::collections::BTreeSet::new());
    assert_eq!(simulator.alarms, vec![]);
}

#[test]
fn when_all_workers_die_nobody_pulls_within_ten_seconds() {
    let setup = Setup {
        workers: 2,
        ack_wait: 5.0,
        rate: 800.0,
        faults: vec![
            (10.0, Fault::KillWorker(0)),
            (10.0, Fault::KillWorker(1)),
            (25.0, Fault::StartWorker(0)),
            (25.0, Fault::StartWorker(1)),
        ],
        ..Setup::default()
    };
    let mut simulator = Simulator::new(setup);
    simulator.run(20.0);
    assert_eq!(verdicts(&simulator.feed), ["no_workers", "scrape_failing"]);
    assert_eq!(simulator.feed.row("webhooks").state, QueueState::NoWorkers);
    simulator.run(45.0);
    assert!(!verdicts(&simulator.feed).contains(&"no_workers"));
    let allowed = [
        "no_workers",
        "scrape_failing",
        "stalled",
        "backlog_growing",
        "saturated",
    ];
    assert!(
        simulator.verdicts.iter().all(|id| allowed.contains(&id.as_str())),
        "{:?}",
        simulator.verdicts
    );
    assert!(simulator.feed.events().contains(&"worker w-0 restarted"));
}

#[test]
fn a_database_outage_is_named_and_hides_its_symptoms() {
    let setup = Setup {
        faults: vec![(10.0, Fault::DatabaseDown), (22.0, Fault::DatabaseUp)],
        ..Setup::default()
    };
    let mut simulator = Simulator::new(setup);
    simulator.run(20.0);
    assert_eq!(verdicts(&simulator.feed), ["database_down"]);
    simulator.run(45.0);
    assert_eq!(verdicts(&simulator.feed), Vec::<&str>::new());
    let allowed = [
        "database_down",
        "breaker_open",
        "backlog_growing",
        "stalled",
        "saturated",
    ];
    assert!(
        simulator.verdicts.iter().all(|id| allowed.contains(&id.as_str())),
        "{:?}",
        simulator.verdicts
    );
}

#[test]
fn a_server_that_is_away_is_said_and_nothing_else() {
    let setup = Setup {
        faults: vec![(10.0, Fault::NatsDown { forgets: 0.0 }), (15.0, Fault::NatsUp)],
        ..Setup::default()
    };
    let mut simulator = Simulator::new(setup);
    simulator.run(14.0);
    assert_eq!(verdicts(&simulator.feed), ["leader_lost"]);
    assert!(simulator.feed.view().flow.backlog.is_stale());
    assert_eq!(simulator.feed.line("left").balanced, None);
    simulator.run(60.0);
    assert_eq!(verdicts(&simulator.feed), Vec::<&str>::new());
    assert!(
        simulator.verdicts.iter().all(|id| id == "leader_lost"),
        "{:?}",
        simulator.verdicts
    );
}

#[test]
fn a_burst_that_outpaces_the_workers_is_falling_behind() {
    let setup = Setup {
        workers: 1,
        rate: 1_000.0,
        faults: vec![(10.0, Fault::Load(9_000.0)), (22.0, Fault::Load(500.0))],
        ..Setup::default()
    };
    let mut simulator = Simulator::new(setup);
    simulator.run(21.0);
    assert_eq!(verdicts(&simulator.feed), ["backlog_growing"]);
    let verdict = simulator.feed.verdict("backlog_growing").unwrap();
    assert!(verdict.next.contains("workers would drain it in"), "{verdict:?}");
    assert_eq!(simulator.feed.row("webhooks").state, QueueState::Growing);
    assert_eq!(simulator.verdicts.len(), 1, "{:?}", simulator.verdicts);
}

#[test]
fn wrong_signatures_are_found_in_their_providers_numbers() {
    let mut feed = Feed::default();
    for t in 0..40_u32 {
        let (good, bad) = (f64::from(t) * 50.0, f64::from(t.saturating_sub(20)) * 30.0);
        feed.at(f64::from(t) + 0.5).scrape(
            "gateway",
            &[
                ("webhook_build_info{role=gateway,name=gateway}", 1.0),
                ("webhook_received_total{provider=stripe}", good + bad),
                ("webhook_refused_total{provider=stripe,reason=signature_mismatch}", bad),
                ("webhook_queued_total{provider=stripe}", good),
                (
                    "webhook_signature_verification_total{provider=stripe,status=valid}",
                    good,
                ),
                (
                    "webhook_signature_verification_total{provider=stripe,status=invalid}",
                    bad,
                ),
                ("webhook_received_total{provider=telnyx}", good),
                ("webhook_queued_total{provider=telnyx}", good),
            ],
        );
        feed.advance();
        if t < 20 {
            assert_eq!(verdicts(&feed), Vec::<&str>::new());
        }
    }
    assert_eq!(verdicts(&feed), ["signature_failures"]);
    assert_eq!(
        feed.verdict("signature_failures").unwrap().subject.as_deref(),
        Some("stripe")
    );
    let stripe = feed
        .view()
        .providers
        .iter()
        .find(|provider| &*provider.name == "stripe")
        .unwrap();
    let ratio = stripe.error_ratio.value.unwrap();
    assert!((0.2..0.3).contains(&ratio), "{ratio}");
}

/// What `/jsz` said of a consumer on a limits stream whose workers failed: 594 messages past
/// `max_deliver`, and nothing pending.
#[test]
fn parked_messages_on_a_log_are_bounded_by_the_gauge() {
    let mut feed = Feed::default();
    let moments = [
        (2_000, 1_338, 9, 0, 662, 662, 653),
        (3_430, 0, 0, 594, 4_831, 3_430, 2_276),
        (3_434, 0, 4, 594, 4_835, 3_434, 2_276),
    ];
    for (t, (stored, pending, held, redelivered, delivered, delivered_seq, floor)) in moments.into_iter().enumerate() {
        let spec = QueueSpec {
            config: StreamConfig {
                max_age: Some(std::time::Duration::from_hours(168)),
                ..StreamConfig::default()
            },
            last_seq: stored,
            messages: stored,
            pending,
            ack_pending: held,
            redelivered,
            delivered,
            delivered_seq,
            floor,
            ..QueueSpec::default()
        };
        let spec = QueueSpec {
            consumer_config: crate::sample::ConsumerConfig {
                max_deliver: Some(3),
                ..spec.consumer_config
            },
            ..spec
        };
        feed.at(t as f64 + 0.5).queue(&spec);
        feed.advance();
    }
    let row = feed.row("webhooks");
    assert_eq!(row.parked.state, ReadingState::AtMost);
    assert!(close(&row.parked, 594.0));
    assert_eq!(row.orphaned.value, None);
    assert_eq!(row.completed_per_s.state, ReadingState::AtMost);
    for line in ["left", "total"] {
        assert_eq!(feed.line(line).balanced, None, "acks remove nothing from a log");
    }
}

#[test]
fn parked_messages_on_a_work_queue_are_found_by_arithmetic() {
    let mut feed = Feed::default();
    for t in 0..4_u64 {
        let spec = QueueSpec {
            // 12 are stored beyond what waits and is held, whatever moves between the readings.
            messages: 112 + t,
            redelivered: 9,
            meanwhile: (5, 3),
            ..QueueSpec::healthy(1_000 + t * 100, 60 + t, 40)
        };
        feed.at(t as f64 + 0.5).queue(&spec);
        feed.advance();
        assert_eq!(
            verdicts(&feed).contains(&"parked_messages"),
            t >= 2,
            "three readings running"
        );
    }
    let row = feed.row("webhooks");
    // At least: three may have been removed in between.
    assert!(
        close(&row.parked, 9.0) && close(&row.orphaned, 1.0 - 1.0),
        "{:?} {:?}",
        row.parked,
        row.orphaned
    );
}

#[test]
fn letters_that_die_are_told_with_their_sequences() {
    let mut feed = Feed::default();
    for (t, letters) in [34, 34, 37].into_iter().enumerate() {
        feed.at(t as f64 + 1.0).queue(&QueueSpec::letters(letters));
        feed.advance();
    }
    let event = feed.view().events.last().unwrap();
    assert_eq!(
        (event.text.as_str(), event.detail.as_str()),
        ("3 letters dead", "webhooks_dlq 35–37")
    );
    assert_eq!(event.count, 3);
    assert!(close(&feed.view().flow.dead, 37.0));
}

#[test]
fn advisories_of_one_kind_and_consumer_are_one_event() {
    let mut feed = Feed::default();
    for n in 0..50_u32 {
        let advisory = Advisory {
            kind: AdvisoryKind::MaxDeliveries,
            stream: Some("webhooks".into()),
            consumer: Some("workers".into()),
            stream_seq: Some(u64::from(n)),
            deliveries: Some(3),
            reason: None,
            count: 1,
        };
        feed.at(1.0 + f64::from(n) / 100.0)
            .send(&jetstream(), Sample::Advisory(advisory));
    }
    feed.advance();
    let event = feed.view().events.last().unwrap();
    assert_eq!(event.text, "50 messages at their last delivery on webhooks/workers");
    assert_eq!(event.kind, EventKind::Advisory);
    assert_eq!(feed.view().events.len(), 2, "{:?}", feed.events());
}

#[test]
fn a_quorum_lost_is_a_lost_leader_until_one_answers() {
    let mut feed = Feed::default();
    let cluster = |leader: Option<&str>| QueueSpec {
        cluster: Some(ClusterReading {
            leader: leader.map(str::to_owned),
            ..ClusterReading::default()
        }),
        ..QueueSpec::healthy(100, 0, 0)
    };
    for t in 0..12_u32 {
        feed.at(f64::from(t) + 0.5);
        feed.queue(&cluster((!(3..7).contains(&t)).then_some("n1")));
        feed.advance();
        if t == 6 {
            assert_eq!(verdicts(&feed), ["leader_lost"]);
        }
    }
    assert_eq!(verdicts(&feed), Vec::<&str>::new());
}

#[test]
fn a_console_that_stood_still_calls_nobody_silent() {
    let mut feed = Feed::default();
    let endpoints = [metrics("gw"), metrics("w-1"), postgres()];
    for t in (0..20).chain(52..70) {
        feed.at(f64::from(t) + 0.5);
        if t == 52 {
            // The clock strikes before anything that waited is read.
            feed.advance();
            assert_eq!(verdicts(&feed), Vec::<&str>::new());
        }
        for endpoint in &endpoints {
            feed.ok(endpoint);
        }
        feed.advance();
        assert_eq!(verdicts(&feed), Vec::<&str>::new());
    }
    assert_eq!(feed.events(), ["console started", "the console stood still for 33 s"]);
}

#[test]
fn sources_that_go_and_come_are_events() {
    let mut feed = Feed::default();
    feed.at(0.5).ok(&postgres());
    feed.advance();
    feed.at(1.5)
        .fail(&postgres(), "connect to postgres: connection refused");
    feed.advance();
    for t in 2..9 {
        feed.at(f64::from(t) + 0.5).advance();
    }
    feed.at(9.0).ok(&postgres());
    feed.advance();
    assert_eq!(
        feed.events(),
        ["console started", "postgres cannot be read", "postgres answers again"]
    );
    assert_eq!(feed.view().events[1].detail, "connect to postgres: connection refused");
    assert_eq!(feed.view().events[1].severity, Severity::Warning);
}

#[test]
fn many_endpoints_that_go_together_are_one_event() {
    let mut feed = Feed::default();
    for n in 0..40 {
        feed.at(0.5).ok(&metrics(&format!("w-{n}")));
    }
    feed.advance();
    for n in 0..40 {
        feed.at(1.5).fail(&metrics(&format!("w-{n}")), "scrape: timed out");
    }
    feed.advance();
    assert_eq!(
        feed.events(),
        ["console started", "40 sources cannot be read: w-0, w-1, w-10 and more"]
    );
}

#[test]
fn a_worker_that_joins_later_and_a_new_version_are_events() {
    let mut feed = Feed::default();
    for t in 0..12_u32 {
        let version = if t < 9 { "1.0" } else { "1.1" };
        let info = format!("webhook_build_info{{role=worker,name=w-4,version={version}}}");
        feed.at(f64::from(t) + 0.5);
        if t >= 7 {
            feed.scrape("10.0.0.4:9100", &[(&info, 1.0), ("webhook_acked_total", f64::from(t))]);
        }
        feed.advance();
    }
    assert_eq!(
        feed.events(),
        ["console started", "worker w-4 up", "worker w-4 now runs 1.1"]
    );
    assert_eq!(feed.view().events[1].detail, "version 1.0");
}

#[test]
fn a_counter_that_falls_in_the_same_process_is_told() {
    let mut feed = Feed::default();
    for t in 0..12_u32 {
        let acked = if t < 8 { f64::from(t) * 100.0 } else { f64::from(t) };
        feed.at(f64::from(t) + 0.5).scrape(
            "w",
            &[
                ("webhook_build_info{role=worker,name=w-1}", 1.0),
                ("process_start_time_seconds", 5.0),
                (
                    "webhook_processed_total{provider=a,status=success}",
                    f64::from(t) * 100.0,
                ),
                ("webhook_acked_total", acked),
            ],
        );
        feed.advance();
    }
    assert_eq!(verdicts(&feed), ["counter_reset"]);
    assert!(close(&feed.view().flow.processed_per_s, 100.0));
    assert!(feed.events().contains(&"worker w-1: acks fell in the same process"));
}

#[test]
fn a_stream_created_anew_is_a_loss_and_begins_its_counts_again() {
    let mut feed = Feed::default();
    for t in 0..14_u64 {
        let spec = if t < 8 {
            QueueSpec::healthy(1_000 + t * 10, 0, 0)
        } else {
            QueueSpec {
                created: crate::model::testing::EPOCH + 8,
                ..QueueSpec::healthy((t - 8) * 10, 0, 0)
            }
        };
        feed.at(t as f64 + 0.5).queue(&spec);
        feed.advance();
    }
    assert_eq!(verdicts(&feed), ["loss"]);
    assert!(feed.verdict("loss").unwrap().text.contains("created anew"));
    let rate = feed.view().flow.stored_per_s.value.unwrap();
    assert!((rate - 10.0).abs() < 0.5, "{rate}");
}

#[test]
fn a_stream_at_its_limit_that_evicts_is_critical() {
    let mut feed = Feed::default();
    for t in 0..20_u64 {
        // Nobody consumes; beyond 500 messages each arrival evicts the oldest.
        let stored = 400 + t * 20;
        let kept = stored.min(500);
        let spec = QueueSpec {
            config: StreamConfig {
                max_msgs: Some(500),
                discard: crate::sample::Discard::Old,
                ..QueueSpec::default().config
            },
            last_seq: stored,
            messages: kept,
            pending: kept,
            first_seq: stored - kept + 1,
            delivered: 0,
            delivered_seq: 0,
            floor: 0,
            waiting: 0,
            ..QueueSpec::default()
        };
        feed.at(t as f64 + 0.5).queue(&spec);
        feed.advance();
    }
    let ids = verdicts(&feed);
    assert!(ids.contains(&"limit_eviction") && ids.contains(&"loss"), "{ids:?}");
    let text = &feed.verdict("limit_eviction").unwrap().text;
    assert!(text.starts_with("280 webhooks were evicted"), "{text}");
}

#[test]
fn a_sweep_that_ran_beside_a_reading_and_shows_less_is_older_and_no_loss() {
    let mut feed = Feed::default();
    feed.at(10.0).queue(&QueueSpec::healthy(1_000, 60, 40)).advance();
    let older = QueueSpec::healthy(956, 50, 30);
    feed.at(10.5).sweep(&older, Duration::from_secs(2)).advance();
    assert_eq!(feed.row("webhooks").pending.value, Some(60.0));
    assert!(
        feed.events().iter().all(|event| !event.contains("went back")),
        "{:?}",
        feed.events()
    );
    assert_eq!(verdicts(&feed), Vec::<&str>::new());
    // One that was asked for afterwards tells the truth.
    feed.at(11.0).sweep(&older, Duration::from_millis(100)).advance();
    assert!(feed.events().contains(&"stream webhooks went back by 44 messages"));
}

#[test]
fn a_consumer_that_was_away_between_two_looks_is_told_all_the_same() {
    let mut feed = Feed::default();
    let there = QueueSpec::healthy(1_000, 60, 40);
    for second in 0..8 {
        feed.at(f64::from(second)).queue(&there).advance();
    }
    let away = QueueSpec {
        consumer: None,
        missing: vec!["workers".to_owned()],
        ..there.clone()
    };
    feed.at(8.1).queue(&away).at(8.9).queue(&there).at(9.0).advance();
    assert_eq!(verdicts(&feed), ["consumer_missing"]);
    // What a sweep asked for before it was gone says nothing of now.
    let (mut gone, told) = (Feed::default(), |feed: &Feed| feed.events().join("\n"));
    gone.at(0.0).queue(&there).at(2.0).queue(&away).advance();
    gone.at(2.5).sweep(&there, Duration::from_secs(1)).advance();
    assert!(!told(&gone).contains("created anew"), "{}", told(&gone));
    gone.at(3.5).sweep(&there, Duration::from_millis(10)).advance();
    assert!(told(&gone).contains("created anew"), "{}", told(&gone));
}
