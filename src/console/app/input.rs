//! Keys, pastes and the mouse.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::tables::Step;
use super::{App, Effect};
use crate::console::command::{Command, Mode};
use crate::console::keymap::Chord;
use crate::console::layer::Layer;
use crate::console::screen::{Hits, PanelId, Spot};
use crate::console::ui::Drag;

/// Two clicks on one row within this time open it.
const DOUBLE: Duration = Duration::from_millis(400);

/// Rows that a turn of the wheel goes.
const WHEEL: isize = 3;

impl App {
    pub(super) fn input(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        self.find_focus(hits);
        match event {
            Event::Key(KeyEvent {
                kind: KeyEventKind::Release,
                ..
            }) => Vec::new(),
            // ^C ends the console whatever is typed.
            Event::Key(key) if self.takes_text() && !is_interrupt(key) => self.typed_or_answered(event, hits),
            Event::Key(key) => match self.keymap.command(Chord::pressed(key), self.ui.screen, self.keys()) {
                Some(command) => self.run(command, hits),
                None => Vec::new(),
            },
            Event::Paste(_) if self.takes_text() => self.typed_or_answered(event, hits),
            // Whoever had the terminal meanwhile may have written on it.
            Event::FocusGained => vec![Effect::Redraw],
            Event::Mouse(mouse) if self.ui.mouse => self.mouse(*mouse, hits),
            _ => Vec::new(),
        }
    }

    /// Whose keys come first: a sheet with choices keeps its own over the past, too.
    fn keys(&self) -> Mode {
        match self.ui.layers.last() {
            Some(Layer::Columns { .. } | Layer::WhatIf { .. }) => Mode::Live,
            _ => self.mode(),
        }
    }

    /// Where the panel that is focused at first is not on screen, the first one is.
    fn find_focus(&mut self, hits: &Hits) {
        let lost = |panel| !hits.panels.iter().any(|hit| hit.id == panel);
        if self.ui.layers.is_empty()
            && hits.bare == Some(self.ui.screen)
            && self.ui.focus().is_some_and(lost)
            && let Some(first) = hits.panels.first()
        {
            self.focus(first.id);
        }
    }

    fn takes_text(&self) -> bool {
        let top = self.ui.layers.last();
        top.is_some_and(|layer| layer.takes_text() || matches!(layer, Layer::Dialog(_)))
    }

    fn typed_or_answered(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        match self.ui.layers.last() {
            Some(Layer::Dialog(_)) => self.answer(event, hits),
            Some(Layer::Replay(_)) => self.fill(event),
            _ => self.typed(event, hits),
        }
    }

    fn mouse(&mut self, event: MouseEvent, hits: &Hits) -> Vec<Effect> {
        let spot = hits.at(Position::new(event.column, event.row));
        match (event.kind, spot) {
            (MouseEventKind::Down(MouseButton::Left), Some(spot)) => return self.click(spot, event.column, hits),
            (MouseEventKind::Drag(MouseButton::Left), _) if self.ui.scrubbing => return self.scrub(event.column, hits),
            (MouseEventKind::Drag(MouseButton::Left), _) => {
                if let Some(drag) = &mut self.ui.drag {
                    drag.to = event.column;
                }
            }
            (MouseEventKind::Up(MouseButton::Left), _) => {
                self.ui.scrubbing = false;
                self.drop_drag(hits);
            }
            (MouseEventKind::ScrollDown, spot) => return self.wheel(spot, WHEEL, hits),
            (MouseEventKind::ScrollUp, spot) => return self.wheel(spot, -WHEEL, hits),
            _ => {}
        }
        Vec::new()
    }

    fn click(&mut self, spot: Spot, column: u16, hits: &Hits) -> Vec<Effect> {
        match spot {
            Spot::Command(command) => return self.run(command, hits),
            Spot::Panel(panel) => self.focus(panel),
            Spot::Chart(panel) => {
                self.focus(panel);
                self.ui.drag = Some(Drag {
                    panel,
                    from: column,
                    to: column,
                });
            }
            Spot::Heading(panel, column) => {
                self.focus(panel);
                let title = self.scene().rows(panel).map(|rows| rows.columns()[column].title);
                if let Some(title) = title {
                    self.sort_by(panel, title);
                }
            }
            Spot::Row(panel, at) => {
                self.focus(panel);
                self.select(panel, at, hits);
                return self.click_row(panel, at, hits);
            }
            Spot::Strip => {
                self.ui.scrubbing = true;
                return self.scrub(column, hits);
            }
            Spot::Lane(lane) => return self.go_to_profile(lane),
            Spot::Choice(choice) => return self.choose(choice, hits),
            Spot::Layer => {}
        }
        Vec::new()
    }

    fn click_row(&mut self, panel: PanelId, at: usize, hits: &Hits) -> Vec<Effect> {
        let now = self.now.mono;
        let again = self
            .ui
            .clicked
            .take()
            .is_some_and(|(before, row, when)| (before, row) == (panel, at) && now.saturating_sub(when) <= DOUBLE);
        if again {
            return self.open(hits);
        }
        self.ui.clicked = Some((panel, at, now));
        Vec::new()
    }

    fn wheel(&mut self, spot: Option<Spot>, rows: isize, hits: &Hits) -> Vec<Effect> {
        match spot {
            Some(Spot::Layer | Spot::Choice(_)) => {
                let command = if rows > 0 {
                    Command::ScrollDown
                } else {
                    Command::ScrollUp
                };
                for _ in 0..rows.abs() {
                    self.run_on_layer(command, hits);
                }
            }
            Some(Spot::Panel(panel) | Spot::Row(panel, _) | Spot::Heading(panel, _) | Spot::Chart(panel)) => {
                self.scroll(panel, hits, Step::Rows(rows));
            }
            Some(Spot::Strip) => {
                let command = if rows > 0 {
                    Command::SkipForward
                } else {
                    Command::SkipBack
                };
                return self.run_past(command).unwrap_or_default();
            }
            Some(Spot::Command(_) | Spot::Lane(_)) | None => {}
        }
        Vec::new()
    }

    /// A drag over a chart has ended: its span of time is shown.
    fn drop_drag(&mut self, hits: &Hits) {
        let Some(drag) = self.ui.drag.take() else { return };
        let Some(chart) = hits.charts.iter().find(|chart| chart.panel == drag.panel) else {
            return;
        };
        let (left, right) = (drag.from.min(drag.to), drag.from.max(drag.to));
        // A click is no drag.
        if right - left < 2 || chart.plot.width == 0 {
            return;
        }
        let at = |column: u16| {
            let columns = f64::from(column.saturating_sub(chart.plot.left()).min(chart.plot.width));
            let begin = chart.end.saturating_sub(chart.span);
            begin + chart.span.mul_f64(columns / f64::from(chart.plot.width))
        };
        let (from, to) = (at(left), at(right + 1).min(chart.end));
        if to.saturating_sub(from) >= Duration::from_secs(5) {
            self.ui.span = Some((from, to));
        }
    }
}

fn is_interrupt(key: &KeyEvent) -> bool {
    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL)
}
