//! Pictures for tests and benches: a pipeline that falls behind, one that has just started, one
//! whose sources fail, and one whose names attack the screen.

// Benches take this file in by its path: so its part is named by its path, too.
#[path = "fixture/rich.rs"]
mod rich;

use std::sync::Arc;
use std::time::Duration;

use super::hookwatch;
use hookwatch::act::fire::Library;
use hookwatch::base::time::{Moment, Timestamp};
use hookwatch::config::{Fire, SecretPlace};
use hookwatch::console::app::{App, Options, Still};
use hookwatch::console::bench::Supply;
use hookwatch::console::screen::Badge;
use hookwatch::model::field::Field;
use hookwatch::model::{
    FailureGroup, Health, Histories, ProbeView, Provider, Queue, QueueState, Reading, ReadingState, SeriesKey,
    Severity, SourceView, Verdict, View, Webhook, WebhookMode, Worker, WorkerCondition, WorkerState,
};
use hookwatch::sample::{Blocked, Panel, ProbeCheck, ProbeState, SourceId, SourceKind};

pub(crate) use self::rich::rich;
use self::rich::{account, wave, worker};

/// How old the session of every fixture is.
const AGE: Duration = Duration::from_secs(1_322);

/// A console that shows a picture.
pub(crate) fn app((view, histories): (View, Histories), badges: &[Badge]) -> App {
    let options = Options {
        badges: badges.to_vec(),
        themes: ["dark", "light", "base"].map(Arc::from).to_vec(),
        supply: Some(supply()),
        ..Options::default()
    };
    App::still(Still { view, histories }, Some("webhooks".into()), options)
}

/// What test webhooks are made of: a gateway on this machine, keys for two providers.
pub(crate) fn supply() -> Supply {
    let mut fire = Fire {
        url: Some("http://127.0.0.1:8080/webhooks/{provider}".to_owned()),
        ..Fire::default()
    };
    for (provider, place) in [
        ("telnyx", SecretPlace::Variable("TELNYX_SIGNING_KEY".to_owned())),
        ("resend", SecretPlace::File("/run/secrets/resend".into())),
    ] {
        fire.secrets.insert(provider.to_owned(), place);
    }
    Supply {
        library: Arc::new(Library::load(None)),
        fire,
        ..Supply::default()
    }
}

pub(crate) fn now() -> Moment {
    Moment {
        at: at("14:03:22"),
        mono: AGE,
    }
}

/// A moment some seconds ago.
fn before(seconds: u64) -> Moment {
    let ago = Duration::from_secs(seconds);
    Moment {
        at: now().at - ago,
        mono: AGE.saturating_sub(ago),
    }
}

fn at(clock: &str) -> Timestamp {
    format!("2026-07-31T{clock}Z").parse().unwrap_or_default()
}

fn source(kind: SourceKind, name: &str) -> SourceId {
    SourceId::new(kind, name)
}

fn value(value: f64) -> Reading {
    Reading::fresh(value, now().at, source(SourceKind::Jetstream, "nats"))
}

fn healthy(kind: SourceKind, name: &str, micros: u64) -> SourceView {
    SourceView {
        id: source(kind, name),
        state: Health::Ok,
        since: at("13:41:20"),
        age: Some(Duration::from_millis(400)),
        latency: Some(Duration::from_micros(micros)),
        period: Some(Duration::from_secs(1)),
        error: None,
        retry_in: None,
    }
}

/// A pipeline that publishes from Postgres, with some subjects that nobody takes.
#[expect(clippy::too_many_lines, reason = "a table of figures")]
pub(crate) fn outbound() -> (View, Histories) {
    let (mut view, histories) = rich();
    view.providers.clear();
    view.sources.retain(|source| source.id.kind != SourceKind::Metrics);
    view.sources.push(healthy(SourceKind::Probe, "bridge", 45_000));
    view.webhooks = [
        (
            "analytics_user_event",
            "webhooks.user.registered.analytics",
            129.0,
            129.0,
        ),
        (
            "slack_user_registration",
            "webhooks.user.registered.slack",
            129.0,
            129.0,
        ),
        ("email_welcome", "webhooks.user.registered.email", 129.0, 129.0),
        ("crm_contact_create", "webhooks.user.registered.crm", 128.0, 128.0),
        ("critical_payment_notification", "webhooks.payments", 128.0, 0.0),
        ("order_processing", "webhooks.orders", 128.0, 0.0),
        ("slack_notifications", "webhooks.slack", 129.0, 0.0),
    ]
    .map(|(name, subject, total, failed)| Webhook {
        name: name.into(),
        subject: Some(subject.into()),
        mode: Some(if name.starts_with("critical") { "both" } else { "nats" }.into()),
        total: value(total),
        failed: value(failed),
        success_ratio: value(1.0 - failed / total),
        recent_attempts: value(40.0),
        recent_success_ratio: value(1.0 - failed / total),
        recent_latency_s: value(0.001_1),
        latency_p50_s: if failed > 0.0 {
            Reading::unknown()
        } else {
            value(0.000_895)
        },
        latency_p95_s: if failed > 0.0 {
            Reading::unknown()
        } else {
            value(0.002_33)
        },
        latency_p99_s: if failed > 0.0 {
            Reading::unknown()
        } else {
            value(0.003_9)
        },
        latency_avg_s: value(0.001_2),
        last_at: Some(at("14:03:12")),
        ..Webhook::default()
    })
    .to_vec();
    view.webhooks.push(Webhook {
        name: "critical_payment_notification".into(),
        mode: Some("both".into()),
        total: value(600.0),
        failed: value(30.0),
        success_ratio: value(0.8696),
        latency_p50_s: value(0.0608),
        latency_p95_s: value(0.0951),
        latency_p99_s: value(0.0992),
        waiting: value(340.0),
        retrying: value(30.0),
        oldest_waiting_s: value(42.0),
        last_at: Some(at("14:03:20")),
        ..Webhook::default()
    });
    view.modes = vec![
        WebhookMode {
            mode: "nats".into(),
            webhooks: 6,
            published: value(772.0),
            published_ratio: value(0.3329),
            ..WebhookMode::default()
        },
        WebhookMode {
            mode: "both".into(),
            webhooks: 1,
            published: value(128.0),
            published_ratio: value(1.0),
            called: value(600.0),
            called_ratio: value(0.8696),
            waiting: value(340.0),
            retrying: value(30.0),
            failed: value(30.0),
        },
    ];
    view.failures = [
        (
            "Failed to publish to JetStream: no responders",
            "nats_recent_failures",
            100,
            "analytics_user_event → webhooks.user.registered.analytics",
            3,
        ),
        (
            "HTTP ‹n›",
            "webhook_recent_failures",
            60,
            "critical_payment_notification",
            0,
        ),
    ]
    .map(|(kind, relation, count, about, others)| FailureGroup {
        kind: kind.to_owned(),
        relation: relation.into(),
        count,
        per_s: value(count as f64 / 60.0),
        last_at: Some(at("14:03:20")),
        example: kind.replace("‹n›", "500"),
        about: about.into(),
        others,
    })
    .to_vec();
    view.failures_left_out = 414;
    view.workers = ["webhook-worker-1", "webhook-worker-2", "webhook-worker-3"]
        .into_iter()
        .enumerate()
        .map(|(number, name)| {
            let (state, condition) = [
                (WorkerState::Up, WorkerCondition::Running),
                (WorkerState::Down, WorkerCondition::Dead),
                (WorkerState::Down, WorkerCondition::NeverStarted),
            ][number];
            let told = [
                "last active 300 ms ago, says active, 2,836 acked, 4,833 delivered, 4.3 ms a message",
                "last active 21 s ago, says active, 2,831 acked, 4,800 delivered, 3.7 ms a message",
                "last active never, says active, 0 acked, 0 delivered",
            ][number];
            let links = [
                "1 connection, idle 1.2 s",
                "its connection closed 19 s ago: Client Closed",
                "no connection of it",
            ][number];
            Worker {
                state,
                condition,
                seen_by: vec!["postgres".into(), "nats".into()],
                batch_size: Reading::unknown(),
                batch_p95_s: Reading::unknown(),
                breaker: Reading::unknown(),
                cpu: Reading::unknown(),
                memory: Reading::unknown(),
                last_seen_s: [value(0.3), value(21.0), Reading::unknown()][number].clone(),
                accounts: vec![
                    account("postgres", number != 2, told),
                    account("nats", number == 0, links),
                ],
                ..worker(number, name, [33.0, 0.0, 0.0][number], 1.0)
            }
        })
        .collect();
    let check = |name: &str, state, detail: &str| ProbeCheck {
        name: name.into(),
        state: Some(state),
        detail: detail.to_owned(),
    };
    view.probes = vec![
        ProbeView {
            name: "bridge".into(),
            state: Some(ProbeState::Unhealthy),
            last: Some(ProbeState::Unhealthy),
            status: Some(503),
            service: Some("webhook-bridge".into()),
            version: Some("1.4.2".into()),
            checks: vec![
                check("database", ProbeState::Healthy, "latency 3"),
                check("eventBus", ProbeState::Unhealthy, "error connect ECONNREFUSED 10.0.3.9:4222"),
                check("memory", ProbeState::Healthy, "heapUsed 41MB, utilization 63%"),
            ],
            response_s: value(0.045),
            ..ProbeView::default()
        },
        ProbeView {
            name: "realtime".into(),
            error: Some("ask http://10.0.3.8:3000/health: no complete answer within 3.0 s → is the service hung, or its host behind a firewall?".to_owned()),
            ..ProbeView::default()
        },
    ];
    view.panels_off = vec![(
        Panel::CallStatus,
        "permission denied for view webhook_status_summary → GRANT SELECT ON \"public\".\"webhook_status_summary\" TO \"watcher\"".to_owned(),
    )];
    (view, histories)
}

/// A fleet: 1,000 queues, 100 workers, 60 providers, 1,000 events.
pub(crate) fn many() -> (View, Histories) {
    let (mut view, histories) = rich();
    let states = [
        QueueState::Idle,
        QueueState::Draining,
        QueueState::Growing,
        QueueState::NoWorkers,
    ];
    view.queues = (0..1_000usize)
        .map(|number| Queue {
            stream: format!("tenant-{:03}", number / 2).into(),
            consumer: Some(format!("reader-{number:04}").into()),
            pending: value(((number * 7_919) % 100_003) as f64),
            ingest_per_s: value(((number * 31) % 977) as f64),
            state: states[number % states.len()],
            ..view.queues[0].clone()
        })
        .collect();
    view.workers = (0..100usize)
        .map(|number| worker(number % 7, &format!("w-{number:03}"), number as f64, 100.0))
        .collect();
    view.providers = (0..60usize)
        .map(|number| Provider {
            name: format!("provider-{number:02}").into(),
            ..view.providers[number % 3].clone()
        })
        .collect();
    let events = view.events.clone();
    view.events = events.into_iter().cycle().take(1_000).collect();
    (view, histories)
}

/// Everything in order: the same pipeline with enough workers.
pub(crate) fn healthy_pipeline() -> (View, Histories) {
    let (mut view, _) = rich();
    view.verdicts.clear();
    view.flow.backlog = value(180.0);
    view.flow.backlog_per_s = value(-3.0);
    view.flow.oldest_waiting_s = value(0.04);
    view.flow.processed_per_s = value(12_431.0);
    view.flow.written_per_s = value(12_431.0);
    view.flow.limit_eta_s = Reading::unknown();
    view.flow.dead = value(0.0);
    view.flow.dead_per_min = value(0.0);
    view.queues[0].state = QueueState::Draining;
    view.providers[2].error_ratio = value(0.0);
    view.events.truncate(1);
    let mut histories = Histories::default();
    for second in 0..=900usize {
        let moment = before(900 - second as u64);
        let ingest = 12_000.0 + 400.0 * (second as f32 / 48.0).sin() + wave(second) * 120.0;
        // 20 seconds in which nobody could be asked.
        let known = !(300..320).contains(&second);
        for (field, value) in [
            (Field::StoredPerS, ingest),
            (Field::ProcessedPerS, ingest - wave(second) * 60.0),
            (Field::Backlog, 180.0 + wave(second) * 90.0),
        ] {
            histories.record(&SeriesKey::of(field), moment, known.then_some(f64::from(value)));
        }
    }
    (view, histories)
}

/// Nothing is configured.
pub(crate) fn empty() -> (View, Histories) {
    (View::empty("default", now()), Histories::default())
}

/// Everything is configured, nothing has answered yet.
pub(crate) fn connecting() -> (View, Histories) {
    let mut view = View::empty(
        "demo",
        Moment {
            mono: Duration::from_millis(40),
            ..now()
        },
    );
    view.sources = [
        (SourceKind::Jetstream, "nats"),
        (SourceKind::Metrics, "gateway"),
        (SourceKind::Postgres, "postgres"),
    ]
    .map(|(kind, name)| SourceView {
        state: Health::Connecting,
        age: None,
        latency: None,
        ..healthy(kind, name, 0)
    })
    .to_vec();
    (view, Histories::default())
}

/// Postgres refuses, a worker is gone, NATS is silent: the rest keeps moving.
pub(crate) fn failing() -> (View, Histories) {
    let (mut view, histories) = rich();
    let stale = |reading: &mut Reading, seconds: u64| {
        reading.state = ReadingState::Stale;
        reading.at = Some(now().at - Duration::from_secs(seconds));
    };
    view.sources[0] = SourceView {
        state: Health::Stale,
        since: at("14:03:08"),
        age: Some(Duration::from_secs(14)),
        ..view.sources[0].clone()
    };
    view.sources[4] = SourceView {
        state: Health::Failing,
        since: at("14:03:13"),
        age: Some(Duration::from_secs(9)),
        latency: None,
        error: Some("scrape http://127.0.0.1:9103/metrics: connection refused → is the worker running?".to_owned()),
        retry_in: Some(Duration::from_millis(1_400)),
        ..view.sources[4].clone()
    };
    view.sources[6] = SourceView {
        state: Health::Failing,
        since: at("14:02:41"),
        age: Some(Duration::from_secs(41)),
        latency: None,
        error: Some(
            "connect to postgres://console@10.0.3.7:5432/webhooks: password authentication failed for user \"console\" → check DATABASE_URL, or ask for: GRANT SELECT ON webhook_counters TO console"
                .to_owned(),
        ),
        retry_in: Some(Duration::from_secs(2)),
        ..view.sources[6].clone()
    };
    for reading in [
        &mut view.flow.backlog,
        &mut view.flow.backlog_per_s,
        &mut view.flow.oldest_waiting_s,
        &mut view.flow.stored_per_s,
        &mut view.flow.dead,
    ] {
        stale(reading, 14);
    }
    for reading in [
        &mut view.flow.written_per_s,
        &mut view.flow.written_total,
        &mut view.flow.update_p95_s,
    ] {
        stale(reading, 41);
    }
    view.flow.dead_per_min = Reading::unknown();
    view.flow.limit_eta_s = Reading::unknown();
    view.workers[2].state = WorkerState::Down;
    view.workers[2].condition = WorkerCondition::Dead;
    view.workers[2].accounts = vec![
        account("metrics", false, "its endpoint refuses"),
        account("postgres", true, "heartbeat 9 s ago, says running"),
    ];
    view.workers[2].last_seen_s = value(9.0);
    view.workers[3].state = WorkerState::Stale;
    view.workers[3].condition = WorkerCondition::Silent;
    view.workers[3].last_seen_s = value(5.0);
    stale(&mut view.workers[2].rate_per_s, 9);
    view.ledger.lines[1].difference = Some(7.0);
    view.ledger.lines[1].balanced = Some(false);
    for line in &mut view.ledger.lines[4..] {
        line.balanced = None;
        line.left = None;
        line.difference = None;
        line.terms[0].1 = None;
    }
    view.verdicts = vec![Verdict {
        id: "scrape_failing".into(),
        subject: Some("w-3".into()),
        severity: Severity::Critical,
        since: at("14:03:15"),
        text: "w-3 does not answer its scrapes".to_owned(),
        evidence: vec!["2 failures running, last good reading 9 s ago".to_owned()],
        next: "see whether the process runs; the others carry its share".to_owned(),
        runbook: None,
        hush: None,
    }];
    view.panels_off = vec![(
        Panel::Heartbeats,
        "permission denied → GRANT SELECT ON webhook_workers TO console".to_owned(),
    )];
    if let Some(database) = &mut view.database {
        database.blocked = vec![Blocked {
            pid: 4_711,
            application: "worker w-2".to_owned(),
            waited: Duration::from_secs(12),
            blocking_pid: 815,
            blocking_application: "psql".to_owned(),
            blocking_state: "idle in transaction".to_owned(),
        }];
    }
    (view, histories)
}

/// Names of 10,000 characters, escapes, bidirectional controls, wide and stacked characters.
pub(crate) fn hostile() -> (View, Histories) {
    let (mut view, histories) = rich();
    let evil: [String; 4] = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.exe".to_owned(),
        "x".repeat(10_000),
        format!("a{}", "\u{301}".repeat(10_000)),
        "你好世界\r\n\t\u{200b}grüße 🦀".to_owned(),
    ];
    view.profile = evil[0].as_str().into();
    view.providers = evil
        .iter()
        .map(|name| Provider {
            name: name.as_str().into(),
            received_per_s: value(f64::NAN),
            error_ratio: value(1.0),
            ..view.providers[0].clone()
        })
        .collect();
    view.left_out = 99_996;
    view.webhooks = evil
        .iter()
        .map(|name| Webhook {
            name: name.as_str().into(),
            subject: Some(name.as_str().into()),
            mode: Some(name.as_str().into()),
            total: value(f64::MAX),
            success_ratio: value(f64::NAN),
            ..Webhook::default()
        })
        .collect();
    view.webhooks_left_out = 99_000;
    view.failures = evil
        .iter()
        .map(|name| FailureGroup {
            kind: name.clone(),
            example: name.clone(),
            about: name.as_str().into(),
            count: u64::MAX,
            ..FailureGroup::default()
        })
        .collect();
    view.failures_left_out = u64::MAX;
    view.probes = evil
        .iter()
        .map(|name| ProbeView {
            name: name.as_str().into(),
            service: Some(name.as_str().into()),
            version: Some(name.as_str().into()),
            error: Some(name.clone()),
            checks: vec![ProbeCheck {
                name: name.as_str().into(),
                state: None,
                detail: name.clone(),
            }],
            ..ProbeView::default()
        })
        .collect();
    for (worker, name) in view.workers.iter_mut().zip(&evil) {
        worker.name = name.as_str().into();
        worker.accounts = vec![account(name, true, name)];
    }
    for (queue, name) in view.queues.iter_mut().zip(&evil) {
        queue.stream = name.as_str().into();
        queue.pending = value(1e300);
    }
    view.flow.received_per_s = value(f64::INFINITY);
    view.flow.backlog = value(9.2e18);
    view.flow.backlog_per_s = value(-9.9e15);
    view.flow.limit = Some(evil[0].clone());
    for (number, event) in view.events.iter_mut().enumerate() {
        event.text.clone_from(&evil[number % evil.len()]);
        event.detail.clone_from(&evil[(number + 1) % evil.len()]);
        event.count = u64::MAX;
    }
    for (verdict, name) in view.verdicts.iter_mut().zip(&evil) {
        verdict.text = format!("{name} {name}");
        verdict.evidence = evil.to_vec();
        verdict.next.clone_from(&evil[3]);
    }
    view.sources[1].state = Health::Failing;
    view.sources[1].error = Some(evil.join(" "));
    for line in &mut view.ledger.lines {
        line.left_label = evil[1].as_str().into();
        line.left = Some(1e18);
        line.terms = vec![
            (evil[0].as_str().into(), Some(f64::MAX)),
            (evil[1].as_str().into(), None),
        ];
    }
    if let Some(database) = &mut view.database {
        database.version.clone_from(&evil[0]);
    }
    (view, histories)
}
