//! Metrics endpoints.
pub mod exposition;
