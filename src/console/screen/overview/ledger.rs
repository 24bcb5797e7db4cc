//! Did we lose any? The first thing to look at when somebody asks.

use ratatui::layout::Rect;

use super::super::{PanelId, Scene, Stage};
use crate::base::text;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, span, tidy};
use crate::model::{Ledger, LedgerLine};

/// Draws the panel.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, id: PanelId) {
    let ledger = &scene.view.ledger;
    let note = match ledger.since {
        Some(since) => vec![span(
            format!("since {}", scene.zone().minute(since, scene.view.now.at)),
            Role::Note,
        )],
        None => Line::new(),
    };
    let inner = stage.panel(
        scene,
        id,
        area,
        Frame {
            title: "Ledger",
            note,
            ..Frame::default()
        },
    );
    let glyphs = stage.canvas.glyphs();
    let sentence = sentence(ledger, glyphs, usize::from(inner.width));
    if area.height < 3 {
        stage.canvas.line(inner.left(), inner.top(), inner.width, &sentence);
        return;
    }
    if ledger.lines.is_empty() {
        stage.hint(inner, "Counts begin when every counter has been read once.");
        return;
    }
    let roomy = usize::from(inner.height) > 2 * ledger.lines.len();
    let zoomed = scene.ui.zoomed() == Some(id);
    let columns = Columns::of(ledger, usize::from(inner.width));
    let mut lines = Vec::new();
    for line in &ledger.lines {
        lines.push(head(line, glyphs, &columns));
        if roomy || zoomed {
            lines.push(terms(line, usize::from(inner.width)));
        }
    }
    // The answer stands at the bottom whatever is scrolled above it.
    let above = Rect {
        height: inner.height.saturating_sub(1),
        ..inner
    };
    stage.lines(scene, id, area, above, &lines);
    stage
        .canvas
        .line(inner.left(), inner.bottom() - 1, inner.width, &sentence);
}

/// How wide the columns are: as wide as what stands in them.
struct Columns {
    label: usize,
    value: usize,
    difference: usize,
}

impl Columns {
    fn of(ledger: &Ledger, width: usize) -> Self {
        let most = width / 2;
        let widest = |text: &dyn Fn(&LedgerLine) -> String| {
            ledger
                .lines
                .iter()
                .map(|line| text::width(&text(line)))
                .max()
                .unwrap_or(0)
        };
        let value = widest(&|line| value(line, most));
        // The column of differences is there only while there are any.
        let difference = match widest(&difference) {
            0 => 0,
            width => width + 2,
        };
        Self {
            label: width.saturating_sub(2 + value + difference + 1),
            value,
            difference,
        }
    }
}

/// In short where it would take more than half the panel: half a number is another number.
fn value(line: &LedgerLine, most: usize) -> String {
    match line.left {
        None => text::UNKNOWN.to_owned(),
        Some(value) if whole(value).len() > most => text::compact(value),
        Some(value) => whole(value),
    }
}

fn difference(line: &LedgerLine) -> String {
    line.difference
        .filter(|difference| difference.abs() >= 0.5)
        .map(signed)
        .unwrap_or_default()
}

/// `✔ stored        1,204,331      +3`.
fn head(line: &LedgerLine, glyphs: &Glyphs, columns: &Columns) -> Line<'static> {
    let (glyph, role) = verdict(line.balanced, glyphs);
    let tone = match line.balanced {
        Some(true) => Role::Dim,
        Some(false) => Role::Critical,
        None => Role::Unknown,
    };
    let label = tidy(&line.left_label, columns.label);
    let pad = (columns.label + 1).saturating_sub(text::width(&label));
    let value = value(line, columns.value);
    vec![
        span(format!("{glyph} "), role),
        span(format!("{label}{}", " ".repeat(pad)), Role::Text),
        span(
            format!("{:>1$}", value, columns.value),
            if line.left.is_some() {
                Role::Strong
            } else {
                Role::Unknown
            },
        ),
        span(format!("{:>1$}", difference(line), columns.difference), tone),
    ]
}

/// `    = queued 1,204,331 + refused 0`: a term that nobody reads is `–`.
fn terms(line: &LedgerLine, width: usize) -> Line<'static> {
    let mut out = vec![span("  = ", Role::Dim)];
    let mut used = 4;
    for (number, (name, value)) in line.terms.iter().enumerate() {
        let joint = if number == 0 { "" } else { " + " };
        let value = value.map_or_else(|| text::UNKNOWN.to_owned(), whole);
        let piece = format!("{joint}{} {value}", tidy(name, width));
        used += text::width(&piece);
        if used + 1 > width {
            out.push(span("…", Role::Dim));
            break;
        }
        out.push(span(piece, Role::Dim));
    }
    out
}

fn verdict(balanced: Option<bool>, glyphs: &Glyphs) -> (char, Role) {
    match balanced {
        Some(true) => (glyphs.check, Role::Ok),
        Some(false) => (glyphs.critical, Role::Critical),
        None => (glyphs.unchecked, Role::Unknown),
    }
}

/// The answer in one sentence.
fn sentence(ledger: &Ledger, glyphs: &Glyphs, width: usize) -> Line<'static> {
    let (glyph, role) = verdict(ledger.balanced(), glyphs);
    let wrong = ledger.lines.iter().find(|line| line.balanced == Some(false));
    let unchecked: Vec<&str> = ledger
        .lines
        .iter()
        .filter(|line| line.balanced.is_none())
        .map(|line| &*line.left_label)
        .collect();
    let text = if let Some(line) = wrong {
        let difference = line.difference.unwrap_or_default();
        let count = whole(difference.abs());
        let what = if difference < 0.0 {
            "too many"
        } else {
            "unaccounted for"
        };
        let long = format!("{count} {what} on {}", line.left_label);
        if text::width(&long) + 2 <= width {
            long
        } else {
            format!("{count} {what} on {}", line.line)
        }
    } else if ledger.lines.is_empty() {
        "unchecked: not every counter has been read yet".to_owned()
    } else if unchecked.is_empty() {
        let long = "balanced: nothing lost, nothing doubled";
        if long.len() + 2 <= width {
            long
        } else {
            "balanced: nothing lost or doubled"
        }
        .to_owned()
    } else if unchecked.len() == ledger.lines.len() {
        format!("unchecked: {}", missing(ledger))
    } else {
        format!("balanced; unchecked: {}", unchecked.join(", "))
    };
    vec![span(format!("{glyph} "), role), span(text, role)]
}

/// The terms that nobody reads.
fn missing(ledger: &Ledger) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in ledger.lines.iter().flat_map(|line| &line.terms) {
        if value.is_none() && !names.contains(&&**name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        "a side has no source".to_owned()
    } else {
        format!("no source for {}", names.join(", "))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53, and made positive"
)]
fn whole(value: f64) -> String {
    if value < 0.0 {
        signed(value)
    } else {
        text::count(value.round() as u64)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "counts are far below 2^53")]
fn signed(value: f64) -> String {
    text::signed(value.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::glyph::Charset;

    fn line(label: &str, difference: f64, balanced: Option<bool>) -> LedgerLine {
        LedgerLine {
            line: label.chars().take(6).collect::<String>().into(),
            left_label: label.into(),
            left: Some(10.0),
            difference: Some(difference),
            balanced,
            terms: vec![("acks".into(), balanced.map(|_| 10.0))],
            ..LedgerLine::default()
        }
    }

    fn say(lines: Vec<LedgerLine>) -> String {
        say_in(80, lines)
    }

    fn say_in(width: usize, lines: Vec<LedgerLine>) -> String {
        let ledger = Ledger { since: None, lines };
        sentence(&ledger, Charset::Unicode.glyphs(), width)
            .iter()
            .map(|span| span.text.as_ref())
            .collect()
    }

    #[test]
    fn the_answer_names_what_is_missing_doubled_or_unchecked() {
        assert_eq!(
            say(vec![line("received", 0.0, Some(true)), line("stored", 0.0, Some(true))]),
            "✔ balanced: nothing lost, nothing doubled"
        );
        assert_eq!(
            say(vec![
                line("received", 0.0, Some(true)),
                line("stored", 7.0, Some(false))
            ]),
            "✖ 7 unaccounted for on stored"
        );
        assert_eq!(say(vec![line("written", -3.0, Some(false))]), "✖ 3 too many on written");
        assert_eq!(
            say(vec![line("received", 0.0, Some(true)), line("written", 0.0, None)]),
            "✔ balanced; unchecked: written"
        );
        assert_eq!(say(vec![line("written", 0.0, None)]), "? unchecked: no source for acks");
        let wrong = || vec![line("queued + replayed", 7.0, Some(false))];
        assert_eq!(say_in(38, wrong()), "✖ 7 unaccounted for on queued");
        assert_eq!(say(Vec::new()), "? unchecked: not every counter has been read yet");
    }
}
