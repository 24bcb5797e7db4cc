//! All themes: those in the binary and the user's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::colour::{ANSI_NAMES, Colour, Depth};
use super::definition::{Appearance, Definition, Named, Sketch, ThemeError};
use super::role::Role;
use super::{Look, Theme};
use crate::console::glyph::Charset;

/// The themes in the binary, in the order in which the key goes through them.
const EMBEDDED: [(&str, &str); 8] = [
    ("dark", include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    (
        "deuteranopia-dark",
        include_str!("../../../themes/deuteranopia-dark.toml"),
    ),
    (
        "deuteranopia-light",
        include_str!("../../../themes/deuteranopia-light.toml"),
    ),
    ("base", include_str!("../../../themes/base.toml")),
    ("base-light", include_str!("../../../themes/base-light.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
];

/// The theme that every chain ends in, whether it says so or not.
const ROOT: &str = "base";

/// Every theme by name.
#[derive(Clone, Debug)]
pub struct Library {
    definitions: BTreeMap<Arc<str>, Definition>,
    order: Vec<Arc<str>>,
    /// What is wrong with the user's themes that are not there for it.
    refused: BTreeMap<Arc<str>, ThemeError>,
}

impl Library {
    /// The themes in the binary.
    ///
    /// # Errors
    /// Never in a released binary: a test reads every one of them.
    pub fn embedded() -> Result<Self, ThemeError> {
        let mut library = Self {
            definitions: BTreeMap::new(),
            order: Vec::new(),
            refused: BTreeMap::new(),
        };
        for (name, text) in EMBEDDED {
            library.add(Definition::parse(name, &format!("themes/{name}.toml"), text)?);
        }
        Ok(library)
    }

    /// Adds the user's themes: each file's name and text. One with the name of an embedded theme
    /// replaces it. Those that are refused are left out, the others work: the answer is what was
    /// refused and why.
    #[must_use]
    pub fn add_files<'a>(&mut self, files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Vec<ThemeError> {
        let mut errors = Vec::new();
        let mut added = Vec::new();
        for (path, text) in files {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            match Definition::parse(&name, &path.display().to_string(), text) {
                Ok(definition) => {
                    added.push(definition.name.clone());
                    self.add(definition);
                }
                Err(error) => {
                    self.refused.insert(name.as_ref().into(), error.clone());
                    errors.push(error);
                }
            }
        }
        // A chain can only be checked when all of its themes are there.
        loop {
            let failed: Vec<_> = added
                .iter()
                .filter_map(|name| Some((name.clone(), self.looks(name).err()?)))
                .collect();
            // Whoever is wrong itself goes first: the others may only have inherited it.
            let own = failed
                .iter()
                .position(|(name, error)| self.definitions[name].file == error.file);
            let Some((name, error)) = failed.into_iter().nth(own.unwrap_or(0)) else {
                break;
            };
            added.retain(|known| *known != name);
            self.restore(&name);
            self.refused.insert(name, error.clone());
            errors.push(error);
        }
        errors
    }

    /// Takes a user's theme out again; the embedded one of its name comes back.
    fn restore(&mut self, name: &Arc<str>) {
        let embedded = EMBEDDED.iter().find(|(embedded, _)| *embedded == &**name);
        let embedded = embedded.map(|(_, text)| Definition::parse(name, &format!("themes/{name}.toml"), text));
        if let Some(Ok(definition)) = embedded {
            self.add(definition);
        } else {
            self.definitions.remove(name);
            self.order.retain(|known| known != name);
        }
    }

    fn add(&mut self, definition: Definition) {
        if !self.order.contains(&definition.name) {
            self.order.push(definition.name.clone());
        }
        self.definitions.insert(definition.name.clone(), definition);
    }

    /// The themes' names, in the order in which the key goes through them.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.order
    }

    /// A theme as a terminal can show it. On a terminal of 16 colours a theme that needs more is
    /// drawn as `base` or `base-light`, without colours as `mono`: a nearest colour keeps no contrast.
    ///
    /// # Errors
    /// When there is none of that name, or its chain is broken.
    pub fn theme(&self, name: &str, depth: Depth, charset: Charset) -> Result<Theme, ThemeError> {
        // One that is there and refused is not missing.
        let known = |error| match self.refused.get(name) {
            Some(refused) if !self.definitions.contains_key(name) => refused.clone(),
            _ => error,
        };
        let (mut appearance, mut looks) = self.looks(name).map_err(known)?;
        let needs_more = looks.iter().any(|look| {
            [look.fg, look.bg]
                .into_iter()
                .flatten()
                .any(|colour| matches!(colour, Colour::Rgb(..)))
        });
        let stand_in = match (depth, appearance) {
            (Depth::None, _) => Some("mono"),
            (Depth::Ansi, Appearance::Dark) if needs_more => Some("base"),
            (Depth::Ansi, Appearance::Light) if needs_more => Some("base-light"),
            _ => None,
        };
        if let Some(stand_in) = stand_in {
            (appearance, looks) = self.looks(stand_in)?;
        }
        Ok(Theme::new(name.into(), appearance, &looks, depth, charset))
    }

    /// A theme's looks in full, every role filled in from its chain and from the roles' parents.
    ///
    /// # Errors
    /// When there is none of that name, or its chain is broken.
    pub fn looks(&self, name: &str) -> Result<(Appearance, [Look; Role::COUNT]), ThemeError> {
        let chain = self.chain(name)?;
        let mut appearance = Appearance::default();
        let mut palette: BTreeMap<&str, Colour> = BTreeMap::new();
        let mut sketches: BTreeMap<Role, (&Definition, &Sketch)> = BTreeMap::new();
        for definition in chain.iter().rev() {
            appearance = definition.appearance.unwrap_or(appearance);
            palette.extend(definition.palette.iter().map(|(name, colour)| (name.as_str(), *colour)));
            sketches.extend(
                definition
                    .roles
                    .iter()
                    .map(|(role, sketch)| (*role, (*definition, sketch))),
            );
        }
        let mut looks = [Look::default(); Role::COUNT];
        for role in Role::ALL {
            let defined = std::iter::successors(Some(*role), |role| role.parent())
                .find_map(|role| sketches.get(&role).map(|found| (role, found)));
            if let Some((owner, (definition, sketch))) = defined {
                let colour = |part: &str, named: &Option<Named>| {
                    named
                        .as_ref()
                        .map(|named| find(definition, &palette, owner, part, named))
                        .transpose()
                };
                looks[role.index()] = Look {
                    fg: colour("fg", &sketch.fg)?,
                    bg: colour("bg", &sketch.bg)?,
                    modifiers: sketch.modifiers,
                };
            }
        }
        Ok((appearance, looks))
    }

    /// The theme, the one it inherits, and so on to the root.
    fn chain(&self, name: &str) -> Result<Vec<&Definition>, ThemeError> {
        let mut chain: Vec<&Definition> = Vec::new();
        let mut next: Option<&str> = Some(name);
        while let Some(name) = next {
            let child = chain.last();
            let error = |problem: String| ThemeError {
                file: child.map_or_else(|| "theme".to_owned(), |child| child.file.clone()),
                line: None,
                key: if child.is_some() {
                    "inherits".to_owned()
                } else {
                    String::new()
                },
                problem,
                nearest: None,
            };
            let Some(definition) = self.definitions.get(name) else {
                return Err(
                    error(format!("there is no theme \"{name}\"")).near(name, self.order.iter().map(|name| &**name))
                );
            };
            if chain.iter().any(|seen| seen.name == definition.name) {
                return Err(error(format!("\"{name}\" inherits from itself")));
            }
            chain.push(definition);
            next = match definition.inherits.as_deref() {
                None if &*definition.name != ROOT => Some(ROOT),
                parent => parent,
            };
        }
        Ok(chain)
    }
}

fn find(
    definition: &Definition,
    palette: &BTreeMap<&str, Colour>,
    role: Role,
    part: &str,
    named: &Named,
) -> Result<Colour, ThemeError> {
    if let Some(colour) = palette.get(named.name.as_str()) {
        return Ok(*colour);
    }
    Colour::parse(&named.name).ok_or_else(|| {
        ThemeError {
            file: definition.file.clone(),
            line: Some(named.line),
            key: format!("roles.{}.{part}", role.key()),
            problem: format!("\"{}\" is neither in [palette] nor a colour", named.name),
            nearest: None,
        }
        .near(&named.name, palette.keys().copied().chain(ANSI_NAMES))
    })
}

#[cfg(test)]
mod tests {
    use super::super::colour::{XTERM, contrast, indexed};
    use super::super::role::Kind;
    use super::*;
    use ratatui::style::{Color, Modifier};

    /// What a colour looks like, with the terminal's own colours those of xterm on the theme's kind of background.
    fn rgb(colour: Color, appearance: Appearance, background: bool) -> (u8, u8, u8) {
        match colour {
            Color::Rgb(r, g, b) => (r, g, b),
            Color::Indexed(index) => indexed(index),
            Color::Reset if (appearance == Appearance::Dark) == background => XTERM[0],
            Color::Reset if background => XTERM[15],
            Color::Reset => XTERM[7],
            named => {
                let index = (0..16)
                    .find(|index| Colour::Ansi(*index).at(Depth::Ansi) == named)
                    .unwrap();
                XTERM[usize::from(index)]
            }
        }
    }

    #[test]
    fn text_and_status_are_readable_on_every_fill_of_every_theme() {
        let library = Library::embedded().unwrap();
        let mut failures = Vec::new();
        for name in library.names() {
            for depth in [Depth::Ansi, Depth::Indexed, Depth::True] {
                let theme = library.theme(name, depth, Charset::Unicode).unwrap();
                let look = |role: Role, fill: Role| {
                    let (style, under) = (theme.style(role), theme.style(fill));
                    let background = theme.style(Role::Background);
                    let fg = rgb(
                        style.fg.or(background.fg).unwrap_or(Color::Reset),
                        theme.appearance,
                        false,
                    );
                    let bg = style.bg.or(under.bg).or(background.bg).unwrap_or(Color::Reset);
                    let bg = rgb(bg, theme.appearance, true);
                    let reversed = (style.add_modifier | under.add_modifier).contains(Modifier::REVERSED);
                    if reversed { (bg, fg) } else { (fg, bg) }
                };
                for role in Role::ALL {
                    let fills: &[Role] = match role.kind() {
                        Kind::Text => &[Role::Background, Role::Raised, Role::Selection],
                        Kind::Badge => &[Role::Raised],
                        Kind::Fill | Kind::Ornament => &[],
                    };
                    for fill in fills {
                        let (fg, bg) = look(*role, *fill);
                        let ratio = contrast(fg, bg);
                        if ratio < 4.5 {
                            failures.push(format!(
                                "{name} at {depth:?}: {} on {} is {ratio:.2}:1",
                                role.key(),
                                fill.key()
                            ));
                        }
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn every_theme_tells_the_states_apart_and_shows_its_fills() {
        let library = Library::embedded().unwrap();
        for name in library.names() {
            let theme = library.theme(name, Depth::True, Charset::Unicode).unwrap();
            for (a, b) in [
                (Role::Ok, Role::Warning),
                (Role::Warning, Role::Critical),
                (Role::Ok, Role::Critical),
                (Role::Text, Role::Stale),
            ] {
                assert_ne!(theme.style(a), theme.style(b), "{name}: {} and {}", a.key(), b.key());
            }
            assert!(theme.shows(Role::Selection), "{name}");
        }
    }

    #[test]
    fn a_theme_of_many_colours_has_a_stand_in_on_a_poorer_terminal() {
        let library = Library::embedded().unwrap();
        let style = |name, depth, role| library.theme(name, depth, Charset::Unicode).unwrap().style(role);
        assert_eq!(
            style("dark", Depth::Ansi, Role::Ok),
            style("base", Depth::Ansi, Role::Ok)
        );
        assert_eq!(
            style("light", Depth::Ansi, Role::Text),
            style("base-light", Depth::Ansi, Role::Text)
        );
        let plain = style("dark", Depth::None, Role::Critical);
        assert!(plain.fg.is_none_or(|fg| fg == Color::Reset));
        assert_eq!(
            plain.add_modifier,
            style("mono", Depth::True, Role::Critical).add_modifier
        );
    }

    fn user_themes(files: &[(&str, &str)]) -> (Library, Vec<String>) {
        let mut library = Library::embedded().unwrap();
        let errors = library.add_files(files.iter().map(|(name, text)| (Path::new(*name), *text)));
        (library, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_user_theme_changes_the_palette_of_the_theme_it_inherits() {
        let (library, errors) = user_themes(&[("mine.toml", "inherits = \"dark\"\n[palette]\nsky = \"#ffffff\"\n")]);
        assert_eq!(errors, Vec::<String>::new());
        let theme = library.theme("mine", Depth::True, Charset::Unicode).unwrap();
        assert_eq!(theme.style(Role::Accent).fg, Some(Color::Rgb(255, 255, 255)));
        assert_eq!(
            theme.style(Role::Background),
            library
                .theme("dark", Depth::True, Charset::Unicode)
                .unwrap()
                .style(Role::Background)
        );
    }

    #[test]
    fn one_bad_theme_is_refused_by_name_and_the_others_work() {
        let (library, errors) = user_themes(&[
            ("bad.toml", "[roles]\nacent = \"red\"\n"),
            ("colour.toml", "inherits = \"dark\"\n\n[roles]\nok = \"mnit\"\n"),
            ("good.toml", "inherits = \"light\"\n"),
            ("light.toml", "inherits = \"drak\"\n"),
            ("loop.toml", "inherits = \"pool\"\n"),
            ("pool.toml", "inherits = \"loop\"\n"),
        ]);
        assert_eq!(
            errors,
            [
                "bad.toml:2: roles.acent: unknown role; did you mean \"accent\"?",
                "colour.toml:4: roles.ok.fg: \"mnit\" is neither in [palette] nor a colour; did you mean \"mint\"?",
                "light.toml: inherits: there is no theme \"drak\"; did you mean \"dark\"?",
                "pool.toml: inherits: \"loop\" inherits from itself",
                "pool.toml: inherits: there is no theme \"loop\"; did you mean \"good\"?",
            ]
        );
        for name in ["good", "light"] {
            assert!(library.theme(name, Depth::True, Charset::Unicode).is_ok(), "{name}");
        }
        let error = library.theme("drak", Depth::True, Charset::Unicode).unwrap_err();
        assert_eq!(
            error.to_string(),
            "theme: there is no theme \"drak\"; did you mean \"dark\"?"
        );
        let error = library.theme("bad", Depth::True, Charset::Unicode).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bad.toml:2: roles.acent: unknown role; did you mean \"accent\"?",
            "it is there, and what is wrong with it is known"
        );
    }
}
