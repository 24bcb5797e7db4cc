//! The arguments of `hookwatch fire`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::options::ConnectionArgs;
use crate::config::parse_duration;

const AFTER_HELP: &str = "\
Examples:
  hookwatch fire telnyx.message.sent --to http://127.0.0.1:8080/webhooks/telnyx --secret-env TELNYX_KEY
  hookwatch fire resend.email.sent --count 60000 --rate 1000 --expect 2xx --expect 'p99<200ms'
  hookwatch fire telnyx.message.sent --trace --every 30s --json
  hookwatch fire telnyx.message.sent --selftest

Expectations: 2xx, 401, p99<200ms (p50, p90, p99, p99.9, max), latency<1s, header:NAME[=VALUE], $.json.path[=VALUE].

Exit codes: 0 done and as expected, 1 an expectation failed, a trace got stuck or an attack was accepted, \
2 refused before the first request, 130 interrupted.";

/// Fire signed test webhooks, and follow them through
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "hookwatch fire TEMPLATE [OPTIONS]\n       hookwatch fire --list | --show TEMPLATE | --save-from FILE NAME")]
#[command(group(ArgGroup::new("what").args(["template", "list", "show", "save_from"]).required(true)))]
pub struct FireArgs {
    /// The template: provider.event, or a provider that has only one
    pub template: Option<String>,
    /// List the templates
    #[arg(long)]
    pub list: bool,
    /// Print a template's file
    #[arg(long, value_name = "TEMPLATE")]
    pub show: Option<String>,
    /// Make a template of an exported letter or sample (JSON): --save-from FILE NAME
    #[arg(long, num_args = 2, value_names = ["FILE", "NAME"], conflicts_with = "template")]
    pub save_from: Option<Vec<String>>,
    /// Where to; without it the profile's fire.url
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// How to sign; without it as the profile or the template says
    #[arg(long, value_name = "NAME")]
    pub scheme: Option<String>,
    /// The variable that holds the signing key
    #[arg(long, value_name = "VAR", conflicts_with_all = ["secret_file", "secret"])]
    pub secret_env: Option<String>,
    /// The file that holds the signing key
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,
    /// The signing key itself, which others on this machine can see
    #[arg(long, value_name = "KEY", hide = true)]
    pub secret: Option<String>,
    /// Set a field of the body: data.to.0.phone=+1555; repeat it
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// How many webhooks
    #[arg(long, short = 'n', value_name = "N")]
    pub count: Option<u64>,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// How many webhooks a second, on an open-loop schedule
    #[arg(long, value_name = "PER_SECOND", allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// All at once
    #[arg(long, conflicts_with = "rate", requires = "count")]
    pub burst: bool,
    /// Requests in flight at most
    #[arg(long, short, value_name = "N")]
    pub concurrency: Option<NonZeroUsize>,
    /// JSON arrays of at most N webhooks, or of what the rate brings in T
    #[arg(long, value_name = "N[,T]")]
    pub batch: Option<BatchArg>,
    /// Speak HTTP/2
    #[arg(long)]
    pub http2: bool,
    /// How long one request may take (10s)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Send again what got no answer, 408, 429 or 5xx
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,
    /// What must hold; repeat it (2xx)
    #[arg(long, short, value_name = "WHAT")]
    pub expect: Vec<String>,
    /// Make it wrong on purpose: wrong-signature, tampered-body, stale-timestamp, missing-header,
    /// malformed-json, oversized, replayed-id, slow-body
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Attack the target with every variant, and say what it accepted that it should not
    #[arg(long, conflicts_with_all = ["variant", "count", "lasts", "rate", "batch", "expect", "trace", "every"])]
    pub selftest: bool,
    /// Follow it: answer, stream, worker, row
    #[arg(long, conflicts_with_all = ["lasts", "rate", "burst", "batch", "variant", "concurrency"])]
    pub trace: bool,
    /// Again and again: a canary, with percentiles at its end
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["lasts", "rate", "burst", "batch", "concurrency"])]
    pub every: Option<Duration>,
    /// The same webhooks again
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A target elsewhere than on this machine or in the profile is meant
    #[arg(long)]
    pub yes: bool,
    /// Print JSON: an object a line, the last one the summary
    #[arg(long)]
    pub json: bool,
    /// A certificate authority to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Profile and connection; --trace reads NATS and Postgres.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `N` or `N,T`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchArg {
    /// Webhooks in a request at most.
    pub size: NonZeroUsize,
    /// A request is closed after this, however many there are.
    pub within: Option<Duration>,
}

impl FromStr for BatchArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (size, within) = match text.split_once(',') {
            Some((size, within)) => (size, Some(within.trim())),
            None => (text, None),
        };
        let size = size
            .trim()
            .parse()
            .map_err(|_| "write it as 100 or 100,500ms".to_owned())?;
        let within = within.map(parse_duration).transpose()?;
        if within.is_some_and(|within| within.is_zero()) {
            return Err("the time must be above 0".to_owned());
        }
        Ok(Self { size, within })
    }
}
