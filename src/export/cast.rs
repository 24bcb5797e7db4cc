//! Screens over time as an asciicast, versions 2 and 3: a full first frame, then what changed.
//! The colours are the theme's own; the environment has no say in it.

use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};

use super::ink::Ink;
use super::svg::{Palette, append, hex};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::console::theme::Theme;

/// The version of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Times since the beginning; what every player reads.
    #[default]
    Two,
    /// Times since the event before; asciinema 3 and later.
    Three,
}

/// What a player says of a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its name: a stranger's text.
    pub text: String,
    /// When its first frame was on screen.
    pub at: Timestamp,
}

/// The longest time between two frames, microseconds of the cast: nobody waits through the
/// hours between two sessions of a folder.
const IDLE: u64 = 5_000_000;

/// How long the last frame stays, microseconds.
const END: u64 = 1_000_000;

/// A cast that is being written.
#[derive(Debug)]
pub struct Cast<W> {
    out: W,
    version: Version,
    speed: f64,
    shown: Buffer,
    begun: bool,
    /// The last frame's place on the recording's axis, nanoseconds.
    at: u64,
    /// The same in the cast, microseconds.
    time: u64,
    /// When the last event was, microseconds.
    told: u64,
}

impl<W: Write> Cast<W> {
    /// Writes the header. `size` is columns and rows, `speed` times real time, above 0.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn begin(
        mut out: W,
        version: Version,
        size: (u16, u16),
        theme: &Theme,
        title: &Title,
        speed: f64,
    ) -> io::Result<Self> {
        let (title, timestamp) = (text::safe(&title.text), title.at.as_second());
        let (idle, theme) = (IDLE / 1_000_000, colours(theme));
        let header = match version {
            Version::Two => json!({
                "version": 2, "width": size.0, "height": size.1, "timestamp": timestamp,
                "title": title, "idle_time_limit": idle, "theme": theme,
                "env": {"TERM": TERM},
            }),
            Version::Three => json!({
                "version": 3, "timestamp": timestamp, "title": title, "idle_time_limit": idle,
                "term": {"cols": size.0, "rows": size.1, "type": TERM, "theme": theme},
            }),
        };
        writeln!(out, "{header}")?;
        Ok(Self {
            out,
            version,
            speed,
            shown: Buffer::empty(Rect::new(0, 0, size.0, size.1)),
            begun: false,
            at: 0,
            time: 0,
            told: 0,
        })
    }

    /// Shows a screen at `at`, nanoseconds on an axis that does not go back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn frame(&mut self, at: u64, frame: Buffer) -> io::Result<()> {
        let time = self.time_of(at);
        let mut text = String::new();
        if !self.begun {
            text.push_str("\x1b[?25l\x1b[0m\x1b[2J\x1b[H");
        }
        changes(&self.shown, &frame, &mut text);
        (self.shown, self.begun, self.at, self.time) = (frame, true, at, time);
        if text.is_empty() {
            return Ok(());
        }
        self.event(time, 'o', &text)
    }

    /// Marks a moment: players jump to it. One before the first frame is at the beginning.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn marker(&mut self, at: u64, label: &str) -> io::Result<()> {
        let time = self.time_of(at);
        self.event(time, 'm', &text::safe(label))
    }

    /// Keeps the last frame for a second, and gives the cursor back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        if self.begun {
            self.event(self.time.max(self.told) + END, 'o', "\x1b[?25h")?;
        }
        self.out.flush()
    }

    /// Microseconds since the cast's beginning.
    fn time_of(&self, at: u64) -> u64 {
        if !self.begun {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a span in microseconds, positive and far below 2^53"
        )]
        let passed = (at.saturating_sub(self.at) as f64 / 1_000.0 / self.speed).round() as u64;
        self.time + passed.min(IDLE)
    }

    fn event(&mut self, time: u64, code: char, text: &str) -> io::Result<()> {
        let time = time.max(self.told);
        let shown = match self.version {
            Version::Two => time,
            Version::Three => time - self.told,
        };
        self.told = time;
        let text = Value::from(text);
        writeln!(
            self.out,
            "[{}.{:06}, \"{code}\", {text}]",
            shown / 1_000_000,
            shown % 1_000_000
        )
    }
}

/// What the casts are drawn for.
const TERM: &str = "xterm-256color";

/// The terminal's own colours, so that a player's look as they should.
fn colours(theme: &Theme) -> Value {
    let palette = Palette::of(theme);
    json!({
        "fg": hex(palette.foreground),
        "bg": hex(palette.background),
        "palette": palette.ansi.map(hex).join(":"),
    })
}

/// The look of a cell.
type Look = (Color, Color, Modifier);

const PLAIN: Look = (Color::Reset, Color::Reset, Modifier::empty());

/// What turns one screen into the other. It begins and ends with plain attributes.
fn changes(from: &Buffer, to: &Buffer, out: &mut String) {
    let (mut look, mut cursor) = (PLAIN, None);
    for (x, y, cell) in from.diff(to) {
        if cursor != Some((x, y)) {
            append(out, format_args!("\x1b[{};{}H", y + 1, x + 1));
        }
        let wanted = (cell.fg, cell.bg, cell.modifier);
        if wanted != look {
            change_look(look, wanted, out);
            look = wanted;
        }
        let columns = print(cell, out);
        // At the right edge a terminal waits with the wrap: the next place is always said.
        let next = x.saturating_add(columns);
        cursor = (next < to.area.width).then_some((next, y));
    }
    if look != PLAIN {
        out.push_str("\x1b[0m");
    }
}

/// Prints a cell; how many columns it takes.
fn print(cell: &Cell, out: &mut String) -> u16 {
    let symbol = cell.symbol();
    if symbol.chars().any(char::is_control) {
        out.push('\u{fffd}');
        return 1;
    }
    out.push_str(symbol);
    u16::try_from(text::width(symbol)).unwrap_or(1).max(1)
}

/// Attributes and their numbers.
const ATTRIBUTES: [(Modifier, u8); 8] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// Select Graphic Rendition (ECMA-48 §8.3.117). What goes away goes by a reset.
fn change_look(from: Look, to: Look, out: &mut String) {
    let (mut known, mut codes) = (from, Vec::new());
    if !(from.2 - to.2).is_empty() {
        codes.push("0".to_owned());
        known = PLAIN;
    }
    for (attribute, number) in ATTRIBUTES {
        if (to.2 - known.2).contains(attribute) {
            codes.push(number.to_string());
        }
    }
    if to.0 != known.0 {
        codes.push(colour(to.0, 30));
    }
    if to.1 != known.1 {
        codes.push(colour(to.1, 40));
    }
    append(out, format_args!("\x1b[{}m", codes.join(";")));
}

/// The code of a colour; `base` is 30 for the foreground, 40 for the background.
fn colour(colour: Color, base: u8) -> String {
    match Ink::from(colour) {
        Ink::Default => (base + 9).to_string(),
        Ink::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
        Ink::Indexed(number) => format!("{};5;{number}", base + 8),
        Ink::Named(number @ 0..8) => (base + number).to_string(),
        Ink::Named(number) => (base + 52 + number).to_string(),
    }
}
