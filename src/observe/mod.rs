//! Sources: each reads one system, read-only, and emits raw samples.

mod source;

pub use source::{Outlet, Source, SourceError, supervise};
