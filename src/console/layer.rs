//! What lies over a screen: the top layer gets the keys first, Esc takes it away.

use std::time::Duration;

use super::bench::Field;
use super::dialog::{Confirm, Dialog};
use super::letters::form::Form;
use super::palette::Palette;
use super::screen::id::PanelId;
use super::widget::input::Input;

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
