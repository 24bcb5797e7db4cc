//! The pipeline as a whole, on real servers that the tests start.

mod gateway;
mod servers;
mod store;
mod worker;
mod world;
