//! Colours: how they are named, mapped to what a terminal can show, and compared.

use ratatui::style::Color;

use crate::config::Environment;

/// A colour as a theme names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// The terminal's own foreground or background.
    Default,
    /// One of the 16 colours that the user's terminal defines.
    Ansi(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// The names of the 16 colours, by number.
pub const ANSI_NAMES: [&str; 16] = [
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "white",
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];

/// The 16 colours as xterm draws them: what they are taken for where a number is needed
/// (contrast, exports).
pub const XTERM: [(u8, u8, u8); 16] = [
    (0x00, 0x00, 0x00),
    (0xcd, 0x00, 0x00),
    (0x00, 0xcd, 0x00),
    (0xcd, 0xcd, 0x00),
    (0x00, 0x00, 0xee),
    (0xcd, 0x00, 0xcd),
    (0x00, 0xcd, 0xcd),
    (0xe5, 0xe5, 0xe5),
    (0x7f, 0x7f, 0x7f),
    (0xff, 0x00, 0x00),
    (0x00, 0xff, 0x00),
    (0xff, 0xff, 0x00),
    (0x5c, 0x5c, 0xff),
    (0xff, 0x00, 0xff),
    (0x00, 0xff, 0xff),
    (0xff, 0xff, 0xff),
];

impl Colour {
    /// Reads `default`, one of [`ANSI_NAMES`], or `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(index) = ANSI_NAMES.iter().position(|name| *name == text) {
            return u8::try_from(index).ok().map(Self::Ansi);
        }
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self::Rgb(part(0)?, part(2)?, part(4)?))
    }

    /// The colour that a terminal of this depth is told to use.
    #[must_use]
    pub fn at(self, depth: Depth) -> Color {
        match (self, depth) {
            (_, Depth::None) | (Self::Default, _) => Color::Reset,
            (Self::Ansi(index), _) => ansi(index),
            (Self::Rgb(r, g, b), Depth::True) => Color::Rgb(r, g, b),
            (Self::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_indexed((r, g, b))),
            (Self::Rgb(r, g, b), Depth::Ansi) => ansi(nearest_ansi((r, g, b))),
        }
    }
}

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, dim, underline and reverse only.
    None,
    /// The 16 that the user's terminal defines.
    #[default]
    Ansi,
    /// 256.
    Indexed,
    /// 16 million.
    True,
}

impl Depth {
    /// The names that a setting may have.
    pub const SETTINGS: [&str; 5] = ["auto", "none", "16", "256", "true"];

    /// Reads a setting: `Some(None)` is `auto`, `None` is none of [`Self::SETTINGS`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Option<Self>> {
        Some(match text {
            "auto" => None,
            "none" => Some(Self::None),
            "16" => Some(Self::Ansi),
            "256" => Some(Self::Indexed),
            "true" => Some(Self::True),
            _ => return None,
        })
    }

    /// What the terminal says that it can: an explicit setting first, then `NO_COLOR`
    /// (<https://no-color.org>), `COLORTERM`, `TERM`.
    #[must_use]
    pub fn detect(environment: &Environment, setting: Option<Self>) -> Self {
        if let Some(depth) = setting {
            return depth;
        }
        let get = |name: &str| environment.get(name).map_or("", String::as_str);
        let term = get("TERM");
        if !get("NO_COLOR").is_empty() || term == "dumb" {
            return Self::None;
        }
        // Terminals of which every version in use shows true colour: over ssh `COLORTERM` is lost, `TERM` is not.
        let known = ["kitty", "alacritty", "ghostty", "wezterm", "foot", "contour"];
        if matches!(get("COLORTERM"), "truecolor" | "24bit")
            || term.ends_with("-direct")
            || known.iter().any(|name| term.contains(name))
        {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else {
            Self::Ansi
        }
    }
}

fn ansi(index: u8) -> Color {
    const COLORS: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    COLORS[usize::from(index) % COLORS.len()]
}

/// The levels of xterm's 6 × 6 × 6 cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The red, green and blue of xterm's colour 16 to 255.
#[must_use]
pub fn indexed(index: u8) -> (u8, u8, u8) {
    match index {
        0..=15 => XTERM[usize::from(index)],
        16..=231 => {
            let at = usize::from(index - 16);
            (CUBE[at / 36], CUBE[at / 6 % 6], CUBE[at % 6])
        }
        232..=255 => {
            let level = 8 + 10 * (index - 232);
            (level, level, level)
        }
    }
}

/// 0 to 15 are left out: the user's terminal decides what those look like.
fn nearest_indexed(rgb: (u8, u8, u8)) -> u8 {
    (16..=255)
        .min_by_key(|index| distance(rgb, indexed(*index)))
        .unwrap_or(15)
}

fn nearest_ansi(rgb: (u8, u8, u8)) -> u8 {
    (0..16).min_by_key(|index| distance(rgb, indexed(*index))).unwrap_or(7)
}

/// The "redmean" distance: near to how the eye weighs a difference, in whole numbers.
/// <https://www.compuphase.com/cmetric.htm>
fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> i64 {
    let mean = i64::midpoint(i64::from(a.0), i64::from(b.0));
    let (r, g, b) = (
        i64::from(a.0) - i64::from(b.0),
        i64::from(a.1) - i64::from(b.1),
        i64::from(a.2) - i64::from(b.2),
    );
    (((512 + mean) * r * r) >> 8) + 4 * g * g + (((767 - mean) * b * b) >> 8)
}

/// Contrast of two colours, 1 to 21, as WCAG 2.2 defines it
/// (<https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>).
#[must_use]
pub fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn colours_are_read_by_name_and_by_number() {
        assert_eq!(Colour::parse("default"), Some(Colour::Default));
        assert_eq!(Colour::parse("bright-blue"), Some(Colour::Ansi(12)));
        assert_eq!(Colour::parse("#0a10Ff"), Some(Colour::Rgb(10, 16, 255)));
        for wrong in ["", "#fff", "#12345", "#1234567", "#12345g", "blau", "#+1+1+1"] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_terminal_gets_no_more_colours_than_it_shows() {
        let accent = Colour::Rgb(0x6c, 0xb6, 0xff);
        assert_eq!(accent.at(Depth::True), Color::Rgb(0x6c, 0xb6, 0xff));
        assert_eq!(accent.at(Depth::Indexed), Color::Indexed(75));
        assert_eq!(accent.at(Depth::None), Color::Reset);
        assert_eq!(Colour::Rgb(250, 5, 5).at(Depth::Ansi), Color::LightRed);
        assert_eq!(Colour::Ansi(3).at(Depth::True), Color::Yellow);
    }

    #[test]
    fn colour_depth_follows_setting_then_no_color_then_the_terminal() {
        let detect = |pairs: &[(&str, &str)]| Depth::detect(&environment(pairs), None);
        assert_eq!(detect(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(
            detect(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            Depth::True
        );
        assert_eq!(detect(&[("TERM", "xterm-kitty")]), Depth::True);
        assert_eq!(detect(&[("TERM", "linux")]), Depth::Ansi);
        assert_eq!(detect(&[("TERM", "dumb")]), Depth::None);
        assert_eq!(detect(&[]), Depth::Ansi);
        let plain = environment(&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]);
        assert_eq!(Depth::detect(&plain, None), Depth::None);
        assert_eq!(Depth::detect(&plain, Some(Depth::True)), Depth::True);
        assert_eq!(detect(&[("TERM", "xterm"), ("NO_COLOR", "")]), Depth::Ansi);
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
        assert!((contrast((255, 255, 255), (0x77, 0x77, 0x77)) - 4.48).abs() < 0.01);
    }
}
