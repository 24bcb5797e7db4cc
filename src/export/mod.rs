//! Screens and series as files.

mod shape;
pub mod svg;
