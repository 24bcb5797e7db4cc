//! The table of templates.

use std::borrow::Cow;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::super::{Scene, Screen, Stage};
use super::parts::LIST;
use crate::act::fire::Template;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::console::widget::grid::{Rows, Value, plain};
use crate::console::widget::table::{Cell, Column};
use crate::console::widget::{Frame, span};

const COLUMNS: [Column; 5] = [
    Column::name("template", 20),
    Column::text("scheme", 17, 2),
    Column::text("from", 8, 1),
    Column::text("provider", 16, 3),
    Column::text("event", 22, 4),
];

/// Every template.
pub(super) struct Templates<'a> {
    pub(super) scene: Scene<'a>,
}

impl<'a> Templates<'a> {
    fn template(&self, row: usize) -> Option<&'a Arc<Template>> {
        self.scene.bench.templates().get(row)
    }

    fn is_own(&self, template: &Template) -> bool {
        let supply = self.scene.bench.supply();
        supply.is_some_and(|supply| supply.library.is_own(template.name()))
    }
}

impl Rows for Templates<'_> {
    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn count(&self) -> usize {
        self.scene.bench.templates().len()
    }

    fn key(&self, row: usize) -> Cow<'_, str> {
        self.template(row)
            .map_or(Cow::Borrowed(""), |template| Cow::Borrowed(&**template.name()))
    }

    fn value(&self, row: usize, column: usize) -> Value<'_> {
        let Some(template) = self.template(row) else {
            return Value::Unknown;
        };
        match column {
            0 => Value::text(&**template.name()),
            1 => Value::text(template.scheme().to_string()),
            2 if self.is_own(template) => Value::text("yours"),
            2 => Value::text("built in"),
            3 => Value::text(&**template.provider()),
            _ => Value::text(&**template.event()),
        }
    }

    fn cell(&self, row: usize, column: usize, _: &Glyphs) -> Cell<'_> {
        let Some(template) = self.template(row) else {
            return Cell::blank();
        };
        match column {
            0 => Cell::Text(vec![span(&**template.name(), Role::Text)]),
            2 if self.scene.bench.is_edited(template.name()) => Cell::Text(vec![span("edited", Role::Accent)]),
            2 if self.is_own(template) => plain(self.value(row, column)),
            _ => match self.value(row, column) {
                Value::Text(text) => Cell::Text(vec![span(text, Role::Dim)]),
                value => plain(value),
            },
        }
    }
}

pub(super) fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let broken = scene.bench.supply().map_or(0, |supply| supply.library.broken().len());
    let frame = Frame {
        title: Screen::TestWebhooks.title(),
        note: match broken {
            0 => vec![span(scene.bench.templates().len().to_string(), Role::Note)],
            count => vec![span(format!("{count} refused"), Role::Warning)],
        },
        ..Frame::default()
    };
    let rows = Templates { scene: *scene };
    stage.grid(scene, LIST, area, frame, &rows, "There is no template.");
}
