//! Screens: each is a [`Page`], which draws a [`Scene`] onto a [`Stage`] and changes nothing.
//!
//! A screen is added by a folder with a type that is a [`Page`], and a line in [`Screen::page`].
//! Its tables are [`Rows`]: sorting, filter, columns, marks, copying and `i` come with them.

pub mod dead_letters;
pub mod events;
pub mod failures;
pub mod fire;
pub mod help;
pub mod history;
pub mod lanes;
pub mod overview;
pub mod popup;
pub mod queues;
pub mod status;
pub mod strip;
pub mod workers;

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::bench::Bench;
use super::command::{Command, Mode};
use super::fleet::Fleet;
use super::keymap::Keymap;
use super::palette::Choices;
use super::player::{Player, Tape};
use super::theme::{Role, Theme};
use super::ui::Ui;
use super::widget::grid::{Filter, Rows, order};
use super::widget::table::{Align, Cell};
use super::widget::time::Zone;
use super::widget::{Canvas, Frame, Line, chart, figure, scroll_bar, span};
use crate::base::text;
use crate::base::time::{Moment, since};
use crate::model::field::Field;
use crate::model::{Health, Histories, Reading, SeriesKey, View};
use crate::sample::{Interest, SourceKind};

/// The screens, by their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// `1`: flow, verdict, ledger.
    #[default]
    Overview,
    /// `2`: streams and consumers.
    Queues,
    /// `3`: workers.
    Workers,
    /// `4`: failures.
    Failures,
    /// `5`: dead letters.
    DeadLetters,
    /// `6`: test webhooks.
    TestWebhooks,
    /// `7`: events.
    Events,
}

impl Screen {
    /// Every screen, in the order of their keys.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Queues,
        Self::Workers,
        Self::Failures,
        Self::DeadLetters,
        Self::TestWebhooks,
        Self::Events,
    ];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Queues => "Queues",
            Self::Workers => "Workers",
            Self::Failures => "Failures",
            Self::DeadLetters => "Dead letters",
            Self::TestWebhooks => "Test webhooks",
            Self::Events => "Events",
        }
    }

    /// What draws it.
    #[must_use]
    pub fn page(self) -> &'static dyn Page {
        match self {
            Self::Queues => &queues::Queues,
            Self::Workers => &workers::Workers,
            Self::Failures => &failures::Failures,
            Self::DeadLetters => &dead_letters::DeadLetters,
            Self::Events => &events::Events,
            Self::TestWebhooks => &fire::TestWebhooks,
            // The others are not there yet, and update goes to none of them.
            Self::Overview => &overview::Overview,
        }
    }
}

/// What a screen is to the rest of the console.
pub trait Page: Sync {
    /// Draws it.
    fn draw(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect);

    /// The panel that is focused until another one is.
    fn home(&self) -> Option<PanelId> {
        None
    }

    /// The panels that are tables: their sort and columns are kept between runs.
    fn tables(&self) -> &'static [PanelId] {
        &[]
    }

    /// The rows of a panel that is a table, of the screen itself or of an open row.
    fn rows<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        let _ = (scene, panel);
        None
    }

    /// What Enter does on a panel; of a table, on a row.
    fn open(&self, scene: &Scene<'_>, panel: PanelId, row: Option<&str>) -> Opening {
        let _ = (scene, panel, row);
        Opening::Nothing
    }

    /// Draws an open row in place of the screen.
    fn detail(&self, scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect, key: &str) {
        let _ = key;
        self.draw(scene, stage, area);
    }

    /// The panel of an open row that is focused at first.
    fn detail_home(&self) -> Option<PanelId> {
        None
    }

    /// Adds what sources should read for what is on screen.
    fn interest(&self, scene: &Scene<'_>, hits: &Hits, interest: &mut Interest) {
        let _ = (scene, hits, interest);
    }

    /// Histories that are charted on screen: their fine values are kept longest.
    fn charted(&self, scene: &Scene<'_>) -> Vec<SeriesKey> {
        let _ = scene;
        Vec::new()
    }

    /// The figures of a panel that is not a table, for `i`.
    fn figures<'a>(&self, scene: Scene<'a>, panel: PanelId) -> Vec<(Field, &'a Reading)> {
        let _ = (scene, panel);
        Vec::new()
    }

    /// What `y` copies, where that is more than the focused row; `None`: the row, else the verdicts.
    fn summary(&self, scene: &Scene<'_>) -> Option<String> {
        let _ = scene;
        None
    }
}

/// What Enter does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing.
    Nothing,
    /// Shows the row in place of the screen.
    Detail,
    /// Runs a command.
    Run(Command),
    /// Goes to a row of another screen.
    Go(Place),
    /// What the screen itself does with a row.
    Own,
    /// Narrows the list of letters to a group.
    Narrow(String),
}

/// A row of a screen's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// Its panel.
    pub panel: PanelId,
    /// The row's key.
    pub row: String,
}

/// A panel: its name is unique among all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PanelId(pub &'static str);

/// A label in the status line that says on what one works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badge {
    /// Private servers and a made-up load.
    Demo,
    /// Nothing can be changed from here.
    ReadOnly,
    /// A protected profile.
    Prod,
    /// Not now: a recording.
    Playback,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The figures.
    pub view: &'a View,
    /// The histories.
    pub histories: &'a Histories,
    /// The time now; later than the view's own while the picture is held still. Of the past, the
    /// time that is shown.
    pub now: Moment,
    /// The time of the person before the screen.
    pub wall: Moment,
    /// What is played, and where one stands in it.
    pub player: Option<&'a Player>,
    /// The recording in the making.
    pub tape: Option<&'a Tape>,
    /// The figures of the live session, whatever is shown.
    pub live: Option<&'a View>,
    /// The moment to compare with.
    pub pinned: Option<&'a View>,
    /// The stream that is followed.
    pub stream: Option<&'a str>,
    /// On what one works.
    pub badges: &'a [Badge],
    /// The profile's own label, loud beside its name.
    pub label: Option<&'a str>,
    /// Since when the picture is held still.
    pub paused: Option<Moment>,
    /// Where the person is.
    pub ui: &'a Ui,
    /// Which keys do what.
    pub keymap: &'a Keymap,
    /// The names of the themes.
    pub themes: &'a [Arc<str>],
    /// Test webhooks.
    pub bench: &'a Bench,
    /// The profiles beside this one.
    pub fleet: Option<&'a Fleet>,
}

impl<'a> Scene<'a> {
    /// The zone in which moments are shown.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.ui.zone()
    }

    /// How old the session is at the moment that is shown.
    #[must_use]
    pub fn age(&self) -> Duration {
        since(self.view.started, self.view.now.at)
    }

    /// The time that charts show: its end and how far it reaches back.
    #[must_use]
    pub fn window(&self) -> (Moment, Duration) {
        self.ui.window(self.view.now, self.age())
    }

    /// The rows of a panel of this screen that is a table.
    #[must_use]
    pub fn rows(self, panel: PanelId) -> Option<Box<dyn Rows + 'a>> {
        self.ui.screen().page().rows(self, panel)
    }

    /// What the palette can name behind a word now.
    #[must_use]
    pub fn choices(&self) -> Choices {
        let columns = self.ui.focus().and_then(|panel| self.rows(panel)).map(|rows| {
            let titles = rows.columns().iter().map(|column| column.title.to_owned());
            titles.collect()
        });
        Choices {
            themes: self.themes.iter().map(ToString::to_string).collect(),
            columns: columns.unwrap_or_default(),
            profiles: self
                .fleet
                .iter()
                .flat_map(|fleet| &fleet.lanes)
                .map(|lane| lane.name.to_string())
                .collect(),
            screen: self.ui.screen(),
            mode: self.mode(),
        }
    }

    /// What is on screen: now, or something that is over.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.player {
            None => Mode::Live,
            Some(player) if player.reel.live => Mode::Rewind,
            Some(_) => Mode::Recording,
        }
    }

    /// The key of a table's row under the cursor.
    #[must_use]
    pub fn row(&self, panel: PanelId) -> Option<String> {
        let rows = self.rows(panel)?;
        let grid = self.ui.grid(panel);
        let order = order(&*rows, grid);
        let at = grid.cursor(&*rows, &order)?;
        Some(rows.key(order[at]).into_owned())
    }
}

/// What something on screen stands for when it is clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Runs a command.
    Command(Command),
    /// Focuses a panel.
    Panel(PanelId),
    /// Selects a row of a table: its place among the rows that are shown.
    Row(PanelId, usize),
    /// Sorts a table by a column.
    Heading(PanelId, usize),
    /// Selects a span of time: a chart of this panel.
    Chart(PanelId),
    /// Goes to a moment of what is played.
    Strip,
    /// Goes to one of several profiles.
    Lane(usize),
    /// The focused layer: what lies under it is out of reach.
    Layer,
    /// A choice of the topmost layer: a completion, a column, a button.
    Choice(usize),
}

/// A panel on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelHit {
    /// Which.
    pub id: PanelId,
    /// Rows of content.
    pub rows: usize,
    /// Rows of content that there is room for.
    pub visible: usize,
    /// Of a table: the first row on screen.
    pub first: usize,
    /// Of a table: the columns on screen.
    pub columns: Vec<usize>,
}

impl PanelHit {
    /// A panel of which nothing is known yet.
    #[must_use]
    pub fn new(id: PanelId) -> Self {
        Self {
            id,
            rows: 0,
            visible: 0,
            first: 0,
            columns: Vec::new(),
        }
    }
}

/// A chart on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartHit {
    /// The panel.
    pub panel: PanelId,
    /// Where its curves are.
    pub plot: Rect,
    /// The moment at its right edge, time since session start.
    pub end: Duration,
    /// How far it reaches back.
    pub span: Duration,
}

impl ChartHit {
    /// The column in which a time since session start is; `None`: it is not in the chart.
    fn column(&self, at: Duration) -> Option<u16> {
        let ago = self.end.checked_sub(at).filter(|ago| *ago < self.span)?;
        let columns = ago.as_nanos() * u128::from(self.plot.width) / self.span.as_nanos();
        self.plot
            .width
            .checked_sub(1)?
            .checked_sub(u16::try_from(columns).ok()?)
    }
}

/// What is where on screen, as it was last drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The screen, where nothing lay over it. Keys may come faster than it is drawn.
    pub bare: Option<Screen>,
    /// Areas that can be clicked; a later one lies over an earlier one.
    pub spots: Vec<(Rect, Spot)>,
    /// The panels, in the order in which Tab goes through them.
    pub panels: Vec<PanelHit>,
    /// The topmost popup, while one is open.
    pub popup: Option<PanelHit>,
    /// The charts.
    pub charts: Vec<ChartHit>,
    /// Where the strip of what is played is.
    pub strip: Option<Rect>,
}

impl Hits {
    /// What lies at a position.
    #[must_use]
    pub fn at(&self, position: Position) -> Option<Spot> {
        self.spots
            .iter()
            .rev()
            .find(|(area, _)| area.contains(position))
            .map(|(_, spot)| *spot)
    }

    /// A panel on screen.
    #[must_use]
    pub fn panel(&self, id: PanelId) -> Option<&PanelHit> {
        self.panels.iter().find(|panel| panel.id == id)
    }
}

/// What screens draw onto, and what they say about it.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The canvas.
    pub canvas: Canvas<'a>,
    /// What is where.
    pub hits: Hits,
    /// Where the cursor stands, where text is typed.
    pub cursor: Option<Position>,
}

impl<'a> Stage<'a> {
    /// A stage over a buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self {
            canvas: Canvas::new(buffer, theme),
            hits: Hits::default(),
            cursor: None,
        }
    }

    /// Draws a panel's frame and makes it one that can be focused. Returns the room inside.
    pub fn panel(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, mut frame: Frame<'_>) -> Rect {
        frame.focused = scene.ui.focus() == Some(id);
        self.hits.spots.push((area, Spot::Panel(id)));
        self.hits.panels.push(PanelHit::new(id));
        frame.draw(&mut self.canvas, area)
    }

    /// Says how much a panel has to show and how much of it fits. Returns the first row to draw.
    pub fn scroll(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, rows: usize, visible: usize) -> usize {
        if let Some(panel) = self.hits.panels.iter_mut().find(|panel| panel.id == id) {
            (panel.rows, panel.visible) = (rows, visible);
        }
        let offset = scene.ui.scroll(id).min(rows.saturating_sub(visible));
        scroll_bar(
            &mut self.canvas,
            area,
            scene.ui.focus() == Some(id),
            rows,
            visible,
            offset,
        );
        offset
    }

    /// Draws lines of text into a panel, scrolled.
    pub fn lines(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, inner: Rect, lines: &[Line<'_>]) {
        let offset = self.scroll(scene, id, area, lines.len(), usize::from(inner.height));
        for (line, y) in lines.iter().skip(offset).zip(inner.top()..inner.bottom()) {
            self.canvas.line(inner.left(), y, inner.width, line);
        }
    }

    /// Makes a chart one on which a span of time can be chosen, and shows the span while it is.
    pub fn chart(&mut self, scene: &Scene<'_>, chart: ChartHit) {
        self.hits.charts.push(chart);
        self.hits.spots.push((chart.plot, Spot::Chart(chart.panel)));
        if let Some(column) = scene.histories.seam().and_then(|seam| chart.column(seam)) {
            chart::seam(&mut self.canvas, chart.plot, column);
        }
        if let Some((from, to)) = scene.ui.dragged(chart.panel) {
            let left = from.max(chart.plot.left());
            let width = (to + 1).min(chart.plot.right()).saturating_sub(left);
            self.canvas.fill(
                Rect {
                    x: left,
                    width,
                    ..chart.plot
                },
                Role::Selection,
            );
        }
    }

    /// Draws a table into a panel: heading, rows, cursor, marks. `hint` says why it is empty.
    pub fn grid(&mut self, scene: &Scene<'_>, id: PanelId, area: Rect, frame: Frame<'_>, rows: &dyn Rows, hint: &str) {
        let state = scene.ui.grid(id);
        let order = order(rows, state);
        let arranged = rows.arranged().is_some();
        let frame = if state.filter.is_empty() || arranged {
            frame
        } else {
            let count = format!("{} of {}", order.len(), rows.count());
            let note = vec![
                span(count, Role::Strong),
                span("  / ", Role::Key),
                span(state.filter.as_str(), Role::Note),
            ];
            Frame { note, ..frame }
        };
        let inner = self.panel(scene, id, area, frame);
        if inner.height < 2 {
            let text = format!("{} rows", text::count(order.len() as u64));
            self.canvas
                .put(inner.left(), inner.top(), inner.width, &text, Role::Dim);
            return;
        }
        if order.is_empty() {
            let filtered = format!("No row holds {}. esc shows all.", state.filter);
            let known = rows.count() == 0 || arranged;
            self.hint(inner, if known { hint } else { &filtered });
            return;
        }
        let places = state.places(rows, inner.width);
        self.headings(scene, id, inner, rows, &places);
        let tall = rows.height().max(1);
        let visible = usize::from(((inner.height - 1) / tall).max(1));
        let cursor = state.cursor(rows, &order).unwrap_or(0);
        let first = state.first(cursor, order.len(), visible);
        let focused = scene.ui.focus() == Some(id);
        scroll_bar(&mut self.canvas, area, focused, order.len(), visible, first);
        if let Some(panel) = self.hits.panels.iter_mut().find(|panel| panel.id == id) {
            *panel = PanelHit {
                id,
                rows: order.len(),
                visible,
                first,
                columns: places.iter().map(|place| place.0).collect(),
            };
        }
        let filter = Filter::new(&state.filter);
        let glyphs = self.canvas.glyphs();
        for ((at, row), y) in order
            .iter()
            .enumerate()
            .skip(first)
            .zip((inner.top() + 1..inner.bottom()).step_by(usize::from(tall)))
        {
            let lines = tall.min(2).min(inner.bottom() - y);
            let whole = Rect::new(area.left() + 1, y, area.width.saturating_sub(2), lines);
            self.hits.spots.push((whole, Spot::Row(id, at)));
            if at == cursor {
                self.canvas.fill(whole, Role::Selection);
                let role = if focused { Role::Marker } else { Role::Dim };
                for y in whole.top()..whole.bottom() {
                    self.canvas.glyph(area.left() + 1, y, glyphs.marker.0, role);
                }
            }
            if lines > 1 {
                let x = inner.left() + places.get(1).map_or(0, |place| place.1);
                let below = rows.below(*row, glyphs);
                self.canvas.line(x, y + 1, inner.right().saturating_sub(x), &below);
            }
            let marked = !state.marks.is_empty() && state.marks.contains(&*rows.key(*row));
            if marked || rows.marked(*row) {
                self.canvas.glyph(area.left() + 2, y, glyphs.check, Role::Accent);
            }
            for (column, x, width) in &places {
                let line = match rows.cell(*row, *column, glyphs) {
                    Cell::Text(line) => filter.highlight(line),
                    Cell::Figure(reading, unit, role) => figure::fitting(reading, unit, role, *width),
                };
                self.aligned(rows.columns()[*column].align, inner.left() + x, y, *width, &line);
            }
        }
    }

    fn aligned(&mut self, align: Align, x: u16, y: u16, width: u16, line: &Line<'_>) {
        match align {
            Align::Left => self.canvas.line(x, y, width, line),
            Align::Right => self.canvas.line_right(x, y, width, line),
        };
    }

    fn headings(&mut self, scene: &Scene<'_>, id: PanelId, inner: Rect, rows: &dyn Rows, places: &[(usize, u16, u16)]) {
        let state = scene.ui.grid(id);
        let sort = state.sort(rows);
        let focused = state.focused(rows);
        let glyphs = self.canvas.glyphs();
        let y = inner.top();
        for (column, x, width) in places {
            let spec = rows.columns()[*column];
            let here = *column == focused && scene.ui.focus() == Some(id);
            let role = if here { Role::Accent } else { Role::Heading };
            let x = inner.left() + x;
            self.aligned(spec.align, x, y, *width, &vec![span(spec.title, role)]);
            let area = Rect::new(x, y, *width, 1);
            self.hits.spots.push((area, Spot::Heading(id, *column)));
            let Some(sort) = sort.as_ref().filter(|sort| sort.column == spec.title) else {
                continue;
            };
            let arrow = if sort.down { glyphs.down } else { glyphs.up };
            let title = self.canvas.text_width(spec.title).min(*width);
            let after = match spec.align {
                Align::Left => x + title,
                Align::Right => x + width,
            };
            if after < inner.right() + 1 {
                self.canvas.glyph(after, y, arrow, Role::Accent);
            }
        }
    }

    /// Says in the middle of a panel why it is empty.
    pub fn hint(&mut self, inner: Rect, text: &str) {
        if inner.height < 2 {
            self.canvas.put(inner.left(), inner.top(), inner.width, text, Role::Dim);
            return;
        }
        let rows = super::widget::wrap(text, inner.width.min(60), usize::from(inner.height));
        let height = u16::try_from(rows.len()).unwrap_or(0);
        let top = inner.top() + inner.height.saturating_sub(height) / 2;
        for (row, y) in rows.iter().zip(top..inner.bottom()) {
            let width = self.canvas.text_width(row);
            let x = inner.left() + inner.width.saturating_sub(width) / 2;
            self.canvas.put(x, y, inner.width, row, Role::Dim);
        }
    }
}

/// Draws the screen, or the row that is open in its place.
pub fn draw(scene: &Scene<'_>, stage: &mut Stage<'_>, area: Rect) {
    let page = scene.ui.screen().page();
    match scene.ui.detail() {
        Some(detail) => page.detail(scene, stage, area, &detail.key),
        None => page.draw(scene, stage, area),
    }
}

/// Why a panel that lives from sources of a kind is empty, in a sentence.
#[must_use]
pub fn absence(scene: &Scene<'_>, kind: SourceKind, without: &str, meanwhile: &str) -> String {
    let mut of_kind = scene
        .view
        .sources
        .iter()
        .filter(|source| source.id.kind == kind)
        .peekable();
    if of_kind.peek().is_none() {
        return without.to_owned();
    }
    if of_kind.all(|source| source.state == Health::Failing) {
        return "Its source does not answer: see the top of the screen.".to_owned();
    }
    meanwhile.to_owned()
}

/// How many labels were left out because there are too many, for a panel's note.
#[must_use]
pub fn left_out(scene: &Scene<'_>) -> Line<'static> {
    match scene.view.left_out {
        0 => Line::new(),
        count => vec![span(format!("{} left out", text::count(count)), Role::Warning)],
    }
}
