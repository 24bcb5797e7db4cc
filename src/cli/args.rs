//! The command line's grammar.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::dlq::DlqCommand;
use super::fire::FireArgs;
use super::lab::{DemoArgs, LabCommand};
use super::options::{ConnectionArgs, ConsoleArgs};
use crate::config::{Overrides, parse_duration};

const ABOUT: &str = "\
A terminal console for webhook pipelines: do webhooks arrive, wait, get processed or die, and why. \
Watching changes nothing on any system.";

/// One line a paragraph: the width of the terminal decides where it breaks.
const AFTER_HELP: &str = "\
Examples:
  hookwatch --nats nats://127.0.0.1:4222 --stream webhooks
  hookwatch --context production --metrics gw=http://10.0.0.7:9100/metrics
  hookwatch snapshot --json --wait 10s | jq .flow

Flags come before the environment (HOOKWATCH_*, NATS_URL, DATABASE_URL, PG*), then hookwatch.toml, then defaults. \
`hookwatch config` shows what holds and where it is from.

Exit codes: 0 done, 1 ran and failed or partial, 2 refused or unreadable, 130 interrupted. \
Of check: 0 ok, 1 warning, 2 critical, 3 unknown.";

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(Style::new().bold())
    .placeholder(Style::new())
    .error(AnsiColor::Red.on_default().bold());

/// What the command line says.
#[derive(Debug, Parser)]
#[command(name = "hookwatch", version, about = ABOUT, after_help = AFTER_HELP, styles = STYLES, max_term_width = 100)]
pub struct Cli {
    /// What to do; nothing means `watch`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to connect to, when it stands before the command.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// How the console looks, when there is no command.
    #[command(flatten)]
    pub console: ConsoleArgs,
    /// Write a log to FILE, without secrets; `HOOKWATCH_LOG` filters it
    #[arg(long, value_name = "FILE", global = true, help_heading = "Log")]
    pub log: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
// Described only once it is typed: what the others take costs the console more than a megabyte.
#[command(defer = true)]
pub enum Command {
    /// Open the console (the default)
    Watch(WatchArgs),
    /// Print one reading: for people, or as JSON with stable keys
    Snapshot(SnapshotArgs),
    /// One line and an exit code, as monitoring systems want them
    Check(CheckArgs),
    /// Dead letters: read, count, export and replay them, put them aside, see who did
    Dlq {
        /// What to do
        #[command(subcommand)]
        command: DlqCommand,
    },
    /// Record what the sources see, without a screen: FILE, or a folder of rotated files
    Record(RecordArgs),
    /// Play a recording in the console, at any speed, size and theme
    #[command(mut_args(hide_what_is_live))]
    Play(PlayArgs),
    /// Check a recording: 0 intact, 1 damaged but readable, 2 unreadable
    Verify {
        /// A recording, or a folder of rotated ones
        #[arg(value_name = "FILE|DIR")]
        recording: PathBuf,
    },
    /// Turn a recording into something else
    Export(ExportArgs),
    /// Fire signed test webhooks, and follow them through
    Fire(Box<FireArgs>),
    /// Show the resolved configuration and where each value is from
    Config(ConfigArgs),
    /// Watch a private pipeline with a made-up load, gone without a trace at the end
    Demo(DemoArgs),
    /// The reference pipeline and a load for it, each part a process of its own
    Lab {
        /// Which part
        #[command(subcommand)]
        command: LabCommand,
    },
    /// List the themes
    Themes,
    /// List the keys of the console
    Keys,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Print a manual page (troff): hookwatch man | man -l -
    Man {
        /// A command's own page: `man snapshot`, `man lab up`
        command: Vec<String>,
    },
}

/// Options of the console that say nothing of a recording.
fn hide_what_is_live(arg: clap::Arg) -> clap::Arg {
    let live = ["record", "read_only"].contains(&arg.get_id().as_str());
    if live { arg.hide(true) } else { arg }
}

impl Command {
    /// Its name, as it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Watch(_) => "watch",
            Self::Snapshot(_) => "snapshot",
            Self::Check(_) => "check",
            Self::Dlq { .. } => "dlq",
            Self::Record(_) => "record",
            Self::Play(_) => "play",
            Self::Verify { .. } => "verify",
            Self::Export(_) => "export",
            Self::Fire(_) => "fire",
            Self::Config(_) => "config",
            Self::Demo(_) => "demo",
            Self::Lab { .. } => "lab",
            Self::Themes => "themes",
            Self::Keys => "keys",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }

    fn connection(&self) -> Option<&ConnectionArgs> {
        match self {
            Self::Watch(args) => Some(&args.connection),
            Self::Snapshot(args) => Some(&args.connection),
            Self::Check(args) => Some(&args.connection),
            Self::Record(args) => Some(&args.connection),
            Self::Fire(args) => Some(&args.connection),
            Self::Config(args) => Some(&args.connection),
            Self::Dlq { command } => Some(command.connection()),
            _ => None,
        }
    }

    fn console(&self) -> Option<&ConsoleArgs> {
        match self {
            Self::Watch(args) => Some(&args.console),
            Self::Config(args) => Some(&args.console),
            Self::Demo(args) => Some(&args.console),
            Self::Play(args) => Some(&args.console),
            _ => None,
        }
    }
}

/// Open the console (the default)
#[derive(Args, Clone, Debug, Default)]
pub struct WatchArgs {
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// How the console looks.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Print one reading: for people, or as JSON with stable keys
#[derive(Args, Clone, Debug)]
pub struct SnapshotArgs {
    /// How long to watch before the reading; rates are over at most 10s
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub wait: Duration,
    /// Print JSON: numbers in SI units, null for what is not known
    #[arg(long)]
    pub json: bool,
    /// Read every dead letter, too, and group them by cause: with --json
    #[arg(long, requires = "json")]
    pub groups: bool,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// One line and an exit code, as monitoring systems want them
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// How long to watch before the verdict
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub wait: Duration,
    /// Print one JSON object instead of the line
    #[arg(long)]
    pub json: bool,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Record what the sources see, without a screen: FILE, or a folder of rotated files
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// A file, or a folder of files that are rotated hourly or at 64 MiB, 1 GiB in all
    #[arg(value_name = "FILE|DIR")]
    pub target: PathBuf,
    /// For how long; until interrupted when not given
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// Overwrite FILE
    #[arg(long)]
    pub force: bool,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Play a recording in the console, at any speed, size and theme
#[derive(Args, Clone, Debug)]
pub struct PlayArgs {
    /// A recording, or a folder of rotated ones
    #[arg(value_name = "FILE|DIR")]
    pub recording: PathBuf,
    /// From this time (14:03:22), this long after the beginning (90s) or this part (30%)
    #[arg(long, value_name = "TIME|DURATION")]
    pub at: Option<String>,
    /// Times real time: 0.5, 1, 2, 4, 8 or 16
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: String,
    /// Begin anew at the end
    #[arg(long = "loop")]
    pub looping: bool,
    /// How the console looks.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// What a recording is turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// The screen as it was, for asciinema (asciicast 2)
    Cast,
    /// The same for asciinema 3 and later (asciicast 3)
    Cast3,
    /// The screen at one moment
    Svg,
    /// The same as pixels
    Png,
    /// The pipeline's figures at every second, comma-separated
    Csv,
    /// The same, one JSON object a line
    Json,
    /// What was wrong and what was done, in Markdown, with charts beside it
    Report,
    /// A recording again, without names: needs --anonymize
    Mcap,
}

impl ExportForm {
    /// Its name, as it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cast => "cast",
            Self::Cast3 => "cast3",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Report => "report",
            Self::Mcap => "mcap",
        }
    }
}

/// Turn a recording into something else
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// A recording, or a folder of rotated ones
    #[arg(value_name = "FILE|DIR")]
    pub recording: PathBuf,
    /// Into what
    #[arg(long = "as", value_name = "FORM")]
    pub form: ExportForm,
    /// Write to FILE instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite FILE
    #[arg(long)]
    pub force: bool,
    /// Names of hosts, streams, subjects, consumers, providers, workers and databases become
    /// pseudonyms; figures stay
    #[arg(long)]
    pub anonymize: bool,
    /// From this time, or this long after the beginning
    #[arg(long, value_name = "TIME|DURATION")]
    pub from: Option<String>,
    /// To this time, or this long after the beginning
    #[arg(long, value_name = "TIME|DURATION")]
    pub to: Option<String>,
    /// svg, png: at this time, or this long after the beginning; else at the end
    #[arg(long, value_name = "TIME|DURATION", conflicts_with_all = ["from", "to"])]
    pub at: Option<String>,
    /// cast, svg, png: columns and rows (120x40)
    #[arg(long, value_name = "CxR")]
    pub size: Option<String>,
    /// cast, svg, png: the theme (dark); report: of its charts (light)
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// cast, svg, png: the screen (overview)
    #[arg(long, value_name = "NAME")]
    pub screen: Option<String>,
    /// cast: times real time, 0.25 to 100
    #[arg(long, value_name = "X")]
    pub speed: Option<String>,
}

/// Show the resolved configuration and where each value is from
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// Print a configuration file with every key explained
    #[arg(long, conflicts_with = "path")]
    pub example: bool,
    /// Print where the configuration file is looked for
    #[arg(long)]
    pub path: bool,
    /// What to connect to.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// How the console looks.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

impl Cli {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// Help and version (exit code 0) as well as wrong usage (exit code 2).
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(args)?;
        cli.refuse_what_has_no_meaning()?;
        Ok(cli)
    }

    /// Options before a command are options of that command, if it has them.
    fn refuse_what_has_no_meaning(&self) -> Result<(), clap::Error> {
        let Some(command) = &self.command else { return Ok(()) };
        let what = if command.connection().is_none() && self.connection != ConnectionArgs::default() {
            "connection"
        } else if command.console().is_none() && self.console != ConsoleArgs::default() {
            "console"
        } else {
            return Ok(());
        };
        let text = format!("`{}` has no {what} options", command.name());
        Err(Self::command().error(ErrorKind::ArgumentConflict, text))
    }

    /// Where the console records to.
    #[must_use]
    pub fn record(&self) -> Option<&Path> {
        let of_command = self.command.as_ref().and_then(Command::console);
        let asked = of_command.and_then(|console| console.record.as_deref());
        asked.or(self.console.record.as_deref())
    }

    /// Where the console takes from what was before its start.
    #[must_use]
    pub fn history(&self) -> Option<&str> {
        let of_command = self.command.as_ref().and_then(Command::console);
        let asked = of_command.and_then(|console| console.history.as_deref());
        asked.or(self.console.history.as_deref())
    }

    /// What the arguments say of the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        let of_command = self.command.as_ref();
        let connection = of_command.and_then(Command::connection).cloned().unwrap_or_default();
        let console = of_command.and_then(Command::console).cloned().unwrap_or_default();
        let (first, console_first) = (self.connection.clone(), &self.console);
        let utc = console.utc || console_first.utc;
        let local = console.local || console_first.local;
        Overrides {
            profiles: if connection.profiles.is_empty() {
                first.profiles
            } else {
                connection.profiles
            },
            config: connection.config.or(first.config),
            context: connection.context.or(first.context),
            nats: connection.nats.or(first.nats),
            creds: connection.creds.or(first.creds),
            monitoring: connection.monitoring.or(first.monitoring),
            metrics: [first.metrics, connection.metrics].concat(),
            probes: [first.probes, connection.probes].concat(),
            postgres: connection.postgres.or(first.postgres),
            stream: connection.stream.or(first.stream),
            consumer: connection.consumer.or(first.consumer),
            dlq: connection.dlq.or(first.dlq),
            read_only: console.read_only || console_first.read_only,
            theme: console.theme.or_else(|| console_first.theme.clone()),
            ascii: console.ascii || console_first.ascii,
            no_mouse: console.no_mouse || console_first.no_mouse,
            utc: (utc || local).then_some(utc),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        let words = std::iter::once("hookwatch").chain(line.split_whitespace());
        Cli::read(words.map(OsString::from))
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_watch_and_takes_its_options() {
        let cli = read("--nats nats://a --theme dark --local --metrics a:1 --metrics b:2").unwrap();
        assert!(cli.command.is_none());
        let overrides = cli.overrides();
        assert_eq!(overrides.nats.as_deref(), Some("nats://a"));
        assert_eq!(overrides.metrics, ["a:1", "b:2"]);
        assert_eq!((overrides.theme.as_deref(), overrides.utc), (Some("dark"), Some(false)));
        assert_eq!(
            overrides,
            read("watch --nats nats://a --theme dark --local --metrics a:1 --metrics b:2")
                .unwrap()
                .overrides()
        );
    }

    #[test]
    fn connection_options_may_stand_before_the_command_or_after_it() {
        let before = read("--profile p --metrics a:1 snapshot --json").unwrap();
        let after = read("snapshot --json --profile p --metrics a:1").unwrap();
        assert_eq!(before.overrides(), after.overrides());
        assert_eq!(read("-p a check -p b").unwrap().overrides().profiles, ["b"]);
        assert_eq!(
            read("-p a,b check").unwrap().overrides(),
            read("check -p a --profile b").unwrap().overrides()
        );
        assert!(read("snapshot --log /x").unwrap().log.is_some() && read("--log /x snapshot").unwrap().log.is_some());
    }

    #[test]
    fn options_that_a_command_cannot_use_are_refused() {
        for line in [
            "--theme dark snapshot",
            "--nats a completions bash",
            "--nats a man",
            "--utc --local",
            "--read-only check",
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert!(read("--theme dark config").is_ok() && read("--theme dark watch").is_ok());
    }

    #[test]
    fn a_duration_is_read_with_its_unit() {
        let Some(Command::Snapshot(args)) = read("snapshot --wait 500ms").unwrap().command else {
            panic!()
        };
        assert_eq!(args.wait, Duration::from_millis(500));
        let error = read("snapshot --wait 20").unwrap_err().to_string();
        assert!(
            error.contains("the unit is missing: write it like 500ms, 20s or 2m"),
            "{error}"
        );
    }

    #[test]
    fn a_command_s_own_help_says_what_the_list_says() {
        fn agree(command: &mut clap::Command) {
            for sub in command.get_subcommands_mut() {
                let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
                let page = sub.render_help().to_string();
                assert!(
                    !about.starts_with('`') && page.starts_with(&about),
                    "{}: {page}",
                    sub.get_name()
                );
                agree(sub);
            }
        }
        let mut command = Cli::command().term_width(200);
        command.build();
        let listed = command.render_help().to_string();
        agree(&mut command);
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(listed.contains(&about), "{about}");
        }
    }

    #[test]
    fn help_fits_eighty_columns() {
        let mut command = Cli::command().term_width(80);
        command.build();
        let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
        let mut pages = vec![
            command.render_help().to_string(),
            command.render_long_help().to_string(),
        ];
        for name in names {
            let sub = command.find_subcommand_mut(&name).unwrap();
            pages.push(sub.clone().term_width(80).render_help().to_string());
        }
        for page in pages {
            for line in page.lines() {
                assert!(crate::base::text::width(line) <= 80, "{line}");
            }
        }
    }
}
