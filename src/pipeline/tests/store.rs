//! A batch in the database.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::servers::Postgres;
use crate::base::time::{SystemClock, Timestamp};
use crate::pipeline::store::{self, Entry, Fate, Store, StoreError};

const CREATED: Timestamp = Timestamp::UNIX_EPOCH;

struct Database {
    _server: Arc<Postgres>,
    url: String,
}

impl Database {
    async fn new() -> Self {
        let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        let create = format!("CREATE DATABASE {name} STRATEGY file_copy");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .unwrap();
        Self {
            url: server.url(&name),
            _server: server,
        }
    }

    fn store(&self, worker: &str, timeout: Duration) -> Store {
        let options = store::options(&SecretString::from(self.url.clone()), worker).unwrap();
        Store::new(&options, (worker, 0), timeout, SystemClock::shared(), |_, _| {})
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn row(&self, query: &'static str) -> Vec<i64> {
        let row = sqlx::query(query)
            .fetch_one(&mut self.connection().await)
            .await
            .unwrap();
        (0..row.len())
            .map(|i| row.get::<Option<i64>, _>(i).unwrap_or(0))
            .collect()
    }

    async fn counters(&self) -> Vec<i64> {
        self.row("SELECT sum(rows_written)::int8, sum(skipped)::int8 FROM webhook_counters")
            .await
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

fn entry(id: &str, sequence: u64) -> Entry<'_> {
    Entry {
        id,
        provider: "resend",
        event: "email_sent",
        sequence,
        delivery: 1,
        received_at: Timestamp::UNIX_EPOCH,
        recipient: Some("a@b.example"),
        failure: None,
    }
}

#[tokio::test]
async fn each_message_is_counted_once_however_often_it_is_delivered() {
    let database = Database::new().await;
    let mut store = database.store("w-1", PATIENCE);
    let batch = [entry("a", 1), entry("b", 2), entry("a", 3)];
    let fates = store.write(CREATED, &batch).await.unwrap();
    assert_eq!(
        fates,
        [Fate::Written, Fate::Written, Fate::Skipped],
        "two messages, one webhook"
    );
    assert_eq!(database.counters().await, [2, 1]);

    // The acks were lost: the same messages come again, to another worker too.
    let mut other = database.store("w-2", PATIENCE);
    for store in [&mut store, &mut other] {
        let fates = store.write(CREATED, &batch).await.unwrap();
        assert_eq!(fates, [Fate::Known; 3]);
    }
    assert_eq!(database.counters().await, [2, 1], "nothing was counted again");

    // Another message with a known webhook, and the same sequence of a stream made anew.
    assert_eq!(store.write(CREATED, &[entry("b", 9)]).await.unwrap(), [Fate::Skipped]);
    let recreated = CREATED + Duration::from_secs(1);
    assert_eq!(store.write(recreated, &[entry("b", 2)]).await.unwrap(), [Fate::Skipped]);
    assert_eq!(database.counters().await, [2, 3]);
    assert_eq!(database.row("SELECT webhooks FROM webhook_recipients").await, [2]);
}

#[tokio::test]
async fn recipients_are_aggregated_before_they_are_updated() {
    let database = Database::new().await;
    let mut store = database.store("w-1", PATIENCE);
    for round in 0..3_u64 {
        let ids: Vec<String> = (0..50).map(|i| format!("{round}-{i}")).collect();
        let recipients: Vec<String> = (0..50).map(|i| format!("r{}", i % 7)).collect();
        let batch: Vec<Entry<'_>> = ids
            .iter()
            .zip(&recipients)
            .enumerate()
            .map(|(i, (id, recipient))| Entry {
                recipient: Some(recipient),
                received_at: CREATED + Duration::from_secs(i as u64),
                ..entry(id, round * 100 + i as u64 + 1)
            })
            .collect();
        store.write(CREATED, &batch).await.unwrap();
    }
    assert_eq!(
        database.row("SELECT count(*), sum(webhooks)::int8, max(extract(epoch FROM last_event_at))::int8 FROM webhook_recipients").await,
        [7, 150, 49]
    );
}

#[tokio::test]
async fn workers_that_share_recipients_neither_lose_updates_nor_wait_crosswise() {
    let database = Database::new().await;
    database.store("w-0", PATIENCE).connect().await.unwrap();
    let workers = (0..4_u64).map(|w| {
        let mut store = database.store(&format!("w-{w}"), PATIENCE);
        tokio::spawn(async move {
            for round in 0..25_u64 {
                let ids: Vec<String> = (0..40).map(|i| format!("{w}-{round}-{i}")).collect();
                // Every worker in an order of its own, new recipients in every round.
                let recipients: Vec<String> = (0..40)
                    .map(|i| format!("r{}", (i * (w + 3) + round) % (20 + round)))
                    .collect();
                let batch: Vec<Entry<'_>> = ids
                    .iter()
                    .zip(&recipients)
                    .zip(1..)
                    .map(|((id, recipient), i)| Entry {
                        recipient: Some(recipient),
                        ..entry(id, w * 100_000 + round * 100 + i)
                    })
                    .collect();
                while let Err(error) = store.write(CREATED, &batch).await {
                    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(
        database.row("SELECT sum(webhooks)::int8 FROM webhook_recipients").await,
        [4_000]
    );
    assert_eq!(database.counters().await, [4_000, 0]);
}

#[tokio::test]
async fn attempts_are_counted_by_delivery_and_forgotten_after_a_success() {
    let database = Database::new().await;
    let mut store = database.store("w-1", PATIENCE);
    let failed = |delivery| Entry {
        delivery,
        failure: Some("upstream timed out"),
        ..entry("a", 1)
    };
    for (delivery, attempts) in [(1, 1), (1, 1), (5, 2), (6, 3)] {
        let fates = store
            .write(CREATED, &[failed(delivery), entry("good", 2)])
            .await
            .unwrap();
        assert_eq!(fates[0], Fate::Failed { attempts }, "delivery {delivery}");
    }
    assert_eq!(database.counters().await, [1, 0], "the good one was written once");
    let success = Entry {
        delivery: 7,
        ..entry("a", 1)
    };
    assert_eq!(store.write(CREATED, &[success]).await.unwrap(), [Fate::Written]);
    assert_eq!(database.row("SELECT count(*) FROM webhook_attempts").await, [0]);
}

#[tokio::test]
async fn a_refused_value_is_told_apart_from_an_outage() {
    let database = Database::new().await;
    let mut store = database.store("w-1", Duration::from_millis(500));
    let nul = store.write(CREATED, &[entry("a\0b", 1)]).await.unwrap_err();
    assert!(matches!(nul, StoreError::Data(_)), "{nul:?}");
    assert_eq!(
        store.write(CREATED, &[entry("ab", 1)]).await.unwrap(),
        [Fate::Written],
        "it goes on"
    );

    let mut connection = database.connection().await;
    let mut lock = connection.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE webhook_events")
        .execute(&mut *lock)
        .await
        .unwrap();
    let slow = store.write(CREATED, &[entry("c", 3)]).await.unwrap_err();
    assert!(matches!(slow, StoreError::Outage(_)), "{slow:?}");
    lock.rollback().await.unwrap();
    assert_eq!(store.write(CREATED, &[entry("c", 3)]).await.unwrap(), [Fate::Written]);

    sqlx::raw_sql("DROP TABLE webhook_recipients")
        .execute(&mut connection)
        .await
        .unwrap();
    let missing = store.write(CREATED, &[entry("d", 4)]).await.unwrap_err();
    assert!(matches!(missing, StoreError::Outage(_)), "{missing:?}");
}

#[tokio::test]
async fn the_schema_can_be_applied_by_many_at_once_and_again() {
    let database = Database::new().await;
    let migrations = (0..8).map(|_| async {
        let mut connection = database.connection().await;
        store::migrate(&mut connection).await.unwrap();
        store::migrate(&mut connection).await.unwrap();
    });
    futures_util::future::join_all(migrations).await;
    assert_eq!(database.row("SELECT count(*) FROM webhook_workers").await, [0]);
}
