//! An incident report in Markdown: what was wrong from when to when, what happened, what was
//! done, and whether anything was lost.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::plot::Plot;
use super::svg::append;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::model::field::Field;
use crate::model::{Health, Ledger, Severity};

/// A verdict that was raised.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// The rule's id.
    pub id: Arc<str>,
    /// What it is about.
    pub subject: Option<Arc<str>>,
    /// How bad it was at worst.
    pub severity: Severity,
    /// From when.
    pub from: Timestamp,
    /// Until when; `None`: it held at the end.
    pub to: Option<Timestamp>,
    /// What it said last.
    pub text: String,
    /// What it rested on then.
    pub evidence: Vec<String>,
    /// What to do, as it said then.
    pub next: String,
    /// Where it is said how to deal with it.
    pub runbook: Option<Arc<str>>,
}

/// What a line of the timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The model told it.
    Event(Severity),
    /// Somebody marked the moment.
    Marker,
    /// Somebody did something.
    Action,
    /// Something is missing.
    Gap,
    /// A session begins.
    Session,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// In a few words: a stranger's text may be in it.
    pub text: String,
    /// More, or empty.
    pub detail: String,
}

/// A source over the part of the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStory {
    /// Its kind and name.
    pub name: String,
    /// How it was at worst, and why.
    pub worst: (Health, Option<String>),
    /// How it was at the end.
    pub last: Health,
}

/// Everything that a report tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The profile.
    pub profile: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// How its sources were.
    pub sources: Vec<SourceStory>,
    /// Figures: name, lowest, highest, and the last one known.
    pub figures: Vec<(Field, f64, f64, f64)>,
    /// Verdicts in the order in which they were raised.
    pub verdicts: Vec<Raised>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// The ledger at the end.
    pub ledger: Ledger,
    /// What is missing in the recording.
    pub missing: Vec<String>,
    /// The charts.
    pub charts: Vec<Plot>,
}

/// Lines of a timeline at most: who needs more exports JSON.
const LINES: usize = 500;

impl Story {
    /// As Markdown. `pictures` are the addresses of the charts, in their order.
    #[must_use]
    pub fn markdown(&self, pictures: &[String]) -> String {
        let mut page = Page::default();
        self.head(&mut page);
        if !pictures.is_empty() {
            page.heading("Charts");
            for (chart, picture) in self.charts.iter().zip(pictures) {
                page.paragraph(&format!("![{}](<{picture}>)", chart.title));
            }
        }
        self.verdicts(&mut page);
        self.timeline(&mut page);
        self.actions(&mut page);
        self.ledger(&mut page);
        page.0
    }

    fn head(&self, page: &mut Page) {
        page.line(&format!("# Incident report: {}", escape(&self.profile)));
        page.paragraph(&format!(
            "{} to {} UTC, {}. Made by hookwatch {} from a recording.",
            time(self.from),
            time(self.to),
            span(self.from, self.to),
            env!("CARGO_PKG_VERSION")
        ));
        page.heading("Summary");
        page.paragraph(&self.worst());
        for missing in &self.missing {
            page.item(&format!("Missing in the recording: {}", escape(missing)));
        }
        page.table(
            &["source", "at worst", "at the end", "why"],
            &[Left, Left, Left, Left],
            self.sources.iter().map(|source| {
                let why = source.worst.1.as_deref().unwrap_or_default();
                vec![
                    escape(&source.name),
                    health(source.worst.0).to_owned(),
                    health(source.last).to_owned(),
                    escape(why),
                ]
            }),
        );
        page.table(
            &["figure", "lowest", "highest", "at the end"],
            &[Left, Right, Right, Right],
            self.figures.iter().map(|(field, least, most, last)| {
                let values = [least, most, last].map(|value| plain(*value));
                std::iter::once(escape(field.key())).chain(values).collect()
            }),
        );
    }

    /// The worst that was, in one sentence.
    fn worst(&self) -> String {
        // Of equally bad ones the one that held longest.
        let held = |raised: &Raised| raised.to.unwrap_or(self.to).as_nanosecond() - raised.from.as_nanosecond();
        let worst = self
            .verdicts
            .iter()
            .max_by_key(|raised| (raised.severity, held(raised)));
        match worst {
            None => "No verdict was raised.".to_owned(),
            Some(raised) => format!(
                "{} {}: **{}** (`{}`), {}.",
                if self.verdicts.len() == 1 {
                    "One verdict,"
                } else {
                    "Worst verdict,"
                },
                raised.severity.word(),
                escape(&raised.text),
                raised.id,
                self.held(raised)
            ),
        }
    }

    fn held(&self, raised: &Raised) -> String {
        match raised.to {
            Some(to) => format!("{} to {}, {}", clock(raised.from), clock(to), span(raised.from, to)),
            None => format!("from {} to the end, {}", clock(raised.from), span(raised.from, self.to)),
        }
    }

    fn verdicts(&self, page: &mut Page) {
        page.heading("Verdicts");
        if self.verdicts.is_empty() {
            page.paragraph("None.");
        }
        for raised in &self.verdicts {
            let about = raised.subject.as_deref().map(|of| format!(", {}", escape(of)));
            page.line(&format!("\n### {}{}", raised.id, about.unwrap_or_default()));
            page.paragraph(&format!(
                "{}, {}: {}",
                raised.severity.word(),
                self.held(raised),
                escape(&raised.text)
            ));
            for evidence in &raised.evidence {
                page.item(&escape(evidence));
            }
            if !raised.next.is_empty() {
                page.item(&format!("Next: {}", escape(&raised.next)));
            }
            if let Some(runbook) = &raised.runbook {
                page.item(&format!("Runbook: {}", escape(runbook)));
            }
        }
    }

    fn timeline(&self, page: &mut Page) {
        page.heading("Timeline");
        let left_out = self.timeline.len().saturating_sub(LINES);
        let mut lines: Vec<&Entry> = self.timeline.iter().collect();
        if left_out > 0 {
            // What is only good to know goes first.
            let mut spare = left_out;
            lines.retain(|entry| {
                let dull = entry.kind == Kind::Event(Severity::Info) && spare > 0;
                spare -= usize::from(dull);
                !dull
            });
            lines.truncate(LINES);
            page.paragraph(&format!(
                "{} lines are left out.",
                text::count((self.timeline.len() - lines.len()) as u64)
            ));
        }
        page.table(
            &["time (UTC)", "what", "", "more"],
            &[Left, Left, Left, Left],
            lines.into_iter().map(|entry| {
                let kind = match entry.kind {
                    Kind::Event(of) => of.word(),
                    Kind::Marker => "marker",
                    Kind::Action => "action",
                    Kind::Gap => "gap",
                    Kind::Session => "session",
                };
                vec![
                    clock(entry.at),
                    kind.to_owned(),
                    escape(&entry.text),
                    escape(&entry.detail),
                ]
            }),
        );
    }

    fn actions(&self, page: &mut Page) {
        page.heading("Actions taken");
        let actions: Vec<&Entry> = self
            .timeline
            .iter()
            .filter(|entry| entry.kind == Kind::Action)
            .collect();
        if actions.is_empty() {
            page.paragraph("None were recorded.");
        }
        for entry in actions {
            let more = if entry.detail.is_empty() { "" } else { ": " };
            page.item(&format!(
                "{} {}{more}{}",
                clock(entry.at),
                escape(&entry.text),
                escape(&entry.detail)
            ));
        }
    }

    fn ledger(&self, page: &mut Page) {
        page.heading("Ledger at the end");
        let Some(since) = self.ledger.since else {
            page.paragraph("Not every counter was read: nothing can be said.");
            return;
        };
        let answer = match self.ledger.balanced() {
            Some(true) => "Balanced: nothing lost, nothing doubled.",
            Some(false) => "**Not balanced**: see the line below.",
            None => "No line could be checked.",
        };
        page.paragraph(&format!("{answer} Counted since {}.", clock(since)));
        page.table(
            &["line", "left", "right", "difference", "tolerance", ""],
            &[Left, Right, Right, Right, Right, Left],
            self.ledger.lines.iter().map(|line| {
                let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), plain);
                let verdict = match line.balanced {
                    Some(true) => "balanced",
                    Some(false) => "**not balanced**",
                    None => "unchecked",
                };
                vec![
                    escape(&line.left_label),
                    figure(line.left),
                    figure(line.right),
                    figure(line.difference),
                    figure(line.tolerance),
                    verdict.to_owned(),
                ]
            }),
        );
    }
}

/// Where the text of a column stands.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

use Align::{Left, Right};

/// A page of Markdown: blank lines where the format wants them.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn heading(&mut self, text: &str) {
        append(&mut self.0, format_args!("\n## {text}\n"));
    }

    fn paragraph(&mut self, text: &str) {
        append(&mut self.0, format_args!("\n{text}\n"));
    }

    fn item(&mut self, text: &str) {
        let first = !self.0.lines().next_back().is_some_and(|line| line.starts_with("- "));
        append(&mut self.0, format_args!("{}- {text}\n", if first { "\n" } else { "" }));
    }

    fn table(&mut self, heads: &[&str], align: &[Align], rows: impl Iterator<Item = Vec<String>>) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        append(&mut self.0, format_args!("\n| {} |\n|", heads.join(" | ")));
        for align in align {
            self.0.push_str(match align {
                Left => "---|",
                Right => "---:|",
            });
        }
        self.0.push('\n');
        for row in rows {
            append(&mut self.0, format_args!("| {} |\n", row.join(" | ")));
        }
    }
}

/// A stranger's text as Markdown that shows just it: no link, no markup, no HTML, no new line.
fn escape(stranger: &str) -> String {
    let mut out = String::with_capacity(stranger.len());
    for c in text::safe(stranger).chars() {
        // With a backslash before it any ASCII punctuation is itself (CommonMark §2.4). The colon
        // and the dot keep `http:` and `www.` from becoming links, the at sign people.
        if matches!(
            c,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '!'
                | '|'
                | '~'
                | '&'
                | '@'
                | '$'
                | '^'
                | '='
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out.replace("://", "\\://").replace("www.", "www\\.")
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second().saturating_sub(from.as_second());
    text::duration(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// A figure in SI units with at most three places.
fn plain(value: f64) -> String {
    let mut out = String::new();
    let written = write!(out, "{value:.3}");
    debug_assert!(written.is_ok(), "writing to a String does not fail");
    let short = out.trim_end_matches('0').trim_end_matches('.');
    short.to_owned()
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Stale => "stale",
        Health::Failing => "failing",
        Health::Connecting => "connecting",
        Health::Off => "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_text() {
        for (hostile, shown) in [
            ("a|b", "a\\|b"),
            ("[x](http://evil)", "\\[x\\](http\\://evil)"),
            ("<img src=x>", "\\<img src\\=x\\>"),
            ("**bold** `code`", "\\*\\*bold\\*\\* \\`code\\`"),
            ("one\n# two", "one\\\\n\\# two"),
            ("\u{1b}[31m", "\\\\x1b\\[31m"),
            ("see www.evil.example @all", "see www\\.evil.example \\@all"),
        ] {
            assert_eq!(escape(hostile), shown);
        }
    }

    #[test]
    fn figures_are_short_and_exact() {
        for (value, shown) in [(0.0, "0"), (12.5, "12.5"), (1_200.0, "1200"), (0.0416, "0.042")] {
            assert_eq!(plain(value), shown);
        }
    }
}
