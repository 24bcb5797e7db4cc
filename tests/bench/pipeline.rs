//! The reference pipeline's speed: the gateway beside a bare axum-plus-publish loop on the same
//! nats-server, generator and machine in turns, and a worker into a durable Postgres.
//!
//! `cargo bench --bench pipeline [-- WEBHOOKS]`. Everything shares the machine's cores.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hdrhistogram::Histogram;
use hookwatch::act::fire::Library;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::config::Environment;
use hookwatch::lab::{DATABASE, Lab, Options};
use hookwatch::signature::{Message, Signer};
use rand::rngs::SmallRng;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What processes say of themselves: CPU seconds so far, resident bytes.
const CPU: &str = "process_cpu_seconds_total";
const MEMORY: &str = "process_resident_memory_bytes";

/// The first argument of the process that is the bare loop.
const BARE: &str = "bare";

/// Webhooks of a round.
const WEBHOOKS: usize = 150_000;

/// Rounds of gateway and bare loop, in turns. The median round counts; of the ratio, the median of
/// the rounds' own ratios: what else the machine does slows both halves of a round.
const ROUNDS: usize = 5;

/// Workers that empty a stream one after the other, each in a lab of its own: the median counts.
const RUNS: usize = 3;

/// Connections of the generator, one request in flight each.
const LANES: usize = 256;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if let [first, url] = &*arguments
        && first == BARE
    {
        return runtime.block_on(bare(url));
    }
    let webhooks = arguments.first().map_or(Ok(WEBHOOKS), |text| text.parse())?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed")?;
    runtime.block_on(async {
        gateway(webhooks).await?;
        for batch in [100, 1_000] {
            workers(webhooks, batch).await?;
        }
        Ok(())
    })
}

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn say(line: &str) {
    println!("{line}");
}

fn environment() -> Environment {
    std::env::vars().collect()
}

/// A lab without workers, its stream wide enough for all rounds.
async fn lab(workers: usize, worker: BTreeMap<String, String>) -> Result<Lab, Error> {
    let mut options = Options::pipeline(env!("CARGO_BIN_EXE_hookwatch"), environment(), workers);
    if let Some(pipeline) = &mut options.pipeline {
        pipeline.topology.max_msgs_per_subject = 100_000_000;
        pipeline.topology.max_bytes = 4 << 30;
        pipeline.worker = worker;
    }
    if let Some(postgres) = &mut options.postgres {
        postgres.durable = true;
    }
    Ok(Lab::up(options).await?)
}

async fn gateway(webhooks: usize) -> Result<(), Error> {
    let lab = lab(0, BTreeMap::new()).await?;
    let bare = Bare::start(&lab).await?;
    let clock = SystemClock::shared();
    let secret = lab.signing_keys().remove("resend").ok_or("a key for resend")?;
    let gateway = format!("{}/webhooks/resend", lab.gateway_url()?);
    let pages = (page(&lab, "gateway")?, bare.url.replace("/webhooks/resend", "/metrics"));
    let mut results = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Signed anew for each target: an id that comes twice would be a duplicate.
        for (target, url, page, results) in [
            ("gateway", &gateway, &pages.0, &mut results.0),
            ("bare loop", &bare.url, &pages.1, &mut results.1),
        ] {
            let requests = requests(url, &secret, webhooks, &clock)?;
            let before = figure(page, CPU).await?;
            let mut result = fire(url, requests, &clock).await?;
            result.cpu = (figure(page, CPU).await? - before) / webhooks as f64;
            say(&format!(
                "round {} {target:9} {:>7.0}/s  p50 {:>5.2} ms  p99 {:>5.2} ms  CPU {:>4.1} us each  not 200: {}",
                round + 1,
                result.rate,
                result.p50 * 1e3,
                result.p99 * 1e3,
                result.cpu * 1e6,
                result.refused
            ));
            results.push(result);
        }
    }
    let ratio = |of: fn(&Fired) -> f64| {
        let rounds = results.0.iter().zip(&results.1);
        median(rounds.map(|(gateway, bare)| of(gateway) / of(bare)).collect())
    };
    say(&format!(
        "gateway, HMAC checked, answered after the PubAck: {:.0}/s (budget 50,000), p99 {:.1} ms (budget 10), {:.2} of the bare loop (budget 0.9); CPU {:.2} of it",
        median(results.0.iter().map(|fired| fired.rate).collect()),
        median(results.0.iter().map(|fired| fired.p99).collect()) * 1e3,
        ratio(|fired| fired.rate),
        ratio(|fired| fired.cpu),
    ));
    lab.down().await?;
    Ok(())
}

/// The headers that the gateway keeps, so that a replay can be verified.
const KEPT: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

/// The peer: nothing but a router, a publish of the same message into a stream of the same kind,
/// and its `PubAck`. It verifies nothing, reads nothing of the body and counts nothing.
async fn bare(url: &str) -> Result<(), Error> {
    let client = async_nats::connect(url).await?;
    let context = ContextBuilder::new().max_ack_inflight(32_768).build(client);
    context
        .create_stream(stream::Config {
            name: "bare".to_owned(),
            subjects: vec!["bare.>".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: 100_000_000,
            max_bytes: 4 << 30,
            max_age: Duration::from_hours(24),
            duplicate_window: Duration::from_mins(1),
            ..stream::Config::default()
        })
        .await?;
    let publish = async |State(context): State<async_nats::jetstream::Context>,
                         headers: axum::http::HeaderMap,
                         body: Bytes| {
        let mut own = HeaderMap::new();
        for name in KEPT {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                own.insert(name, value);
            }
        }
        let id = headers.get(KEPT[0]).and_then(|id| id.to_str().ok()).unwrap_or_default();
        own.insert("Nats-Msg-Id", id);
        own.insert("X-Webhook-Id", id);
        own.insert("X-Webhook-Received-At", "2026-01-01T00:00:00.000000000Z");
        let publish =
            async || -> Result<_, Error> { Ok(context.publish_with_headers("bare.resend", own, body).await?.await?) };
        match publish().await {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    };
    let usage = async || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        format!("{CPU} {}\n", Duration::try_from(time).unwrap_or_default().as_secs_f64())
    };
    let router = Router::new()
        .route("/webhooks/resend", post(publish))
        .route("/metrics", get(usage))
        .with_state(context);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    say(&format!("http://{}/webhooks/resend", listener.local_addr()?));
    axum::serve(listener, router).await?;
    Ok(())
}

/// The bare loop's process; it ends with this value.
struct Bare {
    url: String,
    process: Child,
}

impl Bare {
    async fn start(lab: &Lab) -> Result<Self, Error> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([BARE, &lab.nats_url()?])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let url = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        })
        .await??;
        Ok(Self {
            url: url.trim().to_owned(),
            process,
        })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Signed requests, byte for byte as they go out: signing is not what is measured.
fn requests(url: &str, secret: &SecretString, count: usize, clock: &SharedClock) -> Result<Vec<Vec<u8>>, Error> {
    let library = Library::load(None);
    let template = library.get("resend.email.delivered")?;
    let signer = Signer::new(template.scheme(), secret)?;
    let mut random: SmallRng = rand::make_rng();
    let (host, path) = split(url)?;
    let now = clock.now().at;
    let mut requests = Vec::with_capacity(count);
    for seq in 0..count {
        let webhook = template.render(seq as u64, now, &mut random);
        let signature = signer.sign(&Message {
            id: &webhook.id,
            timestamp: now,
            body: webhook.body.as_bytes(),
            url,
        });
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            webhook.body.len()
        );
        for (name, value) in webhook.headers.iter().chain(&signature) {
            write!(request, "{name}: {value}\r\n")?;
        }
        request.push_str("\r\n");
        request.push_str(&webhook.body);
        requests.push(request.into_bytes());
    }
    Ok(requests)
}

fn split(url: &str) -> Result<(&str, &str), Error> {
    let rest = url.strip_prefix("http://").ok_or("an http URL")?;
    let at = rest.find('/').ok_or("a path")?;
    Ok(rest.split_at(at))
}

struct Fired {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Seconds of the server's CPU for one webhook.
    cpu: f64,
    refused: u64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn fire(url: &str, requests: Vec<Vec<u8>>, clock: &SharedClock) -> Result<Fired, Error> {
    let (host, _) = split(url)?;
    let count = requests.len();
    let shared = Arc::new((requests, AtomicUsize::new(0)));
    let begun = clock.now().mono;
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(lane(host.to_owned(), shared.clone(), clock.clone()));
    }
    let mut times = Histogram::<u64>::new(3)?;
    let mut refused = 0;
    while let Some(done) = lanes.join_next().await {
        let (own, other) = done??;
        times.add(own)?;
        refused += other;
    }
    let took = clock.now().mono.saturating_sub(begun);
    Ok(Fired {
        rate: count as f64 / took.as_secs_f64(),
        p50: times.value_at_quantile(0.5) as f64 / 1e9,
        p99: times.value_at_quantile(0.99) as f64 / 1e9,
        cpu: 0.0,
        refused,
    })
}

/// One connection: a request, its answer, the next.
async fn lane(
    host: String,
    shared: Arc<(Vec<Vec<u8>>, AtomicUsize)>,
    clock: SharedClock,
) -> Result<(Histogram<u64>, u64), Error> {
    let (requests, next) = &*shared;
    let mut stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let mut times = Histogram::new(3)?;
    let (mut refused, mut answer) = (0, vec![0; 4_096]);
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begun = clock.now().mono;
        stream.write_all(request).await?;
        let mut length = 0;
        while !is_whole(&answer[..length]) {
            let read = stream.read(&mut answer[length..]).await?;
            if read == 0 {
                return Err("the connection ended in the middle of an answer".into());
            }
            length += read;
        }
        let took = clock.now().mono.saturating_sub(begun);
        times.record(u64::try_from(took.as_nanos())?)?;
        refused += u64::from(!answer.starts_with(b"HTTP/1.1 200"));
    }
    Ok((times, refused))
}

/// Whether an answer's headers and body are here.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().ok())?
        });
        body.len() >= length.unwrap_or(0)
    })
}

/// A worker's run.
struct Emptied {
    rate: f64,
    /// Messages a second that can be pulled and acked and nothing else.
    pulled: f64,
    /// Seconds of the worker's CPU for one webhook.
    cpu: f64,
    /// Resident, bytes.
    memory: f64,
}

async fn workers(webhooks: usize, batch: usize) -> Result<(), Error> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(worker(webhooks, batch).await?);
    }
    let of = |figure: fn(&Emptied) -> f64| median(runs.iter().map(figure).collect());
    let budget = if batch == 100 { 30_000 } else { 50_000 };
    say(&format!(
        "worker, batches of {batch:>5}, fsync on: {:.0}/s (budget {budget}), {:.2} of pull and ack alone ({:.0}/s), CPU {:.1} us each, {:.0} MB (budget 30)",
        of(|run| run.rate),
        of(|run| run.rate / run.pulled),
        of(|run| run.pulled),
        of(|run| run.cpu) * 1e6,
        of(|run| run.memory) / 1e6
    ));
    Ok(())
}

/// One worker writes what waits, into a Postgres that syncs; beside it, how fast the same
/// messages can be pulled and acked and nothing else.
async fn worker(webhooks: usize, batch: usize) -> Result<Emptied, Error> {
    let settings = [("WEBHOOK_BATCH_SIZE".to_owned(), batch.to_string())];
    let lab = lab(1, settings.into()).await?;
    lab.stop("worker-1").await?;
    let clock = SystemClock::shared();
    let secret = lab.signing_keys().remove("resend").ok_or("a key for resend")?;
    let url = format!("{}/webhooks/resend", lab.gateway_url()?);
    let fired = fire(&url, requests(&url, &secret, webhooks, &clock)?, &clock).await?;
    if fired.refused > 0 {
        return Err(format!("{} webhooks were refused", fired.refused).into());
    }
    lab.start("worker-1").await?;
    let mut database = lab.connect_postgres(DATABASE).await?;
    let mut rows = async || -> Result<f64, Error> {
        let rows: i64 = sqlx::query_scalar("SELECT coalesce(sum(rows_written), 0)::bigint FROM webhook_counters")
            .fetch_one(&mut database)
            .await?;
        Ok(rows as f64)
    };
    // From the first rows on: starting a process is not what is measured.
    let mut first = (0.0, clock.now().mono);
    let last = loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let seen = (rows().await?, clock.now().mono);
        if first.0 == 0.0 {
            first = seen;
        }
        if seen.0 >= webhooks as f64 {
            break seen;
        }
    };
    let rate = (last.0 - first.0) / last.1.saturating_sub(first.1).as_secs_f64();
    let page = page(&lab, "worker-1")?;
    let (memory, cpu) = (figure(&page, MEMORY).await?, figure(&page, CPU).await?);
    let pulled = pull(&lab, webhooks, batch, &clock).await?;
    lab.down().await?;
    Ok(Emptied {
        rate,
        pulled,
        cpu: cpu / webhooks as f64,
        memory,
    })
}

/// The metrics page of a part.
fn page(lab: &Lab, name: &str) -> Result<String, Error> {
    let pages = lab.metrics();
    let page = pages.into_iter().find(|(part, _)| part == name);
    Ok(page.ok_or("a metrics page")?.1)
}

/// What a process says of itself on its page.
async fn figure(page: &str, name: &str) -> Result<f64, Error> {
    let text = reqwest::get(page).await?.text().await?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.ok_or("a figure of the process")?.trim().parse()?)
}

/// The limit: as many messages, pulled and acked and nothing else.
async fn pull(lab: &Lab, messages: usize, batch: usize, clock: &SharedClock) -> Result<f64, Error> {
    let context = ContextBuilder::new()
        .max_ack_inflight(32_768)
        .build(lab.connect().await?);
    let stream = context
        .create_stream(stream::Config {
            name: "limit".to_owned(),
            subjects: vec!["limit".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            ..stream::Config::default()
        })
        .await?;
    let payload = Bytes::from(vec![b'x'; 600]);
    let mut acks = FuturesUnordered::new();
    for _ in 0..messages {
        acks.push(context.publish("limit", payload.clone()).await?.into_future());
        if acks.len() >= 4_096 {
            acks.next().await.transpose()?;
        }
    }
    while acks.next().await.transpose()?.is_some() {}
    let consumer = stream
        .create_consumer(async_nats::jetstream::consumer::pull::Config {
            durable_name: Some("limit".to_owned()),
            max_ack_pending: 20_000,
            ..Default::default()
        })
        .await?;
    let begun = clock.now().mono;
    let mut pulled = 0;
    let mut waiting = consumer
        .stream()
        .max_messages_per_batch(batch.max(500))
        .messages()
        .await?;
    while pulled < messages {
        let message = waiting.next().await.ok_or("the messages ended")??;
        message.ack().await?;
        pulled += 1;
    }
    Ok(messages as f64 / clock.now().mono.saturating_sub(begun).as_secs_f64())
}
