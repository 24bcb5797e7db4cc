//! Screens and series as files.

pub mod anonymous;
pub mod cast;
pub mod film;
mod ink;
pub mod plot;
pub mod png;
pub mod report;
pub mod series;
mod shape;
pub mod shot;
pub mod svg;

/// What screens and charts are drawn with.
pub use crate::console::theme::Theme;
