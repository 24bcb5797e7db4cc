//! Sources: each reads one system, read-only, and emits raw samples.

pub mod jetstream;
pub mod letters;
pub mod metrics;
pub mod postgres;
pub mod probe;
mod source;

pub use source::{Outlet, Source, SourceError, supervise};
