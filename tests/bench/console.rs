//! What the console costs: the time until it shows something, the time from a key to its effect
//! on screen, CPU and memory at one reading a second beside `btm` where it is installed.
//!
//! `cargo bench --bench console [-- SECONDS]`. A pipeline of one gateway and nine workers under
//! load, 200×60, the real program in a pseudo-terminal.
//!
//! `make layout` has the same console write down which functions it runs (`layout`), which decides
//! how much of the program is resident.

#[path = "../it/terminal.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests, which use more of it and fail by panicking"
)]
mod terminal;

mod layout;

#[expect(dead_code, reason = "shared with other benches, which look for a process as well")]
mod usage;

use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use hookwatch::act::fire::Limit;
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::lab::{Lab, Options, Traffic};
use terminal::Terminal;
use usage::Usage;

type Error = Box<dyn std::error::Error>;

const SIZE: (u16, u16) = (200, 60);

/// Starts, and keys pressed, of which the median and the 99th percentile are told.
const STARTS: usize = 10;
const KEYS: usize = 200;

/// Longest wait for anything on screen.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::print_stdout, reason = "the report of a bench")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> Result<(), Error> {
    let seconds = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(20);
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let clock = SystemClock::shared();
    let (lab, load) = runtime.block_on(async {
        let environment = std::env::vars().collect();
        let lab = Lab::up(Options::pipeline(env!("CARGO_BIN_EXE_hookwatch"), environment, 9)).await?;
        let traffic = Traffic {
            rate: 2_000.0,
            ..Traffic::default()
        };
        let endless = Limit {
            count: None,
            duration: None,
        };
        let load = lab.load(traffic, 1, endless, clock.clone())?;
        Ok::<_, hookwatch::lab::LabError>((lab, load))
    })?;
    let arguments = arguments(&lab)?;
    let time = Duration::from_secs(seconds);
    let done = if std::env::args().any(|argument| argument == "--layout") {
        layout::write(&arguments)
    } else {
        measure(&arguments, time, &clock)
    };
    runtime.block_on(async {
        load.stop().await?;
        lab.down().await
    })?;
    done
}

fn measure(arguments: &[String], time: Duration, clock: &SharedClock) -> Result<(), Error> {
    starts(arguments, clock)?;
    let console = keys(arguments, clock)?;
    let own = usage(&console, time, clock)?;
    say(&format!(
        "console at one reading a second, 10 targets, 2 streams: {:.2} % of a core, {:.1} MB (budget 20)",
        own.0 * 100.0,
        own.1 / 1e6
    ));
    drop(console);
    peer(own, time, clock)
}

/// What the console is started with: the lab's parts, one by one.
fn arguments(lab: &Lab) -> Result<Vec<String>, Error> {
    let topology = lab.topology()?;
    let mut arguments = vec!["--nats".to_owned(), lab.nats_url()?];
    arguments.extend(["--postgres".to_owned(), lab.postgres_url(hookwatch::lab::DATABASE)?]);
    for (name, url) in lab.metrics() {
        arguments.extend(["--metrics".to_owned(), format!("{name}={url}")]);
    }
    for (flag, value) in [
        ("--stream", &topology.stream),
        ("--consumer", &topology.consumer),
        ("--dlq", &topology.dlq),
    ] {
        arguments.extend([flag.to_owned(), value.clone()]);
    }
    Ok(arguments)
}

fn open(arguments: &[String]) -> Terminal {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Terminal::start(&arguments, &[], SIZE.0, SIZE.1)
}

/// Whether a number stands before `unit` somewhere on screen.
fn has_number(screen: &str, unit: &str) -> bool {
    screen
        .match_indices(unit)
        .any(|(at, _)| screen[..at].ends_with(|c: char| c.is_ascii_digit()))
}

/// Whether the rate of the first hop is known.
fn has_rate(screen: &str) -> bool {
    let mut lines = screen.lines().skip_while(|line| !line.contains("received ─"));
    let figure = lines.nth(1).and_then(|line| line.split_once("/s"));
    figure.is_some_and(|(before, _)| before.ends_with(|c: char| c.is_ascii_digit()) && before.chars().count() < 24)
}

fn starts(arguments: &[String], clock: &SharedClock) -> Result<(), Error> {
    let mut totals = Histogram::<u64>::new(3)?;
    let mut rates = Histogram::<u64>::new(3)?;
    for _ in 0..STARTS {
        let begun = clock.now().mono;
        let took = || u64::try_from(clock.now().mono.saturating_sub(begun).as_micros());
        let console = open(arguments);
        console.wait("totals", PATIENCE, |screen| has_number(screen, " in all"));
        totals.record(took()?)?;
        console.wait("rates", PATIENCE, has_rate);
        rates.record(took()?)?;
    }
    let line = |times: &Histogram<u64>| {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
        format!("median {:.0} ms, worst {:.0} ms", at(0.5), at(1.0))
    };
    say(&format!(
        "from start to the first live totals: {} (budget 100)",
        line(&totals)
    ));
    say(&format!("from start to the first rates: {} (budget 500)", line(&rates)));
    Ok(())
}

/// From a key to its effect on screen, under full load.
fn keys(arguments: &[String], clock: &SharedClock) -> Result<Terminal, Error> {
    let mut console = open(arguments);
    console.wait("rates", PATIENCE, has_rate);
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
        "from a key to its effect on screen: median {:.1} ms, p99 {:.1} ms (budget 16)",
        times.value_at_quantile(0.5) as f64 / 1e3,
        times.value_at_quantile(0.99) as f64 / 1e3
    ));
    Ok(console)
}

/// Share of a core over a while, and the most bytes that were resident.
fn usage(program: &Terminal, time: Duration, clock: &SharedClock) -> Result<(f64, f64), Error> {
    let pid = program.pid().ok_or("the program has ended")?;
    // It settles first.
    std::thread::sleep(Duration::from_secs(3));
    let used = || Usage::of(pid).ok_or("the program has ended");
    let (before, begun) = (used()?, clock.now().mono);
    std::thread::sleep(time);
    let now = used()?;
    let share = (now.cpu - before.cpu) / clock.now().mono.saturating_sub(begun).as_secs_f64();
    Ok((share, now.peak))
}

/// The same of `btm`, at one reading a second and the same size.
fn peer(own: (f64, f64), time: Duration, clock: &SharedClock) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "a bench looks for its peer")]
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = std::env::split_paths(&paths)
        .map(|folder| folder.join("btm"))
        .find(|path| path.is_file())
    else {
        say("btm is not installed (cargo install bottom --locked): no peer to compare CPU with");
        return Ok(());
    };
    let peer = Terminal::start_program(Path::new(&program), &["--rate", "1s"], &[], SIZE.0, SIZE.1);
    let other = usage(&peer, time, clock)?;
    say(&format!(
        "btm at one reading a second: {:.2} % of a core, {:.1} MB; the console's CPU is {:.2} of it (budget 1)",
        other.0 * 100.0,
        other.1 / 1e6,
        own.0 / other.0
    ));
    Ok(())
}
