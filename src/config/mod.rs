//! Profiles: what to connect to, how, and with which limits. The environment is handed in as a map.
//!
//! [`resolve`] goes from flags, environment, `hookwatch.toml` and contexts of the NATS CLI to a
//! [`Profile`] in which every file is read and every variable looked up. [`EXAMPLE`] explains
//! every key of the file.

mod context;
mod document;
mod duration;
mod endpoint;
mod family;
mod link;
mod paths;
mod problem;
mod profile;
mod resolve;
mod schema;

pub use duration::{format_duration, parse_duration};
pub use family::{Families, Family};
pub use link::{Discovery, HttpAuth, NatsAuth, NatsLink, PostgresLink, Target, Tls};
pub use paths::Surroundings;
pub use problem::{Origin, Problem, Problems};
pub use profile::{
    AlertLevel, Alerts, DeadLetters, Environment, Fire, LetterHeaders, Pipeline, Profile, SecretPlace, Thresholds,
    TraceSettings, VERDICTS,
};
pub use resolve::{ConsoleOptions, Overrides, Resolved, Shown, console_options, redactor_of, resolve, resolve_all};

/// A configuration file with every key explained.
pub const EXAMPLE: &str = include_str!("example.toml");
