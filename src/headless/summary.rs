//! `hookwatch snapshot` for a person: calm, aligned text without colours.

use crate::base::text::{self, UNKNOWN, safe};
use crate::model::field::{Unit, show};
use crate::model::{
    Flow, Health, LedgerLine, Provider, Queue, QueueState, Severity, SourceView, View, Worker, WorkerState,
};

/// Rows of a section that are shown; the rest is counted.
const ROWS: usize = 20;

/// What is known at one moment, as text. Ends in a line break.
#[must_use]
pub fn summary(view: &View) -> String {
    let mut page = Page::default();
    let at = view.now.at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let window = if view.window_s > 0.0 {
        format!("rates over {}", Unit::Seconds.format(view.window_s))
    } else {
        "no rates yet".to_owned()
    };
    page.line(&format!("{} at {at}, {window}", safe(&view.profile)));
    page.section("Sources", sources(view).into_iter().map(source).collect());
    for (panel, problem) in &view.panels_off {
        page.line(&format!("  ▲ {}: {}", panel.relation(), safe(problem)));
    }
    page.section("Flow", flow(&view.flow));
    page.section("Providers", view.providers.iter().map(provider).collect());
    page.section("Queues", view.queues.iter().map(queue).collect());
    page.section("Workers", view.workers.iter().map(worker).collect());
    page.section("Ledger", view.ledger.lines.iter().map(ledger).collect());
    verdicts(view, &mut page);
    page.out
}

/// Text under construction.
#[derive(Default)]
struct Page {
    out: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A titled table with aligned columns, unless it is empty.
    fn section(&mut self, title: &str, mut rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let more = rows.len().saturating_sub(ROWS);
        rows.truncate(ROWS);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> = (0..columns)
            .map(|column| cells(column).map(|cell| text::width(cell)).max().unwrap_or(0))
            .collect();
        self.line("");
        self.line(title);
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str("  ");
                line.push_str(cell);
                line.push_str(&" ".repeat(width.saturating_sub(text::width(cell))));
            }
            self.line(&line);
        }
        if more > 0 {
            self.line(&format!("  and {more} more"));
        }
    }
}

/// The sources in their order; where not all of them find room, first those with something to say.
fn sources(view: &View) -> Vec<&SourceView> {
    let mut sources: Vec<&SourceView> = view.sources.iter().collect();
    if sources.len() > ROWS {
        sources.sort_by_key(|source| match source.state {
            Health::Failing => 0,
            Health::Stale => 1,
            Health::Connecting => 2,
            Health::Ok | Health::Off => 3,
        });
    }
    sources
}

fn source(source: &SourceView) -> Vec<String> {
    let (glyph, word) = match source.state {
        Health::Ok => ("●", "ok"),
        Health::Stale => ("◐", "stale"),
        Health::Failing => ("✗", "failing"),
        Health::Connecting => ("○", "connecting"),
        Health::Off => ("–", "off"),
    };
    let said = match (&source.error, source.age) {
        (Some(error), _) => safe(error).into_owned(),
        (None, Some(age)) if source.state != Health::Ok => format!("last answer {} ago", text::duration(age)),
        _ => String::new(),
    };
    vec![
        format!("{glyph} {}", safe(&source.id.name)),
        word.to_owned(),
        source.latency.map_or(UNKNOWN.to_owned(), text::duration),
        said,
    ]
}

fn flow(flow: &Flow) -> Vec<Vec<String>> {
    let rows = [
        ("received", &flow.received_per_s, Unit::PerSecond),
        ("queued", &flow.queued_per_s, Unit::PerSecond),
        ("stored", &flow.stored_per_s, Unit::PerSecond),
        ("processed", &flow.processed_per_s, Unit::PerSecond),
        ("written", &flow.written_per_s, Unit::PerSecond),
        ("backlog", &flow.backlog, Unit::Count),
        ("oldest waiting", &flow.oldest_waiting_s, Unit::Seconds),
        ("drained in", &flow.drain_eta_s, Unit::Seconds),
        ("dead letters", &flow.dead, Unit::Count),
    ];
    rows.into_iter()
        .map(|(name, reading, unit)| {
            let mark = if reading.is_stale() { "stale" } else { "" };
            vec![name.to_owned(), show(reading, unit), mark.to_owned()]
        })
        .collect()
}

fn provider(provider: &Provider) -> Vec<String> {
    vec![
        safe(&provider.name).into_owned(),
        show(&provider.received_per_s, Unit::PerSecond),
        format!("errors {}", show(&provider.error_ratio, Unit::Ratio)),
        format!("p99 {}", show(&provider.response_p99_s, Unit::Seconds)),
    ]
}

fn queue(queue: &Queue) -> Vec<String> {
    let name = match &queue.consumer {
        Some(consumer) => format!("{} ▸ {}", safe(&queue.stream), safe(consumer)),
        None => safe(&queue.stream).into_owned(),
    };
    let state = match queue.state {
        QueueState::Idle => "idle",
        QueueState::Draining => "draining",
        QueueState::Growing => "growing",
        QueueState::Stalled => "stalled",
        QueueState::Saturated => "saturated",
        QueueState::NoWorkers => "no workers",
        QueueState::Paused => "paused",
        QueueState::Missing => "missing",
        QueueState::Unknown => UNKNOWN,
    };
    vec![
        name,
        state.to_owned(),
        format!("messages {}", show(&queue.messages, Unit::Count)),
        format!("pending {}", show(&queue.pending, Unit::Count)),
        format!("in flight {}", show(&queue.ack_pending, Unit::Count)),
        format!("oldest {}", show(&queue.oldest_age_s, Unit::Seconds)),
    ]
}

fn worker(worker: &Worker) -> Vec<String> {
    let (glyph, word) = match worker.state {
        WorkerState::Up => ("●", "up"),
        WorkerState::Stale => ("◐", "stale"),
        WorkerState::Down => ("✗", "down"),
    };
    vec![
        format!("{glyph} {}", safe(&worker.name)),
        word.to_owned(),
        show(&worker.rate_per_s, Unit::PerSecond),
        format!("seen {} ago", show(&worker.last_seen_s, Unit::Seconds)),
    ]
}

fn ledger(line: &LedgerLine) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or(UNKNOWN.to_owned(), |value| Unit::Count.format(value));
    let verdict = match line.balanced {
        Some(true) => "✓ balances".to_owned(),
        Some(false) => format!("✗ off by {}", number(line.difference)),
        None => "unchecked".to_owned(),
    };
    let terms: Vec<String> = line
        .terms
        .iter()
        .map(|(name, value)| format!("{} {}", safe(name), number(*value)))
        .collect();
    vec![
        format!("{} {}", safe(&line.left_label), number(line.left)),
        verdict,
        format!("= {}", terms.join(" + ")),
    ]
}

fn verdicts(view: &View, page: &mut Page) {
    if view.verdicts.is_empty() {
        return;
    }
    page.line("");
    page.line("Verdicts");
    for verdict in &view.verdicts {
        let word = match verdict.severity {
            Severity::Info => "· info",
            Severity::Warning => "▲ warning",
            Severity::Critical => "✗ critical",
        };
        page.line(&format!("  {word}  {}", safe(&verdict.text)));
        for fact in &verdict.evidence {
            page.line(&format!("      {}", safe(fact)));
        }
        if !verdict.next.is_empty() {
            page.line(&format!("      → {}", safe(&verdict.next)));
        }
    }
}
