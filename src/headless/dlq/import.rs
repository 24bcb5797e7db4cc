//! `hookwatch dlq import`: a plan, and with a permit the letters of a file in their stream again.

use std::io::{self, BufRead, Write};

use super::action::{ActionContext, CommandError};
use super::consent::Consent;
use crate::act::audit::Action;
use crate::act::exchange::Exchange;
use crate::act::import::{self, ImportReport};
use crate::act::journal::Counts;
use crate::base::text;
use crate::headless::exit::DONE;
use crate::observe::letters::Mailbox;

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

/// Plans, and with a permit imports. Prints, and returns the exit code: 0 when every letter is
/// there, 1 when some are not, 2 when nothing was sent.
pub async fn import(
    options: &ImportOptions,
    context: &ActionContext,
    letters: impl BufRead,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match attempt(options, context, letters, out).await {
        Ok(code) => code,
        Err(error) => {
            let what = format!("import {}: ", text::safe(&options.name));
            error.tell(&what, context, err)
        }
    }
}

async fn attempt(
    options: &ImportOptions,
    context: &ActionContext,
    letters: impl BufRead,
    out: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let letters = import::read(letters)?;
    let (link, dlq) = (context.nats()?, context.dlq()?);
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
        return Ok(DONE);
    }
    if !options.consent.write {
        if !options.json {
            writeln!(out, "nothing was sent → --write --yes {} does it", plan.count)?;
        }
        return Ok(DONE);
    }
    let permit = options.consent.permit("import", &plan.hash, plan.count, context)?;
    let action = Action {
        name: "import",
        to: &plan.dlq,
        filter: &options.name,
        reason: options.consent.reason.as_deref(),
        planned: plan.count,
    };
    let account = context.begin(action)?;
    let imported = import::import(&exchange, &plan, permit).await;
    let settled = imported.as_ref().map(|report| {
        let counts = Counts {
            selected: plan.count,
            landed: report.imported,
            refused: report.refused,
            in_doubt: report.unknown,
            ..Counts::default()
        };
        (counts, report.is_whole())
    });
    account.settle(settled)?;
    let report = imported?;
    if options.json {
        writeln!(out, "{}", serde_json::json!({ "report": report }))?;
    } else {
        told(&report, out)?;
    }
    out.flush()?;
    Ok(u8::from(!report.is_whole()))
}

/// What was imported, and what was not.
fn told(report: &ImportReport, out: &mut impl Write) -> io::Result<()> {
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
    Ok(())
}
