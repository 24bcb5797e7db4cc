//! The lock: nothing is changed before a person opens it, for a limited time.

use crate::act::letters::UNLOCKED;
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::layer::{Confirm, Consent, Dialog};
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::Severity;

impl App {
    /// Asks whether changes should be unlocked, and what is done then; or locks them.
    pub(super) fn toggle_lock(&mut self, then: Option<Command>) {
        let Some(office) = &self.office else { return };
        let name = tidy(&office.profile.name, 40).into_owned();
        if office.profile.read_only {
            let text = format!("{name} is read-only → change read_only in the configuration, or use another profile");
            self.flash(Severity::Warning, text);
            return;
        }
        if then.is_none() && office.gate(self.write()).is_open(self.now.mono) {
            self.ui.letters.unlocked = None;
            self.flash(Severity::Info, "Locked: nothing can be changed from here");
            return;
        }
        let confirm = if office.profile.protected {
            Confirm::Typed {
                ask: "Type the profile's name".to_owned(),
                expected: office.profile.name.to_string(),
            }
        } else {
            Confirm::Yes
        };
        let title = format!("Unlock changes on {name}");
        let dialog = Dialog::new(title, "Unlock", confirm, Consent::Unlock(then))
            .row(
                "until",
                format!("{} from now, or W", text::duration(UNLOCKED)),
                Role::Text,
            )
            .row(
                "then",
                "letters can be replayed and put aside; each plan asks again",
                Role::Text,
            )
            .row("", "Nothing is changed by unlocking.", Role::Dim);
        self.ask(dialog);
    }

    /// Changes are unlocked from now on.
    pub(in crate::console) fn unlock(&mut self, then: Option<Command>) -> Vec<Effect> {
        self.ui.letters.unlocked = Some(self.now.mono + UNLOCKED);
        self.flash(
            Severity::Warning,
            format!("Unlocked for {}: W locks", text::duration(UNLOCKED)),
        );
        then.map_or_else(Vec::new, |command| self.run_on_letters(command))
    }
}
