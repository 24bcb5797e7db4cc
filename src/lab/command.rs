//! `hookwatch lab up`, `hookwatch lab fault`, `hookwatch lab load`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::signing_variable;
use super::guard::Status;
use super::load::{Load, Target, Traffic};
use super::play::Player;
use super::scenario::{Adjustment, Scenario};
use super::{DATABASE, Lab, LabError, Options, control, missing_servers};
use crate::act::fire::{Limit, Summary};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{Environment, format_duration};
use crate::pipeline::provider::Provider;

/// The process that runs a lab.
#[derive(Clone, Debug)]
pub struct Host {
    /// The hookwatch executable.
    pub program: PathBuf,
    /// The environment.
    pub environment: Environment,
    /// The clock.
    pub clock: SharedClock,
}

/// The options of `hookwatch lab up`.
#[derive(Clone, Debug, Default)]
pub struct UpOptions {
    /// The scenario, by name or path; `steady` when not given.
    pub scenario: Option<String>,
    /// What is changed of it.
    pub change: Adjustment,
    /// Only the servers, no pipeline and no load.
    pub servers_only: bool,
    /// When to take everything down; not given: on ^C.
    pub lasts: Option<Duration>,
    /// Prints JSON, one object a line: how to connect, what happens, what the load came to.
    pub json: bool,
}

/// The options of `hookwatch lab fault`.
#[derive(Clone, Debug, Default)]
pub struct FaultOptions {
    /// What happens: `kill`, `stop`, `hang`, `slow-database`, `lock-database`, `ack-wait`.
    pub what: String,
    /// To which process.
    pub target: Option<String>,
    /// The time that it is about.
    pub value: Option<Duration>,
    /// After which time it is undone.
    pub lasts: Option<Duration>,
    /// Undoes it instead.
    pub undo: bool,
    /// The lab's folder; the only running lab when not given.
    pub lab: Option<PathBuf>,
}

/// The options of `hookwatch lab load`.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The gateway; a running lab's when not given. With it, `TELNYX_SIGNING_KEY` and
    /// `RESEND_SIGNING_KEY` hold the providers' keys.
    pub to: Option<String>,
    /// The lab's folder; the only running lab when not given.
    pub lab: Option<PathBuf>,
    /// What is sent.
    pub traffic: Traffic,
    /// How many; not given: until ^C or the end of its time.
    pub count: Option<u64>,
    /// How long.
    pub lasts: Option<Duration>,
    /// Seed of the random choices; different every time when not given.
    pub seed: Option<u64>,
    /// Prints the summary as one JSON object.
    pub json: bool,
}

/// Where a command's words go.
pub type Out<'a> = &'a mut (dyn Write + Send);

/// Runs a lab until ^C, SIGTERM or the end of its time. Returns the exit code: 0, 1 when it
/// failed, 2 when it could not be (a server is not installed, the scenario is broken).
pub async fn up_command(options: UpOptions, host: Host, out: Out<'_>) -> u8 {
    exit_code(Box::pin(up(options, host, out)).await)
}

/// Lets something go wrong in a running lab, or undoes it. Returns the exit code.
pub async fn fault_command(options: FaultOptions, environment: &Environment) -> u8 {
    exit_code(fault(options, environment).await)
}

/// Sends webhooks to a gateway until ^C or a limit. Returns the exit code: 1 when one was not
/// accepted.
pub async fn load_command(options: LoadOptions, host: Host, out: Out<'_>) -> u8 {
    match load(options, host, out).await {
        Ok(summary) => u8::from(summary.accepted < summary.sent || !summary.failures.is_empty()),
        Err(error) => exit_code(Err(error)),
    }
}

fn exit_code(outcome: Result<(), LabError>) -> u8 {
    let Err(error) = outcome else { return 0 };
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr(), "hookwatch: {error}");
    match error {
        LabError::Missing(_) | LabError::Scenario(_) | LabError::Refused(_) => 2,
        _ => 1,
    }
}

async fn up(options: UpOptions, host: Host, out: Out<'_>) -> Result<(), LabError> {
    let begun = host.clock.now().mono;
    let scenario = Scenario::load(options.scenario.as_deref().unwrap_or("steady"))?.adjusted(options.change)?;
    let scenario = (!options.servers_only).then_some(scenario);
    let missing: Vec<String> = missing_servers(&host.environment)
        .iter()
        .map(ToString::to_string)
        .collect();
    if !missing.is_empty() {
        return Err(LabError::Refused(missing.join("; ")));
    }
    let stop = stop_on_signal()?;
    let plan = match &scenario {
        Some(scenario) => Options::scenario(host.program, host.environment, scenario),
        None => Options::servers(host.program, host.environment),
    };
    let Some(lab) = Lab::up_unless(plan, &stop).await? else {
        return Ok(());
    };
    let mut voice = Voice {
        out,
        json: options.json,
    };
    let took = host.clock.now().mono.saturating_sub(begun);
    voice.connection(&lab, scenario.as_ref(), took)?;
    stop_after(options.lasts, &stop);

    let (sender, mut happened) = mpsc::unbounded_channel();
    tell_of_processes(&lab, &sender);
    let outcome = {
        let mut stay = pin!(stay(&lab, scenario.as_ref(), host.clock, &stop, &sender));
        loop {
            tokio::select! {
                outcome = &mut stay => break outcome,
                Some(what) = happened.recv() => voice.happened(&what)?,
                error = lab.guard_gone() => break Err(error.into()),
            }
        }
    };
    lab.down().await?;
    if let Some(summary) = outcome? {
        voice.summary(&summary)?;
    }
    Ok(())
}

/// The scenario, and whatever is asked through the lab's door, until stopped.
async fn stay(
    lab: &Lab,
    scenario: Option<&Scenario>,
    clock: SharedClock,
    stop: &CancellationToken,
    say: &mpsc::UnboundedSender<String>,
) -> Result<Option<Summary>, LabError> {
    let (_door, asked) = control::open(lab)?;
    let seed = scenario.map_or(0, |scenario| scenario.seed);
    let mut player = Player::new(lab, seed, clock).asked_through(asked);
    let mut tell = |what: &str| {
        // The receiver lives as long as we do.
        let _ = say.send(what.to_owned());
    };
    if let Some(scenario) = scenario {
        while player.round(scenario, stop, &mut tell).await? && scenario.repeat {}
    }
    player.hold(stop, &mut tell).await?;
    player.finish().await
}

/// Tells when a process ends and when it is back.
fn tell_of_processes(lab: &Lab, say: &mpsc::UnboundedSender<String>) {
    for name in lab.names() {
        let (say, mut status) = (say.clone(), lab.watch(&name));
        status.mark_unchanged();
        tokio::spawn(async move {
            let mut away = false;
            while status.changed().await.is_ok() {
                let what = match &*status.borrow_and_update() {
                    Status::Ended(exit) => {
                        away = true;
                        format!("{name} ended: {}", exit.cause())
                    }
                    Status::Running { .. } if away => {
                        away = false;
                        format!("{name} is back")
                    }
                    _ => continue,
                };
                if say.send(what).is_err() {
                    return;
                }
            }
        });
    }
}

async fn fault(options: FaultOptions, environment: &Environment) -> Result<(), LabError> {
    let folder = control::find(options.lab.as_deref(), environment).await?;
    let mut fault = json!({ "at": "0s", "what": options.what });
    if let Some(target) = options.target {
        fault["target"] = target.into();
    }
    for (key, time) in [("value", options.value), ("for", options.lasts)] {
        if let Some(time) = time {
            fault[key] = format_duration(time).into();
        }
    }
    let verb = if options.undo { "mend" } else { "break" };
    control::perform(&folder, &json!({ verb: fault })).await
}

async fn load(options: LoadOptions, host: Host, out: Out<'_>) -> Result<Summary, LabError> {
    let mut traffic = options.traffic;
    let target = match options.to {
        Some(url) => aimed_at(url, &host.environment, &mut traffic)?,
        None => control::target(&control::find(options.lab.as_deref(), &host.environment).await?).await?,
    };
    let limit = Limit {
        count: options.count,
        duration: options.lasts,
    };
    let seed = options.seed.unwrap_or_else(rand::random);
    let stop = stop_on_signal()?;
    let load = Load::start(target, traffic, seed, limit, host.clock)?;
    let summary = load.until(&stop).await?;
    Voice {
        out,
        json: options.json,
    }
    .summary(&summary)?;
    Ok(summary)
}

/// A gateway that is no lab's, for webhooks of those providers whose keys are there.
fn aimed_at(url: String, environment: &Environment, traffic: &mut Traffic) -> Result<Target, LabError> {
    let is_http = url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_http {
        let url = text::safe(&url);
        return Err(LabError::Refused(format!(
            "--to: {url} is no URL of a gateway → write it like http://127.0.0.1:8080"
        )));
    }
    let keys = keys_from(environment);
    traffic.providers.retain(|provider, _| keys.contains_key(provider));
    if traffic.providers.is_empty() {
        let all = Provider::ALL
            .map(|provider| signing_variable(provider.name()))
            .join(" or ");
        return Err(LabError::Refused(format!(
            "--to: no webhook could be signed → set {all} to the key that signs what the gateway verifies"
        )));
    }
    Ok(Target { url, keys })
}

/// The providers' keys from `TELNYX_SIGNING_KEY` and so on.
fn keys_from(environment: &Environment) -> BTreeMap<String, SecretString> {
    let key = |provider: Provider| {
        let key = environment.get(&signing_variable(provider.name()))?;
        Some((provider.name().to_owned(), SecretString::from(key.as_str())))
    };
    Provider::ALL.into_iter().filter_map(key).collect()
}

/// A token that ^C, SIGTERM and a closed terminal cancel.
fn stop_on_signal() -> Result<CancellationToken, LabError> {
    let on = |kind| signal(kind).map_err(|error| LabError::server("watch for signals", &error));
    let (mut interrupt, mut terminate, mut hangup) = (
        on(SignalKind::interrupt())?,
        on(SignalKind::terminate())?,
        on(SignalKind::hangup())?,
    );
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}

fn stop_after(lasts: Option<Duration>, stop: &CancellationToken) {
    if let Some(lasts) = lasts {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            stop.cancel();
        });
    }
}

/// What a command says: text for people, or JSON, one object a line.
struct Voice<'a> {
    out: Out<'a>,
    json: bool,
}

impl Voice<'_> {
    fn connection(&mut self, lab: &Lab, scenario: Option<&Scenario>, took: Duration) -> Result<(), LabError> {
        let text = if self.json {
            format!("{}\n", connection(lab))
        } else {
            introduction(lab, scenario, took)
        };
        self.write(&text)
    }

    fn happened(&mut self, what: &str) -> Result<(), LabError> {
        let text = if self.json {
            format!("{}\n", json!({ "event": what }))
        } else {
            format!("  {what}\n")
        };
        self.write(&text)
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), LabError> {
        let text = if self.json {
            format!("{}\n", json!({ "summary": summary }))
        } else {
            summary_words(summary)
        };
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), LabError> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            // A reader that has gone away has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(LabError::file("write to", "standard output")(error))
            }
            _ => Ok(()),
        }
    }
}

/// How to connect, for programs.
fn connection(lab: &Lab) -> serde_json::Value {
    let metrics: BTreeMap<String, String> = lab.metrics().into_iter().collect();
    json!({
        "ready": "lab",
        "folder": lab.folder(),
        "nats": lab.nats_url().ok(),
        "monitoring": lab.monitoring_url().ok(),
        "postgres": lab.postgres_url(DATABASE).ok(),
        "gateway": lab.gateway_url().ok(),
        "metrics": metrics,
    })
}

/// How to connect, for people.
fn introduction(lab: &Lab, scenario: Option<&Scenario>, took: Duration) -> String {
    let mut lines = vec![format!("The lab is up after {}.", text::duration(took))];
    if let Some(scenario) = scenario {
        lines.push(format!("Scenario {}: {}", scenario.name, scenario.summary));
    }
    lines.push(String::new());
    for (what, url) in [
        ("NATS", lab.nats_url()),
        ("monitoring", lab.monitoring_url()),
        ("Postgres", lab.postgres_url(DATABASE)),
        ("gateway", lab.gateway_url()),
    ] {
        if let Ok(url) = url {
            lines.push(format!("  {what:<11} {url}"));
        }
    }
    for (name, url) in lab.metrics() {
        lines.push(format!("  {name:<11} {url}"));
    }
    lines.push(format!("  {:<11} {}", "folder", lab.folder().display()));
    lines.push(String::new());
    lines.push("Watch it:".to_owned());
    lines.push(format!("  hookwatch {}", arguments(lab).join(" ")));
    if let Some(scenario) = scenario {
        let workers = scenario.worker_names();
        let target = workers.first().map_or("nats", String::as_str);
        lines.push("Break it:".to_owned());
        lines.push(format!("  hookwatch lab fault kill {target} --for 10s"));
    }
    lines.push("^C takes it down.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// The arguments that watch the lab.
fn arguments(lab: &Lab) -> Vec<String> {
    let overrides = lab.overrides();
    let metrics = overrides.metrics.into_iter().map(|target| ("--metrics", Some(target)));
    [
        ("--nats", overrides.nats),
        ("--monitoring", overrides.monitoring),
        ("--postgres", overrides.postgres),
        ("--stream", overrides.stream),
        ("--consumer", overrides.consumer),
        ("--dlq", overrides.dlq),
    ]
    .into_iter()
    .chain(metrics)
    .filter_map(|(flag, value)| Some(format!("{flag} {}", value?)))
    .collect()
}

fn summary_words(summary: &Summary) -> String {
    let latency = |seconds: Option<f64>| {
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map_or(text::UNKNOWN.to_owned(), text::duration)
    };
    let mut words = vec![
        format!("{} webhooks sent", text::count(summary.sent)),
        format!("{} accepted", text::count(summary.accepted)),
    ];
    for (status, count) in summary
        .statuses
        .iter()
        .filter(|(status, _)| !(200..300).contains(*status))
    {
        words.push(format!("{} answered {status}", text::count(*count)));
    }
    for (kind, count) in &summary.failures {
        words.push(format!("{} failed ({})", text::count(*count), kind.name()));
    }
    words.push(format!("p50 {}", latency(summary.latency_s.p50)));
    words.push(format!("p99 {}", latency(summary.latency_s.p99)));
    format!("{}\n", words.join(", "))
}
