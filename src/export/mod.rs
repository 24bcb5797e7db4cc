//! Screens and series as files.

pub mod anonymous;
pub mod cast;
pub mod film;
pub mod png;
pub mod series;
mod shape;
pub mod shot;
pub mod svg;
