//! How fast webhooks are fired, beside `wrk` on the same receiver where it is installed.
//!
//! `cargo bench --bench fire [-- SECONDS [LANES]]`. The receiver is a process of its own that does
//! nothing but count; generator and receiver share the machine's cores. It fails when a count is not
//! exact: sent = received = reported, at every rate.

use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use hookwatch::act::fire::{Library, Limit, Mix, Plan, Progress, Summary, run};
use hookwatch::act::pace::{Rate, Shape};
use hookwatch::base::time::SystemClock;
use hookwatch::signature::{SecretPair, Signer};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Error = Box<dyn std::error::Error>;

/// The first argument of the process that receives.
const RECEIVER: &str = "receive";

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if arguments.first().is_some_and(|argument| argument == RECEIVER) {
        return runtime.block_on(receive());
    }
    let seconds: u64 = arguments.first().map_or(Ok(5), |text| text.parse())?;
    let lanes: NonZeroUsize = arguments
        .get(1)
        .map_or(Ok(NonZeroUsize::MIN.saturating_add(63)), |text| text.parse())?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed")?;
    let receiver = Receiver::start()?;
    let mut out = std::io::stdout().lock();
    let mut fastest: f64 = 0.0;
    for template in ["resend.email.sent", "telnyx.message.finalized", "generic"] {
        let before = receiver.count()?;
        let limit = Limit {
            count: None,
            duration: Some(Duration::from_secs(seconds)),
        };
        let summary = runtime.block_on(fire(&receiver.url, template, Shape::Unpaced, limit, lanes))?;
        report(
            &mut out,
            &format!("{template}, unpaced"),
            &summary,
            receiver.count()? - before,
        )?;
        fastest = fastest.max(summary.sent_per_s.unwrap_or_default());
    }
    for rate in [5_000_u32, 20_000, 50_000] {
        let before = receiver.count()?;
        let limit = Limit {
            count: Some(u64::from(rate) * seconds),
            duration: None,
        };
        let shape = Shape::Steady(Rate::per_second(f64::from(rate))?);
        let summary = runtime.block_on(fire(&receiver.url, "resend.email.sent", shape, limit, lanes))?;
        report(
            &mut out,
            &format!("resend.email.sent, {rate}/s"),
            &summary,
            receiver.count()? - before,
        )?;
    }
    wrk(&mut out, &receiver.url, seconds, lanes, fastest)
}

async fn receive() -> Result<(), Error> {
    let count = Arc::new(AtomicU64::new(0));
    let shown = count.clone();
    let router = Router::new()
        .route(
            "/",
            post(move |_: Bytes| {
                count.fetch_add(1, Ordering::Relaxed);
                std::future::ready(())
            }),
        )
        .route(
            "/count",
            get(move || std::future::ready(shown.load(Ordering::Relaxed).to_string())),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    axum::serve(listener, router).await?;
    Ok(())
}

/// The process that receives; it ends with this value.
struct Receiver {
    url: String,
    process: Child,
}

impl Receiver {
    fn start() -> Result<Self, Error> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(RECEIVER)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut url)?;
        Ok(Self {
            url: url.trim().to_owned(),
            process,
        })
    }

    fn count(&self) -> Result<u64, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let text = runtime.block_on(async { reqwest::get(format!("{}/count", self.url)).await?.text().await })?;
        Ok(text.parse()?)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn fire(url: &str, template: &str, shape: Shape, limit: Limit, lanes: NonZeroUsize) -> Result<Summary, Error> {
    let template = Library::load(None).get(template)?.clone();
    let pair = SecretPair::generate(template.scheme(), &mut SmallRng::seed_from_u64(1));
    let signer = Signer::new(template.scheme(), &pair.signing)?;
    let plan = Plan {
        shape,
        limit,
        concurrency: lanes,
        ..Plan::new(url, Mix::single(template, Some(signer))?, 1)
    };
    let (progress, _watched) = watch::channel(Progress::default());
    Ok(run(plan, SystemClock::shared(), progress, CancellationToken::new()).await?)
}

fn report(out: &mut impl std::io::Write, what: &str, summary: &Summary, received: u64) -> Result<(), Error> {
    let exact = summary.sent == received && summary.answered == received;
    let ms = |seconds: Option<f64>| seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{:.2}", seconds * 1e3));
    writeln!(
        out,
        "{what}: {:.0}/s; sent {} = received {received} = answered {}: {exact}; unsent {}; latency ms p50 {} p99 {} p99.9 {} max {}; service p50 {} p99 {}; late p50 {} p99 {}",
        summary.sent_per_s.unwrap_or_default(),
        summary.sent,
        summary.answered,
        summary.unsent,
        ms(summary.latency_s.p50),
        ms(summary.latency_s.p99),
        ms(summary.latency_s.p999),
        ms(summary.latency_s.max),
        ms(summary.service_s.p50),
        ms(summary.service_s.p99),
        ms(summary.lateness_s.p50),
        ms(summary.lateness_s.p99),
    )?;
    if exact {
        Ok(())
    } else {
        Err(format!(
            "{what}: sent {}, received {received}, reported {}",
            summary.sent, summary.answered
        )
        .into())
    }
}

/// The same receiver under `wrk`, which sends one prepared request over and over.
fn wrk(out: &mut impl std::io::Write, url: &str, seconds: u64, lanes: NonZeroUsize, ours: f64) -> Result<(), Error> {
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    let body = "x".repeat(400);
    std::fs::write(
        script.path(),
        format!("wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\nwrk.body = \"{body}\"\n"),
    )?;
    let output = Command::new("wrk")
        .args([
            "-t4",
            &format!("-c{lanes}"),
            &format!("-d{seconds}s"),
            "--latency",
            "-s",
        ])
        .arg(script.path())
        .arg(url)
        .output();
    match output {
        Ok(output) => {
            out.write_all(&output.stdout)?;
            let text = String::from_utf8_lossy(&output.stdout);
            let theirs = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
            if let Some(theirs) = theirs.and_then(|rate| rate.trim().parse::<f64>().ok()) {
                writeln!(out, "signed and counted, {:.2} of what wrk sends", ours / theirs)?;
            }
        }
        Err(error) => writeln!(out, "wrk: {error}")?,
    }
    Ok(())
}
