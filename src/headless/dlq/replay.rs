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

use super::consent::{Action, Consent};
use super::report;
use crate::act::audit::{Account, AuditError};
use crate::act::draft::{Draft, DraftError};
use crate::act::fire::{self, GuardError};
use crate::act::journal::{Folder, How, MOST_IN_A_WINDOW, Purpose};
use crate::act::oracle::Oracle;
use crate::act::permit::{Gate, Refusal};
use crate::act::plan::Plan;
use crate::act::replay::{self, Context, Ending, Progress, ReplayError, Report, Resume, Steering, Timing};
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{NatsLink, Profile};
use crate::model::letters::{self, LetterFilter};
use crate::observe::letters::{LetterError, Mailbox};
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
    /// Whether they are messages that the source stream's consumer gave up.
    pub in_source: bool,
    /// Whether they are put aside instead.
    pub archive: bool,
    /// What was confirmed.
    pub consent: Consent,
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
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Letters(#[from] LetterError),
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
    let gate = options.consent.gate(context);
    let pipeline = &context.profile.pipeline;
    let dlq = if options.in_source {
        pipeline
            .stream
            .clone()
            .ok_or(CommandError::Missing("no source stream is configured → give --stream"))?
    } else {
        pipeline.dlq.clone().ok_or(CommandError::Missing(
            "no dead letter stream is configured → give --dlq",
        ))?
    };
    if let Some(resume) = &options.resume {
        // The plan was confirmed when the replay began.
        let consent = Consent {
            yes: Some(1),
            ..options.consent.clone()
        };
        let permit = consent.permit("resume", &dlq, 1, context)?;
        let action = Action {
            name: "resume",
            to: &dlq,
            filter: "",
            planned: 0,
        };
        let task = Task::new(options, context, action)?;
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
    if !options.consent.write {
        if !options.json {
            writeln!(out, "nothing was sent → --write --yes {} does it", plan.count)?;
        }
        return Ok(DONE);
    }
    let name = if options.archive { "archive" } else { "replay" };
    let permit = options.consent.permit(name, &plan.hash, plan.count, context)?;
    let action = Action {
        name,
        to: &dlq,
        filter: &plan.filter,
        planned: plan.count,
    };
    let task = Task::new(options, context, action)?;
    let reason = options.consent.reason.clone();
    task.run(|setting| replay::start(&plan, reason, permit, setting), stop, out, err)
        .await
}

async fn draw(
    options: &ReplayOptions,
    context: &ReplayContext,
    dlq: &Arc<str>,
    gate: &Gate,
) -> Result<Plan, CommandError> {
    let link = context.profile.nats.as_ref();
    let link = link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))?;
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
        parked: None,
        headers: context.profile.dead_letters.headers.clone(),
    };
    let draft = Draft {
        link,
        dlq,
        filter: &options.filter,
        how,
        max: options.max,
        makes_archive: options.consent.write && gate.is_open(context.clock.now().mono),
    };
    let journals = Folder::new(&context.state, context.clock.clone());
    let consumer = context.profile.pipeline.consumer.as_deref();
    let mut plan = if options.in_source {
        draft
            .draw_parked(consumer, &journals, &context.clock, |_, _| {})
            .await?
    } else {
        draft.draw(&journals, &context.clock, |_, _| {}).await?
    };
    if let Some(url) = &options.to_url {
        let is_confirmed = options.consent.yes.is_some() || !options.consent.write;
        fire::guard(url, plan.count > 1, is_confirmed, &context.profile)?;
        if strip_url_credentials(url) != *url {
            return Err(CommandError::Missing(
                "credentials in --to-url would be written into the journal → leave them out",
            ));
        }
    }
    if let (Some(payload), Some(letter)) = (&options.payload, plan.letters.first()) {
        let before = Mailbox::open(link, dlq, &context.clock)
            .await?
            .get(letter.sequence)
            .await?;
        let before = before.map(|letter| letter.payload).unwrap_or_default();
        plan.diff = letters::difference(&before, payload);
    }
    Ok(plan)
}

/// A replay that is run, watched and written down.
struct Task<'a> {
    options: &'a ReplayOptions,
    context: &'a ReplayContext,
    link: NatsLink,
    account: Account,
}

impl<'a> Task<'a> {
    fn new(options: &'a ReplayOptions, context: &'a ReplayContext, action: Action<'_>) -> Result<Self, CommandError> {
        let link = context.profile.nats.clone();
        Ok(Self {
            link: link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))?,
            account: options.consent.begin(action, context)?,
            options,
            context,
        })
    }

    async fn run<F: Future<Output = Result<Report, ReplayError>>>(
        self,
        work: impl FnOnce(Context) -> F,
        stop: CancellationToken,
        out: &mut (impl Write + Send),
        err: &mut (impl Write + Send),
    ) -> Result<u8, CommandError> {
        let (steer, steering) = watch::channel(Steering::Run);
        let (progress, watched) = watch::channel(Progress::default());
        let setting = Context {
            link: self.link.clone(),
            profile: self.context.profile.name.clone(),
            who: self.context.who.clone(),
            journals: Folder::new(&self.context.state, self.context.clock.clone()),
            clock: self.context.clock.clone(),
            steering,
            progress,
            timing: self.options.timing,
            attended: false,
            signer: self.options.signer.clone(),
            oracle: Oracle::of(&self.context.profile),
        };
        let outcome = self.watch(work(setting), watched.clone(), steer, stop, err).await;
        let last = watched.borrow().clone();
        self.account.close(&last, &outcome)?;
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

    /// Waits for the replay, tells once a second how it stands, and hands on the interrupt. Whether
    /// anybody can still read that is no matter for the replay.
    async fn watch<T>(
        &self,
        work: impl Future<Output = T>,
        mut watched: watch::Receiver<Progress>,
        steer: watch::Sender<Steering>,
        stop: CancellationToken,
        err: &mut (impl Write + Send),
    ) -> T {
        let mut work = std::pin::pin!(work);
        let mut next = Duration::from_secs(1);
        let mut told = false;
        loop {
            tokio::select! {
                outcome = &mut work => {
                    if told {
                        let _ = writeln!(err);
                    }
                    return outcome;
                }
                () = stop.cancelled(), if *steer.borrow() != Steering::Cancel => {
                    steer.send_replace(Steering::Cancel);
                }
                Ok(()) = watched.changed() => {
                    let progress = watched.borrow_and_update().clone();
                    if self.context.terminal && progress.elapsed >= next {
                        next = progress.elapsed + Duration::from_millis(200);
                        let line = report::standing(&progress);
                        told = write!(err, "\r\u{1b}[K{}", text::cut(&line, 100)).is_ok();
                        let _ = err.flush();
                    }
                }
            }
        }
    }
}
