//! A stream, its dead letters, an idempotent worker and a tap, on a real server.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use async_nats::jetstream::{self, AckKind};
use futures_util::StreamExt as _;
use hookwatch::signature::{Message as Signed, Scheme, Signer, Verifier};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::support::{self, PROGRAM};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What is published under the world's subjects, deduplicated or not.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Vec<u8>,
}

pub(super) struct World {
    pub(super) name: String,
    pub(super) stream: String,
    pub(super) dlq: String,
    pub(super) url: String,
    pub(super) client: async_nats::Client,
    pub(super) context: jetstream::Context,
    pub(super) state: tempfile::TempDir,
    tap: Arc<Mutex<Vec<Published>>>,
    _tapping: JoinHandle<()>,
}

pub(super) struct Worker {
    handle: JoinHandle<()>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// What a world is like.
pub(super) struct Shape {
    pub(super) window: Duration,
    pub(super) max_messages: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(1),
            max_messages: -1,
        }
    }
}

impl World {
    /// On the shared server.
    pub(super) async fn new(shape: Shape) -> Self {
        let lab = support::servers().await;
        Self::on(lab, shape).await
    }

    /// On a lab's own server.
    pub(super) async fn on(lab: &hookwatch::lab::Lab, shape: Shape) -> Self {
        support::choose_tls();
        let name = support::unique("replay");
        let client = async_nats::ConnectOptions::new()
            .max_reconnects(None)
            .reconnect_delay_callback(|_| Duration::from_millis(20))
            .connect(lab.nats_url().unwrap())
            .await
            .unwrap();
        let context = jetstream::new(client.clone());
        let stream = format!("{name}_webhooks");
        let dlq = format!("{name}_dlq");
        let base = Config {
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        let webhooks = Config {
            name: stream.clone(),
            subjects: vec![format!("{name}.*.*")],
            retention: RetentionPolicy::WorkQueue,
            duplicate_window: shape.window,
            max_messages: shape.max_messages,
            ..base.clone()
        };
        let letters = Config {
            name: dlq.clone(),
            subjects: vec![format!("dlq.{name}.>")],
            ..base
        };
        context.create_stream(webhooks).await.unwrap();
        context.create_stream(letters).await.unwrap();
        let tap = Arc::new(Mutex::new(Vec::new()));
        let mut heard = client.subscribe(format!("{name}.>")).await.unwrap();
        let kept = tap.clone();
        let tapping = tokio::spawn(async move {
            while let Some(message) = heard.next().await {
                let headers = message.headers.unwrap_or_default();
                let id = headers.get("Nats-Msg-Id").map(ToString::to_string).unwrap_or_default();
                kept.lock().unwrap().push(Published {
                    id,
                    subject: message.subject.to_string(),
                    headers,
                    payload: message.payload.to_vec(),
                });
            }
        });
        client.flush().await.unwrap();
        Self {
            url: lab.nats_url().unwrap(),
            name,
            stream,
            dlq,
            client,
            context,
            state: tempfile::tempdir().unwrap(),
            tap,
            _tapping: tapping,
        }
    }

    /// Puts `count` signed letters that died of `reason` into the DLQ; their webhooks are called
    /// `<reason>-<n>`.
    pub(super) async fn bury(&self, count: usize, reason: &str) {
        self.bury_each(count, reason, |_| reason.to_owned()).await;
    }

    /// The same where each letter has a reason of its own; their webhooks are called `<tag>-<n>`.
    pub(super) async fn bury_each(&self, count: usize, tag: &str, reason: impl Fn(usize) -> String) {
        let signer = Signer::new(&Scheme::StandardWebhooks, &SecretString::from(KEY)).unwrap();
        let mut acks = Vec::new();
        for n in 0..count {
            let webhook = format!("{tag}-{n}");
            let payload = format!("{{\"id\":\"{webhook}\",\"odd\":\"\\u0000\u{202e}é\"}}");
            let mut headers = HeaderMap::new();
            let message = Signed {
                id: &webhook,
                timestamp: hookwatch::base::time::Timestamp::from_second(1_700_000_000).unwrap(),
                body: payload.as_bytes(),
                url: "",
            };
            for (name, value) in signer.sign(&message) {
                headers.insert(name.as_str(), value.as_str());
            }
            headers.append("X-Twice", "one");
            headers.append("X-Twice", "two, three");
            headers.insert("X-NATS-Original-Subject", format!("{}.telnyx.sent{}", self.name, n % 7));
            headers.insert("X-NATS-DLQ-Reason", reason(n));
            headers.insert("Nats-Msg-Id", format!("dead-{webhook}"));
            let subject = format!("dlq.{}.telnyx.sent", self.name);
            let ack = self
                .context
                .publish_with_headers(subject, headers, payload.into())
                .await;
            acks.push(ack.unwrap());
            // The client lets no more than some thousand wait for their acks.
            if acks.len() == 1_000 {
                for ack in acks.drain(..) {
                    ack.await.unwrap();
                }
            }
        }
        for ack in acks {
            ack.await.unwrap();
        }
    }

    /// A worker that writes each webhook into `webhooks` once, and buries those that hold `poison`.
    pub(super) async fn work(&self, database: &str, poison: Option<&'static str>) -> Worker {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS webhooks (id text PRIMARY KEY, seen int NOT NULL)")
            .execute(&mut connection)
            .await
            .unwrap();
        let config = pull::Config {
            durable_name: Some("workers".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(2),
            ..pull::Config::default()
        };
        let context = self.context.clone();
        let (stream, name) = (self.stream.clone(), self.name.clone());
        let handle = tokio::spawn(async move {
            loop {
                let work = work_once(&context, &stream, &name, &config, poison, &mut connection);
                if work.await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        Worker { handle }
    }

    /// Puts `count` webhooks past `max_deliver` in the stream, called `<tag>-<n>`: two deliveries
    /// each, none acked. Gives their consumer.
    pub(super) async fn park(&self, count: usize, tag: &str, ack_wait: Duration) -> PullConsumer {
        let config = pull::Config {
            durable_name: Some("workers".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait,
            max_deliver: 2,
            ..pull::Config::default()
        };
        for n in 0..count {
            self.publish(&format!("{tag}-{n}"), n).await;
        }
        let stream = self.context.get_stream(&self.stream).await.unwrap();
        let mut consumer = stream.get_or_create_consumer("workers", config).await.unwrap();
        let mut delivered = 0;
        while delivered < 2 * count {
            for message in self.pull(&consumer, 2 * count).await {
                message.ack_with(AckKind::Nak(None)).await.unwrap();
                delivered += 1;
            }
        }
        for _ in 0..200 {
            // A pull is what makes the server let go of them.
            assert_eq!(self.pull(&consumer, 1).await.len(), 0);
            if consumer.info().await.unwrap().num_ack_pending == 0 {
                return consumer;
            }
        }
        panic!("still in the workers' hands");
    }

    /// A webhook in the stream.
    pub(super) async fn publish(&self, webhook: &str, n: usize) {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", webhook);
        headers.insert("X-Delivery-Count", "its own");
        let subject = format!("{}.telnyx.sent{}", self.name, n % 7);
        let payload = format!("{{\"id\":\"{webhook}\"}}");
        let sent = self
            .context
            .publish_with_headers(subject, headers, payload.into())
            .await;
        sent.unwrap().await.unwrap();
    }

    /// What a consumer has now, at most `most`.
    pub(super) async fn pull(&self, consumer: &PullConsumer, most: usize) -> Vec<jetstream::Message> {
        let expires = Duration::from_millis(200);
        let batch = consumer
            .fetch()
            .max_messages(most)
            .expires(expires)
            .messages()
            .await
            .unwrap();
        batch.map(Result::unwrap).collect().await
    }

    pub(super) async fn letters(&self) -> u64 {
        self.messages(&self.dlq).await
    }

    pub(super) async fn messages(&self, stream: &str) -> u64 {
        self.context
            .get_stream(stream)
            .await
            .unwrap()
            .cached_info()
            .state
            .messages
    }

    /// What was published since the last call, once the server has passed everything on.
    pub(super) async fn take_published(&self) -> Vec<Published> {
        self.client.flush().await.unwrap();
        // What was sent to us before this comes back has arrived.
        let echo = self.client.new_inbox();
        let mut heard = self.client.subscribe(echo.clone()).await.unwrap();
        self.client.publish(echo, "".into()).await.unwrap();
        heard.next().await.unwrap();
        tokio::task::yield_now().await;
        std::mem::take(&mut *self.tap.lock().unwrap())
    }

    /// The binary with `hookwatch dlq <what>` on this world.
    pub(super) fn command(&self, what: &str, args: &[&str]) -> Command {
        self.command_as(what, args, self.state.path(), "ann")
    }

    pub(super) fn command_as(&self, what: &str, args: &[&str], state: &Path, user: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["dlq", what, "--nats", &self.url, "--dlq", &self.dlq])
            .args(args)
            .env_clear()
            .env("HOME", state)
            .env("XDG_STATE_HOME", state)
            .env("USER", user)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end: exit code, output, errors.
    pub(super) async fn run(&self, what: &str, args: &[&str]) -> (i32, String, String) {
        finish(self.command(what, args).spawn().unwrap()).await
    }
}

pub(super) async fn finish(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

async fn work_once(
    context: &jetstream::Context,
    stream: &str,
    name: &str,
    config: &pull::Config,
    poison: Option<&str>,
    connection: &mut PgConnection,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = context.get_stream(stream).await?;
    let consumer = stream.get_or_create_consumer("workers", config.clone()).await?;
    let mut batch = consumer
        .fetch()
        .max_messages(100)
        .expires(Duration::from_millis(500))
        .messages()
        .await?;
    let mut taken = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    while let Some(message) = batch.next().await {
        let message = message?;
        let body: serde_json::Value = serde_json::from_slice(&message.payload)?;
        let id = body["id"].as_str().unwrap_or_default().to_owned();
        if poison.is_some_and(|poison| id.contains(poison)) {
            let mut headers = message.headers.clone().unwrap_or_default();
            let mut copy = HeaderMap::new();
            for (key, values) in headers.iter() {
                if !key.to_string().to_ascii_lowercase().starts_with("nats-") {
                    for value in values {
                        copy.append(key.clone(), value.clone());
                    }
                }
            }
            copy.insert("X-NATS-Original-Subject", message.subject.as_str());
            copy.insert("X-NATS-DLQ-Reason", "again");
            headers = copy;
            let subject = format!("dlq.{name}.again");
            context
                .publish_with_headers(subject, headers, message.payload.clone())
                .await?
                .await?;
            message.ack_with(AckKind::Ack).await?;
        } else {
            ids.push(id);
            taken.push(message);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    sqlx::query(
        "INSERT INTO webhooks SELECT unnest($1::text[]), 1 ON CONFLICT (id) DO UPDATE SET seen = webhooks.seen + 1",
    )
    .bind(&ids)
    .execute(connection)
    .await?;
    for message in taken {
        message.double_ack().await?;
    }
    Ok(())
}

/// The rows of a database: how many, and the most often that one was seen.
pub(super) async fn rows(database: &str) -> (i64, BTreeMap<String, i32>) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let rows: Vec<(String, i32)> = sqlx::query_as("SELECT id, seen FROM webhooks")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    (i64::try_from(rows.len()).unwrap(), rows.into_iter().collect())
}

/// Whether a webhook's signature still verifies.
pub(super) fn verifies(published: &Published) -> bool {
    let verifier = Verifier::new(&Scheme::StandardWebhooks, &SecretString::from(KEY)).unwrap();
    let at = hookwatch::base::time::Timestamp::from_second(1_700_000_000).unwrap();
    let header = |name: &str| published.headers.get(name).map(async_nats::HeaderValue::as_str);
    verifier
        .verify(&header, &published.payload, "", at, Duration::from_mins(1))
        .is_ok()
}
