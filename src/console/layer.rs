//! What lies over a screen: the top layer gets the keys first, Esc takes it away.

use std::time::Duration;

use super::app::Effect;
use super::bench::Field;
use super::command::Command;
use super::letters::form::Form;
use super::palette::Palette;
use super::screen::PanelId;
use super::theme::Role;
use super::widget::input::Input;
use crate::act::letters::Order;

/// One layer.
#[derive(Clone, Debug)]
pub enum Layer {
    /// Every key of this screen; its first row on screen.
    Help(usize),
    /// One row of the screen, in place of the screen.
    Detail(Detail),
    /// Where a figure comes from.
    Why(Why),
    /// Which columns a table shows.
    Columns {
        /// The table.
        panel: PanelId,
        /// The column under the cursor.
        at: usize,
    },
    /// A filter that is being typed.
    Filter {
        /// The table.
        panel: PanelId,
        /// What is typed.
        input: Input,
    },
    /// A field of the form that is being typed.
    Field {
        /// The template.
        template: String,
        /// The field.
        field: Field,
        /// What is typed.
        input: Input,
        /// Why it was refused.
        problem: Option<String>,
    },
    /// A command that is being typed.
    Palette(Palette),
    /// How many workers would drain the backlog within so many minutes.
    WhatIf {
        /// The time to drain it in, minutes.
        minutes: u32,
    },
    /// The verdicts with their evidence.
    Verdicts {
        /// The verdict under the cursor.
        at: usize,
    },
    /// The messages of this session; the first row on screen, newest first.
    Messages(usize),
    /// A marker's text that is being typed, of a position of the past or of this moment.
    Note {
        /// The position of the past; `None`: live.
        at: Option<Duration>,
        /// What is typed.
        input: Input,
    },
    /// Markers and alerts of what is played.
    Marks {
        /// The one under the cursor.
        at: usize,
    },
    /// Two moments side by side; the first row on screen.
    Compare(usize),
    /// A question.
    Dialog(Box<Dialog>),
    /// The form of a replay.
    Replay(Box<Form>),
}

impl Layer {
    /// Whether keys are text here.
    #[must_use]
    pub fn takes_text(&self) -> bool {
        match self {
            Self::Filter { .. } | Self::Field { .. } | Self::Palette(_) | Self::Note { .. } | Self::Replay(_) => true,
            Self::Dialog(dialog) => matches!(dialog.confirm, Confirm::Typed { .. }),
            _ => false,
        }
    }

    /// Whether it takes the screen's place, and panels in it are focused and scrolled.
    #[must_use]
    pub fn is_place(&self) -> bool {
        matches!(self, Self::Detail(_))
    }
}

/// A row that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The table it is of.
    pub panel: PanelId,
    /// Its key.
    pub key: String,
    /// What was focused before.
    pub back: Option<PanelId>,
}

/// A figure that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The panel.
    pub panel: PanelId,
    /// Of a table: the row's key and the column.
    pub cell: Option<(String, usize)>,
    /// The first row on screen.
    pub scroll: usize,
}

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
