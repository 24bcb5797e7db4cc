//! `hookwatch fire`: a test webhook, or a load of them, and what came of it.

mod attack;
mod follow;
mod keep;
mod live;
mod report;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::report::Report;
use crate::act::fire::{
    self, Composed, FireError, GuardError, HttpVersion, Library, Load, Order, Plan, Progress, Refusal, Request,
    RequestError, TemplateError, UnknownExpectation, UnknownVariant, Variant, expectations,
};
use crate::act::trace::TraceError;
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{Environment, Profile, Tls};
use crate::headless::exit::{DONE, FAILED, INTERRUPTED, REFUSED};

pub use crate::act::fire::{Batch, SecretSource};
pub use keep::save;

/// What to fire: the arguments of the command.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Clone, Debug, Default)]
pub struct FireOptions {
    /// Template, target, scheme, key and fields.
    pub order: Order,
    /// How many webhooks; 1 where neither this nor a duration is given.
    pub count: Option<u64>,
    /// How long.
    pub duration: Option<Duration>,
    /// How many webhooks a second; `None`: one after the other in each lane.
    pub rate: Option<f64>,
    /// All at once.
    pub burst: bool,
    /// Requests in flight at most.
    pub concurrency: Option<NonZeroUsize>,
    /// Webhooks in one request.
    pub batch: Option<Batch>,
    /// For one request.
    pub timeout: Option<Duration>,
    /// Attempts beyond the first.
    pub retries: u32,
    /// HTTP/2.
    pub http2: bool,
    /// An attack instead of a valid webhook.
    pub variant: Option<String>,
    /// Every attack.
    pub selftest: bool,
    /// Follow it to its row.
    pub trace: bool,
    /// Again and again.
    pub every: Option<Duration>,
    /// What must hold: see [`crate::act::fire::Expectation`]. Nothing given: `2xx`.
    pub expect: Vec<String>,
    /// For the same webhooks again.
    pub seed: Option<u64>,
    /// A CA, and a certificate of our own.
    pub tls: Tls,
    /// A target elsewhere than on this machine is meant.
    pub yes: bool,
    /// The last line is the summary as JSON.
    pub json: bool,
}

/// What the command needs of its surroundings.
#[derive(Clone, Debug)]
pub struct FireContext {
    /// The environment.
    pub environment: Environment,
    /// The user's templates.
    pub templates: Option<PathBuf>,
    /// Targets and keys, guard rails, and where a webhook is followed to.
    pub profile: Profile,
    /// Whether standard error is a terminal: progress is drawn there.
    pub is_live: bool,
    /// The clock.
    pub clock: SharedClock,
}

/// Why the command did not run, or did not end.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Expectation(#[from] UnknownExpectation),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Variant(#[from] UnknownVariant),
    #[error(transparent)]
    Fire(#[from] FireError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("write: {0}")]
    Output(#[from] io::Error),
}

impl From<serde_json::Error> for CommandError {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// Prints every template: a table, or a JSON object a line. Returns the exit code.
pub fn list(context: &FireContext, json: bool, out: &mut impl Write, err: &mut impl Write) -> u8 {
    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        provider: &'a str,
        event: &'a str,
        scheme: String,
    }
    let library = Library::load(context.templates.as_deref());
    let mut print = || -> io::Result<()> {
        for template in library.templates() {
            let line = Line {
                name: template.name(),
                provider: template.provider(),
                event: template.event(),
                scheme: template.scheme().to_string(),
            };
            if json {
                writeln!(out, "{}", super::json::line(&line)?)?;
            } else {
                let name = text::safe(line.name);
                writeln!(out, "{name:<36} {:<20} {}", text::safe(line.provider), line.scheme)?;
            }
        }
        for broken in library.broken() {
            writeln!(err, "hookwatch: {broken}")?;
        }
        out.flush()
    };
    match print() {
        Ok(()) if library.broken().is_empty() => DONE,
        Ok(()) => FAILED,
        Err(_) => REFUSED,
    }
}

/// Prints a template's file: what one writes to override it. Returns the exit code.
pub fn show(name: &str, context: &FireContext, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let library = Library::load(context.templates.as_deref());
    let shown = library.get(name).map_err(CommandError::from).and_then(|template| {
        for line in template.source().lines() {
            writeln!(out, "{}", text::safe(line))?;
        }
        Ok(out.flush()?)
    });
    outcome(shown.map(|()| DONE), err)
}

/// The host that somebody has to confirm before anything is fired there; `None`: nobody has to.
#[must_use]
pub fn host_to_confirm(options: &FireOptions, context: &FireContext) -> Option<String> {
    match prepare(options, context) {
        Err(CommandError::Request(RequestError::Guard(GuardError::Refusal(Refusal::Unconfirmed { host, .. })))) => {
            Some(host)
        }
        _ => None,
    }
}

/// Fires, prints, and returns the exit code: 0 when every expectation was met, 1 when one was not,
/// 2 when nothing was sent, 130 when `stop` came first.
pub async fn fire(
    options: &FireOptions,
    context: &FireContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    let outcome_of = attempt(options, context, stop, out, err).await;
    outcome(outcome_of, err)
}

/// The exit code, once what went wrong has been said.
fn outcome(result: Result<u8, CommandError>, err: &mut impl Write) -> u8 {
    match result {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(CommandError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => DONE,
        Err(error) => {
            let code = if matches!(error, CommandError::Output(_)) {
                FAILED
            } else {
                REFUSED
            };
            // Nowhere is left to say that this could not be said.
            let _ = writeln!(err, "hookwatch fire: {error}");
            code
        }
    }
}

async fn attempt(
    options: &FireOptions,
    context: &FireContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let (plan, composed) = prepare(options, context)?;
    for notice in &composed.notices {
        writeln!(err, "hookwatch fire: {notice}")?;
    }
    if options.selftest {
        return attack::run(options, context, &plan, &composed, &stop, out).await;
    }
    if options.trace || options.every.is_some() {
        return follow::run(options, context, &plan, &stop, out, err).await;
    }
    let seed = plan.seed;
    let expected = plan.expect.clone();
    let (progress, watched) = watch::channel(Progress::default());
    let run = fire::run(plan, context.clock.clone(), progress, stop);
    let summary = live::with_progress(run, watched, context.is_live, err).await??;
    let results: Vec<_> = expected.iter().map(|expected| expected.check(&summary)).collect();
    let report = Report {
        template: composed.entry.template.name(),
        to: strip_url_credentials(&composed.url).into_owned(),
        seed,
        expectations: &results,
        summary: &summary,
    };
    if options.json {
        writeln!(out, "{}", super::json::line(&report)?)?;
    } else {
        report.print(out)?;
    }
    out.flush()?;
    Ok(if summary.stopped {
        INTERRUPTED
    } else if results.iter().all(|result| result.is_met) {
        DONE
    } else {
        FAILED
    })
}

impl FireOptions {
    fn request(&self) -> Result<Request, CommandError> {
        let variant: Variant = match &self.variant {
            Some(name) => name.parse()?,
            None => Variant::Valid,
        };
        Ok(Request {
            order: self.order.clone(),
            load: Load {
                count: self.count,
                duration: self.duration,
                rate: self.rate,
                burst: self.burst,
                concurrency: self.concurrency,
                batch: self.batch,
                timeout: self.timeout,
                retries: self.retries,
                version: if self.http2 {
                    HttpVersion::Http2
                } else {
                    HttpVersion::Http1
                },
                variant,
                expect: expectations(&self.expect)?,
                seed: self.seed,
                tls: self.tls.clone(),
            },
            trace: self.trace,
            every: self.every,
            selftest: self.selftest,
        })
    }
}

/// What would be fired; whatever is wrong is found here, before the first request.
fn prepare(options: &FireOptions, context: &FireContext) -> Result<(Plan, Composed), CommandError> {
    let request = options.request()?;
    let library = Library::load(context.templates.as_deref());
    Ok(request.prepare(&library, &context.profile, &context.environment, options.yes)?)
}

#[cfg(test)]
mod tests;
