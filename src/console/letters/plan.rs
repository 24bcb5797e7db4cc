//! From what is selected to a plan, and the question about it.

use super::Deed;
use super::form::{Form, Subject};
use crate::act::journal::Purpose;

use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::screen::dead_letters::LIST;
use crate::model::Severity;
use crate::sample::LetterForm;

impl App {
    /// Opens the form of what is selected, after the lock was opened.
    pub(super) fn want(&mut self, purpose: Purpose, command: Command) -> Vec<Effect> {
        if matches!(self.ui.letters.deed, Deed::Running { .. } | Deed::Retrying(_)) {
            let (pause, end) = (self.key(Command::PauseReplay), self.key(Command::CancelReplay));
            self.flash(
                Severity::Warning,
                format!("A replay runs: {pause} pauses it, {end} ends it"),
            );
            return Vec::new();
        }
        let list = &self.ui.letters.list;
        let subject = match list.wanted.other {
            None => self
                .selected()
                .map(|filter| Subject::Letters(Box::new(filter), purpose)),
            Some(LetterForm::Row) if purpose == Purpose::Replay => self.selected_calls().map(Subject::Calls),
            Some(LetterForm::Row) => {
                let key = self.key(Command::Replay);
                self.flash(
                    Severity::Info,
                    format!("Failed rows are not put aside: {key} puts them back"),
                );
                return Vec::new();
            }
            Some(_) if purpose == Purpose::Archive => {
                let key = self.key(Command::Replay);
                let text = format!("Parked messages are not put aside: {key} replays them where they lie");
                self.flash(Severity::Info, text);
                return Vec::new();
            }
            Some(_) if list.rows.iter().any(|row| row.form == LetterForm::Orphaned) => {
                let text = "Nobody can say which of these were acked before a server crash: none is replayed from here";
                self.flash(Severity::Warning, text);
                return Vec::new();
            }
            Some(_) => self
                .selected()
                .map(|filter| Subject::Letters(Box::new(filter), purpose)),
        };
        let Some(subject) = subject else {
            self.flash(Severity::Info, "There is no letter to choose");
            return Vec::new();
        };
        // What is selected now is selected, whatever arrives in the meantime.
        let row = self.scene().row(LIST);
        self.grid(LIST).row = row;
        if !self.may_change(command) {
            return Vec::new();
        }
        let Some(office) = &self.office else { return Vec::new() };
        let about = self.about(&subject);
        let list_form = self.ui.letters.list.wanted.form();
        let form = Form::new(subject, list_form, about, office.clone(), self.ui.letters.pace);
        self.open_form(form)
    }

    /// The one letter or call that is meant, in a sentence.
    fn about(&self, subject: &Subject) -> Option<String> {
        let rows = &self.ui.letters.list.rows;
        let row = match subject {
            Subject::Letters(filter, _) => {
                let ids = filter.ids.as_ref().filter(|ids| ids.len() == 1)?;
                rows.iter().find(|row| ids.contains(&row.sequence))?
            }
            Subject::Calls(calls) => {
                let call = calls.first().filter(|_| calls.len() == 1)?;
                rows.iter().find(|row| row.id.as_ref() == Some(call))?
            }
        };
        let reason = row.reason.as_deref().unwrap_or("no reason given");
        Some(match subject {
            Subject::Letters(..) => format!("{} · {reason}", row.sequence),
            Subject::Calls(_) => reason.to_owned(),
        })
    }
}
