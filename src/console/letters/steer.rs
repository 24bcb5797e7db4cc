//! The replay: begun, paused, ended, gone on with.

use super::Deed;
use super::words::title;
use crate::act::calls::CallReport;
use crate::act::letters::{Order, Request, Said};
use crate::act::replay::{Report, Steering};
use crate::base::text;
use crate::console::app::{App, Effect};
use crate::console::command::Command;
use crate::console::dialog::{Confirm, Consent, Dialog};
use crate::console::layer::Layer;
use crate::console::screen::dead_letters::LIST;
use crate::console::theme::Role;
use crate::model::Severity;
use crate::sample::LetterForm;

impl App {
    /// A question about an order was answered with yes.
    pub(in crate::console) fn order(&mut self, order: Order) -> Vec<Effect> {
        let title = match &order {
            Order::Replay { plan, .. } => title(plan),
            Order::Resume { dlq, .. } => format!("Resume the replay of {}", text::safe(dlq)),
            Order::Retry { plan, .. } => format!("Retry {}", text::counted(plan.count, "call", "calls")),
        };
        self.ui.letters.deed = if matches!(order, Order::Retry { .. }) {
            Deed::Retrying(title)
        } else {
            Deed::Running {
                title,
                progress: Box::default(),
                paused: false,
                cancelled: false,
            }
        };
        vec![Effect::Letters(Box::new(Request::Perform(order)))]
    }

    pub(super) fn retry_ended(&mut self, end: Result<CallReport, String>) {
        let title = match std::mem::take(&mut self.ui.letters.deed) {
            Deed::Retrying(title) => title,
            _ => "Retry".to_owned(),
        };
        let (severity, text) = match &end {
            Ok(report) => (
                Severity::Info,
                format!("{title}: {} put back", text::count(report.retried)),
            ),
            Err(reason) => (Severity::Warning, format!("{title}: {reason}")),
        };
        self.flash(severity, text);
        self.grid(LIST).marks.clear();
        let letters = self.letters_mut();
        letters.deed = Deed::Retried(title, end);
        letters.list.all_marked = false;
        letters.forget();
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

    pub(super) fn pause_replay(&mut self) -> Vec<Effect> {
        let Deed::Running { progress, paused, .. } = &mut self.ui.letters.deed else {
            self.flash(Severity::Info, "No replay runs");
            return Vec::new();
        };
        // One that paused by itself goes on, too.
        *paused = !(*paused || progress.phase == crate::act::replay::Phase::Paused);
        let steering = if *paused { Steering::Pause } else { Steering::Run };
        vec![Effect::Letters(Box::new(Request::Steer(steering)))]
    }

    pub(super) fn ask_to_cancel(&mut self) {
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
            Deed::None | Deed::Retrying(_) => self.flash(Severity::Info, "No replay runs"),
            Deed::Ended { .. } | Deed::Retried(..) | Deed::Refused(_) => self.ui.letters.deed = Deed::None,
        }
    }

    /// Whether something is done to letters, which leaving would end.
    pub(in crate::console) fn is_busy(&self) -> bool {
        matches!(self.ui.letters.deed, Deed::Running { .. } | Deed::Retrying(_))
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
                format!(
                    "{} goes on with it here, hookwatch dlq replay --resume elsewhere.",
                    self.key(Command::ResumeReplay)
                ),
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

    pub(super) fn ask_to_resume(&mut self) {
        let standing = &self.ui.letters.standing;
        let is_pending = standing.claim.is_some() || standing.unfinished.is_some();
        if is_pending && !self.may_change(Command::ResumeReplay) {
            return;
        }
        let letters = &self.ui.letters;
        let Some(office) = &self.office else { return };
        let standing = &letters.standing;
        let pipeline = &office.profile.pipeline;
        let stream = match letters.list.wanted.form() {
            LetterForm::Copy => pipeline.dlq.clone(),
            LetterForm::Parked | LetterForm::Orphaned => pipeline.stream.clone(),
            LetterForm::Row => None,
        };
        let Some(dlq) = stream else { return };
        if standing.claim.is_none() && standing.unfinished.is_none() {
            self.flash(Severity::Info, "No replay was left unfinished");
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
            host: None,
            reason: None,
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
}
