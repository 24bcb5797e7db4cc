//! Rules about the ledger: what is lost, and who contradicts whom.

use super::{Facts, Finding, Stage, Words, stage};
use crate::model::ledger::LineId;
use crate::model::verdicts::facts::LineFacts;
use crate::model::verdicts::words::{about, count, counted};
use crate::model::view::Severity;

/// Evaluations at new moments in which a line must be apart, for at least so many seconds.
const APART: (u32, f64) = (3, 5.0);
/// Evaluations in which it must meet again.
const MEETING: u32 = 2;

fn apart(line: &LineFacts) -> bool {
    line.apart >= APART.0 && line.apart_s >= APART.1
}

/// What a line's difference means when the left side is more than the right one, where that
/// means that something is lost.
fn lost(line: &LineFacts) -> Option<(String, &'static str)> {
    let number = line.difference;
    match line.line {
        LineId::Stored if number > 0.0 => Some((
            format!(
                "{} are not in the stream",
                counted(number, "confirmed webhook", "confirmed webhooks")
            ),
            "stop deploys of the gateway, keep the stream as it is, and compare PubAcks with last_seq",
        )),
        LineId::Left if number > 0.0 => Some((
            format!(
                "{} left the stream, and no worker acked them",
                counted(number, "webhook", "webhooks")
            ),
            "find who deletes or purges; ask the providers to send that time again",
        )),
        _ => None,
    }
}

/// Never clears by itself: what is lost stays lost until somebody has acknowledged it.
pub(super) fn loss(facts: &Facts) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for line in facts.lines.iter().filter(|line| apart(line)) {
        let Some((text, next)) = lost(line) else { continue };
        out.push(Finding::new(Some(line.line.key().into()), Stage::Trigger, || {
            Words::new(Severity::Critical, text)
                .amount(line.difference)
                .because(format!(
                    "ledger line {} is apart by {}",
                    line.line.key(),
                    count(line.difference)
                ))
                .because(format!("for {}, and not getting smaller", about(line.apart_s)))
                .next(next)
        }));
    }
    for stream in facts
        .streams
        .iter()
        .filter(|stream| stream.followed && stream.evicted > 0.0)
    {
        out.push(Finding::new(Some("evicted".into()), Stage::Trigger, || {
            Words::new(
                Severity::Critical,
                format!(
                    "{} evicted from {}",
                    counted(stream.evicted, "webhook was", "webhooks were"),
                    stream.name
                ),
            )
            .amount(stream.evicted)
            .because("at least so many were never delivered, and nobody deleted them by hand")
            .next("ask the providers to send that time again, and raise the limit")
        }));
    }
    out.extend(facts.replaced.iter().map(|(stream, back)| {
        Finding::new(Some(stream.clone()), Stage::Trigger, || match back {
            Some(by) => Words::new(
                Severity::Critical,
                format!(
                    "Stream {stream} went back by {}",
                    counted(*by as f64, "message", "messages")
                ),
            )
            .because("its last sequence fell: what was stored and confirmed is gone")
            .next("ask the providers to send that time again"),
            None => Words::new(Severity::Critical, format!("Stream {stream} was created anew"))
                .because("what waited in the old one is gone")
                .next("find who deleted it; ask the providers to send that time again"),
        })
    }));
    out
}

pub(super) fn sources_disagree(facts: &Facts) -> Vec<Finding> {
    let lines = facts.lines.iter().map(|line| {
        // What is lost says so itself.
        let stage = stage(apart(line) && lost(line).is_none(), line.meeting >= MEETING);
        Finding::new(Some(line.line.key().into()), stage, || {
            let (more, less) = contradiction(line);
            Words::new(
                Severity::Warning,
                format!("{more} say {} more than {less}", count(line.difference)),
            )
            .because(format!("ledger line {}, for {}", line.line.key(), about(line.apart_s)))
            .next("one of them counts wrong, or somebody works outside of what is watched")
        })
    });
    let depths = facts.depths.iter().map(|depth| {
        Finding::new(Some(depth.by.clone()), Stage::Trigger, || {
            Words::new(
                Severity::Info,
                format!(
                    "{} says a queue depth of {}, NATS says {}",
                    depth.by,
                    count(depth.says),
                    count(depth.backlog.1)
                ),
            )
            .because("the last 10 s of NATS's backlog do not hold it")
            .next("believe NATS; the gauge may be frozen, or measure something else")
        })
    });
    lines.chain(depths).collect()
}

/// Who says more, and who less.
fn contradiction(line: &LineFacts) -> (&'static str, &'static str) {
    let (left, right) = match line.line {
        LineId::Received => ("arrivals at the gateway", "what became of them"),
        LineId::Stored => ("the gateway's PubAcks", "the stream"),
        LineId::Left => ("what left the stream", "the workers' acks"),
        LineId::Acked => ("the workers' acks", "processed and dead letters"),
        LineId::Written => ("the workers", "Postgres"),
        LineId::Total => ("what left the stream", "rows and dead letters"),
    };
    if line.difference > 0.0 {
        (left, right)
    } else {
        (right, left)
    }
}
