//! What is answered to a verdict: acknowledged, silenced, copied.

use std::time::Duration;

use super::{App, Effect, Picture};
use crate::console::command::Command;
use crate::console::dialog::{Confirm, Consent, Dialog};
use crate::console::screen::popup::verdict_text;
use crate::console::theme::Role;
use crate::console::widget::tidy;
use crate::model::{Hush, Severity, Verdict};

/// For how long a verdict is silenced.
const SILENCE: Duration = Duration::from_hours(1);

impl App {
    /// The verdict at a place of the list.
    fn verdict(&self, at: usize) -> Option<Verdict> {
        let verdicts = &self.view().verdicts;
        verdicts.get(at.min(verdicts.len().saturating_sub(1))).cloned()
    }

    pub(super) fn copy_verdict(&mut self, at: usize) -> Vec<Effect> {
        let Some(verdict) = self.verdict(at) else {
            return Vec::new();
        };
        let text = verdict_text(&self.scene(), &verdict).join("\n") + "\n";
        self.copied(text)
    }

    /// Acknowledges a verdict, or takes that back.
    pub(super) fn acknowledge(&mut self, at: usize) {
        let Some(verdict) = self.verdict(at) else { return };
        let hush = Hush::Acknowledged { at: self.now.at };
        self.hush(&verdict, hush, "Acknowledged until it clears");
    }

    /// Silences a verdict for an hour, or takes that back. A critical one only after a question.
    pub(super) fn silence(&mut self, at: usize) {
        let Some(verdict) = self.verdict(at) else { return };
        if verdict.hush.is_none() && verdict.severity == Severity::Critical {
            let dialog = Dialog::new(
                "Silence a critical verdict",
                "Silence",
                Confirm::Yes,
                Consent::Command(Command::Silence),
            );
            let text = tidy(&verdict.text, 400).into_owned();
            self.ask(dialog.row("", text, Role::Critical).row(
                "",
                "It stays on the list, but says nothing for an hour.",
                Role::Text,
            ));
            return;
        }
        self.silence_now(at);
    }

    pub(super) fn silence_now(&mut self, at: usize) {
        let Some(verdict) = self.verdict(at) else { return };
        let until = self.now.at.saturating_add(SILENCE).unwrap_or(self.now.at);
        self.hush(&verdict, Hush::Silenced { until }, "Silenced for an hour");
    }

    /// Answers a verdict, or takes an answer back. The model knows it, so hooks and files do, too;
    /// a picture that is held still shows it.
    fn hush(&mut self, verdict: &Verdict, hush: Hush, said: &str) {
        let (id, subject, now) = (&*verdict.id, verdict.subject.as_deref(), self.now);
        let answer = verdict.hush.is_none().then_some(hush);
        if let Picture::Live(model) = &mut self.picture {
            match answer {
                None => model.heed(id, subject, now),
                Some(Hush::Acknowledged { .. }) => model.acknowledge(id, subject, now),
                Some(Hush::Silenced { .. }) => model.silence(id, subject, SILENCE, now),
            };
        }
        let held = match &mut self.picture {
            Picture::Still(still) => Some(still),
            Picture::Live(_) => self.paused.as_mut(),
        };
        let shown = held.into_iter().flat_map(|still| &mut still.view.verdicts);
        for verdict in shown.filter(|shown| &*shown.id == id && shown.subject.as_deref() == subject) {
            verdict.hush = answer;
        }
        let said = if answer.is_some() { said } else { "heard again" };
        self.flash(Severity::Info, format!("{id}: {said}"));
    }
}
