//! The palette: commands by name, with completion and history. It reaches every command of the
//! table; some words take an argument.

use super::command::{Command, Mode};
use super::range::{RANGES, range_name};
use super::screen::id::Screen;
use super::widget::input::Input;

/// What a word takes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A screen's name.
    Screen,
    /// A theme's name.
    Theme,
    /// A span of charts.
    Range,
    /// A column of the focused table.
    Column,
    /// A profile that is watched.
    Profile,
    /// Any text.
    Text,
    /// A file that is overwritten where it is there.
    Forced,
}

/// A word of the palette besides the commands' own names.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// The command that it stands for; without an argument it does just that.
    pub command: Command,
    /// What may follow.
    pub argument: Option<Argument>,
}

/// Words besides the commands' own names: shorter ones, and those that take an argument.
pub const WORDS: &[Word] = &[
    word("screen", Command::ShowOverview, Some(Argument::Screen)),
    word("theme", Command::NextTheme, Some(Argument::Theme)),
    word("profile", Command::NextProfile, Some(Argument::Profile)),
    word("range", Command::RangeLonger, Some(Argument::Range)),
    word("sort", Command::Sort, Some(Argument::Column)),
    word("filter", Command::Filter, Some(Argument::Text)),
    word("goto", Command::Goto, Some(Argument::Text)),
    word("note", Command::Note, Some(Argument::Text)),
    word("mark", Command::Note, Some(Argument::Text)),
    word("record", Command::Record, Some(Argument::Text)),
    word("record!", Command::Record, Some(Argument::Forced)),
    word("save", Command::Save, Some(Argument::Text)),
    word("save!", Command::Save, Some(Argument::Forced)),
    word("overview", Command::ShowOverview, None),
    word("queues", Command::ShowQueues, None),
    word("streams", Command::ShowQueues, None),
    word("consumers", Command::ShowQueues, None),
    word("workers", Command::ShowWorkers, None),
    word("failures", Command::ShowFailures, None),
    word("providers", Command::ShowFailures, None),
    word("dead-letters", Command::ShowDeadLetters, None),
    word("dlq", Command::ShowDeadLetters, None),
    word("fire", Command::ShowTestWebhooks, None),
    word("test-webhooks", Command::ShowTestWebhooks, None),
    word("events", Command::ShowEvents, None),
    word("alerts", Command::Verdicts, None),
    word("live", Command::Rewind, None),
    word("utc", Command::TimeZone, None),
    word("exit", Command::Quit, None),
    word("q", Command::Quit, None),
];

const fn word(name: &'static str, command: Command, argument: Option<Argument>) -> Word {
    Word {
        name,
        command,
        argument,
    }
}

/// What can be named as an argument now.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The themes.
    pub themes: Vec<String>,
    /// The columns of the focused table.
    pub columns: Vec<String>,
    /// The profiles, where there are several.
    pub profiles: Vec<String>,
    /// The screen.
    pub screen: Screen,
    /// What is on it: now, or something that is over.
    pub mode: Mode,
}

/// One completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The whole line.
    pub line: String,
    /// The command it runs.
    pub command: Command,
    /// Whether an argument may follow.
    pub argument: Option<Argument>,
}

/// The palette while it is open.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    /// What is typed.
    pub input: Input,
    /// The completion under the cursor; `None`: what is typed is run as it is.
    pub at: Option<usize>,
    /// How far back in history the line is from; 0: not at all.
    pub back: usize,
}

/// A line that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// With what.
    pub argument: Option<(Argument, String)>,
}

/// Reads a line.
///
/// # Errors
/// Says what is not known, and what comes near.
pub fn parse(line: &str, choices: &Choices) -> Result<Request, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let known = WORDS.iter().find(|word| word.name == name);
    if rest.is_empty() {
        let command = Command::parse(name).or(known.map(|word| word.command));
        return match command {
            Some(command) if command.applies(choices.screen) || command.target().is_some() => Ok(Request {
                command,
                argument: None,
            }),
            Some(command) => Err(format!("{} does nothing on {}", command.id(), choices.screen.title())),
            None => Err(unknown("command", name, names())),
        };
    }
    let Some((command, argument)) = known.and_then(|word| Some((word.command, word.argument?))) else {
        return Err(if known.is_some() || Command::parse(name).is_some() {
            format!("{name} takes nothing behind it")
        } else {
            unknown("command", name, names())
        });
    };
    let wanted = rest.to_lowercase();
    let pick = |what: &str, known: Vec<String>| -> Result<String, String> {
        let exact = known.iter().find(|name| name.to_lowercase() == wanted);
        let mut near = known.iter().filter(|name| name.to_lowercase().starts_with(&wanted));
        match (exact, near.next(), near.next()) {
            (Some(name), _, _) | (None, Some(name), None) => Ok(name.clone()),
            _ => Err(unknown(what, rest, known.iter().map(String::as_str))),
        }
    };
    let (command, value) = match argument {
        Argument::Screen => {
            let name = pick("screen", screens())?;
            let target = |command: &&Command| command.target().is_some_and(|screen| slug(screen) == name);
            let command = Command::ALL.iter().find(target).copied().unwrap_or(command);
            return Ok(Request {
                command,
                argument: None,
            });
        }
        Argument::Theme => (command, pick("theme", choices.themes.clone())?),
        Argument::Range => (command, pick("range", ranges())?),
        Argument::Column => (command, pick("column", choices.columns.clone())?),
        Argument::Profile => (command, pick("profile", choices.profiles.clone())?),
        Argument::Text | Argument::Forced => (command, rest.to_owned()),
    };
    if !command.applies(choices.screen) {
        return Err(format!("{name} does nothing on {}", choices.screen.title()));
    }
    Ok(Request {
        command,
        argument: Some((argument, value)),
    })
}

/// A screen's name in one word.
#[must_use]
pub fn slug(screen: Screen) -> String {
    screen.title().to_lowercase().replace(' ', "-")
}

fn screens() -> Vec<String> {
    let targets = Command::ALL.iter().filter_map(|command| command.target());
    targets.map(slug).collect()
}

/// The spans of charts, as they are typed.
#[must_use]
pub fn ranges() -> Vec<String> {
    RANGES.iter().map(|range| range_name(*range)).collect()
}

fn names() -> impl Iterator<Item = &'static str> {
    let commands = Command::ALL.iter().map(|command| command.id());
    commands.chain(WORDS.iter().map(|word| word.name))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let name = crate::console::widget::tidy(name, 40);
    match nearest(&name, known) {
        Some(near) => format!("no {what} {name}: did you mean {near}?"),
        None => format!("no {what} {name}"),
    }
}

/// The known name that comes nearest, if any comes near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// Lines that begin like, hold or spell out what is typed: best first, at most `most`.
#[must_use]
pub fn complete(line: &str, choices: &Choices, most: usize) -> Vec<Completion> {
    let line = line.trim_start();
    let candidates: Vec<Completion> = match line.split_once(char::is_whitespace) {
        None => commands(choices),
        Some((name, _)) => WORDS
            .iter()
            .filter(|word| word.name == name)
            .flat_map(|word| arguments(word, choices))
            .collect(),
    };
    let wanted = line.to_lowercase();
    let mut ranked: Vec<(u8, usize, Completion)> = candidates
        .into_iter()
        .enumerate()
        .filter_map(|(at, completion)| Some((likeness(&wanted, &completion.line)?, at, completion)))
        .collect();
    ranked.sort_by_key(|(likeness, at, _)| (*likeness, *at));
    ranked.truncate(most);
    ranked.into_iter().map(|(_, _, completion)| completion).collect()
}

fn commands(choices: &Choices) -> Vec<Completion> {
    let own = Command::ALL.iter().map(|command| Completion {
        line: command.id().to_owned(),
        command: *command,
        argument: WORDS
            .iter()
            .find(|word| word.name == command.id())
            .and_then(|word| word.argument),
    });
    let words = WORDS
        .iter()
        .filter(|word| Command::parse(word.name).is_none())
        .map(|word| Completion {
            line: word.name.to_owned(),
            command: word.command,
            argument: word.argument,
        });
    own.chain(words)
        .filter(|completion| completion.command.applies(choices.screen) && completion.command.fits(choices.mode))
        .collect()
}

fn arguments(word: &Word, choices: &Choices) -> Vec<Completion> {
    let values = match word.argument {
        Some(Argument::Screen) => screens(),
        Some(Argument::Theme) => choices.themes.clone(),
        Some(Argument::Range) => ranges(),
        Some(Argument::Column) => choices.columns.clone(),
        Some(Argument::Profile) => choices.profiles.clone(),
        Some(Argument::Text | Argument::Forced) | None => Vec::new(),
    };
    values
        .into_iter()
        .map(|value| Completion {
            line: format!("{} {value}", word.name),
            command: word.command,
            argument: None,
        })
        .collect()
}

/// How alike, 0 most; `None`: not at all.
fn likeness(wanted: &str, line: &str) -> Option<u8> {
    let line = line.to_lowercase();
    if line.starts_with(wanted) {
        return Some(0);
    }
    if line.split(['-', ' ']).any(|part| part.starts_with(wanted)) {
        return Some(1);
    }
    if line.contains(wanted) {
        return Some(2);
    }
    let mut letters = line.chars();
    wanted
        .chars()
        .all(|wanted| letters.any(|letter| letter == wanted))
        .then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Choices {
        Choices {
            themes: ["dark", "light", "high-contrast"].map(str::to_owned).to_vec(),
            columns: ["pending", "ack pending"].map(str::to_owned).to_vec(),
            profiles: ["eu", "us"].map(str::to_owned).to_vec(),
            screen: Screen::Queues,
            mode: Mode::Live,
        }
    }

    fn lines(line: &str) -> Vec<String> {
        complete(line, &choices(), 4)
            .into_iter()
            .map(|completion| completion.line)
            .collect()
    }

    #[test]
    fn every_command_is_reached_by_its_name() {
        for command in Command::ALL.iter().filter(|command| command.applies(Screen::Queues)) {
            let mode = if command.fits(Mode::Live) {
                Mode::Live
            } else {
                Mode::Recording
            };
            let choices = Choices { mode, ..choices() };
            let request = parse(command.id(), &choices);
            assert_eq!(request.map(|request| request.command), Ok(*command));
            assert_eq!(complete(command.id(), &choices, 4)[0].line, command.id());
        }
    }

    #[test]
    fn words_take_what_belongs_behind_them() {
        let argument = |line: &str| parse(line, &choices()).map(|request| request.argument);
        assert_eq!(argument("theme li"), Ok(Some((Argument::Theme, "light".to_owned()))));
        assert_eq!(argument("profile e"), Ok(Some((Argument::Profile, "eu".to_owned()))));
        assert_eq!(argument("range 1h"), Ok(Some((Argument::Range, "1h".to_owned()))));
        assert_eq!(
            argument("sort ACK pending"),
            Ok(Some((Argument::Column, "ack pending".to_owned())))
        );
        assert_eq!(argument("filter a  b"), Ok(Some((Argument::Text, "a  b".to_owned()))));
        let queues = parse("screen queues", &choices()).unwrap();
        assert_eq!(queues.command, Command::ShowQueues);
    }

    #[test]
    fn what_is_not_known_is_named_with_what_comes_near() {
        let error = |line: &str| parse(line, &choices()).unwrap_err();
        assert_eq!(error("theme drak"), "no theme drak: did you mean dark?");
        assert_eq!(error("qeues"), "no command qeues: did you mean queues?");
        assert_eq!(error("quit now"), "quit takes nothing behind it");
        assert!(error("\u{1b}[2J").contains("\\x1b"));
    }

    #[test]
    fn completions_begin_like_what_is_typed_then_hold_it_then_spell_it_out() {
        assert_eq!(lines("theme"), ["theme", "next-theme"]);
        assert_eq!(lines("theme h")[0], "theme high-contrast");
        assert!(lines("rlg").contains(&"range-longer".to_owned()));
        assert_eq!(lines("zzz"), Vec::<String>::new());
    }
}
