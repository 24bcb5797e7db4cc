//! `hookwatch fire`: a test webhook, or a load of them, and what came of it.

mod expect;
mod report;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::expect::{UnknownExpectation, expectations};
use self::report::{Report, standing};
use crate::act::fire::{
    self, Entry, FireError, HttpVersion, Library, Limit, Mix, Plan, PlanError, Progress, TemplateError, UnknownVariant,
    Variant,
};
use crate::act::pace::{Rate, RateError, Shape};
use crate::base::secret::{Redactor, strip_url_credentials};
use crate::base::text;
use crate::base::time::SharedClock;
use crate::config::{Environment, Tls};

/// Done, and every expectation met.
const DONE: u8 = 0;
/// Ran, and something was not as expected.
const FAILED: u8 = 1;
/// Refused before the first request.
const REFUSED: u8 = 2;
/// Interrupted.
const INTERRUPTED: u8 = 130;

/// Lanes of a load whose concurrency is not given.
const LANES: usize = 64;

/// Where a signing key comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// An environment variable.
    Variable(String),
    /// A file; its last line end does not count.
    File(PathBuf),
    /// Given as it is, which others may have seen.
    Given(SecretString),
}

/// What to fire: the arguments of the command.
#[derive(Clone, Debug, Default)]
pub struct FireOptions {
    /// The template's name.
    pub template: String,
    /// The URL.
    pub to: String,
    /// Another scheme than the template's.
    pub scheme: Option<String>,
    /// The signing key; `None`: unsigned.
    pub secret: Option<SecretSource>,
    /// `path=value`, in this order.
    pub set: Vec<String>,
    /// How many; 1 where neither this nor a duration is given.
    pub count: Option<u64>,
    /// How long.
    pub duration: Option<Duration>,
    /// How many a second; `None`: one after the other in each lane.
    pub rate: Option<f64>,
    /// Requests in flight at most.
    pub concurrency: Option<NonZeroUsize>,
    /// Webhooks in one request.
    pub batch: Option<NonZeroUsize>,
    /// For one request.
    pub timeout: Option<Duration>,
    /// HTTP/2.
    pub http2: bool,
    /// An attack instead of a valid webhook.
    pub variant: Option<String>,
    /// What must hold: `2xx`, `401`, `p99<200ms`. Nothing given: `2xx`.
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
    /// Hosts that the profile lists: they need no confirmation.
    pub trusted: Vec<String>,
    /// A protected profile takes single shots, no load.
    pub protected: bool,
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
    Rate(#[from] RateError),
    #[error(transparent)]
    Variant(#[from] UnknownVariant),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Fire(#[from] FireError),
    #[error("write: {0}")]
    Output(#[from] io::Error),
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
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
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

/// Fires, prints, and returns the exit code: 0 when every expectation was met, 1 when one was not,
/// 2 when nothing was sent, 130 when `stop` came first.
pub async fn fire(
    options: &FireOptions,
    context: &FireContext,
    stop: CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match attempt(options, context, stop, out, err).await {
        Ok(code) => code,
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
    let expectations = expectations(&options.expect)?;
    guard(options, context)?;
    let plan = plan(options, context, err)?;
    let seed = plan.seed;
    let (progress, watched) = watch::channel(Progress::default());
    let run = fire::run(plan, context.clock.clone(), progress, stop);
    let summary = with_progress(run, watched, err).await??;
    let results: Vec<_> = expectations.iter().map(|expected| expected.check(&summary)).collect();
    let report = Report {
        template: &options.template,
        to: strip_url_credentials(&options.to).into_owned(),
        seed,
        expectations: &results,
        summary: &summary,
    };
    if options.json {
        let line = serde_json::to_string(&report).map_err(io::Error::from)?;
        writeln!(out, "{line}")?;
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

/// Elsewhere than on this machine, a webhook may do real harm.
fn guard(options: &FireOptions, context: &FireContext) -> Result<(), CommandError> {
    let shown = strip_url_credentials(&options.to).into_owned();
    let host = fire::host_of(&options.to)?;
    let is_near = host.is_loopback || context.trusted.contains(&host.name);
    if !is_near && !options.yes {
        return Err(CommandError::Refused(format!(
            "{shown} is neither on this machine nor listed in the profile → add --yes if it is meant"
        )));
    }
    let is_load = options.count.is_some_and(|count| count > 1) || options.duration.is_some();
    if context.protected && is_load {
        return Err(CommandError::Refused(format!(
            "the profile is protected and takes no load for {shown} → fire a single webhook, or use another profile"
        )));
    }
    Ok(())
}

fn plan(options: &FireOptions, context: &FireContext, err: &mut impl Write) -> Result<Plan, CommandError> {
    let library = Library::load(context.templates.as_deref());
    let mut template = library.get(&options.template)?.clone();
    for assignment in &options.set {
        let (path, value) = assignment.split_once('=').ok_or_else(|| {
            CommandError::Refused(format!(
                "set {}: there is no = in it → give path=value",
                text::safe(assignment)
            ))
        })?;
        template = Arc::new(template.set(path, value)?);
    }
    let mut redactor = Redactor::default();
    let entry = if let Some(source) = &options.secret {
        let secret = secret(source, &context.environment)?;
        redactor.learn(secret.expose_secret());
        // A receiver may quote a key without its prefix.
        if let Some((_, bare)) = secret.expose_secret().split_once('_') {
            redactor.learn(bare);
        }
        if matches!(source, SecretSource::Given(_)) {
            writeln!(
                err,
                "hookwatch fire: a secret on the command line is seen by others → use --secret-env"
            )?;
        }
        Entry::signed(template, options.scheme.as_deref(), &secret)?
    } else {
        writeln!(
            err,
            "hookwatch fire: not signed, no key is given → --secret-env VARIABLE signs as {}",
            options.scheme.as_deref().unwrap_or(template.scheme().name())
        )?;
        Entry::unsigned(template)
    };
    let variant: Variant = match &options.variant {
        Some(name) => name.parse()?,
        None => Variant::Valid,
    };
    let mix = Mix::new(vec![entry], &[(variant, 1.0)], None)?;
    let is_load = options.count.is_some_and(|count| count > 1) || options.duration.is_some();
    let lanes = if is_load { LANES } else { 1 };
    let base = Plan::new(&options.to, mix, options.seed.unwrap_or_else(rand::random));
    Ok(Plan {
        limit: Limit {
            count: options.count.or_else(|| options.duration.is_none().then_some(1)),
            duration: options.duration,
        },
        shape: match options.rate {
            Some(rate) => Shape::Steady(Rate::per_second(rate)?),
            None => Shape::Unpaced,
        },
        concurrency: options
            .concurrency
            .or_else(|| NonZeroUsize::new(lanes))
            .unwrap_or(NonZeroUsize::MIN),
        batch: options.batch,
        timeout: options.timeout.unwrap_or(base.timeout),
        version: if options.http2 {
            HttpVersion::Http2
        } else {
            HttpVersion::Http1
        },
        tls: options.tls.clone(),
        redactor,
        ..base
    })
}

fn secret(source: &SecretSource, environment: &Environment) -> Result<SecretString, CommandError> {
    match source {
        SecretSource::Variable(name) => environment
            .get(name)
            .map(|value| SecretString::from(value.clone()))
            .ok_or_else(|| CommandError::Refused(format!("variable {} is not set → export it", text::safe(name)))),
        SecretSource::File(path) => std::fs::read_to_string(path)
            .map(|content| SecretString::from(content.trim_end_matches(['\n', '\r'])))
            .map_err(|error| {
                CommandError::Refused(format!(
                    "read secret {}: {error} → check path and rights",
                    path.display()
                ))
            }),
        SecretSource::Given(secret) => Ok(secret.clone()),
    }
}

/// Waits for a run and tells once a second how it stands.
async fn with_progress<T>(
    run: impl Future<Output = T>,
    mut watched: watch::Receiver<Progress>,
    err: &mut (impl Write + Send),
) -> Result<T, CommandError> {
    let mut run = std::pin::pin!(run);
    let mut next = Duration::from_secs(1);
    loop {
        tokio::select! {
            outcome = &mut run => return Ok(outcome),
            Ok(()) = watched.changed() => {
                let progress = watched.borrow_and_update().clone();
                if progress.elapsed >= next {
                    next = progress.elapsed + Duration::from_secs(1);
                    writeln!(err, "{}", standing(&progress))?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
