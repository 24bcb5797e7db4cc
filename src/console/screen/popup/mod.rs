//! What lies over a screen.

mod columns;
mod compare;
pub(super) mod dialog;
mod line;
mod marks;
mod messages;
pub(super) mod sheet;
mod verdicts;
mod what_if;
mod why;

pub use verdicts::verdict_text;
pub use what_if::MINUTES;

use ratatui::layout::Rect;

use super::dead_letters::form;
use super::{Scene, Stage, help};
use crate::console::layer::Layer;

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
