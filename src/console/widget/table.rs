//! Rows and columns: numbers right, names left, widths that do not jump.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Line};
use super::figure;
use crate::console::theme::Role;
use crate::model::Reading;
use crate::model::field::Unit;

/// What stands in a cell.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Text, cut where it is too long.
    Text(Line<'a>),
    /// A figure, written in short where it is too long.
    Figure(&'a Reading, Unit, Role),
}

impl Cell<'_> {
    /// Nothing.
    #[must_use]
    pub fn blank() -> Self {
        Self::Text(Line::new())
    }
}

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading, and its name for `:sort` and in kept choices: unique in its table.
    pub title: &'static str,
    /// Where its text stands.
    pub align: Align,
    /// Its width in columns of text; of the one that grows, its least.
    pub width: u16,
    /// Columns of the highest rank are left out first where there is no room; 0 never is.
    pub rank: u8,
    /// Whether it takes what is left over, or its share of that.
    pub grows: bool,
    /// Whether it is shown unless somebody chooses otherwise.
    pub shown: bool,
}

impl Column {
    const fn new(title: &'static str, align: Align, width: u16, rank: u8) -> Self {
        Self {
            title,
            align,
            width,
            rank,
            grows: false,
            shown: true,
        }
    }

    /// The column that takes what is left over.
    #[must_use]
    pub const fn name(title: &'static str, width: u16) -> Self {
        Self {
            grows: true,
            ..Self::new(title, Align::Left, width, 0)
        }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self::new(title, Align::Right, width, rank)
    }

    /// A column of text.
    #[must_use]
    pub const fn text(title: &'static str, width: u16, rank: u8) -> Self {
        Self::new(title, Align::Left, width, rank)
    }

    /// The same, shown only when somebody chooses it.
    #[must_use]
    pub const fn hidden(self) -> Self {
        Self { shown: false, ..self }
    }
}

/// Columns between two columns: at least, and at most when there is room.
const AIR: (u16, u16) = (2, 4);

/// A column's place: its index, first column of text and width.
pub type Place = (usize, u16, u16);

/// Chooses the columns that fit into `width` and where they stand.
#[must_use]
pub fn arrange(columns: &[Column], width: u16) -> Vec<Place> {
    let shown = (0..columns.len()).filter(|index| columns[*index].shown).collect();
    arrange_chosen(columns, shown, width)
}

/// The same of the columns that somebody has chosen.
#[must_use]
pub fn arrange_chosen(columns: &[Column], mut chosen: Vec<usize>, width: u16) -> Vec<Place> {
    let needed = |chosen: &[usize], air: u16| -> u16 {
        let text: u16 = chosen.iter().map(|index| columns[*index].width).sum();
        text + air * u16::try_from(chosen.len().saturating_sub(1)).unwrap_or(0)
    };
    while needed(&chosen, AIR.0) > width {
        let Some(worst) = chosen
            .iter()
            .copied()
            .filter(|index| columns[*index].rank > 0)
            .max_by_key(|index| columns[*index].rank)
        else {
            break;
        };
        chosen.retain(|index| *index != worst);
    }
    let air = (AIR.0..=AIR.1)
        .rev()
        .find(|air| needed(&chosen, *air) <= width)
        .unwrap_or(1);
    let mut left_over = width.saturating_sub(needed(&chosen, air));
    let mut growing = u16::try_from(chosen.iter().filter(|index| columns[**index].grows).count()).unwrap_or(u16::MAX);
    let mut places = Vec::with_capacity(chosen.len());
    let mut x = 0;
    for index in chosen {
        let column = columns[index];
        let extra = if column.grows {
            // Those that grow share it: the first one gets what cannot be shared.
            let share = left_over.div_ceil(growing.max(1));
            growing = growing.saturating_sub(1);
            share
        } else {
            0
        };
        left_over -= extra;
        let size = (column.width + extra).min(width.saturating_sub(x));
        places.push((index, x, size));
        x += size + air;
    }
    places
}

/// Draws headings and the rows from `offset` on. `cell` gives the content of (row, column).
/// Returns how many rows of content there is room for.
pub fn draw<'a>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    columns: &[Column],
    rows: usize,
    offset: usize,
    mut cell: impl FnMut(usize, usize) -> Cell<'a>,
) -> usize {
    let places = arrange(columns, area.width);
    let align = |canvas: &mut Canvas<'_>, (index, x, width): Place, y: u16, line: &Line<'_>| {
        match columns[index].align {
            Align::Left => canvas.line(area.left() + x, y, width, line),
            Align::Right => canvas.line_right(area.left() + x, y, width, line),
        };
    };
    if area.height == 0 {
        return 0;
    }
    for place in &places {
        align(
            canvas,
            *place,
            area.top(),
            &vec![super::span(columns[place.0].title, Role::Heading)],
        );
    }
    let visible = usize::from(area.height - 1);
    for (row, y) in (offset..rows).zip(area.top() + 1..area.bottom()) {
        for place in &places {
            let line = match cell(row, place.0) {
                Cell::Text(line) => line,
                Cell::Figure(reading, unit, role) => figure::fitting(reading, unit, role, place.2),
            };
            align(canvas, *place, y, &line);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::name("name", 6),
        Column::number("rate", 8, 0),
        Column::text("last", 10, 1),
        Column::number("memory", 8, 2),
    ];

    fn titles(width: u16) -> Vec<&'static str> {
        arrange(&COLUMNS, width)
            .iter()
            .map(|place| COLUMNS[place.0].title)
            .collect()
    }

    #[test]
    fn the_least_important_columns_go_first() {
        assert_eq!(titles(80), ["name", "rate", "last", "memory"]);
        assert_eq!(titles(37), ["name", "rate", "last"]);
        assert_eq!(titles(27), ["name", "rate"]);
        assert_eq!(titles(5), ["name", "rate"]);
    }

    #[test]
    fn columns_that_grow_share_what_is_left_over() {
        let columns = [
            Column::name("what", 20),
            Column::number("times", 6, 0),
            Column::name("more", 10),
        ];
        let widths = |width| -> Vec<u16> { arrange(&columns, width).iter().map(|place| place.2).collect() };
        assert_eq!(widths(40), [20, 6, 10]);
        assert_eq!(widths(75), [36, 6, 25], "the first one takes what cannot be shared");
    }

    #[test]
    fn the_name_takes_what_is_left_over_and_nothing_stands_outside() {
        for width in 0..90 {
            let places = arrange(&COLUMNS, width);
            for (_, x, size) in &places {
                assert!(*size == 0 || x + size <= width, "{width}: {places:?}");
            }
        }
        let places = arrange(&COLUMNS, 80);
        let last = places.last().unwrap();
        assert_eq!(last.1 + last.2, 80);
    }
}
