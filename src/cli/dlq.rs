//! `hookwatch dlq`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::options::ConnectionArgs;
use crate::base::time::Timestamp;
use crate::config::parse_duration;

/// What can be done with dead letters.
#[derive(Clone, Debug, Subcommand)]
#[command(defer = true)]
pub enum DlqCommand {
    /// List letters, newest first
    List(ListArgs),
    /// Show one letter: why it died, headers, payload
    Show(ShowArgs),
    /// Count letters by what killed them
    Groups(GroupsArgs),
    /// Write letters to a file, a JSON object a line, byte for byte
    Export(ExportLettersArgs),
    /// Plan to put the letters of an export back; with --write --yes N, do it
    Import(Box<ImportArgs>),
    /// Plan a replay; with --write --yes N, do it
    Replay(Box<ReplayArgs>),
    /// Move letters to `<dlq>-archive`; with --write --yes N, do it
    Archive(Box<ReplayArgs>),
    /// List failed calls of a queue in Postgres; with --write --yes N, put them back
    Retry(Box<RetryArgs>),
    /// Show the audit log: who replayed what, when, why, and how it ended
    Audit(Box<AuditArgs>),
}

/// Which letters.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Which letters")]
pub struct FilterArgs {
    /// The provider: webhook.PROVIDER.event
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// The event: webhook.provider.EVENT
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Text that the reason holds, in any case
    #[arg(long, value_name = "TEXT")]
    pub reason_like: Option<String>,
    /// Sequences in their stream: 17,20-25
    #[arg(long, value_name = "LIST")]
    pub ids: Option<String>,
    /// Died then or later: 2026-07-31T14:03:22Z, or 2h (ago)
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub since: Option<When>,
    /// Died then or earlier
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub until: Option<When>,
    /// What the payload holds: $.data.status=failed, or a path alone; may be repeated
    #[arg(long = "match", value_name = "JSONPATH=VALUE")]
    pub matching: Vec<String>,
    /// Words that subject, headers or payload hold, in any case; !word: that they do not
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
    /// The cause, as `dlq groups` names it
    #[arg(long, value_name = "SIGNATURE")]
    pub cause: Option<String>,
}

/// In which form letters lie.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Which letters")]
pub struct FormArgs {
    /// Where they lie: copies in the DLQ, or messages of --stream that --consumer gave up
    #[arg(long, value_name = "FORM", default_value = "copy")]
    pub form: Form,
}

/// The forms of dead letters that NATS holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Copies in the dead letter stream
    Copy,
    /// Past `max_deliver` and still in the source stream
    Parked,
    /// Acked before a server crash, and back since: shown, never replayed
    Orphaned,
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A time.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl When {
    /// Reads `2026-07-31T14:03:22Z` or `2h`.
    ///
    /// # Errors
    /// How it is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.trim().parse() {
            return Ok(Self::At(at));
        }
        let ago = parse_duration(text).map(Self::Ago);
        ago.map_err(|_| "write it like 2026-07-31T14:03:22Z, or 2h for two hours ago".to_owned())
    }

    /// The time.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.saturating_sub(ago).unwrap_or(now),
        }
    }
}

/// List letters, newest first
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Letters at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max: u64,
    /// Print JSON, an object a line
    #[arg(long)]
    pub json: bool,
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// In which form.
    #[command(flatten)]
    pub form: FormArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Show one letter: why it died, headers, payload
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// The letter's sequence in its stream
    #[arg(value_name = "SEQ")]
    pub sequence: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// In which form.
    #[command(flatten)]
    pub form: FormArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Count letters by what killed them
#[derive(Args, Clone, Debug)]
pub struct GroupsArgs {
    /// By what
    #[arg(long, value_name = "WHAT", default_value = "cause")]
    pub by: GroupKey,
    /// Print JSON, an object a line
    #[arg(long)]
    pub json: bool,
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// In which form.
    #[command(flatten)]
    pub form: FormArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// By what letters are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupKey {
    /// The error without its numbers, ids and times
    Cause,
    /// The provider
    Provider,
    /// The subject that they came from
    Subject,
    /// The hour in which they died
    Hour,
}

/// Write letters to a file, a JSON object a line, byte for byte
#[derive(Args, Clone, Debug)]
pub struct ExportLettersArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Letters at most
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// Overwrite FILE
    #[arg(long)]
    pub force: bool,
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// In which form.
    #[command(flatten)]
    pub form: FormArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// What is confirmed before anything is changed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "To change something")]
pub struct ConsentArgs {
    /// Do it: without this, there is only a plan
    #[arg(long)]
    pub write: bool,
    /// How many the plan holds; it must be exactly that
    #[arg(long, value_name = "N")]
    pub yes: Option<u64>,
    /// The profile's name, where it is protected
    #[arg(long, value_name = "NAME")]
    pub confirm_profile: Option<String>,
    /// Why; goes to the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Plan to put the letters of an export back; with --write --yes N, do it
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// What `dlq export` wrote, or - for standard input
    pub file: PathBuf,
    /// Print JSON: the plan on one line, the report on the last
    #[arg(long)]
    pub json: bool,
    /// What is confirmed.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Plan a replay; with --write --yes N, do it
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Plan only (the default without --write)
    #[arg(long, conflicts_with = "write")]
    pub dry_run: bool,
    /// Letters a second, reached within 10s; without it as fast as it goes
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Letters that go first and must not die again; 0: none
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub canary: u64,
    /// Another subject than the webhook's own
    #[arg(long, value_name = "SUBJECT")]
    pub to_subject: Option<String>,
    /// To this gateway by HTTP instead of a stream
    #[arg(long, value_name = "URL", conflicts_with_all = ["to_subject", "resume"])]
    pub to_url: Option<String>,
    /// Another payload for the one letter of --ids, from FILE or - for standard input
    #[arg(long, value_name = "FILE", requires = "ids")]
    pub payload: Option<PathBuf>,
    /// Sign anew: standard-webhooks, svix, telnyx, stripe, github, …
    #[arg(long, value_name = "SCHEME")]
    pub sign: Option<String>,
    /// With --sign, the variable that holds the signing key
    #[arg(long, value_name = "VAR", requires = "sign", conflicts_with = "secret_file")]
    pub secret_env: Option<String>,
    /// With --sign, the file that holds the signing key
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub secret_file: Option<PathBuf>,
    /// Letters at most
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// Keep the order of letters under one subject
    #[arg(long)]
    pub ordered: bool,
    /// Go on with the replay that was left unfinished
    #[arg(long, conflicts_with_all = ["yes", "dry_run", "FilterArgs"])]
    pub resume: bool,
    /// With --resume, what becomes of letters in doubt
    #[arg(long, value_name = "WHAT", requires = "resume")]
    pub in_doubt: Option<InDoubt>,
    /// With --resume, go on in place of this operator, who must be dead
    #[arg(long, value_name = "USER@HOST", requires = "resume")]
    pub take_over: Option<String>,
    /// How long published letters are followed while nothing happens to them
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub follow: Duration,
    /// How long a lease lasts without being renewed
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration, hide = true)]
    pub lease: Duration,
    /// When to look whether deletes have come back
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration, hide = true)]
    pub verify: Duration,
    /// Print JSON: the plan on one line, the report on the last
    #[arg(long)]
    pub json: bool,
    /// Which letters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// In which form.
    #[command(flatten)]
    pub form: FormArgs,
    /// What is confirmed.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// What becomes of letters in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InDoubt {
    /// Send them again: a worker may see one twice
    Resend,
    /// Leave them in the DLQ
    Keep,
    /// Move them to `<dlq>-archive`
    Drop,
}

/// List failed calls of a queue in Postgres; with --write --yes N, put them back
#[derive(Args, Clone, Debug)]
pub struct RetryArgs {
    /// Only calls whose error holds TEXT, in any case
    #[arg(long, value_name = "TEXT")]
    pub reason_like: Option<String>,
    /// Only these calls: ids, with commas between them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub ids: Option<Vec<String>>,
    /// Calls that are looked at, the latest first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max: u32,
    /// Print JSON: a call a line, then the plan, on the last line the report
    #[arg(long)]
    pub json: bool,
    /// What is confirmed.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Show the audit log: who replayed what, when, why, and how it ended
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    /// Print JSON, an object a line
    #[arg(long)]
    pub json: bool,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

impl DlqCommand {
    /// What to connect to.
    #[must_use]
    pub fn connection(&self) -> &ConnectionArgs {
        match self {
            Self::List(args) => &args.connection,
            Self::Show(args) => &args.connection,
            Self::Groups(args) => &args.connection,
            Self::Export(args) => &args.connection,
            Self::Import(args) => &args.connection,
            Self::Retry(args) => &args.connection,
            Self::Replay(args) | Self::Archive(args) => &args.connection,
            Self::Audit(args) => &args.connection,
        }
    }
}
