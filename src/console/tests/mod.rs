//! What screens look like: two planes a picture, the text and one role letter a cell.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

mod bench;
mod fleet;
mod letters;
mod past;
mod screens;
mod update;

use super::app::{App, draw};
use super::command::Command;
use super::fixture;
use super::glyph::Charset;
use super::screen::{Badge, Hits, PanelId};
use super::theme::colour::{Colour, Depth};
use super::theme::{Appearance, Kind, Library, Look, Role, Theme};

/// A theme whose colours are the numbers of the roles, to read roles back from a buffer.
fn theme_of_roles() -> Theme {
    let mut looks = [Look::default(); Role::COUNT];
    for role in Role::ALL {
        let number = Some(Colour::Rgb(1, 1, u8::try_from(role.index()).unwrap()));
        looks[role.index()] = match role.kind() {
            Kind::Fill => Look {
                bg: number,
                ..Look::default()
            },
            _ => Look {
                fg: number,
                ..Look::default()
            },
        };
    }
    Theme::new("roles".into(), Appearance::Dark, &looks, Depth::True, Charset::Unicode)
}

fn role_of(color: Color) -> Option<Role> {
    match color {
        Color::Rgb(1, 1, index) => Role::ALL.get(usize::from(index)).copied(),
        _ => None,
    }
}

fn paint(app: &App, theme: &Theme, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(app, theme, area, &mut buffer);
    buffer
}

fn rows(buffer: &Buffer, mut cell: impl FnMut(&ratatui::buffer::Cell) -> String) -> String {
    let mut out = String::new();
    for row in buffer.area.rows() {
        let line: String = row.positions().map(|at| cell(&buffer[at])).collect();
        writeln!(out, "{}", line.trim_end()).unwrap();
    }
    out
}

/// The text, then the roles: of a blank cell the fill under it.
fn planes(app: &App, width: u16, height: u16) -> String {
    let buffer = paint(app, &theme_of_roles(), width, height);
    let text = rows(&buffer, |cell| cell.symbol().to_owned());
    let roles = rows(&buffer, |cell| {
        let blank = cell.symbol().trim().is_empty();
        let role = role_of(if blank { cell.bg } else { cell.fg }).or(role_of(cell.bg));
        role.map_or('!', Role::letter).to_string()
    });
    format!("{text}\n{roles}")
}

/// The text, then one letter for each different look of a cell, then what the letters mean.
fn looks(app: &App, name: &str, depth: Depth, charset: Charset, width: u16, height: u16) -> String {
    let theme = Library::embedded().unwrap().theme(name, depth, charset).unwrap();
    let buffer = paint(app, &theme, width, height);
    let text = rows(&buffer, |cell| cell.symbol().to_owned());
    let mut known: Vec<(Color, Color, Modifier)> = Vec::new();
    let letters = rows(&buffer, |cell| {
        let look = (cell.fg, cell.bg, cell.modifier);
        let index = known.iter().position(|other| *other == look).unwrap_or_else(|| {
            known.push(look);
            known.len() - 1
        });
        char::from_u32(u32::from(b'A') + u32::try_from(index).unwrap())
            .unwrap()
            .to_string()
    });
    let mut legend = String::new();
    for (index, (fg, bg, modifier)) in known.iter().enumerate() {
        let letter = char::from_u32(u32::from(b'A') + u32::try_from(index).unwrap()).unwrap();
        writeln!(legend, "{letter} {fg} on {bg} {modifier:?}").unwrap();
    }
    format!("{text}\n{letters}\n{legend}")
}

const SIZES: [(u16, u16); 5] = [(80, 24), (120, 40), (200, 60), (60, 16), (20, 5)];

fn snapshot_sizes(name: &str, app: &App, sizes: &[(u16, u16)]) {
    for (width, height) in sizes {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), planes(app, *width, *height));
    }
}

#[test]
fn a_pipeline_that_falls_behind() {
    let app = fixture::app(fixture::rich(), &[Badge::Demo, Badge::ReadOnly]);
    snapshot_sizes("rich", &app, &SIZES);
}

#[test]
fn a_healthy_pipeline() {
    let app = fixture::app(fixture::healthy_pipeline(), &[Badge::Prod]);
    snapshot_sizes("healthy", &app, &SIZES[..2]);
}

#[test]
fn nothing_configured() {
    snapshot_sizes("empty", &fixture::app(fixture::empty(), &[]), &SIZES);
}

#[test]
fn nothing_answered_yet() {
    snapshot_sizes("connecting", &fixture::app(fixture::connecting(), &[]), &SIZES[..2]);
}

#[test]
fn failing_sources() {
    let app = fixture::app(fixture::failing(), &[Badge::Prod, Badge::ReadOnly]);
    snapshot_sizes("failing", &app, &SIZES);
}

#[test]
fn hostile_names() {
    snapshot_sizes("hostile", &fixture::app(fixture::hostile(), &[Badge::ReadOnly]), &SIZES);
}

#[test]
fn the_help_lies_over_the_screen() {
    let mut app = fixture::app(fixture::rich(), &[Badge::Demo]);
    app.run(Command::Help, &Hits::default());
    snapshot_sizes("help", &app, &[(80, 24), (120, 40)]);
}

#[test]
fn a_zoomed_panel_has_the_whole_screen() {
    for (panel, name) in [("overview.chart", "chart"), ("overview.ledger", "ledger")] {
        let mut app = fixture::app(fixture::rich(), &[Badge::Demo]);
        let hits = draw(
            &app,
            &theme_of_roles(),
            Rect::new(0, 0, 80, 24),
            &mut Buffer::empty(Rect::new(0, 0, 80, 24)),
        )
        .hits;
        while app.ui().focus() != Some(PanelId(panel)) {
            app.run(Command::FocusNext, &hits);
        }
        app.run(Command::Zoom, &hits);
        snapshot_sizes(&format!("zoom_{name}"), &app, &[(80, 24)]);
    }
}

#[test]
fn a_failing_source_is_named_with_its_next_step_at_every_size() {
    let app = fixture::app(fixture::failing(), &[Badge::Prod, Badge::ReadOnly]);
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let text = rows(&paint(&app, &theme_of_roles(), width, height), |cell| {
            cell.symbol().to_owned()
        });
        let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for wanted in [
            "postgres",
            "password authentication failed",
            "GRANT SELECT ON webhook_counters TO console",
            "is the worker running?",
        ] {
            assert!(flowing.contains(wanted), "{width}×{height}: {wanted}\n{text}");
        }
    }
}

#[test]
fn a_screen_in_dark_base_light_and_without_colours() {
    let app = fixture::app(fixture::rich(), &[Badge::Demo]);
    for (name, theme, depth, charset) in [
        ("dark", "dark", Depth::True, Charset::Unicode),
        ("dark_256", "dark", Depth::Indexed, Charset::Unicode),
        ("base", "base", Depth::Ansi, Charset::Unicode),
        ("light_ascii", "light", Depth::True, Charset::Ascii),
        ("no_color", "dark", Depth::None, Charset::Unicode),
    ] {
        insta::assert_snapshot!(format!("theme_{name}"), looks(&app, theme, depth, charset, 120, 40));
    }
}

#[test]
fn nothing_of_a_stranger_reaches_the_screen_unescaped() {
    let app = fixture::app(fixture::hostile(), &[]);
    for (width, height) in SIZES {
        let buffer = paint(&app, &theme_of_roles(), width, height);
        for cell in buffer.content() {
            assert_eq!(
                crate::base::text::safe(cell.symbol()),
                cell.symbol(),
                "{width}×{height}"
            );
        }
    }
}

#[test]
fn ascii_means_ascii() {
    let theme = Library::embedded()
        .unwrap()
        .theme("dark", Depth::True, Charset::Ascii)
        .unwrap();
    for picture in [
        fixture::rich(),
        fixture::healthy_pipeline(),
        fixture::failing(),
        fixture::hostile(),
        fixture::connecting(),
        fixture::empty(),
    ] {
        let app = fixture::app(picture, &[Badge::Demo]);
        for (width, height) in SIZES {
            let buffer = paint(&app, &theme, width, height);
            assert!(
                buffer.content().iter().all(|cell| cell.symbol().is_ascii()),
                "{width}×{height}"
            );
        }
    }
}

#[test]
fn every_size_draws() {
    let theme = theme_of_roles();
    for picture in [
        fixture::rich(),
        fixture::failing(),
        fixture::hostile(),
        fixture::empty(),
    ] {
        let app = fixture::app(picture, &[Badge::Demo, Badge::Prod]);
        for width in (0..=240).step_by(13) {
            for height in (0..=80).step_by(7) {
                paint(&app, &theme, width, height);
            }
        }
    }
}

#[test]
fn drawing_changes_nothing_and_is_always_the_same() {
    let app = fixture::app(fixture::rich(), &[Badge::Demo]);
    let theme = theme_of_roles();
    assert_eq!(paint(&app, &theme, 120, 40), paint(&app, &theme, 120, 40));
}
