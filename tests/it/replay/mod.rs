//! Replay on real servers: nothing lost, nothing doubled in silence.

mod crash;
mod gateway;
mod happy;
mod import;
mod oracle;
mod parked;
mod retry;
mod screen;
mod traps;
mod world;
