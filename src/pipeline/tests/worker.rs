//! What workers write, ack, give up and survive.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use sqlx::Row as _;

use super::servers::{Nats, Postgres};
use super::world::{Wire, World, email};
use crate::pipeline::topology::Topology;

/// For tests in which messages are delivered again after `ack_wait`.
fn impatient() -> Topology {
    Topology {
        ack_wait: Duration::from_secs(1),
        ..Topology::default()
    }
}

#[tokio::test]
async fn five_hundred_webhooks_are_written_once_each_by_two_workers() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    let first = world.worker("w-1", &[]).await;
    let second = world.worker("w-2", &[("WEBHOOK_BATCH_SIZE", "20")]).await;
    world.ready(&gateway).await;
    world.send_many(&gateway, "m", 500).await;
    world.send_many(&gateway, "m", 10).await;
    world.wait("all are written", async || world.rows().await == 500).await;
    world.balance(&[&gateway], &[&first, &second]).await;
    assert_eq!(
        world.number("SELECT sum(webhooks)::int8 FROM webhook_recipients").await,
        500
    );
    assert_eq!(world.page(&gateway).await.sum("webhook_duplicate_total", ""), 10);
    world
        .wait("both are seen at work", async || {
            let running = "SELECT count(*) FROM webhook_workers WHERE state = 'running'";
            world.number(running).await == 2
        })
        .await;
    first.stop().await;
    second.stop().await;
    gateway.stop().await;
    assert_eq!(
        world
            .number("SELECT count(*) FROM webhook_workers WHERE state = 'stopped'")
            .await,
        2
    );
    assert_eq!(
        world.number("SELECT sum(processed)::int8 FROM webhook_workers").await,
        500
    );
}

#[tokio::test]
async fn a_duplicate_that_outlived_the_window_is_skipped_and_counted() {
    let topology = Topology {
        duplicate_window: Duration::from_millis(100),
        ..Topology::default()
    };
    let world = World::with(topology).await;
    let gateway = world.gateway(&[]).await;
    let worker = world.worker("w-1", &[]).await;
    world.ready(&gateway).await;
    world.send_many(&gateway, "m", 20).await;
    // The server forgets ids in its own time.
    world
        .wait("the stream takes one again", async || {
            let body = email("a@b.example", None);
            let response = world.resend(&gateway, "m0", &body).send().await.unwrap();
            let answer: serde_json::Value = response.json().await.unwrap();
            answer["duplicate"] == false
        })
        .await;
    world.balance(&[&gateway], &[&worker]).await;
    assert_eq!(world.rows().await, 20);
    assert_eq!(world.number("SELECT sum(skipped)::int8 FROM webhook_counters").await, 1);
    assert_eq!(
        world
            .page(&worker)
            .await
            .sum("webhook_skipped_total", "provider=\"resend\""),
        1
    );
    worker.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn poison_is_tried_three_times_and_copied_without_hurting_its_batch() {
    let world = World::with(impatient()).await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    let poison = email("dead@example.com", Some("upstream_500"));
    world.send_many(&gateway, "m", 30).await;
    assert_eq!(
        world.resend(&gateway, "poison", &poison).send().await.unwrap().status(),
        200
    );
    let original = world.last_message("webhooks").await;
    let worker = world.worker("w-1", &[]).await;
    world
        .wait("the letter is there", async || {
            world.stream("webhooks_dlq").await.1 == 1
        })
        .await;
    world.balance(&[&gateway], &[&worker]).await;
    assert_eq!(world.rows().await, 30);

    let letter = world.last_message("webhooks_dlq").await;
    assert_eq!(letter.payload, original.payload);
    assert_eq!(&*letter.subject, "dlq.webhook.resend.email_delivered");
    let value = |name: &str| letter.headers.get(name).unwrap().as_str();
    assert_eq!(value("X-NATS-Original-Subject"), "webhook.resend.email_delivered");
    assert_eq!(value("X-NATS-Stream"), "webhooks");
    assert_eq!(value("X-NATS-Stream-Sequence"), original.sequence.to_string());
    assert!(value("X-NATS-Num-Delivered").parse::<u64>().unwrap() >= 3);
    assert_eq!(value("X-NATS-Consumer"), "webhook-workers");
    assert!(value("X-NATS-DLQ-Reason").contains("500 Internal Server Error"));
    assert_ne!(
        value("Nats-Msg-Id"),
        original.headers.get("Nats-Msg-Id").unwrap().as_str()
    );
    for (name, values) in original.headers.iter() {
        let name: &str = name.as_ref();
        if !name.starts_with("Nats-") {
            let copied: Vec<_> = letter.headers.get_all(name).cloned().collect();
            assert_eq!(&copied, values, "{name}");
        }
    }
    let page = world.page(&worker).await;
    assert_eq!(page.sum("webhook_processed_total", "status=\"failure\""), 3);
    assert_eq!(page.sum("webhook_naked_total", ""), 2);
    assert_eq!(page.sum("webhook_dead_lettered_total", "reason=\"upstream_500\""), 1);
    worker.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_json_or_cannot_be_stored_goes_the_same_way() {
    let world = World::with(impatient()).await;
    let context = world.jetstream().await;
    let publish = async |payload: &'static str, id: String| {
        let mut headers = HeaderMap::new();
        headers.insert("X-Webhook-Id", id);
        let subject = "webhook.resend.email_sent";
        context
            .publish_with_headers(subject, headers, payload.into())
            .await
            .unwrap()
            .await
            .unwrap();
    };
    for i in 0..5 {
        publish("{}", format!("good-{i}")).await;
    }
    publish("{\"type\":", "malformed".to_owned()).await;
    // Too long for the index, and too random to be compressed.
    let long: String = (0..200).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    publish("{}", long).await;
    for i in 5..10 {
        publish("[]", format!("good-{i}")).await;
    }
    let worker = world.worker("w-1", &[]).await;
    world
        .wait("both letters are there", async || {
            world.stream("webhooks_dlq").await.1 == 2
        })
        .await;
    world
        .wait("the stream is empty", async || world.stream("webhooks").await.0 == 0)
        .await;
    assert_eq!(world.rows().await, 10);
    let page = world.page(&worker).await;
    assert_eq!(page.sum("webhook_dead_lettered_total", "reason=\"malformed\""), 1);
    assert_eq!(
        page.sum("webhook_dead_lettered_total", "reason=\"refused_by_database\""),
        1
    );
    assert_eq!(
        page.sum("webhook_circuit_breaker_state", ""),
        0,
        "no message opens the breaker"
    );
    worker.stop().await;
}

#[tokio::test]
async fn an_outage_of_the_database_opens_the_breaker_and_kills_no_webhook() {
    // Shorter than the outage: without word from the worker the server would deliver again.
    let topology = Topology {
        ack_wait: Duration::from_millis(900),
        ..Topology::default()
    };
    let (nats, postgres) = tokio::task::spawn_blocking(|| (Nats::start(), Arc::new(Postgres::start())))
        .await
        .unwrap();
    let world = World::on(nats, postgres.clone(), topology).await;
    let gateway = world.gateway(&[]).await;
    let worker = world.worker("w-1", &[]).await;
    world.ready(&gateway).await;
    world.ready(&worker).await;
    world.send_many(&gateway, "before", 50).await;
    world.wait("they are written", async || world.rows().await == 50).await;

    // A batch is in the worker's hands when the database goes.
    let lock = world.lock("BEGIN; LOCK TABLE webhook_events").await;
    world.send_many(&gateway, "during", 50).await;
    world.until_blocked().await;
    postgres.stop();
    drop(lock);
    let breaker = async || world.page(&worker).await.sum("webhook_circuit_breaker_state", "");
    world.wait("the breaker opens", async || breaker().await > 0).await;
    assert_eq!(world.get(&worker, "/ready").await.status(), 503);
    world.send_many(&gateway, "later", 50).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(breaker().await > 0, "still open");
    assert!(world.stream("webhooks").await.0 >= 50, "webhooks wait in the stream");

    postgres.resume();
    world.wait("all are written", async || world.rows().await == 150).await;
    world.balance(&[&gateway], &[&worker]).await;
    assert_eq!(breaker().await, 0);
    assert_eq!(world.stream("webhooks_dlq").await.1, 0, "nothing died");
    assert_eq!(
        world.number("SELECT count(*) FROM webhook_attempts").await,
        0,
        "nobody was blamed"
    );
    let consumer = world.consumer().await;
    assert_eq!(consumer.delivered.consumer_sequence, 150, "nothing was delivered twice");
    worker.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_worker_told_to_stop_finishes_what_it_holds() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    world.send_many(&gateway, "m", 400).await;
    let first = world
        .worker("w-1", &[("WEBHOOK_BATCH_SIZE", "20"), ("WEBHOOK_RATE_LIMIT", "400")])
        .await;
    world.wait("it is at work", async || world.rows().await > 0).await;
    first.stop().await;
    let consumer = world.consumer().await;
    assert_eq!(consumer.num_ack_pending, 0, "everything it held is acked");
    let (rows, left) = (world.rows().await, world.stream("webhooks").await.0);
    assert_eq!(rows.unsigned_abs() + left, 400);
    assert!(left > 0, "it stopped in the middle");

    let second = world.worker("w-2", &[]).await;
    world
        .wait("the rest is written", async || world.rows().await == 400)
        .await;
    world
        .wait("and acked", async || world.stream("webhooks").await.0 == 0)
        .await;
    let consumer = world.consumer().await;
    assert_eq!(consumer.delivered.consumer_sequence, 400, "nothing was delivered twice");
    second.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_during_an_outage_gives_its_batch_back() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    let worker = world.worker("w-1", &[("WEBHOOK_DATABASE_TIMEOUT", "200")]).await;
    world.ready(&worker).await;
    let lock = world.lock("BEGIN; LOCK TABLE webhook_events").await;
    world.send_many(&gateway, "m", 50).await;
    world
        .wait("the breaker opens", async || {
            world.page(&worker).await.sum("webhook_circuit_breaker_state", "") > 0
        })
        .await;
    worker.stop().await;
    drop(lock);
    // At once, and not after `ack_wait`: they were given back.
    let second = world.worker("w-2", &[]).await;
    world.wait("all are written", async || world.rows().await == 50).await;
    world.balance(&[&gateway], &[&second]).await;
    second.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing() {
    let world = World::with(impatient()).await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    let first = world.worker("w-1", &[]).await;
    world.ready(&first).await;
    let lock = world.lock("BEGIN; LOCK TABLE webhook_recipients").await;
    world.send_many(&gateway, "m", 100).await;
    world.until_blocked().await;
    first.kill().await;
    drop(lock);
    let second = world.worker("w-2", &[]).await;
    world.wait("all are written", async || world.rows().await == 100).await;
    world.balance(&[&gateway], &[&second]).await;
    assert!(
        world.consumer().await.delivered.consumer_sequence > 100,
        "some were delivered again"
    );
    second.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn acks_lost_after_the_commit_are_not_counted_twice() {
    let world = World::with(impatient()).await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    let wire = Wire::to(&world.nats).await;
    let first = world.worker("w-1", &[("NATS_URL", &wire.url)]).await;
    world.ready(&first).await;
    let lock = world.lock("BEGIN; LOCK TABLE webhook_recipients").await;
    world.send_many(&gateway, "m", 50).await;
    world.until_blocked().await;
    // The server hears no ack any more; the transaction commits; the worker dies.
    wire.deafen();
    drop(lock);
    world.wait("it is committed", async || world.rows().await == 50).await;
    first.kill().await;
    let second = world.worker("w-2", &[]).await;
    world.balance(&[&gateway], &[&second]).await;
    assert_eq!(world.rows().await, 50);
    let page = world.page(&second).await;
    assert_eq!(
        page.sum("webhook_rows_written_total", ""),
        0,
        "the first had written all"
    );
    assert_eq!(
        page.sum("webhook_skipped_total", ""),
        0,
        "the same message is no duplicate"
    );
    assert_eq!(page.sum("webhook_processed_total", "status=\"success\""), 50);
    second.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_restart_of_nats_loses_and_doubles_nothing() {
    let world = World::with(impatient()).await;
    let gateway = world.gateway(&[]).await;
    let worker = world.worker("w-1", &[("WEBHOOK_RATE_LIMIT", "300")]).await;
    world.ready(&gateway).await;
    world.send_many(&gateway, "m", 300).await;
    world.wait("it is at work", async || world.rows().await > 0).await;
    world.nats.stop();
    world.nats.resume();
    world.wait("all are written", async || world.rows().await == 300).await;
    world
        .wait("all are acked", async || world.stream("webhooks").await.0 == 0)
        .await;
    assert_eq!(
        world
            .number("SELECT sum(rows_written)::int8 FROM webhook_counters")
            .await,
        300
    );
    assert_eq!(world.number("SELECT sum(skipped)::int8 FROM webhook_counters").await, 0);
    assert_eq!(world.stream("webhooks_dlq").await.1, 0);
    worker.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_worker_starts_before_its_servers_and_says_what_it_waits_for() {
    let world = World::new().await;
    world.nats.stop();
    let worker = world
        .worker("w-1", &[("DATABASE_URL", "postgres://test@127.0.0.1:1/none")])
        .await;
    let page = async |page: &str| -> serde_json::Value { world.get(&worker, page).await.json().await.unwrap() };
    world
        .wait("the breaker is open", async || {
            world.page(&worker).await.sum("webhook_circuit_breaker_state", "") > 0
        })
        .await;
    let health = page("/health").await;
    assert_eq!(health["service"], "worker");
    assert_eq!(health["checks"]["database"]["status"], "unhealthy");
    assert!(
        health["checks"]["database"]["error"]
            .as_str()
            .unwrap()
            .contains("refused"),
        "{health}"
    );
    assert_eq!(health["checks"]["eventBus"]["status"], "unhealthy");
    assert_eq!(page("/ready").await["ready"], false);
    worker.stop().await;
}

#[tokio::test]
async fn a_consumer_that_was_deleted_comes_back() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    let worker = world.worker("w-1", &[]).await;
    world.ready(&gateway).await;
    world.ready(&worker).await;
    let stream = world.jetstream().await.get_stream("webhooks").await.unwrap();
    stream.delete_consumer("webhook-workers").await.unwrap();
    world.send_many(&gateway, "m", 20).await;
    world.wait("all are written", async || world.rows().await == 20).await;
    world.balance(&[&gateway], &[&worker]).await;
    worker.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_rate_limit_is_a_ceiling() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    let worker = world.worker("w-1", &[("WEBHOOK_RATE_LIMIT", "100")]).await;
    world.ready(&worker).await;
    world.send_many(&gateway, "m", 120).await;
    let rate =
        "SELECT (count(*) / extract(epoch FROM max(processed_at) - min(processed_at)))::int8 FROM webhook_events";
    world.wait("all are written", async || world.rows().await == 120).await;
    let rate = world.number(rate).await;
    assert!((20..=115).contains(&rate), "{rate}/s");
    let row = sqlx::query("SELECT processed_at >= received_at FROM webhook_events LIMIT 1")
        .fetch_one(&mut world.connection().await)
        .await
        .unwrap();
    assert!(row.get::<bool, _>(0));
    worker.stop().await;
    gateway.stop().await;
}
