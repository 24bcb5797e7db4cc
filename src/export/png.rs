//! A screen as pixels: the same shapes as in the SVG, and glyphs from a font in the binary, so
//! that the same buffer gives the same file on a machine without fonts.

use std::collections::BTreeMap;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use tiny_skia::{Color, FillRule, LineCap, Paint as Ink, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::shape::{self, CELL, Paint, Step, parts, pixel};
use super::svg::{Palette, Rgb};
use crate::base::text;

/// The font that the SVG names first, `DejaVu Sans Mono`, and its bold weight.
const FONTS: [&[u8]; 2] = [include_bytes!("font/mono.ttf"), include_bytes!("font/mono-bold.ttf")];

/// The font's size and the place of its baseline in a cell, pixels: as in the SVG.
const SIZE: f32 = 16.0;
const BASELINE: f32 = 15.0;

/// How far an italic leans.
const SLANT: f32 = -0.2;

/// Why a picture was not made.
#[derive(Debug, thiserror::Error)]
#[error("draw the picture: {0}")]
pub struct PictureError(String);

/// A buffer as a PNG file.
///
/// # Errors
/// When it is empty, or there is not enough memory.
pub fn render(buffer: &Buffer, palette: &Palette) -> Result<Vec<u8>, PictureError> {
    let size = |cells: u16, cell: u16| u32::from(cells) * u32::from(cell);
    let (width, height) = (size(buffer.area.width, CELL.0), size(buffer.area.height, CELL.1));
    let pixmap = Pixmap::new(width, height).ok_or_else(|| PictureError(format!("{width}x{height} pixels")))?;
    let mut board = Board {
        pixmap,
        glyphs: Glyphs::new()?,
    };
    board.pixmap.fill(opaque(palette.background));
    for (row, line) in (0u32..).zip(buffer.content().chunks(usize::from(buffer.area.width.max(1)))) {
        for (column, cell) in (0u32..).zip(line) {
            board.ground(cell, (column * u32::from(CELL.0), row * u32::from(CELL.1)), palette);
        }
        let mut hidden = 0;
        for (column, cell) in (0u32..).zip(line) {
            // The second half of a wide character belongs to it.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = text::width(cell.symbol()).saturating_sub(1);
            let place = (column * u32::from(CELL.0), row * u32::from(CELL.1));
            board.symbol(cell, place, palette.colours(cell).0);
        }
    }
    board
        .pixmap
        .encode_png()
        .map_err(|error| PictureError(error.to_string()))
}

struct Board {
    pixmap: Pixmap,
    glyphs: Glyphs,
}

impl Board {
    fn ground(&mut self, cell: &Cell, (x, y): (u32, u32), palette: &Palette) {
        let (_, colour) = palette.colours(cell);
        let area = Rect::from_xywh(pixel(x), pixel(y), f32::from(CELL.0), f32::from(CELL.1));
        if let Some(area) = area.filter(|_| colour != palette.background) {
            let identity = Transform::identity();
            self.pixmap.fill_rect(area, &ink(colour, 1.0), identity, None);
        }
    }

    fn symbol(&mut self, cell: &Cell, (x, y): (u32, u32), colour: Rgb) {
        let mut characters = cell.symbol().chars();
        let single = characters.next().filter(|_| characters.next().is_none());
        match single.and_then(|character| parts(character, x, y)) {
            Some(drawn) => drawn.iter().for_each(|(paint, path)| self.shape(*paint, path, colour)),
            None => self.text(cell, (pixel(x), pixel(y)), colour),
        }
    }

    fn shape(&mut self, paint: Paint, path: &shape::Path, colour: Rgb) {
        let Some(path) = outline(path, paint) else { return };
        let ink = ink(colour, paint.opacity());
        let identity = Transform::identity();
        match paint.width().filter(|_| paint != Paint::Dots) {
            Some(width) => {
                let stroke = Stroke {
                    width,
                    line_cap: LineCap::Butt,
                    ..Stroke::default()
                };
                self.pixmap.stroke_path(&path, &ink, &stroke, identity, None);
            }
            None => self.pixmap.fill_path(&path, &ink, FillRule::Winding, identity, None),
        }
    }

    fn text(&mut self, cell: &Cell, (x, y): (f32, f32), colour: Rgb) {
        let ink = ink(colour, 1.0);
        let slant = if cell.modifier.contains(Modifier::ITALIC) {
            SLANT
        } else {
            0.0
        };
        let place = Transform::from_row(1.0, 0.0, slant, 1.0, x, y + BASELINE);
        for character in cell.symbol().chars() {
            if let Some(glyph) = self.glyphs.glyph(character, cell.modifier.contains(Modifier::BOLD)) {
                self.pixmap.fill_path(glyph, &ink, FillRule::Winding, place, None);
            }
        }
        let columns = u16::try_from(text::width(cell.symbol())).unwrap_or(1);
        let line = Rect::from_xywh(x, y + BASELINE + 2.0, f32::from(CELL.0 * columns), 1.0);
        if let Some(line) = line.filter(|_| cell.modifier.contains(Modifier::UNDERLINED)) {
            self.pixmap.fill_rect(line, &ink, Transform::identity(), None);
        }
    }
}

/// The path of a shape; dots become circles.
fn outline(path: &shape::Path, paint: Paint) -> Option<Path> {
    let mut pen = PathBuilder::new();
    let (mut x, mut y) = (0.0, 0.0);
    for step in &path.0 {
        match *step {
            Step::To(to_x, to_y) => {
                (x, y) = (to_x, to_y);
                match paint.width().filter(|_| paint == Paint::Dots) {
                    Some(width) => pen.push_circle(x, y, width / 2.0),
                    None => pen.move_to(x, y),
                }
            }
            Step::Line(..) if paint == Paint::Dots => {}
            Step::Line(dx, dy) => {
                (x, y) = (x + dx, y + dy);
                pen.line_to(x, y);
            }
            Step::Curve(across, down, dx, dy) => {
                pen.quad_to(x + across, y + down, x + dx, y + dy);
                (x, y) = (x + dx, y + dy);
            }
            Step::Half(dx, dy) => {
                // A half circle as two curves of a quarter; 0.5523 is what comes nearest to one.
                let (cx, cy) = (x + dx / 2.0, y + dy / 2.0);
                let (rx, ry) = (dx / 2.0, dy / 2.0);
                let (side_x, side_y) = (-ry, rx);
                let bend = 0.552_3;
                pen.cubic_to(
                    x + side_x * bend,
                    y + side_y * bend,
                    cx + side_x - rx * bend,
                    cy + side_y - ry * bend,
                    cx + side_x,
                    cy + side_y,
                );
                (x, y) = (x + dx, y + dy);
                pen.cubic_to(
                    cx + side_x + rx * bend,
                    cy + side_y + ry * bend,
                    x + side_x * bend,
                    y + side_y * bend,
                    x,
                    y,
                );
            }
            Step::Close => pen.close(),
        }
    }
    pen.finish()
}

/// Glyphs of the two weights, read when they are first used.
struct Glyphs {
    faces: [Face<'static>; 2],
    known: BTreeMap<(char, bool), Option<Path>>,
}

impl Glyphs {
    fn new() -> Result<Self, PictureError> {
        let face = |bytes| Face::parse(bytes, 0).map_err(|error| PictureError(format!("its font: {error}")));
        Ok(Self {
            faces: [face(FONTS[0])?, face(FONTS[1])?],
            known: BTreeMap::new(),
        })
    }

    /// A glyph's outline from the left end of its baseline; of one that the font does not have,
    /// the sign for that. `None`: blank.
    fn glyph(&mut self, character: char, bold: bool) -> Option<&Path> {
        let faces = &self.faces;
        self.known
            .entry((character, bold))
            .or_insert_with(|| {
                let face = &faces[usize::from(bold)];
                let id = face.glyph_index(character).or_else(|| face.glyph_index('\u{fffd}'))?;
                let scale = SIZE / f32::from(face.units_per_em());
                let advance = f32::from(face.glyph_hor_advance(id)?) * scale;
                let mut pen = Pen {
                    path: PathBuilder::new(),
                    scale,
                    left: (f32::from(CELL.0) - advance) / 2.0,
                };
                face.outline_glyph(id, &mut pen)?;
                pen.path.finish()
            })
            .as_ref()
    }
}

/// Takes a font's outline down in pixels: its axis points up, ours down.
struct Pen {
    path: PathBuilder,
    scale: f32,
    left: f32,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.left + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

fn opaque((r, g, b): Rgb) -> Color {
    Color::from_rgba8(r, g, b, u8::MAX)
}

fn ink(colour: Rgb, opacity: f32) -> Ink<'static> {
    let mut ink = Ink::default();
    let mut colour = opaque(colour);
    colour.apply_opacity(opacity);
    ink.set_color(colour);
    ink.anti_alias = true;
    ink
}
