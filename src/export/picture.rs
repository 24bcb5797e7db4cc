//! A screen at a moment as a picture: the console's own drawing, without a terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::svg::{self, Palette};
use crate::console::app::{App, Options, SMALLEST, Still, draw};
use crate::console::command::Command;
use crate::console::screen::{Badge, Hits, Screen};
use crate::console::theme::Theme;
use crate::model::Model;

/// Columns and rows of a picture at most: a screen, not a wall.
const LARGEST: (u16, u16) = (500, 200);

/// What is drawn, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// The screen.
    pub screen: Screen,
    /// Columns and rows.
    pub size: (u16, u16),
}

impl Shot {
    /// Reads `--screen` and `--size`: a screen's name (`overview`, `dead-letters`), and
    /// `120x40`.
    ///
    /// # Errors
    /// When there is no such screen, or the size is none or out of range.
    pub fn read(screen: &str, size: &str) -> Result<Self, String> {
        let name = |screen: Screen| screen.title().to_lowercase().replace(' ', "-");
        let known: Vec<Screen> = Screen::ALL.into_iter().filter(|screen| screen.exists()).collect();
        let found = known.iter().copied().find(|known| name(*known) == screen);
        let screen = found.ok_or_else(|| {
            let names: Vec<String> = known.into_iter().map(name).collect();
            let screen = crate::base::text::safe(screen);
            format!("there is no screen {screen} → one of: {}", names.join(", "))
        })?;
        let read = size.split_once('x').and_then(|(columns, rows)| {
            let size = (columns.parse().ok()?, rows.parse().ok()?);
            let fits = (SMALLEST.0..=LARGEST.0).contains(&size.0) && (SMALLEST.1..=LARGEST.1).contains(&size.1);
            fits.then_some(size)
        });
        let size = read.ok_or_else(|| {
            let (least, most) = (SMALLEST, LARGEST);
            let size = crate::base::text::safe(size);
            format!(
                "--size {size}: not a size → columns x rows between {}x{} and {}x{}, like 120x40",
                least.0, least.1, most.0, most.1
            )
        })?;
        Ok(Self { screen, size })
    }
}

/// A screen as SVG. The same moment, theme and size give the same file, whatever the environment.
#[must_use]
pub fn svg(model: &Model, theme: &Theme, shot: Shot) -> String {
    let stream = model.settings().pipeline.stream.clone();
    let still = Still {
        view: model.view().clone(),
        histories: model.histories().clone(),
    };
    let options = Options {
        badges: vec![Badge::Playback],
        ..Options::default()
    };
    let mut app = App::still(still, stream, options);
    let command = Command::ALL
        .iter()
        .find(|command| command.target() == Some(shot.screen));
    if let Some(command) = command {
        app.run(*command, &Hits::default());
    }
    let area = Rect::new(0, 0, shot.size.0, shot.size.1);
    let mut buffer = Buffer::empty(area);
    draw(&app, theme, area, &mut buffer);
    svg::render(&buffer, &Palette::of(theme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_and_a_size_are_read_and_nonsense_is_named() {
        let shot = Shot::read("overview", "120x40").unwrap();
        assert_eq!((shot.screen, shot.size), (Screen::Overview, (120, 40)));
        assert!(
            Shot::read("nope", "120x40")
                .unwrap_err()
                .contains("one of: overview, queues")
        );
        for size in ["120", "10x10", "120x", "x40", "120x9999", "-1x40"] {
            let error = Shot::read("queues", size).unwrap_err();
            assert!(error.contains("like 120x40"), "{error}");
        }
    }
}
