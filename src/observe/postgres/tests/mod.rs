//! The source against real Postgres servers, well and ill.

mod cluster;
mod outbound;
mod refusals;

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use rustix::process::Signal;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::cluster::{Cluster, link, run};
use super::*;
use crate::base::secret::Redactor;
use crate::base::time::{ManualClock, SystemClock, Timestamp};
use crate::observe::supervise;
use crate::sample::Panel;
use crate::sample::{CounterReading, DatabaseReading, Envelope, HeartbeatReading, OutboundReading, SourceState};

/// A source with somewhere to put its samples, on a clock that moves when told.
struct Rig {
    source: Postgres,
    outlet: Outlet,
    samples: mpsc::Receiver<Envelope>,
    clock: Arc<ManualClock>,
}

/// What one reading saw.
#[derive(Debug, Default)]
struct Seen {
    counters: Option<CounterReading>,
    heartbeats: Option<HeartbeatReading>,
    database: Option<DatabaseReading>,
    outbound: Vec<OutboundReading>,
    envelopes: Vec<Envelope>,
    panels: Vec<(Panel, Option<String>)>,
}

impl Seen {
    /// The one problem that was told.
    fn problem(&self) -> &str {
        match &self.panels[..] {
            [(_, Some(problem))] => problem,
            other => panic!("{other:?}"),
        }
    }
}

impl Rig {
    fn new(link: &PostgresLink) -> Self {
        let source = Postgres::new(link);
        let (sender, samples) = mpsc::channel(64);
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let outlet = Outlet::new(sender, "test".into(), source.id(), clock.clone(), Redactor::default());
        Self {
            source,
            outlet,
            samples,
            clock,
        }
    }

    async fn try_read(&mut self) -> Result<Seen, SourceError> {
        self.source.read(&mut self.outlet).await?;
        let mut seen = Seen::default();
        while let Ok(envelope) = self.samples.try_recv() {
            seen.envelopes.push(envelope.clone());
            match envelope.sample {
                Sample::Outbound(reading) => seen.outbound.push(*reading),
                Sample::Counters(counters) => seen.counters = Some(counters),
                Sample::Heartbeats(heartbeats) => seen.heartbeats = Some(heartbeats),
                Sample::Database(database) => seen.database = Some(*database),
                Sample::Panel(panel) => seen.panels.push((panel.panel, panel.problem)),
                other => panic!("unexpected {other:?}"),
            }
        }
        Ok(seen)
    }

    async fn read(&mut self) -> Seen {
        self.try_read().await.unwrap()
    }

    async fn refusal(&mut self) -> String {
        self.try_read().await.unwrap_err().to_string()
    }

    async fn read_after(&mut self, time: Duration) -> Seen {
        self.clock.advance(time);
        self.read().await
    }
}

/// A database of this name on the shared server, its superuser's session, and a source that
/// reads it with no more rights than it needs.
async fn rig(name: &str) -> (Arc<Cluster>, PgConnection, Rig) {
    let cluster = Cluster::shared();
    let admin = cluster.database(name).await;
    let rig = Rig::new(&cluster.link(name, name));
    (cluster, admin, rig)
}

fn counted(seen: &Seen) -> Vec<(&str, u64, u64)> {
    let providers = &seen.counters.as_ref().unwrap().providers;
    providers
        .iter()
        .map(|p| (&*p.provider, p.rows_written, p.skipped))
        .collect()
}

#[tokio::test]
async fn counters_are_summed_by_provider() {
    let (_cluster, mut admin, mut rig) = rig("sums").await;
    assert_eq!(counted(&rig.read().await), []);
    run(
        &mut admin,
        "INSERT INTO webhook_counters VALUES ('w-1', 'telnyx', 'a', 10, 1), ('w-2', 'telnyx', 'a', 20, 2), ('w-1', 'telnyx', 'b', 30, 3),
            ('w-1', 'resend', 'a', 9007199254740993, 0), ('w-1', E'e\\x1bvil \"\\\\', 'a', 1, 0)",
    )
    .await;
    let expected = [
        ("e\u{1b}vil \"\\", 1, 0),
        ("resend", 9_007_199_254_740_993, 0),
        ("telnyx", 60, 6),
    ];
    assert_eq!(counted(&rig.read().await), expected);
}

#[tokio::test]
async fn any_number_type_is_read() {
    let (_cluster, mut admin, mut rig) = rig("number_types").await;
    run(
        &mut admin,
        "ALTER TABLE webhook_counters ALTER rows_written TYPE numeric, ALTER skipped TYPE int4, ALTER provider TYPE varchar(20);
         ALTER TABLE webhook_workers ALTER processed TYPE numeric, ALTER last_seen_at TYPE timestamp;
         INSERT INTO webhook_counters VALUES ('w-1', 'telnyx', 'a', 12345678901.0, 7);
         INSERT INTO webhook_workers VALUES ('w-1', 'infinity', '2026-11-20 12:00:00', NULL, NULL, 42)",
    )
    .await;
    let seen = rig.read().await;
    assert_eq!(counted(&seen), [("telnyx", 12_345_678_901, 7)]);
    let worker = &seen.heartbeats.unwrap().workers[0];
    assert_eq!(worker.processed, Some(42));
    assert_eq!((worker.started, &worker.state, &worker.version), (None, &None, &None));
    assert_eq!(worker.last_seen.unwrap(), "2026-11-20T12:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn heartbeats_come_with_the_databases_own_time() {
    let (_cluster, mut admin, mut rig) = rig("heartbeats").await;
    run(
        &mut admin,
        "INSERT INTO webhook_workers VALUES ('w-2', now() - interval '1 h', now() - interval '7 s', '0.1.0', 'running', 1000), ('w-1', NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let heartbeats = rig.read().await.heartbeats.unwrap();
    let names: Vec<&str> = heartbeats.workers.iter().map(|worker| &*worker.worker).collect();
    assert_eq!(names, ["w-1", "w-2"]);
    assert_eq!(
        (heartbeats.workers[0].last_seen, heartbeats.workers[0].processed),
        (None, None)
    );
    let worker = &heartbeats.workers[1];
    let age = crate::base::time::since(worker.last_seen.unwrap(), heartbeats.now.unwrap());
    assert!((7..30).contains(&age.as_secs()), "{age:?}");
    assert_eq!(
        (worker.state.as_deref(), worker.version.as_deref(), worker.processed),
        (Some("running"), Some("0.1.0"), Some(1000))
    );
}

#[tokio::test]
async fn every_panel_is_told_once() {
    let (_cluster, _admin, mut rig) = rig("told_once").await;
    assert_eq!(rig.read().await.panels, PANELS.map(|panel| (panel.shown(), None)));
    let seen = rig.read().await;
    assert!(seen.panels.is_empty() && seen.counters.is_some() && seen.heartbeats.is_some() && seen.database.is_some());
}

#[tokio::test]
async fn a_role_without_pg_monitor_sees_unknowns_instead_of_too_little() {
    let (_cluster, mut admin, mut rig) = rig("no_monitor").await;
    run(&mut admin, "BEGIN").await;
    let health = rig.read().await.database.unwrap();
    assert!(
        health.version.starts_with(|c: char| c.is_ascii_digit()),
        "{}",
        health.version
    );
    assert!(health.started.is_some() && !health.in_recovery);
    assert_eq!(health.max_connections, Some(50));
    assert!(health.connections.unwrap() >= 2);
    assert!(health.hidden >= 1);
    assert_eq!(
        (health.active, health.idle_in_transaction, health.longest_transaction),
        (None, None, None)
    );
    assert!(health.commits.unwrap() > 0 && health.rollbacks.is_some() && health.deadlocks == Some(0));
    assert!(health.size.unwrap() > 1_000_000);
}

#[tokio::test]
async fn blocked_sessions_name_their_blocker() {
    // A server of its own: other tests' sessions would be counted.
    let cluster = Cluster::start("");
    let mut admin = cluster.database("blocking").await;
    run(
        &mut admin,
        "GRANT pg_monitor TO blocking; INSERT INTO webhook_workers VALUES ('w-1')",
    )
    .await;
    let mut rig = Rig::new(&cluster.link("blocking", "blocking"));
    let calm = rig.read().await.database.unwrap();
    assert_eq!(
        (calm.active, calm.idle_in_transaction, calm.longest_transaction),
        (Some(0), Some(0), Some(Duration::ZERO))
    );
    assert_eq!((calm.connections, calm.hidden), (Some(2), 0));
    assert!(calm.blocked.is_empty());

    run(
        &mut admin,
        "SET application_name = 'holder'; BEGIN; UPDATE webhook_workers SET state = 'x'",
    )
    .await;
    let mut waiting = cluster.admin("blocking").await;
    run(&mut waiting, "SET application_name = 'waiter'").await;
    let waiting = tokio::spawn(async move { run(&mut waiting, "UPDATE webhook_workers SET state = 'y'").await });
    let health = loop {
        let health = rig.read().await.database.unwrap();
        if !health.blocked.is_empty() {
            break health;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((health.active, health.idle_in_transaction), (Some(1), Some(1)));
    assert!(!health.longest_transaction.unwrap().is_zero());
    let blocked = &health.blocked[0];
    assert_eq!(
        (blocked.application.as_str(), blocked.blocking_application.as_str()),
        ("waiter", "holder")
    );
    assert_eq!(blocked.blocking_state, "idle in transaction");
    assert!(blocked.pid > 0 && blocked.blocking_pid > 0 && blocked.pid != blocked.blocking_pid);

    // Who has no right to look into sessions still learns who waits for whom.
    run(&mut cluster.admin("postgres").await, "REVOKE pg_monitor FROM blocking").await;
    let health = rig.read().await.database.unwrap();
    assert_eq!((health.active, health.hidden > 0), (None, true));
    assert_eq!(
        (health.blocked[0].pid, health.blocked[0].blocking_pid),
        (blocked.pid, blocked.blocking_pid)
    );
    run(&mut admin, "COMMIT").await;
    waiting.await.unwrap();
    assert!(rig.read().await.database.unwrap().blocked.is_empty());
}

#[rstest]
#[case::missing(
    "off_missing",
    "DROP TABLE webhook_counters",
    "CREATE TABLE webhook_counters (provider text, rows_written bigint, skipped bigint)",
    "relation \"webhook_counters\" does not exist → connect to the database that has it, or let a worker create it"
)]
#[case::right(
    "off_right",
    "REVOKE SELECT ON webhook_counters FROM off_right",
    "",
    "permission denied for table webhook_counters → GRANT SELECT ON webhook_counters TO \"off_right\""
)]
#[case::column(
    "off_column",
    "ALTER TABLE webhook_counters RENAME skipped TO skips",
    "ALTER TABLE webhook_counters RENAME skips TO skipped",
    "column \"skipped\" does not exist → webhook_counters wants the columns provider text, rows_written bigint, skipped bigint"
)]
#[case::type_of_column(
    "off_type",
    "ALTER TABLE webhook_counters ALTER rows_written DROP DEFAULT, ALTER rows_written TYPE boolean USING true",
    "ALTER TABLE webhook_counters ALTER rows_written TYPE bigint USING 1",
    "cannot cast type boolean to numeric → webhook_counters wants the columns provider text"
)]
#[case::not_a_number(
    "off_text",
    "ALTER TABLE webhook_counters ALTER rows_written TYPE text USING 'many'",
    "UPDATE webhook_counters SET rows_written = '7'",
    "invalid input syntax for type numeric: \"many\" → webhook_counters wants the columns"
)]
#[case::negative(
    "off_negative",
    "UPDATE webhook_counters SET skipped = -1",
    "UPDATE webhook_counters SET skipped = 1",
    "a counter is unknown or below 0"
)]
#[case::search_path(
    "off_path",
    "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO public; ALTER TABLE webhook_counters SET SCHEMA app",
    "ALTER TABLE app.webhook_counters SET SCHEMA public",
    "webhook_counters is in schema app, which is not in the search_path → ALTER ROLE \"off_path\" SET search_path = \"app\", public"
)]
#[case::schema_right(
    "off_schema",
    "CREATE SCHEMA \"A b\"; ALTER TABLE webhook_counters SET SCHEMA \"A b\"",
    "ALTER TABLE \"A b\".webhook_counters SET SCHEMA public",
    "webhook_counters is in schema A b, which this role may not enter → GRANT USAGE ON SCHEMA \"A b\" TO \"off_schema\""
)]
#[tokio::test]
async fn a_panel_that_cannot_be_read_is_off_alone_and_on_again_when_it_can(
    #[case] name: &str,
    #[case] damage: &str,
    #[case] repair: &str,
    #[case] problem: &str,
) {
    let (_cluster, mut admin, mut rig) = rig(name).await;
    run(
        &mut admin,
        "INSERT INTO webhook_counters VALUES ('w-1', 'telnyx', 'a', 10, 1)",
    )
    .await;
    assert!(rig.read().await.counters.is_some());
    run(&mut admin, damage).await;
    let seen = rig.read_after(PERIOD).await;
    assert!(seen.problem().starts_with(problem), "{}", seen.problem());
    assert_eq!(seen.panels[0].0, Panel::Counters);
    assert!(seen.counters.is_none() && seen.heartbeats.is_some() && seen.database.is_some());

    // Off for 30 s: neither asked nor told again, and the others go on in one statement.
    let seen = rig.read_after(Duration::from_secs(28)).await;
    assert!(seen.counters.is_none() && seen.panels.is_empty() && seen.heartbeats.is_some());
    let seen = rig.read_after(Duration::from_secs(2)).await;
    assert!(seen.counters.is_none() && seen.panels.is_empty() && seen.heartbeats.is_some());

    run(&mut admin, repair).await;
    run(
        &mut admin,
        &format!("GRANT SELECT ON webhook_counters, webhook_workers TO {name}"),
    )
    .await;
    let seen = rig.read_after(Duration::from_secs(30)).await;
    assert_eq!(seen.panels, [(Panel::Counters, None)]);
    assert!(seen.counters.is_some());
    assert!(rig.read_after(PERIOD).await.counters.is_some());
}

#[tokio::test]
async fn a_locked_table_switches_off_its_panel_for_a_moment() {
    let (_cluster, mut admin, mut rig) = rig("locked").await;
    rig.read().await;
    run(&mut admin, "BEGIN; LOCK TABLE webhook_workers").await;
    let seen = rig.read_after(PERIOD).await;
    assert_eq!(
        seen.problem(),
        "webhook_workers is locked by another session → wait, or look for it in pg_locks"
    );
    assert!(seen.counters.is_some() && seen.database.is_some());
    run(&mut admin, "COMMIT").await;
    let seen = rig.read_after(Duration::from_secs(3)).await;
    assert_eq!(seen.panels, [(Panel::Heartbeats, None)]);
}

#[tokio::test]
async fn a_slow_panel_is_off_alone() {
    let (cluster, mut admin, _) = rig("slow_panel").await;
    run(
        &mut admin,
        "ALTER TABLE webhook_counters RENAME TO real_counters;
         CREATE VIEW webhook_counters AS SELECT real_counters.* FROM real_counters, (SELECT FROM pg_sleep(10)) AS slow;
         GRANT SELECT ON webhook_counters TO slow_panel",
    )
    .await;
    let mut link = cluster.link("slow_panel", "slow_panel");
    link.statement_timeout = Duration::from_millis(200);
    let mut rig = Rig::new(&link);
    let seen = rig.read().await;
    let problem = seen
        .panels
        .iter()
        .find_map(|(panel, problem)| (*panel == Panel::Counters).then_some(problem.as_deref()));
    assert_eq!(
        problem.flatten(),
        Some("no answer within 200 ms → raise postgres.statement_timeout, or look at what slows the server down")
    );
    assert!(seen.counters.is_none() && seen.heartbeats.is_some() && seen.database.is_some());
}

#[tokio::test]
async fn all_panels_off_is_still_a_connection() {
    let (_cluster, mut admin, mut rig) = rig("all_off").await;
    run(
        &mut admin,
        "DROP TABLE webhook_counters, webhook_workers; REVOKE SELECT ON pg_stat_database FROM public",
    )
    .await;
    let seen = rig.read().await;
    let health = seen.panels.iter().find(|(panel, _)| *panel == Panel::Health).unwrap();
    assert_eq!(
        health.1.as_deref(),
        Some("permission denied for view pg_stat_database → GRANT pg_monitor TO \"all_off\"")
    );
    assert_eq!(seen.panels.iter().filter(|(_, problem)| problem.is_some()).count(), 3);
    let seen = rig.read_after(PERIOD).await;
    assert!(seen.panels.is_empty() && seen.database.is_none());
}

#[tokio::test]
async fn nothing_can_be_written_through_a_session() {
    let (cluster, mut admin, _) = rig("read_only").await;
    // Even where the role could.
    run(
        &mut admin,
        "GRANT ALL ON webhook_counters, webhook_workers TO read_only; CREATE SEQUENCE s; GRANT ALL ON s TO read_only",
    )
    .await;
    for bare in [false, true] {
        let mut access = Access::new(&cluster.link("read_only", "read_only")).unwrap();
        access.bare = bare;
        let mut session = access.open().await.unwrap();
        for statement in [
            "INSERT INTO webhook_workers VALUES ('intruder') RETURNING 'done'",
            "DELETE FROM webhook_workers RETURNING 'done'",
            "SELECT nextval('s')::text",
            "SELECT set_config('transaction_read_only', 'off', true)",
        ] {
            match session.ask(statement).await {
                Err(Failure::Answered(error)) => {
                    let said = error.to_string();
                    assert!(
                        said.contains("read-only transaction") || said.contains("read-write mode"),
                        "{said}"
                    );
                }
                other => panic!("{statement}: {other:?}"),
            }
        }
        // Nothing is left behind in the session.
        let read_only = session
            .ask("SELECT current_setting('application_name'), current_setting('lock_timeout')")
            .await
            .unwrap();
        assert_eq!(read_only, [Some("hookwatch".to_owned()), Some("500ms".to_owned())]);
        session.ping().await.unwrap();
    }
    assert_eq!(
        Access::new(&cluster.link("a", "b"))
            .unwrap()
            .options()
            .get_options()
            .unwrap(),
        "-c default_transaction_read_only=on -c statement_timeout=1500 -c lock_timeout=500"
    );
}

#[tokio::test]
async fn watching_changes_nothing() {
    let (_cluster, mut admin, mut rig) = rig("unchanged").await;
    run(
        &mut admin,
        "INSERT INTO webhook_counters VALUES ('w-1', 'telnyx', 'a', 10, 1)",
    )
    .await;
    let changes = "SELECT pg_stat_force_next_flush(), tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = 'unchanged'";
    let mut written = async || {
        use sqlx::Row as _;
        // Statistics of our own session are flushed with the next statement.
        for _ in 0..2 {
            sqlx::raw_sql(changes).execute(&mut admin).await.unwrap();
        }
        sqlx::raw_sql(changes)
            .fetch_one(&mut admin)
            .await
            .unwrap()
            .get_unchecked::<String, _>(1)
    };
    let before = written().await;
    for _ in 0..5 {
        rig.read_after(PERIOD).await;
    }
    assert_eq!(written().await, before);
}

#[tokio::test]
async fn a_session_is_kept_and_one_is_enough() {
    let (_cluster, mut admin, mut rig) = rig("one_session").await;
    let pids = "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE application_name = 'hookwatch' AND usename = 'one_session'";
    let mut seen = Vec::new();
    for _ in 0..3 {
        use sqlx::Row as _;
        rig.read().await;
        seen.push(
            sqlx::raw_sql(pids)
                .fetch_one(&mut admin)
                .await
                .unwrap()
                .get_unchecked::<String, _>(0),
        );
    }
    assert!(
        seen.windows(2).all(|pair| pair[0] == pair[1]) && !seen[0].contains(','),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_server_that_stops_and_starts_again_is_found_again() {
    let mut cluster = Cluster::start("");
    let mut admin = cluster.database("restart").await;
    run(
        &mut admin,
        "INSERT INTO webhook_counters VALUES ('w-1', 'telnyx', 'a', 10, 1)",
    )
    .await;
    let mut rig = Rig::new(&cluster.link("restart", "restart"));
    let before = rig.read().await;
    cluster.stop();
    let said = rig.refusal().await;
    assert!(
        said.contains("terminating connection due to administrator command → is somebody restarting it?")
            || said.contains("it closed the connection"),
        "{said}"
    );
    assert_eq!(
        rig.refusal().await,
        "connect to postgres://db: connection refused → is Postgres up, and does it listen there?"
    );
    cluster.launch();
    let after = rig.read().await;
    assert_eq!(counted(&after), [("telnyx", 10, 1)]);
    assert!(after.panels.is_empty());
    assert!(after.database.unwrap().started > before.database.unwrap().started);
}

#[tokio::test]
async fn a_server_that_shuts_down_says_so() {
    let cluster = Cluster::start("");
    let _open = cluster.admin("postgres").await;
    // It waits for the open session, and lets nobody in meanwhile.
    cluster.signal(Signal::TERM);
    let mut rig = Rig::new(&cluster.link("test", "postgres"));
    let said = loop {
        match rig.try_read().await {
            Ok(_) => rig.source.session = None,
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(
        said,
        "connect to postgres://db: the database system is shutting down → wait: it comes back by itself"
    );
}

#[tokio::test]
async fn a_hung_server_is_reported_within_3_s_and_leaves_nothing_behind() {
    let cluster = Cluster::start("");
    let _admin = cluster.database("hung").await;
    let source = Postgres::new(&cluster.link("hung", "hung"));
    let (sender, mut samples) = mpsc::channel(64);
    let outlet = Outlet::new(
        sender,
        "test".into(),
        source.id(),
        SystemClock::shared(),
        Redactor::default(),
    );
    let stop = CancellationToken::new();
    let tasks = tokio::runtime::Handle::current().metrics();
    let before = tasks.num_alive_tasks();
    tokio::spawn(supervise(source, outlet, stop.clone()));
    let mut report = async |wanted: SourceState| loop {
        let envelope = samples.recv().await.unwrap();
        if let Sample::Report(report) = envelope.sample
            && report.state == wanted
        {
            break (envelope.mono, report.error);
        }
    };
    let (good, _) = report(SourceState::Ok).await;
    cluster.signal_all(Signal::STOP);
    let (failing, error) = report(SourceState::Failing).await;
    // Our limits (1.8 s, 2.8 s, a backoff of 2 s) keep the 3 s; a busy machine may add to them.
    let slack = Duration::from_secs(10);
    assert!(failing < good + Duration::from_secs(3) + slack, "{good:?} {failing:?}");
    assert!(error.unwrap().contains("no answer within 1.8 s → is the server hung"));
    // Neither does connecting to it take longer.
    let (again, error) = report(SourceState::Failing).await;
    assert!(
        again < failing + Duration::from_secs(4) + slack,
        "{failing:?} {again:?}"
    );
    assert!(
        error
            .unwrap()
            .starts_with("connect to postgres://db: no answer within 2.8 s")
    );
    assert_eq!(tasks.num_alive_tasks(), before + 1);
    cluster.signal_all(Signal::CONT);
    let (back, _) = report(SourceState::Ok).await;
    assert!(back < again + Duration::from_secs(3) + slack, "{again:?} {back:?}");
    stop.cancel();
}
