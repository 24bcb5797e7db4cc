//! What the tests of this room share: hand-made envelopes, and a simulated pipeline.

mod feed;
mod simulator;

pub(in crate::model) use feed::{Feed, QueueSpec, close, jetstream, metrics, near, postgres, settings};
pub(in crate::model) use simulator::{Fault, Setup, Simulator};
