//! What every room may use: time, text and secrets. Depends on nothing of this crate.

pub mod cause;
pub mod json_match;
pub mod secret;
pub mod sql;
pub mod text;
pub mod time;
pub mod words;
