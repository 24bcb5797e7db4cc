//! `hookwatch dlq replay` and `hookwatch dlq archive`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::action::{ActionContext, CommandError};
use super::consent::Consent;
use super::report;
use crate::act::audit::{Account, Action};
use crate::act::draft::{self, Draft, Lying};
use crate::act::fire;
use crate::act::journal::{Folder, How, Purpose};
use crate::act::oracle::Oracle;
use crate::act::permit::Gate;
use crate::act::plan::Plan;
use crate::act::replay::{self, Context, Ending, Progress, ReplayError, Report, Resume, Steering, Timing};
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::config::NatsLink;
use crate::headless::exit::{DONE, FAILED, INTERRUPTED};
use crate::model::letters::{self, LetterFilter};
use crate::observe::letters::Mailbox;
use crate::signature::Signer;

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

/// Plans, and with a permit replays. Prints, and returns the exit code: 0 when everything was
/// done, 1 when a part was not, 2 when nothing was sent, 130 when `stop` came first.
pub async fn replay(
    options: &ReplayOptions,
    context: &ActionContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match Box::pin(attempt(options, context, stop, out, err)).await {
        Ok(code) => code,
        Err(error) => error.tell("", context, err),
    }
}

async fn attempt(
    options: &ReplayOptions,
    context: &ActionContext,
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
        context.dlq()?.clone()
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
            reason: options.consent.reason.as_deref(),
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
    let name = plan.how.purpose.name();
    let permit = options.consent.permit(name, &plan.hash, plan.count, context)?;
    let action = Action {
        name,
        to: &dlq,
        filter: &plan.filter,
        reason: options.consent.reason.as_deref(),
        planned: plan.count,
    };
    let task = Task::new(options, context, action)?;
    let reason = options.consent.reason.clone();
    task.run(|setting| replay::start(&plan, reason, permit, setting), stop, out, err)
        .await
}

async fn draw(
    options: &ReplayOptions,
    context: &ActionContext,
    dlq: &Arc<str>,
    gate: &Gate,
) -> Result<Plan, CommandError> {
    let link = context.nats()?;
    let how = How {
        purpose: if options.archive {
            Purpose::Archive
        } else {
            Purpose::Replay
        },
        to_subject: options.to_subject.as_deref().map(Arc::from),
        rate: options.rate,
        canary: if options.archive { 0 } else { options.canary },
        window: draft::window(context.profile.protected, options.to_url.is_some()),
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
    let lying = if options.in_source {
        Lying::Parked { consumer }
    } else {
        Lying::Copied
    };
    let mut plan = draft.draw(lying, &journals, &context.clock, |_, _| {}).await?;
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
    context: &'a ActionContext,
    link: NatsLink,
    account: Account,
}

impl<'a> Task<'a> {
    fn new(options: &'a ReplayOptions, context: &'a ActionContext, action: Action<'_>) -> Result<Self, CommandError> {
        Ok(Self {
            link: context.nats()?.clone(),
            account: context.begin(action)?,
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
