//! What lies over a screen.

mod columns;
mod compare;
mod dialog;
mod line;
mod marks;
mod messages;
mod verdicts;
mod what_if;
mod why;

pub(super) use dialog::draw_buttons;
pub use verdicts::verdict_text;
pub use what_if::MINUTES;

use ratatui::layout::Rect;

use super::dead_letters::form;
use super::{PanelHit, PanelId, Scene, Spot, Stage, help};
use crate::console::layer::Layer;
use crate::console::theme::Role;
use crate::console::widget::{Frame, Line, scroll_bar, span};

/// Draws the layers that lie over a screen, the topmost last.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, body: Rect, key_line: Rect) {
    for layer in scene.ui.layers() {
        match layer {
            Layer::Detail(_) => {}
            Layer::Help(_) => help::draw(scene, stage, body),
            Layer::Why(why) => why::draw(scene, stage, body, why),
            Layer::Columns { panel, at } => columns::draw(scene, stage, body, *panel, *at),
            Layer::Filter { panel, input } => line::filter(scene, stage, key_line, *panel, input),
            Layer::Field {
                field, problem, input, ..
            } => line::field(stage, key_line, field, problem.as_deref(), input),
            Layer::Palette(palette) => line::palette(scene, stage, body, key_line, palette),
            Layer::WhatIf { minutes } => what_if::draw(scene, stage, body, *minutes),
            Layer::Verdicts { at } => verdicts::draw(scene, stage, body, *at),
            Layer::Messages(at) => messages::draw(scene, stage, body, *at),
            Layer::Note { at, input } => line::note(scene, stage, key_line, *at, input),
            Layer::Marks { at } => marks::draw(scene, stage, body, *at),
            Layer::Compare(first) => compare::draw(scene, stage, body, *first),
            Layer::Dialog(dialog) => dialog::draw(scene, stage, body, dialog),
            Layer::Replay(form) => form::draw(stage, body, form),
        }
    }
}

/// A sheet over the middle of a screen.
pub(super) struct Sheet<'a> {
    /// Its title.
    pub(super) title: &'a str,
    /// On the right of its title.
    pub(super) note: &'a str,
    /// Its width at most.
    pub(super) width: u16,
    /// The first row on screen.
    pub(super) first: usize,
}

impl Sheet<'_> {
    /// Columns that a sheet has for text.
    pub(super) fn room(&self, body: Rect) -> u16 {
        self.outer(body).saturating_sub(6)
    }

    fn outer(&self, body: Rect) -> u16 {
        if body.width < self.width + 6 {
            body.width
        } else {
            self.width
        }
    }

    /// Draws it as high as its content. Returns the room inside.
    pub(super) fn draw(&self, stage: &mut Stage<'_>, body: Rect, lines: &[Line<'_>]) -> Rect {
        let content = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let inner = self.frame(stage, body, content.saturating_add(2));
        let visible = usize::from(inner.height);
        let first = self.first.min(lines.len().saturating_sub(visible));
        for (line, y) in lines.iter().skip(first).zip(inner.top()..inner.bottom()) {
            stage.canvas.line(inner.left(), y, inner.width, line);
        }
        let around = Rect::new(inner.left() - 3, inner.top() - 1, self.outer(body), inner.height + 2);
        scroll_bar(&mut stage.canvas, around, true, lines.len(), visible, first);
        stage.hits.popup = Some(PanelHit {
            rows: lines.len(),
            visible,
            first,
            ..PanelHit::new(PanelId("popup"))
        });
        inner
    }

    pub(super) fn frame(&self, stage: &mut Stage<'_>, body: Rect, height: u16) -> Rect {
        let (width, height) = (self.outer(body), height.min(body.height));
        let area = Rect::new(
            body.left() + (body.width - width) / 2,
            body.top() + (body.height - height) / 2,
            width,
            height,
        );
        stage.canvas.clear(area);
        // What lies beneath is out of reach until it closes.
        stage.hits.spots.push((body, Spot::Layer));
        let frame = Frame {
            title: self.title,
            note: vec![span(self.note, Role::Note)],
            focused: true,
            tone: None,
        };
        frame.draw(&mut stage.canvas, area)
    }
}
