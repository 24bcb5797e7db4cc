//! What is drawn of a recording, and how large.

use crate::console::app::SMALLEST;
use crate::console::screen::Screen;

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
