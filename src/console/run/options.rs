//! What a console is given.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Recorded, Shelf};
use crate::act::firing::Firing;
use crate::base::time::{Moment, SharedClock};
use crate::console::bench::Supply;
use crate::console::glyph::Charset;
use crate::console::kept::Kept;
use crate::console::keymap::Keymap;
use crate::console::letters::Office;
use crate::console::screen::Badge;
use crate::console::theme::Library;
use crate::console::theme::colour::Depth;
use crate::model::{History, Settings};
use crate::sample::{Envelope, Interest};
use crate::session::clerk::Clerk;
use crate::session::{Alarms, Tap};

/// A live session.
#[derive(Debug)]
pub struct Live {
    /// When it started.
    pub started: Moment,
    /// Where what the model is given goes besides: the last 15 minutes, a recording.
    pub tap: Tap,
    /// What was before the session started, once it is known, or why it is not.
    pub history: Option<oneshot::Receiver<Result<History, String>>>,
    /// What the sources see.
    pub envelopes: mpsc::Receiver<Envelope>,
    /// What the sources are told is on screen.
    pub interest: watch::Sender<Interest>,
    /// Whoever is told of verdicts besides the screen.
    pub alarms: Alarms,
}

/// What a console shows.
#[derive(Debug)]
pub enum Subject {
    /// What happens now.
    Live(Box<Live>),
    /// A recording. There is no source and no actor behind it: nothing can be changed.
    Recording(Box<Recorded>),
}

/// A profile with everything that is its own.
#[derive(Debug)]
pub struct Seat {
    /// The profile, as the model sees it.
    pub settings: Settings,
    /// What is shown of it.
    pub subject: Subject,
    /// Where recordings without a name go.
    pub shelf: Shelf,
    /// On what one works.
    pub badges: Vec<Badge>,
    /// The profile's own label.
    pub label: Option<Arc<str>>,
    /// Who may change something; `None`: nobody, and no letters are read.
    pub office: Option<Office>,
    /// Who reads and replays letters; `None`: nobody.
    pub clerk: Option<Clerk>,
    /// What fires test webhooks, and of what they are made; `None`: none can be fired.
    pub firing: Option<(Firing, Supply)>,
}

/// What the console needs.
#[derive(Debug)]
pub struct RunOptions {
    /// The profile that fills the screens to begin with.
    pub seat: Seat,
    /// The profiles beside it, a line each; often none.
    pub beside: Vec<Seat>,
    /// The one clock.
    pub clock: SharedClock,
    /// Every theme.
    pub themes: Library,
    /// The theme to begin with.
    pub theme: String,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// Which characters the terminal shows.
    pub charset: Charset,
    /// The zone of local time; `None`: UTC only.
    pub local: Option<TimeZone>,
    /// Whether to begin in local time.
    pub local_first: bool,
    /// Whether clicks and wheel go to the console.
    pub mouse: bool,
    /// Which keys do what.
    pub keymap: Keymap,
    /// What was kept of the run before.
    pub kept: Kept,
    /// Where that is kept; `None`: nowhere.
    pub kept_file: Option<PathBuf>,
    /// What is run to edit a body; may have arguments.
    pub editor: String,
    /// What went wrong before there was a screen (a theme that was refused), to be shown on it.
    pub notices: Vec<String>,
}
