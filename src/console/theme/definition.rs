//! A theme file: `appearance`, `inherits`, `[palette]`, `[roles]`, read with places so that an
//! error names file, line, key and the nearest match.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::colour::{ANSI_NAMES, Colour};
use super::role::Role;

/// Whether a theme is made for a dark or a light surrounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Appearance {
    /// Light text on a dark background.
    #[default]
    Dark,
    /// Dark text on a light background.
    Light,
}

/// What is wrong with a theme, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {}{problem}{}",
    line.map(|line| format!(":{line}")).unwrap_or_default(),
    if key.is_empty() { String::new() } else { format!("{key}: ") },
    nearest.as_ref().map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default())]
pub struct ThemeError {
    /// The file, or the embedded theme.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key, with its table: `roles.accent`.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// The nearest name that would be right.
    pub nearest: Option<String>,
}

/// A role as a theme file gives it: colours are still names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    pub(super) fg: Option<Named>,
    pub(super) bg: Option<Named>,
    pub(super) modifiers: ratatui::style::Modifier,
}

/// A colour's name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) line: usize,
}

/// A theme as its file says it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name: the file's without `.toml`.
    pub name: Arc<str>,
    /// The file, for errors.
    pub file: String,
    /// What it is made for; inherited when left out.
    pub appearance: Option<Appearance>,
    /// The theme that it changes.
    pub inherits: Option<Arc<str>>,
    pub(super) palette: BTreeMap<String, Colour>,
    pub(super) roles: BTreeMap<Role, Sketch>,
}

/// Names that a style may have, and the modifier each sets.
const MODIFIERS: [(&str, ratatui::style::Modifier); 5] = [
    ("bold", ratatui::style::Modifier::BOLD),
    ("dim", ratatui::style::Modifier::DIM),
    ("italic", ratatui::style::Modifier::ITALIC),
    ("underline", ratatui::style::Modifier::UNDERLINED),
    ("reverse", ratatui::style::Modifier::REVERSED),
];

impl Definition {
    /// Reads a theme.
    ///
    /// # Errors
    /// When it is no TOML, has an unknown key or role, or a value of the wrong type.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ThemeError> {
        let reader = Reader { file, text };
        let document = DeTable::parse(text)
            .map_err(|error| reader.error(error.span().unwrap_or(0..0), "", error.message().replace('\n', ", ")))?;
        let mut definition = Self {
            name: name.into(),
            file: file.to_owned(),
            appearance: None,
            inherits: None,
            palette: BTreeMap::new(),
            roles: BTreeMap::new(),
        };
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "appearance" => {
                    definition.appearance = Some(match reader.string(value, "appearance")? {
                        "dark" => Appearance::Dark,
                        "light" => Appearance::Light,
                        other => {
                            return Err(reader
                                .error(
                                    value.span(),
                                    "appearance",
                                    format!("\"{other}\" is neither dark nor light"),
                                )
                                .near(other, ["dark", "light"]));
                        }
                    });
                }
                "inherits" => definition.inherits = Some(reader.string(value, "inherits")?.into()),
                "palette" => definition.palette = reader.palette(value)?,
                "roles" => definition.roles = reader.roles(value)?,
                other => {
                    return Err(reader
                        .error(key.span(), other, "unknown key".to_owned())
                        .near(other, ["appearance", "inherits", "palette", "roles"]));
                }
            }
        }
        Ok(definition)
    }
}

impl ThemeError {
    /// Adds the nearest of `names`, where one is near.
    pub(super) fn near<'a>(mut self, given: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = names
            .into_iter()
            .map(|name| (strsim::damerau_levenshtein(given, name), name))
            .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
            .min()
            .map(|(_, name)| name.to_owned());
        self
    }
}

/// Knows where in the file it is.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or(self.text);
        1 + before.bytes().filter(|byte| *byte == b'\n').count()
    }

    fn error(&self, span: Range<usize>, key: &str, problem: String) -> ThemeError {
        ThemeError {
            file: self.file.to_owned(),
            line: Some(self.line(span.start)),
            key: key.to_owned(),
            problem,
            nearest: None,
        }
    }

    fn expected(&self, value: &Value<'_>, key: &str, what: &str) -> ThemeError {
        let is = value.get_ref().type_str();
        self.error(value.span(), key, format!("must be {what}, is {is}"))
    }

    fn string<'v>(&self, value: &'v Value<'a>, key: &str) -> Result<&'v str, ThemeError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.expected(value, key, "a string"))
    }

    fn palette(&self, value: &Value<'a>) -> Result<BTreeMap<String, Colour>, ThemeError> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.expected(value, "palette", "a table"));
        };
        let mut palette = BTreeMap::new();
        for (name, value) in table {
            let key = format!("palette.{}", name.get_ref());
            let text = self.string(value, &key)?;
            let colour = Colour::parse(text).ok_or_else(|| {
                let problem = format!("\"{text}\" is no colour: #rrggbb, default, or one of the 16 names");
                self.error(value.span(), &key, problem).near(text, ANSI_NAMES)
            })?;
            palette.insert(name.get_ref().to_string(), colour);
        }
        Ok(palette)
    }

    fn roles(&self, value: &Value<'a>) -> Result<BTreeMap<Role, Sketch>, ThemeError> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.expected(value, "roles", "a table"));
        };
        let mut roles = BTreeMap::new();
        for (name, value) in table {
            let name_text = name.get_ref().as_ref();
            let key = format!("roles.{name_text}");
            let role = Role::parse(name_text).ok_or_else(|| {
                let known = Role::ALL.iter().map(|role| role.key());
                self.error(name.span(), &key, "unknown role".to_owned())
                    .near(name_text, known)
            })?;
            roles.insert(role, self.sketch(value, &key)?);
        }
        Ok(roles)
    }

    fn named(&self, value: &Value<'a>, key: &str) -> Result<Named, ThemeError> {
        Ok(Named {
            name: self.string(value, key)?.to_owned(),
            line: self.line(value.span().start),
        })
    }

    /// `"colour"`, or `{ fg = "colour", bg = "colour", bold = true, … }`.
    fn sketch(&self, value: &Value<'a>, key: &str) -> Result<Sketch, ThemeError> {
        let DeValue::Table(table) = value.get_ref() else {
            if value.get_ref().as_str().is_none() {
                return Err(self.expected(value, key, "a colour or a table"));
            }
            return Ok(Sketch {
                fg: Some(self.named(value, key)?),
                ..Sketch::default()
            });
        };
        let mut sketch = Sketch::default();
        for (name, value) in table {
            let name_text = name.get_ref().as_ref();
            let key = format!("{key}.{name_text}");
            let modifier = MODIFIERS.iter().find(|(known, _)| *known == name_text);
            match (name_text, modifier) {
                ("fg", _) => sketch.fg = Some(self.named(value, &key)?),
                ("bg", _) => sketch.bg = Some(self.named(value, &key)?),
                (_, Some((_, modifier))) => match value.get_ref().as_bool() {
                    Some(on) => sketch.modifiers.set(*modifier, on),
                    None => return Err(self.expected(value, &key, "true or false")),
                },
                _ => {
                    let known = ["fg", "bg"].into_iter().chain(MODIFIERS.iter().map(|(name, _)| *name));
                    return Err(self
                        .error(name.span(), &key, "unknown key".to_owned())
                        .near(name_text, known));
                }
            }
        }
        Ok(sketch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(text: &str) -> String {
        Definition::parse("mine", "mine.toml", text)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn an_error_names_file_line_key_and_nearest_match() {
        assert_eq!(
            refuse("appearance = \"dark\"\n[roles]\nacent = \"red\"\n"),
            "mine.toml:3: roles.acent: unknown role; did you mean \"accent\"?"
        );
        assert_eq!(
            refuse("[roles]\naccent = { fg = \"red\", bald = true }\n"),
            "mine.toml:2: roles.accent.bald: unknown key; did you mean \"bold\"?"
        );
        assert_eq!(
            refuse("[palette]\nnight = \"bleu\"\n"),
            "mine.toml:2: palette.night: \"bleu\" is no colour: #rrggbb, default, or one of the 16 names; did you mean \"blue\"?"
        );
        assert_eq!(
            refuse("appearence = \"dark\""),
            "mine.toml:1: appearence: unknown key; did you mean \"appearance\"?"
        );
        assert_eq!(
            refuse("appearance = 3"),
            "mine.toml:1: appearance: must be a string, is integer"
        );
        assert_eq!(
            refuse("[roles]\nok = 3"),
            "mine.toml:2: roles.ok: must be a colour or a table, is integer"
        );
        assert_eq!(
            refuse("[roles]\nok = { bold = 1 }"),
            "mine.toml:2: roles.ok.bold: must be true or false, is integer"
        );
        assert!(
            refuse("[roles\n").starts_with("mine.toml:1: "),
            "{}",
            refuse("[roles\n")
        );
    }

    #[test]
    fn a_name_that_is_near_nothing_gets_no_suggestion() {
        assert_eq!(
            refuse("[roles]\nzzzzzz = \"red\""),
            "mine.toml:2: roles.zzzzzz: unknown role"
        );
    }

    #[test]
    fn a_role_is_a_colour_or_a_table() {
        let text =
            "inherits = \"base\"\n[roles]\nok = \"green\"\nbadge = { fg = \"black\", bg = \"cyan\", bold = true }\n";
        let definition = Definition::parse("mine", "mine.toml", text).unwrap();
        assert_eq!(definition.inherits.as_deref(), Some("base"));
        let badge = &definition.roles[&Role::Badge];
        assert_eq!(badge.bg.as_ref().unwrap().name, "cyan");
        assert_eq!(badge.bg.as_ref().unwrap().line, 4);
        assert_eq!(badge.modifiers, ratatui::style::Modifier::BOLD);
        assert_eq!(definition.roles[&Role::Ok].fg.as_ref().unwrap().name, "green");
    }
}
