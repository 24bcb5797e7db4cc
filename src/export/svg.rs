//! A screen as SVG: every glyph at its own place, so that no font can shift it; frames, charts
//! and state glyphs as paths (the `shape` module). The same buffer gives the same file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

use super::ink::Ink;
use super::shape::{CELL, Paint, parts};
use crate::console::theme::colour::{XTERM, indexed};
use crate::console::theme::{Appearance, Role, Theme};

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

/// What the colours mean that a terminal decides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// The default foreground.
    pub foreground: Rgb,
    /// The default background.
    pub background: Rgb,
    /// The 16 colours.
    pub ansi: [Rgb; 16],
}

impl Palette {
    /// The palette for a theme: its own background, and xterm's 16 colours.
    #[must_use]
    pub fn of(theme: &Theme) -> Self {
        let (foreground, background) = match theme.appearance {
            Appearance::Dark => (XTERM[7], XTERM[0]),
            Appearance::Light => (XTERM[0], XTERM[15]),
        };
        let plain = Self {
            foreground,
            background,
            ansi: XTERM,
        };
        let style = theme.style(Role::Background);
        Self {
            foreground: plain.rgb(style.fg.unwrap_or_default(), foreground),
            background: plain.rgb(style.bg.unwrap_or_default(), background),
            ansi: XTERM,
        }
    }

    pub(super) fn rgb(&self, color: Color, default: Rgb) -> Rgb {
        match Ink::from(color) {
            Ink::Default => default,
            Ink::Rgb(r, g, b) => (r, g, b),
            Ink::Named(index) | Ink::Indexed(index @ 0..16) => self.ansi[usize::from(index)],
            Ink::Indexed(index) => indexed(index),
        }
    }

    /// Foreground and background of a cell, reverse and dim applied.
    pub(super) fn colours(&self, cell: &Cell) -> (Rgb, Rgb) {
        let mut fg = self.rgb(cell.fg, self.foreground);
        let mut bg = self.rgb(cell.bg, self.background);
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut fg, &mut bg);
        }
        if cell.modifier.contains(Modifier::DIM) {
            fg = blend(fg, bg);
        }
        (fg, bg)
    }
}

/// Two thirds of the first, one third of the second.
fn blend(a: Rgb, b: Rgb) -> Rgb {
    let mix = |a: u8, b: u8| u8::try_from((u16::from(a) * 2 + u16::from(b)) / 3).unwrap_or(a);
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// The weights and slants of text that are told apart.
const SLANTS: Modifier = Modifier::BOLD.union(Modifier::ITALIC).union(Modifier::UNDERLINED);

/// A run of glyphs of one look in one row.
struct Run {
    fg: Rgb,
    modifier: Modifier,
    places: String,
    text: String,
    /// The column after its last glyph.
    end: u32,
}

/// What is drawn of a buffer, in the order in which it lies over each other.
#[derive(Default)]
struct Drawing {
    grounds: String,
    /// Paths by their look.
    shapes: BTreeMap<(Paint, Rgb), String>,
    texts: String,
}

impl Drawing {
    /// Draws a row whose upper edge is at `y`.
    fn row(&mut self, line: &[Cell], y: u32, palette: &Palette) {
        background(line, y, palette, &mut self.grounds);
        let mut run: Option<Run> = None;
        let mut hidden = 0;
        for (column, cell) in (0u32..).zip(line) {
            // The second half of a wide character belongs to it.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = cell.symbol().width().saturating_sub(1);
            if cell.symbol().trim().is_empty() {
                continue;
            }
            let x = column * u32::from(CELL.0);
            let (fg, _) = palette.colours(cell);
            let mut characters = cell.symbol().chars();
            let single = characters.next().filter(|_| characters.next().is_none());
            if let Some(drawn) = single.and_then(|character| parts(character, x, y)) {
                for (paint, path) in drawn {
                    append(self.shapes.entry((paint, fg)).or_default(), format_args!("{path}"));
                }
                continue;
            }
            let modifier = cell.modifier & SLANTS;
            let joins = |run: &Run| run.fg == fg && run.modifier == modifier && run.end == column && single.is_some();
            if !run.as_ref().is_some_and(joins)
                && let Some(done) = run.take()
            {
                write_run(&done, y, &mut self.texts);
            }
            let run = run.get_or_insert_with(|| Run {
                fg,
                modifier,
                places: String::new(),
                text: String::new(),
                end: column,
            });
            if !run.places.is_empty() {
                run.places.push(' ');
            }
            append(&mut run.places, format_args!("{x}"));
            escape(cell.symbol(), &mut run.text);
            // A glyph of several characters stands alone: places count characters.
            run.end = if single.is_some() { column + 1 } else { u32::MAX };
        }
        if let Some(done) = run {
            write_run(&done, y, &mut self.texts);
        }
    }
}

/// A buffer as SVG.
#[must_use]
pub fn render(buffer: &Buffer, palette: &Palette) -> String {
    let (cell_width, cell_height) = (u32::from(CELL.0), u32::from(CELL.1));
    let (columns, rows) = (u32::from(buffer.area.width), u32::from(buffer.area.height));
    let mut drawing = Drawing::default();
    for (row, line) in buffer
        .content()
        .chunks(usize::from(buffer.area.width.max(1)))
        .enumerate()
    {
        let y = u32::try_from(row).unwrap_or(u32::MAX).saturating_mul(cell_height);
        drawing.row(line, y, palette);
    }
    let (width, height) = (columns * cell_width, rows * cell_height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>text{{font:16px ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace;white-space:pre}}\
         .b{{font-weight:bold}}.i{{font-style:italic}}.u{{text-decoration:underline}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        hex(palette.background)
    );
    out.push_str(&drawing.grounds);
    for ((paint, colour), path) in &drawing.shapes {
        let colour = hex(*colour);
        let look = match (paint, paint.width()) {
            (Paint::Shade(_), _) => format!("fill=\"{colour}\" fill-opacity=\"{}\"", paint.opacity()),
            (Paint::Dots, Some(width)) => {
                format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linecap=\"round\"")
            }
            (_, Some(width)) => format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\""),
            (_, None) => format!("fill=\"{colour}\""),
        };
        append(&mut out, format_args!("<path {look} d=\"{path}\"/>\n"));
    }
    out.push_str(&drawing.texts);
    out.push_str("</svg>\n");
    out
}

/// One rectangle for each stretch of a row that has a background of its own.
fn background(line: &[Cell], y: u32, palette: &Palette, out: &mut String) {
    let (cell_width, cell_height) = (u32::from(CELL.0), CELL.1);
    let mut x = 0;
    for stretch in line.chunk_by(|a, b| palette.colours(a).1 == palette.colours(b).1) {
        let width = u32::try_from(stretch.len()).unwrap_or(0) * cell_width;
        let colour = palette.colours(&stretch[0]).1;
        if colour != palette.background {
            let fill = hex(colour);
            append(
                out,
                format_args!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{cell_height}\" fill=\"{fill}\"/>\n"
                ),
            );
        }
        x += width;
    }
}

fn write_run(run: &Run, y: u32, out: &mut String) {
    let classes: Vec<&str> = [
        (Modifier::BOLD, "b"),
        (Modifier::ITALIC, "i"),
        (Modifier::UNDERLINED, "u"),
    ]
    .into_iter()
    .filter(|(modifier, _)| run.modifier.contains(*modifier))
    .map(|(_, class)| class)
    .collect();
    let class = if classes.is_empty() {
        String::new()
    } else {
        format!(" class=\"{}\"", classes.join(" "))
    };
    let (fill, places, text) = (hex(run.fg), &run.places, &run.text);
    append(
        out,
        format_args!(
            "<text{class} fill=\"{fill}\" y=\"{}\" x=\"{places}\">{text}</text>\n",
            y + 15
        ),
    );
}

pub(super) fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(symbol: &str, out: &mut String) {
    for character in symbol.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Not a character of XML; the canvas lets none through, other buffers may.
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

pub(super) fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    const PLAIN: Palette = Palette {
        foreground: (200, 200, 200),
        background: (0, 0, 0),
        ansi: XTERM,
    };

    fn svg(text: &str, style: Style) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, text, style);
        render(&buffer, &PLAIN)
    }

    #[test]
    fn every_glyph_stands_at_its_own_place() {
        assert!(svg("ab c", Style::new()).contains(
            "<text fill=\"#c8c8c8\" y=\"15\" x=\"0 10\">ab</text>\n<text fill=\"#c8c8c8\" y=\"15\" x=\"30\">c</text>"
        ));
        assert!(svg("你x", Style::new()).contains("x=\"0\">你</text>"));
    }

    #[test]
    fn markup_is_escaped_and_controls_are_replaced() {
        assert!(svg("<&>", Style::new()).contains("&lt;&amp;&gt;"));
        let mut buffer = Buffer::empty(Rect::new(0, 0, 1, 1));
        buffer[(0, 0)].set_symbol("\u{1b}");
        assert!(render(&buffer, &PLAIN).contains('\u{fffd}'));
    }

    #[test]
    fn charts_and_frames_are_paths() {
        let out = svg("⠁█─✔", Style::new());
        assert!(!out.contains("<text"));
        assert!(out.contains("d=\"M2.5 2.5h0\""), "{out}");
        assert!(out.contains("M10 0h10v20h-10z"), "{out}");
    }

    #[test]
    fn a_background_is_one_rectangle_a_stretch() {
        let out = svg("abc", Style::new().bg(Color::Blue));
        assert_eq!(out.matches("<rect x=").count(), 1);
        assert!(out.contains("<rect x=\"0\" y=\"0\" width=\"30\" height=\"20\" fill=\"#0000ee\"/>"));
        let reversed = svg("abc", Style::new().add_modifier(Modifier::REVERSED));
        assert!(reversed.contains("width=\"30\" height=\"20\" fill=\"#c8c8c8\""));
    }

    #[test]
    fn a_glyph_of_several_characters_stands_alone() {
        let out = svg("e\u{301}x", Style::new());
        assert!(
            out.contains("x=\"0\">e\u{301}</text>") && out.contains("x=\"10\">x</text>"),
            "{out}"
        );
    }

    #[test]
    fn the_same_buffer_gives_the_same_file() {
        let draw = || svg("⠁ab█─", Style::new().fg(Color::Indexed(75)));
        assert_eq!(draw(), draw());
    }
}
