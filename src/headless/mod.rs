//! The same abilities without a screen.

pub mod fire;
