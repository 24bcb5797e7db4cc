//! The lock: nothing is changed before a person opens it, for a limited time. It is one for all that
//! the console can do: whoever reads READ-ONLY at three in the morning presses no key that sends
//! something to a pipeline, be it a replay or a test webhook at a gateway that the profile lists.

use crate::act::letters::UNLOCKED;
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::dialog::{Confirm, Consent, Dialog};
use crate::console::screen::Hits;
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::Severity;

impl App {
    /// Whether something may be changed now; else it is asked whether `command` should unlock that.
    pub(in crate::console) fn may_change(&mut self, command: Command) -> bool {
        let write = self.write();
        let now = self.now.mono;
        // Where there is no office, nobody reaches anything.
        let is_open = self
            .office
            .as_ref()
            .is_none_or(|office| office.gate(write).is_open(now));
        if !is_open {
            self.toggle_lock(Some(command));
        }
        is_open
    }

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
                format!(
                    "{} from now, or {}",
                    text::duration(UNLOCKED),
                    self.key(Command::Unlock)
                ),
                Role::Text,
            )
            .row(
                "then",
                "letters can be replayed and put aside, each plan asks again; webhooks can be fired",
                Role::Text,
            )
            .row("", "Nothing is changed by unlocking.", Role::Dim);
        self.ask(dialog);
    }

    /// Changes are unlocked from now on.
    pub(in crate::console) fn unlock(&mut self, then: Option<Command>, hits: &Hits) -> Vec<Effect> {
        self.ui.letters.unlocked = Some(self.now.mono + UNLOCKED);
        self.flash(
            Severity::Warning,
            format!(
                "Unlocked for {}: {} locks",
                text::duration(UNLOCKED),
                self.key(Command::Unlock)
            ),
        );
        then.map_or_else(Vec::new, |command| self.run(command, hits))
    }
}
