//! The form of the template under the cursor; a field is typed where it stands.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::super::{Scene, Spot, Stage};
use super::parts::{FORM, chosen};
use crate::base::text;
use crate::console::bench::{Field, FormRow, Origin};
use crate::console::command::Command;
use crate::console::glyph::Glyphs;
use crate::console::layer::Layer;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, order};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, Line, span, tidy};

/// Columns of a field's name.
const NAME: u16 = 18;

const COLUMNS: [Column; 3] = [
    Column::text("field", NAME, 0),
    Column {
        grows: true,
        ..Column::text("value", 28, 0)
    },
    Column::text("from", 7, 1),
];

/// Where values stand.
const VALUE: usize = 1;

/// The fields of a form.
pub(super) struct Fields<'a> {
    rows: &'a [FormRow],
}

impl<'a> Fields<'a> {
    pub(super) fn of(scene: &Scene<'a>) -> Self {
        Self {
            rows: chosen(scene).map_or(&[], |(_, form)| &form.rows),
        }
    }
}

impl Rows for Fields<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.rows.len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        self.rows[row].field.key().into()
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let row = &self.rows[row];
        match column {
            0 => Value::text(row.field.name()),
            VALUE => Value::text(row.value.as_str()),
            _ => Value::text(row.origin.word()),
        }
    }

    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let row = &self.rows[row];
        let edited = row.origin == Origin::Edited;
        Cell::Text(match column {
            0 => {
                let (name, role) = match &row.field {
                    Field::Body(path) => (tail(path), Role::Dim),
                    field => (field.name().into(), Role::Text),
                };
                vec![span(name, if edited { Role::Accent } else { role })]
            }
            VALUE if edited => vec![
                span(format!("{} ", glyphs.under), Role::Accent),
                span(row.value.as_str(), tone(row)),
            ],
            VALUE => vec![span(row.value.as_str(), tone(row))],
            _ => vec![span(row.origin.word(), if edited { Role::Accent } else { Role::Dim })],
        })
    }
}

/// How a value stands there.
fn tone(row: &FormRow) -> Role {
    match (&row.field, row.is_vacant, row.origin) {
        (Field::Secret | Field::Target, true, _) | (Field::Variant, _, Origin::Edited) => Role::Warning,
        (_, true, _) => Role::Dim,
        (_, false, Origin::Edited) => Role::Strong,
        _ => Role::Text,
    }
}

/// The end of a path says most.
fn tail(path: &str) -> Cow<'_, str> {
    let width = text::width(path);
    let most = usize::from(NAME);
    if width <= most {
        return path.into();
    }
    let mut at = 0;
    while text::width(&path[at..]) >= most {
        at = path.ceil_char_boundary(at + 1);
    }
    format!("…{}", &path[at..]).into()
}

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let Some((name, form)) = chosen(scene) else {
        let frame = Frame {
            title: "Form",
            ..Frame::default()
        };
        let inner = stage.panel(scene, FORM, area, frame);
        stage.hint(inner, "Choose a template.");
        return;
    };
    let note: Line<'_> = match (&form.template, &form.refused) {
        (Err(_), _) => vec![span("does not fit its template", Role::Critical)],
        (_, Some(_)) => vec![span("body refused", Role::Critical)],
        _ if scene.bench.is_edited(&name) => vec![span("edited", Role::Accent)],
        _ => vec![span(format!("{} edits", scene.key(Command::Open)), Role::Note)],
    };
    let title = tidy(&name, usize::from(area.width.saturating_sub(22))).into_owned();
    let frame = Frame {
        title: &title,
        note,
        ..Frame::default()
    };
    let rows = Fields { rows: &form.rows };
    stage.grid(scene, FORM, area, frame, &rows, "It has no fields.");
    type_in_place(scene, stage, area, &rows);
}

/// The field that is being typed, where it stands.
fn type_in_place(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, rows: &Fields<'_>) {
    let Some(Layer::Field { field, input, .. }) = scene.ui.layers().last() else {
        return;
    };
    let order = order(rows, scene.ui.grid(FORM));
    let Some(at) = order.iter().position(|row| rows.rows[*row].field == *field) else {
        return;
    };
    let place = |wanted: Spot| {
        let found = stage.hits.spots.iter().find(|(_, spot)| *spot == wanted);
        found.map(|(place, _)| *place)
    };
    let (Some(value), Some(row)) = (place(Spot::Heading(FORM, VALUE)), place(Spot::Row(FORM, at))) else {
        return;
    };
    let room = (area.right() - 1).saturating_sub(value.left());
    let place = Rect::new(value.left(), row.top(), room, 1);
    stage.canvas.clear(place);
    stage.canvas.fill(place, Role::Raised);
    let cursor = input.draw(&mut stage.canvas, place.left(), place.top(), room, "");
    stage.cursor = Some(cursor);
}
