//! A line that is typed: filter, palette, dialogs.

use crossterm::event::Event;
use ratatui::layout::Position;
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

use super::canvas::{Canvas, span};
use crate::console::theme::Role;

/// Characters that a line takes at most: what is pasted may be of any length.
const LONGEST: usize = 1_000;

/// A line of text with a cursor.
#[derive(Clone, Debug, Default)]
pub struct Input(tui_input::Input);

impl Input {
    /// A line with a text in it, the cursor behind it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(tui_input::Input::new(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.value()
    }

    /// Replaces the text.
    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Takes a key or a paste in. Returns whether it was one for a line of text.
    pub fn handle(&mut self, event: &Event) -> bool {
        if let Event::Paste(text) = event {
            // Of what is pasted, the first line: the rest would only hide.
            let line = text.trim_start().lines().next().unwrap_or_default();
            line.chars().filter(|c| !c.is_control()).for_each(|c| self.insert(c));
            return true;
        }
        match to_input_request(event) {
            Some(InputRequest::InsertChar(c)) => {
                self.insert(c);
                true
            }
            Some(request) => {
                self.0.handle(request);
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, c: char) {
        if self.0.value().chars().nth(LONGEST - 1).is_none() {
            self.0.handle(InputRequest::InsertChar(c));
        }
    }

    /// Draws it behind a prompt. Returns where the cursor stands.
    pub fn draw(&self, canvas: &mut Canvas<'_>, x: u16, y: u16, width: u16, prompt: &str) -> Position {
        let used = canvas.line(x, y, width, &[span(prompt, Role::Key)]);
        let room = width.saturating_sub(used).max(1);
        // The part around the cursor: a long line slides under it.
        let before: String = self.text().chars().take(self.0.cursor()).collect();
        let mut hidden = 0;
        while canvas.text_width(&before[hidden..]) >= room {
            hidden = before.ceil_char_boundary(hidden + 1);
        }
        canvas.put(x + used, y, room, &self.text()[hidden..], Role::Strong);
        let column = canvas.text_width(&before[hidden..]).min(room - 1);
        Position::new(x + used + column, y)
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_edit_where_the_cursor_stands() {
        let mut input = Input::new("queues");
        assert!(input.handle(&key(KeyCode::Home)));
        assert!(input.handle(&key(KeyCode::Char('x'))));
        assert!(input.handle(&key(KeyCode::End)));
        assert!(input.handle(&key(KeyCode::Backspace)));
        assert_eq!(input.text(), "xqueue");
        assert!(!input.handle(&key(KeyCode::Enter)));
    }

    #[test]
    fn a_paste_is_one_line_without_controls_and_not_endless() {
        let mut input = Input::default();
        input.handle(&Event::Paste("\n a\u{1b}[2Jb\nrm -rf".to_owned()));
        assert_eq!(input.text(), "a[2Jb");
        input.handle(&Event::Paste("x".repeat(100_000)));
        assert_eq!(input.text().chars().count(), LONGEST);
    }
}
