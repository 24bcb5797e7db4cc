//! `hookwatch fire --selftest`: what the gateway took that it should not have taken.

use std::io::Write;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{CommandError, FireContext, FireOptions};
use crate::act::fire::{Attack, Composed, Judgement, Plan, Variant, selftest};
use crate::base::secret::strip_url_credentials;
use crate::base::text;
use crate::headless::exit::{DONE, FAILED, INTERRUPTED};
use crate::headless::json;

/// The last line.
#[derive(Serialize)]
struct Verdict<'a> {
    template: &'a str,
    to: &'a str,
    attacks: usize,
    wrong: Vec<&'a str>,
    unclear: Vec<&'a str>,
    passed: bool,
}

pub(super) async fn run(
    options: &FireOptions,
    context: &FireContext,
    plan: &Plan,
    composed: &Composed,
    stop: &CancellationToken,
    out: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let to = strip_url_credentials(&composed.url).into_owned();
    let mut written = Ok(());
    let tell = |attack: &Attack| {
        if written.is_ok() {
            written = print(attack, options.json, out);
        }
    };
    let attacks = selftest(plan, &composed.entry, &context.clock, tell, stop).await?;
    written?;
    let of = |judgement| -> Vec<&str> {
        let found = attacks.iter().filter(|attack| attack.judgement == judgement);
        found.map(|attack| attack.variant).collect()
    };
    let (wrong, unclear) = (of(Judgement::Wrong), of(Judgement::Unclear));
    let passed = wrong.is_empty() && attacks.len() == Variant::ALL.len();
    if options.json {
        let verdict = Verdict {
            template: composed.entry.template.name(),
            to: &to,
            attacks: attacks.len(),
            wrong,
            unclear,
            passed,
        };
        writeln!(out, "{}", json::line(&verdict)?)?;
    } else if wrong.is_empty() {
        writeln!(out, "{}: nothing was accepted that should not be", text::safe(&to))?;
    } else {
        writeln!(out, "{}: wrong with {}", text::safe(&to), wrong.join(", "))?;
    }
    out.flush()?;
    Ok(if stop.is_cancelled() {
        INTERRUPTED
    } else if passed {
        DONE
    } else {
        FAILED
    })
}

fn print(attack: &Attack, as_json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    if as_json {
        writeln!(out, "{}", json::line(attack)?)?;
        return Ok(());
    }
    let mark = match attack.judgement {
        Judgement::Right => "✓ right  ",
        Judgement::Wrong => "✗ WRONG  ",
        Judgement::Unclear => "? unclear",
        Judgement::NotApplicable => "– n/a    ",
    };
    let status = attack
        .status
        .map_or_else(|| text::UNKNOWN.to_owned(), |status| status.to_string());
    writeln!(out, "{mark}  {:<16} {status:>4}  {}", attack.variant, attack.text)?;
    Ok(out.flush()?)
}
