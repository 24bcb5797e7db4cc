//! What the gateway answers, stores and counts.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::world::{Program, World, email};
use crate::config::Families;
use crate::pipeline::topology::Topology;

const TELNYX: &str = r#"{"data":{"record_type":"event","event_type":"message.finalized","id":"0ccc7b54","payload":{"to":[{"phone_number":"+15550001"}]}}}"#;

#[tokio::test]
async fn a_signed_webhook_is_stored_byte_for_byte_with_what_a_replay_needs() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    // Spaces and escapes that a JSON library would write differently.
    let body = "{ \"type\" : \"email.sent\",\n\t\"data\":{\"to\":[\"\\u0061@b.example\"]} }";
    let response = world.resend(&gateway, "msg_1", body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!(answer["sequence"], 1);

    let message = world.last_message("webhooks").await;
    assert_eq!(&*message.subject, "webhook.resend.email_sent");
    assert_eq!(message.payload, body.as_bytes());
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header("Nats-Msg-Id").as_deref(), Some("resend-msg_1"));
    assert_eq!(header("X-Webhook-Id").as_deref(), Some("resend-msg_1"));
    assert_eq!(header("svix-id").as_deref(), Some("msg_1"));
    assert!(header("svix-signature").unwrap().starts_with("v1,"));
    assert!(header("svix-timestamp").is_some() && header("X-Webhook-Received-At").is_some());

    let response = world.telnyx(&gateway, TELNYX, Duration::ZERO).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let message = world.last_message("webhooks").await;
    assert_eq!(&*message.subject, "webhook.telnyx.message_finalized");
    assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), "telnyx-0ccc7b54");
    assert!(message.headers.get("telnyx-signature-ed25519").is_some());
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_trusted_or_read_is_refused_and_counted_once() {
    let world = World::new().await;
    let gateway = world.gateway(&[("WEBHOOK_MAX_BODY", "1000")]).await;
    world.ready(&gateway).await;
    let good = email("a@b.example", None);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();

    assert_eq!(
        status(
            world
                .telnyx(&gateway, TELNYX, Duration::from_secs(299))
                .body("tampered")
        )
        .await,
        401
    );
    assert_eq!(
        status(world.telnyx(&gateway, TELNYX, Duration::from_secs(310))).await,
        401,
        "stale"
    );
    assert_eq!(
        status(world.telnyx(&gateway, TELNYX, Duration::from_secs(290))).await,
        200,
        "fresh enough"
    );
    assert_eq!(
        status(world.resend(&gateway, "m", "{\"type\":").header("x", "y")).await,
        400
    );
    assert_eq!(
        status(world.telnyx(&gateway, r#"{"data":{"id":"a\r\nb","event_type":"x"}}"#, Duration::ZERO)).await,
        400
    );
    assert_eq!(
        status(world.resend(&gateway, "m", &good.replace("a@b", &"a".repeat(1_000)))).await,
        413
    );
    assert_eq!(send_in_chunks(&gateway, 50).await, 413, "of unknown length");
    let url = |name: &str| format!("http://{}/webhooks/{name}", gateway.address);
    assert_eq!(
        status(reqwest::Client::new().post(url("acme")).body(good.clone())).await,
        404
    );
    assert_eq!(
        status(reqwest::Client::new().post(url("resend")).body(good.clone())).await,
        401,
        "not signed"
    );

    let page = world.page(&gateway).await;
    let refused = |label: &str| page.sum("webhook_refused_total", label);
    assert_eq!(refused("reason=\"signature_mismatch\""), 1);
    assert_eq!(refused("reason=\"signature_stale\""), 1);
    assert_eq!(refused("reason=\"signature_missing\""), 1);
    assert_eq!(refused("reason=\"malformed\""), 2);
    assert_eq!(refused("reason=\"too_large\""), 2);
    assert_eq!(refused("provider=\"unknown\",reason=\"unknown_provider\""), 1);
    assert_eq!(page.sum("webhook_received_total", "status=\"invalid\""), 8);
    assert_eq!(page.sum("webhook_received_total", "status=\"valid\""), 1);
    assert_eq!(
        page.sum("webhook_signature_verification_total", "status=\"invalid\""),
        3
    );
    assert_eq!(page.sum("webhook_response_duration_seconds_count", ""), 9);
    assert_eq!(world.stream("webhooks").await, (1, 1));
    gateway.stop().await;
}

/// Sends a body of `chunks` times 100 bytes whose length is not announced. Returns the status.
async fn send_in_chunks(gateway: &Program, chunks: usize) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let head = "POST /webhooks/resend HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100));
    stream
        .write_all(format!("{head}{}0\r\n\r\n", chunk.repeat(chunks)).as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    std::str::from_utf8(&answer)
        .unwrap()
        .strip_prefix("HTTP/1.1 ")
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_webhook_that_is_sent_again_is_a_duplicate() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    for attempt in 0..3 {
        let response = world
            .resend(&gateway, "msg_1", &email("a@b.example", None))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let answer: serde_json::Value = response.json().await.unwrap();
        assert_eq!(answer["duplicate"], attempt > 0);
    }
    let page = world.page(&gateway).await;
    assert_eq!(page.sum("webhook_queued_total", "event_type=\"email_delivered\""), 3);
    assert_eq!(page.sum("webhook_duplicate_total", "provider=\"resend\""), 2);
    assert_eq!(world.stream("webhooks").await, (1, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_subject_is_answered_503_and_nothing_is_evicted() {
    let topology = Topology {
        max_msgs_per_subject: 5,
        ..Topology::default()
    };
    let world = World::with(topology).await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    world.send_many(&gateway, "m", 5).await;
    let response = world
        .resend(&gateway, "one_more", &email("a@b.example", None))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    // Another subject has room.
    assert_eq!(
        world
            .telnyx(&gateway, TELNYX, Duration::ZERO)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );

    let page = world.page(&gateway).await;
    assert_eq!(page.sum("webhook_unconfirmed_total", "reason=\"subject_full\""), 1);
    assert_eq!(page.sum("webhook_received_total", ""), 7);
    assert_eq!(page.sum("webhook_queued_total", ""), 6);
    let (messages, last) = world.stream("webhooks").await;
    assert_eq!((messages, last), (6, 6), "the first five are all there");
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_stream_and_an_oversized_message_are_told_apart() {
    let topology = Topology {
        max_bytes: 2_000,
        ..Topology::default()
    };
    let world = World::with(topology).await;
    let gateway = world.gateway(&[("WEBHOOK_MAX_BODY", "2000000")]).await;
    world.ready(&gateway).await;
    let large = email(&"a".repeat(1_500), None);
    assert_eq!(world.resend(&gateway, "1", &large).send().await.unwrap().status(), 200);
    assert_eq!(world.resend(&gateway, "2", &large).send().await.unwrap().status(), 503);
    // The server takes no message above 1 MiB: sent again it would fail again.
    let larger = email(&"a".repeat(1_100_000), None);
    assert_eq!(world.resend(&gateway, "3", &larger).send().await.unwrap().status(), 413);
    let page = world.page(&gateway).await;
    assert_eq!(page.sum("webhook_unconfirmed_total", "reason=\"stream_full\""), 1);
    assert_eq!(page.sum("webhook_refused_total", "reason=\"too_large\""), 1);
    assert_eq!(page.sum("webhook_received_total", ""), 3);
    gateway.stop().await;
}

#[tokio::test]
async fn without_nats_it_starts_answers_503_and_recovers() {
    let world = World::new().await;
    world.nats.stop();
    let gateway = world.gateway(&[]).await;
    let health = world.get(&gateway, "/health").await;
    assert_eq!(health.status(), 503);
    let health: serde_json::Value = health.json().await.unwrap();
    assert_eq!(health["status"], "unhealthy");
    assert_eq!(health["checks"]["eventBus"]["status"], "unhealthy");

    let send = async |id: &str| {
        world
            .resend(&gateway, id, &email("a@b.example", None))
            .send()
            .await
            .unwrap()
    };
    let response = send("1").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(
        world
            .page(&gateway)
            .await
            .sum("webhook_unconfirmed_total", "reason=\"disconnected\""),
        1
    );

    world.nats.resume();
    world.ready(&gateway).await;
    let response = world
        .resend(&gateway, "2", &email("a@b.example", None))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        world.stream("webhooks").await,
        (1, 1),
        "what was answered 503 is not sent later"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_late_puback_and_a_sender_that_hung_up_are_counted_as_what_they_are() {
    let world = World::new().await;
    let gateway = world.gateway(&[("WEBHOOK_PUBLISH_TIMEOUT", "300")]).await;
    world.ready(&gateway).await;
    world.nats.freeze();
    let response = world
        .resend(&gateway, "slow", &email("a@b.example", None))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    let sender = tokio::spawn(world.resend(&gateway, "gone", &email("a@b.example", None)).send());
    let in_flight = async || world.page(&gateway).await.sum("webhook_in_flight", "");
    world
        .wait("neither is settled yet", async || in_flight().await == 2)
        .await;
    sender.abort();

    world.nats.thaw();
    world
        .wait("both are settled", async || {
            world.page(&gateway).await.sum("webhook_in_flight", "") == 0
        })
        .await;
    // Providers send again what was not answered with 2xx.
    let response = world
        .resend(&gateway, "slow", &email("a@b.example", None))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let page = world.page(&gateway).await;
    assert_eq!(page.sum("webhook_received_total", ""), 3);
    assert_eq!(page.sum("webhook_queued_total", ""), 3);
    assert_eq!(page.sum("webhook_duplicate_total", ""), 1);
    assert_eq!(page.sum("webhook_unconfirmed_total", ""), 0);
    assert_eq!(world.stream("webhooks").await, (2, 2));
    gateway.stop().await;
}

#[tokio::test]
async fn publishes_lost_with_the_connection_are_unconfirmed() {
    let world = World::new().await;
    let gateway = world.gateway(&[("WEBHOOK_PUBLISH_TIMEOUT", "200")]).await;
    world.ready(&gateway).await;
    world.nats.freeze();
    assert_eq!(
        world
            .resend(&gateway, "lost", &email("a@b.example", None))
            .send()
            .await
            .unwrap()
            .status(),
        503
    );
    world.nats.kill();
    world.nats.resume();
    world
        .wait("it is settled", async || {
            world.page(&gateway).await.sum("webhook_in_flight", "") == 0
        })
        .await;
    let page = world.page(&gateway).await;
    assert_eq!(page.sum("webhook_unconfirmed_total", "reason=\"connection_lost\""), 1);
    assert_eq!(page.sum("webhook_queued_total", ""), 0);
    assert_eq!(world.stream("webhooks").await, (0, 0));
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_was_deleted_comes_back() {
    let world = World::new().await;
    let gateway = world.gateway(&[]).await;
    world.ready(&gateway).await;
    world.jetstream().await.delete_stream("webhooks").await.unwrap();
    let send = async || {
        world
            .resend(&gateway, "m", &email("a@b.example", None))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(send().await, 503);
    world.wait("the stream is back", async || send().await == 200).await;
    assert!(
        world
            .page(&gateway)
            .await
            .sum("webhook_unconfirmed_total", "reason=\"no_stream\"")
            > 0
    );
    gateway.stop().await;
}

#[tokio::test]
async fn every_series_is_of_a_known_family_and_those_of_known_providers_start_at_0() {
    let world = World::new().await;
    let (gateway, worker) = (world.gateway(&[]).await, world.worker("w-1", &[]).await);
    let families = Families::default();
    for (program, wanted) in [
        (
            &gateway,
            "webhook_received_total webhook_refused_total webhook_unconfirmed_total webhook_queued_total webhook_duplicate_total webhook_signature_verification_total webhook_response_duration_seconds_count webhook_in_flight webhook_build_info process_start_time_seconds process_cpu_seconds_total process_resident_memory_bytes",
        ),
        (
            &worker,
            "webhook_processed_total webhook_acked_total webhook_dead_lettered_total webhook_terminated_total webhook_naked_total webhook_rows_written_total webhook_skipped_total webhook_batch_size_count webhook_processing_duration_seconds_count webhook_db_update_duration_seconds_count webhook_processing_lag_seconds webhook_circuit_breaker_state webhook_build_info process_start_time_seconds process_cpu_seconds_total process_resident_memory_bytes",
        ),
    ] {
        let page = world.page(program).await;
        let names: Vec<&str> = page
            .samples()
            .map(|(series, _)| series.split('{').next().unwrap())
            .collect();
        for name in &names {
            assert!(families.of(name).is_some(), "{name} is of no known family");
        }
        for name in wanted.split(' ') {
            assert!(names.contains(&name), "{name} is missing");
        }
        assert!(page.0.ends_with("# EOF\n"));
    }
    let page = world.page(&gateway).await;
    for series in [
        r#"webhook_queued_total{provider="telnyx",event_type="message_finalized"} 0"#,
        r#"webhook_received_total{provider="resend",event_type="unknown",status="invalid"} 0"#,
        r#"webhook_unconfirmed_total{provider="resend",reason="subject_full"} 0"#,
    ] {
        assert!(page.0.contains(series), "{series} is missing");
    }
    gateway.stop().await;
    worker.stop().await;
}
