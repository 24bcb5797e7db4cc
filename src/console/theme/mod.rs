//! Themes: the only place where colours are named. Screens name roles ([`Role`]); a theme file
//! gives roles a look; [`Library::theme`] resolves it for one terminal.

pub mod colour;
mod definition;
mod library;
mod role;

pub use definition::{Appearance, Definition, ThemeError};
pub use library::Library;
pub use role::{Kind, Role};

use std::sync::Arc;

use ratatui::style::{Modifier, Style};

use super::glyph::{Charset, Glyphs};
use colour::{Colour, Depth};

/// How a role looks, before it is fitted to a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Foreground; `None`: what is beneath.
    pub fg: Option<Colour>,
    /// Background; `None`: what is beneath.
    pub bg: Option<Colour>,
    /// Bold, dim, …
    pub modifiers: Modifier,
}

/// How everything looks on one terminal.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Its name.
    pub name: Arc<str>,
    /// What it is made for.
    pub appearance: Appearance,
    styles: [Style; Role::COUNT],
    charset: Charset,
}

impl Theme {
    /// A theme of these looks, in the order of [`Role::ALL`].
    #[must_use]
    pub fn new(
        name: Arc<str>,
        appearance: Appearance,
        looks: &[Look; Role::COUNT],
        depth: Depth,
        charset: Charset,
    ) -> Self {
        let styles = looks.map(|look| Style {
            fg: look.fg.map(|colour| colour.at(depth)),
            bg: look.bg.map(|colour| colour.at(depth)),
            add_modifier: look.modifiers,
            ..Style::default()
        });
        Self {
            name,
            appearance,
            styles,
            charset,
        }
    }

    /// How a role looks.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles[role.index()]
    }

    /// Whether a fill can be seen at all: without colours it cannot, and a glyph takes its place.
    #[must_use]
    pub fn shows(&self, fill: Role) -> bool {
        let style = self.style(fill);
        style.bg != self.style(Role::Background).bg || style.add_modifier.contains(Modifier::REVERSED)
    }

    /// The characters that are not letters.
    #[must_use]
    pub fn glyphs(&self) -> &'static Glyphs {
        self.charset.glyphs()
    }

    /// Which characters may be written.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.charset
    }
}
