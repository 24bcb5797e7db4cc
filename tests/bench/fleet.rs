//! What a large fleet costs: 1,000 metrics targets of 500 series each, and 1,000 streams with a
//! consumer each, watched by the real program in a pseudo-terminal of 200×60.
//!
//! `cargo bench --bench fleet [-- SECONDS]`.

#[path = "../it/terminal.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests, which use more of it and fail by panicking"
)]
mod terminal;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use hdrhistogram::Histogram;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::lab::{Lab, Options};
use terminal::Terminal;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

const SIZE: (u16, u16) = (200, 60);
const TARGETS: usize = 1_000;
const SERIES: usize = 500;
const STREAMS: usize = 1_000;
const KEYS: usize = 100;

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

    let folder = tempfile::tempdir()?;
    let list = folder.path().join("fleet.json");
    let port = runtime.block_on(serve())?;
    let entries: Vec<String> = (0..TARGETS)
        .map(|number| format!(r#"{{"targets":["127.0.0.1:{port}"],"labels":{{"__metrics_path__":"/t/{number:04}"}}}}"#))
        .collect();
    std::fs::write(&list, format!("[{}]", entries.join(",")))?;
    let list = list.to_str().ok_or("a path of UTF-8")?;
    // The file's own source is one of them.
    let all = format!("{0}/{0}", TARGETS + 1);
    let mut console = Terminal::start(&["--metrics", list], &[], SIZE.0, SIZE.1);
    console.wait("every target", PATIENCE, |screen| screen.contains(&all));
    report(
        &format!("{TARGETS} targets of {SERIES} series"),
        &mut console,
        time,
        &clock,
    )?;
    drop(console);

    let lab = runtime.block_on(streams())?;
    let mut console = Terminal::start(&["--nats", &lab.nats_url()?], &[], SIZE.0, SIZE.1);
    console.press("2");
    let count = format!("{STREAMS}");
    console.wait("every stream", PATIENCE, |screen| {
        screen.replace(',', "").contains(&count)
    });
    report(
        &format!("{STREAMS} streams with a consumer each"),
        &mut console,
        time,
        &clock,
    )?;
    drop(console);
    runtime.block_on(lab.down())?;
    Ok(())
}

/// CPU, memory and the time from a key to its effect.
fn report(what: &str, console: &mut Terminal, time: Duration, clock: &SharedClock) -> Result<(), Error> {
    let (share, bytes) = usage(console, time, clock)?;
    let mut times = Histogram::<u64>::new(3)?;
    for turn in 0..KEYS {
        let begun = clock.now().mono;
        console.press("?");
        console.wait("help comes and goes", PATIENCE, |screen| {
            screen.contains("Keys") == (turn % 2 == 0)
        });
        times.record(u64::try_from(clock.now().mono.saturating_sub(begun).as_micros())?)?;
    }
    say(&format!(
        "{what}: {:.1} % of a core (budget 15), {:.0} MB (budget 200), key to screen median {:.1} ms, p99 {:.1} ms (budget 16)",
        share * 100.0,
        bytes / 1e6,
        times.value_at_quantile(0.5) as f64 / 1e3,
        times.value_at_quantile(0.99) as f64 / 1e3
    ));
    Ok(())
}

/// Serves every path with a page of its own whose counters grow. Returns the port.
async fn serve() -> Result<u16, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let pages = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pages = pages.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if !line.is_empty() {
                        continue;
                    }
                    let body = page(pages.fetch_add(1, Ordering::Relaxed));
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    if write.write_all(head.as_bytes()).await.is_err()
                        || write.write_all(body.as_bytes()).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    Ok(port)
}

fn page(turn: u64) -> String {
    let mut page = String::from("# TYPE webhook_received_total counter\n");
    for series in 0..SERIES {
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "webhook_received_total{{provider=\"provider-{:02}\",event_type=\"event.{:02}\"}} {}",
            series % 20,
            series / 20,
            turn * 10 + series as u64
        );
    }
    page
}

/// A server with many streams.
async fn streams() -> Result<Lab, Error> {
    let mut options = Options::servers(env!("CARGO_BIN_EXE_hookwatch"), std::env::vars().collect());
    options.postgres = None;
    let lab = Lab::up(options).await?;
    let context = jetstream::new(lab.connect().await?);
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
    Ok(lab)
}

/// Share of a core over a while, and resident bytes at its end.
fn usage(program: &Terminal, time: Duration, clock: &SharedClock) -> Result<(f64, f64), Error> {
    let pid = program.pid().ok_or("the program has ended")?;
    // It settles first.
    std::thread::sleep(Duration::from_secs(10));
    let (before, begun) = (cpu(pid)?, clock.now().mono);
    std::thread::sleep(time);
    let share = (cpu(pid)? - before) / clock.now().mono.saturating_sub(begun).as_secs_f64();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("VmRSS")?.parse()?;
    Ok((share, kilobytes * 1024.0))
}

/// CPU seconds of a process so far.
fn cpu(pid: u32) -> Result<f64, Error> {
    // Fields 1 and 2 are the number and the name; the 14th and 15th count hundredths of seconds.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("a name in parentheses")?;
    let ticks: Vec<f64> = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
