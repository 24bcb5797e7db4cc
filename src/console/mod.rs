//! The screen: state, update, draw.
//!
//! ```text
//! Msg ─▶ app::update(&mut App, Msg, &Hits) -> Vec<Effect>      changes the App, nothing else does
//!        app::draw(&App, &Theme, Rect, &mut Buffer) -> Drawn   changes nothing
//! ```
//!
//! [`command`] is the table of what can be done; [`player`] is what there is to play and where
//! one stands in it, as plain data; [`fleet`] is a line for each of several profiles; [`theme`] is the only place that names colours;
//! [`widget`] is the only way onto the screen. All of that is plain data in, cells out:
//! [`run`](run::run), `outside` and [`terminal`] alone know a runtime, a terminal and a clock.

pub mod app;
pub mod bench;
pub mod command;
pub mod dialog;
pub mod effect;
pub mod fleet;
pub mod glyph;
pub mod kept;
pub mod keymap;
pub mod layer;
pub mod letters;
mod outside;
pub mod palette;
pub mod player;
pub mod range;
pub mod run;
pub mod screen;
pub mod terminal;
pub mod theme;
pub mod ui;
pub mod widget;

#[cfg(test)]
mod fixture;
#[cfg(test)]
use crate as hookwatch;
#[cfg(test)]
mod tests;
