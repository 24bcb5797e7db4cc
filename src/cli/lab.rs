//! The grammar of `hookwatch demo` and `hookwatch lab`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::options::ConsoleArgs;
use crate::config::parse_duration;

/// What can go wrong in a lab, as it is typed.
pub const FAULTS: [&str; 7] = [
    "kill",
    "stop",
    "hang",
    "slow-database",
    "lock-database",
    "ack-wait",
    "delete-consumer",
];

const GATEWAY_VARIABLES: &str = "\
Environment (defaults in brackets):
  NATS_URL                     where to publish [nats://127.0.0.1:4222]
  TELNYX_WEBHOOK_SECRET        Telnyx's public key, base64
  RESEND_WEBHOOK_SECRET        Resend's secret, whsec_…; at least one of the two
  WEBHOOK_LISTEN               address and port [127.0.0.1, a free port]
  WEBHOOK_GATEWAY_NAME         its name in its metrics [gateway]
  WEBHOOK_STREAM               the stream, created when missing [webhooks]
  WEBHOOK_CONSUMER             the workers' consumer, likewise [webhook-workers]
  WEBHOOK_DLQ                  the dead letter stream, likewise [webhooks_dlq]
  WEBHOOK_BATCH_SIZE, WEBHOOK_MAX_WORKERS
                               what that consumer is made for [100, 10]
  WEBHOOK_MAX_BODY             bytes; more is answered with 413 [1048576]
  WEBHOOK_PUBLISH_TIMEOUT      ms to wait for a PubAck; then 503 [2000]
  WEBHOOK_TIMESTAMP_TOLERANCE  s that a signature may be old; then 401 [300]

Webhooks go to /webhooks/telnyx and /webhooks/resend.
/metrics, /health and /ready say how it is; --log /dev/stderr shows what goes
wrong.";

const WORKER_VARIABLES: &str = "\
Environment (defaults in brackets):
  NATS_URL                  where to pull from [nats://127.0.0.1:4222]
  DATABASE_URL              where to write, postgres://host:5432/database
  WEBHOOK_LISTEN            address and port [127.0.0.1, a free port]
  WEBHOOK_WORKER_NAME       its name in metrics and heartbeats [worker]
  WEBHOOK_STREAM            the stream, created when missing [webhooks]
  WEBHOOK_CONSUMER          the shared consumer, likewise [webhook-workers]
  WEBHOOK_DLQ               the dead letter stream, likewise [webhooks_dlq]
  WEBHOOK_BATCH_SIZE        webhooks that are written at once [100]
  WEBHOOK_FLUSH_INTERVAL    ms after which fewer are written [1000]
  WEBHOOK_MAX_WORKERS       how many share the consumer [10]
  WEBHOOK_MAX_ATTEMPTS      until a webhook is a dead letter [3]
  WEBHOOK_RETRY_DELAY       ms before the second attempt, then doubled [250]
  WEBHOOK_BREAKER_FAILURES  failures of the database that open the breaker [3]
  WEBHOOK_BREAKER_OPEN      ms until it tries again [1000]
  WEBHOOK_DATABASE_TIMEOUT  ms that a batch may take [5000]
  WEBHOOK_RATE_LIMIT        webhooks/s at most; 0: no limit [0]

/metrics, /health and /ready say how it is; --log /dev/stderr shows what goes
wrong. SIGTERM lets it finish what it holds; nothing is lost.";

/// What is changed of a scenario.
#[derive(Args, Clone, Debug, Default)]
pub struct ScenarioArgs {
    /// A scenario, by name or as a file
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// The seed of its random choices
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many workers
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Webhooks a second in its first phase
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
}

impl ScenarioArgs {
    /// Whether any of it was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        let Self {
            scenario,
            seed,
            workers,
            rate,
        } = self;
        scenario.is_some() || seed.is_some() || workers.is_some() || rate.is_some()
    }
}

/// Watch a private pipeline with a made-up load, gone without a trace at the end
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// No console: watch for this long and print the last reading as JSON
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub headless: Option<Duration>,
    /// Play the recording of a demo instead of starting servers, as where none are installed
    #[arg(long, conflicts_with_all = ["scenario", "seed", "workers", "rate"])]
    pub recorded: bool,
    /// What happens.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// How the console looks.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// The reference pipeline and a load for it, each part a process of its own
#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub enum LabCommand {
    /// Start private servers, the pipeline and a load; everything is gone at the end
    Up(UpArgs),
    /// Take webhooks over HTTP and publish them, as the environment says
    #[command(after_help = GATEWAY_VARIABLES)]
    Gateway,
    /// Process webhooks from the stream into Postgres, as the environment says
    #[command(after_help = WORKER_VARIABLES)]
    Worker,
    /// Send signed webhooks to a gateway
    Load(LoadArgs),
    /// Let something go wrong in a running lab
    Fault(FaultArgs),
    /// Own the processes of a lab; started by the lab itself
    #[command(hide = true)]
    Guard,
}

/// Start private servers, the pipeline and a load; everything is gone at the end
#[derive(Args, Clone, Debug, Default)]
pub struct UpArgs {
    /// What happens.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Take everything down after this long; without it, on ^C
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// Start the servers only: no pipeline and no load
    #[arg(long, conflicts_with_all = ["scenario", "workers", "rate"])]
    pub servers_only: bool,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// Send signed webhooks to a gateway
#[derive(Args, Clone, Debug, Default)]
pub struct LoadArgs {
    /// The gateway, whose keys are in `TELNYX_SIGNING_KEY` and `RESEND_SIGNING_KEY`; without it,
    /// the one of a running lab
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// A running lab's folder; without it, the only lab that runs
    #[arg(long, value_name = "FOLDER")]
    pub lab: Option<PathBuf>,
    /// Webhooks a second
    #[arg(long, value_name = "N", default_value = "100", value_parser = rate)]
    pub rate: f64,
    /// How many to send
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// How long to send; without it and --count, until ^C
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// The seed of the random choices
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Let something go wrong in a running lab
#[derive(Args, Clone, Debug, Default)]
pub struct FaultArgs {
    /// What goes wrong
    #[arg(value_parser = FAULTS)]
    pub what: String,
    /// To which process: nats, postgres, or a gateway's or worker's name
    pub target: Option<String>,
    /// The time that it is about (slow-database, ack-wait)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub value: Option<Duration>,
    /// Undo it after this long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// Undo it now
    #[arg(long)]
    pub undo: bool,
    /// A running lab's folder; without it, the only lab that runs
    #[arg(long, value_name = "FOLDER")]
    pub lab: Option<PathBuf>,
}

/// A rate of a load: one of nothing would never end.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a rate is a number above zero, webhooks a second".to_owned()),
    }
}
