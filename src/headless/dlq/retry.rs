//! `hookwatch dlq retry`: failed calls of a queue in Postgres, listed, and with a permit put back.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::action::{ActionContext, CommandError};
use super::consent::Consent;
use crate::act::audit::Action;
use crate::act::calls::{self, CallPlan, Way};
use crate::base::text;
use crate::headless::exit::DONE;
use crate::observe::postgres::failed_calls;
use crate::sample::FailedCall;

/// The table that the calls lie in.
const TABLE: &str = "rule_webhook_calls";

/// Which calls, and what to do: the arguments of the command.
#[derive(Clone, Debug, Default)]
pub struct RetryOptions {
    /// Text that the error holds, in any case.
    pub reason_like: Option<String>,
    /// Ids of calls.
    pub ids: Option<BTreeSet<String>>,
    /// Calls at most, the latest first.
    pub max: u32,
    /// What was confirmed.
    pub consent: Consent,
    /// JSON instead of text.
    pub json: bool,
}

/// Lists, plans, and with a permit puts back. Prints, and returns the exit code: 0 when every call
/// was put back, 1 when some were not, 2 when nothing was changed.
pub async fn retry(
    options: &RetryOptions,
    context: &ActionContext,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> u8 {
    match attempt(options, context, out).await {
        Ok(code) => code,
        Err(error) => error.tell("", context, err),
    }
}

async fn attempt(
    options: &RetryOptions,
    context: &ActionContext,
    out: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let link = context.profile.postgres.as_ref();
    let link = link.ok_or(CommandError::Missing("Postgres is not configured → give --postgres"))?;
    let failed = failed_calls(link, options.max).await.map_err(CommandError::Unread)?;
    let reason_like = options.reason_like.as_ref().map(|reason| reason.to_lowercase());
    let is_meant = |call: &FailedCall| {
        let error = || call.error.as_deref().unwrap_or_default().to_lowercase();
        reason_like.as_ref().is_none_or(|wanted| error().contains(wanted))
            && options.ids.as_ref().is_none_or(|ids| ids.contains(&*call.call))
    };
    let failed: Vec<_> = failed.into_iter().filter(is_meant).collect();
    let plan = calls::plan(link, &failed).await?;
    list(&failed, &plan, options.json, out)?;
    if !options.consent.write || plan.count == 0 {
        if !options.json && plan.count > 0 {
            writeln!(out, "nothing was changed → --write --yes {} does it", plan.count)?;
        }
        out.flush()?;
        return Ok(DONE);
    }
    out.flush()?;
    let permit = options.consent.permit("retry", &plan.hash, plan.count, context)?;
    let action = Action {
        name: "retry",
        to: &TABLE.into(),
        filter: options.reason_like.as_deref().unwrap_or("all"),
        reason: options.consent.reason.as_deref(),
        planned: plan.count,
    };
    let account = context.begin(action)?;
    let outcome = calls::retry(link, &plan, permit).await;
    let told = outcome.as_ref().map(|report| report.told(plan.count));
    account.settle(told)?;
    let report = outcome?;
    if options.json {
        writeln!(out, "{}", serde_json::json!({ "report": report }))?;
    } else {
        let (retried, left) = (text::count(report.retried), text::count(report.left));
        writeln!(out, "{retried} put back, {left} no longer failed or in other hands")?;
    }
    out.flush()?;
    Ok(u8::from(report.left > 0))
}

/// The calls, one a line, and how they would be put back.
fn list(failed: &[FailedCall], plan: &CallPlan, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        for call in failed {
            let told = serde_json::json!({
                "call": call.call, "webhook": call.webhook, "retries": call.retries, "status": call.status,
                "error": call.error, "at": call.at,
            });
            writeln!(out, "{told}")?;
        }
        writeln!(out, "{}", serde_json::json!({ "plan": plan }))?;
    } else {
        for call in failed {
            let at = call
                .at
                .map_or_else(|| "–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
            let error = text::safe(call.error.as_deref().unwrap_or("–")).into_owned();
            writeln!(out, "{}  {at}  {}", text::safe(&call.call), text::cut(&error, 120))?;
        }
        let how = match plan.way {
            Way::Function => "through rule_webhook_retry",
            Way::Status => "by status: there is no rule_webhook_retry for us",
        };
        writeln!(
            out,
            "{}, {how}",
            text::counted(plan.count, "failed call", "failed calls")
        )?;
    }
    Ok(())
}
