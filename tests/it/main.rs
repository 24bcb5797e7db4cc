//! The one integration test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod cli;
mod console;
mod lab;
mod layering;
mod replay;
mod support;
mod terminal;
