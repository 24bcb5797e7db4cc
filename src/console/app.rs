//! The state of the console, and the one function that changes it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::command::Command;
use super::keymap::{Chord, Keymap};
use super::screen::{self, Badge, Hits, PanelHit, PanelId, Scene, Screen, Spot, Stage, help, overview, status};
use super::theme::{Role, Theme};
use super::ui::{FLASH, Flash, RANGES, Ui};
use super::widget::time::Zone;
use crate::base::time::Moment;
use crate::model::{Histories, Model, Settings, Severity, View};
use crate::sample::{Envelope, Interest};

/// The smallest screen that can be drawn, columns and rows.
pub const SMALLEST: (u16, u16) = (60, 16);

/// What happens to the console.
#[derive(Debug)]
pub enum Msg {
    /// A sample arrived.
    Data(Envelope),
    /// Time passed: figures are worked out anew.
    Tick(Moment),
    /// Somebody pressed, clicked, pasted or resized.
    Input(Event),
}

/// What the console wants done outside of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// The console.
#[derive(Debug)]
pub struct App {
    picture: Picture,
    paused: Option<Box<Still>>,
    stream: Option<Arc<str>>,
    badges: Vec<Badge>,
    themes: Vec<Arc<str>>,
    keymap: Keymap,
    now: Moment,
    ui: Ui,
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
        let ui = Ui {
            screen: Screen::default(),
            focus: BTreeMap::new(),
            zoomed: false,
            scroll: BTreeMap::new(),
            help: None,
            range: None,
            local: options.local_first && local.is_some(),
            zones: (Zone::utc(), local),
            mouse: !options.no_mouse,
            theme: options.theme.min(options.themes.len().saturating_sub(1)),
            flashes: VecDeque::new(),
        };
        Self {
            picture,
            paused: None,
            stream,
            badges: options.badges,
            themes: options.themes,
            keymap: Keymap::default(),
            now,
            ui,
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

    /// What is on screen, so that sources read just that.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest::default()
    }

    /// The figures that are shown.
    #[must_use]
    pub fn view(&self) -> &View {
        self.scene().view
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
        });
    }

    fn scene(&self) -> Scene<'_> {
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
            paused: self.paused.as_ref().map(|still| still.view.now),
            ui: &self.ui,
            keymap: &self.keymap,
        }
    }

    fn input(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        match event {
            Event::Key(KeyEvent {
                kind: KeyEventKind::Release,
                ..
            }) => Vec::new(),
            Event::Key(key) => match self.keymap.command(Chord::pressed(key)) {
                Some(command) => self.run(command, hits),
                None => Vec::new(),
            },
            // Whoever had the terminal meanwhile may have written on it.
            Event::FocusGained => vec![Effect::Redraw],
            Event::Mouse(mouse) if self.ui.mouse => self.mouse(*mouse, hits),
            _ => Vec::new(),
        }
    }

    fn mouse(&mut self, event: MouseEvent, hits: &Hits) -> Vec<Effect> {
        let spot = hits.at(Position::new(event.column, event.row));
        match (event.kind, spot) {
            (MouseEventKind::Down(MouseButton::Left), Some(Spot::Command(command))) => return self.run(command, hits),
            (MouseEventKind::Down(MouseButton::Left), Some(Spot::Panel(panel))) => self.focus(panel),
            (MouseEventKind::ScrollDown, _) if self.ui.help.is_some() => self.scroll_help(hits, Step::Rows(3)),
            (MouseEventKind::ScrollUp, _) if self.ui.help.is_some() => self.scroll_help(hits, Step::Rows(-3)),
            (MouseEventKind::ScrollDown, Some(Spot::Panel(panel))) => self.scroll(panel, hits, Step::Rows(3)),
            (MouseEventKind::ScrollUp, Some(Spot::Panel(panel))) => self.scroll(panel, hits, Step::Rows(-3)),
            _ => {}
        }
        Vec::new()
    }

    /// Runs a command: by key, by click, later from the palette.
    pub fn run(&mut self, command: Command, hits: &Hits) -> Vec<Effect> {
        if let Some(screen) = command.target() {
            self.show(screen);
            return Vec::new();
        }
        if !command.applies(self.ui.screen) {
            return Vec::new();
        }
        match command {
            Command::Quit => return vec![Effect::Quit],
            Command::Suspend => return vec![Effect::Suspend],
            Command::Redraw => return vec![Effect::Redraw],
            Command::Copy => return self.copy(),
            Command::Mouse => return self.toggle_mouse(),
            Command::Help => self.ui.help = if self.ui.help.is_some() { None } else { Some(0) },
            Command::Back => self.back(),
            Command::FocusNext => self.step_focus(hits, 1),
            Command::FocusPrevious => self.step_focus(hits, -1),
            Command::Zoom => self.zoom(hits),
            Command::Pause => self.pause(),
            Command::TimeZone => self.toggle_zone(),
            Command::NextTheme => self.next_theme(),
            Command::RangeLonger => self.step_range(1),
            Command::RangeShorter => self.step_range(-1),
            Command::ScrollDown => self.scroll_focused(hits, Step::Rows(1)),
            Command::ScrollUp => self.scroll_focused(hits, Step::Rows(-1)),
            Command::HalfPageDown => self.scroll_focused(hits, Step::HalfPages(1)),
            Command::HalfPageUp => self.scroll_focused(hits, Step::HalfPages(-1)),
            Command::ScrollTop => self.scroll_focused(hits, Step::Top),
            Command::ScrollBottom => self.scroll_focused(hits, Step::Bottom),
            Command::ShowOverview
            | Command::ShowQueues
            | Command::ShowWorkers
            | Command::ShowFailures
            | Command::ShowDeadLetters
            | Command::ShowTestWebhooks
            | Command::ShowEvents => {}
        }
        Vec::new()
    }

    fn show(&mut self, screen: Screen) {
        if screen.exists() {
            self.ui.screen = screen;
            self.ui.zoomed = false;
            self.ui.help = None;
        } else {
            self.flash(
                Severity::Info,
                format!("{}: this version has no such screen yet", screen.title()),
            );
        }
    }

    fn back(&mut self) {
        if self.ui.help.take().is_some() {
        } else if self.ui.zoomed {
            self.ui.zoomed = false;
        } else {
            self.ui.focus.remove(&self.ui.screen);
        }
    }

    fn focus(&mut self, panel: PanelId) {
        self.ui.focus.insert(self.ui.screen, panel);
    }

    fn step_focus(&mut self, hits: &Hits, step: isize) {
        let count = hits.panels.len();
        if self.ui.zoomed || self.ui.help.is_some() || count == 0 {
            return;
        }
        let at = self
            .ui
            .focus()
            .and_then(|focus| hits.panels.iter().position(|panel| panel.id == focus));
        let next = match (at, step) {
            (Some(at), step) => (at + count).saturating_add_signed(step) % count,
            (None, 1..) => 0,
            (None, _) => count - 1,
        };
        self.focus(hits.panels[next].id);
    }

    fn zoom(&mut self, hits: &Hits) {
        if self.ui.zoomed {
            self.ui.zoomed = false;
        } else if self.ui.focus().is_some_and(|focus| hits.panel(focus).is_some()) {
            self.ui.zoomed = true;
        } else {
            self.flash(Severity::Info, "Choose a panel first: tab, or a click");
        }
    }

    fn pause(&mut self) {
        if self.paused.take().is_none() {
            let (view, histories) = self.picture.parts();
            self.paused = Some(Box::new(Still {
                view: view.clone(),
                histories: histories.clone(),
            }));
        }
    }

    fn toggle_zone(&mut self) {
        if self.ui.zones.1.is_none() {
            self.flash(Severity::Info, "The local time zone is not known: set TZ");
            return;
        }
        self.ui.local = !self.ui.local;
        let name = self.ui.zone().name.clone();
        self.flash(Severity::Info, format!("Times in {name}"));
    }

    fn toggle_mouse(&mut self) -> Vec<Effect> {
        self.ui.mouse = !self.ui.mouse;
        let text = if self.ui.mouse {
            "Mouse: clicks and wheel go to the console"
        } else {
            "Mouse: left to the terminal"
        };
        self.flash(Severity::Info, text);
        vec![Effect::Mouse(self.ui.mouse)]
    }

    fn next_theme(&mut self) {
        if self.themes.is_empty() {
            return;
        }
        self.ui.theme = (self.ui.theme + 1) % self.themes.len();
        let name = self.themes[self.ui.theme].clone();
        self.flash(Severity::Info, format!("Theme {name}"));
    }

    fn step_range(&mut self, step: isize) {
        let shown = self.ui.range(self.age());
        let at = RANGES.iter().position(|range| *range == shown).unwrap_or(0);
        let next = at.saturating_add_signed(step).min(RANGES.len() - 1);
        self.ui.range = Some(RANGES[next]);
    }

    fn age(&self) -> Duration {
        let view = self.scene().view;
        crate::base::time::since(view.started, view.now.at)
    }

    fn copy(&mut self) -> Vec<Effect> {
        let text = overview::summary(&self.scene());
        self.flash(
            Severity::Info,
            "Copied to the clipboard, if the terminal allows it (OSC 52)",
        );
        vec![Effect::Copy(text)]
    }

    fn scroll_focused(&mut self, hits: &Hits, step: Step) {
        if self.ui.help.is_some() {
            self.scroll_help(hits, step);
        } else if let Some(focus) = self.ui.focus() {
            self.scroll(focus, hits, step);
        } else {
            self.flash(Severity::Info, "Choose a panel first: tab, or a click");
        }
    }

    fn scroll_help(&mut self, hits: &Hits, step: Step) {
        if let (Some(at), Some(panel)) = (self.ui.help, &hits.help) {
            self.ui.help = Some(step.from(at, panel));
        }
    }

    fn scroll(&mut self, id: PanelId, hits: &Hits, step: Step) {
        if let Some(panel) = hits.panel(id) {
            let at = step.from(self.ui.scroll(id), panel);
            self.ui.scroll.insert(id, at);
        }
    }
}

/// How far to scroll.
#[derive(Clone, Copy)]
enum Step {
    Rows(isize),
    HalfPages(isize),
    Top,
    Bottom,
}

impl Step {
    /// The first row after the step; never so far that rows would stay empty.
    fn from(self, at: usize, panel: &PanelHit) -> usize {
        let last = panel.rows.saturating_sub(panel.visible);
        let half = isize::try_from((panel.visible / 2).max(1)).unwrap_or(1);
        match self {
            Self::Rows(rows) => at.min(last).saturating_add_signed(rows).min(last),
            Self::HalfPages(pages) => at.min(last).saturating_add_signed(pages * half).min(last),
            Self::Top => 0,
            Self::Bottom => last,
        }
    }
}

/// Takes a message in. The only function that changes an [`App`]. `hits` is what the last
/// drawing said is where.
pub fn update(app: &mut App, msg: Msg, hits: &Hits) -> Vec<Effect> {
    match msg {
        Msg::Data(envelope) => {
            if let Picture::Live(model) = &mut app.picture {
                model.apply(&envelope);
            }
            Vec::new()
        }
        Msg::Tick(now) => {
            app.now = now;
            if let Picture::Live(model) = &mut app.picture {
                model.advance(now);
            }
            Vec::new()
        }
        Msg::Input(event) => app.input(&event, hits),
    }
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
    screen::draw(app.ui.screen, &scene, &mut stage, body);
    if app.ui.help.is_some() {
        help::draw(&scene, &mut stage, body);
    }
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
