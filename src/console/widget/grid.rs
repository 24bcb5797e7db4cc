//! A table that is worked with: a row and a column under the cursor, sorting, filter, marks,
//! columns to choose. What it shows is a [`Rows`]; what a person did to it is a [`GridState`].
//!
//! The same [`order`] serves drawing and update, so that "the row below" is the row below.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canvas::{Line, Span, span};
use super::table::{Cell, Column, Place, arrange_chosen};
use crate::base::time::Timestamp;
pub use crate::base::words::Words as Filter;
use crate::console::glyph::Glyphs;
use crate::console::theme::Role;
use crate::model::Reading;
use crate::model::field::{Field, Unit};

/// What a cell holds: what is sorted by, filtered, exported and explained.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A figure that knows its source.
    Figure(&'a Reading, Field),
    /// A number without a source of its own.
    Number(f64, Unit),
    /// A moment.
    At(Timestamp),
    /// Not known.
    Unknown,
}

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// As it stands in an export: figures in SI units, unknown empty.
    #[must_use]
    pub fn export(&self) -> String {
        match self {
            Self::Text(text) => text.clone().into_owned(),
            Self::Figure(reading, _) => reading.value.map_or_else(String::new, |value| value.to_string()),
            Self::Number(value, _) => value.to_string(),
            Self::At(at) => at.to_string(),
            Self::Unknown => String::new(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Figure(reading, _) => reading.value.filter(|value| !value.is_nan()),
            Self::Number(value, _) => Some(*value).filter(|value| !value.is_nan()),
            #[expect(clippy::cast_precision_loss, reason = "microseconds are far below 2^53")]
            Self::At(at) => Some(at.as_microsecond() as f64),
            Self::Text(_) | Self::Unknown => None,
        }
    }
}

/// Adds a text that a filter looks at, in small letters.
pub fn add_small(text: &str, out: &mut String) {
    // A stranger's text may be of any length, a filter's look at it may not.
    let text = &text[..text.floor_char_boundary(text.len().min(512))];
    if text.is_ascii() {
        let begun = out.len();
        out.push_str(text);
        out[begun..].make_ascii_lowercase();
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

/// The rows of a table: plain data, in whatever order.
pub trait Rows {
    /// The columns. The first one names the row.
    fn columns(&self) -> &'static [Column];

    /// How many rows there are.
    fn count(&self) -> usize;

    /// What a row is known by when others come and go around it.
    fn key(&self, row: usize) -> Cow<'_, str>;

    /// What a cell holds.
    fn value(&self, row: usize, column: usize) -> Value<'_>;

    /// How a cell looks, where that is more than its value. `glyphs` are the terminal's.
    fn cell(&self, row: usize, column: usize, glyphs: &Glyphs) -> Cell<'_> {
        let _ = glyphs;
        plain(self.value(row, column))
    }

    /// How rows are sorted as long as nobody says otherwise: a column and whether downwards;
    /// `None`: as they come.
    fn sorted(&self) -> Option<(&'static str, bool)> {
        None
    }

    /// Whether the rows come filtered and in their order, because not all of them are here: then
    /// they are neither filtered nor sorted, and this is the column that they come by and whether
    /// downwards.
    fn arranged(&self) -> Option<(&'static str, bool)> {
        None
    }

    /// Whether a row is marked without its key being among the marks.
    fn marked(&self, row: usize) -> bool {
        let _ = row;
        false
    }

    /// How many lines a row has; those below the first are [`Rows::below`] and blank ones.
    fn height(&self) -> u16 {
        1
    }

    /// The second line of a row, where it has one.
    fn below(&self, row: usize, glyphs: &Glyphs) -> Line<'_> {
        let _ = (row, glyphs);
        Line::new()
    }

    /// Adds what a filter looks at: the texts among the cells, each on a line of its own and in small
    /// letters. Where there are many rows of many figures, they are told apart here for less.
    fn search(&self, row: usize, out: &mut String) {
        for column in 0..self.columns().len() {
            if let Value::Text(text) = self.value(row, column) {
                add_small(&text, out);
                out.push('\n');
            }
        }
    }
}

/// A value without any ornament.
#[must_use]
pub fn plain(value: Value<'_>) -> Cell<'_> {
    match value {
        Value::Text(text) => Cell::Text(vec![span(text, Role::Text)]),
        Value::Figure(reading, field) => Cell::Figure(reading, field.unit(), Role::Text),
        Value::Number(number, unit) => Cell::Text(vec![span(unit.format(number), Role::Text)]),
        Value::At(at) => Cell::Text(vec![span(at.to_string(), Role::Text)]),
        Value::Unknown => Cell::Text(vec![span(crate::base::text::UNKNOWN, Role::Unknown)]),
    }
}

/// By which column rows are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// The column's title.
    pub column: String,
    /// Largest first.
    pub down: bool,
}

/// What a person did to a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridState {
    /// The key of the row under the cursor; `None`: the first.
    pub row: Option<String>,
    /// Where that row stood: its place is taken by the next one when it goes.
    pub at: usize,
    /// The first row on screen, if the cursor is among those that follow.
    pub offset: usize,
    /// The focused column's title; `None`: that of the sort, else the first.
    pub column: Option<String>,
    /// The sort; `None`: the table's own.
    pub sort: Option<Sort>,
    /// What rows must hold.
    pub filter: String,
    /// Columns that are shown or hidden against the table's own choice.
    pub columns: BTreeMap<String, bool>,
    /// Keys of marked rows.
    pub marks: BTreeSet<String>,
}

impl GridState {
    /// The sort that holds.
    #[must_use]
    pub fn sort(&self, rows: &dyn Rows) -> Option<Sort> {
        let own = |(column, down): (&str, bool)| Sort {
            column: column.to_owned(),
            down,
        };
        let arranged = rows.arranged().map(own);
        arranged
            .or_else(|| self.sort.clone())
            .or_else(|| rows.sorted().map(own))
    }

    /// The columns that are wanted, whether or not there is room for them.
    #[must_use]
    pub fn wanted(&self, rows: &dyn Rows) -> Vec<usize> {
        let columns = rows.columns();
        let wanted = |column: &Column| self.columns.get(column.title).copied().unwrap_or(column.shown);
        (0..columns.len())
            .filter(|index| *index == 0 || wanted(&columns[*index]))
            .collect()
    }

    /// Where the wanted columns stand.
    #[must_use]
    pub fn places(&self, rows: &dyn Rows, width: u16) -> Vec<Place> {
        arrange_chosen(rows.columns(), self.wanted(rows), width)
    }

    /// The focused column.
    #[must_use]
    pub fn focused(&self, rows: &dyn Rows) -> usize {
        let titled = |title: &str| rows.columns().iter().position(|column| column.title == title);
        let chosen = self.column.as_deref().and_then(titled);
        chosen.or_else(|| titled(&self.sort(rows)?.column)).unwrap_or(0)
    }

    /// Where the cursor stands in `order`; `None`: there are no rows.
    #[must_use]
    pub fn cursor(&self, rows: &dyn Rows, order: &[usize]) -> Option<usize> {
        let last = order.len().checked_sub(1)?;
        let Some(key) = &self.row else { return Some(0) };
        // Most of the time it has not moved.
        if order.get(self.at).is_some_and(|row| rows.key(*row) == key.as_str()) {
            return Some(self.at);
        }
        let found = order.iter().position(|row| rows.key(*row) == key.as_str());
        Some(found.unwrap_or(self.at.min(last)))
    }

    /// The first row to draw so that the cursor is among `visible`.
    #[must_use]
    pub fn first(&self, cursor: usize, count: usize, visible: usize) -> usize {
        let visible = visible.max(1);
        self.offset
            .clamp((cursor + 1).saturating_sub(visible), cursor)
            .min(count.saturating_sub(visible))
    }

    /// Puts the cursor on a place of `order`.
    pub fn select(&mut self, rows: &dyn Rows, order: &[usize], at: usize, visible: usize) {
        let Some(at) = order.len().checked_sub(1).map(|last| at.min(last)) else {
            return;
        };
        let before = self.cursor(rows, order).unwrap_or(0);
        self.offset = self.first(before, order.len(), visible);
        self.row = Some(rows.key(order[at]).into_owned());
        self.at = at;
        self.offset = self.first(at, order.len(), visible);
    }
}

/// The rows that pass the filter, as they come.
#[must_use]
pub fn passing(rows: &dyn Rows, state: &GridState) -> Vec<usize> {
    let filter = Filter::new(&state.filter);
    if filter.is_empty() || rows.arranged().is_some() {
        return (0..rows.count()).collect();
    }
    let mut text = String::new();
    let passes = |row: &usize| {
        text.clear();
        rows.search(*row, &mut text);
        filter.passes(&text)
    };
    (0..rows.count()).filter(passes).collect()
}

/// The rows that pass the filter, sorted.
#[must_use]
pub fn order(rows: &dyn Rows, state: &GridState) -> Vec<usize> {
    let passing = passing(rows, state);
    if rows.arranged().is_some() {
        return passing;
    }
    let Some(sort) = state.sort(rows) else { return passing };
    let Some(column) = rows.columns().iter().position(|column| column.title == sort.column) else {
        return passing;
    };
    let mut keyed: Vec<(Value<'_>, usize)> = passing.into_iter().map(|row| (rows.value(row, column), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a, b, sort.down));
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// What is not known stands last, whichever way the rest is sorted.
fn compare(a: &Value<'_>, b: &Value<'_>, down: bool) -> Ordering {
    let turn = |ordering: Ordering| if down { ordering.reverse() } else { ordering };
    if let (Value::Text(a), Value::Text(b)) = (a, b) {
        return turn(a.cmp(b));
    }
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => turn(a.total_cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

impl Filter {
    /// The same pieces with what was looked for made visible.
    #[must_use]
    pub fn highlight<'a>(&self, line: Line<'a>) -> Line<'a> {
        if self.with.is_empty() {
            return line;
        }
        line.into_iter().flat_map(|piece| self.split(piece)).collect()
    }

    fn split<'a>(&self, piece: Span<'a>) -> Vec<Span<'a>> {
        // Small letters may be longer than capitals: only ASCII keeps its places.
        if !piece.text.is_ascii() || piece.text.len() > 512 {
            return vec![piece];
        }
        let small = piece.text.to_ascii_lowercase();
        let found = self
            .with
            .iter()
            .filter_map(|word| Some((small.find(word.as_str())?, word.len())))
            .min();
        let Some((at, length)) = found else { return vec![piece] };
        let part = |range: std::ops::Range<usize>| Span {
            text: Cow::Owned(piece.text[range].to_owned()),
            ..piece.clone()
        };
        let mut parts = vec![part(0..at)];
        parts.push(Span {
            role: Role::Accent,
            strong: true,
            ..part(at..at + length)
        });
        parts.extend(self.split(part(at + length..piece.text.len())));
        parts.retain(|part| !part.text.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{SourceId, SourceKind};

    const COLUMNS: [Column; 3] = [
        Column::name("name", 8),
        Column::number("pending", 8, 0),
        Column::text("leader", 8, 1).hidden(),
    ];

    struct Few(Vec<(&'static str, Reading)>);

    impl Rows for Few {
        fn columns(&self) -> &'static [Column] {
            &COLUMNS
        }

        fn count(&self) -> usize {
            self.0.len()
        }

        fn key(&self, row: usize) -> Cow<'_, str> {
            self.0[row].0.into()
        }

        fn value(&self, row: usize, column: usize) -> Value<'_> {
            match column {
                0 => Value::text(self.0[row].0),
                1 => Value::Figure(&self.0[row].1, Field::Pending),
                _ => Value::Unknown,
            }
        }
    }

    fn few(rows: &[(&'static str, Option<f64>)]) -> Few {
        let source = SourceId::new(SourceKind::Jetstream, "nats");
        Few(rows
            .iter()
            .map(|(name, value)| {
                let reading = value.map_or_else(Reading::unknown, |value| {
                    Reading::fresh(value, Timestamp::UNIX_EPOCH, source.clone())
                });
                (*name, reading)
            })
            .collect())
    }

    fn names(rows: &Few, state: &GridState) -> Vec<&'static str> {
        order(rows, state).into_iter().map(|row| rows.0[row].0).collect()
    }

    fn by(column: &str, down: bool) -> GridState {
        let column = column.to_owned();
        GridState {
            sort: Some(Sort { column, down }),
            ..GridState::default()
        }
    }

    #[test]
    fn what_is_not_known_stands_last_either_way() {
        let rows = few(&[("a", None), ("b", Some(2.0)), ("c", Some(f64::NAN)), ("d", Some(9.0))]);
        let state = by("pending", true);
        assert_eq!(names(&rows, &state), ["d", "b", "a", "c"]);
        let state = by("pending", false);
        assert_eq!(names(&rows, &state), ["b", "d", "a", "c"]);
        let state = by("name", true);
        assert_eq!(names(&rows, &state), ["d", "c", "b", "a"]);
        let state = by("no such column", true);
        assert_eq!(names(&rows, &state), ["a", "b", "c", "d"]);
    }

    #[test]
    fn the_cursor_stays_on_its_row_when_rows_move_and_on_its_place_when_it_goes() {
        let mut state = GridState::default();
        let rows = few(&[("a", Some(1.0)), ("b", Some(2.0)), ("c", Some(3.0))]);
        let places = order(&rows, &state);
        state.select(&rows, &places, 1, 10);
        let moved = few(&[("x", Some(0.0)), ("a", Some(1.0)), ("b", Some(2.0))]);
        assert_eq!(state.cursor(&moved, &order(&moved, &state)), Some(2));
        let gone = few(&[("a", Some(1.0)), ("c", Some(3.0))]);
        assert_eq!(state.cursor(&gone, &order(&gone, &state)), Some(1));
        let none = few(&[]);
        assert_eq!(state.cursor(&none, &order(&none, &state)), None);
    }

    #[test]
    fn a_filter_takes_every_word_and_refuses_those_after_a_bang() {
        let rows = few(&[("webhooks/workers", None), ("webhooks/audit", None), ("dlq", None)]);
        let filtered = |text: &str| {
            let state = GridState {
                filter: text.to_owned(),
                ..GridState::default()
            };
            names(&rows, &state)
        };
        assert_eq!(filtered("WEB work"), ["webhooks/workers"]);
        assert_eq!(filtered("web !audit"), ["webhooks/workers"]);
        assert_eq!(filtered("!web"), ["dlq"]);
        assert_eq!(filtered("  ! "), ["webhooks/workers", "webhooks/audit", "dlq"]);
    }

    #[test]
    fn what_was_looked_for_is_made_visible() {
        let line = Filter::new("oo").highlight(vec![span("webhooks foo", Role::Text)]);
        let parts: Vec<(&str, bool)> = line.iter().map(|part| (part.text.as_ref(), part.strong)).collect();
        assert_eq!(parts, [("webh", false), ("oo", true), ("ks f", false), ("oo", true)]);
    }

    #[test]
    fn a_hidden_column_is_shown_when_it_is_chosen_and_the_first_always() {
        let rows = few(&[]);
        let mut state = GridState::default();
        assert_eq!(state.wanted(&rows), [0, 1]);
        state.columns.insert("leader".to_owned(), true);
        state.columns.insert("pending".to_owned(), false);
        state.columns.insert("name".to_owned(), false);
        assert_eq!(state.wanted(&rows), [0, 2]);
    }

    struct Texts(Vec<[String; 3]>);

    impl Rows for Texts {
        fn columns(&self) -> &'static [Column] {
            &COLUMNS
        }

        fn count(&self) -> usize {
            self.0.len()
        }

        fn key(&self, row: usize) -> Cow<'_, str> {
            self.0[row][0].as_str().into()
        }

        fn value(&self, row: usize, column: usize) -> Value<'_> {
            Value::text(self.0[row][column].as_str())
        }
    }

    /// Whether some text of a row holds a word, letter by letter.
    fn holds(texts: &[String; 3], word: &str) -> bool {
        let small = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
        let word = small(word);
        texts
            .iter()
            .any(|text| small(text).windows(word.len()).any(|piece| piece == word))
    }

    #[test]
    fn a_filter_looks_at_the_beginning_of_a_long_text_only() {
        let long = |before: usize, end: &str| "é".repeat(before / 2) + &"x".repeat(before % 2) + end;
        let rows = Texts(vec![
            [long(508, "Find"), String::new(), String::new()],
            [long(509, "Find"), String::new(), String::new()],
            ["y".repeat(509) + "Find", "z".repeat(900), "FIND".to_owned()],
        ]);
        let state = GridState {
            filter: "find".to_owned(),
            ..GridState::default()
        };
        assert_eq!(passing(&rows, &state), [0, 2]);
    }

    proptest::proptest! {
        #[test]
        fn rows_that_pass_are_those_that_hold_every_word_and_no_unwanted_one(
            rows in proptest::collection::vec(["[abAB/é]{0,4}", "[aB1ÉßİΔ]{0,3}", "[ab ]{0,3}"], 0..12),
            with in proptest::collection::vec("[aAbB1/éÉİδ]{1,2}", 0..3),
            without in proptest::collection::vec("[aAbB1/éÉİδ]{1,2}", 0..2),
            sort in proptest::option::of((0usize..3, proptest::bool::ANY)),
        ) {
            let rows = Texts(rows);
            let unwanted = without.iter().map(|word| format!("!{word}"));
            let state = GridState {
                filter: with.iter().cloned().chain(unwanted).collect::<Vec<_>>().join(" "),
                sort: sort.map(|(column, down)| Sort { column: COLUMNS[column].title.to_owned(), down }),
                ..GridState::default()
            };
            let mut expected: Vec<usize> = (0..rows.0.len())
                .filter(|row| with.iter().all(|word| holds(&rows.0[*row], word)))
                .filter(|row| !without.iter().any(|word| holds(&rows.0[*row], word)))
                .collect();
            proptest::prop_assert_eq!(passing(&rows, &state), &expected[..]);
            if let Some((column, down)) = sort {
                expected.sort_by(|a, b| {
                    let ordering = rows.0[*a][column].cmp(&rows.0[*b][column]);
                    if down { ordering.reverse() } else { ordering }
                });
            }
            proptest::prop_assert_eq!(order(&rows, &state), expected);
        }

        #[test]
        fn the_cursor_is_always_among_the_rows_on_screen(count in 0usize..60, visible in 1usize..20, steps in proptest::collection::vec(0usize..80, 0..12)) {
            let rows = few(&vec![("same", Some(1.0)); count]);
            let mut state = GridState::default();
            let places = order(&rows, &state);
            for step in steps {
                state.select(&rows, &places, step, visible);
                if count > 0 {
                    let at = state.at;
                    let first = state.first(at, count, visible);
                    proptest::prop_assert!(first <= at && at < first + visible && at < count);
                }
            }
        }
    }
}
