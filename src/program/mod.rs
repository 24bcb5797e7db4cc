//! The whole program: arguments in, exit code out. Each file does a command, or a few that are alike.

mod console;
mod dlq;
mod export;
mod fire;
mod lab;
mod play;
mod record;

use self::console::Watch;
use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use clap::CommandFactory as _;

use crate::base::secret::{self, Redactor};
use crate::base::text;
use crate::base::time::{SharedClock, SystemClock};
use crate::cli::{self, CheckArgs, Cli, Command, ConfigArgs, LogError, OpenLog, SnapshotArgs};
use crate::config::{self, Environment, Problem, Problems, Profile, Resolved, Surroundings};
use crate::headless::{Judgement, Snapshot, Status, judge, judge_all};
use crate::session;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// Threads for sources and screen. More would only cost memory: reading waits, it does not compute.
const THREADS: usize = 2;

/// Does what the arguments say. Returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // Two TLS clients with different defaults panic at the first connection, so the provider is
    // chosen before any is built. It fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    allow_files();
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let home = etcetera::home_dir().ok();
    let program = Program {
        clock: SystemClock::shared(),
        surroundings: Surroundings {
            environment: &environment,
            home: home.as_deref(),
        },
        log: OnceLock::new(),
    };
    let code = match program.run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    };
    if let Some(problem) = program.log.get().and_then(OpenLog::problem) {
        complain(&format!("warning: {problem}"));
    }
    code
}

/// Files that may be open at once: a connection for each of a few thousand targets.
const FILES: u64 = 8_192;

/// Many systems begin with a limit of 1,024 or 256 open files and allow more to who asks.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < FILES) {
        let current = limit.maximum.map_or(FILES, |most| most.min(FILES));
        // Where it is refused, the sources that find no room say so.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                ..limit
            },
        );
    }
}

/// Why a command did not do what it was asked for.
enum Failure {
    /// Wrong usage, or help.
    Usage(clap::Error),
    /// Refused before anything was done: one line for each reason.
    Refused(Vec<String>),
    /// Tried, and failed.
    Failed(String),
    /// Interrupted by the user.
    Interrupted,
}

impl Failure {
    /// Tells it, and says with which code to exit.
    fn report(self) -> ExitCode {
        match self {
            Self::Usage(error) => {
                let text = error.to_string();
                let clean = secret::strip_url_credentials(&text);
                // When printing fails, nobody is left to be told.
                let _ = if clean == text {
                    error.print()
                } else {
                    io::stderr().write_all(clean.as_bytes())
                };
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Self::Refused(reasons) => {
                for reason in reasons {
                    complain(&reason);
                }
                ExitCode::from(2)
            }
            Self::Failed(reason) => {
                complain(&reason);
                ExitCode::from(1)
            }
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Refused(problems.0.iter().map(ToString::to_string).collect())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Refused(vec![error.to_string()])
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("cannot start: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(format!("cannot write JSON: {error}"))
    }
}

/// The program with what it was started in.
struct Program<'a> {
    clock: SharedClock,
    surroundings: Surroundings<'a>,
    /// The log, once it is begun.
    log: OnceLock<OpenLog>,
}

impl Program<'_> {
    fn run(&self) -> Result<u8, Failure> {
        let cli = match Cli::read(std::env::args_os()) {
            Ok(cli) => cli,
            Err(error) if error.use_stderr() && asks_for_check() => return Ok(wrong_check(&error)),
            Err(error) => return Err(Failure::Usage(error)),
        };
        match &cli.command {
            None | Some(Command::Watch(_)) => self.watch(&cli),
            Some(Command::Snapshot(args)) => self.snapshot(&cli, args),
            Some(Command::Check(args)) => self.check(&cli, args),
            Some(Command::Dlq { command }) => self.dlq(&cli, command),
            Some(Command::Record(args)) => self.record(&cli, args),
            Some(Command::Play(args)) => self.play(&cli, args),
            Some(Command::Verify { recording }) => record::verify(recording),
            Some(Command::Export(args)) => export::export(self, args),
            Some(Command::Fire(args)) => self.fire(&cli, args),
            Some(Command::Config(args)) => self.config(&cli, args),
            Some(Command::Demo(args)) => self.demo(&cli, args),
            Some(Command::Lab { command }) => self.lab(&cli, command),
            Some(Command::Themes) => self.list_themes(),
            Some(Command::Keys) => self.list_keys(),
            Some(Command::Completions { shell }) => print(&cli::completions(*shell)),
            Some(Command::Man { command }) => match cli::man(command) {
                Ok(page) => print(&page),
                Err(known) => Err(Failure::Refused(vec![format!(
                    "there is no such command to have a manual page → one of: {}",
                    known.join(", ")
                )])),
            },
        }
    }

    /// The configuration; its warnings are told, and the log is begun.
    fn resolve(&self, cli: &Cli) -> Result<Resolved, Failure> {
        let resolved = config::resolve(&cli.overrides(), &self.surroundings)?;
        self.begin(cli, std::slice::from_ref(&resolved))?;
        Ok(resolved)
    }

    /// The configuration of every profile that is named, to be watched; the same is done.
    fn resolve_all(&self, cli: &Cli) -> Result<Vec<Resolved>, Failure> {
        let all = config::resolve_all(&cli.overrides(), &self.surroundings)?;
        self.begin(cli, &all)?;
        for resolved in &all {
            resolved
                .require_something_to_watch()
                .map_err(|problem| match all.len() {
                    1 => problem,
                    _ => Problem::general(format!("profile {}: {}", resolved.profile.name, problem.what))
                        .next("say in it where it connects to, or leave it out"),
                })?;
        }
        Ok(all)
    }

    fn begin(&self, cli: &Cli, all: &[Resolved]) -> Result<(), Failure> {
        let warnings = || all.iter().flat_map(|resolved| &resolved.warnings);
        for warning in warnings() {
            complain(&format!("warning: {warning}"));
        }
        let redactors = all.iter().map(|resolved| &resolved.profile.redactor);
        self.start_log(cli.log.as_deref(), &Redactor::of_all(redactors))?;
        for resolved in all {
            tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                profile = &*resolved.profile.name,
                "started"
            );
        }
        for warning in warnings() {
            tracing::warn!("{warning}");
        }
        Ok(())
    }

    fn start_log(&self, path: Option<&Path>, redactor: &Redactor) -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let filter = self.surroundings.variable("HOOKWATCH_LOG");
        let log = cli::start_log(path, filter, redactor.clone(), self.clock.clone())?;
        // There is one: a second one is refused.
        let _ = self.log.set(log);
        Ok(())
    }

    fn watch(&self, cli: &Cli) -> Result<u8, Failure> {
        let all = self.resolve_all(cli)?;
        console::require_terminal()?;
        let profiles: Vec<&Profile> = all.iter().map(|resolved| &resolved.profile).collect();
        let notices = all.iter().flat_map(|resolved| resolved.warnings.clone()).collect();
        let (record, history) = (cli.record(), cli.history());
        let watch = Watch {
            profiles: &profiles,
            looks: &all[0].console,
            notices,
            demo: None,
            record,
            history,
        };
        block_on(self.console(watch))?
    }

    fn snapshot(&self, cli: &Cli, args: &SnapshotArgs) -> Result<u8, Failure> {
        let all = self.resolve_all(cli)?;
        let taking = all.iter().map(|resolved| {
            Box::pin(async {
                let profile = &resolved.profile;
                let mut snapshot = Snapshot::take(profile, &self.clock, args.wait).await;
                let grouped = if args.groups {
                    snapshot.group_letters(profile, &self.clock).await
                } else {
                    Ok(())
                };
                (profile, snapshot, grouped)
            })
        });
        let taken = block_on(until_interrupted(futures_util::future::join_all(taking)))??;
        let (mut texts, mut code) = (Vec::new(), 0);
        for (profile, snapshot, grouped) in taken {
            // What could not be read stays unknown, and is said.
            if let Err(error) = &grouped {
                complain(&profile.redactor.clean(&error.to_string()));
            }
            texts.push(if args.json {
                snapshot.json()? + "\n"
            } else {
                snapshot.text()
            });
            code = code.max(snapshot.exit_code()).max(u8::from(grouped.is_err()));
        }
        // Of several profiles, an object a line; pages with a blank line between them.
        print(texts.join(if args.json { "" } else { "\n" }).as_bytes())?;
        Ok(code)
    }

    /// Whatever is wrong, a monitoring system reads it off one line and an exit code of its own.
    fn check(&self, cli: &Cli, args: &CheckArgs) -> Result<u8, Failure> {
        let judgement = match self.judge(cli, args) {
            Ok(judgement) => judgement,
            Err(Failure::Refused(reasons)) => Judgement::refused(&reasons.join("; ")),
            Err(Failure::Failed(reason)) => Judgement::refused(&reason),
            Err(failure) => return Err(failure),
        };
        let line = if args.json { judgement.json()? } else { judgement.line() };
        Ok(tell(&judgement, &line))
    }

    fn judge(&self, cli: &Cli, args: &CheckArgs) -> Result<Judgement, Failure> {
        let all = self.resolve_all(cli)?;
        let judging = all.iter().map(|resolved| {
            Box::pin(async {
                let profile = &resolved.profile;
                let snapshot = Snapshot::take(profile, &self.clock, args.wait).await;
                judge(&snapshot.view, &profile.thresholds, &session::source_ids(profile))
            })
        });
        let judged = block_on(until_interrupted(futures_util::future::join_all(judging)))??;
        Ok(judge_all(judged))
    }

    fn config(&self, cli: &Cli, args: &ConfigArgs) -> Result<u8, Failure> {
        if args.example {
            return print(config::EXAMPLE.as_bytes());
        }
        if args.path {
            return self.config_path(cli);
        }
        print(cli::config_page(&self.resolve(cli)?).as_bytes())
    }

    fn config_path(&self, cli: &Cli) -> Result<u8, Failure> {
        let asked = cli.overrides().config;
        let from_variable = || self.surroundings.variable("HOOKWATCH_CONFIG").map(PathBuf::from);
        let path = asked.or_else(from_variable).or_else(|| self.surroundings.config_file());
        match path {
            Some(path) => print(format!("{}\n", path.display()).as_bytes()),
            None => Err(Problem::general("there is no home folder")
                .next("set HOME or XDG_CONFIG_HOME")
                .into()),
        }
    }
}

/// Runs `future` to its end.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    let done = runtime.block_on(future);
    // A name that is being looked up holds a thread that cannot be stopped.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(done)
}

/// Waits for `future` until it is done or the user interrupts it.
async fn until_interrupted<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::debug!("interrupts are handled");
    tokio::select! {
        done = future => Ok(done),
        _ = interrupt.recv() => Err(Failure::Interrupted),
    }
}

/// Whether the command is `check`, although the rest of the line makes no sense.
fn asks_for_check() -> bool {
    let grammar = Cli::command();
    let is_command = |word: &OsString| {
        word.to_str()
            .is_some_and(|word| grammar.find_subcommand(word).is_some())
    };
    let mut words = std::env::args_os().skip(1);
    words.find(is_command).is_some_and(|word| word == "check")
}

/// To a monitoring system, exit code 2 would mean critical.
fn wrong_check(error: &clap::Error) -> u8 {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = secret::strip_url_credentials(first);
    let judgement = Judgement::refused(first.trim_start_matches("error: "));
    tell(&judgement, &judgement.line())
}

/// Prints what a check concludes. Where that cannot be printed it is unknown: a code of its own
/// would be a warning.
fn tell(judgement: &Judgement, line: &str) -> u8 {
    match print(format!("{line}\n").as_bytes()) {
        Ok(_) => judgement.status.exit_code(),
        Err(failure) => {
            let _ = failure.report();
            Status::Unknown.exit_code()
        }
    }
}

/// One line to standard error.
fn complain(text: &str) {
    // When standard error is gone, nobody is left to be told.
    let _ = writeln!(io::stderr(), "hookwatch: {}", text::safe(text));
}

/// Text to standard output. A reader that has gone away (`| head`) has seen enough.
fn print(text: &[u8]) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(0),
    }
}
