//! Private servers, the reference pipeline, a load, and what goes wrong: for demos, tests and benches.
//!
//! ```text
//! scenario ─▶ Options ─▶ Lab::up ─orders─▶ guard (a process) ─owns─▶ nats-server, postgres, gateways, workers
//!          └─▶ play ─▶ load (act::fire) ─HTTP─▶ gateway
//!                  └─▶ faults ─▶ Lab: stop, kill, hang, start
//! ```
//!
//! Whatever happens to the process that holds a [`Lab`], the guard ends what it owns and removes
//! the lab's folder.

mod command;
mod connect;
mod control;
mod demo;
mod error;
mod faults;
pub mod guard;
mod load;
mod operate;
mod options;
mod part;
mod play;
pub mod scenario;
pub mod servers;
mod up;

pub use command::{FaultOptions, Host, LoadOptions, Out, UpOptions, fault_command, load_command, up_command};
pub use demo::{Demo, DemoOptions};
pub use error::{LabError, Missing};
pub use faults::{Faults, LOCKER};
pub use load::{CAUSES, Load, Target, Traffic};
pub use options::{Options, PipelineOptions};
pub use part::Role;
pub use play::{Player, Tell, play};
pub use servers::missing_servers;
pub use up::{DATABASE, Lab};
