//! What a person consented to, and the gate that asks for it.

use super::action::ActionContext;
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

impl Consent {
    /// The gate of the profile.
    pub(super) fn gate(&self, context: &ActionContext) -> Gate {
        let write = if self.write { Writing::Asked } else { Writing::Locked };
        Gate::new(&context.profile, write)
    }

    /// Leave to do what a plan with this hash and count holds.
    pub(super) fn permit(
        &self,
        action: &'static str,
        plan: &str,
        count: u64,
        context: &ActionContext,
    ) -> Result<Permit, Refusal> {
        let asked = Asked::change(action, plan, count);
        let confirmed = Confirmed {
            count: self.yes,
            profile: self.confirm_profile.as_deref(),
        };
        self.gate(context).permit(asked, confirmed, context.clock.now().mono)
    }
}
