//! The state of the console, and the one function that changes it.

mod commands;
mod input;
mod layers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::kept::{Kept, KeptTable, TYPED};
use super::keymap::Keymap;
use super::layer::{Dialog, Layer};
use super::letters::{Letters, Office};
use super::screen::{self, Badge, Hits, PanelId, Scene, Screen, Stage, popup, status};
use super::theme::{Role, Theme};
use super::ui::{FLASH, Flash, RANGES, Ui};
use super::widget::grid::GridState;
use super::widget::time::Zone;
use crate::act::letters::{Request, Told};
use crate::base::time::Moment;
use crate::model::letters::Group;
use crate::model::{Histories, Model, Settings, Severity, View};
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
    /// Read or replay letters.
    Letters(Box<Request>),
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
    /// Who may change something; `None`: a picture of which nothing can be asked.
    pub office: Option<Office>,
}

/// The console.
#[derive(Debug)]
pub struct App {
    picture: Picture,
    paused: Option<Box<Still>>,
    stream: Option<Arc<str>>,
    badges: Vec<Badge>,
    label: Option<Arc<str>>,
    themes: Vec<Arc<str>>,
    keymap: Keymap,
    pub(super) now: Moment,
    pub(super) ui: Ui,
    kept: Kept,
    pub(super) office: Option<Office>,
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

    fn new(picture: Picture, stream: Option<Arc<str>>, options: Options, now: Moment) -> Self {
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
            stream,
            badges: options.badges,
            label: options.label,
            themes: options.themes,
            keymap: options.keymap,
            now,
            ui,
            kept,
            office: options.office,
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
        let (view, histories) = match &self.paused {
            Some(still) => (&still.view, &still.histories),
            None => self.picture.parts(),
        };
        Scene {
            view,
            histories,
            now: self.now,
            stream: self.stream.as_deref(),
            badges: &self.badges,
            label: self.label.as_deref(),
            paused: self.paused.as_ref().map(|still| still.view.now),
            ui: &self.ui,
            keymap: &self.keymap,
            themes: &self.themes,
        }
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
            let charted = app.ui.screen.page().charted(&app.scene());
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
    let row = |y: u16| Rect::new(area.left(), y, area.width, 1);
    status::status_line(&scene, &mut stage, row(area.top()));
    status::key_line(&scene, &mut stage, row(area.bottom() - 1));
    let most = usize::from((area.height / 6).clamp(2, 6));
    let alerts = status::alerts(&scene, stage.canvas.glyphs(), area.width - 2, most);
    for (line, y) in alerts.iter().zip(area.top() + 1..) {
        stage.canvas.line(area.left() + 1, y, area.width - 2, line);
    }
    let above = 1 + u16::try_from(alerts.len()).unwrap_or(0);
    let body = Rect::new(area.left(), area.top() + above, area.width, area.height - above - 1);
    screen::draw(&scene, &mut stage, body);
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
