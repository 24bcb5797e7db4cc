//! The grammar of `hookwatch demo` and `hookwatch lab`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::options::ConsoleArgs;
use crate::config::parse_duration;

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

/// `hookwatch demo`
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

/// `hookwatch lab …`
#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub enum LabCommand {
    /// Start private servers, the pipeline and a load; everything is gone at the end
    Up(UpArgs),
    /// Take webhooks over HTTP and publish them, as the environment says
    Gateway,
    /// Process webhooks from the stream into Postgres, as the environment says
    Worker,
    /// Send signed webhooks to a gateway
    Load(LoadArgs),
    /// Let something go wrong in a running lab
    Fault(FaultArgs),
    /// Own the processes of a lab; started by the lab itself
    #[command(hide = true)]
    Guard,
}

/// `hookwatch lab up`
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

/// `hookwatch lab load`
#[derive(Args, Clone, Debug, Default)]
pub struct LoadArgs {
    /// The gateway; without it, the one of a running lab
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// A running lab's folder; without it, the only lab that runs
    #[arg(long, value_name = "FOLDER")]
    pub lab: Option<PathBuf>,
    /// Webhooks a second
    #[arg(long, value_name = "N", default_value_t = 100.0)]
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

/// `hookwatch lab fault`
#[derive(Args, Clone, Debug, Default)]
pub struct FaultArgs {
    /// What goes wrong: kill, stop, hang, slow-database, lock-database or ack-wait
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
