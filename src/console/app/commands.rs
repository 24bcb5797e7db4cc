//! What commands do.

use super::tables::Step;
use super::{App, Effect, Still};
use crate::console::command::{Command, Mode};
use crate::console::fleet::Fleet;
use crate::console::layer::{Detail, Layer, Why};
use crate::console::palette::{Argument, Palette, Request};
use crate::console::player::Control;
use crate::console::range::{RANGES, range_name};
use crate::console::screen::dead_letters::LIST;
use crate::console::screen::{Hits, Opening, PanelId, Place, Screen, overview};
use crate::console::widget::grid::order;
use crate::console::widget::tidy;
use crate::model::Severity;

impl App {
    /// Runs a command: by key, by click, from the palette.
    pub fn run(&mut self, command: Command, hits: &Hits) -> Vec<Effect> {
        if command.acts() && self.refuses(command) {
            return Vec::new();
        }
        if let Some(effects) = self.run_on_layer(command, hits) {
            return effects;
        }
        if let Some(screen) = command.target() {
            self.show(screen);
            return Vec::new();
        }
        if !command.applies(self.ui.screen) || self.refuses(command) {
            return Vec::new();
        }
        if let Some(effects) = self.run_past(command) {
            return effects;
        }
        match command {
            Command::Quit if self.asks_before_leaving() => {}
            Command::Quit => return vec![Effect::Quit],
            Command::Suspend => return vec![Effect::Suspend],
            Command::Redraw => return vec![Effect::Redraw],
            Command::Copy => return self.copy(),
            Command::Mouse => return self.toggle_mouse(),
            Command::Open => return self.open(hits),
            Command::NextProfile => return self.step_profile(1),
            Command::PreviousProfile => return self.step_profile(-1),
            Command::Help => self.ui.layers.push(Layer::Help(0)),
            Command::Messages => self.ui.layers.push(Layer::Messages(0)),
            Command::Palette => self.ui.layers.push(Layer::Palette(Palette::default())),
            Command::WhatIf => self.ui.layers.push(Layer::WhatIf { minutes: 10 }),
            Command::Verdicts => self.ui.layers.push(Layer::Verdicts { at: 0 }),
            Command::Acknowledge => self.acknowledge(0),
            Command::Silence => self.silence(0),
            Command::Back => {
                if self.ui.screen == Screen::DeadLetters
                    && self.ui.detail().is_none()
                    && let Some(effects) = self.stop_scans()
                {
                    return effects;
                }
                return self.back();
            }
            Command::FocusNext => self.step_focus(hits, 1),
            Command::FocusPrevious => self.step_focus(hits, -1),
            Command::Zoom => self.zoom(hits),
            Command::Why => self.why(),
            Command::Filter => self.filter(),
            Command::Sort => self.sort_by_focused(),
            Command::ColumnLeft => self.step_column(hits, -1),
            Command::ColumnRight => self.step_column(hits, 1),
            Command::Columns => self.choose_columns(),
            Command::Mark => self.mark(hits),
            Command::Fire => return self.fire(),
            Command::StopFiring => return self.stop_firing(),
            Command::EditBody => return self.edit_body(),
            Command::Trace => self.toggle_trace(),
            Command::ResetField => self.reset_field(),
            Command::Canary => return self.canary(),
            Command::Pause => self.pause(),
            Command::TimeZone => self.toggle_zone(),
            Command::NextTheme => self.next_theme(),
            Command::RangeLonger => self.step_range(1),
            Command::RangeShorter => self.step_range(-1),
            Command::ScrollTop | Command::ScrollBottom if self.ui.focus() == Some(LIST) => {
                self.go_to_end(command == Command::ScrollBottom);
                self.scroll_by(command, hits);
            }
            _ if Step::of(command).is_some() => self.scroll_by(command, hits),
            Command::Replay
            | Command::Archive
            | Command::ExportLetters
            | Command::MarkAll
            | Command::GroupBy
            | Command::Order
            | Command::Reload
            | Command::Forms
            | Command::Look
            | Command::Unlock
            | Command::PauseReplay
            | Command::CancelReplay
            | Command::ResumeReplay
            | Command::RateUp
            | Command::RateDown => return self.run_on_letters(command),
            // Screens and the past were dealt with above.
            _ => debug_assert!(false, "{} has no arm", command.id()),
        }
        Vec::new()
    }

    fn scroll_by(&mut self, command: Command, hits: &Hits) {
        if let Some(step) = Step::of(command) {
            self.scroll_focused(hits, step);
        }
    }

    /// Runs a line of the palette.
    pub(super) fn request(&mut self, request: Request, hits: &Hits) -> Vec<Effect> {
        let Request { command, argument } = request;
        match argument {
            None => return self.run(command, hits),
            Some((Argument::Theme, name)) => {
                if let Some(theme) = self.themes.iter().position(|theme| **theme == *name) {
                    self.set_theme(theme);
                }
            }
            Some((Argument::Profile, name)) => return self.show_profile(&name),
            Some((Argument::Range, name)) => {
                let range = RANGES.into_iter().find(|range| range_name(*range) == name);
                (self.ui.range, self.ui.span) = (range, None);
            }
            Some((Argument::Column, title)) => {
                if let Some(panel) = self.focused_table() {
                    self.sort_by(panel, &title);
                }
            }
            Some((argument @ (Argument::Text | Argument::Forced), text)) if command != Command::Filter => {
                return self.typed_past(command, &text, argument == Argument::Forced);
            }
            Some((Argument::Text, text)) => {
                if let Some(panel) = self.focused_table() {
                    self.grid(panel).filter = text;
                }
            }
            Some((Argument::Screen | Argument::Forced, _)) => {}
        }
        Vec::new()
    }

    /// Goes to a screen.
    pub fn show(&mut self, screen: Screen) {
        self.ui.screen = screen;
        self.ui.zoomed = false;
        self.close_all();
    }

    fn step_profile(&mut self, step: isize) -> Vec<Effect> {
        let to = self.scene().fleet.map(|fleet| fleet.step(step));
        match to {
            Some(to) => self.go_to_profile(to),
            None => self.watch_only_one(),
        }
    }

    fn show_profile(&mut self, name: &str) -> Vec<Effect> {
        let named = |fleet: &Fleet| fleet.lanes.iter().position(|lane| &*lane.name == name);
        let to = self.scene().fleet.and_then(named);
        match to {
            Some(to) => self.go_to_profile(to),
            None => self.watch_only_one(),
        }
    }

    /// Shows another profile. While a question is open, it is about this one.
    pub(super) fn go_to_profile(&mut self, to: usize) -> Vec<Effect> {
        let here = self.scene().fleet.map(|fleet| fleet.here);
        if here == Some(to) || matches!(self.ui.layers.last(), Some(Layer::Dialog(_))) {
            return Vec::new();
        }
        vec![Effect::Profile(to)]
    }

    fn watch_only_one(&mut self) -> Vec<Effect> {
        let text = "One profile is watched: hookwatch --profile a,b watches several side by side";
        self.flash(Severity::Info, text);
        Vec::new()
    }

    /// Goes to a row of a screen.
    fn go(&mut self, place: Place) {
        self.show(place.screen);
        self.focus(place.panel);
        let grid = self.grid(place.panel);
        grid.filter.clear();
        grid.row = Some(place.row);
    }

    /// Esc: what was opened last goes first.
    fn back(&mut self) -> Vec<Effect> {
        if self.ui.zoomed {
            self.ui.zoomed = false;
        } else if self.ui.detail().is_some() {
            self.close();
        } else if self.ui.span.take().is_some() {
        } else if let Some(panel) = self
            .focused_table()
            .filter(|panel| !self.ui.grid(*panel).filter.is_empty())
        {
            self.grid(panel).filter.clear();
        } else if let Some(panel) = self
            .focused_table()
            .filter(|panel| !self.ui.grid(*panel).marks.is_empty())
        {
            self.grid(panel).marks.clear();
        } else if self.ui.screen == Screen::DeadLetters && self.widen_letters() {
            // The list means more letters again.
        } else if self.ui.focus.remove(&self.ui.screen).is_none() && self.mode() == Mode::Rewind {
            return vec![Effect::Play(Control::Live)];
        }
        Vec::new()
    }

    pub(in crate::console) fn focus(&mut self, panel: PanelId) {
        self.ui.focus.insert(self.ui.screen, panel);
    }

    fn step_focus(&mut self, hits: &Hits, step: isize) {
        let count = hits.panels.len();
        if self.ui.zoomed || count == 0 {
            return;
        }
        let focus = self.ui.focus();
        let at = hits.panels.iter().position(|panel| Some(panel.id) == focus);
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

    /// Enter.
    pub(super) fn open(&mut self, hits: &Hits) -> Vec<Effect> {
        let Some(panel) = self.ui.focus() else {
            self.flash(Severity::Info, "Choose a panel first: tab, or a click");
            return Vec::new();
        };
        let scene = self.scene();
        let row = scene.row(panel);
        match self.ui.screen.page().open(&scene, panel, row.as_deref()) {
            Opening::Nothing => {
                let zoom = scene.key(Command::Zoom);
                self.flash(
                    Severity::Info,
                    format!("Nothing lies behind this: {zoom} zooms the panel"),
                );
            }
            Opening::Run(command) => return self.run(command, hits),
            Opening::Go(place) => self.go(place),
            Opening::Own => self.open_on_bench(panel, row.as_deref()),
            Opening::Narrow(key) => self.narrow(key),
            Opening::Detail => {
                let Some(key) = row else { return Vec::new() };
                let back = self.ui.focus.remove(&self.ui.screen);
                self.ui.zoomed = false;
                if let Some(home) = self.ui.screen.page().detail_home() {
                    self.focus(home);
                }
                self.ui.layers.push(Layer::Detail(Detail { panel, key, back }));
            }
        }
        Vec::new()
    }

    /// Why the focused figure is what it is.
    fn why(&mut self) {
        let Some(panel) = self.ui.focus() else {
            self.flash(Severity::Info, "Choose a panel first: tab, or a click");
            return;
        };
        let scene = self.scene();
        let cell = scene.rows(panel).and_then(|rows| {
            let grid = self.ui.grid(panel);
            Some((scene.row(panel)?, grid.focused(&*rows)))
        });
        self.ui.layers.push(Layer::Why(Why { panel, cell, scroll: 0 }));
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
        if !self.themes.is_empty() {
            self.set_theme((self.ui.theme + 1) % self.themes.len());
        }
    }

    fn set_theme(&mut self, theme: usize) {
        self.ui.theme = theme;
        let name = self.themes[theme].clone();
        self.kept.theme = Some(name.to_string());
        self.flash(Severity::Info, format!("Theme {name}"));
    }

    fn step_range(&mut self, step: isize) {
        let shown = self.ui.range(self.scene().age());
        let at = RANGES.iter().position(|range| *range == shown).unwrap_or(0);
        let next = at.saturating_add_signed(step).min(RANGES.len() - 1);
        (self.ui.range, self.ui.span) = (Some(RANGES[next]), None);
    }

    /// The page's own summary, else the focused row, else the verdicts.
    fn copy(&mut self) -> Vec<Effect> {
        let scene = self.scene();
        let row = || {
            let panel = self.ui.focus()?;
            let rows = scene.rows(panel)?;
            let grid = self.ui.grid(panel);
            let order = order(&*rows, grid);
            let row = order[grid.cursor(&*rows, &order)?];
            let cells = rows.columns().iter().enumerate().map(|(column, spec)| {
                let value = rows.value(row, column).export();
                format!("{}: {}\n", spec.title, tidy(&value, 500))
            });
            Some(cells.collect::<String>())
        };
        let summary = self.ui.screen.page().summary(&scene);
        let text = summary.or_else(row).unwrap_or_else(|| overview::summary(&scene));
        self.copied(text)
    }

    pub(super) fn copied(&mut self, text: String) -> Vec<Effect> {
        self.flash(
            Severity::Info,
            "Copied to the clipboard, if the terminal allows it (OSC 52)",
        );
        vec![Effect::Copy(text)]
    }
}
