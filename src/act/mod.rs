//! Everything that changes something: plans, permits, replay, test webhooks.

pub mod pace;
