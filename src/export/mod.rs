//! Screens and series as files.

pub mod series;
mod shape;
pub mod svg;
