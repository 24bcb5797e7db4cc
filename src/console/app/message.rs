//! What happens to the console.

use std::sync::Arc;

use crossterm::event::Event;

use crate::act::firing::Report;
use crate::act::letters::Told;
use crate::base::time::Moment;
use crate::console::effect::Edit;
use crate::console::fleet::Fleet;
use crate::console::player::{Player, Tape};
use crate::model::Model;
use crate::sample::Envelope;

/// What happens to the console.
#[derive(Debug)]
pub enum Msg {
    /// A sample arrived.
    Data(Envelope),
    /// Something was told of dead letters, and when.
    Told(Moment, Told),
    /// Time passed: figures are worked out anew.
    Tick(Moment),
    /// Somebody pressed, clicked, pasted or resized, and when.
    Input(Moment, Event),
    /// The past is shown: its figures were worked out elsewhere.
    Past(Box<Model>),
    /// What is played goes on: for the figures of the past.
    Played(Played),
    /// Where one stands in what is played; `None`: nothing is played any more.
    Player(Option<Box<Player>>),
    /// How the recording in the making is; `None`: there is none.
    Tape(Option<Tape>),
    /// Something happened to a test webhook or a canary.
    Fired(Moment, Box<Report>),
    /// How every profile is, where several are watched.
    Fleet(Arc<Fleet>),
    /// Somebody edited something: what, and the text or why there is none.
    Edited(Moment, Edit, Result<String, String>),
}

/// What comes next in what is played.
#[derive(Debug)]
pub enum Played {
    /// A sample.
    Data(Box<Envelope>),
    /// Figures are worked out anew.
    Tick(Moment),
}
