//! What a large fleet costs: 1,000 metrics targets of 500 series each, and 1,000 streams with a
//! consumer each, watched by the real program in a pseudo-terminal of 200×60. Beside it, in the
//! same run, what prometheus-parse alone takes for the same pages.
//!
//! `cargo bench --bench fleet [-- SECONDS]`.

#[path = "../it/terminal.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests, which use more of it and fail by panicking"
)]
mod terminal;

#[expect(dead_code, reason = "shared with other benches, which look for a process as well")]
mod usage;

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use hdrhistogram::Histogram;
use hookwatch::base::time::{Moment, SharedClock, SystemClock};
use hookwatch::config::{Families, Profile};
use hookwatch::lab::{Lab, Options};
use hookwatch::model::Model;
use hookwatch::observe::metrics::exposition::{Reader, SERIES_LIMIT, Wanted};
use hookwatch::sample::{Envelope, Sample, Scrape, SourceId, SourceKind, SourceReport, SourceState};
use hookwatch::session::settings;
use terminal::Terminal;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use usage::Usage;

type Error = Box<dyn std::error::Error + Send + Sync>;

const SIZE: (u16, u16) = (200, 60);
const TARGETS: usize = 1_000;
/// Series of a page that the console wants, and series of a runtime that nobody asked for.
const SERIES: usize = 500;
const UNWANTED: usize = 100;
const PROVIDERS: usize = 20;
const STREAMS: usize = 1_000;
const KEYS: usize = 200;

/// Scrapes a second that the console allows itself.
const PACE: f64 = 200.0;

/// Seconds between two scrapes of a target: `TARGETS` over `PACE`.
const PERIOD: u64 = 5;

/// Longest wait for anything on screen.
const PATIENCE: Duration = Duration::from_mins(1);

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> Result<(), Error> {
    let seconds = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20);
    let time = Duration::from_secs(seconds);
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let clock = SystemClock::shared();
    parsers()?;
    folding(&clock)?;
    targets(&runtime, time, &clock)?;
    queues(&runtime, time, &clock)
}

/// Reading pages of which every value has changed: ours, and the parser alone.
fn parsers() -> Result<(), Error> {
    const PAGES: u32 = 100;
    let pages: Vec<String> = (0..u64::from(PAGES)).map(|turn| page(7, turn)).collect();
    let bytes: usize = pages.iter().map(String::len).sum();
    let mut reader = Reader::new(Arc::new(Wanted::new(&Families::default())), SERIES_LIMIT);
    let timed = |each: &mut dyn FnMut(&str) -> Result<usize, Error>| {
        let begun = worked();
        for page in &pages {
            black_box(each(page)?);
        }
        Ok::<_, Error>(worked().saturating_sub(begun) / PAGES)
    };
    let ours = timed(&mut |page| {
        reader.begin();
        reader.feed(page.as_bytes());
        let count = reader.finish().values.len();
        if count == SERIES {
            Ok(count)
        } else {
            Err(format!("{count} of {SERIES} series").into())
        }
    })?;
    let peer = timed(&mut |page| {
        let lines = page.lines().map(|line| Ok(line.to_owned()));
        Ok(prometheus_parse::Scrape::parse(lines)?.samples.len())
    })?;
    let core = |each: Duration| each.as_secs_f64() * PACE * 100.0;
    say(&format!(
        "a page of {SERIES} + {UNWANTED} series, {} bytes, CPU time: {:.0} µs; prometheus-parse alone {:.0} µs ({:.1} times as long). \
         At {PACE:.0} pages/s that is {:.1} and {:.1} % of a core",
        bytes / pages.len(),
        ours.as_secs_f64() * 1e6,
        peer.as_secs_f64() * 1e6,
        peer.as_secs_f64() / ours.as_secs_f64(),
        core(ours),
        core(peer),
    ));
    Ok(())
}

/// What the model takes for a scrape and for a second, when a thousand targets have been read often
/// enough to fill every window.
fn folding(clock: &SharedClock) -> Result<(), Error> {
    let start = clock.now();
    let mut model = Model::new(settings(&Profile::empty("fleet")), start);
    let wanted = Arc::new(Wanted::new(&Families::default()));
    let mut readers: Vec<Reader> = (0..TARGETS)
        .map(|_| Reader::new(wanted.clone(), SERIES_LIMIT))
        .collect();
    let mut folds = Duration::ZERO;
    let mut ticks = Histogram::<u64>::new(3)?;
    let seconds: u64 = 90;
    for second in 0..seconds {
        for (number, reader) in readers.iter_mut().enumerate() {
            // A fifth of them a second.
            if second % PERIOD != number as u64 % PERIOD {
                continue;
            }
            reader.begin();
            reader.feed(page(number, second + 1).as_bytes());
            let read = reader.finish();
            let name: Arc<str> = format!("10.0.{}.{}:9100", number / 250, number % 250).into();
            let samples = [
                Sample::Scrape(Scrape {
                    target: name.clone(),
                    layout: read.layout,
                    values: read.values,
                    took: Duration::from_millis(2),
                    bytes: 40_000,
                    skipped: 0,
                    first_skipped: None,
                    left_out: 0,
                }),
                Sample::Report(SourceReport {
                    state: SourceState::Ok,
                    latency: Some(Duration::from_millis(2)),
                    error: None,
                    retry_in: None,
                    period: Duration::from_secs(PERIOD),
                }),
            ];
            let since = Duration::from_secs(second) + Duration::from_micros(900 * number as u64);
            for (at, sample) in samples.into_iter().enumerate() {
                let envelope = Envelope {
                    profile: "fleet".into(),
                    source: SourceId::new(SourceKind::Metrics, &name),
                    seq: second * 2 + at as u64,
                    at: start.at + since,
                    mono: start.mono + since,
                    sample,
                };
                let begun = worked();
                model.apply(&envelope);
                if second * 2 >= seconds {
                    folds += worked().saturating_sub(begun);
                }
            }
        }
        let since = Duration::from_secs(second + 1);
        let now = Moment {
            at: start.at + since,
            mono: start.mono + since,
        };
        let begun = worked();
        model.advance(now);
        if second * 2 >= seconds {
            ticks.record(u64::try_from(worked().saturating_sub(begun).as_micros())?)?;
        }
    }
    let scrapes = seconds as f64 / 2.0 * PACE;
    say(&format!(
        "the model, CPU time: {:.0} µs a scrape; a second median {:.1} ms, worst {:.1} ms; {} workers, {} providers",
        folds.as_secs_f64() * 1e6 / scrapes,
        ticks.value_at_quantile(0.5) as f64 / 1e3,
        ticks.max() as f64 / 1e3,
        model.view().workers.len(),
        model.view().providers.len(),
    ));
    Ok(())
}

/// CPU time of this thread so far: other processes do not count.
fn worked() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or(0),
        u32::try_from(spent.tv_nsec).unwrap_or(0),
    )
}

/// What the targets were asked.
#[derive(Debug, Default)]
struct Asked {
    connections: AtomicU64,
    pages: AtomicU64,
}

fn targets(runtime: &tokio::runtime::Runtime, time: Duration, clock: &SharedClock) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("fleet.json");
    let asked = Arc::new(Asked::default());
    let ports = runtime.block_on(serve(&asked))?;
    let entries: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    std::fs::write(&list, format!("[{{\"targets\":[{}]}}]", entries.join(",")))?;
    let list = list.to_str().ok_or("a path of UTF-8")?;
    // The file's own source is one of them.
    let all = format!("{0}/{0}", TARGETS + 1);
    let begun = clock.now().mono;
    let mut console = Terminal::start(&["--metrics", list], &[], SIZE.0, SIZE.1);
    console.wait("every target", PATIENCE, |screen| {
        screen.replace(',', "").contains(&all)
    });
    let whole = clock.now().mono.saturating_sub(begun);
    let counted = |which: &AtomicU64| which.load(Ordering::Relaxed);
    let rate = report(
        &format!("{TARGETS} targets of {SERIES} series"),
        &mut console,
        time,
        clock,
        &mut || Ok(counted(&asked.pages)),
    )?;
    let screen = console.wait("the interval", PATIENCE, |screen| screen.contains(" every "));
    let shown: String = screen
        .split_once(" every ")
        .map(|(_, rest)| rest.split("  ").next().unwrap_or_default().trim().to_owned())
        .unwrap_or_default();
    say(&format!(
        "  from start to every target read {:.2} s; {rate:.0} pages/s (allowed {PACE:.0}), an interval of {:.2} s, shown as `{shown}`; \
         {} connections for {} pages",
        whole.as_secs_f64(),
        TARGETS as f64 / rate,
        counted(&asked.connections),
        counted(&asked.pages),
    ));
    Ok(())
}

fn queues(runtime: &tokio::runtime::Runtime, time: Duration, clock: &SharedClock) -> Result<(), Error> {
    let (lab, client) = runtime.block_on(streams())?;
    let calls = || runtime.block_on(calls(&client));
    let begun = clock.now().mono;
    let mut console = Terminal::start(&["--nats", &lab.nats_url()?], &[], SIZE.0, SIZE.1);
    console.press("2");
    let count = format!("of {STREAMS}");
    let wait = |console: &Terminal| {
        console.wait("every stream", PATIENCE, |screen| {
            screen.replace(',', "").contains(&count)
        })
    };
    // A row is known when it is in the table, which counts them while a filter is on.
    console.press("/tenant_0999");
    wait(&console);
    let whole = clock.now().mono.saturating_sub(begun);
    console.press("\r");
    console.press("\u{1b}");
    let rate = report(
        &format!("{STREAMS} streams with a consumer each"),
        &mut console,
        time,
        clock,
        &mut || calls(),
    )?;
    let screen = console.see("our requests");
    let shown: String = screen
        .split_once("our requests ")
        .map(|(_, rest)| rest.split("/s").next().unwrap_or_default().to_owned())
        .unwrap_or_default();
    say(&format!(
        "  from start to every consumer in the table {:.2} s; {rate:.1} API calls/s as the server counts them, shown as {shown}/s",
        whole.as_secs_f64(),
    ));
    // The worst that they can do: each of them has a verdict of its own.
    runtime.block_on(strand(&client))?;
    report(
        "the same streams in an outage, a verdict for each",
        &mut console,
        time,
        clock,
        &mut || calls(),
    )?;
    drop(console);
    runtime.block_on(lab.down())?;
    Ok(())
}

/// CPU and memory over a while, then the time from a key to its effect. Returns how much a second
/// `count` grew in the first part.
fn report(
    what: &str,
    console: &mut Terminal,
    time: Duration,
    clock: &SharedClock,
    count: &mut dyn FnMut() -> Result<u64, Error>,
) -> Result<f64, Error> {
    let pid = console.pid().ok_or("the program has ended")?;
    // It settles first.
    std::thread::sleep(Duration::from_secs(10));
    let counted = count()?;
    let (before, begun) = (used(pid)?.cpu, clock.now().mono);
    std::thread::sleep(time);
    let measured = clock.now().mono.saturating_sub(begun);
    let share = (used(pid)?.cpu - before) / measured.as_secs_f64();
    let rate = (count()? - counted) as f64 / measured.as_secs_f64();
    let bytes = used(pid)?.peak;
    let mut times = Histogram::<u64>::new(3)?;
    for turn in 0..KEYS {
        let begun = clock.now().mono;
        console.press("?");
        console.wait("help comes and goes", PATIENCE, |screen| {
            screen.contains("Keys") == (turn % 2 == 0)
        });
        times.record(u64::try_from(clock.now().mono.saturating_sub(begun).as_micros())?)?;
        // Over several seconds, so that ticks and scrapes come in between.
        std::thread::sleep(Duration::from_millis(37));
    }
    let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    say(&format!(
        "{what}: {:.1} % of a core (budget 15), {:.0} MB (budget 200), key to screen median {:.1} ms, p99 {:.1} ms (budget 16), worst {:.1} ms",
        share * 100.0,
        bytes / 1e6,
        at(0.5),
        at(0.99),
        at(1.0),
    ));
    Ok(rate)
}

/// Serves a target of its own on each of a thousand ports: pages whose counters grow. Returns the ports.
async fn serve(asked: &Arc<Asked>) -> Result<Vec<u16>, Error> {
    let mut ports = Vec::with_capacity(TARGETS);
    for number in 0..TARGETS {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.push(listener.local_addr()?.port());
        let (asked, turns) = (asked.clone(), Arc::new(AtomicU64::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                asked.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(answer(stream, number, turns.clone(), asked.clone()));
            }
        });
    }
    Ok(ports)
}

async fn answer(stream: TcpStream, number: usize, turns: Arc<AtomicU64>, asked: Arc<Asked>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.is_empty() {
            continue;
        }
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        asked.pages.fetch_add(1, Ordering::Relaxed);
        let body = page(number, turn);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let whole = [head.as_bytes(), body.as_bytes()].concat();
        if write.write_all(&whole).await.is_err() {
            return;
        }
    }
}

/// A page of a process that receives and processes: counters and histograms by provider.
fn page(number: usize, turn: u64) -> String {
    const BOUNDS: [&str; 11] = [
        "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf",
    ];
    let mut page = String::with_capacity(64 << 10);
    let mut wanted = 0;
    // Writing into a string cannot fail.
    for series in 0..UNWANTED {
        let _ = writeln!(
            page,
            "go_gc_something_{series}{{quantile=\"0.5\"}} {}",
            turn * 7 + series as u64
        );
    }
    for family in ["received", "queued", "processed"] {
        let _ = writeln!(
            page,
            "# HELP webhook_{family}_total Webhooks.\n# TYPE webhook_{family}_total counter"
        );
        let label = if family == "processed" {
            "status=\"success\","
        } else {
            ""
        };
        for event in 0..4 {
            for provider in 0..PROVIDERS {
                let value = turn * 10 + (number + event * PROVIDERS + provider) as u64;
                let _ = writeln!(
                    page,
                    "webhook_{family}_total{{{label}provider=\"provider-{provider:02}\",event_type=\"event.{event:02}\"}} {value}"
                );
                wanted += 1;
            }
        }
    }
    let _ = writeln!(page, "# TYPE webhook_response_duration_seconds histogram");
    let name = "webhook_response_duration_seconds";
    let mut provider = 0;
    while wanted + BOUNDS.len() + 2 + 4 <= SERIES {
        for (rank, bound) in BOUNDS.iter().enumerate() {
            let value = turn * (rank as u64 + 1);
            let _ = writeln!(
                page,
                "{name}_bucket{{provider=\"provider-{provider:02}\",le=\"{bound}\"}} {value}"
            );
        }
        let _ = writeln!(
            page,
            "{name}_sum{{provider=\"provider-{provider:02}\"}} {}",
            turn as f64 * 0.213
        );
        let _ = writeln!(
            page,
            "{name}_count{{provider=\"provider-{provider:02}\"}} {}",
            turn * BOUNDS.len() as u64
        );
        wanted += BOUNDS.len() + 2;
        provider += 1;
    }
    let _ = writeln!(
        page,
        "process_start_time_seconds 1760000000\nprocess_cpu_seconds_total {}",
        turn as f64 * 0.31
    );
    let _ = writeln!(page, "process_resident_memory_bytes {}", 20_000_000 + turn * 4096);
    // Says who it is: no two targets have the same series.
    let _ = writeln!(page, "webhook_build_info{{name=\"w-{number:04}\",version=\"1.4.2\"}} 1");
    wanted += 4;
    let _ = writeln!(page, "# TYPE webhook_acked_total counter");
    for rest in wanted..SERIES {
        let _ = writeln!(page, "webhook_acked_total{{shard=\"{rest}\"}} {}", turn * 3);
    }
    page
}

/// A server with many streams, and a connection to it.
async fn streams() -> Result<(Lab, async_nats::Client), Error> {
    let mut options = Options::servers(env!("CARGO_BIN_EXE_hookwatch"), std::env::vars().collect());
    options.postgres = None;
    let lab = Lab::up(options).await?;
    let client = lab.connect().await?;
    let context = jetstream::new(client.clone());
    futures_util::stream::iter(0..STREAMS)
        .map(|number| {
            let context = context.clone();
            async move {
                let stream = context
                    .create_stream(stream::Config {
                        name: format!("tenant_{number:04}"),
                        subjects: vec![format!("tenant.{number:04}.>")],
                        storage: stream::StorageType::Memory,
                        retention: stream::RetentionPolicy::WorkQueue,
                        ..stream::Config::default()
                    })
                    .await?;
                stream
                    .create_consumer(consumer::pull::Config {
                        durable_name: Some("workers".to_owned()),
                        ..consumer::pull::Config::default()
                    })
                    .await?;
                Ok::<_, Error>(())
            }
        })
        .buffer_unordered(32)
        .try_collect::<Vec<()>>()
        .await?;
    Ok((lab, client))
}

/// A webhook into every stream, which nobody takes.
async fn strand(client: &async_nats::Client) -> Result<(), Error> {
    let context = jetstream::new(client.clone());
    for number in 0..STREAMS {
        let stored = context.publish(format!("tenant.{number:04}.waits"), "{}".into());
        stored.await?.await?;
    }
    Ok(())
}

/// API calls of the account so far, as the server counts them.
async fn calls(client: &async_nats::Client) -> Result<u64, Error> {
    let answer = client.request("$JS.API.INFO", bytes::Bytes::new()).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
    Ok(answer["api"]["total"].as_u64().ok_or("api.total")?)
}

/// What a process has used so far.
fn used(pid: u32) -> Result<Usage, Error> {
    Ok(Usage::of(pid).ok_or("the process has ended")?)
}
