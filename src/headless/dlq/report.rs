//! What a plan and a replay look like as text.

use std::io::{self, Write};
use std::time::Duration;

use crate::act::journal::Counts;
use crate::act::plan::Plan;
use crate::act::replay::{Ending, Phase, Progress, Report};
use crate::base::text;

/// Counts in one line; what is 0 is left out, except what was published.
pub(super) fn counts(counts: &Counts) -> String {
    let mut line = format!(
        "{} of {} published",
        text::count(counts.landed),
        text::count(counts.selected)
    );
    for (count, what) in [
        (counts.landed - counts.deleted, "still to be deleted"),
        (counts.refused, "refused"),
        (counts.in_doubt, "in doubt"),
        (counts.sent, "in limbo"),
        (counts.gone, "gone before"),
        (counts.kept, "kept"),
        (counts.waiting, "not sent"),
    ] {
        if count > 0 {
            line.push_str(", ");
            line.push_str(&text::count(count));
            line.push(' ');
            line.push_str(what);
        }
    }
    line
}

/// The plan, for a person to confirm.
pub(super) fn plan(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let names = |names: &std::collections::BTreeSet<std::sync::Arc<str>>| {
        let names: Vec<_> = names.iter().map(|name| text::safe(name).into_owned()).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    writeln!(
        out,
        "{} of {} ({}), {}",
        text::counted(plan.count, "letter", "letters"),
        text::safe(&plan.dlq),
        text::safe(&plan.filter),
        text::bytes(plan.bytes)
    )?;
    for target in &plan.targets {
        writeln!(
            out,
            "  {} to {}: {}",
            text::count(target.letters),
            text::safe(&target.stream),
            text::cut(&names(&target.subjects), 200)
        )?;
    }
    if let Some(url) = &plan.to_url {
        writeln!(out, "  to the gateway {}", text::safe(url))?;
    }
    for line in &plan.diff {
        writeln!(out, "  | {line}")?;
    }
    writeln!(out, "  headers kept: {}", names(&plan.kept))?;
    writeln!(out, "  headers stripped: {}", names(&plan.stripped))?;
    let out_of = plan.left_out;
    for (count, why) in [
        (out_of.orphaned, "perhaps acked before a server crash"),
        (out_of.replayed_before, "replayed before and back after a crash"),
        (out_of.beyond_max, "beyond --max"),
        (out_of.later, "arrived later"),
    ] {
        if count > 0 {
            writeln!(out, "  left out: {} {why}", text::count(count))?;
        }
    }
    let rate = plan.rate.map_or_else(
        || "as fast as it goes".to_owned(),
        |rate| format!("{}/s", text::per_second(rate)),
    );
    let takes = plan
        .estimate_s
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let takes = takes.map(|takes| format!(", about {}", text::duration(takes)));
    writeln!(
        out,
        "  {} first, then {rate}{}",
        text::count(plan.canary),
        takes.unwrap_or_default()
    )?;
    for risk in &plan.risks {
        writeln!(out, "  risk: {risk}")?;
    }
    Ok(())
}

/// One line of a replay under way.
pub(super) fn standing(progress: &Progress) -> String {
    let phase = match progress.phase {
        Phase::Starting => "starting",
        Phase::Limbo => "looking what was sent",
        Phase::Canary => "canary",
        Phase::Sending => "sending",
        Phase::Following => "following",
        Phase::Verifying => "verifying",
        Phase::Paused => "paused",
        Phase::Ended => "ended",
    };
    format!(
        "{phase}  {}  processed {}  died again {}",
        counts(&progress.counts),
        text::count(progress.fates.processed),
        text::count(progress.fates.died_again)
    )
}

/// The report.
pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let ending = match report.ending {
        Ending::Done => "done",
        Ending::Partial => "done in part",
        Ending::Stopped => "stopped by itself",
        Ending::Cancelled => "cancelled",
    };
    let why = report.why.as_deref().map(|why| format!(": {}", text::safe(why)));
    writeln!(out, "{ending}{}", why.unwrap_or_default())?;
    writeln!(out, "  {}", counts(&report.counts))?;
    writeln!(
        out,
        "  processed {}, died again {}, not seen to end {}",
        text::count(report.fates.processed),
        text::count(report.fates.died_again),
        text::count(report.fates.undecided)
    )?;
    if report.came_back > 0 {
        writeln!(
            out,
            "  {} again that had come back",
            text::counted(report.came_back, "letter deleted", "letters deleted")
        )?;
    }
    for remark in &report.refused {
        writeln!(out, "  refused {}: {}", remark.letter, text::safe(&remark.reason))?;
    }
    for remark in &report.in_doubt {
        writeln!(out, "  in doubt {}: {}", remark.letter, text::safe(&remark.reason))?;
    }
    if !report.in_doubt.is_empty() {
        writeln!(out, "  → settle them with --resume --in-doubt resend|keep|drop")?;
    }
    Ok(())
}
