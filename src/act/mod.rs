//! Everything that changes something: plans, permits, replay, test webhooks.

pub mod fire;
pub mod hash;
pub mod journal;
pub mod pace;
pub mod permit;
pub mod plan;
