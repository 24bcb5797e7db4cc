//! The state of the console, and the one function that changes it.

mod bench;
mod commands;
mod input;
mod layers;
mod past;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::bench::{Bench, Supply};
use super::command::{Command, Mode};
use super::fleet::Fleet;
use super::kept::{Kept, KeptTable, TYPED};
use super::keymap::Keymap;
use super::layer::{Dialog, Layer};
use super::letters::{Letters, Office};
use super::player::{Control, Keep, Player, Tape};
use super::screen::{self, Badge, Hits, PanelId, Scene, Screen, Stage, lanes, popup, status, strip};
use super::theme::{Role, Theme};
use super::ui::{FLASH, Flash, RANGES, Ui};
use super::widget::grid::GridState;
use super::widget::time::Zone;
use crate::act::fire::Request as FireRequest;
use crate::act::firing::Report;
use crate::act::letters::{Request, Told};
use crate::base::time::Moment;
use crate::model::letters::Group;
use crate::model::{Histories, History, Model, SeriesKey, Settings, Severity, View};
use crate::sample::{Envelope, Interest};

/// The smallest screen that can be drawn, columns and rows.
pub const SMALLEST: (u16, u16) = (60, 16);

/// What happens to the console.
#[derive(Debug)]
pub enum Msg {
    /// A sample arrived.
    Data(Envelope),
    /// Something was told of dead letters.
    Told(Told),
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
    /// Somebody edited the body of a template: its name, and the text or why there is none.
    Edited(Moment, String, Result<String, String>),
}

/// What comes next in what is played.
#[derive(Debug)]
pub enum Played {
    /// A sample.
    Data(Box<Envelope>),
    /// Figures are worked out anew.
    Tick(Moment),
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
    /// Let somebody edit the body of a template.
    Edit {
        /// The template.
        template: String,
        /// Its body.
        text: String,
    },
    /// Read or replay letters.
    Letters(Box<Request>),
    /// Show another of several profiles: its place in the fleet.
    Profile(usize),
}

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

/// What the console is told at its start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// On what one works.
    pub badges: Vec<Badge>,
    /// The profile's own label.
    pub label: Option<Arc<str>>,
    /// The names of the themes, in the order in which the key goes through them.
    pub themes: Vec<Arc<str>>,
    /// The theme to begin with: a place in `themes`.
    pub theme: usize,
    /// The zone of local time; `None`: UTC only.
    pub local: Option<TimeZone>,
    /// Whether to begin in local time.
    pub local_first: bool,
    /// Whether the mouse is left to the terminal.
    pub no_mouse: bool,
    /// Which keys do what.
    pub keymap: Keymap,
    /// What was kept of the run before.
    pub kept: Kept,
    /// What test webhooks are made of; `None`: none can be fired.
    pub supply: Option<Supply>,
    /// Who may change something; `None`: a picture of which nothing can be asked.
    pub office: Option<Office>,
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

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// What is where.
    pub hits: Hits,
    /// Where the cursor stands, where text is typed.
    pub cursor: Option<Position>,
}

impl App {
    /// A console on one profile, live from `now`.
    #[must_use]
    pub fn live(settings: Settings, options: Options, now: Moment) -> Self {
        let stream = settings.pipeline.stream.clone();
        Self::new(Picture::Live(Box::new(Model::new(settings, now))), stream, options, now)
    }

    /// A console on one moment: recordings, exports, tests.
    #[must_use]
    pub fn still(still: Still, stream: Option<Arc<str>>, options: Options) -> Self {
        let now = still.view.now;
        Self::new(Picture::Still(Box::new(still)), stream, options, now)
    }

    /// A console on a recording, before its first figures are there.
    #[must_use]
    pub fn recorded(settings: &Settings, options: Options, now: Moment) -> Self {
        let still = Still {
            view: View::empty(&settings.profile, now),
            histories: Histories::default(),
        };
        let stream = settings.pipeline.stream.clone();
        Self::new(Picture::Still(Box::new(still)), stream, options, now)
    }

    fn new(picture: Picture, stream: Option<Arc<str>>, options: Options, now: Moment) -> Self {
        let begun = match &picture {
            Picture::Live(_) => now.at,
            Picture::Still(still) => still.view.started,
        };
        let local = options.local.map(|zone| Zone::local(zone, now.at));
        let kept = options.kept;
        let ui = Ui {
            screen: Screen::default(),
            focus: BTreeMap::new(),
            zoomed: false,
            scroll: BTreeMap::new(),
            grids: kept_grids(&kept),
            layers: Vec::new(),
            range: kept
                .range_s
                .map(Duration::from_secs)
                .filter(|range| RANGES.contains(range)),
            span: None,
            drag: None,
            scrubbing: false,
            clicked: None,
            local: options.local_first && local.is_some(),
            zones: (Zone::utc(), local),
            mouse: !options.no_mouse,
            theme: options.theme.min(options.themes.len().saturating_sub(1)),
            flashes: VecDeque::new(),
            typed: kept.typed.clone(),
            letters: Letters::default(),
        };
        Self {
            picture,
            paused: None,
            past: None,
            player: None,
            tape: None,
            pinned: None,
            stream,
            badges: options.badges,
            label: options.label,
            themes: options.themes,
            keymap: options.keymap,
            now,
            ui,
            kept,
            bench: Bench::new(options.supply, begun),
            office: options.office,
            fleet: None,
        }
    }

    /// Takes over how the person works from the console of another profile: the same screen,
    /// theme, zone, range, sort and columns. What was opened, marked or filtered here stays.
    pub fn continue_from(&mut self, other: &Self) {
        if self.ui.layers.is_empty() {
            self.ui.screen = other.ui.screen;
        }
        self.ui.theme = other.ui.theme;
        self.ui.local = other.ui.local;
        self.ui.mouse = other.ui.mouse;
        self.ui.range = other.ui.range;
        self.ui.typed.clone_from(&other.ui.typed);
        self.kept.clone_from(&other.kept);
        for (panel, theirs) in &other.ui.grids {
            let ours = self.grid(*panel);
            ours.sort.clone_from(&theirs.sort);
            ours.columns.clone_from(&theirs.columns);
        }
    }

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

    /// What is kept for the next run.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let mut kept = self.kept.clone();
        kept.typed.clone_from(&self.ui.typed);
        kept.range_s = self.ui.range.map(|range| range.as_secs());
        for (panel, grid) in &self.ui.grids {
            let table = KeptTable {
                sort: grid.sort.clone(),
                columns: grid.columns.clone(),
            };
            if table == KeptTable::default() {
                kept.tables.remove(panel.0);
            } else {
                kept.tables.insert(panel.0.to_owned(), table);
            }
        }
        kept
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

    pub(super) fn scene(&self) -> Scene<'_> {
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
        let key = self.keymap.keys(command).next();
        key.map_or_else(|| format!(":{}", command.id()), |key| key.to_string())
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

/// The tables as they were left.
fn kept_grids(kept: &Kept) -> BTreeMap<PanelId, GridState> {
    let panels = Screen::ALL.iter().flat_map(|screen| screen.page().tables());
    panels
        .filter_map(|panel| {
            let table = kept.tables.get(panel.0)?.clone();
            let grid = GridState {
                sort: table.sort,
                columns: table.columns,
                ..GridState::default()
            };
            Some((*panel, grid))
        })
        .collect()
}

/// Takes a message in. The only function that changes an [`App`]. `hits` is what the last
/// drawing said is where.
pub fn update(app: &mut App, msg: Msg, hits: &Hits) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Told(told) => {
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
        Msg::Edited(now, template, edited) => {
            app.now = now;
            app.edited(&template, edited);
            Vec::new()
        }
    };
    effects.extend(app.follow_letters(hits));
    effects
}

/// Draws the console. Changes nothing: what it found out is in its answer.
pub fn draw(app: &App, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Drawn {
    let mut stage = Stage::new(buffer, theme);
    stage.canvas.clear(area);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(&mut stage, area);
        return Drawn::default();
    }
    let scene = app.scene();
    stage.hits.bare = app.ui.layers.is_empty().then_some(app.ui.screen);
    let row = |y: u16| Rect::new(area.left(), y, area.width, 1);
    status::status_line(&scene, &mut stage, row(area.top()));
    status::key_line(&scene, &mut stage, row(area.bottom() - 1));
    let lanes = lanes::height(&scene, area.height);
    let below = area.top() + 1 + lanes;
    let fleet = Rect::new(area.left(), area.top() + 1, area.width, lanes);
    lanes::draw(&scene, &mut stage, fleet, area.height);
    let most = usize::from((area.height / 6).clamp(2, 6));
    let alerts = status::alerts(&scene, stage.canvas.glyphs(), area.width - 2, most);
    for (line, y) in alerts.iter().zip(below..) {
        stage.canvas.line(area.left() + 1, y, area.width - 2, line);
    }
    let above = 1 + lanes + u16::try_from(alerts.len()).unwrap_or(0);
    let under = strip::height(&scene, area.height);
    let body = Rect::new(
        area.left(),
        area.top() + above,
        area.width,
        area.height - above - under - 1,
    );
    if scene.player.is_some_and(|player| player.seeking) && scene.view.sources.is_empty() {
        // Nothing was shown yet: that is no empty pipeline.
        stage.hint(body, "Working out the figures of this moment …");
    } else {
        screen::draw(&scene, &mut stage, body);
    }
    strip::draw(
        &scene,
        &mut stage,
        Rect::new(area.left(), body.bottom(), area.width, under),
    );
    strip::caption(&scene, &mut stage, body);
    popup::draw(&scene, &mut stage, body, row(area.bottom() - 1));
    Drawn {
        hits: stage.hits,
        cursor: stage.cursor,
    }
}

fn too_small(stage: &mut Stage<'_>, area: Rect) {
    let (width, height) = SMALLEST;
    let rows = [
        ("hookwatch".to_owned(), Role::Accent),
        (format!("needs {width}×{height}"), Role::Text),
        (format!("this is {}×{}", area.width, area.height), Role::Dim),
    ];
    let top = area.top() + area.height.saturating_sub(3) / 2;
    for ((text, role), y) in rows.iter().zip(top..area.bottom()) {
        let size = stage.canvas.text_width(text);
        stage.canvas.put(
            area.left() + area.width.saturating_sub(size) / 2,
            y,
            area.width,
            text,
            *role,
        );
    }
}
