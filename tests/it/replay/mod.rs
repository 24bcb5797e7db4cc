//! Replay on real servers: nothing lost, nothing doubled in silence.

mod brake;
mod crash;
mod gateway;
mod happy;
mod hostile;
mod import;
mod oracle;
mod parked;
mod retry;
mod screen;
mod traps;
mod world;
