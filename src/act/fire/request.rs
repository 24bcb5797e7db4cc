//! Everything that a person asks for, on the command line or on screen: one way to a plan for both.

use std::time::Duration;

use super::error::{GuardError, PlanError};
use super::guard::guard;
use super::library::Library;
use super::load::Load;
use super::order::{Composed, Order, OrderError};
use super::plan::Plan;
use crate::config::{Environment, Profile};

/// What is to be fired, how often, and how closely it is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Template, target, scheme, key and fields.
    pub order: Order,
    /// How many, how fast, and what must hold.
    pub load: Load,
    /// Whether it is followed to its row.
    pub trace: bool,
    /// Again and again, after so long.
    pub every: Option<Duration>,
    /// Every attack, one after the other.
    pub selftest: bool,
}

/// Why nothing can be fired.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Template, target, scheme or key.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The profile's rules.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// Numbers that do not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Request {
    /// Whether it is more than a few single webhooks.
    #[must_use]
    pub fn is_load(&self) -> bool {
        let is_canary = self.trace || self.every.is_some();
        self.load.count.is_some_and(|count| count > 1) && !is_canary || self.load.duration.is_some() || self.selftest
    }

    /// What would be fired; whatever is wrong is found here, before the first request. `confirmed`:
    /// somebody said that a target elsewhere is meant.
    ///
    /// # Errors
    /// What is wrong, or what the profile does not let.
    pub fn prepare(
        &self,
        library: &Library,
        profile: &Profile,
        environment: &Environment,
        confirmed: bool,
    ) -> Result<(Plan, Composed), RequestError> {
        let composed = self
            .order
            .compose(library, &profile.fire, &profile.redactor, environment)?;
        guard(&composed.url, self.is_load(), confirmed, profile)?;
        let plan = composed.plan(&self.load)?;
        Ok((plan, composed))
    }
}
