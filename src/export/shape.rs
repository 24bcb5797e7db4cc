//! Characters that are drawn, not written: frames, braille, blocks and state glyphs look the
//! same in every viewer and join at the edges of their cells, whatever font there is.

/// A cell's size in pixels.
pub(super) const CELL: (u16, u16) = (10, 20);

/// How a shape is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Paint {
    /// Filled.
    Fill,
    /// Filled at a quarter, half or three quarters of full strength.
    Shade(u8),
    /// A thin line.
    Line,
    /// A thick line.
    Heavy,
    /// A line of dots of 3 pixels: each is a line without length and with round ends.
    Dots,
}

/// One part of a character: path data relative to the cell's upper left corner, already moved there.
pub(super) type Part = (Paint, String);

/// The parts of a character in the cell whose upper left corner is (`x`, `y`); `None`: it is written as text.
pub(super) fn parts(character: char, x: u32, y: u32) -> Option<Vec<Part>> {
    let at = |dx: u32, dy: u32| format!("M{} {}", x + dx, y + dy);
    let one = |paint: Paint, path: String| Some(vec![(paint, path)]);
    match character {
        '\u{2800}'..='\u{28ff}' => one(Paint::Dots, braille(u32::from(character) - 0x2800, x, y)),
        '▁'..='█' => {
            let eighths = u32::from(character) - 0x2580;
            let height = f64::from(eighths) * 2.5;
            one(
                Paint::Fill,
                format!("M{x} {}h10v{height}h-10z", f64::from(y) + 20.0 - height),
            )
        }
        '▌' => one(Paint::Fill, at(0, 0) + "h5v20h-5z"),
        '▐' => one(Paint::Fill, at(5, 0) + "h5v20h-5z"),
        '░' => one(Paint::Shade(1), at(0, 0) + "h10v20h-10z"),
        '▒' => one(Paint::Shade(2), at(0, 0) + "h10v20h-10z"),
        '▓' => one(Paint::Shade(3), at(0, 0) + "h10v20h-10z"),
        '─' => one(Paint::Line, at(0, 10) + "h10"),
        '│' => one(Paint::Line, at(5, 0) + "v20"),
        '━' => one(Paint::Heavy, at(0, 10) + "h10"),
        '╭' => one(Paint::Line, at(5, 20) + "v-5q0-5 5-5"),
        '╮' => one(Paint::Line, at(0, 10) + "q5 0 5 5v5"),
        '╰' => one(Paint::Line, at(5, 0) + "v5q0 5 5 5"),
        '╯' => one(Paint::Line, at(0, 10) + "q5 0 5-5v-5"),
        '┤' => one(Paint::Line, at(5, 0) + "v20" + &at(0, 10) + "h5"),
        '┃' => one(Paint::Heavy, at(5, 0) + "v20"),
        '╱' => one(Paint::Line, at(0, 20) + "l10-20"),
        '●' => one(Paint::Fill, circle(x, y, 4)),
        '○' => one(Paint::Line, circle(x, y, 3)),
        '◐' => Some(vec![
            (Paint::Line, circle(x, y, 3)),
            (Paint::Fill, at(5, 7) + "a3 3 0 0 0 0 6z"),
        ]),
        '◌' => one(
            Paint::Dots,
            [(5, 6), (9, 10), (5, 14), (1, 10)]
                .map(|(dx, dy)| at(dx, dy) + "h0")
                .concat(),
        ),
        '▲' => one(Paint::Fill, at(5, 5) + "l4 9h-8z"),
        '▼' => one(Paint::Fill, at(5, 15) + "l4-9h-8z"),
        '▶' => one(Paint::Fill, at(1, 6) + "l8 4l-8 4z"),
        '▸' => one(Paint::Fill, at(2, 7) + "l5 3l-5 3z"),
        '✔' => one(Paint::Heavy, at(1, 10) + "l3 4l5-8"),
        '✖' => one(Paint::Heavy, at(2, 7) + "l6 6" + &at(8, 7) + "l-6 6"),
        _ => None,
    }
}

fn circle(x: u32, y: u32, radius: u32) -> String {
    let (left, middle, size) = (x + 5 - radius, y + 10, 2 * radius);
    format!("M{left} {middle}a{radius} {radius} 0 1 0 {size} 0a{radius} {radius} 0 1 0-{size} 0z")
}

/// Dots 1 to 8 of a braille pattern: column and row.
const DOTS: [(u32, u32); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];

fn braille(bits: u32, x: u32, y: u32) -> String {
    let dots = DOTS.iter().enumerate().filter(|(number, _)| bits >> number & 1 == 1);
    let paths: Vec<String> = dots
        .map(|(_, (column, row))| format!("M{}.5 {}.5h0", x + 2 + column * 5, y + 2 + row * 5))
        .collect();
    paths.concat()
}
