//! What commands of the dead letters do.

use super::Letters;
use crate::act::journal::Purpose;
use crate::act::permit::Write;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::model::Severity;

impl App {
    /// Runs a command of the dead letters.
    pub(in crate::console) fn run_on_letters(&mut self, command: Command) -> Vec<Effect> {
        if self.office.is_none() {
            self.flash(Severity::Info, "Letters are read from a live dead letter stream only");
            return Vec::new();
        }
        match command {
            Command::Replay => return self.want(Purpose::Replay, command),
            Command::Archive => return self.want(Purpose::Archive, command),
            Command::ExportLetters => return self.export(),
            Command::MarkAll => self.mark_all(),
            Command::GroupBy => self.next_grouping(),
            Command::Order => {
                let wanted = &mut self.ui.letters.list.wanted;
                wanted.oldest_first = !wanted.oldest_first;
            }
            Command::Forms => self.next_form(),
            Command::Reload => self.ui.letters.forget(),
            Command::Look => self.ui.letters.turn(),
            Command::Unlock => self.toggle_lock(None),
            Command::PauseReplay => return self.pause_replay(),
            Command::CancelReplay => self.ask_to_cancel(),
            Command::ResumeReplay => self.ask_to_resume(),
            Command::RateUp => self.step_pace(1),
            Command::RateDown => self.step_pace(-1),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn letters_mut(&mut self) -> &mut Letters {
        &mut self.ui.letters
    }

    /// Whether changes are unlocked now.
    pub(super) fn write(&self) -> Write {
        self.ui.letters.unlocked.map_or(Write::Locked, Write::Until)
    }
}
