//! The JetStream source.

mod wire;
