//! Options that several commands have: what to connect to, how the console looks.

use std::path::PathBuf;

use clap::Args;

/// What to connect to. Every part is optional.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// A profile of the configuration file; several, with commas, are watched side by side
    #[arg(long = "profile", short, value_name = "NAME", value_delimiter = ',')]
    pub profiles: Vec<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A context of the NATS CLI
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// NATS servers, with commas between several
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// A NATS credentials file
    #[arg(long, value_name = "FILE")]
    pub creds: Option<String>,
    /// The NATS monitoring port, `http://host:8222`
    #[arg(long, value_name = "URL")]
    pub monitoring: Option<String>,
    /// A metrics endpoint, `dns+URL`, a `file_sd` file or a Prometheus server's /federate; repeat it for each
    #[arg(long, value_name = "[NAME=]URL")]
    pub metrics: Vec<String>,
    /// A health endpoint; repeat it for each
    #[arg(long = "probe", value_name = "[NAME=]URL")]
    pub probes: Vec<String>,
    /// The database
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// The stream that webhooks wait in
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// The workers' consumer
    #[arg(long, value_name = "NAME")]
    pub consumer: Option<String>,
    /// The dead letter stream
    #[arg(long, value_name = "NAME")]
    pub dlq: Option<String>,
}

/// How the console looks and behaves.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Console")]
pub struct ConsoleArgs {
    /// A theme
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// Show times in UTC (the default)
    #[arg(long, conflicts_with = "local")]
    pub utc: bool,
    /// Show times in local time
    #[arg(long)]
    pub local: bool,
    /// Refuse every action
    #[arg(long)]
    pub read_only: bool,
    /// Record the session to FILE, or to a folder of rotated files
    #[arg(long, value_name = "FILE|DIR")]
    pub record: Option<PathBuf>,
    /// Begin with the last 6 h: from a folder of recordings (R steps back into it), or from a Prometheus server
    #[arg(long, value_name = "DIR|URL")]
    pub history: Option<String>,
}
