//! The form of a replay: where letters go, how, and why; the plan that follows from it; the answer.
//! Plain state: what keys do with it is in `fill`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Office, PACES};
use crate::act::calls::CallPlan;
use crate::act::fire;
use crate::act::journal::Purpose;
use crate::act::letters::{Destination, Scanned, SignAs, Wish};
use crate::act::plan::Plan;
use crate::base::text;
use crate::console::dialog::{Confirm, TYPE_AHEAD};
use crate::console::theme::Role;
use crate::console::widget::input::Input;
use crate::model::letters::{LetterFilter, layout};
use crate::sample::LetterForm;

/// Letters that can go first.
const CANARIES: [u64; 5] = [0, 1, 5, 25, 100];

/// The canary to begin with: a place in `CANARIES`.
const CANARY: usize = 1;

/// What is replayed.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// Letters, to be processed again or put aside.
    Letters(Box<LetterFilter>, Purpose),
    /// Failed calls of the queue in Postgres.
    Calls(BTreeSet<Arc<str>>),
}

/// A row of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Where they go.
    Target,
    /// Another subject.
    Subject,
    /// A gateway's URL.
    Url,
    /// Whose key signs them.
    Sign,
    /// How fast.
    Rate,
    /// How many go first.
    Canary,
    /// Whether the order is kept.
    Order,
    /// The payload of the only one.
    Payload,
    /// Why.
    Reason,
}

impl Field {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Subject => "subject",
            Self::Url => "URL",
            Self::Sign => "sign",
            Self::Rate => "rate",
            Self::Canary => "canary",
            Self::Order => "order",
            Self::Payload => "payload",
            Self::Reason => "reason",
        }
    }

    /// What stands where nothing was typed.
    #[must_use]
    pub fn vacant(self) -> &'static str {
        match self {
            Self::Subject => "all of them go to this one",
            Self::Url => "https://… that takes webhooks",
            Self::Reason => "none; the audit log keeps it",
            _ => "",
        }
    }
}

/// What has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// A row.
    Field(Field),
    /// What must be typed to say yes.
    Answer,
    /// The button that changes nothing.
    Cancel,
    /// The other one.
    Go,
}

/// Where letters go, as it is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Each to its own subject.
    #[default]
    Own,
    /// To another subject.
    Subject,
    /// To a gateway.
    Gateway,
}

/// How the plan stands.
#[derive(Clone, Debug)]
pub enum Draft {
    /// It is being drawn, and how far the selection is.
    Drawing(u64, Scanned),
    /// Of letters.
    Letters(Arc<Plan>),
    /// Of failed calls.
    Calls(Arc<CallPlan>),
    /// There is none: why.
    Refused(String),
}

/// The form.
#[derive(Clone, Debug)]
pub struct Form {
    /// What is replayed. Later arrivals are not in it: it is frozen with the first plan.
    pub subject: Subject,
    /// In which form letters are.
    pub form: LetterForm,
    /// The only letter, in a sentence.
    pub about: Option<String>,
    /// The provider of all of them; `None`: there are several, or nobody knows.
    pub provider: Option<String>,
    /// Where they go.
    pub target: Target,
    /// The subject that was typed.
    pub to_subject: Input,
    /// The URL that was typed.
    pub to_url: Input,
    /// Who may do it, and with which keys.
    office: Office,
    /// Whose key signs: a place among the office's.
    pub sign: Option<usize>,
    /// The rate: a place in `PACES`.
    pub pace: usize,
    /// Letters that go first: a place in `CANARIES`.
    pub canary: usize,
    /// Whether the order under a subject is kept.
    pub ordered: bool,
    /// The payload of the only letter, as it lies there.
    pub original: Option<Bytes>,
    /// The payload as it was edited.
    pub edited: Option<Bytes>,
    /// Why.
    pub reason: Input,
    /// What was typed to say yes.
    pub answer: Input,
    /// The plan.
    pub draft: Draft,
    /// Whether something was typed that the plan does not know yet.
    pub is_stale: bool,
    /// What has the keys.
    pub focus: Focus,
    /// The first row of the plan that is on screen.
    pub first: usize,
    /// Since when the plan can be read, time since session start.
    pub shown: Duration,
}

impl Form {
    /// A form before its first plan.
    #[must_use]
    pub fn new(subject: Subject, form: LetterForm, about: Option<String>, office: Office, pace: usize) -> Self {
        Self {
            subject,
            form,
            about,
            provider: None,
            target: Target::Own,
            to_subject: Input::default(),
            to_url: Input::default(),
            office,
            sign: None,
            pace,
            canary: CANARY,
            ordered: false,
            original: None,
            edited: None,
            reason: Input::default(),
            answer: Input::default(),
            draft: Draft::Drawing(0, Scanned::default()),
            is_stale: false,
            focus: Focus::Cancel,
            first: 0,
            shown: Duration::MAX,
        }
    }

    /// How many are planned; `None`: nobody knows yet.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match &self.draft {
            Draft::Letters(plan) => Some(plan.count),
            Draft::Calls(plan) => Some(plan.count),
            Draft::Drawing(..) | Draft::Refused(_) => None,
        }
    }

    /// Whether it is one that is meant.
    fn is_single(&self) -> bool {
        let named = match &self.subject {
            Subject::Letters(filter, _) => filter.ids.as_ref().map(BTreeSet::len),
            Subject::Calls(calls) => Some(calls.len()),
        };
        self.count().map_or(named == Some(1), |count| count == 1)
    }

    /// What is done, as a verb.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self.subject {
            Subject::Letters(_, purpose) => purpose.name(),
            Subject::Calls(_) => "retry",
        }
    }

    /// The rows that matter now.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        if !matches!(self.subject, Subject::Letters(_, Purpose::Replay)) {
            return vec![Field::Reason];
        }
        let typed = match self.target {
            Target::Own => None,
            Target::Subject => Some(Field::Subject),
            Target::Gateway => Some(Field::Url),
        };
        let mut fields = vec![Field::Target];
        fields.extend(typed);
        if !self.office.keys.is_empty() {
            fields.push(Field::Sign);
        }
        if !self.is_single() {
            fields.extend([Field::Rate, Field::Canary, Field::Order]);
        } else if self.original.is_some() {
            fields.push(Field::Payload);
        }
        fields.push(Field::Reason);
        fields
    }

    /// What can be chosen in a row; nothing where text is typed.
    #[must_use]
    pub fn options(&self, field: Field) -> Vec<String> {
        let named = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        match field {
            Field::Target => named(&["own stream", "a subject", "a gateway"]),
            Field::Sign => {
                let keys = self
                    .office
                    .keys
                    .iter()
                    .map(|key| format!("as {}", text::safe(&key.provider)));
                std::iter::once("no".to_owned()).chain(keys).collect()
            }
            Field::Rate => PACES
                .iter()
                .map(|rate| {
                    rate.map_or_else(
                        || "unpaced".to_owned(),
                        |rate| format!("{}/s", text::per_second(rate).trim_end_matches(".0")),
                    )
                })
                .collect(),
            Field::Canary => CANARIES
                .iter()
                .map(|count| {
                    if *count == 0 {
                        "none".to_owned()
                    } else {
                        text::count(*count)
                    }
                })
                .collect(),
            Field::Order => named(&["any", "kept under a subject"]),
            Field::Payload => named(&["as it is", if self.edited.is_some() { "edited" } else { "edit" }]),
            Field::Subject | Field::Url | Field::Reason => Vec::new(),
        }
    }

    /// Which of them is chosen.
    #[must_use]
    pub fn chosen(&self, field: Field) -> usize {
        match field {
            Field::Target => match self.target {
                Target::Own => 0,
                Target::Subject => 1,
                Target::Gateway => 2,
            },
            Field::Sign => self.sign.map_or(0, |sign| sign + 1),
            Field::Rate => self.pace,
            Field::Canary => self.canary,
            Field::Order => usize::from(self.ordered),
            Field::Payload => usize::from(self.edited.is_some()),
            Field::Subject | Field::Url | Field::Reason => 0,
        }
    }

    /// Chooses one, except to edit a payload, which takes an editor. Returns whether that is
    /// another plan.
    pub(super) fn choose(&mut self, field: Field, option: usize) -> bool {
        if option == self.chosen(field) || option >= self.options(field).len() {
            return false;
        }
        match field {
            Field::Target => self.target = [Target::Own, Target::Subject, Target::Gateway][option],
            Field::Sign => self.sign = option.checked_sub(1),
            Field::Rate => self.pace = option,
            Field::Canary => self.canary = option,
            Field::Order => self.ordered = option == 1,
            Field::Payload if option == 0 => self.edited = None,
            Field::Payload | Field::Subject | Field::Url | Field::Reason => return false,
        }
        true
    }

    /// The line that is typed in a row.
    #[must_use]
    pub fn line(&self, field: Field) -> Option<&Input> {
        match field {
            Field::Subject => Some(&self.to_subject),
            Field::Url => Some(&self.to_url),
            Field::Reason => Some(&self.reason),
            _ => None,
        }
    }

    pub(super) fn line_mut(&mut self, field: Field) -> Option<&mut Input> {
        match field {
            Field::Subject => Some(&mut self.to_subject),
            Field::Url => Some(&mut self.to_url),
            Field::Reason => Some(&mut self.reason),
            _ => None,
        }
    }

    /// What is asked of the clerk: the form as a wish.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn wish(&self) -> Result<Wish, String> {
        let Subject::Letters(filter, purpose) = &self.subject else {
            return Err("failed calls are no letters".to_owned());
        };
        let typed = |field: Field, input: &Input| match input.text().trim() {
            "" => Err(format!("type the {} above", field.name())),
            text => Ok(Arc::from(text)),
        };
        let to = match self.target {
            Target::Own => Destination::Own,
            Target::Subject => Destination::Subject(typed(Field::Subject, &self.to_subject)?),
            Target::Gateway => {
                let url: Arc<str> = typed(Field::Url, &self.to_url)?;
                fire::host_of(&url).map_err(|error| error.to_string())?;
                Destination::Gateway(url)
            }
        };
        let replays = *purpose == Purpose::Replay;
        Ok(Wish {
            form: self.form,
            filter: (**filter).clone(),
            purpose: *purpose,
            to,
            sign: self.key().cloned(),
            payload: self.edited.clone(),
            rate: PACES[self.pace].filter(|_| replays),
            canary: CANARIES[self.canary],
            ordered: self.ordered,
        })
    }

    /// The key that signs.
    pub(super) fn key(&self) -> Option<&SignAs> {
        self.office.keys.get(self.sign?)
    }

    /// What is said of the signatures, and how: `None`, they stay as they are.
    #[must_use]
    pub fn signature(&self) -> Option<(String, Role)> {
        let key = self.key()?;
        let (provider, scheme) = (text::safe(&key.provider), text::safe(&key.scheme));
        Some(match &self.provider {
            Some(own) if **own == *key.provider => {
                (format!("anew with the key of {provider}, as {scheme}"), Role::Text)
            }
            Some(own) => (
                format!(
                    "anew with the key of {provider}, but the letters are of {}",
                    text::safe(own)
                ),
                Role::Warning,
            ),
            None => (
                format!("anew with the key of {provider}, though the letters are of several providers"),
                Role::Warning,
            ),
        })
    }

    /// The profile's name, where it is protected: it was typed.
    pub(super) fn protected(&self) -> Option<String> {
        let profile = &self.office.profile;
        profile.protected.then(|| profile.name.to_string())
    }

    /// The host that has to be typed because nobody listed it.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let profile = &self.office.profile;
        let Draft::Letters(plan) = &self.draft else { return None };
        match fire::guard(plan.to_url.as_deref()?, plan.count > 1, false, profile) {
            Err(fire::GuardError::Refusal(fire::Refusal::Unconfirmed { host, .. })) => Some(host),
            _ => None,
        }
    }

    /// How one says yes; `None`: there is nothing to say it to.
    #[must_use]
    pub fn confirm(&self) -> Option<Confirm> {
        let profile = &self.office.profile;
        let count = self.count().filter(|count| *count > 0)?;
        let mut asked = Vec::new();
        let mut expected = Vec::new();
        if count > 1 {
            asked.push("the count");
            expected.push(count.to_string());
        }
        if let Some(host) = self.host() {
            asked.push("the host's name");
            expected.push(host);
        }
        if profile.protected {
            // Of a protected profile, the count of one is typed, too.
            if count == 1 {
                asked.insert(0, "the count");
                expected.insert(0, count.to_string());
            }
            asked.push("the profile's name");
            expected.push(profile.name.to_string());
        }
        if expected.is_empty() {
            return Some(Confirm::Yes);
        }
        let (last, others) = asked.split_last()?;
        let asked = if others.is_empty() {
            (*last).to_owned()
        } else {
            format!("{} and {last}", others.join(", "))
        };
        Some(Confirm::Typed {
            ask: format!("Type {asked} to {}", self.verb()),
            expected: expected.join(" "),
        })
    }

    /// Whether what must be typed was typed.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        match self.confirm() {
            None => false,
            Some(Confirm::Yes) => true,
            Some(Confirm::Typed { expected, .. }) => {
                self.answer.text().split_whitespace().eq(expected.split_whitespace())
            }
        }
    }

    /// Whether the plan could be read by now: what is typed before that is no answer.
    pub(super) fn is_readable(&self, now: Duration) -> bool {
        self.shown.checked_add(TYPE_AHEAD).is_some_and(|from| now >= from)
    }

    /// The payload as text for an editor: JSON in one line is laid out.
    ///
    /// # Errors
    /// Why it cannot be edited here.
    pub(super) fn to_edit(&self) -> Result<String, String> {
        let bytes = self.edited.as_ref().or(self.original.as_ref());
        let bytes = bytes.ok_or_else(|| "the payload is not here → wait for the plan".to_owned())?;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| "the payload is no text → hookwatch dlq replay --payload FILE".to_owned())?;
        Ok(if is_one_line_of_json(text) {
            layout::indented(text, usize::MAX).join("\n")
        } else {
            text.to_owned()
        })
    }

    /// Takes in what was edited: what was JSON in one line becomes that again. Unchanged, it is
    /// the payload as it is.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) fn take_edited(&mut self, written: &str) -> Result<(), String> {
        let Some(original) = &self.original else {
            return Err("the letter is gone".to_owned());
        };
        let before = std::str::from_utf8(original).unwrap_or_default();
        let written = if before.ends_with('\n') {
            written
        } else {
            written.trim_end_matches(['\n', '\r'])
        };
        let written = if is_one_line_of_json(before) {
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(written) {
                return Err(format!(
                    "what was written is no JSON: {error}: the payload stays as it was"
                ));
            }
            layout::compact(written)
        } else {
            written.to_owned()
        };
        let is_same = written == before || (is_one_line_of_json(before) && written == layout::compact(before));
        self.edited = (!is_same).then(|| Bytes::from(written));
        Ok(())
    }
}

fn is_one_line_of_json(text: &str) -> bool {
    let line = text.trim_end();
    line.starts_with(['{', '[']) && !line.contains('\n') && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}
