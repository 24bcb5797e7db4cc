//! What every command that changes something has in common: the gate, and the audit log.

use std::sync::Arc;

use super::replay::ReplayContext;
use crate::act::audit::{Account, AuditError, AuditLog, Deed};
use crate::act::permit::{Asked, Confirmed, Gate, Permit, Refusal, Write as Writing};

/// What a person said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Consent {
    /// Whether anything is to be changed.
    pub write: bool,
    /// The count that was confirmed.
    pub yes: Option<u64>,
    /// The protected profile's name that was typed.
    pub confirm_profile: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// What is about to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action<'a> {
    /// What: `replay`, `resume`, `archive`, `import`, `retry`.
    pub(super) name: &'static str,
    /// The stream or table that it is done to.
    pub(super) to: &'a Arc<str>,
    /// Which of it, as it was asked for.
    pub(super) filter: &'a str,
    /// How many are planned; 0: as many as were confirmed when it began.
    pub(super) planned: u64,
}

impl Consent {
    /// The gate of the profile.
    pub(super) fn gate(&self, context: &ReplayContext) -> Gate {
        let write = if self.write { Writing::Asked } else { Writing::Locked };
        Gate::new(&context.profile, write)
    }

    /// Leave to do what a plan with this hash and count holds.
    pub(super) fn permit(
        &self,
        action: &'static str,
        plan: &str,
        count: u64,
        context: &ReplayContext,
    ) -> Result<Permit, Refusal> {
        let asked = Asked {
            action,
            plan,
            count,
            is_load: false,
        };
        let confirmed = Confirmed {
            count: self.yes,
            profile: self.confirm_profile.as_deref(),
        };
        self.gate(context).permit(asked, confirmed, context.clock.now().mono)
    }

    /// Writes down that it begins.
    pub(super) fn begin(&self, action: Action<'_>, context: &ReplayContext) -> Result<Account, AuditError> {
        let log = AuditLog::new(&context.state, context.profile.redactor.clone());
        let deed = Deed {
            at: context.clock.now().at,
            who: context.who.clone(),
            profile: context.profile.name.clone(),
            action: action.name.to_owned(),
            dlq: action.to.clone(),
            replay: None,
            filter: action.filter.to_owned(),
            reason: self.reason.clone(),
            planned: action.planned,
            counts: None,
            outcome: "begun".to_owned(),
        };
        Account::open(log, deed, context.clock.clone())
    }
}
