//! The colours of a terminal as exports tell them apart.

use ratatui::style::Color;

/// A colour of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// The terminal's own.
    Default,
    /// One of the 16 named colours, by number.
    Named(u8),
    /// One of the 256, by number.
    Indexed(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

impl From<Color> for Ink {
    fn from(color: Color) -> Self {
        match color {
            Color::Reset => Self::Default,
            Color::Rgb(r, g, b) => Self::Rgb(r, g, b),
            Color::Indexed(number) => Self::Indexed(number),
            Color::Black => Self::Named(0),
            Color::Red => Self::Named(1),
            Color::Green => Self::Named(2),
            Color::Yellow => Self::Named(3),
            Color::Blue => Self::Named(4),
            Color::Magenta => Self::Named(5),
            Color::Cyan => Self::Named(6),
            Color::Gray => Self::Named(7),
            Color::DarkGray => Self::Named(8),
            Color::LightRed => Self::Named(9),
            Color::LightGreen => Self::Named(10),
            Color::LightYellow => Self::Named(11),
            Color::LightBlue => Self::Named(12),
            Color::LightMagenta => Self::Named(13),
            Color::LightCyan => Self::Named(14),
            Color::White => Self::Named(15),
        }
    }
}
