//! Test webhooks: signed as their providers sign, sent on an open-loop schedule, counted exactly.
//!
//! ```text
//! Library ─Template─▶ Mix ─▶ Plan ─▶ run: Dispatcher ─number, intended time─▶ lane ─▶ Composer ─▶ target
//!                                                                              └─▶ Tally ─▶ Progress, Summary
//! ```
//!
//! A seed and a number make a shot, whichever lane sends it; its latency counts from the time at
//! which the schedule wanted it sent.

mod body;
mod capture;
mod compose;
mod connection;
mod dispatch;
mod edit;
mod expect;
mod library;
mod load;
mod mix;
mod order;
mod pattern;
mod payload;
mod plan;
mod request;
mod run;
mod selftest;
mod tally;
mod target;
mod template;
mod variant;

pub use body::{BodyField, Preview};
pub use capture::{Captured, save};
pub use expect::{Checked, Expectation, UnknownExpectation, expectations};
pub use library::Library;
pub use load::{Batch, Load};
pub use mix::{Entry, Mix, Poison, check_scheme};
pub use order::{Composed, GuardError, Order, OrderError, Refusal, SecretSource, guard};
pub use plan::{HttpVersion, Limit, MAX_CONCURRENCY, MAX_RETRIES, Plan, PlanError, Steering};
pub use request::{Request, RequestError};
pub use run::run;
pub use selftest::{Attack, Judgement, selftest};
pub use tally::{CheckCount, Exchange, FailureKind, Latency, Outcomes, Part, Progress, Sample, Summary};
pub use target::{Host, host_of};
pub use template::{BodyKind, Template, TemplateError, Webhook};
pub use variant::{UnknownVariant, Variant};

/// Why nothing was fired.
#[derive(Debug, thiserror::Error)]
pub enum FireError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The profile does not let it.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
