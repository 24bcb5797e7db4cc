//! What the tests of this room share: hand-made envelopes, and a simulated pipeline.

mod feed;
mod polls;
mod simulator;

pub(in crate::model) use feed::{EPOCH, Feed, QueueSpec, Told, close, jetstream, metrics, near, postgres, settings};
pub(in crate::model) use simulator::{Fault, Setup, Simulator};
