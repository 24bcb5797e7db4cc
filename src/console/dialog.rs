//! A question that must be answered before something is done.

use std::time::Duration;

use super::command::Command;
use super::effect::Effect;
use super::theme::Role;
use super::widget::input::Input;
use crate::act::letters::Order;

/// How a dialog is said yes to. Enter alone never does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// By the key `y`, or the button.
    Yes,
    /// By typing a text, and then the button.
    Typed {
        /// What is asked for: `Type the count to replay`.
        ask: String,
        /// What must be typed.
        expected: String,
    },
}

/// What a yes does.
#[derive(Clone, Debug, PartialEq)]
pub enum Consent {
    /// Something outside of the console.
    Effects(Vec<Effect>),
    /// A command, as if it had been run.
    Command(Command),
    /// Something is done to letters, as it was planned.
    Order(Box<Order>),
    /// Changes are unlocked, and the command that wanted it is run.
    Unlock(Option<Command>),
}

/// A question that must be answered before something is done.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Its title.
    pub title: String,
    /// What will happen: a label (may be empty), a text and what it means.
    pub rows: Vec<(String, String, Role)>,
    /// What the button says: a verb.
    pub verb: String,
    /// How one says yes.
    pub confirm: Confirm,
    /// What a yes does.
    pub consent: Consent,
    /// Whether the button has the focus, not Cancel.
    pub on_button: bool,
    /// What was typed.
    pub input: Input,
    /// When it came up, time since session start: what is typed before it could be read is no answer.
    pub opened: Duration,
}

/// Keys within this time after a dialog came up were meant for something else.
pub const TYPE_AHEAD: Duration = Duration::from_millis(300);

impl Dialog {
    /// A question. [`App::ask`](super::app::App::ask) shows it.
    #[must_use]
    pub fn new(title: impl Into<String>, verb: impl Into<String>, confirm: Confirm, consent: Consent) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
            verb: verb.into(),
            confirm,
            consent,
            on_button: false,
            input: Input::default(),
            opened: Duration::ZERO,
        }
    }

    /// The same with one more row.
    #[must_use]
    pub fn row(mut self, label: impl Into<String>, text: impl Into<String>, role: Role) -> Self {
        self.rows.push((label.into(), text.into(), role));
        self
    }

    /// Whether a yes is a yes: what must be typed was typed.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        match &self.confirm {
            Confirm::Yes => true,
            Confirm::Typed { expected, .. } => self.input.text().trim() == expected,
        }
    }
}
