//! The one gate. Whatever changes something on a system takes a [`Permit`], and only
//! [`Gate::permit`] makes one.

use std::sync::Arc;
use std::time::Duration;

use crate::base::text;
use crate::config::Profile;

/// Leave to do one planned thing once. It cannot be copied, and doing it uses it up.
#[derive(Debug)]
#[must_use = "a permit that is dropped was asked for in vain"]
pub struct Permit {
    plan: Arc<str>,
}

impl Permit {
    /// Uses it up for the plan with this hash.
    ///
    /// # Errors
    /// When it was given for another plan.
    pub fn redeem(self, plan: &str) -> Result<(), Refusal> {
        if *self.plan == *plan {
            Ok(())
        } else {
            Err(Refusal::AnotherPlan)
        }
    }
}

/// What a permit is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is to be done, for the refusal: `replay`, `import`, `archive`, `fire load`.
    pub action: &'static str,
    /// The plan's hash.
    pub plan: &'a str,
    /// How many things it touches.
    pub count: u64,
    /// Whether it is load, which a protected profile never takes.
    pub is_load: bool,
}

impl<'a> Asked<'a> {
    /// For a plan that changes `count` things.
    #[must_use]
    pub fn change(action: &'static str, plan: &'a str, count: u64) -> Self {
        Self {
            action,
            plan,
            count,
            is_load: false,
        }
    }
}

/// What a person said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Confirmed<'a> {
    /// The count that was typed; one thing needs no count, but a yes.
    pub count: Option<u64>,
    /// The profile's name that was typed.
    pub profile: Option<&'a str>,
}

/// Why there is no permit. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The profile is read-only, or writing was not asked for.
    #[error(
        "{action}: the profile {profile:?} is read-only → change read_only in the configuration, or use another profile"
    )]
    ReadOnly {
        /// What was asked for.
        action: &'static str,
        /// The profile.
        profile: String,
    },
    /// Writing was not asked for, or the time for it is over.
    #[error("{action}: nothing is changed without being asked to → add --write, or unlock the console")]
    Locked {
        /// What was asked for.
        action: &'static str,
    },
    /// It was not confirmed, or something else was.
    #[error("{action}: the plan holds {planned}, {} → confirm with --yes {planned}", .confirmed.map_or_else(|| "and no count was confirmed".to_owned(), |count| format!("and {count} was confirmed")))]
    Unconfirmed {
        /// What was asked for.
        action: &'static str,
        /// What the plan holds.
        planned: u64,
        /// What was confirmed.
        confirmed: Option<u64>,
    },
    /// A protected profile's name was not typed.
    #[error("{action}: the profile {profile:?} is protected → type its name, too: --confirm-profile {profile}")]
    Protected {
        /// What was asked for.
        action: &'static str,
        /// The profile.
        profile: String,
    },
    /// A protected profile takes no load.
    #[error("{action}: the profile {profile:?} is protected and takes no load → use another profile")]
    NoLoad {
        /// What was asked for.
        action: &'static str,
        /// The profile.
        profile: String,
    },
    /// A plan with nothing in it.
    #[error("{action}: there is nothing to do → widen the filter")]
    Nothing {
        /// What was asked for.
        action: &'static str,
    },
    /// The permit was given for another plan.
    #[error("the permit was given for another plan → plan and confirm again")]
    AnotherPlan,
}

/// What decides: the profile, and whether writing was asked for.
#[derive(Clone, Debug)]
pub struct Gate {
    profile: Arc<str>,
    read_only: bool,
    protected: bool,
    write: Write,
}

/// Whether writing was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Write {
    /// It was not.
    #[default]
    Locked,
    /// With `--write`, for this command.
    Asked,
    /// In the console, until this time since its start.
    Until(Duration),
}

impl Gate {
    /// The gate of a profile.
    #[must_use]
    pub fn new(profile: &Profile, write: Write) -> Self {
        Self {
            profile: profile.name.clone(),
            read_only: profile.read_only,
            protected: profile.protected,
            write,
        }
    }

    /// Whether anything could be done now (time since the session's start).
    #[must_use]
    pub fn is_open(&self, now: Duration) -> bool {
        !self.read_only
            && match self.write {
                Write::Locked => false,
                Write::Asked => true,
                Write::Until(end) => now < end,
            }
    }

    /// The permit for what is asked, if it may be done.
    ///
    /// # Errors
    /// Why not.
    pub fn permit(&self, asked: Asked<'_>, confirmed: Confirmed<'_>, now: Duration) -> Result<Permit, Refusal> {
        let action = asked.action;
        let profile = || text::safe(&self.profile).into_owned();
        if self.read_only {
            return Err(Refusal::ReadOnly {
                action,
                profile: profile(),
            });
        }
        if !self.is_open(now) {
            return Err(Refusal::Locked { action });
        }
        if asked.count == 0 {
            return Err(Refusal::Nothing { action });
        }
        if confirmed.count != Some(asked.count) {
            return Err(Refusal::Unconfirmed {
                action,
                planned: asked.count,
                confirmed: confirmed.count,
            });
        }
        if self.protected && asked.is_load {
            return Err(Refusal::NoLoad {
                action,
                profile: profile(),
            });
        }
        if self.protected && confirmed.profile != Some(&*self.profile) {
            return Err(Refusal::Protected {
                action,
                profile: profile(),
            });
        }
        Ok(Permit {
            plan: asked.plan.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked {
        action: "replay",
        plan: "abc",
        count: 3,
        is_load: false,
    };
    const THREE: Confirmed<'_> = Confirmed {
        count: Some(3),
        profile: None,
    };

    fn profile(read_only: bool, protected: bool) -> Profile {
        Profile {
            protected,
            read_only,
            ..Profile::empty("prod")
        }
    }

    fn ask(profile: &Profile, write: Write, confirmed: Confirmed<'_>) -> Result<Permit, Refusal> {
        Gate::new(profile, write).permit(ASKED, confirmed, Duration::from_secs(10))
    }

    #[test]
    fn a_read_only_profile_gives_none_whatever_is_said() {
        let error = ask(&profile(true, false), Write::Asked, THREE).unwrap_err();
        assert!(matches!(error, Refusal::ReadOnly { .. }));
    }

    #[test]
    fn writing_must_be_asked_for_and_ends() {
        let profile = profile(false, false);
        for (write, given) in [
            (Write::Locked, false),
            (Write::Asked, true),
            (Write::Until(Duration::from_secs(10)), false),
            (Write::Until(Duration::from_secs(11)), true),
        ] {
            assert_eq!(ask(&profile, write, THREE).is_ok(), given, "{write:?}");
        }
    }

    #[test]
    fn the_count_must_be_the_plans() {
        for count in [None, Some(2), Some(4)] {
            let confirmed = Confirmed { count, profile: None };
            let error = ask(&profile(false, false), Write::Asked, confirmed).unwrap_err();
            assert!(error.to_string().ends_with("→ confirm with --yes 3"), "{error}");
        }
    }

    #[test]
    fn nothing_needs_no_permit() {
        let gate = Gate::new(&profile(false, false), Write::Asked);
        let none = Asked { count: 0, ..ASKED };
        let confirmed = Confirmed {
            count: Some(0),
            profile: None,
        };
        assert!(matches!(
            gate.permit(none, confirmed, Duration::ZERO),
            Err(Refusal::Nothing { .. })
        ));
    }

    #[test]
    fn a_protected_profile_wants_its_name_and_takes_no_load() {
        let profile = profile(false, true);
        for (name, given) in [(None, false), (Some("Prod"), false), (Some("prod"), true)] {
            let confirmed = Confirmed { profile: name, ..THREE };
            assert_eq!(ask(&profile, Write::Asked, confirmed).is_ok(), given, "{name:?}");
        }
        let load = Asked { is_load: true, ..ASKED };
        let confirmed = Confirmed {
            profile: Some("prod"),
            ..THREE
        };
        let error = Gate::new(&profile, Write::Asked)
            .permit(load, confirmed, Duration::ZERO)
            .unwrap_err();
        assert!(matches!(error, Refusal::NoLoad { .. }));
    }

    #[test]
    fn a_permit_is_for_one_plan() {
        let permit = ask(&profile(false, false), Write::Asked, THREE).unwrap();
        assert_eq!(permit.redeem("abd"), Err(Refusal::AnotherPlan));
        let permit = ask(&profile(false, false), Write::Asked, THREE).unwrap();
        assert_eq!(permit.redeem("abc"), Ok(()));
    }
}
