//! Everything that changes something: plans, permits, replay, test webhooks.

pub mod audit;
pub mod bucket;
pub mod calls;
mod database;
pub mod draft;
pub mod exchange;
pub mod fire;
pub mod firing;
pub mod hash;
mod histogram;
pub mod import;
pub mod journal;
pub mod keys;
pub mod lease;
pub mod letters;
pub mod oracle;
pub mod pace;
pub mod parked;
pub mod permit;
pub mod plan;
pub mod replay;
pub mod search;
pub mod select;
pub mod trace;
