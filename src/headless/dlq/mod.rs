//! Dead letters without a screen.

pub mod action;
pub mod audit;
pub mod browse;
pub mod consent;
pub mod import;
pub mod replay;
mod report;
pub mod retry;
