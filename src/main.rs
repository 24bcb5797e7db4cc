//! The binary: arguments in, exit code out.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hookwatch::base::time::SystemClock;
use hookwatch::lab::scenario::Adjustment;
use hookwatch::{config, lab, pipeline};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
}

#[derive(Subcommand)]
enum LabCommand {
    Up(UpArgs),
    Load(LoadArgs),
    Fault(FaultArgs),
    Gateway,
    Worker,
    #[command(hide = true)]
    Guard,
}

#[derive(Args)]
struct UpArgs {
    #[arg(long)]
    scenario: Option<String>,
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long)]
    workers: Option<usize>,
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long = "for", value_parser = config::parse_duration)]
    lasts: Option<Duration>,
    #[arg(long)]
    servers_only: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct LoadArgs {
    #[arg(long)]
    to: Option<String>,
    #[arg(long)]
    lab: Option<std::path::PathBuf>,
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    #[arg(long)]
    count: Option<u64>,
    #[arg(long = "for", value_parser = config::parse_duration)]
    lasts: Option<Duration>,
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct FaultArgs {
    what: String,
    target: Option<String>,
    #[arg(long, value_parser = config::parse_duration)]
    value: Option<Duration>,
    #[arg(long = "for", value_parser = config::parse_duration)]
    lasts: Option<Duration>,
    #[arg(long)]
    undo: bool,
    #[arg(long)]
    lab: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Command::Lab { command } = Cli::parse().command;
    if matches!(command, LabCommand::Guard) {
        return ExitCode::from(lab::guard::run(std::io::stdin(), std::io::stdout()));
    }
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return ExitCode::FAILURE;
    };
    ExitCode::from(runtime.block_on(run(command)))
}

async fn run(command: LabCommand) -> u8 {
    let host = lab::Host {
        program: std::env::current_exe().unwrap_or_default(),
        environment: std::env::vars().collect(),
        clock: SystemClock::shared(),
    };
    let out = &mut std::io::stdout();
    match command {
        LabCommand::Guard => 2,
        LabCommand::Gateway => exit(pipeline::serve_gateway(&host.environment).await),
        LabCommand::Worker => exit(pipeline::serve_worker(&host.environment).await),
        LabCommand::Up(args) => {
            let options = lab::UpOptions {
                scenario: args.scenario,
                change: Adjustment {
                    workers: args.workers,
                    rate: args.rate,
                    seed: args.seed,
                },
                servers_only: args.servers_only,
                lasts: args.lasts,
                json: args.json,
            };
            lab::up_command(options, host, out).await
        }
        LabCommand::Load(args) => {
            let options = lab::LoadOptions {
                to: args.to,
                lab: args.lab,
                traffic: lab::Traffic {
                    rate: args.rate,
                    ..lab::Traffic::default()
                },
                count: args.count,
                lasts: args.lasts,
                seed: args.seed,
                json: args.json,
            };
            lab::load_command(options, host, out).await
        }
        LabCommand::Fault(args) => {
            let options = lab::FaultOptions {
                what: args.what,
                target: args.target,
                value: args.value,
                lasts: args.lasts,
                undo: args.undo,
                lab: args.lab,
            };
            lab::fault_command(options, &host.environment).await
        }
    }
}

fn exit(outcome: Result<(), pipeline::Error>) -> u8 {
    let Err(error) = outcome else { return 0 };
    let _ = writeln!(std::io::stderr(), "hookwatch: {error}");
    1
}
