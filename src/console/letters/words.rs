//! What is said of a plan and of a replay.

use std::time::Duration;

use crate::act::journal::Purpose;
use crate::act::plan::{LeftOut, Plan, PlannedTarget};
use crate::act::replay::Progress;
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::tidy;

/// Subjects that a question names.
const NAMED: usize = 3;

fn capital(verb: &str) -> String {
    let mut letters = verb.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) fn title(plan: &Plan) -> String {
    let noun = if plan.count == 1 { "letter" } else { "letters" };
    format!(
        "{} {} {noun}",
        capital(plan.how.purpose.name()),
        text::count(plan.count)
    )
}

/// What is said of a plan: a label, a text and what it means.
type Row = (String, String, Role);

fn row(label: &str, text: String, role: Role) -> Row {
    (label.to_owned(), text, role)
}

/// What a plan says.
pub(in crate::console) fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = plan.targets.iter().map(|target| goes_to(target, plan)).collect();
    if let Some(url) = &plan.to_url {
        rows.push(row("goes to", tidy(url, 200).into_owned(), Role::Strong));
    }
    let letters = format!("{}, {}", text::safe(&plan.filter), text::bytes(plan.bytes));
    rows.push(row("letters", letters, Role::Text));
    rows.push(row("headers", headers(plan), Role::Text));
    if plan.how.purpose == Purpose::Replay {
        rows.push(row("takes", takes(plan), Role::Text));
    }
    let LeftOut {
        orphaned,
        replayed_before,
        beyond_max,
        later,
    } = plan.left_out;
    let left_out = [
        (orphaned, "acked before a server crash"),
        (replayed_before, "replayed before and back after a crash"),
        (beyond_max, "beyond the limit"),
        (later, "arrived later"),
    ];
    for (count, why) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        rows.push(row("left out", format!("{} {why}", text::count(count)), Role::Warning));
    }
    let risks = plan.risks.iter().map(|risk| text::safe(risk).into_owned());
    rows.extend(risks.map(|risk| row("risk", risk, Role::Warning)));
    let frozen = "Letters that die from now on are not in it. Every step is journalled.";
    rows.push(row("", frozen.to_owned(), Role::Dim));
    rows
}

/// A stream that letters go to, and under which subjects.
fn goes_to(target: &PlannedTarget, plan: &Plan) -> Row {
    let subjects: Vec<String> = target.subjects.iter().map(|name| tidy(name, 60).into_owned()).collect();
    let more = match subjects.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", text::count(more as u64)),
    };
    let named = subjects[..subjects.len().min(NAMED)].join(", ");
    let count = if plan.targets.len() > 1 {
        format!("{} to ", text::count(target.letters))
    } else {
        String::new()
    };
    let stream = tidy(&target.stream, 60);
    row("goes to", format!("{count}{stream}: {named}{more}"), Role::Text)
}

/// What becomes of the headers.
fn headers(plan: &Plan) -> String {
    let stripped: Vec<String> = plan.stripped.iter().map(|name| tidy(name, 40).into_owned()).collect();
    let stripped = match stripped.len() {
        0 => "none stripped".to_owned(),
        1..=4 => format!("stripped {}", stripped.join(", ")),
        many => format!("{many} of the dead letter stream stripped"),
    };
    format!("{} kept byte for byte, {stripped}, new Nats-Msg-Id", plan.kept.len())
}

/// How long it takes, and what is watched meanwhile.
fn takes(plan: &Plan) -> String {
    let to_gateway = plan.to_url.is_some();
    let until = if to_gateway {
        "stops if the gateway refuses the first"
    } else {
        "stops if they die again"
    };
    match (plan.count, plan.canary) {
        (1, _) if to_gateway => "sent, and its answer awaited".to_owned(),
        (1, 0) => "sent, and not followed".to_owned(),
        (1, _) => "sent, and followed to its end".to_owned(),
        (_, canary) => {
            let estimate = plan.estimate_s.and_then(|s| Duration::try_from_secs_f64(s).ok());
            let estimate = estimate.filter(|takes| *takes >= Duration::from_secs(1));
            let estimate = estimate.map(|takes| format!(", about {}", text::duration(takes)));
            let canary = match canary {
                0 => String::new(),
                canary => format!("canary {}, then ", text::count(canary)),
            };
            format!("{canary}{}{}; {until}", pace(plan.rate), estimate.unwrap_or_default())
        }
    }
}

/// How a rate is said.
pub(in crate::console) fn pace(rate: Option<f64>) -> String {
    rate.map_or_else(
        || "as fast as it goes".to_owned(),
        |rate| format!("at {}/s", text::per_second(rate)),
    )
}

/// The share of a replay's letters that are settled, 0 to 1.
pub(in crate::console) fn share(progress: &Progress) -> f64 {
    let counts = &progress.counts;
    let settled = counts.landed + counts.refused + counts.in_doubt + counts.kept + counts.gone;
    if counts.selected == 0 {
        0.0
    } else {
        settled as f64 / counts.selected as f64
    }
}
