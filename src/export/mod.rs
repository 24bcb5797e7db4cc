//! Screens and series as files.

pub mod picture;
pub mod series;
mod shape;
pub mod svg;
