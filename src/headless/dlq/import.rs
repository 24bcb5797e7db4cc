//! `hookwatch dlq import`: a plan, and with a permit the letters of a file in their stream again.

use std::io::{self, BufRead, Write};

use super::consent::{Action, Consent};
use super::replay::ReplayContext;
use crate::act::audit::AuditError;
use crate::act::exchange::{ConnectError, Exchange};
use crate::act::import::{self, ImportError};
use crate::act::journal::Counts;
use crate::base::text;
use crate::observe::letters::{LetterError, Mailbox};

/// What to do: the arguments of the command.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The file, as it is called.
    pub name: String,
    /// What was confirmed.
    pub consent: Consent,
    /// JSON instead of text.
    pub json: bool,
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Missing(&'static str),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Letters(#[from] LetterError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("write: {0}")]
    Output(#[from] io::Error),
}

/// Plans, and with a permit imports. Prints, and returns the exit code: 0 when every letter is
/// there, 1 when some are not, 2 when nothing was sent.
pub async fn import(
    options: &ImportOptions,
    context: &ReplayContext,
    letters: impl BufRead,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match attempt(options, context, letters, out).await {
        Ok(code) => code,
        Err(error) => {
            let shown = context.profile.redactor.clean(&error.to_string()).into_owned();
            // Nowhere is left to say that this could not be said.
            let _ = writeln!(
                err,
                "hookwatch dlq: import {}: {}",
                text::safe(&options.name),
                text::safe(&shown)
            );
            if matches!(error, CommandError::Output(_)) { 1 } else { 2 }
        }
    }
}

async fn attempt(
    options: &ImportOptions,
    context: &ReplayContext,
    letters: impl BufRead,
    out: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let letters = import::read(letters)?;
    let link = context.profile.nats.as_ref();
    let link = link.ok_or(CommandError::Missing("NATS is not configured → give --nats"))?;
    let dlq = context.profile.pipeline.dlq.as_deref();
    let dlq = dlq.ok_or(CommandError::Missing(
        "no dead letter stream is configured → give --dlq",
    ))?;
    let mailbox = Mailbox::open(link, dlq, &context.clock).await?;
    let exchange = Exchange::connect(link, &context.clock).await?;
    let plan = import::plan(&exchange, &mailbox, letters).await?;
    if options.json {
        writeln!(out, "{}", serde_json::json!({ "plan": plan }))?;
    } else {
        let (letters, there) = (text::counted(plan.count, "letter", "letters"), text::count(plan.there));
        let (dlq, bytes) = (text::safe(&plan.dlq), text::bytes(plan.bytes));
        writeln!(out, "{letters} into {dlq}, {bytes}; there already: {there}")?;
    }
    out.flush()?;
    if plan.count == 0 {
        return Ok(0);
    }
    if !options.consent.write {
        if !options.json {
            writeln!(out, "nothing was sent → --write --yes {} does it", plan.count)?;
        }
        return Ok(0);
    }
    let permit = options.consent.permit("import", &plan.hash, plan.count, context);
    let permit = permit.map_err(ImportError::from)?;
    let action = Action {
        name: "import",
        to: &plan.dlq,
        filter: &options.name,
        planned: plan.count,
    };
    let account = options.consent.begin(action, context)?;
    let imported = import::import(&exchange, &plan, permit).await;
    let told = imported.as_ref().map(|report| {
        let counts = Counts {
            selected: plan.count,
            landed: report.imported,
            refused: report.refused,
            in_doubt: report.unknown,
            ..Counts::default()
        };
        (counts, report.is_whole())
    });
    account.settle(told)?;
    let report = imported?;
    if options.json {
        writeln!(out, "{}", serde_json::json!({ "report": report }))?;
    } else {
        let counts = [report.imported, report.there, report.refused, report.unknown].map(text::count);
        let [imported, there, refused, unknown] = counts;
        writeln!(
            out,
            "{imported} imported, {there} there already, {refused} refused, {unknown} unknown"
        )?;
        for reason in &report.reasons {
            writeln!(out, "  {}", text::safe(reason))?;
        }
        if report.unknown > 0 {
            writeln!(out, "import it again: what arrived is not put there twice")?;
        }
    }
    out.flush()?;
    Ok(u8::from(!report.is_whole()))
}
