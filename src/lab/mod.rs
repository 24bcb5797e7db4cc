//! Private servers, the reference pipeline, scenarios, load and faults.

mod command;
mod error;
pub mod guard;
mod part;
pub mod scenario;
pub mod servers;
mod up;

pub use command::{Surroundings, UpOptions, up_command};
pub use error::LabError;
pub use part::Role;
pub use up::{DATABASE, Lab, Options, PipelineOptions};
