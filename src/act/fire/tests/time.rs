//! Time: stalls, stops, durations, timeouts.

use super::*;

/// The receiver stalls for a second. A tool that waits for an answer before it thinks of the next
/// request would report four slow requests; a provider would have seen hundreds wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stall_of_the_receiver_shows_in_every_shot_that_was_due_meanwhile() {
    let (gate, arrived) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicU64::new(0)));
    let receiver = Receiver::start(move |_| {
        let (gate, arrived) = (gate.clone(), arrived.clone());
        async move {
            let pass = gate.acquire().await.unwrap();
            if arrived.fetch_add(1, Ordering::Relaxed) == 100 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drop(pass);
            StatusCode::OK
        }
    })
    .await;
    let summary = fire(Plan {
        limit: count(900),
        shape: steady(300.0),
        concurrency: lanes(4),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!((summary.accepted, summary.failed), (900, 0));
    let (latency, service) = (summary.latency_s, summary.service_s);
    // 300 of 900 shots were due during the stall, evenly: a third of all waited up to a second.
    assert!(latency.p99.unwrap() > 0.9, "{latency:?}");
    assert!(latency.p90.unwrap() > 0.5, "{latency:?}");
    // Only the four that were in flight were slow in themselves: less than one in a hundred.
    assert!(service.p99.unwrap() < latency.p99.unwrap() / 2.0, "{service:?}");
    assert!(service.max.unwrap() > 0.9, "{service:?}");
    assert!(summary.lateness_s.p99.unwrap() > 0.8, "{:?}", summary.lateness_s);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_that_is_stopped_counts_what_it_sent_and_nothing_else() {
    let receiver = Receiver::ok().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(fire_until(
        Plan {
            limit: Limit::default(),
            shape: steady(2_000.0),
            concurrency: lanes(8),
            ..plan(&receiver.url, "generic")
        },
        stop.clone(),
    ));
    while receiver.count() < 200 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let summary = running.await.unwrap();
    assert!(summary.stopped);
    assert_eq!(summary.sent, receiver.count());
    assert_eq!(
        (summary.accepted, summary.unfinished, summary.failed),
        (summary.sent, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_has_no_answer_when_a_run_is_stopped_is_unfinished() {
    let receiver = Receiver::start(|_| std::future::pending::<StatusCode>()).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(fire_until(
        Plan {
            limit: count(100),
            concurrency: lanes(5),
            shape: Shape::Bursts {
                size: NonZeroU64::new(100).unwrap(),
                every: Duration::ZERO,
            },
            ..plan(&receiver.url, "generic")
        },
        stop.clone(),
    ));
    while receiver.count() < 5 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let summary = running.await.unwrap();
    assert_eq!((summary.due, summary.sent, summary.unsent), (100, 5, 95));
    assert_eq!((summary.answered, summary.failed, summary.unfinished), (0, 0, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_duration_ends_a_run_and_what_was_not_sent_by_then_is_counted() {
    let receiver = Receiver::start(|_| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        StatusCode::OK
    })
    .await;
    let summary = fire(Plan {
        limit: Limit {
            count: None,
            duration: Some(Duration::from_millis(500)),
        },
        shape: steady(1_000.0),
        concurrency: lanes(2),
        ..plan(&receiver.url, "generic")
    })
    .await;
    // Two lanes of 50 ms manage 20 in half a second; 500 were due.
    assert_eq!(summary.due, 500);
    assert_eq!(summary.sent, receiver.count());
    assert_eq!(summary.sent, summary.accepted);
    assert_eq!(summary.unsent, summary.due - summary.sent);
    assert!((4..=22).contains(&summary.sent), "{summary:?}");
    assert!(!summary.stopped);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let receiver = Receiver::start(|_| std::future::pending::<StatusCode>()).await;
    let summary = fire(Plan {
        limit: count(3),
        timeout: Duration::from_millis(50),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!(summary.failures, BTreeMap::from([(FailureKind::Timeout, 3)]));
    assert_eq!((summary.sent, summary.failed, receiver.count()), (3, 3, 3));
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_an_answer_before_its_end_is_heard() {
    // Takes everything: the whole of it comes, slowly.
    let receiver = Receiver::ok().await;
    let plan = |url: &str| {
        let mix = Mix::new(vec![entry("generic")], &[(Variant::SlowBody, 1.0)], None).unwrap();
        Plan {
            slow_for: Duration::from_millis(320),
            ..Plan::new(url, mix, 5)
        }
    };
    let summary = fire(plan(&receiver.url)).await;
    assert_eq!(summary.statuses, BTreeMap::from([(200, 1)]));
    assert!(summary.service_s.max.unwrap() > 0.25, "{:?}", summary.service_s);
    assert!(serde_json::from_slice::<serde_json::Value>(&receiver.seen()[0].body).is_ok());

    // Answers at once, unread, whatever comes after.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = &format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(|| std::future::ready(StatusCode::REQUEST_TIMEOUT));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let _server = AbortOnDropHandle::new(server);
    let summary = fire(Plan {
        slow_for: Duration::from_hours(1),
        ..plan(url)
    })
    .await;
    assert_eq!(summary.statuses, BTreeMap::from([(408, 1)]), "{summary:?}");
}
