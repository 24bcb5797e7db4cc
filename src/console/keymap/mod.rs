//! Keys: how they are written, and which command each runs.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

mod file;

pub use file::KeymapError;

use super::command::{Command, Mode, When};
use super::screen::id::Screen;

/// A key with its modifiers, as it is written: `q`, `ctrl-d`, `shift-tab`, `f1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Keys that are not characters, and their names.
const NAMED: [(&str, KeyCode); 16] = [
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
];

impl Chord {
    /// Reads a key as it is written; `None`: no such key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == rest) {
                return Some(Self { code: *code, modifiers });
            }
            if let Some(after) = rest.strip_prefix("ctrl-") {
                (modifiers, rest) = (modifiers | KeyModifiers::CONTROL, after);
            } else if let Some(after) = rest.strip_prefix("alt-") {
                (modifiers, rest) = (modifiers | KeyModifiers::ALT, after);
            } else {
                break;
            }
        }
        let mut characters = rest.chars();
        let code = match (characters.next()?, characters.as_str()) {
            (character, "") => KeyCode::Char(character),
            ('f', number) => KeyCode::F(number.parse().ok().filter(|number| (1..=12).contains(number))?),
            _ => return None,
        };
        Some(Self { code, modifiers })
    }

    /// The key that was pressed. Shift is part of a character, not a modifier of it.
    #[must_use]
    pub fn pressed(event: &KeyEvent) -> Self {
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self {
            code,
            modifiers: event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT),
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(character)) => write!(f, "{character}"),
            (None, KeyCode::F(number)) => write!(f, "f{number}"),
            (None, _) => f.write_str("?"),
        }
    }
}

/// Which command a key runs.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: Vec<(Chord, Command)>,
}

impl Default for Keymap {
    /// The keys of the command table.
    fn default() -> Self {
        let keys = Command::ALL.iter().flat_map(|command| {
            command
                .default_keys()
                .iter()
                .filter_map(|key| Some((Chord::parse(key)?, *command)))
        });
        Self { keys: keys.collect() }
    }
}

impl Keymap {
    /// The command of a key on a screen; a command that the screen does not have, where it has
    /// none of that key: something over the screen may take it. While the past is on screen, the
    /// keys that move in it come first.
    #[must_use]
    pub fn command(&self, chord: Chord, screen: Screen, mode: Mode) -> Option<Command> {
        let of_key = || {
            self.keys
                .iter()
                .filter(|(known, _)| *known == chord)
                .map(|(_, command)| *command)
        };
        let fitting = || of_key().filter(|command| command.applies(screen) && command.fits(mode));
        fitting()
            .find(|command| command.when() == Some(When::Past))
            .or_else(|| fitting().next())
            .or_else(|| of_key().find(|command| command.applies(screen)))
            .or_else(|| of_key().find(|command| command.fits(mode)))
            .or_else(|| of_key().next())
    }

    /// The keys of neighbours that do the same, each on its own: `alt-1 .. alt-9`. Of one command,
    /// its keys with `between` them.
    #[must_use]
    pub fn written(&self, group: &[Command], between: &str) -> String {
        let keys = |command: &Command| {
            let keys: Vec<String> = self.keys(*command).map(|chord| chord.to_string()).collect();
            keys.join(between)
        };
        match group {
            [first, .., last] => format!("{} .. {}", keys(first), keys(last)),
            [one] => keys(one),
            [] => String::new(),
        }
    }

    /// The key of a command, as it is written; its name where it has none.
    #[must_use]
    pub fn key(&self, command: Command) -> String {
        let key = self.keys(command).next();
        key.map_or_else(|| format!(":{}", command.id()), |key| key.to_string())
    }

    /// The keys of a command, the first to be shown.
    pub fn keys(&self, command: Command) -> impl Iterator<Item = Chord> {
        self.keys
            .iter()
            .filter(move |(_, known)| *known == command)
            .map(|(chord, _)| *chord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_key_is_a_key_and_runs_one_command_of_a_screen_only() {
        let mut seen: Vec<(Chord, Command)> = Vec::new();
        for command in Command::ALL {
            for key in command.default_keys() {
                let chord = Chord::parse(key).unwrap_or_else(|| panic!("{key}"));
                assert_eq!(chord.to_string(), *key);
                let taken = seen.iter().any(|(known, by)| *known == chord && by.meets(*command));
                assert!(!taken, "{key}");
                seen.push((chord, *command));
            }
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in [
            "q",
            "G",
            "?",
            "+",
            "-",
            "ctrl-d",
            "alt-x",
            "ctrl-alt-x",
            "ctrl-left",
            "shift-tab",
            "f1",
            "f12",
            "f",
            "space",
        ] {
            assert_eq!(Chord::parse(text).map(|chord| chord.to_string()).as_deref(), Some(text));
        }
        for text in ["", "qq", "ctrl-", "f0", "f13", "shift-q", "entre"] {
            assert_eq!(Chord::parse(text), None, "{text}");
        }
    }

    #[test]
    fn shift_is_part_of_a_character() {
        let pressed = |code, modifiers| Chord::pressed(&KeyEvent::new(code, modifiers));
        assert_eq!(
            Some(pressed(KeyCode::Char('G'), KeyModifiers::SHIFT)),
            Chord::parse("G")
        );
        assert_eq!(
            Some(pressed(KeyCode::BackTab, KeyModifiers::SHIFT)),
            Chord::parse("shift-tab")
        );
        assert_eq!(
            Some(pressed(KeyCode::Tab, KeyModifiers::SHIFT)),
            Chord::parse("shift-tab")
        );
        assert_eq!(
            Some(pressed(KeyCode::Char('d'), KeyModifiers::CONTROL)),
            Chord::parse("ctrl-d")
        );
    }
}
