//! The relations of a pipeline that publishes from Postgres, with the columns and rows of a real
//! one: all of them, some of them, without rights, of other types, with hostile contents.

use std::collections::BTreeMap;

use super::*;
use crate::base::time::{Clock as _, Moment};
use crate::config::{Families, Pipeline, Thresholds};
use crate::model::{Model, Settings, View, WorkerCondition};
use crate::sample::OutboundRows;

/// Where the captured tables are.
macro_rules! captured {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../tests/data/postgres/publishing/table_", $name, ".csv"))),)*]
    };
}

const COLUMNS: &str = include_str!("../../../../tests/data/postgres/publishing/columns.csv");

const TABLES: [(&str, &str); 9] = [
    (
        "rule_webhook_calls",
        include_str!("../../../../tests/data/postgres/publishing/table_rule_webhook_calls_mixed_status.csv"),
    ),
    captured!("nats_publish_summary")[0],
    captured!("nats_performance_stats")[0],
    captured!("nats_recent_failures")[0],
    captured!("webhook_status_summary")[0],
    captured!("webhook_performance_stats")[0],
    captured!("webhook_recent_failures")[0],
    captured!("rule_nats_consumer_stats")[0],
    captured!("rule_webhooks")[0],
];

/// The fields of every line of a CSV text; an empty one is NULL.
fn fields(text: &str) -> Vec<Vec<Option<String>>> {
    let mut lines = Vec::new();
    let (mut line, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => {
                let value = std::mem::take(&mut field);
                line.push(Some(value).filter(|value| !value.is_empty()));
                if c == '\n' {
                    lines.push(std::mem::take(&mut line));
                }
            }
            '\r' if !quoted => {}
            c => field.push(c),
        }
    }
    lines
}

/// Makes the captured relations, as tables.
async fn make(admin: &mut PgConnection, names: &[&str]) {
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in fields(COLUMNS).into_iter().skip(1) {
        let of = |at: usize| row[at].clone().unwrap();
        columns.entry(of(0)).or_default().push(format!("{} {}", of(1), of(3)));
    }
    for (name, csv) in TABLES.iter().filter(|(name, _)| names.contains(name)) {
        run(admin, &format!("CREATE TABLE {name} ({})", columns[*name].join(", "))).await;
        let mut rows = fields(csv).into_iter();
        let header: Vec<String> = rows.next().unwrap().into_iter().flatten().collect();
        let literal = |value: &Option<String>| match value {
            None => "NULL".to_owned(),
            Some(value) => format!("'{}'", value.replace('\'', "''")),
        };
        let rows: Vec<String> = rows
            .map(|row| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", ")))
            .collect();
        run(
            admin,
            &format!("INSERT INTO {name} ({}) VALUES {}", header.join(", "), rows.join(", ")),
        )
        .await;
    }
}

fn all() -> Vec<&'static str> {
    TABLES.iter().map(|(name, _)| *name).collect()
}

/// A database with all the captured relations, which a role of its name may read.
async fn publishing(name: &str) -> (Arc<Cluster>, PgConnection, Rig) {
    let (cluster, mut admin, rig) = rig(name).await;
    make(&mut admin, &all()).await;
    run(&mut admin, &format!("GRANT SELECT ON {} TO {name}", all().join(", "))).await;
    (cluster, admin, rig)
}

/// What the model makes of it.
struct Watch {
    model: Model,
}

impl Watch {
    fn new(rig: &Rig) -> Self {
        let now = rig.clock.now();
        let settings = Settings {
            profile: "test".into(),
            pipeline: Pipeline::default(),
            families: Families::default(),
            thresholds: Thresholds::default(),
            runbooks: BTreeMap::new(),
        };
        Self {
            model: Model::new(settings, now),
        }
    }

    fn see(&mut self, rig: &Rig, seen: &Seen) -> &View {
        // Second by second, as time passes for a console.
        let (last, end) = (self.model.view().now, rig.clock.now());
        for second in (1..)
            .map(Duration::from_secs)
            .take_while(|second| last.mono + *second < end.mono)
        {
            self.pass(
                rig,
                Moment {
                    at: last.at + second,
                    mono: last.mono + second,
                },
            );
        }
        for envelope in &seen.envelopes {
            self.model.apply(envelope);
        }
        self.pass(rig, end);
        self.model.view()
    }

    /// A moment at which the source answers: its supervisor says so after every reading.
    fn pass(&mut self, rig: &Rig, now: Moment) {
        let report = Envelope {
            profile: "test".into(),
            source: rig.source.id(),
            seq: 0,
            at: now.at,
            mono: now.mono,
            sample: Sample::Report(crate::sample::SourceReport {
                state: SourceState::Ok,
                latency: Some(Duration::from_millis(1)),
                error: None,
                retry_in: None,
                period: PERIOD,
            }),
        };
        self.model.apply(&report);
        self.model.advance(now);
    }
}

fn problems(seen: &Seen) -> Vec<(Panel, &str)> {
    let off = seen.panels.iter();
    off.filter_map(|(panel, problem)| Some((*panel, problem.as_deref()?)))
        .filter(|(panel, _)| !matches!(panel, Panel::Counters | Panel::Heartbeats | Panel::Health))
        .collect()
}

#[tokio::test]
async fn the_captured_relations_are_read_and_nothing_is_invented() {
    let (_cluster, _admin, mut rig) = publishing("captured").await;
    let seen = rig.read().await;
    assert_eq!(problems(&seen), []);
    assert_eq!(seen.outbound.len(), 9);
    assert!(seen.outbound.iter().all(|reading| reading.left_out == 0));
    let mut watch = Watch::new(&rig);
    let view = watch.see(&rig, &seen);
    let row = |name: &str, subject: Option<&str>| {
        let found = view
            .webhooks
            .iter()
            .find(|row| &*row.name == name && row.subject.as_deref() == subject);
        found.unwrap_or_else(|| panic!("{name} {subject:?}"))
    };
    let failing = row("email_welcome", Some("webhooks.user.registered.email"));
    assert_eq!((failing.total.value, failing.failed.value), (Some(129.0), Some(129.0)));
    assert_eq!(failing.success_ratio.value, Some(0.0));
    // Nobody tells percentiles of what never succeeded, and nothing is known of the last minute yet.
    assert_eq!(
        (failing.latency_p50_s.value, failing.recent_attempts.value),
        (None, None)
    );
    let orders = row("order_processing", Some("webhooks.orders"));
    assert_eq!(orders.latency_p50_s.value, Some(1.125 / 1_000.0));
    assert_eq!(orders.mode.as_deref(), Some("nats"));
    // Hybrid: the same webhook by NATS and from the queue. What waits is neither.
    let hybrid = row("critical_payment_notification", None);
    assert_eq!(hybrid.mode.as_deref(), Some("both"));
    assert_eq!((hybrid.total.value, hybrid.failed.value), (Some(600.0), Some(30.0)));
    assert_eq!(hybrid.success_ratio.value, Some(200.0 / 230.0));
    assert_eq!(hybrid.latency_p99_s.value, Some(99.17 / 1_000.0));
    // The table of calls, of which a few rows were kept, says itself how many wait.
    assert_eq!((hybrid.waiting.value, hybrid.retrying.value), (Some(2.0), Some(2.0)));
    // The view lists a success ratio of 0.00 for webhooks that never called: they are no rows.
    assert_eq!(view.webhooks.iter().filter(|row| row.subject.is_none()).count(), 1);
    let modes: Vec<(&str, u64, Option<f64>, Option<f64>)> = view
        .modes
        .iter()
        .map(|mode| (&*mode.mode, mode.webhooks, mode.published.value, mode.called.value))
        .collect();
    assert_eq!(
        modes,
        [("nats", 6, Some(772.0), None), ("both", 1, Some(128.0), Some(600.0))]
    );
    let causes: Vec<(&str, u64)> = view
        .failures
        .iter()
        .map(|group| (group.kind.as_str(), group.count))
        .collect();
    assert_eq!(
        causes,
        [("Failed to publish to JetStream: no responders", 100), ("HTTP ‹n›", 60)]
    );
    assert_eq!(view.failures[0].others, 3);
    // One is active, one stopped days ago, one is registered and never did anything.
    let workers: Vec<(&str, WorkerCondition)> = view
        .workers
        .iter()
        .map(|worker| (&*worker.name, worker.condition))
        .collect();
    assert_eq!(
        workers,
        [
            ("webhook-worker-1", WorkerCondition::Silent),
            ("webhook-worker-3", WorkerCondition::NeverStarted)
        ]
    );
    assert_eq!(view.workers[1].last_seen_s.value, None);
}

#[tokio::test]
async fn no_secret_leaves_the_server() {
    let (_cluster, mut admin, mut rig) = publishing("secrets").await;
    run(
        &mut admin,
        r#"UPDATE rule_webhooks SET headers = '{"Authorization": "Bearer s3cr3t-header"}', url = 'https://h/s3cr3t-path';
           UPDATE webhook_status_summary SET url = 'https://h/s3cr3t-path';
           UPDATE rule_webhook_calls SET payload = '"s3cr3t-payload"', response_body = 's3cr3t-body', response_headers = '"s3cr3t-header"';
           UPDATE nats_recent_failures SET payload = '"s3cr3t-payload"', error_message = 'POST https://u:p@h/s3cr3t-path: Bearer s3cr3t-token';
           CREATE TABLE rule_nats_config (config_name text, auth_token text); INSERT INTO rule_nats_config VALUES ('default', 's3cr3t-token');
           GRANT SELECT ON rule_nats_config TO secrets"#,
    )
    .await;
    let seen = rig.read().await;
    assert_eq!(seen.outbound.len(), 9);
    let said = format!("{seen:?}");
    assert!(!said.contains("s3cr3t"), "{said}");
    assert!(said.contains("POST https://•••@h/••• Bearer •••"), "{said}");
}

#[tokio::test]
async fn what_is_missing_or_forbidden_switches_off_just_that_and_says_so() {
    let (_cluster, mut admin, mut rig) = rig("partly").await;
    make(
        &mut admin,
        &[
            "nats_publish_summary",
            "webhook_status_summary",
            "rule_webhook_calls",
            "nats_performance_stats",
        ],
    )
    .await;
    run(
        &mut admin,
        "GRANT SELECT ON nats_publish_summary TO partly; GRANT SELECT (webhook_id, status) ON rule_webhook_calls TO partly;
         GRANT SELECT ON nats_performance_stats TO partly; ALTER TABLE nats_performance_stats DROP COLUMN webhook_name",
    )
    .await;
    let seen = rig.read().await;
    let read: Vec<Panel> = seen.outbound.iter().map(|reading| reading.panel).collect();
    assert_eq!(read, [Panel::Published, Panel::Calls]);
    let off = problems(&seen);
    let of = |panel: Panel| off.iter().find(|(off, _)| *off == panel).unwrap().1;
    assert!(
        of(Panel::CallStatus)
            .starts_with("permission denied for webhook_status_summary → GRANT SELECT (webhook_name, total_calls,")
    );
    assert_eq!(
        of(Panel::ConsumerStats),
        "relation rule_nats_consumer_stats does not exist"
    );
    assert!(of(Panel::PublishLatency).starts_with("nats_performance_stats has no column webhook_name → it wants"));
    // Without the right to the time, the count is read all the same.
    let OutboundRows::Calls(calls) = &seen.outbound[1].rows else {
        panic!("{seen:?}")
    };
    assert_eq!(calls.iter().map(|call| call.count).sum::<u64>(), 8);
    assert!(
        calls
            .iter()
            .all(|call| call.oldest.is_none() && call.webhook == Some(7))
    );
    // The pipeline's other panels work, and so does the session.
    assert!(seen.database.is_some() && seen.counters.is_some());

    // A right that is given later is found.
    run(&mut admin, "GRANT SELECT ON webhook_status_summary TO partly").await;
    let seen = rig.read_after(Duration::from_secs(31)).await;
    assert!(seen.panels.contains(&(Panel::CallStatus, None)), "{:?}", seen.panels);
    assert!(seen.outbound.iter().any(|reading| reading.panel == Panel::CallStatus));
    // One that is taken away switches it off, and the rest goes on.
    run(&mut admin, "REVOKE SELECT ON nats_publish_summary FROM partly").await;
    let mut watch = Watch::new(&rig);
    assert!(!watch.see(&rig, &seen).webhooks.is_empty());
    let seen = rig.read_after(Duration::from_secs(6)).await;
    assert!(
        problems(&seen)[0]
            .1
            .starts_with("permission denied for table nats_publish_summary → GRANT SELECT ON nats_publish_summary TO"),
        "{:?}",
        seen.panels
    );
    let view = watch.see(&rig, &seen);
    assert!(view.webhooks.iter().all(|row| row.subject.is_none()));
    assert!(view.panels_off.iter().any(|(panel, _)| *panel == Panel::Published));
}

#[tokio::test]
async fn failed_calls_of_the_queue_stand_in_for_a_view_that_is_not_there() {
    let (_cluster, mut admin, mut rig) = rig("no_view").await;
    make(&mut admin, &["rule_webhook_calls", "rule_webhooks"]).await;
    run(
        &mut admin,
        "UPDATE rule_webhook_calls SET status = 'failed', error_message = NULL, response_status = 502 WHERE call_id = 201;
         UPDATE rule_webhook_calls SET status = 'failed', error_message = 'POST https://u:p@h/s3cr3t: timeout', webhook_id = 4711 WHERE call_id = 202;
         GRANT SELECT ON rule_webhook_calls, rule_webhooks TO no_view",
    )
    .await;
    let seen = rig.read().await;
    let failures = |seen: &Seen, panel: Panel| -> Vec<(String, String)> {
        let of_panel = seen.outbound.iter().find(|reading| reading.panel == panel);
        let Some(OutboundRows::Failures(rows)) = of_panel.map(|reading| &reading.rows) else {
            return Vec::new();
        };
        let mut told: Vec<(String, String)> = rows
            .iter()
            .map(|row| (row.name.to_string(), row.error.clone()))
            .collect();
        told.sort();
        told.dedup();
        told
    };
    let told = failures(&seen, Panel::FailedCalls);
    assert!(
        told.contains(&("webhook 4711".to_owned(), "POST https://•••@h/••• timeout".to_owned())),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|(name, error)| !name.starts_with("webhook ") && error == "HTTP 502"),
        "{told:?}"
    );
    // The view is not missed: what it would say is there, and its own table is named.
    assert!(
        problems(&seen).iter().all(|(panel, _)| *panel != Panel::CallFailures),
        "{seen:?}"
    );
    let mut watch = Watch::new(&rig);
    let view = watch.see(&rig, &seen);
    assert!(
        view.failures
            .iter()
            .any(|group| &*group.relation == "rule_webhook_calls" && group.kind == "HTTP ‹n›"),
        "{:?}",
        view.failures
    );
    // Without the right to the texts there is nothing to stand in.
    run(
        &mut admin,
        "REVOKE SELECT ON rule_webhook_calls FROM no_view; GRANT SELECT (webhook_id, status) ON rule_webhook_calls TO no_view",
    )
    .await;
    let seen = rig.read_after(Duration::from_secs(31)).await;
    let missed = problems(&seen);
    assert!(
        missed.contains(&(Panel::CallFailures, "relation webhook_recent_failures does not exist")),
        "{missed:?}"
    );
    // The view comes: it is read, and nothing is told twice.
    make(&mut admin, &["webhook_recent_failures"]).await;
    run(
        &mut admin,
        "GRANT SELECT ON webhook_recent_failures, rule_webhook_calls TO no_view",
    )
    .await;
    let seen = rig.read_after(Duration::from_secs(31)).await;
    assert!(
        seen.outbound.iter().any(|reading| reading.panel == Panel::CallFailures),
        "{seen:?}"
    );
    assert!(seen.outbound.iter().all(|reading| reading.panel != Panel::FailedCalls));
    let view = watch.see(&rig, &seen);
    assert!(
        view.failures
            .iter()
            .all(|group| &*group.relation != "rule_webhook_calls")
    );
}

#[tokio::test]
async fn a_pipeline_that_publishes_from_postgres_does_not_miss_the_tables_of_the_other_kind() {
    let (_cluster, mut admin, mut rig) = publishing("publishing_only").await;
    run(&mut admin, "DROP TABLE webhook_counters, webhook_workers").await;
    let seen = rig.read().await;
    assert!(
        seen.panels.iter().all(|(_, problem)| problem.is_none()),
        "{:?}",
        seen.panels
    );
    assert!(seen.database.is_some() && seen.outbound.len() == 9);
    let mut watch = Watch::new(&rig);
    assert_eq!(watch.see(&rig, &seen).panels_off, []);
    // Tables that come are read, and missed when they go.
    run(
        &mut admin,
        "CREATE TABLE webhook_counters (provider text, rows_written bigint, skipped bigint)",
    )
    .await;
    let seen = rig.read_after(Duration::from_secs(31)).await;
    assert!(
        seen.panels.iter().any(|(panel, problem)| *panel == Panel::Counters
            && problem.as_deref().is_some_and(|said| said.contains("GRANT SELECT"))),
        "one that is there and forbidden is said: {:?}",
        seen.panels
    );
}

#[tokio::test]
async fn neither_kind_says_what_is_missing() {
    let (_cluster, mut admin, mut rig) = rig("neither_kind").await;
    run(&mut admin, "DROP TABLE webhook_counters, webhook_workers").await;
    let seen = rig.read().await;
    let off: Vec<Panel> = seen
        .panels
        .iter()
        .filter(|(_, problem)| problem.is_some())
        .map(|(panel, _)| *panel)
        .collect();
    assert_eq!(off, [Panel::Counters, Panel::Heartbeats]);
}

#[tokio::test]
async fn a_pipeline_of_the_other_kind_is_told_nothing_of_these() {
    let (_cluster, _admin, mut rig) = rig("other_kind").await;
    let seen = rig.read().await;
    assert!(problems(&seen).is_empty() && seen.outbound.is_empty());
}

#[tokio::test]
async fn relations_are_found_outside_the_search_path_too() {
    let (_cluster, mut admin, mut rig) = rig("elsewhere").await;
    make(&mut admin, &["nats_publish_summary"]).await;
    run(
        &mut admin,
        r#"CREATE SCHEMA "app ""x"; ALTER TABLE nats_publish_summary SET SCHEMA "app ""x"; GRANT USAGE ON SCHEMA "app ""x" TO elsewhere;
           GRANT SELECT ON "app ""x".nats_publish_summary TO elsewhere; CREATE SCHEMA closed; CREATE TABLE closed.rule_webhooks (webhook_id int, webhook_name text)"#,
    )
    .await;
    let seen = rig.read().await;
    assert_eq!(seen.outbound.len(), 1);
    let off = problems(&seen);
    assert!(
        off.iter().any(|(panel, said)| *panel == Panel::Webhooks
            && *said == "permission denied for schema closed → GRANT USAGE ON SCHEMA \"closed\" TO \"elsewhere\"; GRANT SELECT ON \"closed\".\"rule_webhooks\" TO \"elsewhere\""),
        "{off:?}"
    );
}

#[tokio::test]
async fn views_that_fail_or_hang_hurt_nothing_else() {
    let (cluster, mut admin, mut rig) = rig("broken_views").await;
    make(&mut admin, &["nats_recent_failures"]).await;
    run(
        &mut admin,
        "CREATE VIEW nats_publish_summary AS SELECT 'a'::text AS webhook_name, 1 / (random() * 0)::int AS total_published;
         CREATE VIEW webhook_status_summary AS SELECT 'a'::text AS webhook_name, 1 AS total_calls FROM pg_sleep(60);
         CREATE VIEW rule_nats_consumer_stats AS SELECT 'w'::text AS consumer_name, 'soon'::text AS last_active_at;
         GRANT SELECT ON nats_publish_summary, webhook_status_summary, rule_nats_consumer_stats, nats_recent_failures TO broken_views",
    )
    .await;
    let mut link = cluster.link("broken_views", "broken_views");
    link.statement_timeout = Duration::from_millis(200);
    rig.source = Postgres::new(&link);
    let seen = rig.read().await;
    let off = problems(&seen);
    let of = |panel: Panel| off.iter().find(|(off, _)| *off == panel).unwrap().1;
    assert_eq!(of(Panel::Published), "division by zero");
    assert!(
        of(Panel::CallStatus).starts_with("no answer within 200 ms → raise postgres.statement_timeout"),
        "{off:?}"
    );
    assert!(
        of(Panel::ConsumerStats).contains("rule_nats_consumer_stats wants the columns stream_name, consumer_name"),
        "{off:?}"
    );
    assert!(
        seen.outbound
            .iter()
            .any(|reading| reading.panel == Panel::PublishFailures)
    );
    assert!(seen.database.is_some());
    // They are not asked again at once.
    let seen = rig.read_after(PERIOD).await;
    assert!(seen.panels.is_empty() && seen.database.is_some());
}

#[tokio::test]
async fn rows_are_bounded_names_are_cut_and_what_is_left_out_is_counted() {
    let (_cluster, mut admin, mut rig) = rig("hostile_rows").await;
    make(
        &mut admin,
        &["nats_publish_summary", "nats_recent_failures", "rule_webhook_calls"],
    )
    .await;
    run(
        &mut admin,
        "TRUNCATE nats_publish_summary, nats_recent_failures, rule_webhook_calls;
         INSERT INTO nats_publish_summary (webhook_name, subject, total_published, failed, avg_latency_ms)
             SELECT repeat('x', 10000) || n, E'e\\x1b[31mvil\\u202e' || n, n, 0, 'NaN' FROM generate_series(1, 100000) AS n;
         INSERT INTO nats_recent_failures (webhook_name, error_message, published_at)
             SELECT 'w' || n, E'\\x1b]0;owned\\x07 ' || repeat('e', 10000) || n, now() FROM generate_series(1, 5000) AS n;
         INSERT INTO rule_webhook_calls (call_id, payload, status, webhook_id) SELECT n, '{}', 'status' || n, n FROM generate_series(1, 20000) AS n;
         GRANT SELECT ON nats_publish_summary, nats_recent_failures, rule_webhook_calls TO hostile_rows",
    )
    .await;
    let mut watch = Watch::new(&rig);
    let mut all = rig.read().await;
    for _ in 0..3 {
        let more = rig.read().await;
        all.outbound.extend(more.outbound);
        all.envelopes.extend(more.envelopes);
    }
    for reading in &all.outbound {
        let size = serde_json::to_string(reading).unwrap().len();
        assert!(size < 1_000_000, "{:?}: {size}", reading.panel);
    }
    let view = watch.see(&rig, &all);
    assert_eq!(view.webhooks.iter().filter(|row| row.subject.is_some()).count(), 1_000);
    assert_eq!(view.webhooks_left_out, 99_000);
    assert_eq!(view.failures_left_out, 4_800);
    // The longest queues of the table are shown: two names that begin alike stay two.
    let names: std::collections::BTreeSet<_> = view.webhooks.iter().map(|row| (&row.name, &row.subject)).collect();
    assert_eq!(names.len(), view.webhooks.len());
    for row in &view.webhooks {
        assert!(crate::base::text::width(&row.name) <= 200);
        assert_eq!(crate::base::text::safe(&row.name), *row.name);
        assert_eq!(row.latency_avg_s.value, None);
    }
    for group in &view.failures {
        assert_eq!(crate::base::text::safe(&group.example), group.example);
        assert!(group.example.len() < 1_000);
    }
}

#[tokio::test]
async fn a_webhook_that_fails_now_is_a_verdict_and_one_that_failed_yesterday_is_none() {
    let (_cluster, mut admin, mut rig) = publishing("windowed").await;
    let mut watch = Watch::new(&rig);
    let raised = |view: &View| -> Vec<String> {
        let slow = view.verdicts.iter().filter(|verdict| &*verdict.id == "slow_webhook");
        slow.map(|verdict| verdict.text.clone()).collect()
    };
    // What was captured has failed for long: all of it, and none of it now.
    for _ in 0..4 {
        let seen = rig.read_after(Duration::from_secs(5)).await;
        assert_eq!(raised(watch.see(&rig, &seen)), Vec::<String>::new());
    }
    for _ in 0..4 {
        run(
            &mut admin,
            "UPDATE nats_publish_summary SET total_published = total_published + 10, successful = successful + 5, failed = failed + 5 WHERE webhook_name = 'order_processing';
             UPDATE nats_publish_summary SET total_published = total_published + 10, successful = successful + 10,
                 avg_latency_ms = round((avg_latency_ms * total_published + 10 * 150.0) / (total_published + 10), 2) WHERE webhook_name = 'slack_notifications'",
        )
        .await;
        let seen = rig.read_after(Duration::from_secs(5)).await;
        watch.see(&rig, &seen);
    }
    for _ in 0..6 {
        let seen = rig.read_after(Duration::from_secs(1)).await;
        watch.see(&rig, &seen);
    }
    let view = watch.model.view();
    assert_eq!(
        raised(view),
        [
            "Only 50.0 % of order_processing → webhooks.orders succeeds",
            "slack_notifications → webhooks.slack takes 150 ms on average"
        ]
    );
    // It gets well: the verdict goes, though the view's own ratio stays bad.
    for _ in 0..24 {
        run(
            &mut admin,
            "UPDATE nats_publish_summary SET total_published = total_published + 10, successful = successful + 10 WHERE webhook_name = 'order_processing'",
        )
        .await;
        let seen = rig.read_after(Duration::from_secs(5)).await;
        watch.see(&rig, &seen);
    }
    assert_eq!(raised(watch.model.view()), Vec::<String>::new());
}
