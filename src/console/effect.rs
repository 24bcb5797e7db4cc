//! What the console wants done outside of itself: it does nothing there on its own.

use super::player::{Control, Keep};
use crate::act::fire::Request as FireRequest;
use crate::act::letters::Request;

/// What is edited in an editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The body of the template of this name.
    Body(String),
    /// The payload of the letter that is about to be replayed.
    Payload,
}

/// What the console wants done outside of itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// End.
    Quit,
    /// Give the terminal back to the shell until it says `fg`.
    Suspend,
    /// Draw every cell afresh.
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Put text on the clipboard.
    Copy(String),
    /// Move in the past.
    Play(Control),
    /// Keep what is seen: record, save.
    Keep(Keep),
    /// Fire a test webhook, or start a canary where it is to be fired again and again.
    Fire {
        /// What.
        request: Box<FireRequest>,
        /// The host that somebody has confirmed.
        confirmed: Option<String>,
    },
    /// Stop what is being fired.
    StopFiring,
    /// Stop the canary.
    StopCanary,
    /// Let somebody edit a text.
    Edit {
        /// What it is.
        what: Edit,
        /// The text.
        text: String,
    },
    /// Read or replay letters.
    Letters(Box<Request>),
    /// Show another of several profiles: its place in the fleet.
    Profile(usize),
}
