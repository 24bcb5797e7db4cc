//! Why something is not fired.

use std::sync::Arc;

use crate::act::pace::RateError;

/// Connections at most.
pub const MAX_CONCURRENCY: usize = 10_000;

/// Attempts at one request beyond the first, at most.
pub const MAX_RETRIES: u32 = 10;

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

/// A plan that cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// No entries, no weight, no shots.
    #[error("there is nothing to fire → name a template with a weight above 0 and at least one shot")]
    NothingToFire,
    /// A weight that is none.
    #[error("weight {weight} of {template}: it is no number from 0 up → correct it")]
    Weight {
        /// Of which template.
        template: Arc<str>,
        /// As given.
        weight: f64,
    },
    /// A share that is none.
    #[error("share of {what}: {share} is not between 0 and 1 → correct it")]
    Share {
        /// Of what.
        what: &'static str,
        /// As given.
        share: f64,
    },
    /// Poison without a cause.
    #[error("poison: no cause is named → name at least one")]
    NoPoisonCause,
    /// A template cannot be sent like that.
    #[error("{what} of {template}: {reason} → leave out the one or the other")]
    Unfit {
        /// Which template.
        template: Arc<str>,
        /// What was asked of it.
        what: &'static str,
        /// Why it cannot be.
        reason: String,
    },
    /// A rate that cannot be.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A batch that waits for a time, and nothing that comes in it.
    #[error("batch: a time says nothing without a rate → give --rate, or leave the time out")]
    BatchTime,
    /// A key that does not fit.
    #[error("{0}")]
    Key(String),
    /// Too many connections.
    #[error("concurrency {0}: more than {MAX_CONCURRENCY} connections → give fewer")]
    Concurrency(usize),
    /// Too many attempts.
    #[error("retries {0}: more than {MAX_RETRIES} hide what is wrong → give fewer")]
    Retries(u32),
    /// No time for an answer.
    #[error("timeout 0: no answer is that fast → give a duration above 0")]
    Timeout,
    /// A URL that cannot be requested.
    #[error("target {url}: {reason} → give http:// or https://, a host and a path")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a profile does not let something be fired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever fires there has to say that it is meant.
    #[error(
        "{target} is neither on this machine nor listed in the profile → add --yes if it is meant, or list it in fire.allow"
    )]
    Unconfirmed {
        /// The target, without credentials.
        target: String,
        /// Its host: what is typed to confirm it.
        host: String,
    },
    /// A protected profile takes single webhooks only.
    #[error("the profile is protected and takes no load for {0} → fire a single webhook, or use another profile")]
    Protected(String),
    /// A read-only profile takes none.
    #[error("the profile is read-only: nothing is fired at {0} → use another profile")]
    ReadOnly(String),
}

/// Why something may not be fired.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The profile's rule.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The URL is none.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl From<GuardError> for FireError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Refusal(refusal) => Self::Refused(refusal),
            GuardError::Plan(plan) => Self::Plan(plan),
        }
    }
}
