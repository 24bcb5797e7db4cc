//! Letters of the same cause, provider, subject or hour.

use std::borrow::Cow;
use std::time::Duration;

use ratatui::layout::Rect;

use super::super::{Scene, Stage};
use super::list;
use super::parts::{GROUPS, fitting};
use crate::base::text;
use crate::base::time::since;
use crate::console::command::{Command, Mode};
use crate::console::glyph::Glyphs;
use crate::console::letters::GroupList;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, Line, span, tidy};
use crate::model::field::Unit;
use crate::model::letters::{Group, GroupBy};

/// A group that got a letter within this time still gets them.
const NOW: Duration = Duration::from_mins(1);

const fn columns(what: &'static str) -> [Column; 2] {
    [Column::number("letters", 7, 0), Column::name(what, 24)]
}

static COLUMNS: [[Column; 2]; 4] = [
    columns("cause"),
    columns("provider"),
    columns("subject"),
    columns("hour"),
];

/// The rows.
pub(super) struct Groups<'a> {
    pub(super) scene: Scene<'a>,
}

impl Groups<'_> {
    fn list(&self) -> &GroupList {
        &self.scene.ui.letters().groups
    }
}

impl Rows for Groups<'_> {
    fn columns(&self) -> &'static [Column] {
        match self.list().by {
            GroupBy::Cause => &COLUMNS[0],
            GroupBy::Provider => &COLUMNS[1],
            GroupBy::Subject => &COLUMNS[2],
            GroupBy::Hour => &COLUMNS[3],
        }
    }

    fn count(&self) -> usize {
        self.list().rows.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        (&*self.list().rows[row].key).into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let group = &self.list().rows[row];
        match column {
            0 => Value::Number(group.count as f64, Unit::Count),
            _ => Value::text(&*group.key),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        match self.value(row, column) {
            Value::Number(number, unit) => Cell::Text(vec![span(unit.format(number), Role::Critical).strong()]),
            Value::Text(text) => Cell::Text(vec![span(tidy(&text, 160).into_owned(), Role::Strong)]),
            other => plain(other),
        }
    }

    fn below(&self, row: usize, _: &Glyphs) -> Line<'_> {
        life(&self.scene, &self.list().rows[row])
    }

    fn height(&self) -> u16 {
        2
    }

    fn sorted(&self) -> Option<(&'static str, bool)> {
        Some(("letters", true))
    }
}

/// Since when letters of a group die, and whether they still do.
pub(super) fn life(scene: &Scene<'_>, group: &Group) -> Line<'static> {
    let mut line = Line::new();
    if let Some(first) = group.first.filter(|first| group.last != Some(*first)) {
        line.push(span(
            format!("first {} · ", scene.zone().minute(first, scene.now.at)),
            Role::Dim,
        ));
    }
    match group.last {
        Some(last) if since(last, scene.now.at) < NOW => {
            line.push(span("still dying", Role::Warning));
        }
        Some(last) => line.push(span(
            format!("last {}", scene.zone().minute(last, scene.now.at)),
            Role::Dim,
        )),
        None => line.push(span("nobody says when", Role::Unknown)),
    }
    line
}

/// Draws them.
pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let groups = &scene.ui.letters().groups;
    let title = match groups.by {
        GroupBy::Cause => "Causes",
        GroupBy::Provider => "Providers",
        GroupBy::Subject => "Subjects",
        GroupBy::Hour => "Hours",
    };
    let note = fitting(stage, area, title, notes(scene, groups));
    let frame = Frame {
        title,
        note,
        ..Frame::default()
    };
    let hint = hint(scene);
    stage.grid(scene, GROUPS, area, frame, &Groups { scene: *scene }, &hint);
}

fn notes(scene: &Scene<'_>, groups: &GroupList) -> Vec<Line<'static>> {
    let Some(scan) = groups.scan else { return Vec::new() };
    if groups.is_loading() && scan.span == 0 {
        return Vec::new();
    }
    if groups.is_loading() {
        let far = scan.looked_at.saturating_mul(100) / scan.span.max(1);
        return vec![
            vec![span(
                format!(
                    "{} · {} stops",
                    list::looked(scan.looked_at, scan.span),
                    scene.key(Command::Back)
                ),
                Role::Info,
            )],
            vec![span(list::looked(scan.looked_at, scan.span), Role::Info)],
            vec![span(format!("{far} %"), Role::Info)],
        ];
    }
    let mut note = vec![
        span(text::count(groups.rows.len() as u64), Role::Strong),
        span(format!(" by {}", groups.by.name()), Role::Note),
    ];
    if groups.left_out > 0 {
        note.push(span(
            format!(" · {} letters of more left out", text::count(groups.left_out)),
            Role::Warning,
        ));
    }
    if !scan.done {
        note.push(span(" · stopped", Role::Warning));
    }
    vec![note]
}

fn hint(scene: &Scene<'_>) -> String {
    // The list says why there are none.
    if scene.mode() != Mode::Live {
        return String::new();
    }
    let letters = scene.ui.letters();
    let groups = &letters.groups;
    if let Some(problem) = &groups.problem {
        return tidy(problem, 300).into_owned();
    }
    match groups.scan {
        Some(scan) if !scan.done && groups.is_loading() => {
            format!("Counting: {}.", list::looked(scan.looked_at, scan.span))
        }
        Some(_) => "No letters, no groups.".to_owned(),
        None => match letters.list.total.or(letters.dead(scene.view.flow.dead.value)) {
            Some(total) if total > 0 => format!(
                "{} letters: {} groups them.",
                text::count(total),
                scene.key(Command::GroupBy)
            ),
            _ => String::new(),
        },
    }
}
