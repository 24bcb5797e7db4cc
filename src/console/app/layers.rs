//! What commands and keys do while something lies over the screen.

use crossterm::event::{Event, KeyCode, KeyEvent};

use super::tables::Step;
use super::{App, Effect, TYPED};
use crate::console::command::{Chapter, Command};
use crate::console::dialog::{Consent, Dialog, TYPE_AHEAD};
use crate::console::layer::Layer;
use crate::console::palette::{Palette, complete, parse};
use crate::console::screen::popup::MINUTES;
use crate::console::screen::{Hits, PanelId};
use crate::model::Severity;

/// What concerns the console as a whole is never out of reach.
fn concerns_the_console(command: Command) -> bool {
    matches!(
        command,
        Command::Quit
            | Command::Suspend
            | Command::Redraw
            | Command::Mouse
            | Command::NextTheme
            | Command::TimeZone
            | Command::Pause
    )
}

/// The time to drain a backlog in, one step longer or shorter.
fn stepped(minutes: u32, command: Command) -> u32 {
    let at = MINUTES.iter().position(|known| *known == minutes).unwrap_or(0);
    match command {
        Command::RangeLonger | Command::ScrollUp | Command::ColumnRight => MINUTES[(at + 1).min(MINUTES.len() - 1)],
        Command::RangeShorter | Command::ScrollDown | Command::ColumnLeft => MINUTES[at.saturating_sub(1)],
        _ => minutes,
    }
}

impl App {
    /// Takes the topmost layer away.
    pub(in crate::console) fn close(&mut self) {
        if let Some(Layer::Detail(detail)) = self.ui.layers.pop() {
            match detail.back {
                Some(panel) => self.focus(panel),
                None => {
                    self.ui.focus.remove(&self.ui.screen);
                }
            }
        }
    }

    /// Takes every layer away.
    pub(super) fn close_all(&mut self) {
        while !self.ui.layers.is_empty() {
            self.close();
        }
    }

    /// Runs a command on the topmost popup; `None`: it is none of its own.
    pub(super) fn run_on_layer(&mut self, command: Command, hits: &Hits) -> Option<Vec<Effect>> {
        let top = self.ui.layers.last_mut().filter(|layer| !layer.is_place())?;
        if concerns_the_console(command) {
            return None;
        }
        if command == Command::Back {
            self.close();
            return Some(Vec::new());
        }
        let step = Step::of(command);
        let popup = hits.popup.as_ref();
        match top {
            Layer::Help(at) | Layer::Messages(at) => {
                if let (Some(step), Some(popup)) = (step, popup) {
                    *at = step.from(*at, popup);
                } else if matches!(command, Command::Help | Command::Messages) {
                    self.close();
                }
            }
            Layer::Why(why) => {
                if let (Some(step), Some(popup)) = (step, popup) {
                    why.scroll = step.from(why.scroll, popup);
                } else if command == Command::Why {
                    self.close();
                }
            }
            Layer::Columns { panel, at } => {
                let (panel, place) = (*panel, *at);
                match (step, popup) {
                    (Some(step), Some(popup)) => *at = step.cursor(place, popup.rows, popup.visible),
                    _ if matches!(command, Command::Mark | Command::Open) => self.toggle_column(panel, place),
                    _ if command == Command::Columns => self.close(),
                    _ => {}
                }
            }
            Layer::WhatIf { minutes } => {
                if command == Command::WhatIf {
                    self.close();
                } else {
                    *minutes = stepped(*minutes, command);
                }
            }
            Layer::Verdicts { at } => {
                let place = *at;
                return Some(self.run_on_verdicts(command, step, place, hits));
            }
            Layer::Marks { at } => {
                let place = *at;
                match (step, popup) {
                    (Some(step), Some(popup)) => *at = step.cursor(place, popup.rows, popup.visible),
                    _ if command == Command::Open => return Some(self.go_to_mark(place)),
                    _ if command == Command::Markers => self.close(),
                    // Moving goes on under the list.
                    _ if command.chapter() == Chapter::Past => return None,
                    _ => {}
                }
            }
            Layer::Compare(at) => {
                if let (Some(step), Some(popup)) = (step, popup) {
                    *at = step.from(*at, popup);
                } else if command == Command::Compare {
                    self.close();
                } else if command.chapter() == Chapter::Past {
                    return None;
                }
            }
            Layer::Replay(_) => self.scroll_form(match step {
                Some(Step::Rows(rows)) => rows,
                _ => 0,
            }),
            Layer::Filter { .. } | Layer::Field { .. } | Layer::Palette(_) | Layer::Note { .. } | Layer::Dialog(_) => {}
            Layer::Detail(_) => return None,
        }
        Some(Vec::new())
    }

    fn run_on_verdicts(&mut self, command: Command, step: Option<Step>, place: usize, hits: &Hits) -> Vec<Effect> {
        let count = self.view().verdicts.len();
        let visible = hits.popup.as_ref().map_or(1, |popup| popup.visible);
        match (command, step) {
            (_, Some(step)) => {
                if let Some(Layer::Verdicts { at }) = self.ui.layers.last_mut() {
                    *at = step.cursor(place.min(count.saturating_sub(1)), count, visible);
                }
            }
            (Command::Acknowledge, _) => self.acknowledge(place),
            (Command::Silence, _) => self.silence(place),
            (Command::Copy, _) => return self.copy_verdict(place),
            (Command::Verdicts, _) => self.close(),
            _ => {}
        }
        Vec::new()
    }

    fn toggle_column(&mut self, panel: PanelId, at: usize) {
        let scene = self.scene();
        let Some(rows) = scene.rows(panel) else { return };
        let Some(column) = rows.columns().get(at).filter(|_| at > 0) else {
            return;
        };
        let shown = self.ui.grid(panel).wanted(&*rows).contains(&at);
        let (title, own) = (column.title.to_owned(), column.shown);
        drop(rows);
        let columns = &mut self.grid(panel).columns;
        if own == shown {
            columns.insert(title, !shown);
        } else {
            // Back to the table's own choice.
            columns.remove(&title);
        }
    }

    /// Takes a key or a paste in where text is typed.
    pub(super) fn typed(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        match self.ui.layers.last() {
            Some(Layer::Filter { .. }) => {
                self.type_filter(event);
                Vec::new()
            }
            Some(Layer::Field { .. }) => {
                self.type_field(event);
                Vec::new()
            }
            Some(Layer::Palette(_)) => self.type_command(event, hits),
            Some(Layer::Note { .. }) => self.type_note(event),
            _ => Vec::new(),
        }
    }

    fn type_filter(&mut self, event: &Event) {
        let code = code(event);
        let Some(Layer::Filter { panel, input }) = self.ui.layers.last_mut() else {
            return;
        };
        let panel = *panel;
        match code {
            Some(KeyCode::Esc) => {
                self.close();
                self.grid(panel).filter.clear();
            }
            Some(KeyCode::Enter) => self.close(),
            _ => {
                input.handle(event);
                let text = input.text().to_owned();
                self.grid(panel).filter = text;
            }
        }
    }

    fn type_command(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        let choices = self.scene().choices();
        let typed = self.ui.typed.clone();
        let Some(Layer::Palette(palette)) = self.ui.layers.last_mut() else {
            return Vec::new();
        };
        let offered = complete(palette.input.text(), &choices, 12);
        match code(event) {
            Some(KeyCode::Esc) => self.close(),
            Some(KeyCode::Backspace) if palette.input.text().is_empty() => self.close(),
            Some(KeyCode::Tab) => {
                if let Some(completion) = offered.get(palette.at.unwrap_or(0)) {
                    let space = if completion.argument.is_some() { " " } else { "" };
                    palette.input.set(&format!("{}{space}", completion.line));
                    palette.at = None;
                }
            }
            Some(KeyCode::Down) if palette.back > 0 => recall(palette, &typed, palette.back - 1),
            Some(KeyCode::Down) => {
                let next = palette.at.map_or(0, |at| at + 1);
                palette.at = (next < offered.len()).then_some(next).or(palette.at);
            }
            Some(KeyCode::Up) if palette.at.is_none() => recall(palette, &typed, palette.back + 1),
            Some(KeyCode::Up) => palette.at = palette.at.and_then(|at| at.checked_sub(1)),
            Some(KeyCode::Enter) => {
                let chosen = palette.at.and_then(|at| offered.get(at));
                // A word that only one command begins with is that command.
                let sole = (offered.len() == 1).then(|| &offered[0]);
                let typed = palette.input.text().trim().to_owned();
                let line = match (chosen, parse(&typed, &choices), sole) {
                    (Some(chosen), _, _) => chosen.line.clone(),
                    (None, Err(_), Some(sole)) => sole.line.clone(),
                    _ => typed,
                };
                return self.run_line(&line, hits);
            }
            _ => {
                if palette.input.handle(event) {
                    (palette.at, palette.back) = (None, 0);
                }
            }
        }
        Vec::new()
    }

    /// Runs a line of the palette and remembers it.
    pub(super) fn run_line(&mut self, line: &str, hits: &Hits) -> Vec<Effect> {
        self.close();
        if line.is_empty() {
            return Vec::new();
        }
        match parse(line, &self.scene().choices()) {
            Ok(request) => {
                self.ui.typed.retain(|known| known != line);
                self.ui.typed.push(line.to_owned());
                let over = self.ui.typed.len().saturating_sub(TYPED);
                self.ui.typed.drain(..over);
                self.request(request, hits)
            }
            Err(problem) => {
                self.flash(Severity::Warning, problem);
                Vec::new()
            }
        }
    }

    /// Takes an event in while a question is open.
    pub(super) fn answer(&mut self, event: &Event, hits: &Hits) -> Vec<Effect> {
        let now = self.now.mono;
        let Some(Layer::Dialog(dialog)) = self.ui.layers.last_mut() else {
            return Vec::new();
        };
        // Keys that were on their way before it came up were meant for something else.
        if now.saturating_sub(dialog.opened) < TYPE_AHEAD {
            return Vec::new();
        }
        let typing = dialog.input_is_open();
        match code(event) {
            Some(KeyCode::Esc) => self.close(),
            Some(KeyCode::Tab | KeyCode::BackTab) => dialog.on_button = !dialog.on_button,
            Some(KeyCode::Left | KeyCode::Right) if !typing => dialog.on_button = !dialog.on_button,
            Some(KeyCode::Enter) => return self.press(hits),
            Some(KeyCode::Char('y')) if !typing => return self.consent(hits),
            Some(KeyCode::Char('n' | 'q')) if !typing => self.close(),
            _ if typing => {
                dialog.input.handle(event);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Presses the focused button of a question.
    pub(super) fn press(&mut self, hits: &Hits) -> Vec<Effect> {
        match self.ui.layers.last() {
            Some(Layer::Dialog(dialog)) if dialog.on_button => self.consent(hits),
            // Enter while typing goes on to the button, it does not press it.
            Some(Layer::Dialog(dialog)) if dialog.input_is_open() && dialog.is_answered() => {
                if let Some(Layer::Dialog(dialog)) = self.ui.layers.last_mut() {
                    dialog.on_button = true;
                }
                Vec::new()
            }
            _ => {
                self.close();
                Vec::new()
            }
        }
    }

    /// Does what was asked about, if the answer is one.
    pub(super) fn consent(&mut self, hits: &Hits) -> Vec<Effect> {
        let Some(Layer::Dialog(dialog)) = self.ui.layers.last() else {
            return Vec::new();
        };
        if !dialog.is_answered() {
            self.flash(Severity::Warning, "What is typed is not what is asked for");
            return Vec::new();
        }
        let consent = dialog.consent.clone();
        self.ui.layers.pop();
        match consent {
            Consent::Effects(effects) => effects,
            Consent::Order(order) => self.order(*order),
            Consent::Unlock(then) => self.unlock(then, hits),
            Consent::Command(Command::CancelReplay) => self.cancel_replay(),
            // The one command that asks about itself.
            Consent::Command(Command::Silence) => {
                let at = match self.ui.layers.last() {
                    Some(Layer::Verdicts { at }) => *at,
                    _ => 0,
                };
                self.silence_now(at);
                Vec::new()
            }
            Consent::Command(command) => self.run(command, hits),
        }
    }

    /// A click on a choice of the topmost layer.
    pub(super) fn choose(&mut self, choice: usize, hits: &Hits) -> Vec<Effect> {
        let choices = self.scene().choices();
        match self.ui.layers.last_mut() {
            Some(Layer::Columns { panel, at }) => {
                *at = choice;
                let panel = *panel;
                self.toggle_column(panel, choice);
            }
            Some(Layer::Verdicts { at }) => *at = choice,
            Some(Layer::Marks { .. }) => return self.go_to_mark(choice),
            Some(Layer::Replay(_)) => return self.click_form(choice),
            Some(Layer::Palette(palette)) => {
                let offered = complete(palette.input.text(), &choices, 12);
                if let Some(completion) = offered.get(choice) {
                    let line = completion.line.clone();
                    return self.run_line(&line, hits);
                }
            }
            Some(Layer::Dialog(dialog)) if self.now.mono.saturating_sub(dialog.opened) >= TYPE_AHEAD => {
                dialog.on_button = choice == 1;
                return if choice == 1 {
                    self.consent(hits)
                } else {
                    self.press(hits)
                };
            }
            _ => {}
        }
        Vec::new()
    }
}

impl Dialog {
    fn input_is_open(&self) -> bool {
        matches!(self.confirm, crate::console::dialog::Confirm::Typed { .. }) && !self.on_button
    }
}

/// The line that was typed so many lines ago.
fn recall(palette: &mut Palette, typed: &[String], back: usize) {
    let back = back.min(typed.len());
    palette.back = back;
    let line = typed.len().checked_sub(back).and_then(|at| typed.get(at));
    palette.input.set(line.map_or("", String::as_str));
}

pub(super) fn code(event: &Event) -> Option<KeyCode> {
    match event {
        Event::Key(KeyEvent { code, .. }) => Some(*code),
        _ => None,
    }
}
