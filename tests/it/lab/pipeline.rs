//! The whole pipeline in a lab: a load goes through, faults come and go.

use std::path::Path;
use std::time::Duration;

use hookwatch::act::fire::Limit;
use hookwatch::base::time::SystemClock;
use hookwatch::lab::guard::Signal;
use hookwatch::lab::scenario::{Fault, Phase, Scenario, What};
use hookwatch::lab::{DATABASE, Faults, LOCKER, Lab, Options, play};
use sqlx::Connection as _;
use tokio_util::sync::CancellationToken;

use super::{folder, is_empty, options};
use crate::support::{self, count, traffic};

/// A lab with one gateway and two workers.
async fn pipeline(folder: &Path) -> Lab {
    let base = options(folder);
    Lab::up(Options::pipeline(base.program, base.environment, 2))
        .await
        .unwrap()
}

fn fault(what: What, target: Option<&str>, value: Option<Duration>) -> Fault {
    Fault {
        at: Duration::ZERO,
        what,
        target: target.map(str::to_owned),
        value,
        lasts: None,
    }
}

/// The rows of a table, read anew until there are `wanted` of them.
async fn rows(lab: &Lab, table: &str, wanted: u64) {
    let mut connection = lab.connect_postgres(DATABASE).await.unwrap();
    let query = format!("SELECT count(*) FROM {table}");
    let mut seen = 0;
    for _ in 0..1_500 {
        seen = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(query.as_str()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if u64::try_from(seen).unwrap() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{seen} rows in {table}, not {wanted}");
}

#[tokio::test]
async fn every_webhook_of_a_load_becomes_a_row_or_a_dead_letter() {
    let folder = folder();
    let lab = pipeline(folder.path()).await;
    let mut mixed = traffic(1_000.0);
    mixed.poison = 0.02;
    mixed.variants = [("wrong-signature".to_owned(), 0.05)].into();
    let load = lab.load(mixed, 7, count(2_000), SystemClock::shared()).unwrap();
    let summary = load.finished().await.unwrap();
    assert_eq!((summary.answered, summary.failed), (2_000, 0));
    assert_eq!(summary.statuses.keys().copied().collect::<Vec<_>>(), [200, 401]);
    let poisoned: u64 = summary
        .parts
        .iter()
        .filter(|p| p.poison.is_some())
        .map(|p| p.outcomes.fired)
        .sum();
    assert!(poisoned > 0);
    rows(&lab, "webhook_events", summary.accepted - poisoned).await;
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let topology = lab.topology().unwrap();
    for _ in 0..1_500 {
        let letters = context
            .get_stream(&topology.dlq)
            .await
            .unwrap()
            .cached_info()
            .state
            .messages;
        let waiting = context
            .get_stream(&topology.stream)
            .await
            .unwrap()
            .cached_info()
            .state
            .messages;
        if (letters, waiting) == (poisoned, 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let letters = context.get_stream(&topology.dlq).await.unwrap();
    assert_eq!(letters.cached_info().state.messages, poisoned);
    lab.down().await.unwrap();
    assert!(is_empty(folder.path()));
    assert_eq!(support::processes_with(folder.path()), []);
}

#[tokio::test]
async fn a_profile_of_the_lab_names_all_its_parts() {
    let folder = folder();
    let lab = pipeline(folder.path()).await;
    let profile = lab.profile("demo").unwrap();
    assert_eq!(&*profile.name, "demo");
    let targets: Vec<_> = profile
        .targets
        .iter()
        .map(|target| (&*target.name, target.url.as_str()))
        .collect();
    let metrics = lab.metrics();
    let expected: Vec<_> = metrics
        .iter()
        .map(|(name, url)| (name.as_str(), url.as_str()))
        .collect();
    assert_eq!(targets, expected);
    assert_eq!(
        expected.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["gateway", "worker-1", "worker-2"]
    );
    assert_eq!(profile.pipeline.stream.as_deref(), Some("webhooks"));
    assert_eq!(profile.pipeline.consumer.as_deref(), Some("webhook-workers"));
    assert_eq!(profile.pipeline.dlq.as_deref(), Some("webhooks_dlq"));
    let nats = profile.nats.unwrap();
    assert_eq!(nats.servers, [lab.nats_url().unwrap()]);
    assert_eq!(nats.monitoring, Some(lab.monitoring_url().unwrap()));
    assert!(profile.postgres.unwrap().shown.contains("/webhooks"));
    lab.down().await.unwrap();
}

#[tokio::test]
async fn parts_come_and_go_on_their_own_ports() {
    let folder = folder();
    let mut lab = pipeline(folder.path()).await;
    let before = lab.metrics();
    assert_eq!(
        lab.stop("worker-1").await.unwrap().code,
        Some(0),
        "it drains and exits in order"
    );
    assert_eq!(lab.kill("worker-2").await.unwrap().signal, Some(9));
    lab.kill("gateway").await.unwrap();
    for name in ["worker-1", "worker-2", "gateway"] {
        lab.start(name).await.unwrap();
        lab.ready(name).await.unwrap();
    }
    assert_eq!(lab.metrics(), before);
    let own = [("WEBHOOK_BATCH_SIZE".to_owned(), "10".to_owned())].into();
    lab.start_worker("worker-9", own).await.unwrap();
    lab.ready("worker-9").await.unwrap();
    assert_eq!(lab.metrics().len(), 4);
    lab.signal("worker-9", Signal::Stop).unwrap();
    lab.down().await.unwrap();
    assert!(is_empty(folder.path()), "a worker that stands still is ended, too");
}

#[tokio::test]
async fn faults_begin_and_end() {
    let folder = folder();
    let lab = pipeline(folder.path()).await;
    let mut faults = Faults::default();
    let mut database = lab.connect_postgres(DATABASE).await.unwrap();

    let slow = fault(What::SlowDatabase, None, Some(Duration::from_millis(300)));
    faults.begin(&lab, &slow).await.unwrap();
    sqlx::query("UPDATE webhook_recipients SET webhooks = webhooks")
        .execute(&mut database)
        .await
        .unwrap();
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname = 'lab_slow'";
    let triggers = async |connection: &mut sqlx::PgConnection| {
        sqlx::query_scalar::<_, i64>(triggers)
            .fetch_one(connection)
            .await
            .unwrap()
    };
    assert_eq!(triggers(&mut database).await, 1);
    faults.end(&lab, &slow).await.unwrap();
    assert_eq!(triggers(&mut database).await, 0);

    let locked = fault(What::LockDatabase, None, None);
    faults.begin(&lab, &locked).await.unwrap();
    let holder: String = sqlx::query_scalar(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE l.mode = 'ShareRowExclusiveLock' AND l.granted",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert_eq!(holder, LOCKER);
    faults.end(&lab, &locked).await.unwrap();
    sqlx::query("LOCK TABLE webhook_recipients IN SHARE ROW EXCLUSIVE MODE NOWAIT")
        .execute(&mut *database.begin().await.unwrap())
        .await
        .unwrap();

    let wrong = fault(What::AckWait, None, Some(Duration::from_micros(30)));
    let context = async_nats::jetstream::new(lab.connect().await.unwrap());
    let topology = lab.topology().unwrap();
    let ack_wait = async || {
        let stream = context.get_stream(&topology.stream).await.unwrap();
        stream.consumer_info(&topology.consumer).await.unwrap().config.ack_wait
    };
    faults.begin(&lab, &wrong).await.unwrap();
    assert_eq!(ack_wait().await, Duration::from_micros(30));
    faults.end(&lab, &wrong).await.unwrap();
    assert_eq!(ack_wait().await, topology.ack_wait);

    for target in ["postgres", "nats", "worker-1", "gateway"] {
        for what in [What::Kill, What::Stop] {
            let gone = fault(what, Some(target), None);
            faults.begin(&lab, &gone).await.unwrap();
            assert!(faults.begin(&lab, &gone).await.is_err(), "{target} is away already");
            faults.end(&lab, &gone).await.unwrap();
        }
    }
    lab.down().await.unwrap();
}

#[tokio::test]
async fn a_scenario_is_played_at_its_times_and_stops_when_told_to() {
    let source = r#"
        name = "short"
        summary = "One worker dies and comes back."
        for = "3s"
        workers = 1
        [topology]
        ack_wait = "1s"
        [[load]]
        rate = 200
        [[load]]
        at = "1s"
        rate = 0
        [[fault]]
        at = "300ms"
        what = "kill"
        target = "worker-1"
        for = "400ms"
    "#;
    let scenario = Scenario::parse("short.toml", source).unwrap();
    let folder = folder();
    let base = options(folder.path());
    let lab = Lab::up(Options::scenario(base.program, base.environment, &scenario))
        .await
        .unwrap();
    assert_eq!(lab.topology().unwrap().ack_wait, Duration::from_secs(1));
    let stop = CancellationToken::new();
    let summary = play(&lab, &scenario, SystemClock::shared(), &stop)
        .await
        .unwrap()
        .unwrap();
    // 200, and 600 without the pause: a slow machine pauses late, and may not send all that was due.
    assert!((50..450).contains(&summary.sent), "{summary:?}");
    assert_eq!(summary.accepted, summary.sent);
    rows(&lab, "webhook_events", summary.accepted).await;
    stop.cancel();
    let again = play(&lab, &scenario, SystemClock::shared(), &stop).await.unwrap();
    assert!(again.is_none(), "nothing was begun");
    lab.down().await.unwrap();
}

#[tokio::test]
async fn a_load_changes_while_it_runs() {
    let folder = folder();
    let lab = pipeline(folder.path()).await;
    let mut load = lab
        .load(traffic(0.0), 1, Limit::default(), SystemClock::shared())
        .unwrap();
    let mut progress = load.progress();
    progress.changed().await.unwrap();
    assert_eq!(progress.borrow().outcomes.fired, 0, "a rate of 0 is a pause");
    let change = Phase {
        rate: Some(500.0),
        providers: Some([("resend".to_owned(), 1.0)].into()),
        ..Phase::default()
    };
    load.change(&change).unwrap();
    progress
        .wait_for(|progress| progress.outcomes.accepted() >= 100)
        .await
        .unwrap();
    let wrong = Phase {
        rate: Some(-1.0),
        ..Phase::default()
    };
    assert!(load.change(&wrong).is_err());
    assert_eq!(load.traffic().rate.to_string(), "500");
    let summary = load.stop().await.unwrap();
    assert!(summary.stopped);
    assert!(summary.parts.iter().all(|part| part.template.starts_with("resend.")));
    lab.down().await.unwrap();
}
