//! A dead letter stream of a million letters: its first page, and all of it in groups, beside what
//! the same server hands out to a client that only counts.
//!
//! `cargo bench --bench letters [-- LETTERS]`. Everything shares the machine's cores.
//!
//! Budgets: first page 100 ms; grouped 10 s with `allow_direct` and 25 s without; at most 256
//! requests in flight.

#[expect(dead_code, reason = "shared with other benches, which use more of it")]
mod usage;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use futures_util::StreamExt as _;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::config::{Environment, NatsLink, Overrides, Surroundings};
use hookwatch::lab::{Lab, Options};
use hookwatch::model::letters::{LetterRow, origin};
use hookwatch::observe::letters::{Direction, Mailbox};
use hookwatch::sample::LetterForm;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use usage::Usage;

type Error = Box<dyn std::error::Error + Send + Sync>;

const LETTERS: u64 = 1_000_000;

/// Letters that a client gets which only counts.
const COUNTED: u64 = 200_000;

/// Requests that it has on their way, as many as we may have.
const IN_FLIGHT: u64 = 256;

/// Letters of a page.
const PAGE: u64 = 200;

/// How often a first page is opened.
const OPENED: usize = 20;

const STREAM: &str = "dlq";

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let letters = arguments.iter().find_map(|argument| argument.parse().ok());
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(letters.unwrap_or(LETTERS)))
}

async fn measure(letters: u64) -> Result<(), Error> {
    let mut options = Options::servers(env!("CARGO_BIN_EXE_hookwatch"), std::env::vars().collect());
    options.postgres = None;
    let lab = Lab::up(options).await?;
    let clock = SystemClock::shared();
    let client = lab.connect().await?;
    let context = async_nats::jetstream::new(client.clone());
    context.create_stream(config(false)).await?;
    let begun = clock.now().mono;
    fill(&client, &context, letters).await?;
    let took = clock.now().mono.saturating_sub(begun);
    say(&format!(
        "{letters} letters stored in {:.1} s, on disk; reader, server and bench share the cores",
        took.as_secs_f64()
    ));
    let url = lab.nats_url()?;
    let bench = Bench {
        link: link(&url)?,
        url,
        client,
        clock,
        letters,
    };
    for (allow_direct, budget) in [(true, 10.0), (false, 25.0)] {
        context.update_stream(config(allow_direct)).await?;
        say(if allow_direct {
            "with allow_direct:"
        } else {
            "without allow_direct:"
        });
        let raw = bench.raw(allow_direct).await?;
        say(&format!("  gets alone, 256 in flight        {raw:>9.0}/s"));
        for (name, direction) in [("newest", Direction::Newest), ("oldest", Direction::Oldest)] {
            bench.first_page(name, direction).await?;
        }
        bench.groups(budget, raw).await?;
        let most = bench.most_in_flight().await?;
        say(&format!(
            "  most requests in flight          {most:>9}    budget {IN_FLIGHT}"
        ));
    }
    lab.down().await?;
    Ok(())
}

fn config(allow_direct: bool) -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec!["dlq.>".to_owned()],
        allow_direct,
        ..Config::default()
    }
}

/// Letters of five causes, as a worker would have left them.
async fn fill(
    client: &async_nats::Client,
    context: &async_nats::jetstream::Context,
    letters: u64,
) -> Result<(), Error> {
    let body = "x".repeat(300);
    for n in 0..letters {
        let mut headers = HeaderMap::new();
        let reason = match n % 5 {
            0 => format!("timeout after {} ms", n % 5_000),
            1 => format!("recipient rcp_{n:07} not found"),
            2 => "connection refused by 10.0.0.7:5432".to_owned(),
            3 => format!("duplicate key value violates unique constraint, id {n}"),
            _ => "unexpected field \"carrier\"".to_owned(),
        };
        headers.insert("X-NATS-Original-Subject", format!("webhook.telnyx.sent{}", n % 7));
        headers.insert("X-NATS-DLQ-Reason", reason);
        headers.insert("X-NATS-Num-Delivered", "5");
        headers.insert("X-Webhook-Id", format!("evt_{n}"));
        headers.insert("Nats-Msg-Id", format!("dlq-{n}"));
        let payload = format!("{{\"id\":\"evt_{n}\",\"data\":\"{body}\"}}");
        client
            .publish_with_headers(format!("dlq.webhook.telnyx.sent{}", n % 7), headers, payload.into())
            .await?;
        // The server is not to hold what it has not stored.
        if n % 10_000 == 0 {
            stored(context, n.saturating_sub(100_000)).await?;
        }
    }
    stored(context, letters).await
}

async fn stored(context: &async_nats::jetstream::Context, letters: u64) -> Result<(), Error> {
    while context.get_stream(STREAM).await?.cached_info().state.messages < letters {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn link(url: &str) -> Result<NatsLink, Error> {
    let overrides = Overrides {
        nats: Some(url.to_owned()),
        ..Default::default()
    };
    let environment = Environment::new();
    let surroundings = Surroundings {
        environment: &environment,
        home: None,
    };
    let resolved = hookwatch::config::resolve(&overrides, &surroundings).map_err(|_| "the profile")?;
    Ok(resolved.profile.nats.ok_or("a NATS server")?)
}

struct Bench {
    link: NatsLink,
    url: String,
    client: async_nats::Client,
    clock: SharedClock,
    letters: u64,
}

impl Bench {
    /// Gets a second, of a client that looks at no answer.
    async fn raw(&self, allow_direct: bool) -> Result<f64, Error> {
        let verb = if allow_direct { "DIRECT.GET" } else { "STREAM.MSG.GET" };
        let subject = format!("$JS.API.{verb}.{STREAM}");
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await?;
        let counted = COUNTED.min(self.letters);
        let begun = self.clock.now().mono;
        let mut asked = 0;
        for answered in 0..counted {
            while asked < counted.min(answered + IN_FLIGHT) {
                asked += 1;
                let request = format!("{{\"seq\":{asked}}}");
                self.client
                    .publish_with_reply(subject.clone(), inbox.clone(), request.into())
                    .await?;
            }
            let answer = tokio::time::timeout(Duration::from_secs(10), answers.next()).await?;
            let answer = answer.ok_or("the connection was closed")?;
            if answer.payload.len() < 300 {
                return Err(format!("no letter: {answer:?}").into());
            }
        }
        Ok(counted as f64 / self.clock.now().mono.saturating_sub(begun).as_secs_f64())
    }

    /// From nothing to the rows of the first page, a new connection each time.
    async fn first_page(&self, name: &str, direction: Direction) -> Result<(), Error> {
        let mut times = Vec::new();
        for _ in 0..OPENED {
            let begun = self.clock.now().mono;
            let mailbox = Mailbox::open(&self.link, STREAM, &self.clock).await?;
            let page = mailbox.page(None, direction, PAGE).await?;
            let row = |letter| LetterRow::new(letter, &origin(&letter.headers), LetterForm::Copy);
            let rows: Vec<LetterRow> = page.iter().map(row).collect();
            times.push(self.clock.now().mono.saturating_sub(begun));
            if rows.len() as u64 != PAGE.min(self.letters) {
                return Err(format!("a page of {} letters", rows.len()).into());
            }
        }
        times.sort();
        let millis = |at: usize| times[at].as_secs_f64() * 1e3;
        say(&format!(
            "  first page of {PAGE}, {name} first   {:>9.1} ms budget 100, slowest of {OPENED} {:.1} ms",
            millis(OPENED / 2),
            millis(OPENED - 1)
        ));
        Ok(())
    }

    /// All letters in groups, by the program itself.
    async fn groups(&self, budget: f64, raw: f64) -> Result<(), Error> {
        let begun = self.clock.now().mono;
        let usage = self.run(&self.url).await?;
        let seconds = self.clock.now().mono.saturating_sub(begun).as_secs_f64();
        let rate = self.letters as f64 / seconds;
        say(&format!(
            "  hookwatch dlq groups             {seconds:>9.1} s  budget {budget}; {rate:.0}/s, {:.2} of gets alone; \
             {:.1} s of CPU, {:.0} MB at most",
            rate / raw,
            usage.cpu,
            usage.peak / 1e6
        ));
        Ok(())
    }

    /// The most requests of `hookwatch dlq groups` that were on their way, seen from between.
    async fn most_in_flight(&self) -> Result<i64, Error> {
        let counter = Counter::start(&self.url).await?;
        self.run(&counter.url).await?;
        Ok(counter.most.load(Ordering::Relaxed))
    }

    /// Groups all letters and checks the sum.
    async fn run(&self, url: &str) -> Result<Usage, Error> {
        let child = Command::new(env!("CARGO_BIN_EXE_hookwatch"))
            .args(["dlq", "groups", "--json", "--dlq", STREAM, "--nats", url])
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()?;
        let pid = child.id();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        tokio::pin!(ended);
        let mut usage = Usage::default();
        let output = loop {
            match tokio::time::timeout(Duration::from_millis(10), &mut ended).await {
                Ok(output) => break output??,
                Err(_) => usage = Usage::of(pid).unwrap_or(usage),
            }
        };
        if !output.status.success() {
            return Err(format!("dlq groups: {}", output.status).into());
        }
        let lines = std::str::from_utf8(&output.stdout)?.lines();
        let groups: Vec<serde_json::Value> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        let sum: u64 = groups.iter().filter_map(|group| group["count"].as_u64()).sum();
        if (groups.len(), sum) != (5, self.letters) {
            return Err(format!("{} groups of {sum} letters", groups.len()).into());
        }
        Ok(usage)
    }
}

/// Stands between a program and the server, and counts the requests without an answer.
struct Counter {
    url: String,
    most: Arc<AtomicI64>,
}

impl Counter {
    async fn start(server: &str) -> Result<Self, Error> {
        let server = server.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("nats://{}", listener.local_addr()?);
        let most = Arc::new(AtomicI64::new(0));
        let counted = most.clone();
        tokio::spawn(async move {
            let open = Arc::new(AtomicI64::new(0));
            while let Ok((program, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    return;
                };
                let (from_program, to_program) = program.into_split();
                let (from_server, to_server) = server.into_split();
                let (asking, most) = (open.clone(), counted.clone());
                tokio::spawn(pass(from_program, to_server, move |line| {
                    // A message that asks for an answer has a subject, a reply and one or two sizes.
                    let wants = match line[0] {
                        "PUB" => line.len() == 4,
                        "HPUB" => line.len() == 5,
                        _ => return,
                    };
                    if wants {
                        most.fetch_max(asking.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    }
                }));
                let answering = open.clone();
                tokio::spawn(pass(from_server, to_program, move |line| {
                    if matches!(line[0], "MSG" | "HMSG") {
                        answering.fetch_sub(1, Ordering::Relaxed);
                    }
                }));
            }
        });
        Ok(Self { url, most })
    }
}

/// Hands on what comes, and shows each command's words.
async fn pass(from: OwnedReadHalf, to: OwnedWriteHalf, mut seen: impl FnMut(&[&str])) -> Result<(), Error> {
    let (mut from, mut to) = (BufReader::with_capacity(1 << 16, from), BufWriter::new(to));
    let mut bytes = Vec::new();
    while from.read_until(b'\n', &mut bytes).await? > 0 {
        let words: Vec<&str> = std::str::from_utf8(&bytes)?.split_whitespace().collect();
        let size = match words.first() {
            Some(&("PUB" | "HPUB" | "MSG" | "HMSG")) => words.last().map_or(Ok(0), |size| size.parse::<usize>())? + 2,
            _ => 0,
        };
        if !words.is_empty() {
            seen(&words);
        }
        let head = bytes.len();
        bytes.resize(head + size, 0);
        from.read_exact(&mut bytes[head..]).await?;
        to.write_all(&bytes).await?;
        bytes.clear();
        if from.buffer().is_empty() {
            to.flush().await?;
        }
    }
    Ok(())
}
