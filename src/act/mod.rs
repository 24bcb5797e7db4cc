//! Everything that changes something: plans, permits, replay, test webhooks.

pub mod fire;
pub mod pace;
pub mod trace;
