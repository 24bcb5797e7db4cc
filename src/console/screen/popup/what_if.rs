//! What if: how many workers would drain the backlog in time, and how long would so many take.

use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::sheet::Sheet;
use crate::base::text;
use crate::console::theme::Role;
use crate::console::widget::{Line, figure, span};
use crate::model::field::Unit;
use crate::model::{WorkerState, whatif};

/// Times to drain it in that can be chosen, minutes.
pub const MINUTES: [u32; 8] = [1, 2, 5, 10, 15, 30, 60, 240];

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, minutes: u32) {
    let sheet = Sheet {
        title: "What if",
        note: "+/- the time, esc closes",
        width: 68,
        first: 0,
    };
    sheet.draw(stage, body, &lines(scene, minutes));
}

fn lines(scene: &Scene<'_>, minutes: u32) -> Vec<Line<'static>> {
    let flow = &scene.view.flow;
    let rates: Vec<f64> = scene
        .view
        .workers
        .iter()
        .filter(|worker| worker.state == WorkerState::Up)
        .filter_map(|worker| worker.rate_per_s.value)
        .collect();
    let workers = rates.len() as u64;
    let mean = if rates.is_empty() {
        f64::NAN
    } else {
        rates.iter().sum::<f64>() / rates.len() as f64
    };
    let ingest = [&flow.stored_per_s, &flow.queued_per_s, &flow.received_per_s]
        .into_iter()
        .find(|reading| reading.value.is_some())
        .unwrap_or(&flow.stored_per_s);
    let known = if mean.is_nan() { Role::Unknown } else { Role::Strong };
    let mut lines = vec![
        fact("backlog", figure::figure(&flow.backlog, Unit::Count, Role::Strong)),
        fact("arrives", figure::figure(ingest, Unit::PerSecond, Role::Strong)),
        fact("workers up", text_line(text::count(workers), Role::Strong)),
        fact("each works at", text_line(Unit::PerSecond.format(mean), known)),
        Line::new(),
    ];
    let (Some(backlog), Some(ingest)) = (flow.backlog.value, ingest.value) else {
        let said = "Backlog or ingest is not known: nothing can be said.";
        lines.push(text_line(said.to_owned(), Role::Dim));
        return lines;
    };
    let within = Duration::from_secs(u64::from(minutes) * 60);
    let needed = whatif::workers_to_drain(backlog, ingest, mean, within);
    let asked = format!("empty within {} takes", whole(within));
    lines.push(fact_long(&asked, answer(needed, workers)));
    lines.push(Line::new());
    // What some more or fewer would do, so that the answer is no oracle.
    let around = needed.unwrap_or(workers).max(workers);
    let mut counts: Vec<u64> = [workers, workers + 1, workers + 2, around, around * 2].into();
    counts.sort_unstable();
    counts.dedup();
    counts.retain(|count| *count > 0 && mean.is_finite());
    lines.extend(counts.into_iter().map(|count| {
        let time = whatif::time_to_drain(backlog, ingest, mean, count);
        fact_long(&format!("{} workers", text::count(count)), drained(time))
    }));
    lines.push(Line::new());
    let limit = flow.limit.clone().unwrap_or_else(|| "the next limit".to_owned());
    let mut last = figure::forecast(&flow.limit_eta_s, Role::Strong);
    last.push(span(format!("  until {limit}"), Role::Dim));
    lines.push(fact("as it is", last));
    lines
}

/// How many workers it takes, and how that compares with those that are up.
fn answer(needed: Option<u64>, workers: u64) -> Line<'static> {
    let Some(needed) = needed else {
        let said = "No worker gets anything done: nothing can be said.";
        return text_line(said.to_owned(), Role::Dim);
    };
    let change = match needed.cmp(&workers) {
        std::cmp::Ordering::Less => format!(", {} fewer than now", workers - needed),
        std::cmp::Ordering::Equal => ", as many as now".to_owned(),
        std::cmp::Ordering::Greater => format!(", {} more than now", needed - workers),
    };
    let role = if needed > workers { Role::Warning } else { Role::Ok };
    vec![
        span(format!("{} workers", text::count(needed)), role).strong(),
        span(change, Role::Text),
    ]
}

/// When the backlog is gone; `None`: never.
fn drained(time: Option<Duration>) -> Line<'static> {
    match time {
        Some(time) => text_line(
            format!("empty in {}", whole(Duration::from_secs(time.as_secs()))),
            Role::Text,
        ),
        None => text_line("never: slower than what arrives".to_owned(), Role::Warning),
    }
}

fn text_line(text: String, role: Role) -> Line<'static> {
    vec![span(text, role)]
}

fn fact(label: &'static str, rest: Line<'static>) -> Line<'static> {
    let mut line = vec![span(format!("{label:<22}"), Role::Dim)];
    line.extend(rest);
    line
}

fn fact_long(label: &str, rest: Line<'static>) -> Line<'static> {
    let mut line = vec![span(format!("{label:<28}"), Role::Dim)];
    line.extend(rest);
    line
}

fn whole(time: Duration) -> String {
    text::duration(time).replace(" 00 s", "").replace(" 00 min", "")
}
