//! hookwatch: a terminal console for webhook pipelines
//! (providers → gateway → NATS JetStream → workers → Postgres).
//!
//! # The map
//!
//! One room per folder, one job per room. `tests/it/layering.rs` enforces the arrows.
//!
//! | room | job | may use |
//! |---|---|---|
//! | [`base`] | time, text, secrets | nothing |
//! | [`config`] | profiles, environment, NATS contexts, thresholds | base |
//! | [`sample`] | plain data: what a source saw | base |
//! | [`observe`] | sources and their supervision | sample, config |
//! | [`model`] | pure: samples in, numbers out | sample, config |
//! | [`record`] | recordings: MCAP written and read, redaction | sample |
//! | [`act`] | everything that changes something | sample, config, signature, model, observe |
//! | [`session`] | one profile live, or one recording | config, observe, record, act, model |
//! | [`console`] | update and draw; `run` is the loop | sample, config, model, act (`run`: session, record, export) |
//! | [`headless`] | the same abilities without a screen | observe (letters), session, model, export, act, record, signature |
//! | [`export`] | screens and series as files | model, record, console |
//! | [`signature`] | webhook signatures, both directions | base |
//! | [`pipeline`] | the reference pipeline | config, signature |
//! | [`lab`] | private servers, scenarios, load, faults | pipeline, config, act, signature |
//! | [`cli`] | arguments and pages | base, config |
//! | [`program`] | the commands: arguments in, exit code out; `main.rs` only calls it | anything |
//!
//! `sample`, `model` and `console` (its terminal and loop apart) know no runtime and no client
//! crate, read no clock and iterate no hash map: the same samples draw the same cells.
//!
//! ```text
//! Source ─Envelope─▶ Model::apply ─▶ Model::advance(now) ─▶ View ─▶ draw(&App, &Theme, area, &mut Buffer)
//!                                                            └────▶ snapshot, check
//! ```

pub mod act;
pub mod base;
pub mod cli;
pub mod config;
pub mod console;
pub mod export;
pub mod headless;
pub mod lab;
pub mod model;
pub mod observe;
pub mod pipeline;
pub mod program;
pub mod record;
pub mod sample;
pub mod session;
pub mod signature;
