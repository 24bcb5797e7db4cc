//! The state of the console, and the one function that changes it.

mod begin;
mod bench;
mod commands;
mod draw;
mod input;
mod layers;
mod message;
mod past;
mod tables;
mod verdicts;

pub use self::begin::Options;
pub use self::draw::{Drawn, SMALLEST, draw};
pub use self::message::{Msg, Played};
pub use super::effect::{Edit, Effect};

use std::sync::Arc;

use super::bench::Bench;
use super::command::{Command, Mode};
use super::dialog::Dialog;
use super::fleet::Fleet;
use super::kept::{Kept, TYPED};
use super::keymap::Keymap;
use super::layer::Layer;
use super::letters::Office;
use super::player::{Player, Tape};
use super::range::RANGES;
use super::screen::{Badge, Hits, PanelId, Scene, pages};
use super::ui::{FLASH, Flash, Ui};
use super::widget::grid::GridState;
use crate::base::time::Moment;
use crate::model::letters::Group;
use crate::model::{Histories, History, Model, SeriesKey, Severity, View};
use crate::sample::Interest;

/// A moment that is held still: a paused picture, a recording, a test.
#[derive(Clone, Debug)]
pub struct Still {
    /// The figures.
    pub view: View,
    /// The histories.
    pub histories: Histories,
}

/// Where the figures come from.
#[derive(Debug)]
enum Picture {
    /// A model that goes on.
    Live(Box<Model>),
    /// A moment that was worked out elsewhere.
    Still(Box<Still>),
}

impl Picture {
    fn parts(&self) -> (&View, &Histories) {
        match self {
            Self::Live(model) => (model.view(), model.histories()),
            Self::Still(still) => (&still.view, &still.histories),
        }
    }
}

/// The console.
#[derive(Debug)]
pub struct App {
    picture: Picture,
    paused: Option<Box<Still>>,
    /// The figures of the past, while it is on screen.
    past: Option<Box<Model>>,
    player: Option<Box<Player>>,
    tape: Option<Tape>,
    pinned: Option<Box<View>>,
    stream: Option<Arc<str>>,
    badges: Vec<Badge>,
    label: Option<Arc<str>>,
    themes: Vec<Arc<str>>,
    keymap: Keymap,
    pub(super) now: Moment,
    pub(super) ui: Ui,
    kept: Kept,
    bench: Bench,
    pub(super) office: Option<Office>,
    /// Every profile at a glance, where several are watched.
    fleet: Option<Arc<Fleet>>,
}

impl App {
    /// Where the person is.
    #[must_use]
    pub fn ui(&self) -> &Ui {
        &self.ui
    }

    /// The theme: a place in [`Options::themes`].
    #[must_use]
    pub fn theme(&self) -> usize {
        self.ui.theme
    }

    /// What is on screen, so that sources read just that. `hits` is what the last drawing said.
    #[must_use]
    pub fn interest(&self, hits: &Hits) -> Interest {
        let mut interest = Interest::default();
        self.ui.screen.page().interest(&self.scene(), hits, &mut interest);
        interest
    }

    /// Asks a question before something is done.
    pub fn ask(&mut self, dialog: Dialog) {
        let opened = self.now.mono;
        self.ui
            .layers
            .push(Layer::Dialog(Box::new(Dialog { opened, ..dialog })));
    }

    /// The figures that are shown.
    #[must_use]
    pub fn view(&self) -> &View {
        self.scene().view
    }

    /// The figures of the model that goes on, whatever is shown; `None`: a moment is held still.
    #[must_use]
    pub fn live_view(&self) -> Option<&View> {
        match &self.picture {
            Picture::Live(model) => Some(model.view()),
            Picture::Still(_) => None,
        }
    }

    /// Where one stands in what is played; `None`: nothing is.
    #[must_use]
    pub fn player(&self) -> Option<&Player> {
        self.player.as_deref()
    }

    /// Takes in what was before the session started, or says why that is not known. Charts reach
    /// back to it unless somebody has chosen how far they reach.
    pub fn remember(&mut self, past: Result<History, String>, now: Moment) {
        match (past, &mut self.picture) {
            (Ok(past), Picture::Live(model)) => {
                model.remember(past, now);
                self.ui.range.get_or_insert(RANGES[2]);
            }
            (Ok(_), Picture::Still(_)) => {}
            (Err(reason), _) => self.flash(Severity::Warning, reason),
        }
    }

    /// Hands on how many letters of each cause there are.
    pub(super) fn note_letters(&mut self, groups: Arc<[Group]>) {
        if let Picture::Live(model) = &mut self.picture {
            model.note_letters(groups);
        }
    }

    /// Whether something happened that should be shown before the next full second.
    #[must_use]
    pub fn has_news(&self) -> bool {
        matches!(&self.picture, Picture::Live(model) if model.has_news())
    }

    /// Shows a message in place of the key line for a few seconds.
    pub fn flash(&mut self, severity: Severity, text: impl Into<String>) {
        if self.ui.flashes.len() == FLASH.1 {
            self.ui.flashes.pop_front();
        }
        self.ui.flashes.push_back(Flash {
            text: text.into(),
            severity,
            raised: self.now.mono,
            at: self.now.at,
        });
    }

    pub(in crate::console) fn scene(&self) -> Scene<'_> {
        let (view, histories) = match (&self.past, &self.paused) {
            (Some(past), _) => (past.view(), past.histories()),
            (None, Some(still)) => (&still.view, &still.histories),
            (None, None) => self.picture.parts(),
        };
        Scene {
            view,
            histories,
            // What is over stands in its own time.
            now: if self.past.is_some() { view.now } else { self.now },
            wall: self.now,
            player: self.player.as_deref(),
            tape: self.tape.as_ref(),
            live: self.live_view(),
            pinned: self.pinned.as_deref(),
            stream: self.stream.as_deref(),
            badges: &self.badges,
            label: self.label.as_deref(),
            paused: self.paused.as_ref().map(|still| still.view.now),
            ui: &self.ui,
            tables: pages::rows,
            keymap: &self.keymap,
            themes: &self.themes,
            bench: &self.bench,
            fleet: self.fleet.as_deref(),
        }
    }

    /// What is on screen: now, or something that is over.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.scene().mode()
    }

    /// The key of a command, as it is written; its name where it has none.
    #[must_use]
    pub fn key(&self, command: Command) -> String {
        self.keymap.key(command)
    }

    /// Histories that are charted on screen: whoever works out figures of the past keeps them, too.
    #[must_use]
    pub fn charted(&self) -> Vec<SeriesKey> {
        self.ui.screen.page().charted(&self.scene())
    }

    /// What a person did to a table, to be changed.
    pub(super) fn grid(&mut self, panel: PanelId) -> &mut GridState {
        self.ui.grids.entry(panel).or_default()
    }
}

/// Takes a message in. The only function that changes an [`App`]. `hits` is what the last
/// drawing said is where.
pub fn update(app: &mut App, msg: Msg, hits: &Hits) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Told(now, told) => {
            app.now = now;
            app.told(told);
            Vec::new()
        }
        Msg::Data(envelope) => {
            if let Picture::Live(model) = &mut app.picture {
                model.apply(&envelope);
            }
            return Vec::new();
        }
        Msg::Tick(now) => {
            app.now = now;
            let charted = app.charted();
            if let Picture::Live(model) = &mut app.picture {
                for key in &charted {
                    model.touch(key);
                }
                model.advance(now);
            }
            Vec::new()
        }
        Msg::Input(now, event) => {
            app.now = now;
            app.input(&event, hits)
        }
        Msg::Past(model) => {
            app.past = Some(model);
            app.paused = None;
            Vec::new()
        }
        Msg::Played(played) => {
            app.played(&played);
            Vec::new()
        }
        Msg::Player(player) => {
            app.stand(player);
            Vec::new()
        }
        Msg::Tape(tape) => {
            app.tape = tape;
            Vec::new()
        }
        Msg::Fired(now, report) => {
            app.now = now;
            app.hear(*report)
        }
        Msg::Fleet(fleet) => {
            app.fleet = (fleet.lanes.len() > 1).then_some(fleet);
            Vec::new()
        }
        Msg::Edited(now, what, edited) => {
            app.now = now;
            match what {
                Edit::Body(template) => {
                    app.edited(&template, edited);
                    Vec::new()
                }
                Edit::Payload => app.payload_edited(edited),
            }
        }
    };
    effects.extend(app.follow_letters(hits));
    effects
}
