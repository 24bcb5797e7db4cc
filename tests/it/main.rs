//! The one integration test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod cli;
mod console;
mod dlq;
mod export;
mod faults;
mod fire;
mod fleet;
mod history;
mod jetstream;
mod lab;
mod layering;
mod layout;
mod letters;
mod newer;
mod observe;
mod play;
mod readme;
mod record;
mod replay;
mod scenarios;
mod soak;
mod support;
mod terminal;
mod truth;
mod watcher;
