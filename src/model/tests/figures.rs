//! Figures, their sources and their states.

use std::time::Duration;

use crate::config::Pipeline;
use crate::model::field::Field;
use crate::model::testing::{Feed, QueueSpec, Told, close, jetstream, metrics, near, postgres, settings};
use crate::model::{Flow, Health, QueueState, Reading, ReadingState, SeriesKey, WorkerState};
use crate::sample::{AccountReading, Sample, ServerReading, SourceState};

const GATEWAY: &str = "webhook_build_info{role=gateway,name=gateway}";
const WORKER: &str = "webhook_build_info{role=worker,name=w-1}";

/// A gateway's page after so many webhooks.
fn gateway(feed: &mut Feed, received: f64, refused: f64) {
    feed.scrape(
        "gateway",
        &[
            (GATEWAY, 1.0),
            ("process_start_time_seconds", 5.0),
            ("webhook_received_total{provider=telnyx,status=valid}", received),
            ("webhook_refused_total{provider=telnyx,reason=malformed}", refused),
            ("webhook_queued_total{provider=telnyx}", received - refused),
            ("webhook_in_flight", 0.0),
            (
                "webhook_response_duration_seconds_bucket{provider=telnyx,le=0.01}",
                received * 0.5,
            ),
            (
                "webhook_response_duration_seconds_bucket{provider=telnyx,le=0.02}",
                received,
            ),
            (
                "webhook_response_duration_seconds_bucket{provider=telnyx,le=+Inf}",
                received,
            ),
            (
                "webhook_response_duration_seconds_sum{provider=telnyx}",
                received * 0.01,
            ),
            ("webhook_response_duration_seconds_count{provider=telnyx}", received),
        ],
    );
}

fn worker(feed: &mut Feed, endpoint: &str, name: &str, start: f64, done: f64) {
    feed.scrape(
        endpoint,
        &[
            (format!("webhook_build_info{{role=worker,name={name}}}").as_str(), 1.0),
            ("process_start_time_seconds", start),
            ("webhook_processed_total{provider=telnyx,status=success}", done),
            ("webhook_acked_total", done),
            ("webhook_circuit_breaker_state", 0.0),
            ("process_cpu_seconds_total", done / 1_000.0),
        ],
    );
}

#[test]
fn nothing_is_known_before_anything_is_said() {
    let mut feed = Feed::default();
    let view = feed.at(1.0).advance();
    assert_eq!(view.flow, Flow::default());
    assert!(view.queues.is_empty() && view.workers.is_empty() && view.providers.is_empty());
    assert!(view.window_s.abs() < f64::EPSILON);
}

#[test]
fn a_rate_needs_two_samples_and_is_exact_whatever_the_jitter() {
    let mut feed = Feed::default();
    feed.at(0.3);
    gateway(&mut feed, 3_000.0, 0.0);
    assert_eq!(feed.advance().flow.received_per_s, Reading::unknown());
    for t in [0.8, 1.45, 2.9, 3.3, 5.7, 6.1, 9.2, 9.9, 11.3, 12.0, 13.7] {
        feed.at(t);
        gateway(&mut feed, t * 10_000.0, 0.0);
        let flow = &feed.advance().flow;
        assert!(close(&flow.received_per_s, 10_000.0), "{:?}", flow.received_per_s);
        assert!(close(&flow.received_total, t * 10_000.0 - 3_000.0));
    }
    assert!((feed.view().window_s - 10.0).abs() < 1e-9);
    assert_eq!(feed.view().flow.received_per_s.source, Some(metrics("gateway")));
}

#[test]
fn every_hop_comes_from_the_source_that_knows_it() {
    let mut feed = Feed::default();
    for t in 0..15_u32 {
        let n = u64::from(t) * 1_000;
        feed.at(f64::from(t) + 0.5);
        gateway(&mut feed, n as f64, 0.0);
        worker(&mut feed, "w-1:9100", "w-1", 5.0, n as f64 * 0.9);
        feed.queue(&QueueSpec::healthy(n, n / 10, 0));
        feed.rows(n / 2, 0);
        feed.queue(&QueueSpec::letters(u64::from(t)));
        feed.oldest(Some(4), None);
        feed.advance();
    }
    let flow = &feed.view().flow;
    assert!(close(&flow.received_per_s, 1_000.0) && close(&flow.queued_per_s, 1_000.0));
    assert!(near(&flow.stored_per_s, 1_000.0), "{:?}", flow.stored_per_s);
    assert_eq!(flow.stored_per_s.source, Some(jetstream()));
    assert!(close(&flow.processed_per_s, 900.0));
    assert_eq!(flow.processed_per_s.source, Some(metrics("w-1:9100")));
    assert!(close(&flow.written_per_s, 500.0));
    assert_eq!(flow.written_per_s.source, Some(postgres()));
    assert!(close(&flow.backlog, 1_400.0) && close(&flow.backlog_per_s, 100.0));
    assert!(close(&flow.oldest_waiting_s, 4.0));
    assert_eq!(flow.drain_eta_s.value, None, "a backlog that grows has no end");
    assert!(close(&flow.dead, 14.0) && close(&flow.dead_per_min, 14.0));
    assert!(close(&flow.response_p99_s, 0.0198), "{:?}", flow.response_p99_s);
}

#[test]
fn without_workers_metrics_completions_are_a_bound() {
    let mut feed = Feed::default();
    for t in 0..12_u64 {
        feed.at(t as f64 + 0.5).queue(&QueueSpec::healthy(500 + t * 100, 10, 0));
        feed.advance();
    }
    let flow = &feed.view().flow;
    assert_eq!(flow.processed_per_s.state, ReadingState::AtMost);
    assert!(near(&flow.processed_per_s, 100.0), "{:?}", flow.processed_per_s);
}

#[test]
fn a_silent_source_leaves_its_figures_marked_and_the_rest_moves() {
    let mut feed = Feed::default();
    for t in 0..20_u64 {
        feed.at(t as f64 + 0.5);
        if t < 8 {
            gateway(&mut feed, t as f64 * 100.0, 0.0);
        }
        feed.queue(&QueueSpec::healthy(t * 100, 0, 0));
        feed.advance();
    }
    let view = feed.view();
    let gateway = view
        .sources
        .iter()
        .find(|source| source.id == metrics("gateway"))
        .unwrap();
    assert_eq!(gateway.state, Health::Stale);
    assert!(close(&view.flow.received_per_s, 100.0) && view.flow.received_per_s.is_stale());
    assert!(near(&view.flow.stored_per_s, 100.0) && !view.flow.stored_per_s.is_stale());
    // What is stale is no history.
    let window =
        feed.model
            .histories()
            .window(&SeriesKey::of(Field::ReceivedPerS), view.now, Duration::from_secs(4), 4);
    assert_eq!(window, vec![None; 4]);
}

#[test]
fn a_failing_source_is_marked_at_once_and_recovers() {
    let mut feed = Feed::default();
    for t in 0..5_u64 {
        feed.at(t as f64).queue(&QueueSpec::healthy(t * 100, 0, 0));
        feed.advance();
    }
    feed.at(5.0).fail(&jetstream(), "connect to nats: connection refused");
    assert!(feed.advance().flow.stored_per_s.is_stale());
    feed.at(6.0).queue(&QueueSpec::healthy(600, 0, 0));
    assert!(!feed.advance().flow.stored_per_s.is_stale());
}

#[test]
fn one_dead_worker_does_not_freeze_the_sum() {
    let mut feed = Feed::default();
    for t in 0..20_u32 {
        feed.at(f64::from(t) + 0.5);
        worker(&mut feed, "a", "w-1", 5.0, f64::from(t) * 100.0);
        if t < 10 {
            worker(&mut feed, "b", "w-2", 5.0, f64::from(t) * 300.0);
        } else {
            feed.fail(&metrics("b"), "scrape b: connection refused");
        }
        feed.advance();
    }
    let view = feed.view();
    assert!(
        close(&view.flow.processed_per_s, 100.0),
        "{:?}",
        view.flow.processed_per_s
    );
    assert_eq!(view.flow.processed_per_s.state, ReadingState::Fresh);
    assert!(close(&view.flow.processed_total, 1_900.0 + 2_700.0));
    assert_eq!(feed.worker("w-1").state, WorkerState::Up);
    assert_eq!(feed.worker("w-2").state, WorkerState::Down);
    assert!(feed.worker("w-2").rate_per_s.is_stale());
    assert_eq!(feed.worker("w-1").recent.iter().flatten().count(), 19);
}

#[test]
fn a_restarted_worker_goes_on_counting_and_its_rate_skips_the_gap() {
    let mut feed = Feed::default();
    for t in 0..10_u32 {
        feed.at(f64::from(t) + 0.5);
        worker(&mut feed, "a", "w-1", 5.0, f64::from(t) * 100.0);
        feed.advance();
    }
    feed.at(10.5);
    worker(&mut feed, "a", "w-1", 1_800_000_010.0, 40.0);
    let view = feed.advance();
    assert!(close(&view.flow.processed_total, 940.0));
    assert!(
        close(&view.flow.processed_per_s, 100.0),
        "{:?}",
        view.flow.processed_per_s
    );
}

#[test]
fn an_unknown_value_is_never_zero() {
    let mut feed = Feed::default();
    for t in 0..4_u32 {
        feed.at(f64::from(t) + 0.5);
        feed.scrape(
            "w",
            &[
                (WORKER, 1.0),
                ("webhook_processed_total{provider=a,status=success}", f64::NAN),
                ("webhook_circuit_breaker_state", f64::NAN),
            ],
        );
        feed.advance();
    }
    assert_eq!(feed.view().flow.processed_per_s, Reading::unknown());
    assert_eq!(feed.worker("w-1").breaker, Reading::unknown());
}

#[test]
fn a_heartbeat_and_an_endpoint_of_the_same_name_are_one_worker() {
    let mut feed = Feed::default();
    feed.at(1.0);
    worker(&mut feed, "10.0.0.1:9100", "w-1", 5.0, 10.0);
    feed.beats(&[("w-1", "running", 1), ("w-2", "stopped", 5), ("w-3", "running", 40)]);
    feed.advance();
    let names: Vec<_> = feed
        .view()
        .workers
        .iter()
        .map(|worker| worker.name.to_string())
        .collect();
    assert_eq!(names, ["w-1", "w-2", "w-3"]);
    assert_eq!(feed.worker("w-1").seen_by.len(), 2);
    assert_eq!(feed.worker("w-2").state, WorkerState::Down);
    assert_eq!(feed.worker("w-3").state, WorkerState::Stale);
    assert!(close(&feed.worker("w-3").last_seen_s, 40.0));
}

#[test]
fn a_gateway_that_exports_a_workers_families_at_zero_is_no_worker() {
    let mut feed = Feed::default();
    feed.at(1.0).scrape(
        "api",
        &[
            ("webhooks_received_total{provider=a}", 10.0),
            ("webhook_processed_total{provider=a,status=success}", 0.0),
        ],
    );
    assert!(feed.advance().workers.is_empty());
}

#[test]
fn a_backlog_that_shrinks_has_an_end() {
    let mut feed = Feed::default();
    for t in 0..30_u64 {
        feed.at(t as f64 + 0.5)
            .queue(&QueueSpec::healthy(10_000, 10_000 - t * 100, 0));
        feed.advance();
    }
    assert!(
        close(&feed.row("webhooks").drain_eta_s, 71.0),
        "{:?}",
        feed.row("webhooks").drain_eta_s
    );
    assert_eq!(feed.row("webhooks").state, QueueState::Draining);
    // It grows again: what was smoothed before must not promise an end.
    for t in 30..45_u64 {
        feed.at(t as f64 + 0.5)
            .queue(&QueueSpec::healthy(10_000, 7_000 + (t - 29) * 20, 0));
        feed.advance();
        let (eta, slope) = (&feed.row("webhooks").drain_eta_s, feed.view().flow.backlog_per_s.value);
        assert!(
            slope.is_none_or(|slope| slope < 0.0) || eta.value.is_none(),
            "{eta:?} at {slope:?}/s"
        );
    }
}

#[test]
fn hundreds_of_thousands_of_provider_names_stay_bounded() {
    let mut feed = Feed::default();
    let page: Vec<(String, f64)> = (0..20_000)
        .map(|n| (format!("webhook_received_total{{provider=p{n}}}"), 1.0))
        .collect();
    feed.at(1.0).scrape_taking("gateway", &page, Duration::from_millis(40));
    feed.at(2.0).scrape_taking("gateway", &page, Duration::from_millis(40));
    let view = feed.advance();
    assert_eq!(view.providers.len(), 200);
    assert_eq!(view.left_out, 19_800);
    assert!(close(&view.flow.received_per_s, 0.0));
}

#[test]
fn another_profiles_samples_are_not_ours() {
    let mut other = settings();
    other.profile = "other".into();
    let mut feed = Feed::with(other);
    feed.at(1.0).ok(&jetstream());
    assert!(feed.advance().sources.is_empty());
}

#[test]
fn a_source_that_connects_is_not_failing() {
    let mut feed = Feed::default();
    feed.at(0.1).report(&postgres(), SourceState::Connecting, None);
    assert_eq!(feed.advance().sources[0].state, Health::Connecting);
    feed.at(0.2).report(&postgres(), SourceState::Off, None);
    assert_eq!(feed.advance().sources[0].state, Health::Off);
}

#[test]
fn a_page_with_lines_that_cannot_be_read_says_so_and_still_counts() {
    let mut feed = Feed::default();
    let page = |feed: &mut Feed, at: f64, skipped: u64| {
        let mut whole = Feed::default();
        whole
            .at(at)
            .scrape("gw", &[("webhook_received_total{provider=a}", at * 10.0)]);
        let Some(Told::Apply(told)) = whole.told.get(1) else {
            panic!()
        };
        let Sample::Scrape(mut scrape) = told.sample.clone() else {
            panic!()
        };
        (scrape.skipped, scrape.first_skipped) = (skipped, (skipped > 0).then(|| "no value: webhook_x".to_owned()));
        feed.at(at)
            .send(&metrics("gw"), Sample::Scrape(scrape))
            .ok(&metrics("gw"));
        feed.advance();
    };
    for at in 1..5 {
        page(&mut feed, f64::from(at), 2);
    }
    let source = &feed.view().sources[0];
    assert_eq!(source.state, Health::Ok);
    assert_eq!(
        source.error.as_deref(),
        Some("2 lines of its page cannot be read, the first: no value: webhook_x → look at what writes it")
    );
    assert!(close(&feed.view().flow.received_per_s, 10.0));
    let told = |feed: &Feed| {
        let events = feed.events();
        events.iter().filter(|text| text.contains("cannot be read")).count()
    };
    assert_eq!(told(&feed), 1, "{:?}", feed.events());
    page(&mut feed, 6.0, 0);
    assert_eq!(feed.view().sources[0].error, None);
}

#[test]
fn a_sum_over_some_of_the_workers_is_not_shown_as_what_all_of_them_do() {
    let mut feed = Feed::default();
    let run = |feed: &mut Feed, seconds: std::ops::Range<u32>, beats: &[(&str, &str, u64)]| {
        for t in seconds {
            feed.at(f64::from(t) + 0.5);
            worker(feed, "10.0.0.1:9100", "w-1", 5.0, f64::from(t) * 40.0);
            feed.beats(beats)
                .queue(&QueueSpec::healthy(u64::from(t) * 100, 0, 0))
                .rows(u64::from(t) * 100, 0);
            feed.advance();
        }
    };
    run(&mut feed, 0..20, &[("w-1", "running", 1)]);
    assert!(close(&feed.view().flow.processed_per_s, 40.0));
    assert_eq!(feed.view().flow.processed_per_s.state, ReadingState::Fresh);

    // Another one works, says Postgres, and nobody reads its counters: the stream knows at most.
    run(&mut feed, 20..40, &[("w-1", "running", 1), ("w-2", "running", 1)]);
    let flow = feed.view().flow.clone();
    assert!(near(&flow.processed_per_s, 100.0), "{:?}", flow.processed_per_s);
    assert_eq!(flow.processed_per_s.state, ReadingState::AtMost);
    assert_eq!(flow.processed_total, Reading::unknown());
    assert!(near(&feed.row("webhooks").completed_per_s, 100.0));
    assert!(
        feed.view()
            .providers
            .iter()
            .all(|p| p.processed_per_s == Reading::unknown())
    );

    // It has stopped: the sum is whole again.
    run(&mut feed, 40..60, &[("w-1", "running", 1), ("w-2", "stopped", 1)]);
    assert_eq!(feed.view().flow.processed_per_s.state, ReadingState::Fresh);
}

#[test]
fn without_a_stream_in_the_profile_the_only_one_with_consumers_is_followed() {
    let account = |streams: u64, consumers: u64| {
        Sample::Server(Box::new(ServerReading {
            server_id: "s".into(),
            name: "s".into(),
            version: "2.9.10".into(),
            cluster: None,
            rtt: Duration::from_millis(1),
            skew_s: None,
            account: Some(AccountReading {
                streams,
                consumers,
                ..AccountReading::default()
            }),
            our_requests: 1,
        }))
    };
    let unnamed = || {
        let mut settings = settings();
        settings.pipeline = Pipeline::default();
        Feed::with(settings)
    };
    let mut feed = unnamed();
    for t in 0..5_u32 {
        feed.at(f64::from(t) + 0.5)
            .send(&jetstream(), account(2, 1))
            .queue(&QueueSpec::healthy(1_000 + u64::from(t) * 100, 30, 10))
            .queue(&QueueSpec::letters(3));
        feed.advance();
    }
    assert!(close(&feed.view().flow.backlog, 40.0), "{:?}", feed.view().flow);
    assert!(near(&feed.view().flow.stored_per_s, 100.0));
    let followed = |feed: &Feed| feed.events().contains(&"following stream webhooks");
    assert!(followed(&feed), "{:?}", feed.events());

    // Not before all are known, and not where two could be meant.
    for (streams, consumers, other) in [(3, 1, None), (2, 2, None), (3, 2, Some("orders"))] {
        let mut feed = unnamed();
        for t in 0..5_u32 {
            feed.at(f64::from(t) + 0.5)
                .send(&jetstream(), account(streams, consumers))
                .queue(&QueueSpec::healthy(100, 30, 10))
                .queue(&QueueSpec::letters(3));
            if let Some(stream) = other {
                feed.queue(&QueueSpec {
                    stream,
                    ..QueueSpec::healthy(100, 5, 0)
                });
            }
            feed.advance();
        }
        assert_eq!(feed.view().flow.backlog, Reading::unknown(), "{streams} {consumers}");
        assert!(!followed(&feed));
    }
}
