//! `hookwatch fire --trace` and `--every`: one webhook followed to its row, or one after another.

use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::report::shown;
use super::{CommandError, FireContext, FireOptions};
use crate::act::fire::Plan;
use crate::act::trace::{History, Outcome, Percentiles, Stage, State, Timeline, TraceError, TracePlan, once};
use crate::base::text;
use crate::headless::exit::{DONE, FAILED, INTERRUPTED};
use crate::headless::json;

/// A run as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    template: &'a str,
    passed: bool,
    reason: Option<&'a str>,
    total_s: Option<f64>,
    id: Option<&'a str>,
    steps: Option<&'a [crate::act::trace::Step]>,
}

/// The last line of a canary.
#[derive(Serialize)]
struct Summary {
    template: String,
    runs: u64,
    passed: u64,
    failed: u64,
    total_s: Percentiles,
    accepted_s: Percentiles,
    stored_s: Percentiles,
    acked_s: Percentiles,
    written_s: Percentiles,
}

pub(super) async fn run(
    options: &FireOptions,
    context: &FireContext,
    plan: &Plan,
    stop: &CancellationToken,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> Result<u8, CommandError> {
    let tracing = if options.trace {
        Some(TracePlan::of(&context.profile)?)
    } else {
        None
    };
    // A trace alone is one; a canary goes on until it is stopped, or as often as is asked for.
    let runs = options.count.or((options.every.is_none()).then_some(1));
    let mut history = History::default();
    let mut number = 0;
    let mut pace = options.every.map(tokio::time::interval);
    if let Some(pace) = &mut pace {
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    }
    while runs.is_none_or(|runs| number < runs) {
        if let Some(pace) = &mut pace {
            tokio::select! {
                _ = pace.tick() => {}
                () = stop.cancelled() => break,
            }
        }
        let shot = plan.single(number);
        let outcome = watched(tracing.as_ref(), shot, options, context, stop, err).await?;
        if stop.is_cancelled() && !outcome.reading.passed {
            break;
        }
        print(&outcome, options, out)?;
        history.push(outcome);
        number += 1;
    }
    if options.every.is_some() {
        summarise(&options.order.template, &history, options.json, out)?;
    }
    Ok(if stop.is_cancelled() && (options.every.is_none() || runs.is_some()) {
        INTERRUPTED
    } else if history.failed() > 0 || history.passed() == 0 {
        FAILED
    } else if stop.is_cancelled() {
        INTERRUPTED
    } else {
        DONE
    })
}

/// One webhook, followed where that was asked for; on a terminal it says how far it is.
async fn watched(
    tracing: Option<&TracePlan>,
    shot: Plan,
    options: &FireOptions,
    context: &FireContext,
    stop: &CancellationToken,
    err: &mut (impl Write + Send),
) -> Result<Outcome, CommandError> {
    let at = context.clock.now().at;
    let name = &options.order.template;
    let (progress, mut watched) = watch::channel(Timeline::default());
    let is_live = context.is_live && !options.json && options.every.is_none();
    let mut following = Box::pin(once(tracing, shot, name, &context.clock, &progress, stop));
    let outcome = loop {
        tokio::select! {
            outcome = &mut following => break outcome,
            Ok(()) = watched.changed() => {
                let timeline = watched.borrow_and_update().clone();
                if is_live && let Some(next) = timeline.next() {
                    let stuck = timeline.stuck.as_deref().unwrap_or("…");
                    write!(err, "\r\x1b[K{}: {}", next.name(), text::cut(stuck, 90))?;
                    err.flush()?;
                }
            }
        }
    };
    drop(following);
    if is_live {
        write!(err, "\r\x1b[K")?;
    }
    match outcome {
        Ok(outcome) => Ok(outcome),
        Err(TraceError::Fire(error)) if options.every.is_none() => Err(CommandError::Trace(TraceError::Fire(error))),
        Err(error) => Ok(Outcome::failed(at, name, error.to_string())),
    }
}

fn print(outcome: &Outcome, options: &FireOptions, out: &mut impl Write) -> Result<(), CommandError> {
    let reading = &outcome.reading;
    let at = outcome.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    if options.json {
        let line = Line {
            at,
            template: &reading.name,
            passed: reading.passed,
            reason: reading.reason.as_deref(),
            total_s: reading.total.map(|total| total.as_secs_f64()),
            id: outcome.timeline.as_ref().map(|timeline| timeline.id.as_str()),
            steps: outcome.timeline.as_ref().map(|timeline| timeline.steps.as_slice()),
        };
        writeln!(out, "{}", json::line(&line)?)?;
    } else if options.every.is_some() {
        let word = if reading.passed { "✓ passed" } else { "✗ FAILED" };
        let total = shown(reading.total.map(|total| total.as_secs_f64()));
        let reason = reading.reason.as_deref().unwrap_or_default();
        let mut steps = String::new();
        for step in outcome.timeline.iter().flat_map(|timeline| &timeline.steps) {
            if let State::Reached { after, .. } = step.state {
                // Writing to a text does not fail.
                let _ = write!(steps, "  {} {}", step.stage.name(), text::duration(after));
            }
        }
        writeln!(out, "{at}  {word}  {total}{steps}  {reason}")?;
    } else {
        match &outcome.timeline {
            Some(timeline) => print_timeline(&reading.name, timeline, out)?,
            None => writeln!(out, "✗ {}", reading.reason.as_deref().unwrap_or_default())?,
        }
    }
    Ok(out.flush()?)
}

/// The timeline as a person reads it, from top to bottom.
fn print_timeline(name: &str, timeline: &Timeline, out: &mut impl Write) -> Result<(), CommandError> {
    writeln!(out, "{}  {}", text::safe(name), timeline.id)?;
    let next = timeline.next();
    for (index, step) in timeline.steps.iter().enumerate() {
        if index > 0 {
            writeln!(out, "│")?;
        }
        let (mark, after) = match &step.state {
            State::Reached { after, at_most } => {
                let bound = if *at_most { "≤ " } else { "" };
                ("●", format!("{bound}{}", text::duration(*after)))
            }
            State::Pending if Some(step.stage) == next => ("▲", "stuck".to_owned()),
            State::Pending => ("○", text::UNKNOWN.to_owned()),
            State::Skipped => ("–", "skipped".to_owned()),
            State::Failed => ("✗", "failed".to_owned()),
        };
        writeln!(out, "{mark} {:<9} {after:>12}  {}", step.stage.name(), step.detail)?;
    }
    match (&timeline.stuck, timeline.total()) {
        (Some(stuck), _) if !timeline.passed() => writeln!(out, "▲ {stuck}")?,
        (_, Some(total)) => writeln!(out, "✓ through in {}", text::duration(total))?,
        _ => {}
    }
    Ok(())
}

fn summarise(name: &str, history: &History, as_json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let summary = Summary {
        template: name.to_owned(),
        runs: history.passed() + history.failed(),
        passed: history.passed(),
        failed: history.failed(),
        total_s: history.total(),
        accepted_s: history.to(Stage::Accepted),
        stored_s: history.to(Stage::Stored),
        acked_s: history.to(Stage::Acked),
        written_s: history.to(Stage::Written),
    };
    if as_json {
        writeln!(out, "{}", json::line(&summary)?)?;
    } else {
        let total = &summary.total_s;
        writeln!(
            out,
            "{}: {} of {} passed  p50 {}  p90 {}  p99 {}  max {}",
            text::safe(name),
            text::count(summary.passed),
            text::count(summary.runs),
            shown(total.p50),
            shown(total.p90),
            shown(total.p99),
            shown(total.max)
        )?;
    }
    Ok(out.flush()?)
}
