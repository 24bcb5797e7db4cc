//! From marks to a report: what is selected, the lock, the plan, the question, the replay.

use std::sync::Arc;
use std::time::Duration;

use super::follow::ask;
use super::{Deed, Export, Letters, PACES};
use crate::act::journal::Purpose;
use crate::act::letters::{Order, Query, Request, Said, Scanned, Slot, UNLOCKED, Wish};
use crate::act::permit::Write;
use crate::act::plan::{LeftOut, Plan};
use crate::act::replay::{Progress, Report, Steering};
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::layer::{Confirm, Consent, Dialog, Layer};
use crate::console::screen::Hits;
use crate::console::screen::dead_letters::{GROUPS, LIST, sequence};
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::Severity;
use crate::model::letters::{GroupBy, LetterFilter};
use crate::sample::LetterForm;

/// Subjects that a question names.
const NAMED: usize = 3;

impl App {
    /// Runs a command of the dead letters.
    pub(in crate::console) fn run_on_letters(&mut self, command: Command, hits: &Hits) -> Vec<Effect> {
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
            Command::Faster => self.step_pace(1),
            Command::Slower => self.step_pace(-1),
            _ => {}
        }
        let _ = hits;
        Vec::new()
    }

    fn letters_mut(&mut self) -> &mut Letters {
        &mut self.ui.letters
    }

    /// Whether changes are unlocked now.
    fn write(&self) -> Write {
        self.ui.letters.unlocked.map_or(Write::Locked, Write::Until)
    }

    /// What is selected: what all is marked of, else the marks, else the row under the cursor, or
    /// the group under it.
    fn selected(&self) -> Option<LetterFilter> {
        let letters = &self.ui.letters;
        if letters.list.all_marked {
            return Some(letters.list.filter.clone());
        }
        let named = |ids: Vec<u64>| LetterFilter {
            ids: Some(ids.into_iter().collect()),
            ..LetterFilter::default()
        };
        let marks: Vec<u64> = self
            .ui
            .grid(LIST)
            .marks
            .iter()
            .filter_map(|key| sequence(key))
            .collect();
        if !marks.is_empty() {
            return Some(named(marks));
        }
        if let Some(detail) = self.ui.detail() {
            return Some(named(vec![sequence(&detail.key)?]));
        }
        if self.ui.focus() == Some(GROUPS) {
            let key = self.scene().row(GROUPS)?;
            let mut filter = LetterFilter::parse(&letters.list.wanted.typed, self.now.at).ok()?;
            filter.group = Some((letters.groups.by, key.into()));
            return Some(filter);
        }
        Some(named(vec![sequence(&self.scene().row(LIST)?)?]))
    }

    /// Draws the plan of what is selected, after the lock was opened.
    fn want(&mut self, purpose: Purpose, command: Command) -> Vec<Effect> {
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

    /// Asks whether changes should be unlocked, and what is done then; or locks them.
    fn toggle_lock(&mut self, then: Option<Command>) {
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
    pub(in crate::console) fn unlock(&mut self, then: Option<Command>, hits: &Hits) -> Vec<Effect> {
        self.ui.letters.unlocked = Some(self.now.mono + UNLOCKED);
        self.flash(
            Severity::Warning,
            format!("Unlocked for {}: W locks", text::duration(UNLOCKED)),
        );
        then.map_or_else(Vec::new, |command| self.run_on_letters(command, hits))
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
    fn only(&self, plan: &Plan) -> Option<String> {
        let [letter] = plan.letters.as_slice() else { return None };
        let rows = &self.ui.letters.list.rows;
        let row = rows.iter().find(|row| row.sequence == letter.sequence)?;
        let reason = row.reason.as_deref().unwrap_or("no reason given");
        Some(format!("{} · {reason}", row.sequence))
    }

    /// A question about an order was answered with yes.
    pub(in crate::console) fn order(&mut self, order: Order) -> Vec<Effect> {
        let title = match &order {
            Order::Replay { plan, .. } => title(plan),
            Order::Resume { dlq, .. } => format!("Resume the replay of {}", text::safe(dlq)),
        };
        self.ui.letters.deed = Deed::Running {
            title,
            progress: Box::default(),
            paused: false,
            cancelled: false,
        };
        vec![Effect::Letters(Box::new(Request::Perform(order)))]
    }

    /// A question about an order was answered with no.
    pub(in crate::console) fn order_declined(&mut self) {
        if matches!(self.ui.letters.deed, Deed::Planned(_)) {
            self.ui.letters.deed = Deed::None;
        }
    }

    pub(super) fn replay_ended(&mut self, end: Result<Box<Report>, String>) {
        let title = match std::mem::take(&mut self.ui.letters.deed) {
            Deed::Running { title, .. } => title,
            _ => "Replay".to_owned(),
        };
        let (severity, text) = match &end {
            Ok(report) => (
                Severity::Info,
                format!("{title}: {} published", text::count(report.counts.landed)),
            ),
            Err(reason) => (Severity::Warning, format!("{title}: {reason}")),
        };
        self.flash(severity, text);
        // What was replayed is no letter any more.
        self.grid(LIST).marks.clear();
        let letters = self.letters_mut();
        letters.deed = Deed::Ended { title, end };
        letters.list.all_marked = false;
        letters.forget();
    }

    fn pause_replay(&mut self) -> Vec<Effect> {
        let Deed::Running { progress, paused, .. } = &mut self.ui.letters.deed else {
            self.flash(Severity::Info, "No replay runs");
            return Vec::new();
        };
        // One that paused by itself goes on, too.
        *paused = !(*paused || progress.phase == crate::act::replay::Phase::Paused);
        let steering = if *paused { Steering::Pause } else { Steering::Run };
        vec![Effect::Letters(Box::new(Request::Steer(steering)))]
    }

    fn ask_to_cancel(&mut self) {
        match &self.ui.letters.deed {
            Deed::Running { .. } => {
                let consent = Consent::Command(Command::CancelReplay);
                let dialog = Dialog::new("End the replay", "End it", Confirm::Yes, consent)
                    .row(
                        "",
                        "Nothing more is sent. What was sent is settled and written down.",
                        Role::Text,
                    )
                    .row("", "What is left stays in the dead letter stream.", Role::Dim);
                self.ask(dialog);
            }
            Deed::None | Deed::Planning { .. } | Deed::Planned(_) => self.flash(Severity::Info, "No replay runs"),
            Deed::Ended { .. } | Deed::Refused(_) => self.ui.letters.deed = Deed::None,
        }
    }

    /// Whether a replay runs, which leaving would end.
    pub(in crate::console) fn is_busy(&self) -> bool {
        matches!(self.ui.letters.deed, Deed::Running { .. })
    }

    /// Asks before a replay is left that runs. Who says it twice is not asked again.
    pub(in crate::console) fn asks_before_leaving(&mut self) -> bool {
        if !self.is_busy() || matches!(self.ui.layers.last(), Some(Layer::Dialog(_))) {
            return false;
        }
        let consent = Consent::Effects(vec![Effect::Quit]);
        let dialog = Dialog::new("Leave while a replay runs", "Leave", Confirm::Yes, consent)
            .row(
                "",
                "It stops at once. Every step is journalled: nothing is lost.",
                Role::Text,
            )
            .row(
                "",
                "u goes on with it here, hookwatch dlq replay --resume elsewhere.",
                Role::Dim,
            );
        self.ask(dialog);
        true
    }

    /// The replay is ended: it was asked about.
    pub(in crate::console) fn cancel_replay(&mut self) -> Vec<Effect> {
        if let Deed::Running { cancelled, .. } = &mut self.ui.letters.deed {
            *cancelled = true;
            return vec![Effect::Letters(Box::new(Request::Steer(Steering::Cancel)))];
        }
        Vec::new()
    }

    fn ask_to_resume(&mut self) {
        let letters = &self.ui.letters;
        let Some(office) = &self.office else { return };
        let standing = &letters.standing;
        let Some(dlq) = office.profile.pipeline.dlq.clone() else {
            return;
        };
        if standing.claim.is_none() && standing.unfinished.is_none() {
            self.flash(Severity::Info, "No replay was left unfinished");
            return;
        }
        if !office.gate(self.write()).is_open(self.now.mono) {
            self.toggle_lock(Some(Command::ResumeReplay));
            return;
        }
        let theirs = standing.claim.as_ref().filter(|_| !standing.ours);
        let protected = office.profile.protected.then(|| office.profile.name.to_string());
        let confirm = match (theirs, &protected) {
            (Some(claim), _) => Confirm::Typed {
                ask: "Type the holder's name to take it over".to_owned(),
                expected: claim.holder.to_string(),
            },
            (None, Some(name)) => Confirm::Typed {
                ask: "Type the profile's name".to_owned(),
                expected: name.clone(),
            },
            (None, None) => Confirm::Yes,
        };
        let (landed, selected) = standing.claim.as_ref().map_or_else(
            || standing.unfinished.unwrap_or_default(),
            |claim| (claim.progress.landed, claim.progress.selected),
        );
        let far = format!("{} of {} published", text::count(landed), text::count(selected));
        let take_over = theirs.map(|claim| claim.holder.to_string());
        let holder = theirs.map(|claim| {
            let since = self.ui.zone().clock(claim.since);
            format!("{} since {since}: only if it is dead", text::safe(&claim.holder))
        });
        let said = Said {
            count: 1,
            profile: protected,
            write: self.write(),
        };
        let order = Order::Resume { dlq, take_over, said };
        let mut dialog = Dialog::new(
            "Go on with the replay",
            "Resume",
            confirm,
            Consent::Order(Box::new(order)),
        )
        .row("so far", far, Role::Strong);
        if let Some(holder) = holder {
            dialog = dialog.row("holder", holder, Role::Warning);
        }
        let first = "What was sent before is looked for first; nothing is published twice.";
        self.ask(dialog.row("", first, Role::Dim));
    }

    fn step_pace(&mut self, step: isize) {
        let letters = self.letters_mut();
        letters.pace = letters.pace.saturating_add_signed(step).min(PACES.len() - 1);
        let pace = pace(letters.rate());
        self.flash(Severity::Info, format!("The next replay goes {pace}"));
    }

    fn mark_all(&mut self) {
        let marked = self.ui.letters.list.all_marked || !self.ui.grid(LIST).marks.is_empty();
        self.grid(LIST).marks.clear();
        let list = &mut self.letters_mut().list;
        list.all_marked = !marked && !list.rows.is_empty() && list.wanted.other.is_none();
    }

    fn next_form(&mut self) {
        self.grid(LIST).marks.clear();
        let wanted = &mut self.letters_mut().list.wanted;
        wanted.other = match wanted.other {
            None => Some(LetterForm::Parked),
            Some(LetterForm::Parked) => Some(LetterForm::Row),
            Some(_) => None,
        };
    }

    fn next_grouping(&mut self) {
        let groups = &mut self.letters_mut().groups;
        // Asked for, whatever it takes.
        if groups.scan.is_none() && !groups.forced {
            groups.forced = true;
            return;
        }
        let at = GroupBy::ALL.iter().position(|by| *by == groups.by).unwrap_or(0);
        groups.by = GroupBy::ALL[(at + 1) % GroupBy::ALL.len()];
        groups.forced = true;
    }

    /// Esc, where something is being looked for: that ends.
    pub(in crate::console) fn stop_scans(&mut self) -> Option<Vec<Effect>> {
        let letters = self.letters_mut();
        let slot = if matches!(letters.deed, Deed::Planning { .. }) {
            letters.deed = Deed::None;
            Slot::Plan
        } else if letters.export.is_some() {
            letters.export = None;
            Slot::Export
        } else if letters.list.is_searching() {
            letters.list.loading = None;
            Slot::List
        } else if letters.groups.is_loading() {
            letters.groups.loading = None;
            Slot::Groups
        } else {
            return None;
        };
        self.flash(Severity::Info, "Stopped looking: what was found stays");
        Some(vec![Effect::Letters(Box::new(Request::Drop(slot)))])
    }

    /// Esc, where nothing else is left: the report is put away, or the list is no longer narrowed.
    pub(in crate::console) fn widen_letters(&mut self) -> bool {
        let letters = self.letters_mut();
        if matches!(letters.deed, Deed::Ended { .. } | Deed::Refused(_)) {
            letters.deed = Deed::None;
            return true;
        }
        if letters.list.all_marked {
            letters.list.all_marked = false;
            return true;
        }
        let wanted = &mut letters.list.wanted;
        wanted.other.take().is_some() || wanted.group.take().is_some()
    }

    fn export(&mut self) -> Vec<Effect> {
        let Some(filter) = self.selected() else {
            self.flash(Severity::Info, "There is no letter to write");
            return Vec::new();
        };
        let now = self.now.at.strftime("%Y%m%dT%H%M%SZ");
        let file: Arc<str> = format!("letters-{now}.jsonl").into();
        let letters = self.letters_mut();
        let number = letters.number();
        letters.export = Some(Export {
            number,
            file: file.clone(),
            scan: Scanned::default(),
        });
        vec![ask(number, Query::Export { filter, file })]
    }
}

/// How a rate is said.
pub(in crate::console) fn pace(rate: Option<f64>) -> String {
    rate.map_or_else(
        || "as fast as it goes".to_owned(),
        |rate| format!("at {}/s", text::per_second(rate)),
    )
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

fn title(plan: &Plan) -> String {
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

/// The share of a replay's letters that are settled, 0 to 1.
pub(in crate::console) fn share(progress: &Progress) -> f64 {
    let counts = &progress.counts;
    let settled = counts.landed + counts.refused + counts.in_doubt + counts.kept + counts.gone;
    if counts.selected == 0 {
        0.0
    } else {
        settled as f64 / counts.selected as f64
    }
}
