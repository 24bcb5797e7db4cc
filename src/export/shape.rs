//! Characters that are drawn, not written: frames, braille, blocks and state glyphs look the
//! same in every viewer and join at the edges of their cells, whatever font there is.

use std::fmt;

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

impl Paint {
    /// The width of its line, pixels; `None`: filled.
    pub(super) fn width(self) -> Option<f32> {
        match self {
            Self::Fill | Self::Shade(_) => None,
            Self::Line => Some(1.4),
            Self::Heavy => Some(2.2),
            Self::Dots => Some(3.0),
        }
    }

    /// Its strength, 0 to 1.
    pub(super) fn opacity(self) -> f32 {
        match self {
            Self::Shade(quarters) => f32::from(quarters) / 4.0,
            _ => 1.0,
        }
    }
}

/// A step of a pen. All but the first are relative to where the pen is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// To a place, without drawing.
    To(f32, f32),
    /// A straight line.
    Line(f32, f32),
    /// A curve with one control point.
    Curve(f32, f32, f32, f32),
    /// Half a circle, anticlockwise.
    Half(f32, f32),
    /// Back to where the pen was put down.
    Close,
}

/// What a pen draws; written as SVG path data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path(pub(super) Vec<Step>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A minus sign is separation enough.
        let gap = |number: f32| if number < 0.0 { "" } else { " " };
        for step in &self.0 {
            match *step {
                Step::To(x, y) => write!(f, "M{x} {y}")?,
                Step::Line(x, 0.0) => write!(f, "h{x}")?,
                Step::Line(0.0, y) => write!(f, "v{y}")?,
                Step::Line(x, y) => write!(f, "l{x}{}{y}", gap(y))?,
                Step::Curve(across, down, x, y) => {
                    write!(f, "q{across}{}{down}{}{x}{}{y}", gap(down), gap(x), gap(y))?;
                }
                Step::Half(x, y) => {
                    let radius = x.hypot(y) / 2.0;
                    write!(f, "a{radius} {radius} 0 0 0{}{x}{}{y}", gap(x), gap(y))?;
                }
                Step::Close => write!(f, "z")?,
            }
        }
        Ok(())
    }
}

/// One part of a character, already moved to its cell.
pub(super) type Part = (Paint, Path);

/// Where in a cell a pen begins, and what it draws from there.
type Stroke<'a> = (f32, f32, &'a [Step]);

/// The parts of a character in the cell whose upper left corner is (`x`, `y`); `None`: it is written as text.
pub(super) fn parts(character: char, x: u32, y: u32) -> Option<Vec<Part>> {
    use Step::{Close, Curve, Half, Line};
    let corner = (pixel(x), pixel(y));
    let draw = |strokes: &[Stroke<'_>]| {
        let mut path = Path::default();
        for (dx, dy, steps) in strokes {
            path.0.push(Step::To(corner.0 + dx, corner.1 + dy));
            path.0.extend_from_slice(steps);
        }
        path
    };
    let one = |paint: Paint, strokes: &[Stroke<'_>]| Some(vec![(paint, draw(strokes))]);
    let block = |paint, dx, dy, width, height| {
        one(
            paint,
            &[(dx, dy, &[Line(width, 0.0), Line(0.0, height), Line(-width, 0.0), Close])],
        )
    };
    let circle = |paint, radius: f32| {
        let halves = [Half(2.0 * radius, 0.0), Half(-2.0 * radius, 0.0), Close];
        (paint, draw(&[(5.0 - radius, 10.0, &halves)]))
    };
    match character {
        '\u{2800}'..='\u{28ff}' => {
            let bits = u32::from(character) - 0x2800;
            let dots = DOTS.iter().enumerate().filter(|(number, _)| bits >> number & 1 == 1);
            let places: Vec<Stroke<'_>> = dots.map(|(_, (dx, dy))| (*dx, *dy, DOT)).collect();
            one(Paint::Dots, &places)
        }
        '▁'..='█' => {
            let height = pixel(u32::from(character) - 0x2580) * 2.5;
            block(Paint::Fill, 0.0, 20.0 - height, 10.0, height)
        }
        '▌' => block(Paint::Fill, 0.0, 0.0, 5.0, 20.0),
        '▐' => block(Paint::Fill, 5.0, 0.0, 5.0, 20.0),
        '░' => block(Paint::Shade(1), 0.0, 0.0, 10.0, 20.0),
        '▒' => block(Paint::Shade(2), 0.0, 0.0, 10.0, 20.0),
        '▓' => block(Paint::Shade(3), 0.0, 0.0, 10.0, 20.0),
        '─' => one(Paint::Line, &[(0.0, 10.0, &[Line(10.0, 0.0)])]),
        '│' => one(Paint::Line, &[(5.0, 0.0, &[Line(0.0, 20.0)])]),
        '┊' => one(
            Paint::Line,
            &[
                (5.0, 1.0, &[Line(0.0, 3.0)]),
                (5.0, 6.0, &[Line(0.0, 3.0)]),
                (5.0, 11.0, &[Line(0.0, 3.0)]),
                (5.0, 16.0, &[Line(0.0, 3.0)]),
            ],
        ),
        '━' => one(Paint::Heavy, &[(0.0, 10.0, &[Line(10.0, 0.0)])]),
        '╭' => one(
            Paint::Line,
            &[(5.0, 20.0, &[Line(0.0, -5.0), Curve(0.0, -5.0, 5.0, -5.0)])],
        ),
        '╮' => one(
            Paint::Line,
            &[(0.0, 10.0, &[Curve(5.0, 0.0, 5.0, 5.0), Line(0.0, 5.0)])],
        ),
        '╰' => one(Paint::Line, &[(5.0, 0.0, &[Line(0.0, 5.0), Curve(0.0, 5.0, 5.0, 5.0)])]),
        '╯' => one(
            Paint::Line,
            &[(0.0, 10.0, &[Curve(5.0, 0.0, 5.0, -5.0), Line(0.0, -5.0)])],
        ),
        '┤' => one(
            Paint::Line,
            &[(5.0, 0.0, &[Line(0.0, 20.0)]), (0.0, 10.0, &[Line(5.0, 0.0)])],
        ),
        '┃' => one(Paint::Heavy, &[(5.0, 0.0, &[Line(0.0, 20.0)])]),
        '╱' => one(Paint::Line, &[(0.0, 20.0, &[Line(10.0, -20.0)])]),
        '●' => Some(vec![circle(Paint::Fill, 4.0)]),
        '○' => Some(vec![circle(Paint::Line, 3.0)]),
        '◐' => {
            let half = draw(&[(5.0, 7.0, &[Half(0.0, 6.0), Close])]);
            Some(vec![circle(Paint::Line, 3.0), (Paint::Fill, half)])
        }
        '◌' => one(
            Paint::Dots,
            &[(5.0, 6.0, DOT), (9.0, 10.0, DOT), (5.0, 14.0, DOT), (1.0, 10.0, DOT)],
        ),
        '▲' => one(Paint::Fill, &[(5.0, 5.0, &[Line(4.0, 9.0), Line(-8.0, 0.0), Close])]),
        '▼' => one(Paint::Fill, &[(5.0, 15.0, &[Line(4.0, -9.0), Line(-8.0, 0.0), Close])]),
        '▶' => one(Paint::Fill, &[(1.0, 6.0, &[Line(8.0, 4.0), Line(-8.0, 4.0), Close])]),
        '▸' => one(Paint::Fill, &[(2.0, 7.0, &[Line(5.0, 3.0), Line(-5.0, 3.0), Close])]),
        '✔' => one(Paint::Heavy, &[(1.0, 10.0, &[Line(3.0, 4.0), Line(5.0, -8.0)])]),
        '✖' => one(
            Paint::Heavy,
            &[(2.0, 7.0, &[Line(6.0, 6.0)]), (8.0, 7.0, &[Line(-6.0, 6.0)])],
        ),
        _ => None,
    }
}

const DOT: &[Step] = &[Step::Line(0.0, 0.0)];

/// Dots 1 to 8 of a braille pattern in their cell.
const DOTS: [(f32, f32); 8] = [
    (2.5, 2.5),
    (2.5, 7.5),
    (2.5, 12.5),
    (7.5, 2.5),
    (7.5, 7.5),
    (7.5, 12.5),
    (2.5, 17.5),
    (7.5, 17.5),
];

/// Pixels of a picture are far fewer than an `f32` counts exactly.
#[expect(clippy::cast_precision_loss, reason = "at most 500 columns of 10 pixels")]
pub(super) fn pixel(number: u32) -> f32 {
    number as f32
}
