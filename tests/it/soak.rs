//! Long runs: nothing is lost and nothing is doubled, whatever stops meanwhile. Short in
//! `make test`, at full length in `make soak` (`HOOKWATCH_SOAK` set).

use std::time::Duration;

use hookwatch::act::fire::Limit;
use hookwatch::base::time::SystemClock;
use hookwatch::lab::{DATABASE, Lab, Load, Options, Traffic};
use sqlx::Connection as _;

use crate::lab::{folder, options};
use crate::support;
use crate::watcher::{Watcher, all_answer, is_settled, line, picture};

/// How long the pipeline may take to work off what waits.
const PATIENCE: Duration = Duration::from_mins(2);

fn is_long() -> bool {
    support::environment().contains_key("HOOKWATCH_SOAK")
}

/// Waits until `count` webhooks are answered.
async fn answered(load: &Load, count: u64) {
    let mut progress = load.progress();
    let enough = progress.wait_for(|progress| progress.outcomes.answered() >= count);
    tokio::time::timeout(PATIENCE, enough)
        .await
        .expect("the load goes on")
        .expect("the load has not ended");
}

async fn number(lab: &Lab, query: &'static str) -> u64 {
    let mut database = lab.connect_postgres(DATABASE).await.unwrap();
    let number: i64 = sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();
    u64::try_from(number).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_lose_and_double_nothing() {
    let (count, rate) = if is_long() {
        (100_000, 3_000.0)
    } else {
        (10_000, 1_000.0)
    };
    let folder = folder();
    let base = options(folder.path());
    let lab = Lab::up(Options::pipeline(base.program, base.environment, 2))
        .await
        .unwrap();
    let clock = SystemClock::shared();
    let mut watcher = Watcher::start(&lab.profile("soak").unwrap(), &clock);
    watcher.until("every source answers", PATIENCE, all_answer).await;
    let load = |seed, count| {
        let traffic = Traffic {
            rate,
            ..Traffic::default()
        };
        let limit = Limit {
            count: Some(count),
            duration: None,
        };
        lab.load(traffic, seed, limit, clock.clone()).unwrap()
    };

    let stormy = load(31, count * 4 / 5);
    answered(&stormy, count / 5).await;
    lab.stop_postgres().await.unwrap();
    answered(&stormy, count * 2 / 5).await;
    lab.start_postgres().await.unwrap();
    lab.kill("worker-1").await.unwrap();
    answered(&stormy, count * 3 / 5).await;
    lab.start("worker-1").await.unwrap();
    lab.stop_nats(true).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    lab.start_nats().await.unwrap();
    let stormy = stormy.finished().await.unwrap();
    println!("{:?}", stormy.statuses);
    lab.ready("gateway").await.unwrap();
    let calm = load(32, count / 5).finished().await.unwrap();

    watcher
        .until("everything is worked off, and the ledger says so", PATIENCE, |view| {
            view.flow.backlog.value == Some(0.0)
                && line(view, "received").left >= Some((stormy.answered + calm.answered) as f64)
                && is_settled(view)
        })
        .await;
    let rows = number(&lab, "SELECT count(*) FROM webhook_events").await;
    let written = number(&lab, "SELECT sum(rows_written)::bigint FROM webhook_counters").await;
    let reached = number(&lab, "SELECT sum(webhooks)::bigint FROM webhook_recipients").await;
    assert_eq!((written, reached), (rows, rows), "each webhook has had its effect once");
    assert!(
        stormy.accepted >= count * 3 / 5,
        "none is refused but for NATS: {stormy:?}"
    );
    assert_eq!(calm.accepted, count / 5, "none is refused after it: {calm:?}");
    // A webhook whose PubAck was lost with the connection was answered 503 and may be stored.
    let accepted = stormy.accepted + calm.accepted;
    assert!(
        (accepted..=count).contains(&rows),
        "{rows} rows of {accepted} accepted and {} unsure",
        count - accepted
    );
    for view in watcher.all() {
        assert!(
            view.verdicts.iter().all(|verdict| &*verdict.id != "loss"),
            "{}",
            picture(&view)
        );
    }
    lab.down().await.unwrap();
}
