//! One webhook followed on its way: answered → in the stream → acked by a worker → a row in Postgres.
//!
//! Nothing is created for it and nothing is acked: the stream is read by sequence from where it
//! stood before the webhook was sent, Postgres in read-only transactions. Where a way ends early,
//! the timeline says where and why. Every step is told as it happens, as plain data.

mod canary;
mod follow;
mod once;
mod plan;
mod stream;
mod timeline;

pub use canary::{History, Outcome, Percentiles, reading};
pub use follow::trace;
pub use once::once;
pub use plan::{TraceError, TracePlan};
pub use timeline::{Stage, State, Step, Timeline};
