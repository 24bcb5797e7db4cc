//! From what is selected to a plan, and the question about it.

use std::sync::Arc;
use std::time::Duration;

use super::Deed;
use super::choose::pace;
use super::follow::ask;
use crate::act::journal::Purpose;
use crate::act::letters::{Order, Query, Said, Scanned, Wish};
use crate::act::plan::{LeftOut, Plan};
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::layer::{Confirm, Consent, Dialog};
use crate::console::screen::dead_letters::LIST;
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::Severity;

/// Subjects that a question names.
const NAMED: usize = 3;

impl App {
    /// Draws the plan of what is selected, after the lock was opened.
    pub(super) fn want(&mut self, purpose: Purpose, command: Command) -> Vec<Effect> {
        if matches!(self.ui.letters.deed, Deed::Running { .. }) {
            self.flash(Severity::Warning, "A replay runs: P pauses it, X ends it");
            return Vec::new();
        }
        if self.ui.letters.list.wanted.other.is_some() {
            let text = "These are shown only: f goes back to the copies, which can be replayed";
            self.flash(Severity::Info, text);
            return Vec::new();
        }
        let Some(filter) = self.selected() else {
            self.flash(Severity::Info, "There is no letter to choose");
            return Vec::new();
        };
        // What is selected now is selected, whatever arrives in the meantime.
        let row = self.scene().row(LIST);
        self.grid(LIST).row = row;
        let Some(office) = &self.office else { return Vec::new() };
        if !office.gate(self.write()).is_open(self.now.mono) {
            self.toggle_lock(Some(command));
            return Vec::new();
        }
        let rate = self.ui.letters.rate().filter(|_| purpose == Purpose::Replay);
        let wish = Wish { filter, purpose, rate };
        let letters = self.letters_mut();
        let number = letters.number();
        letters.deed = Deed::Planning {
            number,
            wish: Box::new(wish.clone()),
            scan: Scanned::default(),
        };
        vec![ask(number, Query::Plan(wish))]
    }

    /// The plan is there: it is shown, and asked about.
    pub(super) fn ask_about(&mut self, plan: Arc<Plan>) {
        let letters = &self.ui.letters;
        if let Some(claim) = letters.standing.claim.as_ref().filter(|_| !letters.standing.ours) {
            let (holder, progress) = (text::safe(&claim.holder).into_owned(), claim.progress);
            let reason = format!(
                "{holder} is replaying since {}: {} of {} published → wait for its end; if it is dead, u takes it over",
                self.ui.zone().clock(claim.since),
                text::count(progress.landed),
                text::count(progress.selected),
            );
            self.ui.letters.deed = Deed::Refused(reason);
            return;
        }
        if letters.standing.unfinished.is_some() {
            let reason = "a replay was left unfinished → u goes on with it first".to_owned();
            self.ui.letters.deed = Deed::Refused(reason);
            return;
        }
        if plan.count == 0 {
            let gone = "there is no letter left that is meant → r reads the list again".to_owned();
            self.ui.letters.deed = Deed::Refused(gone);
            return;
        }
        let Some(office) = &self.office else { return };
        let protected = office.profile.protected.then(|| office.profile.name.to_string());
        let confirm = match (plan.count, &protected) {
            (1, None) => Confirm::Yes,
            (count, None) => Confirm::Typed {
                ask: format!("Type the count to {}", verb(&plan)),
                expected: count.to_string(),
            },
            (count, Some(name)) => Confirm::Typed {
                ask: "Type the count and the profile's name".to_owned(),
                expected: format!("{count} {name}"),
            },
        };
        let said = Said {
            count: plan.count,
            profile: protected,
            write: self.write(),
        };
        let title = title(&plan);
        let consent = Consent::Order(Box::new(Order::Replay {
            plan: plan.clone(),
            said,
        }));
        let mut dialog = Dialog::new(title, capital(verb(&plan)), confirm, consent);
        if let Some(text) = self.only(&plan) {
            dialog = dialog.row("letter", text, Role::Strong);
        }
        for (label, text, role) in rows(&plan) {
            dialog = dialog.row(label, text, role);
        }
        self.ui.letters.deed = Deed::Planned(plan);
        self.ask(dialog);
    }

    /// The one letter of a plan in a sentence.
    pub(super) fn only(&self, plan: &Plan) -> Option<String> {
        let [letter] = plan.letters.as_slice() else { return None };
        let rows = &self.ui.letters.list.rows;
        let row = rows.iter().find(|row| row.sequence == letter.sequence)?;
        let reason = row.reason.as_deref().unwrap_or("no reason given");
        Some(format!("{} · {reason}", row.sequence))
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

/// What a plan says, for the question about it.
fn rows(plan: &Plan) -> Vec<(String, String, Role)> {
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
        row("target", format!("{count}{stream}: {named}{more}"), Role::Text);
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
        let pace = format!(
            "{canary}{}{}; stops if they die again",
            pace(plan.rate),
            takes.unwrap_or_default()
        );
        row("pace", pace, Role::Text);
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
