//! The form of a replay: its rows above, the plan that follows from them, the answer below.

use ratatui::layout::Rect;

use super::super::popup::dialog::draw_buttons;
use super::super::popup::sheet::Sheet;
use super::super::{PanelHit, PanelId, Spot, Stage};
use super::list;
use crate::act::calls::{CallPlan, Way};
use crate::base::text;
use crate::console::dialog::Confirm;
use crate::console::letters::form::{Draft, Field, Focus, Form, Subject};
use crate::console::letters::plan_rows;
use crate::console::theme::Role;
use crate::console::widget::{Line, scroll_bar, span, wrap};

/// Columns for the labels.
const LABEL: u16 = 10;

/// Rows of the plan that there is room for even while it is being drawn: the sheet does not jump.
const USUAL: u16 = 8;

/// Rows of the plan below which there is no room for a line above it.
const LEAST: u16 = 3;

/// Numbers of choices that stand for one row.
const ROW: usize = 64;

/// What a click on a choice of the form means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The button that changes nothing.
    Cancel,
    /// The other one.
    Go,
    /// The line that is typed to say yes.
    Answer,
    /// A row.
    Row(usize),
    /// What can be chosen in a row.
    Option(usize, usize),
}

/// The number of a place.
fn number(place: Place) -> usize {
    match place {
        Place::Cancel => 0,
        Place::Go => 1,
        Place::Answer => 2,
        Place::Row(row) => (row + 1) * ROW,
        Place::Option(row, option) => (row + 1) * ROW + 1 + option,
    }
}

/// The place of a number.
#[must_use]
pub fn place(number: usize) -> Place {
    match (number / ROW, number % ROW) {
        (0, 0) => Place::Cancel,
        (0, 1) => Place::Go,
        (0, _) => Place::Answer,
        (row, 0) => Place::Row(row - 1),
        (row, option) => Place::Option(row - 1, option - 1),
    }
}

/// Draws it.
pub fn draw(stage: &mut Stage<'_>, body: Rect, form: &Form) {
    let title = title(form);
    let sheet = Sheet {
        title: &title,
        note: note(body.width),
        width: 92,
        first: 0,
    };
    let room = sheet.room(body);
    let fields = form.fields();
    let plan = plan(form, room);
    let confirm = form.confirm();
    let asks = matches!(confirm, Some(Confirm::Typed { .. }));
    // A blank row above, one below, the line that is typed, the buttons.
    let (above, below) = (count(fields.len()) + 1, 2 + u16::from(asks));
    let wanted = above + count(plan.len()).max(USUAL) + below + 3;
    let inner = sheet.frame(stage, body, wanted);
    let airy = inner.height >= above + below + LEAST;
    let mut y = inner.top() + u16::from(airy);
    for (row, field) in fields.iter().enumerate() {
        let at = Rect::new(inner.left(), y, inner.width, 1);
        draw_field(stage, at, form, row, *field);
        y += 1;
    }
    let bottom = inner.bottom().saturating_sub(below);
    let middle = Rect::new(inner.left(), y + 1, inner.width, bottom.saturating_sub(y + 1));
    if airy {
        let line = stage
            .canvas
            .glyphs()
            .lines
            .0
            .to_string()
            .repeat(usize::from(inner.width));
        stage.canvas.put(inner.left(), y, inner.width, &line, Role::Border);
    }
    draw_plan(stage, body, middle, &plan, form.first);
    if let Some(Confirm::Typed { ask, .. }) = &confirm {
        draw_answer(
            stage,
            Rect::new(inner.left(), inner.bottom().saturating_sub(2), inner.width, 1),
            form,
            ask,
        );
    }
    draw_choice(
        stage,
        Rect::new(inner.left(), inner.bottom().saturating_sub(1), inner.width, 1),
        form,
    );
}

fn count(rows: usize) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX / 2)
}

fn title(form: &Form) -> String {
    let verb = form.verb();
    let mut letters = verb.chars();
    let verb: String = letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    let (one, many) = match form.subject {
        Subject::Letters(..) => ("letter", "letters"),
        Subject::Calls(_) => ("call", "calls"),
    };
    match form.count() {
        Some(count) => format!("{verb} {}", text::counted(count, one, many)),
        None => format!("{verb} {many}"),
    }
}

fn note(width: u16) -> &'static str {
    if width >= 80 {
        "tab goes on · ←→ choose · esc cancels"
    } else {
        "tab · ←→ · esc cancels"
    }
}

fn draw_field(stage: &mut Stage<'_>, at: Rect, form: &Form, row: usize, field: Field) {
    let focused = form.focus == Focus::Field(field);
    if focused {
        stage.canvas.fill(at, Role::Selection);
    }
    stage.hits.spots.push((at, Spot::Choice(number(Place::Row(row)))));
    let role = if focused { Role::Accent } else { Role::Dim };
    stage.canvas.put(at.left(), at.top(), LABEL, field.name(), role);
    let x = at.left() + LABEL;
    let room = at.width.saturating_sub(LABEL);
    if let Some(line) = form.line(field) {
        if focused {
            stage.cursor = Some(line.draw(&mut stage.canvas, x, at.top(), room, ""));
        } else if line.text().is_empty() {
            stage.canvas.put(x, at.top(), room, field.vacant(), Role::Dim);
        } else {
            stage.canvas.put(x, at.top(), room, line.text(), Role::Strong);
        }
        return;
    }
    draw_options(stage, Rect::new(x, at.top(), room, 1), form, row, field);
}

/// What can be chosen, side by side; where there is no room for that, what is chosen.
fn draw_options(stage: &mut Stage<'_>, at: Rect, form: &Form, row: usize, field: Field) {
    let (options, chosen) = (form.options(field), form.chosen(field));
    let glyphs = stage.canvas.glyphs();
    let wide: usize = options.iter().map(|option| text::width(option) + 4).sum();
    let fits = wide <= usize::from(at.width) + 2;
    let mut x = at.left();
    for (number_of, option) in options.iter().enumerate() {
        if !fits && number_of != chosen {
            continue;
        }
        let line = if number_of == chosen {
            vec![
                span(format!("{} ", glyphs.ok), Role::Accent),
                span(option.as_str(), Role::Strong).strong(),
            ]
        } else {
            vec![span(format!("{} {option}", glyphs.off), Role::Dim)]
        };
        let used = stage.canvas.line(x, at.top(), at.right().saturating_sub(x), &line);
        let spot = Spot::Choice(number(Place::Option(row, number_of)));
        stage.hits.spots.push((Rect::new(x, at.top(), used, 1), spot));
        x += used + 2;
    }
    if !fits {
        let place = format!("{} of {}", chosen + 1, options.len());
        stage
            .canvas
            .put(x, at.top(), at.right().saturating_sub(x), &place, Role::Dim);
    }
}

/// The plan as lines.
fn plan(form: &Form, room: u16) -> Vec<Line<'static>> {
    let mut rows: Vec<(String, String, Role)> = Vec::new();
    let mut diff: &[String] = &[];
    if let Some(about) = &form.about {
        let label = match form.subject {
            Subject::Letters(..) => "letter",
            Subject::Calls(_) => "call",
        };
        rows.push((label.to_owned(), about.clone(), Role::Strong));
    }
    match &form.draft {
        Draft::Drawing(_, scan) => {
            let looked = list::looked(scan.looked_at, scan.span);
            rows.push(("plan".to_owned(), format!("being drawn: {looked}"), Role::Info));
        }
        Draft::Refused(reason) => {
            let (what, next) = text::advice(reason);
            rows.push(("no plan".to_owned(), text::safe(what).into_owned(), Role::Warning));
            if let Some(next) = next {
                rows.push((String::new(), text::safe(next).into_owned(), Role::NextStep));
            }
        }
        Draft::Letters(plan) => {
            rows.extend(plan_rows(plan));
            if let Some((text, role)) = form.signature() {
                let at = rows
                    .iter()
                    .position(|(label, _, _)| label == "takes")
                    .unwrap_or(rows.len());
                rows.insert(at, ("signed".to_owned(), text, role));
            }
            diff = &plan.diff;
        }
        Draft::Calls(plan) => rows.extend(call_rows(plan)),
    }
    if form.is_stale {
        rows.push((
            String::new(),
            "The plan is drawn anew when the row is left.".to_owned(),
            Role::Info,
        ));
    }
    let width = room.saturating_sub(LABEL).max(8);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (label, text, role) in rows {
        for (number, row) in wrap(&text, width, 6).into_iter().enumerate() {
            let label = if number == 0 { label.as_str() } else { "" };
            let label = format!("{label:<indent$}", indent = usize::from(LABEL));
            lines.push(vec![span(label, Role::Dim), span(row, role)]);
        }
    }
    for (number, line) in diff.iter().enumerate() {
        let role = match line.as_bytes().first() {
            Some(b'-') => Role::Critical,
            Some(b'+') => Role::Ok,
            _ => Role::Dim,
        };
        let label = if number == 0 { "edited" } else { "" };
        let label = format!("{label:<indent$}", indent = usize::from(LABEL));
        lines.push(vec![
            span(label, Role::Dim),
            span(text::cut(line, usize::from(width)).into_owned(), role),
        ]);
    }
    lines
}

fn call_rows(plan: &CallPlan) -> Vec<(String, String, Role)> {
    let way = match plan.way {
        Way::Function => "rule_webhook_retry puts each of them back",
        Way::Status => "their status is set to pending, their retries to 0: there is no rule_webhook_retry for us",
    };
    let row = |label: &str, text: &str, role| (label.to_owned(), text.to_owned(), role);
    vec![
        row("goes to", "the queue in Postgres: rule_webhook_calls", Role::Text),
        row("how", way, Role::Text),
        row(
            "",
            "A call that somebody has in hand, or that is no longer failed, is left alone.",
            Role::Dim,
        ),
    ]
}

fn draw_plan(stage: &mut Stage<'_>, body: Rect, at: Rect, lines: &[Line<'_>], first: usize) {
    let visible = usize::from(at.height);
    let hidden = lines.len().saturating_sub(visible);
    let first = first.min(hidden);
    for (line, y) in lines.iter().skip(first).zip(at.top()..at.bottom()) {
        stage.canvas.line(at.left(), y, at.width, line);
    }
    let around = Rect::new(at.left() - 3, at.top() - 1, at.width + 6, at.height + 2);
    scroll_bar(
        &mut stage.canvas,
        around.intersection(body),
        true,
        lines.len(),
        visible,
        first,
    );
    if hidden > first {
        let more = format!(
            " {} more: pgdn ",
            text::counted((hidden - first) as u64, "line", "lines")
        );
        let width = stage.canvas.text_width(&more);
        let x = at.right().saturating_sub(width);
        stage.canvas.put(x, at.bottom(), width, &more, Role::Info);
    }
    stage.hits.popup = Some(PanelHit {
        rows: lines.len(),
        visible,
        first,
        ..PanelHit::new(PanelId("popup"))
    });
}

fn draw_answer(stage: &mut Stage<'_>, at: Rect, form: &Form, ask: &str) {
    let focused = form.focus == Focus::Answer;
    stage.hits.spots.push((at, Spot::Choice(number(Place::Answer))));
    let cursor = form
        .answer
        .draw(&mut stage.canvas, at.left(), at.top(), at.width, &format!("{ask}: "));
    if focused {
        stage.cursor = Some(cursor);
    }
}

fn draw_choice(stage: &mut Stage<'_>, at: Rect, form: &Form) {
    let go = if form.is_answered() && !form.is_stale {
        Role::Text
    } else {
        Role::Dim
    };
    let verb = title(form).split(' ').next().unwrap_or_default().to_owned();
    // While a row or the answer has the keys, nothing but Cancel is an Enter away.
    let on_go = form.focus == Focus::Go;
    let buttons = [
        ("Cancel", !on_go, Role::Text, number(Place::Cancel)),
        (verb.as_str(), on_go, go, number(Place::Go)),
    ];
    let x = draw_buttons(stage, at, buttons);
    if form.confirm() == Some(Confirm::Yes) {
        stage
            .canvas
            .put(x, at.top(), at.right().saturating_sub(x), "y says yes", Role::Dim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_number_of_its_own() {
        for wanted in [
            Place::Cancel,
            Place::Go,
            Place::Answer,
            Place::Row(0),
            Place::Row(8),
            Place::Option(0, 0),
            Place::Option(8, 12),
        ] {
            assert_eq!(place(number(wanted)), wanted);
        }
    }
}
