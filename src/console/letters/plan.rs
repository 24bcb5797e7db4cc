//! From what is selected to a plan, and the question about it.

use std::time::Duration;

use super::Deed;
use super::choose::pace;
use super::form::{Form, Subject};
use crate::act::journal::Purpose;
use crate::act::plan::{LeftOut, Plan};
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::screen::dead_letters::LIST;
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::Severity;
use crate::sample::LetterForm;

/// Subjects that a question names.
const NAMED: usize = 3;

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

fn verb(plan: &Plan) -> &'static str {
    match plan.how.purpose {
        Purpose::Replay => "replay",
        Purpose::Archive => "archive",
    }
}

fn capital(verb: &str) -> String {
    let mut letters = verb.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) fn title(plan: &Plan) -> String {
    let noun = if plan.count == 1 { "letter" } else { "letters" };
    format!("{} {} {noun}", capital(verb(plan)), text::count(plan.count))
}

/// What a plan says: a label, a text and what it means.
pub(in crate::console) fn rows(plan: &Plan) -> Vec<(String, String, Role)> {
    let mut rows: Vec<(String, String, Role)> = Vec::new();
    let mut row = |label: &str, text: String, role| rows.push((label.to_owned(), text, role));
    for target in &plan.targets {
        let subjects: Vec<String> = target.subjects.iter().map(|name| tidy(name, 60).into_owned()).collect();
        let more = match subjects.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", text::count(more as u64)),
        };
        let named = subjects[..subjects.len().min(NAMED)].join(", ");
        let count = if plan.targets.len() > 1 {
            format!("{} to ", text::count(target.letters))
        } else {
            String::new()
        };
        let stream = tidy(&target.stream, 60);
        row("goes to", format!("{count}{stream}: {named}{more}"), Role::Text);
    }
    if let Some(url) = &plan.to_url {
        row("goes to", tidy(url, 200).into_owned(), Role::Strong);
    }
    row(
        "letters",
        format!("{}, {}", text::safe(&plan.filter), text::bytes(plan.bytes)),
        Role::Text,
    );
    let stripped: Vec<String> = plan.stripped.iter().map(|name| tidy(name, 40).into_owned()).collect();
    let stripped = match stripped.len() {
        0 => "none stripped".to_owned(),
        1..=4 => format!("stripped {}", stripped.join(", ")),
        many => format!("{many} of the dead letter stream stripped"),
    };
    let kept = format!("{} kept byte for byte, {stripped}, new Nats-Msg-Id", plan.kept.len());
    row("headers", kept, Role::Text);
    if plan.how.purpose == Purpose::Replay {
        let takes = plan
            .estimate_s
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let takes = takes.filter(|takes| *takes >= Duration::from_secs(1));
        let takes = takes.map(|takes| format!(", about {}", text::duration(takes)));
        let canary = match plan.canary {
            0 => String::new(),
            canary => format!("canary {}, then ", text::count(canary)),
        };
        let to_gateway = plan.to_url.is_some();
        let until = if to_gateway {
            "stops if the gateway refuses the first"
        } else {
            "stops if they die again"
        };
        let pace = match (plan.count, plan.canary) {
            (1, _) if to_gateway => "sent, and its answer awaited".to_owned(),
            (1, 0) => "sent, and not followed".to_owned(),
            (1, _) => "sent, and followed to its end".to_owned(),
            _ => {
                let takes = takes.unwrap_or_default();
                format!("{canary}{}{takes}; {until}", pace(plan.rate))
            }
        };
        row("takes", pace, Role::Text);
    }
    let LeftOut {
        orphaned,
        replayed_before,
        beyond_max,
        later,
    } = plan.left_out;
    let left_out = [
        (orphaned, "acked before a server crash"),
        (replayed_before, "replayed before and back after a crash"),
        (beyond_max, "beyond the limit"),
        (later, "arrived later"),
    ];
    for (count, why) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        row("left out", format!("{} {why}", text::count(count)), Role::Warning);
    }
    for risk in &plan.risks {
        row("risk", text::safe(risk).into_owned(), Role::Warning);
    }
    row(
        "",
        "Letters that die from now on are not in it. Every step is journalled.".to_owned(),
        Role::Dim,
    );
    rows
}
