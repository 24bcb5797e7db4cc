//! The contract against a golden file, the check's rules, and watching without a screen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::base::time::{Clock as _, ManualClock, Moment, SharedClock, SystemClock, Timestamp};
use crate::config::{Profile, Thresholds};
use crate::model::{
    FailureGroup, Flow, Health, Ledger, LedgerLine, Provider, Queue, QueueState, Reading, ReadingState, Severity,
    SourceView, Verdict, View, Webhook, Worker, WorkerAccount, WorkerCondition, WorkerState,
};
use crate::sample::{Envelope, Interest, Panel, Sample, SourceId, SourceKind, SourceReport, SourceState};
use crate::session::{Session, settings};

fn at(second: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(1_792_000_000 + second) * 1_000_000_000 + 123_456_789).unwrap()
}

fn reading(value: f64) -> Reading {
    Reading::fresh(value, at(0), SourceId::new(SourceKind::Jetstream, "nats"))
}

fn marked(value: f64, state: ReadingState) -> Reading {
    Reading {
        state,
        ..reading(value)
    }
}

fn source(kind: SourceKind, name: &str, state: Health, error: Option<&str>) -> SourceView {
    SourceView {
        id: SourceId::new(kind, name),
        state,
        since: at(-60),
        age: Some(Duration::from_millis(400)),
        latency: (state == Health::Ok).then_some(Duration::from_micros(612)),
        period: Some(Duration::from_secs(1)),
        error: error.map(str::to_owned),
        retry_in: None,
    }
}

fn verdict(id: &str, severity: Severity, text: &str) -> Verdict {
    Verdict {
        id: id.into(),
        subject: None,
        severity,
        since: at(-90),
        text: text.to_owned(),
        evidence: vec!["4 workers pull, each at its ceiling".to_owned()],
        next: "6 workers would drain in 9 min".to_owned(),
        runbook: None,
        hush: None,
    }
}

/// A view with something in every part.
#[expect(clippy::too_many_lines, reason = "one of everything")]
fn view() -> View {
    let now = Moment {
        at: at(0),
        mono: Duration::from_mins(15),
    };
    let mut view = View::empty("demo", now);
    view.started = at(-900);
    view.window_s = 10.0;
    view.sources = vec![
        source(SourceKind::Jetstream, "nats", Health::Ok, None),
        source(SourceKind::Metrics, "gateway", Health::Ok, None),
        source(
            SourceKind::Postgres,
            "postgres",
            Health::Failing,
            Some("connect to postgres: refused → is it running?"),
        ),
    ];
    view.flow = Flow {
        received_per_s: reading(12_431.0),
        queued_per_s: reading(12_430.873_421_9),
        stored_per_s: reading(f64::NAN),
        processed_per_s: marked(9_870.5, ReadingState::AtMost),
        written_per_s: marked(9_866.0, ReadingState::Stale),
        backlog: reading(84_210.0),
        oldest_waiting_s: reading(8.4),
        dead: reading(37.0),
        received_total: reading(1_204_331.0),
        limit: Some("max_bytes".to_owned()),
        ..Flow::default()
    };
    view.providers = vec![Provider {
        name: "telnyx".into(),
        received_per_s: reading(9_001.0),
        error_ratio: reading(0.0),
        ..Provider::default()
    }];
    view.queues = vec![
        Queue {
            stream: "webhooks".into(),
            consumer: Some("workers".into()),
            messages: reading(84_247.0),
            pending: reading(80_210.0),
            ack_pending: reading(4_000.0),
            completed_per_s: marked(9_870.0, ReadingState::AtMost),
            state: QueueState::Growing,
            leader: Some("n1".to_owned()),
            ..Queue::default()
        },
        Queue {
            stream: "webhooks_dlq".into(),
            messages: reading(37.0),
            ..Queue::default()
        },
    ];
    view.workers = vec![Worker {
        name: "w-1".into(),
        state: WorkerState::Up,
        seen_by: vec!["metrics".into(), "nats".into()],
        rate_per_s: reading(2_471.0),
        recent: vec![Some(1.0)],
        batch_size: Reading::unknown(),
        batch_p95_s: reading(0.21),
        errors_per_s: Reading::unknown(),
        breaker: reading(0.0),
        cpu: Reading::unknown(),
        memory: reading(14_680_064.0),
        last_seen_s: reading(0.4),
        condition: WorkerCondition::Running,
        accounts: vec![WorkerAccount {
            source: "metrics".into(),
            up: Some(true),
            text: "its endpoint answers".to_owned(),
        }],
    }];
    view.webhooks = vec![Webhook {
        name: "orders".into(),
        subject: Some("webhooks.orders".into()),
        mode: Some("nats".into()),
        total: reading(128.0),
        failed: reading(3.0),
        ..Webhook::default()
    }];
    view.failures = vec![FailureGroup {
        kind: "HTTP ‹n›".to_owned(),
        relation: "webhook_recent_failures".into(),
        count: 3,
        per_s: reading(0.05),
        last_at: Some(at(-3)),
        example: "HTTP 500".to_owned(),
        about: "orders".into(),
        others: 0,
    }];
    view.ledger = Ledger {
        since: Some(at(-900)),
        lines: vec![
            LedgerLine {
                line: "received".into(),
                left_label: "received".into(),
                left: Some(1_204_331.0),
                right: Some(1_204_324.0),
                terms: vec![("refused".into(), Some(0.0)), ("queued".into(), Some(1_204_324.0))],
                difference: Some(7.0),
                tolerance: Some(0.0),
                balanced: Some(false),
            },
            LedgerLine {
                line: "written".into(),
                left_label: "processed".into(),
                terms: vec![("rows".into(), None)],
                ..LedgerLine::default()
            },
        ],
    };
    view.verdicts = vec![verdict(
        "backlog_growing",
        Severity::Warning,
        "Falling behind by 2,561/s",
    )];
    view.panels_off = vec![(
        Panel::Heartbeats,
        "read webhook_workers: no right → GRANT SELECT".to_owned(),
    )];
    view.left_out = 3;
    view
}

#[test]
fn the_contract_is_the_golden_file() {
    let got = serde_json::to_string_pretty(&contract(&view(), true)).unwrap();
    let got = got.replacen(env!("CARGO_PKG_VERSION"), "VERSION", 1);
    insta::assert_snapshot!(got);
}

#[test]
fn the_summary_is_calm_aligned_text() {
    let got = summary(&view());
    assert!(!got.contains('\u{1b}') && got.lines().all(|line| line.trim_end() == line));
    insta::assert_snapshot!(got);
}

/// The keys of the contract in their order, which no release may change.
const PROMISED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "hookwatch",
            "at",
            "profile",
            "read_only",
            "window_s",
            "sources",
            "flow",
            "providers",
            "queues",
            "workers",
            "webhooks",
            "failures",
            "dead_letters",
            "ledger",
            "verdicts",
        ],
    ),
    (
        "webhooks",
        &[
            "name",
            "subject",
            "total",
            "failed",
            "success_ratio",
            "latency_p50_s",
            "latency_p95_s",
            "latency_p99_s",
        ],
    ),
    ("failures", &["kind", "count", "per_s", "last_at", "example"]),
    ("sources", &["name", "kind", "state", "age_s", "latency_s", "error"]),
    (
        "flow",
        &[
            "received_per_s",
            "queued_per_s",
            "stored_per_s",
            "processed_per_s",
            "written_per_s",
            "backlog",
            "oldest_unprocessed_s",
            "drain_eta_s",
            "dead",
        ],
    ),
    (
        "providers",
        &[
            "name",
            "received_per_s",
            "processed_per_s",
            "error_ratio",
            "response_p50_s",
            "response_p99_s",
        ],
    ),
    (
        "queues",
        &[
            "stream",
            "consumer",
            "messages",
            "pending",
            "ack_pending",
            "waiting",
            "redelivered",
            "parked",
            "orphaned",
            "unmatched",
            "ingest_per_s",
            "completed_per_s",
            "attempts_per_s",
            "retries_per_s",
            "oldest_age_s",
            "oldest_held_s",
            "drain_eta_s",
            "limit_eta_s",
            "state",
            "leader",
            "replicas",
        ],
    ),
    ("workers", &["name", "state", "seen_by", "rate_per_s", "last_seen_s"]),
    ("dead_letters", &["total", "groups"]),
    (
        "ledger",
        &["line", "left", "right", "difference", "tolerance", "balanced"],
    ),
    ("verdicts", &["id", "severity", "since", "text", "evidence", "next"]),
];

#[test]
fn every_promised_key_stands_in_its_place() {
    let json = serde_json::to_string_pretty(&contract(&view(), true)).unwrap();
    for (part, keys) in PROMISED {
        // serde_json sorts the keys of a parsed object, so the order is read off the text.
        let depth = match *part {
            "" => 1,
            "flow" | "dead_letters" => 2,
            _ => 3,
        };
        let text = match *part {
            "" => json.as_str(),
            part => &json[json.find(&format!("\n  \"{part}\": ")).unwrap()..],
        };
        let indent = format!("\n{}\"", "  ".repeat(depth));
        let found: Vec<&str> = text
            .split(&indent)
            .skip(1)
            .take(keys.len())
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(found, *keys, "{part}");
    }
}

#[test]
fn an_empty_view_is_unknown_and_never_zero() {
    let now = ManualClock::new(at(0)).now();
    let value = serde_json::to_value(contract(&View::empty("p", now), true)).unwrap();
    assert!(
        value["flow"]
            .as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_null),
        "{value}"
    );
    assert_eq!(
        value["dead_letters"],
        serde_json::json!({"total": null, "groups": null})
    );
}

// The check.

fn calm() -> View {
    let mut view = view();
    view.sources.truncate(2);
    view.verdicts.clear();
    view.flow.oldest_waiting_s = reading(0.2);
    view
}

fn expected(view: &View) -> Vec<SourceId> {
    view.sources.iter().map(|source| source.id.clone()).collect()
}

fn judged(view: &View) -> Judgement {
    judge(view, &Thresholds::default(), &expected(view))
}

#[test]
fn a_calm_pipeline_is_ok() {
    let judgement = judged(&calm());
    assert_eq!(judgement.status, Status::Ok);
    assert_eq!(
        judgement.line(),
        "OK - demo: backlog 84,210, oldest waiting 200 ms, processing ≤9,871/s, dead letters 37 | backlog=84210;;;0 \
         oldest=0.2s;5;10;0 received=12431;;;0 processed=9870.5;;;0 written=U dead_letters=37;;;0"
    );
}

#[test]
fn verdicts_decide_and_info_does_not() {
    let mut view = calm();
    view.verdicts
        .push(verdict("counter_reset", Severity::Info, "restarted"));
    assert_eq!(judged(&view).status, Status::Ok);
    view.verdicts
        .push(verdict("backlog_growing", Severity::Warning, "growing"));
    assert_eq!(judged(&view).status, Status::Warning);
    view.verdicts
        .push(verdict("loss", Severity::Critical, "7 are | missing\nhere"));
    let judgement = judged(&view);
    assert_eq!(judgement.status.exit_code(), 2);
    assert!(
        judgement
            .line()
            .starts_with("CRITICAL - 7 are / missing\\nhere → 6 workers would drain in 9 min (and 1 more) | backlog=")
    );
}

#[test]
fn the_oldest_waiting_webhook_has_limits_of_its_own() {
    for (oldest, status) in [
        (5.0, Status::Ok),
        (5.1, Status::Warning),
        (10.0, Status::Warning),
        (10.1, Status::Critical),
    ] {
        let mut view = calm();
        view.flow.oldest_waiting_s = reading(oldest);
        assert_eq!(judged(&view).status, status, "{oldest}");
        view.flow.oldest_waiting_s.state = ReadingState::Stale;
        assert_eq!(judged(&view).status, Status::Ok, "an old age says nothing of now");
    }
}

#[test]
fn a_silent_source_makes_it_unknown_unless_something_critical_is_known() {
    let mut view = calm();
    view.sources[1].state = Health::Stale;
    view.sources[1].error = Some("scrape gateway: refused".to_owned());
    let judgement = judged(&view);
    assert_eq!(judgement.status.exit_code(), 3);
    assert!(
        judgement
            .line()
            .starts_with("UNKNOWN - gateway cannot be read: scrape gateway: refused | ")
    );
    view.verdicts
        .push(verdict("backlog_growing", Severity::Warning, "growing"));
    assert_eq!(judged(&view).status, Status::Unknown);
    view.verdicts
        .push(verdict("no_workers", Severity::Critical, "nobody pulls"));
    assert_eq!(judged(&view).status, Status::Critical);
    // A source that nobody has heard of is silent too.
    let missing = SourceId::new(SourceKind::Postgres, "postgres");
    assert_eq!(
        judge(&calm(), &Thresholds::default(), &[missing]).status,
        Status::Unknown
    );
}

#[test]
fn counters_or_dead_letters_that_cannot_be_read_are_not_ok() {
    for (panel, status) in [
        (Panel::Counters, Status::Unknown),
        (Panel::DeadLetters, Status::Unknown),
        // Detail: the pipeline is judged without it.
        (Panel::Advisories, Status::Ok),
        (Panel::Health, Status::Ok),
    ] {
        let mut view = calm();
        view.panels_off = vec![(panel, "permission denied → GRANT SELECT".to_owned())];
        let judgement = judged(&view);
        assert_eq!(judgement.status, status, "{panel:?}");
        if status == Status::Unknown {
            let said = format!("UNKNOWN - {}: permission denied → GRANT SELECT | ", panel.relation());
            assert!(judgement.line().starts_with(&said), "{}", judgement.line());
            assert_eq!(judgement.reasons[0].next, "GRANT SELECT");
        }
        let snapshot = Snapshot {
            view,
            unanswered: Vec::new(),
        };
        assert_eq!(snapshot.exit_code(), u8::from(status == Status::Unknown), "{panel:?}");
    }
}

#[test]
fn a_figure_from_before_its_source_fell_silent_is_not_measured_again() {
    let mut view = calm();
    view.flow.backlog.state = ReadingState::Stale;
    let line = judged(&view).line();
    assert!(line.contains("| backlog=U oldest=0.2s"), "{line}");
}

#[test]
fn a_reason_says_what_to_do() {
    let mut view = calm();
    let mut gone = verdict("leader_lost", Severity::Critical, "NATS cannot be read");
    gone.next = "start nats-server there".into();
    view.verdicts.push(gone);
    let line = judged(&view).line();
    assert!(
        line.starts_with("CRITICAL - NATS cannot be read → start nats-server there | "),
        "{line}"
    );
}

#[test]
fn a_source_that_fails_is_listed_however_many_there_are() {
    let mut view = calm();
    let well = view.sources[1].clone();
    view.sources = (0..30)
        .map(|n| {
            let mut source = well.clone();
            source.id = SourceId::new(SourceKind::Metrics, &format!("w-{n:02}"));
            source
        })
        .collect();
    view.sources[29].state = Health::Failing;
    view.sources[29].error = Some("scrape w-29: connection refused".into());
    let text = summary(&view);
    assert!(text.contains("scrape w-29: connection refused"), "{text}");
    assert!(text.contains("and 10 more"), "{text}");
}

#[test]
fn a_check_as_json_is_one_line_with_the_same_verdict() {
    let mut view = calm();
    view.flow.dead = Reading::unknown();
    view.verdicts
        .push(verdict("backlog_growing", Severity::Warning, "growing"));
    let json = judged(&view).json().unwrap();
    assert!(!json.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["status"], &value["code"]), (&"warning".into(), &1.into()));
    assert_eq!(value["reasons"][0]["id"], "backlog_growing");
    assert_eq!(value["figures"]["backlog"], 84_210);
    assert!(value["figures"]["dead_letters"].is_null());
}

#[test]
fn a_check_that_is_refused_is_unknown() {
    let judgement = Judgement::refused("cannot read x | y");
    assert_eq!(
        (judgement.status.exit_code(), judgement.line().as_str()),
        (3, "UNKNOWN - cannot read x / y")
    );
}

// Watching.

fn session(clock: &SharedClock, stop: &CancellationToken) -> (mpsc::Sender<Envelope>, Session) {
    let (sender, envelopes) = mpsc::channel(16);
    let session = Session {
        settings: settings(&Profile::empty("p")),
        started: clock.now(),
        envelopes,
        interest: watch::Sender::new(Interest::default()),
        alarms: crate::session::Alarms::new(&crate::config::Alerts::default()),
        stop: stop.clone().drop_guard(),
    };
    (sender, session)
}

fn report(clock: &SharedClock) -> Envelope {
    let now = clock.now();
    Envelope {
        profile: Arc::from("p"),
        source: SourceId::new(SourceKind::Jetstream, "nats"),
        seq: 0,
        at: now.at,
        mono: now.mono,
        sample: Sample::Report(SourceReport {
            state: SourceState::Ok,
            latency: None,
            error: None,
            retry_in: None,
            period: Duration::from_secs(1),
        }),
    }
}

#[test]
fn several_profiles_are_as_bad_as_the_worst_of_them_and_each_figure_has_a_name() {
    let named = |name: &str, mut view: View| {
        view.profile = name.into();
        judged(&view)
    };
    let one = named("eu", calm());
    let alone = judge_all(vec![one.clone()]);
    assert_eq!((alone.line(), alone.json().unwrap()), (one.line(), one.json().unwrap()));
    let well = judge_all(vec![one.clone(), named("us west", calm())]);
    assert_eq!(well.status, Status::Ok);
    assert!(well.line().starts_with("OK - eu: backlog"), "{}", well.line());
    assert!(well.line().contains("; us west: backlog"), "{}", well.line());
    assert!(well.line().contains(" eu.backlog=") && well.line().contains(" us-west.backlog="));
    let bad = named("us", view());
    assert_ne!(bad.status, Status::Ok);
    let all = judge_all(vec![one, bad.clone()]);
    assert_eq!(all.status, bad.status);
    assert!(
        all.line()
            .contains(&format!(" - us: {}", bad.reasons[0].text.replace('|', "/"))),
        "{}",
        all.line()
    );
    let json: serde_json::Value = serde_json::from_str(&all.json().unwrap()).unwrap();
    assert_eq!(json["profile"], serde_json::Value::Null);
    assert_eq!(
        json["profiles"][0],
        serde_json::json!({"profile": "eu", "status": "ok", "code": 0})
    );
    assert_eq!(json["reasons"][0]["profile"], "us");
    assert!(json["figures"]["us.backlog"].is_number());
}

#[tokio::test]
async fn watching_lasts_as_long_as_asked_and_ends_the_sources() {
    let clock = SystemClock::shared();
    for closed in [false, true] {
        let stop = CancellationToken::new();
        let (sender, session) = session(&clock, &stop);
        sender.send(report(&clock)).await.unwrap();
        let sender = (!closed).then_some(sender);
        let begun = clock.now().mono;
        let model = observe(session, &clock, Duration::from_millis(300)).await;
        assert!(clock.now().mono.saturating_sub(begun) >= Duration::from_millis(300));
        assert!(
            model.view().now.mono.saturating_sub(begun) >= Duration::from_millis(300),
            "worked out at the end"
        );
        assert!(stop.is_cancelled());
        drop(sender);
    }
}
