//! Replay on real servers: nothing lost, nothing doubled in silence.

mod crash;
mod form;
mod gateway;
mod happy;
mod import;
mod retry;
mod screen;
mod traps;
mod world;
