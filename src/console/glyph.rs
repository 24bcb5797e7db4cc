//! The characters that are not letters: a Unicode set, and an ASCII set for terminals that
//! have no other.

use std::borrow::Cow;

use crate::config::Environment;

/// Which characters a terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// Everything.
    #[default]
    Unicode,
    /// ASCII only.
    Ascii,
}

impl Charset {
    /// The names that a setting may have.
    pub const SETTINGS: [&str; 3] = ["auto", "unicode", "ascii"];

    /// Reads a setting: `Some(None)` is `auto`, `None` is none of [`Self::SETTINGS`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Option<Self>> {
        Some(match text {
            "auto" => None,
            "unicode" => Some(Self::Unicode),
            "ascii" => Some(Self::Ascii),
            _ => return None,
        })
    }

    /// What the terminal can show: an explicit setting, else ASCII on the Linux console, on
    /// dumb terminals and where the locale names another encoding. A locale that is not set
    /// (containers, cron, ssh) says nothing about the terminal.
    #[must_use]
    pub fn detect(environment: &Environment, setting: Option<Self>) -> Self {
        if let Some(charset) = setting {
            return charset;
        }
        let get = |name: &str| environment.get(name).map_or("", String::as_str);
        if matches!(get("TERM"), "linux" | "dumb") {
            return Self::Ascii;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .map(get)
            .find(|value| !value.is_empty())
            .unwrap_or("UTF-8")
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }

    /// Its glyphs.
    #[must_use]
    pub fn glyphs(self) -> &'static Glyphs {
        match self {
            Self::Unicode => &UNICODE,
            Self::Ascii => &ASCII,
        }
    }
}

/// One set of glyphs. Each is one column wide.
#[derive(Debug)]
pub struct Glyphs {
    /// What else may be written.
    pub charset: Charset,
    /// Answers, up.
    pub ok: char,
    /// Look at it.
    pub warning: char,
    /// Act now; failing.
    pub critical: char,
    /// Good to know.
    pub info: char,
    /// Has not answered for a while.
    pub stale: char,
    /// Not connected yet.
    pub connecting: char,
    /// Not configured.
    pub off: char,
    /// Balances.
    pub check: char,
    /// Could not be checked.
    pub unchecked: char,
    /// Grows.
    pub up: char,
    /// Shrinks.
    pub down: char,
    /// Between a profile and its stream.
    pub under: char,
    /// An arrow's shaft and head.
    pub arrow: (char, char),
    /// Top left, top right, bottom left, bottom right.
    pub corners: [char; 4],
    /// Horizontal and vertical line.
    pub lines: (char, char),
    /// Horizontal line with weight: states in a frame, legends.
    pub heavy: char,
    /// A tick on a vertical axis.
    pub tick: char,
    /// The bar beside the row under the cursor, and the thumb of a scroll bar.
    pub marker: (char, char),
    /// A marked moment.
    pub flag: char,
    /// Somebody's action.
    pub action: char,
    /// Held.
    pub pause: char,
    /// An area in a legend, and where a background cannot show it.
    pub shade: char,
    /// A gap in a history.
    pub hatch: char,
    /// Where what was before a session ends and the session begins.
    pub seam: char,
    /// Nothing to eight eighths.
    pub levels: [char; 9],
}

static UNICODE: Glyphs = Glyphs {
    charset: Charset::Unicode,
    ok: '●',
    warning: '▲',
    critical: '✖',
    info: '·',
    stale: '◌',
    connecting: '◐',
    off: '○',
    check: '✔',
    unchecked: '?',
    up: '▲',
    down: '▼',
    under: '▸',
    arrow: ('─', '▶'),
    corners: ['╭', '╮', '╰', '╯'],
    lines: ('─', '│'),
    heavy: '━',
    tick: '┤',
    marker: ('▌', '┃'),
    flag: '◆',
    action: '»',
    pause: '‖',
    shade: '▒',
    hatch: '╱',
    seam: '┊',
    levels: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
};

static ASCII: Glyphs = Glyphs {
    charset: Charset::Ascii,
    ok: '*',
    warning: '!',
    critical: 'x',
    info: '.',
    stale: '~',
    connecting: 'o',
    off: '-',
    check: '*',
    unchecked: '?',
    up: '^',
    down: 'v',
    under: '>',
    arrow: ('-', '>'),
    corners: ['+', '+', '+', '+'],
    lines: ('-', '|'),
    heavy: '=',
    tick: '+',
    marker: ('>', '#'),
    flag: '@',
    action: '$',
    pause: '"',
    shade: ':',
    hatch: '/',
    seam: '|',
    levels: [' ', '_', '.', ':', '-', '=', '+', '*', '#'],
};

/// `text` in the characters of a set. What ASCII has no likeness for becomes `?`.
#[must_use]
pub fn spell(text: &str, charset: Charset) -> Cow<'_, str> {
    if charset == Charset::Unicode || text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '–' | '—' | '−' => out.push('-'),
            '…' => out.push('~'),
            '→' => out.push_str("->"),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '≠' => out.push_str("!="),
            'µ' | 'μ' => out.push('u'),
            'Δ' => out.push('d'),
            '×' => out.push('x'),
            '½' => out.push_str("1/2"),
            '·' => out.push('.'),
            '•' => out.push('*'),
            '‹' => out.push('<'),
            '›' => out.push('>'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            _ => out.push('?'),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthChar as _;

    use super::*;

    fn all(glyphs: &Glyphs) -> Vec<char> {
        let mut all = vec![
            glyphs.ok,
            glyphs.warning,
            glyphs.critical,
            glyphs.info,
            glyphs.stale,
            glyphs.connecting,
            glyphs.off,
            glyphs.check,
            glyphs.unchecked,
            glyphs.up,
            glyphs.down,
            glyphs.under,
            glyphs.arrow.0,
            glyphs.arrow.1,
            glyphs.lines.0,
            glyphs.lines.1,
            glyphs.heavy,
            glyphs.tick,
            glyphs.marker.0,
            glyphs.marker.1,
            glyphs.flag,
            glyphs.action,
            glyphs.pause,
            glyphs.shade,
            glyphs.hatch,
            glyphs.seam,
        ];
        all.extend(glyphs.corners);
        all.extend(glyphs.levels);
        all
    }

    #[test]
    fn every_glyph_is_one_column_wide() {
        for glyph in all(&UNICODE).into_iter().chain(all(&ASCII)) {
            assert_eq!(glyph.width(), Some(1), "{glyph}");
        }
    }

    #[test]
    fn the_ascii_set_is_ascii() {
        assert!(
            all(&ASCII)
                .into_iter()
                .all(|glyph| glyph.is_ascii_graphic() || glyph == ' ')
        );
        assert_eq!(spell("8.4 s → 30 µs … 你", Charset::Ascii), "8.4 s -> 30 us ~ ?");
    }

    #[test]
    fn states_are_told_apart_by_glyph_alone() {
        for glyphs in [&UNICODE, &ASCII] {
            let mut states = [
                glyphs.ok,
                glyphs.warning,
                glyphs.critical,
                glyphs.info,
                glyphs.stale,
                glyphs.connecting,
                glyphs.off,
            ];
            states.sort_unstable();
            assert!(states.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn a_locale_of_another_encoding_means_ascii_and_an_unset_one_does_not() {
        let detect = |pairs: &[(&str, &str)]| {
            let environment = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Charset::detect(&environment, None)
        };
        assert_eq!(detect(&[("TERM", "xterm-256color")]), Charset::Unicode);
        assert_eq!(detect(&[("LANG", "de_DE.UTF-8")]), Charset::Unicode);
        assert_eq!(detect(&[("LANG", "C.utf8")]), Charset::Unicode);
        assert_eq!(detect(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), Charset::Ascii);
        assert_eq!(detect(&[("LANG", "de_DE.ISO-8859-1")]), Charset::Ascii);
        assert_eq!(detect(&[("TERM", "linux"), ("LANG", "en_GB.UTF-8")]), Charset::Ascii);
        assert_eq!(
            Charset::detect(&Environment::new(), Some(Charset::Ascii)),
            Charset::Ascii
        );
    }
}
