//! The keymap file: a command's name and its keys a line, `quit = ["q", "ctrl-q"]`. A command
//! that it names has those keys and no others; a line that makes no sense is refused by name,
//! the others hold.

use toml::de::{DeTable, DeValue};

use super::{Chord, Keymap};
use crate::base::text::safe;
use crate::console::command::Command;
use crate::console::palette::nearest;

/// A line of a keymap file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct KeymapError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what comes near.
    pub problem: String,
}

/// A line that makes sense.
struct Binding {
    line: usize,
    command: Command,
    chords: Vec<Chord>,
}

impl Keymap {
    /// The keys of the command table, changed by a file. Returns also what was refused.
    #[must_use]
    pub fn with_file(file: &str, text: &str) -> (Self, Vec<KeymapError>) {
        let mut errors = Vec::new();
        let mut refuse = |line: usize, problem: String| {
            errors.push(KeymapError {
                file: safe(file).into_owned(),
                line,
                problem,
            });
        };
        let line_of = |at: usize| text.get(..at).map_or(1, |head| head.matches('\n').count() + 1);
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                refuse(line_of(at), error.message().to_owned());
                return (Self::default(), errors);
            }
        };
        let mut bindings: Vec<Binding> = Vec::new();
        for (name, value) in table.get_ref() {
            let line = line_of(name.span().start);
            let Some(command) = Command::parse(name.get_ref()) else {
                let near = nearest(name.get_ref(), Command::ALL.iter().map(|command| command.id()));
                let near = near.map_or_else(String::new, |near| format!(": did you mean {near}?"));
                let name = safe(name.get_ref()).into_owned();
                refuse(line, format!("no command {name}{near}"));
                continue;
            };
            match chords(value.get_ref()) {
                Ok(chords) => bindings.push(Binding { line, command, chords }),
                Err(problem) => refuse(line, format!("{}: {problem}", command.id())),
            }
        }
        bindings.sort_by_key(|binding| binding.line);
        let mut keymap = Self::default();
        let named: Vec<Command> = bindings.iter().map(|binding| binding.command).collect();
        keymap.keys.retain(|(_, command)| !named.contains(command));
        for binding in bindings {
            let rival = binding.chords.iter().find_map(|chord| {
                let taken = |(known, by): &&(Chord, Command)| known == chord && by.meets(binding.command);
                keymap.keys.iter().find(taken).copied()
            });
            if let Some((chord, by)) = rival {
                let (id, by) = (binding.command.id(), by.id());
                let problem = format!("{id}: {chord} runs {by} already; give {by} another key first");
                refuse(binding.line, problem);
                let own = binding
                    .command
                    .default_keys()
                    .iter()
                    .filter_map(|key| Chord::parse(key));
                let free: Vec<Chord> = own.filter(|chord| !keymap.is_taken(*chord, binding.command)).collect();
                keymap
                    .keys
                    .extend(free.into_iter().map(|chord| (chord, binding.command)));
                continue;
            }
            let keys = binding.chords.into_iter().map(|chord| (chord, binding.command));
            keymap.keys.extend(keys);
        }
        (keymap, errors)
    }

    fn is_taken(&self, chord: Chord, command: Command) -> bool {
        self.keys.iter().any(|(known, by)| *known == chord && by.meets(command))
    }
}

fn chords(value: &DeValue<'_>) -> Result<Vec<Chord>, String> {
    let texts: Vec<&str> = match value {
        DeValue::String(text) => vec![text],
        DeValue::Array(values) => values
            .iter()
            .map(|value| value.get_ref().as_str().ok_or("a key is a text, like \"ctrl-d\""))
            .collect::<Result<_, _>>()?,
        _ => return Err("keys are a text or a list of texts, like [\"q\", \"ctrl-q\"]".to_owned()),
    };
    texts
        .into_iter()
        .map(|text| {
            Chord::parse(text).ok_or_else(|| {
                format!(
                    "no key {}; keys are written like q, G, ctrl-d, f1, shift-tab",
                    safe(text)
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::command::Mode;
    use crate::console::screen::Screen;

    fn run(keymap: &Keymap, key: &str) -> Option<Command> {
        keymap.command(Chord::parse(key).unwrap(), Screen::Overview, Mode::Live)
    }

    #[test]
    fn a_command_in_the_file_has_those_keys_and_no_others() {
        let (keymap, errors) = Keymap::with_file("keys.toml", "quit = [\"ctrl-q\", \"Q\"]\nzoom = \"q\"\n");
        assert_eq!(errors, []);
        assert_eq!(run(&keymap, "Q"), Some(Command::Quit));
        assert_eq!(run(&keymap, "q"), Some(Command::Zoom));
        assert_eq!(run(&keymap, "z"), None);
        assert_eq!(run(&keymap, "?"), Some(Command::Help));
    }

    #[test]
    fn a_wrong_line_is_refused_by_name_and_the_others_hold() {
        let text = "zooom = \"x\"\nhelp = \"entre\"\ncopy = 1\nquit = [\"X\", 2]\npause = \"ctrl-p\"\n";
        let (keymap, errors) = Keymap::with_file("keys.toml", text);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        for (place, what) in [
            ("keys.toml:1: ", "did you mean zoom?"),
            ("keys.toml:2: ", "no key entre"),
            ("keys.toml:3: ", "copy: keys are"),
            ("keys.toml:4: ", "quit: a key is"),
        ] {
            assert!(
                said.iter().any(|said| said.starts_with(place) && said.contains(what)),
                "{place}{what}: {said:?}"
            );
        }
        assert_eq!(run(&keymap, "ctrl-p"), Some(Command::Pause));
        assert_eq!(run(&keymap, "q"), Some(Command::Quit));
    }

    #[test]
    fn a_key_that_two_commands_want_is_refused_and_both_still_have_one() {
        let (keymap, errors) = Keymap::with_file("keys.toml", "pause = \"q\"\n");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].problem.contains("q runs quit already"), "{}", errors[0]);
        assert_eq!(run(&keymap, "q"), Some(Command::Quit));
        assert_eq!(run(&keymap, "p"), Some(Command::Pause));
    }

    #[test]
    fn a_file_that_is_no_toml_changes_nothing() {
        let (keymap, errors) = Keymap::with_file("keys.toml", "quit = \"x\"\n= [\n");
        assert_eq!(errors[0].line, 2);
        assert_eq!(run(&keymap, "q"), Some(Command::Quit));
    }
}
