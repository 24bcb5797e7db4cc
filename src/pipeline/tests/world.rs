//! A whole pipeline in a test: servers, gateway, workers, and eyes on all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use secrecy::SecretString;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::servers::{Nats, Postgres};
use crate::base::time::{SharedClock, SystemClock};
use crate::config::Environment;
use crate::pipeline::topology::{self, Topology};
use crate::pipeline::{Error, gateway, worker};
use crate::signature::{Message, Scheme, Signer};

const RESEND_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TELNYX_SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const TELNYX_PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// Longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct World {
    pub(super) nats: Nats,
    postgres: Arc<Postgres>,
    database: String,
    pub(super) topology: Topology,
    clock: SharedClock,
    http: reqwest::Client,
    resend: Signer,
    telnyx: Signer,
}

/// A program of the pipeline that runs in this process.
pub(super) struct Program {
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Program {
    /// Tells it to stop, as SIGTERM does, and waits until it has.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it stops in time")
            .unwrap()
            .unwrap();
    }

    /// Ends it without a word, as SIGKILL does: nothing is acked, no transaction is finished.
    pub(super) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Topology::default()).await
    }

    /// A world whose streams and consumer have limits of the test's own.
    pub(super) async fn with(topology: Topology) -> Self {
        let (nats, postgres) = tokio::task::spawn_blocking(|| (Nats::start(), Postgres::shared()))
            .await
            .unwrap();
        Self::on(nats, postgres, topology).await
    }

    pub(super) async fn on(nats: Nats, postgres: Arc<Postgres>, topology: Topology) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
        let create = format!("CREATE DATABASE {database} STRATEGY file_copy");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .unwrap();
        let world = Self {
            nats,
            postgres,
            database,
            topology,
            clock: SystemClock::shared(),
            http: reqwest::Client::new(),
            resend: Signer::new(&Scheme::Svix, &SecretString::from(RESEND_SECRET)).unwrap(),
            telnyx: Signer::new(&Scheme::Telnyx, &SecretString::from(TELNYX_SEED)).unwrap(),
        };
        topology::ensure(&world.jetstream().await, &world.topology)
            .await
            .unwrap();
        world
    }

    fn environment(&self, settings: &[(&str, &str)]) -> Environment {
        let mut environment = Environment::new();
        let own = [
            ("NATS_URL", &*self.nats.url()),
            ("DATABASE_URL", &*self.postgres.url(&self.database)),
            ("RESEND_WEBHOOK_SECRET", RESEND_SECRET),
            ("TELNYX_WEBHOOK_SECRET", TELNYX_PUBLIC),
            ("WEBHOOK_FLUSH_INTERVAL", "50"),
            ("WEBHOOK_RETRY_DELAY", "20"),
            ("WEBHOOK_BREAKER_OPEN", "100"),
        ];
        for (name, value) in own.into_iter().chain(settings.iter().copied()) {
            environment.insert(name.to_owned(), value.to_owned());
        }
        environment
    }

    pub(super) async fn gateway(&self, settings: &[(&str, &str)]) -> Program {
        let config = gateway::Config::from_env(&self.environment(settings)).unwrap();
        let stop = CancellationToken::new();
        let (ready, address) = oneshot::channel();
        let task = tokio::spawn(gateway::run(config, self.clock.clone(), stop.clone(), ready));
        let address = address.await.unwrap();
        Program { address, stop, task }
    }

    pub(super) async fn worker(&self, name: &str, settings: &[(&str, &str)]) -> Program {
        let mut environment = self.environment(settings);
        environment.insert("WEBHOOK_WORKER_NAME".to_owned(), name.to_owned());
        let config = worker::Config::from_env(&environment).unwrap();
        let stop = CancellationToken::new();
        let (ready, address) = oneshot::channel();
        let task = tokio::spawn(worker::run(config, self.clock.clone(), stop.clone(), ready));
        let address = address.await.unwrap();
        Program { address, stop, task }
    }

    /// Waits until a program's `/ready` says so.
    pub(super) async fn ready(&self, program: &Program) {
        self.wait("ready", async || {
            self.get(program, "/ready").await.status().is_success()
        })
        .await;
    }

    pub(super) async fn get(&self, program: &Program, page: &str) -> reqwest::Response {
        let url = format!("http://{}{page}", program.address);
        self.http.get(url).send().await.unwrap()
    }

    /// A Resend webhook, signed now.
    pub(super) fn resend(&self, program: &Program, id: &str, body: &str) -> reqwest::RequestBuilder {
        self.signed(&self.resend, program, "resend", id, body, Duration::ZERO)
    }

    /// A Telnyx webhook, signed `ago`.
    pub(super) fn telnyx(&self, program: &Program, body: &str, ago: Duration) -> reqwest::RequestBuilder {
        self.signed(&self.telnyx, program, "telnyx", "", body, ago)
    }

    fn signed(
        &self,
        signer: &Signer,
        program: &Program,
        provider: &str,
        id: &str,
        body: &str,
        ago: Duration,
    ) -> reqwest::RequestBuilder {
        let url = format!("http://{}/webhooks/{provider}", program.address);
        let message = Message {
            id,
            timestamp: self.clock.now().at - ago,
            body: body.as_bytes(),
            url: &url,
        };
        let request = self
            .http
            .post(&url)
            .body(body.to_owned())
            .header("content-type", "application/json");
        signer
            .sign(&message)
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Sends `count` Resend webhooks whose ids begin with `prefix`, and sees them queued.
    pub(super) async fn send_many(&self, program: &Program, prefix: &str, count: usize) {
        let sends = (0..count).map(|i| async move {
            let body = email(&format!("user{}@example.com", i % 20), None);
            let response = self
                .resend(program, &format!("{prefix}{i}"), &body)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
        });
        futures_util::future::join_all(sends).await;
    }

    pub(super) async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.nats.url()).await.unwrap())
    }

    /// The workers' consumer as it is now.
    pub(super) async fn consumer(&self) -> jetstream::consumer::Info {
        let stream = self.jetstream().await.get_stream(&self.topology.stream).await.unwrap();
        stream.consumer_info(&self.topology.consumer).await.unwrap()
    }

    /// Messages and last sequence of a stream.
    pub(super) async fn stream(&self, name: &str) -> (u64, u64) {
        let info = self
            .jetstream()
            .await
            .get_stream(name)
            .await
            .unwrap()
            .get_info()
            .await
            .unwrap();
        (info.state.messages, info.state.last_sequence)
    }

    pub(super) async fn last_message(&self, stream: &str) -> jetstream::message::StreamMessage {
        let stream = self.jetstream().await.get_stream(stream).await.unwrap();
        stream
            .direct_get(stream.cached_info().state.last_sequence)
            .await
            .unwrap()
    }

    pub(super) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.postgres.url(&self.database)).await.unwrap()
    }

    /// Locks a table until the returned connection is dropped.
    pub(super) async fn lock(&self, statement: &'static str) -> PgConnection {
        let mut connection = self.connection().await;
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection
    }

    /// Waits until a worker's transaction waits for a lock.
    pub(super) async fn until_blocked(&self) {
        let blocked =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        self.wait("a transaction waits for the lock", async || {
            self.number(blocked).await > 0
        })
        .await;
    }

    /// A query's only number; 0 while its table is not there yet.
    pub(super) async fn number(&self, query: &'static str) -> i64 {
        match sqlx::query(query).fetch_one(&mut self.connection().await).await {
            Ok(row) => row.get::<Option<i64>, _>(0).unwrap_or(0),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => 0,
            Err(error) => panic!("{query}: {error}"),
        }
    }

    pub(super) async fn rows(&self) -> i64 {
        self.number("SELECT count(*) FROM webhook_events").await
    }

    /// Waits until `holds` does.
    pub(super) async fn wait(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }

    pub(super) async fn page(&self, program: &Program) -> Page {
        let response = self.get(program, "/metrics").await;
        assert_eq!(response.status(), 200);
        Page(response.text().await.unwrap())
    }

    /// Waits until nothing is waiting or in flight, then checks every identity of the ledger.
    pub(super) async fn balance(&self, gateways: &[&Program], workers: &[&Program]) {
        let context = self.jetstream().await;
        let stream = context.get_stream(&self.topology.stream).await.unwrap();
        self.wait("the stream is empty", async || {
            stream.get_info().await.unwrap().state.messages == 0
        })
        .await;
        // The last acks' confirmations may still be on their way back.
        self.wait("the ledger is at rest", async || {
            let sums = self.sums(gateways, workers).await;
            sums.in_flight == 0 && sums.acked == sums.last_seq
        })
        .await;
        let sums = self.sums(gateways, workers).await;
        assert_eq!(sums.received, sums.refused + sums.unconfirmed + sums.queued, "{sums:?}");
        assert_eq!(sums.queued, sums.last_seq + sums.duplicate, "{sums:?}");
        assert_eq!(sums.acked, sums.processed + sums.letters, "{sums:?}");
        assert_eq!(sums.dead_lettered, sums.letters, "{sums:?}");
        assert_eq!(sums.processed, sums.rows + sums.skips, "{sums:?}");
        assert_eq!(sums.rows + sums.skips + sums.letters, sums.last_seq, "{sums:?}");
    }

    async fn sums(&self, gateways: &[&Program], workers: &[&Program]) -> Sums {
        let mut sums = Sums {
            last_seq: self.stream(&self.topology.stream).await.1,
            letters: self.stream(&self.topology.dlq).await.1,
            rows: self
                .number("SELECT sum(rows_written)::int8 FROM webhook_counters")
                .await
                .unsigned_abs(),
            skips: self
                .number("SELECT sum(skipped)::int8 FROM webhook_counters")
                .await
                .unsigned_abs(),
            ..Sums::default()
        };
        for gateway in gateways {
            let page = self.page(gateway).await;
            sums.received += page.sum("webhook_received_total", "");
            sums.refused += page.sum("webhook_refused_total", "");
            sums.unconfirmed += page.sum("webhook_unconfirmed_total", "");
            sums.queued += page.sum("webhook_queued_total", "");
            sums.duplicate += page.sum("webhook_duplicate_total", "");
            sums.in_flight += page.sum("webhook_in_flight", "");
        }
        for worker in workers {
            let page = self.page(worker).await;
            sums.acked += page.sum("webhook_acked_total", "");
            sums.processed += page.sum("webhook_processed_total", "status=\"success\"");
            sums.dead_lettered += page.sum("webhook_dead_lettered_total", "");
        }
        sums
    }
}

/// A wire to NATS that can be made deaf: what goes in at the near end does not come out.
pub(super) struct Wire {
    pub(super) url: String,
    deaf: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Wire {
    pub(super) async fn to(nats: &Nats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let target = nats.url().replace("nats://", "");
        let deaf = Arc::new(AtomicBool::new(false));
        let heard = deaf.clone();
        let task = tokio::spawn(async move {
            let mut calls = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&target).await.unwrap();
                calls.spawn(carry(near, far, heard.clone()));
            }
        });
        Self { url, deaf, task }
    }

    pub(super) fn deafen(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: TcpStream, far: TcpStream, deaf: Arc<AtomicBool>) {
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let there = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = near_in.read(&mut buffer).await {
            if !deaf.load(Ordering::SeqCst) && far_out.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    let back = tokio::io::copy(&mut far_in, &mut near_out);
    tokio::select! {
        () = there => {}
        _ = back => {}
    }
}

/// The ledger's terms.
#[derive(Debug, Default)]
struct Sums {
    received: u64,
    refused: u64,
    unconfirmed: u64,
    queued: u64,
    duplicate: u64,
    in_flight: u64,
    last_seq: u64,
    letters: u64,
    acked: u64,
    processed: u64,
    dead_lettered: u64,
    rows: u64,
    skips: u64,
}

/// A metrics page.
pub(super) struct Page(pub(super) String);

impl Page {
    /// The sum of a name's series whose labels contain `label`.
    pub(super) fn sum(&self, name: &str, label: &str) -> u64 {
        self.samples()
            .filter(|(series, _)| {
                let (own, labels) = series.split_once('{').unwrap_or((series, ""));
                own == name && labels.contains(label)
            })
            .map(|(series, value)| {
                value
                    .parse::<u64>()
                    .unwrap_or_else(|_| panic!("{series} is no count: {value}"))
            })
            .sum()
    }

    /// Series and values.
    pub(super) fn samples(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
    }
}

/// A Resend body; with a cause it asks to fail.
pub(super) fn email(to: &str, poison: Option<&str>) -> String {
    let poison = poison.map_or(String::new(), |cause| format!(r#","hookwatch":{{"poison":"{cause}"}}"#));
    format!(r#"{{"type":"email.delivered","created_at":"2026-01-02T03:04:05Z","data":{{"to":["{to}"]}}{poison}}}"#)
}
