//! Where text meets the screen. [`Canvas::put`] is the only way onto it: whatever it is given
//! comes out safe, in the terminal's characters, and no wider than allowed.

use std::borrow::Cow;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::base::text;
use crate::console::glyph::{Charset, Glyphs, spell};
use crate::console::theme::{Role, Theme};

/// A piece of text and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// The text: may be a stranger's.
    pub text: Cow<'a, str>,
    /// What it means.
    pub role: Role,
    /// Whether it has the weight of [`Role::Strong`] besides.
    pub strong: bool,
}

impl Span<'_> {
    /// The same with the weight of [`Role::Strong`].
    #[must_use]
    pub fn strong(self) -> Self {
        Self { strong: true, ..self }
    }
}

/// A piece of text and what it means.
pub fn span<'a>(text: impl Into<Cow<'a, str>>, role: Role) -> Span<'a> {
    Span {
        text: text.into(),
        role,
        strong: false,
    }
}

/// Pieces that stand in one row.
pub type Line<'a> = Vec<Span<'a>>;

/// A screen to draw on, with the theme to draw in.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    theme: &'a Theme,
}

impl<'a> Canvas<'a> {
    /// A canvas over a buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buffer, theme }
    }

    /// The theme.
    #[must_use]
    pub fn theme(&self) -> &'a Theme {
        self.theme
    }

    /// The characters that are not letters.
    #[must_use]
    pub fn glyphs(&self) -> &'static Glyphs {
        self.theme.glyphs()
    }

    /// Empties an area down to the background.
    pub fn clear(&mut self, area: Rect) {
        let style = self.theme.style(Role::Background);
        for position in area.intersection(self.buffer.area).positions() {
            let cell = &mut self.buffer[position];
            cell.reset();
            cell.set_style(style);
        }
    }

    /// Lays a fill under an area; the text on it stays.
    pub fn fill(&mut self, area: Rect, fill: Role) {
        let style = self.theme.style(fill);
        for position in area.intersection(self.buffer.area).positions() {
            self.buffer[position].set_style(style);
        }
    }

    /// Writes one glyph.
    pub fn glyph(&mut self, x: u16, y: u16, glyph: char, role: Role) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_char(glyph);
            dress(cell, self.theme.style(role));
        }
    }

    /// Writes text into at most `width` columns from `x`, made safe and cut. Returns how many it took.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        self.write(x, y, width, text, self.theme.style(role))
    }

    fn write(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let width = width.min(area.right() - x);
        if width == 0 {
            return 0;
        }
        let fitted = fit(text, usize::from(width), self.theme.charset());
        let mut at = x;
        if fitted.is_ascii() {
            // Nine texts of ten: one column a byte, nothing to segment.
            for letter in fitted.chars() {
                let cell = &mut self.buffer[(at, y)];
                cell.set_char(letter);
                dress(cell, style);
                at += 1;
            }
            return at - x;
        }
        for grapheme in fitted.graphemes(true) {
            let columns = u16::try_from(grapheme.width()).unwrap_or(u16::MAX);
            if columns == 0 {
                continue;
            }
            let cell = &mut self.buffer[(at, y)];
            cell.set_symbol(grapheme);
            dress(cell, style);
            // The second half of a wide character belongs to it.
            for hidden in 1..columns {
                let cell = &mut self.buffer[(at + hidden, y)];
                cell.set_symbol(" ");
                dress(cell, style);
            }
            at += columns;
        }
        at - x
    }

    /// Writes pieces one after the other. Returns how many columns they took.
    pub fn line(&mut self, x: u16, y: u16, width: u16, line: &[Span<'_>]) -> u16 {
        let mut used = 0;
        for span in line {
            let mut style = self.theme.style(span.role);
            if span.strong {
                style.add_modifier |= self.theme.style(Role::Strong).add_modifier;
            }
            used += self.write(x + used, y, width - used, &span.text, style);
        }
        used
    }

    /// Writes pieces so that they end before column `x + width`. Returns where they begin.
    pub fn line_right(&mut self, x: u16, y: u16, width: u16, line: &[Span<'_>]) -> u16 {
        let taken = self.width(line).min(width);
        self.line(x + width - taken, y, taken, line);
        x + width - taken
    }

    /// How many columns pieces take.
    #[must_use]
    pub fn width(&self, line: &[Span<'_>]) -> u16 {
        line.iter()
            .map(|span| self.text_width(&span.text))
            .fold(0, u16::saturating_add)
    }

    /// How many columns a text takes; no more than the widest screen has.
    #[must_use]
    pub fn text_width(&self, text: &str) -> u16 {
        let fitted = fit(text, WIDEST, self.theme.charset());
        u16::try_from(text::width(&fitted)).unwrap_or(u16::MAX)
    }
}

/// Gives a cell a new look: its fill stays, the weight and slant of what stood there go.
fn dress(cell: &mut Cell, style: Style) {
    cell.modifier &= Modifier::REVERSED;
    cell.set_style(style);
}

/// No screen is wider, in columns.
const WIDEST: usize = 1_000;

/// Bytes that are looked at per column: a text of a stranger may be of any length, a frame may not.
const BYTES_PER_COLUMN: usize = 8;

/// A stranger's text as a piece of a sentence: safe and cut, of whatever length it was.
#[must_use]
pub fn tidy(text: &str, columns: usize) -> Cow<'_, str> {
    fit(text, columns, Charset::Unicode)
}

/// `text` as it may stand in `columns` columns: safe, in the terminal's characters, cut.
fn fit(text: &str, columns: usize, charset: Charset) -> Cow<'_, str> {
    if text.len() <= columns && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let limit = columns.saturating_mul(BYTES_PER_COLUMN).saturating_add(64);
    let (head, whole) = if text.len() > limit {
        (&text[..text.floor_char_boundary(limit)], false)
    } else {
        (text, true)
    };
    let safe = text::safe(head);
    let spelled = match safe {
        Cow::Borrowed(safe) => spell(safe, charset),
        Cow::Owned(safe) => Cow::Owned(spell(&safe, charset).into_owned()),
    };
    let cut = match spelled {
        Cow::Borrowed(spelled) => text::cut(spelled, columns),
        Cow::Owned(spelled) => Cow::Owned(text::cut(&spelled, columns).into_owned()),
    };
    if !whole && !cut.ends_with('…') {
        let cut = text::cut(&cut, columns.saturating_sub(1)).into_owned() + "…";
        return Cow::Owned(spell(&cut, charset).into_owned());
    }
    match cut {
        Cow::Borrowed(cut) => spell(cut, charset),
        Cow::Owned(cut) => Cow::Owned(spell(&cut, charset).into_owned()),
    }
}

/// Breaks a text at its spaces into rows of at most `width` columns, at most `rows` of them;
/// a word that is too long is broken inside. The last row ends in `…` when something is left out.
#[must_use]
pub fn wrap(text: &str, width: u16, rows: usize) -> Vec<String> {
    let width = usize::from(width.max(1));
    let limit = rows.saturating_mul(width).saturating_mul(BYTES_PER_COLUMN);
    let head = &text[..text.floor_char_boundary(limit.min(text.len()))];
    let safe = text::safe(head);
    let mut out: Vec<String> = Vec::new();
    let mut row = String::new();
    let mut used = 0;
    for word in safe.split(' ').filter(|word| !word.is_empty()) {
        let size = word.width();
        if used > 0 && used + 1 + size <= width {
            row.push(' ');
            row.push_str(word);
            used += 1 + size;
            continue;
        }
        if used > 0 {
            out.push(std::mem::take(&mut row));
            used = 0;
        }
        if size <= width {
            row.push_str(word);
            used = size;
            continue;
        }
        for grapheme in word.graphemes(true) {
            if used + grapheme.width() > width {
                out.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push_str(grapheme);
            used += grapheme.width();
        }
    }
    if used > 0 {
        out.push(row);
    }
    if out.len() > rows || head.len() < text.len() {
        // The last row is filled as far as it goes, also with half a word.
        let next = out.get(rows).map_or("", String::as_str).to_owned();
        out.truncate(rows);
        if let Some(last) = out.last_mut() {
            let joint = if last.width() < width { " " } else { "" };
            *last = text::cut(&format!("{last}{joint}{next}…"), width).into_owned();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::theme::Library;
    use crate::console::theme::colour::Depth;

    fn theme(charset: Charset) -> Theme {
        Library::embedded()
            .unwrap()
            .theme("dark", Depth::True, charset)
            .unwrap()
    }

    fn row(text: &str, width: u16, charset: Charset) -> String {
        let theme = theme(charset);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 1));
        let mut canvas = Canvas::new(&mut buffer, &theme);
        canvas.put(0, 0, width, text, Role::Text);
        buffer
            .content()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            row("a\x1b[31mb\u{202e}c", 30, Charset::Unicode),
            "a\\x1b[31mb\\u{202e}c"
        );
    }

    #[test]
    fn text_stays_in_its_columns() {
        assert_eq!(row("hello world", 5, Charset::Unicode), "hell…");
        assert_eq!(row("hello world", 5, Charset::Ascii), "hell~");
        assert_eq!(row("→→→", 5, Charset::Ascii), "->->~");
        assert_eq!(row("hello", 0, Charset::Unicode), "");
        assert_eq!(row(&"x".repeat(100_000), 30, Charset::Unicode), "x".repeat(29) + "…");
        assert_eq!(
            row(&format!("a{}", "\u{0301}".repeat(100_000)), 30, Charset::Unicode),
            "a\u{301}\u{301}\u{301}\u{301}…"
        );
    }

    #[test]
    fn a_wide_character_keeps_its_second_half() {
        assert_eq!(row("你好x", 30, Charset::Unicode), "你 好 x");
    }

    #[test]
    fn nothing_is_written_outside() {
        let theme = theme(Charset::Unicode);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        let mut canvas = Canvas::new(&mut buffer, &theme);
        assert_eq!(canvas.put(9, 0, 5, "x", Role::Text), 0);
        assert_eq!(canvas.put(0, 9, 5, "x", Role::Text), 0);
        assert_eq!(canvas.put(3, 1, 5, "xyz", Role::Text), 1);
        canvas.glyph(9, 9, 'x', Role::Text);
        canvas.fill(Rect::new(2, 1, 50, 50), Role::Selection);
        canvas.clear(Rect::new(3, 0, 50, 50));
    }

    #[test]
    fn rows_break_at_spaces_and_say_when_something_is_left_out() {
        assert_eq!(wrap("a bb ccc", 4, 9), ["a bb", "ccc"]);
        assert_eq!(wrap("abcdefghij k", 4, 9), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("one two three four", 7, 2), ["one two", "three …"]);
        assert_eq!(wrap("one two three", 7, 1), ["one tw…"]);
        assert_eq!(wrap("", 7, 1), Vec::<String>::new());
        assert!(wrap(&"word ".repeat(50_000), 20, 3).len() == 3);
    }

    proptest::proptest! {
        #[test]
        fn wrapped_rows_never_exceed_their_width(text in ".{0,200}", width in 2u16..40, rows in 1usize..6) {
            let wrapped = wrap(&text, width, rows);
            proptest::prop_assert!(wrapped.len() <= rows);
            for row in wrapped {
                proptest::prop_assert!(text::width(&row) <= usize::from(width), "{row}");
            }
        }
    }
}
