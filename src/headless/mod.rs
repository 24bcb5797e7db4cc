//! The same abilities without a screen.

mod check;
mod contract;
pub mod dlq;
mod exit;
pub mod export;
pub mod fire;
mod json;
mod observe;
mod perfdata;
pub mod record;
mod snapshot;
mod summary;
#[cfg(test)]
mod tests;

pub use check::{Judgement, Status, judge, judge_all};
pub use contract::{Contract, contract};
pub use json::Number;
pub use observe::{observe, unanswered};
pub use perfdata::Perfdata;
pub use snapshot::Snapshot;
pub use summary::summary;
