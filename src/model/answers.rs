//! What a person answers to a verdict: seen, silenced, heard again.

use std::time::Duration;

use super::Model;
use super::events::Happening;
use super::view::{EventKind, Severity, Verdict};
use crate::base::time::Moment;

impl Model {
    /// Notes that somebody has seen a verdict: it stays on the list and is quiet until it clears;
    /// `loss`, which never clears by itself, is over with that. False when there is none.
    pub fn acknowledge(&mut self, id: &str, subject: Option<&str>, now: Moment) -> bool {
        let answered = self.verdicts.acknowledge(id, subject, now);
        if id == "loss" && answered.is_some() {
            let replaced = &mut self.memory.replaced;
            replaced.retain(|(stream, _)| Some(&**stream) != subject);
        }
        self.answered(answered, "acknowledged", String::new(), now)
    }

    /// Silences a verdict: it stays on the list and is quiet for so long, even when it clears and
    /// comes back meanwhile. False when there is none.
    pub fn silence(&mut self, id: &str, subject: Option<&str>, lasts: Duration, now: Moment) -> bool {
        let answered = self.verdicts.silence(id, subject, lasts, now);
        let detail = format!("for {}", crate::base::text::duration(lasts));
        self.answered(answered, "silenced", detail, now)
    }

    /// Takes an acknowledgement or a silence back. False when there is none.
    pub fn heed(&mut self, id: &str, subject: Option<&str>, now: Moment) -> bool {
        let answered = self.verdicts.heed(id, subject);
        self.answered(answered, "heard again", String::new(), now)
    }

    /// Tells of somebody's answer to a verdict, and lists the verdicts anew.
    fn answered(&mut self, verdict: Option<Verdict>, how: &str, detail: String, now: Moment) -> bool {
        let Some(verdict) = verdict else { return false };
        let about = verdict.subject.as_deref().unwrap_or_default();
        let key = format!("{how} {} {about}", verdict.id);
        let text = format!("{how}: {}", verdict.text);
        let what = Happening::new(key, EventKind::Action, Severity::Info, text).detail(detail);
        self.tell(now, &what);
        self.list_verdicts();
        true
    }

    /// The verdicts as they are shown, with their runbooks.
    pub(super) fn list_verdicts(&mut self) {
        self.view.verdicts = self.verdicts.view();
        for verdict in &mut self.view.verdicts {
            verdict.runbook = self.settings.runbooks.get(&verdict.id).cloned();
        }
    }
}
