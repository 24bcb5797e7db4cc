//! Test webhooks: signed as their providers sign, sent on an open-loop schedule, counted exactly.
//!
//! ```text
//! Library ─Template─▶ Mix ─▶ Plan ─▶ run: Dispatcher ─number, intended time─▶ lane ─▶ Composer ─▶ target
//!                                                                              └─▶ Tally ─▶ Progress, Summary
//! ```
//!
//! A seed and a number make a shot, whichever lane sends it; its latency counts from the time at
//! which the schedule wanted it sent.

mod compose;
mod connection;
mod dispatch;
mod edit;
mod library;
mod mix;
mod pattern;
mod plan;
mod run;
mod tally;
mod target;
mod template;
mod variant;

pub use library::Library;
pub use mix::{Entry, Mix, Poison};
pub use plan::{HttpVersion, Limit, MAX_CONCURRENCY, Plan, PlanError, Steering};
pub use run::run;
pub use tally::{FailureKind, Latency, Outcomes, Part, Progress, Sample, Summary};
pub use target::{Host, host_of};
pub use template::{BodyKind, Template, TemplateError, Webhook};
pub use variant::{UnknownVariant, Variant};

/// Why nothing was fired.
#[derive(Debug, thiserror::Error)]
pub enum FireError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The target's host has no address.
    #[error("resolve {host} of {target}: {reason} → check the name and the network")]
    Unresolvable {
        /// The target, without credentials.
        target: String,
        /// Its host.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// The target speaks no TLS that we accept.
    #[error("TLS with {target}: {reason} → check its certificate, or name its authority")]
    Tls {
        /// The target, without credentials.
        target: String,
        /// What TLS says.
        reason: String,
    },
    /// A certificate or key that cannot be used.
    #[error("read certificate {path}: {reason} → give a PEM file that can be read")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No thread for the schedule.
    #[error("start the schedule's thread: {0} → end other processes and try again")]
    Thread(std::io::Error),
}

#[cfg(test)]
mod tests;
