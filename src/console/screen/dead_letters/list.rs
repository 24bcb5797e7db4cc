//! The letters, one a row: the part of them that is here.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::parts::{LIST, fitting, key, when};
use crate::base::text;
use crate::console::command::{Command, Mode};
use crate::console::glyph::Glyphs;
use crate::console::letters::Letters;
use crate::console::theme::Role;
use crate::console::widget::grid::{Filter, Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, Line, span, tidy};
use crate::model::field::Unit;
use crate::sample::{LetterForm, SourceKind};

const COLUMNS: [Column; 10] = [
    Column::text("died", 11, 0),
    Column::text("provider", 9, 1),
    Column::text("event", 16, 3),
    Column::name("reason", 22),
    Column::number("tries", 5, 2),
    Column::number("size", 8, 4),
    Column::text("subject", 30, 8).hidden(),
    Column::text("id", 20, 7).hidden(),
    Column::number("seq", 9, 6).hidden(),
    Column::text("form", 8, 5).hidden(),
];

/// The same columns where the form is what matters.
static OTHERS: [Column; 10] = {
    let mut columns = COLUMNS;
    columns[9].shown = true;
    columns[8].shown = true;
    columns
};

/// The rows.
pub(super) struct List<'a> {
    pub(super) scene: Scene<'a>,
}

impl List<'_> {
    fn letters(&self) -> &Letters {
        self.scene.ui.letters()
    }
}

impl Rows for List<'_> {
    fn columns(&self) -> &'static [Column] {
        if self.letters().list.wanted.other.is_some() {
            &OTHERS
        } else {
            &COLUMNS
        }
    }

    fn count(&self) -> usize {
        self.letters().list.rows.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        key(&self.letters().list.rows[row]).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let row = &self.letters().list.rows[row];
        let text = |text: &Option<std::sync::Arc<str>>| {
            text.as_deref()
                .map_or(Value::Unknown, |text| Value::text(text.to_owned()))
        };
        match column {
            0 => row.died.map_or(Value::Unknown, Value::At),
            1 => text(&row.provider),
            2 => text(&row.event),
            3 => text(&row.reason),
            4 => row
                .tries
                .map_or(Value::Unknown, |tries| Value::Number(tries as f64, Unit::Count)),
            5 => row
                .size
                .map_or(Value::Unknown, |size| Value::Number(size as f64, Unit::Bytes)),
            6 => text(&row.subject),
            7 => text(&row.id),
            8 => Value::text(row.sequence.to_string()),
            _ => Value::text(form(row.form)),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let value = self.value(row, column);
        let (shown, role) = match (&value, column) {
            (Value::At(at), _) => (when(&self.scene, *at), Role::Dim),
            (Value::Text(text), 1 | 3) => (text.clone().into_owned(), Role::Text),
            (Value::Text(text), 9) => {
                let role = if text == "orphan" { Role::Warning } else { Role::Dim };
                (text.clone().into_owned(), role)
            }
            (Value::Text(text), _) => (text.clone().into_owned(), Role::Dim),
            (Value::Number(number, unit), _) => (unit.format(*number), Role::Dim),
            _ => return plain(value),
        };
        let line = vec![span(shown, role)];
        let typed = &self.letters().list.wanted.typed;
        Cell::Text(Filter::new(typed).highlight(line))
    }

    fn arranged(&self) -> Option<(&'static str, bool)> {
        Some(("died", !self.letters().list.wanted.oldest_first))
    }

    fn marked(&self, _: usize) -> bool {
        self.letters().list.all_marked
    }
}

/// A form's name.
pub(super) fn form(form: LetterForm) -> &'static str {
    match form {
        LetterForm::Copy => "copy",
        LetterForm::Parked => "parked",
        LetterForm::Orphaned => "orphan",
        LetterForm::Row => "row",
    }
}

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let note = fitting(stage, area, "Dead letters", notes(scene));
    let frame = Frame {
        title: "Dead letters",
        note,
        ..Frame::default()
    };
    let hint = hint(scene);
    stage.grid(scene, LIST, area, frame, &List { scene: *scene }, &hint);
}

/// Why there is no letter.
fn hint(scene: &Scene<'_>) -> String {
    if scene.mode() != Mode::Live {
        return "A recording holds no letters: they are read live.".to_owned();
    }
    let list = &scene.ui.letters().list;
    if let Some(problem) = &list.problem {
        return tidy(problem, 400).into_owned();
    }
    match list.scan {
        Some(scan) if !scan.done => return format!("Looking: {}.", looked(scan.looked_at, scan.span)),
        Some(_) if list.wanted.typed.trim().is_empty() && list.wanted.group.is_none() => {
            return none(list.wanted.form()).to_owned();
        }
        Some(_) => return format!("No letter is meant. {} shows all.", scene.key(Command::Back)),
        None => {}
    }
    if list.total.is_some() && !list.is_loading() {
        return none(LetterForm::Copy).to_owned();
    }
    super::super::absence(
        scene,
        SourceKind::Jetstream,
        "Not watched: --nats URL and --dlq STREAM show the letters.",
        "Reading.",
    )
}

/// That there is none of a form.
fn none(form: LetterForm) -> &'static str {
    match form {
        LetterForm::Copy => "No dead letters.",
        LetterForm::Row => "No failed rows in rule_webhook_calls.",
        LetterForm::Parked | LetterForm::Orphaned => "No message is parked in the source stream.",
    }
}

/// How far a scan is, in words.
pub(super) fn looked(looked_at: u64, span: u64) -> String {
    if span == 0 {
        return "beginning".to_owned();
    }
    format!("looked at {} of {}", text::count(looked_at), text::count(span))
}

/// What the frame says on the right, the longest first.
fn notes<'a>(scene: &Scene<'a>) -> Vec<Line<'a>> {
    let letters = scene.ui.letters();
    let list = &letters.list;
    let mut count = Line::new();
    match (list.scan, list.total) {
        // What is not known yet is no 0.
        (Some(scan), _) if scan.span == 0 && list.is_searching() => {}
        (Some(scan), _) => {
            let shown = list.rows.len() as u64;
            count.push(span(text::count(scan.found), Role::Strong));
            let of_form = match list.wanted.other {
                None => "",
                Some(LetterForm::Row) => " failed rows",
                _ if list.rows.iter().all(|row| row.form == LetterForm::Parked) => " parked",
                _ => " parked or orphaned",
            };
            count.push(span(of_form, Role::Note));
            if !list.filter.is_all() || list.wanted.other.is_none() {
                count.push(span(" found", Role::Note));
            }
            if scan.found > shown && shown > 0 {
                count.push(span(format!(", {} shown", text::count(shown)), Role::Note));
            }
        }
        (None, Some(total)) => {
            count.push(span(text::count(total), Role::Strong));
            count.push(span(if total == 1 { " letter" } else { " letters" }, Role::Note));
        }
        (None, None) => {}
    }
    let marks = scene.ui.grid(LIST).marks.len();
    let mut marked = Line::new();
    if list.all_marked {
        marked.push(span(" · all marked", Role::Accent));
    } else if marks > 0 {
        marked.push(span(format!(" · {} marked", text::count(marks as u64)), Role::Accent));
    }
    let mut about = Line::new();
    if let Some((_, key)) = &list.wanted.group {
        about.push(span(" · ", Role::Note));
        about.push(span(tidy(key, 60).into_owned(), Role::Note));
    }
    if !list.wanted.typed.is_empty() {
        about.push(span(" · / ", Role::Key));
        about.push(span(tidy(&list.wanted.typed, 60).into_owned(), Role::Note));
    }
    let mut far = Line::new();
    if let Some(scan) = list.scan.filter(|_| list.is_searching()) {
        far.push(span(format!(" · {}", looked(scan.looked_at, scan.span)), Role::Info));
        far.push(span(format!(" · {} stops", scene.key(Command::Back)), Role::Note));
    } else if let Some(problem) = list.problem.as_ref().filter(|_| !list.rows.is_empty()) {
        far.push(span(format!(" · {}", tidy(problem, 60)), Role::Warning));
    }
    if let Some(newer) = list
        .newer(scene.view.flow.dead.value)
        .filter(|_| list.wanted.other.is_none())
    {
        far.push(span(
            format!(" · {newer} since · {} reads", scene.key(Command::Reload)),
            Role::Info,
        ));
    }
    let join = |parts: &[&Line<'a>]| parts.iter().flat_map(|part| part.iter().cloned()).collect::<Line<'a>>();
    vec![
        join(&[&count, &marked, &about, &far]),
        join(&[&count, &marked, &far]),
        join(&[&count, &marked]),
        count,
    ]
}
