//! Workers by what each source says of them, and webhooks by what Postgres says.

use std::time::Duration;

use crate::model::testing::{Feed, QueueSpec, jetstream, postgres};
use crate::model::{WorkerCondition, WorkerState};
use crate::sample::{
    CallCount, Connection, ConnectionsReading, KnownWebhook, OutboundReading, OutboundRows, Panel, PanelReading,
    Sample, SourceKind, SourceState, WorkerStats,
};

fn outbound(feed: &Feed, panel: Panel, rows: OutboundRows) -> Sample {
    Sample::Outbound(Box::new(OutboundReading {
        panel,
        rows,
        left_out: 0,
        now: Some(feed.moment().at),
        took: Duration::from_millis(3),
        period: Duration::from_secs(5),
    }))
}

/// Statistics: name, seconds since it was last active, whether it says that it is, acknowledged.
fn stats(feed: &mut Feed, workers: &[(&str, Option<u64>, bool, u64)]) {
    let now = feed.moment().at;
    let rows = workers
        .iter()
        .map(|(name, age, active, acknowledged)| WorkerStats {
            name: (*name).into(),
            last_active: age.map(|age| now - Duration::from_secs(age)),
            active: Some(*active),
            acknowledged: Some(*acknowledged),
            ..WorkerStats::default()
        })
        .collect();
    let sample = outbound(feed, Panel::ConsumerStats, OutboundRows::Workers(rows));
    feed.send(&postgres(), sample);
    feed.ok(&postgres());
}

/// Open connections, those that ended 7 s ago, and how many have no name.
fn connections(feed: &mut Feed, open: &[&str], ended: &[&str], unnamed: u64) {
    let now = feed.moment().at;
    let connection = |name: &&str, over: bool| Connection {
        name: (*name).into(),
        last_activity: Some(now - Duration::from_secs(1)),
        ended: over.then(|| now - Duration::from_secs(7)),
        reason: over.then(|| "Client Closed".to_owned()),
        ..Connection::default()
    };
    let open = open.iter().map(|name| connection(name, false));
    let reading = ConnectionsReading {
        connections: open.chain(ended.iter().map(|name| connection(name, true))).collect(),
        unnamed,
        left_out: 0,
        now: Some(now),
        took: Duration::ZERO,
    };
    feed.send(&jetstream(), Sample::Connections(reading));
    feed.ok(&jetstream());
}

#[test]
fn who_died_stopped_fell_silent_or_never_ran_are_told_apart() {
    let mut feed = Feed::default();
    feed.at(1.0);
    stats(
        &mut feed,
        &[
            ("busy", Some(2), true, 100),
            ("idle", Some(300), true, 50),
            ("killed", Some(30), true, 70),
            ("over", Some(90), false, 60),
            ("new", None, true, 0),
        ],
    );
    connections(&mut feed, &["busy", "worker-idle"], &["killed"], 0);
    feed.advance();
    for (name, condition, state) in [
        ("busy", WorkerCondition::Running, WorkerState::Up),
        // It has nothing to do, and its connection says that it lives.
        ("idle", WorkerCondition::Running, WorkerState::Up),
        ("killed", WorkerCondition::Dead, WorkerState::Down),
        ("over", WorkerCondition::Stopped, WorkerState::Down),
        ("new", WorkerCondition::NeverStarted, WorkerState::Down),
    ] {
        let worker = feed.worker(name);
        assert_eq!(
            (worker.condition, worker.state),
            (condition, state),
            "{name}: {worker:?}"
        );
    }
    let killed = feed.worker("killed");
    assert!(
        killed.is_disputed(),
        "its statistics say active, NATS that it is gone: {killed:?}"
    );
    assert_eq!(killed.accounts[1].text, "its connection ended 7 s ago: Client Closed");
    assert_eq!(feed.worker("new").last_seen_s.value, None);
    assert_eq!(
        feed.view().workers.len(),
        5,
        "a connection of a known worker is no worker of its own"
    );
}

#[test]
fn a_connection_without_a_name_may_be_anybodys() {
    let mut feed = Feed::default();
    feed.at(1.0);
    stats(&mut feed, &[("idle", Some(300), true, 50)]);
    connections(&mut feed, &[], &[], 1);
    feed.advance();
    let worker = feed.worker("idle");
    assert_eq!(worker.condition, WorkerCondition::Silent);
    assert_eq!(worker.accounts[1].up, None);
    assert!(!worker.is_disputed());
}

#[test]
fn statistics_that_begin_again_make_no_negative_rate() {
    let mut feed = Feed::default();
    for (second, acknowledged) in [(1, 1_000), (2, 1_100), (3, 40), (4, 140)] {
        feed.at(f64::from(second));
        stats(&mut feed, &[("w-1", Some(0), true, acknowledged)]);
        feed.advance();
    }
    let rate = feed.worker("w-1").rate_per_s.value.unwrap();
    assert!((rate - 100.0).abs() < 1.0, "{rate}");
}

#[test]
fn a_worker_that_is_silent_while_webhooks_wait_is_inactive_and_one_that_never_ran_is_not() {
    let mut feed = Feed::default();
    for second in 1..=8 {
        feed.at(f64::from(second));
        feed.queue(&QueueSpec::healthy(1_000, 500, 0));
        stats(
            &mut feed,
            &[
                ("w-1", Some(400 + u64::try_from(second).unwrap()), true, 7),
                ("w-2", None, true, 0),
            ],
        );
        feed.advance();
    }
    let inactive: Vec<Option<&str>> = feed
        .view()
        .verdicts
        .iter()
        .filter(|verdict| &*verdict.id == "worker_inactive")
        .map(|verdict| verdict.subject.as_deref())
        .collect();
    // Where nobody pulls at all, that is the verdict.
    let nobody = feed.verdict("no_workers").is_some();
    assert!(
        inactive == [Some("w-1")] || (nobody && inactive.is_empty()),
        "{:?}",
        feed.view().verdicts
    );
}

#[test]
fn the_queue_counts_itself_where_there_is_no_summary() {
    let mut feed = Feed::default();
    feed.at(1.0);
    let known = KnownWebhook {
        id: 7,
        name: "payments".into(),
        mode: Some("both".into()),
        ..KnownWebhook::default()
    };
    let sample = outbound(&feed, Panel::Webhooks, OutboundRows::Known(vec![known]));
    feed.send(&postgres(), sample);
    let due = feed.moment().at - Duration::from_secs(42);
    let call = |webhook, status: &str, count| CallCount {
        webhook: Some(webhook),
        status: status.into(),
        count,
        oldest: Some(due),
    };
    let calls = vec![
        call(7, "success", 90),
        call(7, "failed", 10),
        call(7, "pending", 5),
        call(8, "retrying", 2),
    ];
    let sample = outbound(&feed, Panel::Calls, OutboundRows::Calls(calls));
    feed.send(&postgres(), sample);
    feed.ok(&postgres());
    let view = feed.advance();
    let row = |name: &str| view.webhooks.iter().find(|row| &*row.name == name).unwrap();
    let payments = row("payments");
    assert_eq!((payments.total.value, payments.failed.value), (Some(105.0), Some(10.0)));
    assert_eq!(payments.success_ratio.value, Some(0.9));
    assert_eq!(
        (payments.waiting.value, payments.oldest_waiting_s.value),
        (Some(5.0), Some(42.0))
    );
    assert_eq!(row("webhook 8").retrying.value, Some(2.0));
    let both = view.modes.iter().find(|mode| &*mode.mode == "both").unwrap();
    assert_eq!((both.called.value, both.called_ratio.value), (Some(105.0), Some(0.9)));
    // Nobody told of NATS: unknown, not 0.
    assert_eq!(both.published.value, None);
    // What cannot be read any more is not shown as if it were true.
    let off = PanelReading {
        panel: Panel::Calls,
        problem: Some("permission denied".to_owned()),
    };
    feed.send(&postgres(), Sample::Panel(off));
    let view = feed.advance();
    assert!(view.webhooks.is_empty() && view.modes.is_empty());
}

#[test]
fn a_discovered_target_that_is_gone_is_no_failing_one() {
    let mut feed = Feed::default();
    for second in 1..=3 {
        feed.at(f64::from(second));
        for target in ["w-1", "w-2"] {
            feed.scrape(
                target,
                &[(
                    "webhook_processed_total{provider=a,status=success}",
                    f64::from(second) * 10.0,
                )],
            );
        }
        feed.advance();
    }
    assert_eq!(feed.view().workers.len(), 2);
    let gone = crate::sample::SourceId::new(SourceKind::Metrics, "w-2");
    feed.report(&gone, SourceState::Off, None);
    for second in 4..=20 {
        feed.at(f64::from(second));
        feed.scrape(
            "w-1",
            &[(
                "webhook_processed_total{provider=a,status=success}",
                f64::from(second) * 10.0,
            )],
        );
        feed.advance();
    }
    let names: Vec<&str> = feed.view().workers.iter().map(|worker| &*worker.name).collect();
    assert_eq!(names, ["w-1"]);
    assert!(feed.verdict("scrape_failing").is_none(), "{:?}", feed.view().verdicts);
    assert!(feed.view().sources.iter().all(|source| &*source.id.name != "w-2"));
}
