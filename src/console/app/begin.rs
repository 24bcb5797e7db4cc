//! How the console begins, and what it keeps for the next time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{App, Picture, Still};
use crate::base::time::Moment;
use crate::console::bench::{Bench, Supply};
use crate::console::kept::{Kept, KeptAnswer, KeptTable};
use crate::console::keymap::Keymap;
use crate::console::letters::{Letters, Office};
use crate::console::range::RANGES;
use crate::console::screen::{Badge, PanelId, Screen, pages};
use crate::console::ui::Ui;
use crate::console::widget::grid::GridState;
use crate::console::widget::time::Zone;
use crate::model::{Histories, Model, Settings, View};

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

impl App {
    /// A console on one profile, live from `now`.
    #[must_use]
    pub fn live(settings: Settings, options: Options, now: Moment) -> Self {
        let (stream, profile) = (settings.pipeline.stream.clone(), settings.profile.clone());
        let mut model = Model::new(settings, now);
        for kept in &options.kept.answers {
            if let Some(answer) = kept.answer(&profile, now.at) {
                model.recall(&answer, now);
            }
        }
        Self::new(Picture::Live(Box::new(model)), stream, options, now)
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
            home: pages::home,
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
        self.keep_answers(&mut kept);
        kept
    }

    /// Keeps what was answered here in place of what was kept of this profile before, and forgets
    /// what counts no more.
    pub fn keep_answers(&self, kept: &mut Kept) {
        let now = self.now.at;
        kept.answers
            .retain(|answer| answer.answer(&answer.profile, now).is_some());
        if let Picture::Live(model) = &self.picture {
            let profile = &*model.view().profile;
            kept.answers.retain(|answer| answer.profile != profile);
            let answers = model.answers();
            let own = answers.iter().map(|answer| KeptAnswer::of(profile, answer, now));
            kept.answers.extend(own);
        }
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
