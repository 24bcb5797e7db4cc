//! `hookwatch dlq replay` and `hookwatch dlq archive`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{LetterFilter, report};
use crate::act::audit::{AuditError, AuditLog, Deed};
use crate::act::exchange::{ConnectError, Exchange, ExchangeError, NO_STREAM};
use crate::act::fire::{self, GuardError};
use crate::act::journal::{Counts, Folder, How, MOST_IN_A_WINDOW, Purpose};
use crate::act::permit::{Asked, Confirmed, Gate, Permit, Refusal, Write as Writing};
use crate::act::plan::{Plan, PlanError, archive_of};
use crate::act::replay::{self, Context, Ending, Progress, ReplayError, Report, Resume, Steering, Timing};
use crate::act::select::{self, SelectError};
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::Profile;
use crate::model::letters;
use crate::signature::Signer;

/// Every letter published and deleted.
const DONE: u8 = 0;
/// Ran, and some were not.
const FAILED: u8 = 1;
/// Nothing was sent.
const REFUSED: u8 = 2;
/// Letters that are on their way to a gateway at the same time.
const AT_A_GATEWAY: usize = 16;

/// Interrupted.
const INTERRUPTED: u8 = 130;

/// What to do: the arguments of the command.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// Which letters.
    pub filter: LetterFilter,
    /// Whether they are put aside instead.
    pub archive: bool,
    /// Whether anything is to be changed.
    pub write: bool,
    /// The count that was confirmed.
    pub yes: Option<u64>,
    /// The protected profile's name that was typed.
    pub confirm_profile: Option<String>,
    /// Letters a second.
    pub rate: Option<f64>,
    /// Letters that go first.
    pub canary: u64,
    /// Another subject.
    pub to_subject: Option<String>,
    /// A gateway instead of a stream.
    pub to_url: Option<String>,
    /// Another payload, for one letter.
    pub payload: Option<Bytes>,
    /// What signs letters anew.
    pub signer: Option<Signer>,
    /// Letters at most.
    pub max: Option<u64>,
    /// Whether the order under a subject is kept.
    pub ordered: bool,
    /// Why.
    pub reason: Option<String>,
    /// Go on with an unfinished replay.
    pub resume: Option<Resume>,
    /// How long things may take.
    pub timing: Timing,
    /// JSON instead of text.
    pub json: bool,
}

/// What the command needs of its surroundings.
#[derive(Clone, Debug)]
pub struct ReplayContext {
    /// The profile.
    pub profile: Profile,
    /// Who: `user@host`.
    pub who: Arc<str>,
    /// The program's state folder.
    pub state: PathBuf,
    /// The clock.
    pub clock: SharedClock,
    /// Whether progress is drawn: standard error is a terminal.
    pub terminal: bool,
}

/// Why the command did not run, or broke off.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Missing(&'static str),
    #[error("no stream is called {0} → give --dlq")]
    NoDlq(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("ask the server: {0} → check the connection and the rights")]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Gateway(#[from] GuardError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("write: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Replay(error) if !error.is_refusal() => FAILED,
            Self::Output(_) => FAILED,
            _ => REFUSED,
        }
    }
}

/// Plans, and with a permit replays. Prints, and returns the exit code: 0 when everything was
/// done, 1 when a part was not, 2 when nothing was sent, 130 when `stop` came first.
pub async fn replay(
    options: &ReplayOptions,
    context: &ReplayContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match Box::pin(attempt(options, context, stop, out, err)).await {
        Ok(code) => code,
        Err(error) => {
            let shown = context.profile.redactor.clean(&error.to_string()).into_owned();
            // Nowhere is left to say that this could not be said.
            let _ = writeln!(err, "hookwatch dlq: {}", text::safe(&shown));
            error.exit_code()
        }
    }
}

async fn attempt(
    options: &ReplayOptions,
    context: &ReplayContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let write = if options.write { Writing::Asked } else { Writing::Locked };
    let gate = Gate::new(&context.profile, write);
    let dlq = context.profile.pipeline.dlq.clone();
    let dlq = dlq.ok_or(CommandError::Missing(
        "no dead letter stream is configured → give --dlq",
    ))?;
    if let Some(resume) = &options.resume {
        // The plan was confirmed when the replay began.
        let asked = Asked {
            action: "resume",
            plan: &dlq,
            count: 1,
            is_load: false,
        };
        let confirmed = Confirmed {
            count: Some(1),
            profile: options.confirm_profile.as_deref(),
        };
        let permit = gate.permit(asked, confirmed, context.clock.now().mono)?;
        let task = Task::new(options, context, "resume", dlq.clone(), String::new(), 0)?;
        let work = |setting| replay::resume(&dlq, resume, permit, setting);
        return Box::pin(task.run(work, stop, out, err)).await;
    }
    let plan = draw(options, context, &dlq, &gate).await?;
    if options.json {
        writeln!(out, "{}", serde_json::json!({ "plan": plan }))?;
    } else {
        report::plan(&plan, out)?;
    }
    out.flush()?;
    if !options.write {
        if !options.json {
            writeln!(out, "nothing was sent → --write --yes {} does it", plan.count)?;
        }
        return Ok(DONE);
    }
    let permit = permit(options, context, &gate, &plan)?;
    let action = if options.archive { "archive" } else { "replay" };
    let task = Task::new(options, context, action, dlq, plan.filter.clone(), plan.count)?;
    let reason = options.reason.clone();
    task.run(|setting| replay::start(&plan, reason, permit, setting), stop, out, err)
        .await
}

fn permit(options: &ReplayOptions, context: &ReplayContext, gate: &Gate, plan: &Plan) -> Result<Permit, Refusal> {
    let asked = Asked {
        action: if options.archive { "archive" } else { "replay" },
        plan: &plan.hash,
        count: plan.count,
        is_load: false,
    };
    let confirmed = Confirmed {
        count: options.yes,
        profile: options.confirm_profile.as_deref(),
    };
    gate.permit(asked, confirmed, context.clock.now().mono)
}

async fn draw(
    options: &ReplayOptions,
    context: &ReplayContext,
    dlq: &Arc<str>,
    gate: &Gate,
) -> Result<Plan, CommandError> {
    let link = context.profile.nats.as_ref();
    let link = link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))?;
    let exchange = Exchange::connect(link, &context.clock).await?;
    let stream = match exchange.stream(dlq).await {
        Err(error) if error.code() == Some(NO_STREAM) => {
            return Err(CommandError::NoDlq(text::safe(dlq).into_owned()));
        }
        stream => stream?,
    };
    let how = How {
        purpose: if options.archive {
            Purpose::Archive
        } else {
            Purpose::Replay
        },
        to_subject: options.to_subject.as_deref().map(Arc::from),
        rate: options.rate,
        canary: if options.archive { 0 } else { options.canary },
        window: match (context.profile.protected, &options.to_url) {
            (true, _) => 1,
            (false, Some(_)) => AT_A_GATEWAY,
            (false, None) => MOST_IN_A_WINDOW,
        },
        payload: options.payload.as_ref().map(|payload| STANDARD.encode(payload)),
        to_url: options.to_url.as_deref().map(Arc::from),
        sign: options.signer.as_ref().map(|signer| signer.scheme().name().into()),
        ordered: options.ordered,
        idempotent_workers: context.profile.idempotent_workers,
    };
    let journals = Folder::new(&context.state, context.clock.clone());
    let filter = options.filter.shown();
    let selection = select::select(&exchange, stream, filter, &journals, &context.clock, |letter| {
        options.filter.admit(letter)
    })
    .await?;
    if options.archive && options.write && gate.is_open(context.clock.now().mono) {
        select::ensure_archive(&exchange, &selection.dlq, &archive_of(dlq)).await?;
    }
    if let Some(url) = &options.to_url {
        let is_confirmed = options.yes.is_some() || !options.write;
        fire::guard(url, selection.letters.len() > 1, is_confirmed, &context.profile)?;
        if strip_url_credentials(url) != *url {
            return Err(CommandError::Missing(
                "credentials in --to-url would be written into the journal → leave them out",
            ));
        }
    }
    let (mut takers, mut streams) = select::targets(&exchange, &selection, &how).await?;
    if options.archive {
        select::assume_archive(&selection, &how, &mut takers, &mut streams);
    }
    let mut plan = Plan::draw(&selection, how, options.max, &takers, &streams)?;
    if let (Some(payload), Some(letter)) = (&options.payload, plan.letters.first()) {
        let before = exchange.message(dlq, letter.sequence).await?;
        let before = before.map(|letter| letter.payload).unwrap_or_default();
        plan.diff = letters::difference(&before, payload);
    }
    Ok(plan)
}

/// A replay that is run, watched and written down.
struct Task<'a> {
    options: &'a ReplayOptions,
    context: &'a ReplayContext,
    log: AuditLog,
    deed: Deed,
}

impl<'a> Task<'a> {
    fn new(
        options: &'a ReplayOptions,
        context: &'a ReplayContext,
        action: &str,
        dlq: Arc<str>,
        filter: String,
        planned: u64,
    ) -> Result<Self, CommandError> {
        let log = AuditLog::new(&context.state, context.profile.redactor.clone());
        let deed = Deed {
            at: context.clock.now().at,
            who: context.who.clone(),
            profile: context.profile.name.clone(),
            action: action.to_owned(),
            dlq,
            replay: None,
            filter,
            reason: options.reason.clone(),
            planned,
            counts: None,
            outcome: "begun".to_owned(),
        };
        // What cannot be written down is not done.
        log.append(&deed)?;
        Ok(Self {
            options,
            context,
            log,
            deed,
        })
    }

    async fn run<F: Future<Output = Result<Report, ReplayError>>>(
        mut self,
        work: impl FnOnce(Context) -> F,
        stop: CancellationToken,
        out: &mut (impl Write + Send),
        err: &mut (impl Write + Send),
    ) -> Result<u8, CommandError> {
        let link = self.context.profile.nats.clone();
        let link = link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))?;
        let (steer, steering) = watch::channel(Steering::Run);
        let (progress, watched) = watch::channel(Progress::default());
        let setting = Context {
            link,
            profile: self.context.profile.name.clone(),
            who: self.context.who.clone(),
            journals: Folder::new(&self.context.state, self.context.clock.clone()),
            clock: self.context.clock.clone(),
            steering,
            progress,
            timing: self.options.timing,
            attended: false,
            signer: self.options.signer.clone(),
        };
        let outcome = self.watch(work(setting), watched.clone(), steer, stop, err).await?;
        let last = watched.borrow().clone();
        self.deed.at = self.context.clock.now().at;
        self.deed.replay = (!last.replay.is_empty()).then_some(last.replay);
        match &outcome {
            Ok(report) => self.note(report.counts, ending(report)),
            Err(error) => self.note(last.counts, format!("failed: {error}")),
        }
        self.log.append(&self.deed)?;
        let report = outcome?;
        if self.options.json {
            writeln!(out, "{}", serde_json::json!({ "report": report }))?;
        } else {
            report::report(&report, out)?;
        }
        out.flush()?;
        Ok(match report.ending {
            Ending::Done => DONE,
            Ending::Partial | Ending::Stopped => FAILED,
            Ending::Cancelled => INTERRUPTED,
        })
    }

    fn note(&mut self, counts: Counts, outcome: String) {
        if self.deed.planned == 0 {
            self.deed.planned = counts.selected;
        }
        self.deed.counts = Some(counts);
        self.deed.outcome = outcome;
    }

    /// Waits for the replay, tells once a second how it stands, and hands on the interrupt.
    async fn watch<T>(
        &self,
        work: impl Future<Output = T>,
        mut watched: watch::Receiver<Progress>,
        steer: watch::Sender<Steering>,
        stop: CancellationToken,
        err: &mut (impl Write + Send),
    ) -> io::Result<T> {
        let mut work = std::pin::pin!(work);
        let mut next = Duration::from_secs(1);
        let mut told = false;
        loop {
            tokio::select! {
                outcome = &mut work => {
                    if told {
                        writeln!(err)?;
                    }
                    return Ok(outcome);
                }
                () = stop.cancelled(), if *steer.borrow() != Steering::Cancel => {
                    steer.send_replace(Steering::Cancel);
                }
                Ok(()) = watched.changed() => {
                    let progress = watched.borrow_and_update().clone();
                    if self.context.terminal && progress.elapsed >= next {
                        next = progress.elapsed + Duration::from_millis(200);
                        write!(err, "\r\u{1b}[K{}", text::cut(&report::standing(&progress), 100))?;
                        err.flush()?;
                        told = true;
                    }
                }
            }
        }
    }
}

fn ending(report: &Report) -> String {
    let ending = match report.ending {
        Ending::Done => "done",
        Ending::Partial => "partial",
        Ending::Stopped => "stopped",
        Ending::Cancelled => "cancelled",
    };
    match &report.why {
        Some(why) => format!("{ending}: {why}"),
        None => ending.to_owned(),
    }
}
