//! Private servers, the reference pipeline, scenarios, load and faults.

mod error;
pub mod guard;
pub mod scenario;
pub mod servers;
mod up;

pub use error::LabError;
pub use up::{Lab, Options};
