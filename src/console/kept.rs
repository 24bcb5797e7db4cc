//! What is kept between runs: theme, range, sort and columns of tables, what was typed.
//! Plain data in and out; [`run`](super::run) reads and writes the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::widget::grid::Sort;

/// Lines of the palette that are kept.
pub const TYPED: usize = 100;

/// A table's choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptTable {
    /// The sort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// Columns that are shown or hidden against the table's own choice.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, bool>,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The theme, where it was chosen with a key or in the palette.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// How far charts reach back, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_s: Option<u64>,
    /// Lines typed in the palette, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub typed: Vec<String>,
    /// The tables, by their panels' names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, KeptTable>,
}

impl Kept {
    /// Reads it. What this version does not know is left alone.
    ///
    /// # Errors
    /// Says where the text stops making sense.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })
    }

    /// Writes it.
    #[must_use]
    pub fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let kept = Kept {
            theme: Some("light".to_owned()),
            range_s: Some(300),
            typed: vec!["sort pending".to_owned(), "theme \"x\"".to_owned()],
            tables: BTreeMap::from([(
                "queues.list".to_owned(),
                KeptTable {
                    sort: Some(Sort {
                        column: "ack pending".to_owned(),
                        down: true,
                    }),
                    columns: BTreeMap::from([("leader".to_owned(), true)]),
                },
            )]),
        };
        assert_eq!(Kept::parse(&kept.text()), Ok(kept));
        assert_eq!(Kept::parse(""), Ok(Kept::default()));
        assert_eq!(Kept::parse("later = 1\n"), Ok(Kept::default()));
    }

    #[test]
    fn a_broken_file_says_where() {
        let error = Kept::parse("theme = \"dark\"\nrange_s = \"long\"\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
