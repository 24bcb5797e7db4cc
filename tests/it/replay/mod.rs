//! Replay on real servers: nothing lost, nothing doubled in silence.

mod crash;
mod happy;
mod traps;
mod world;
