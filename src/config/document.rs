//! Reading a TOML file so that everything wrong with it is reported at once, with lines.
//!
//! A derived deserializer stops at the first error and forgets where a value stood. Here a
//! section is declared once, by [`section!`]; its keys, its reader and its unknown-key check
//! all follow from that declaration.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration::parse_duration;
use super::problem::{Origin, Problem, nearest, suggest};
use crate::base::text;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) origin: Origin,
}

impl<T> Setting<T> {
    pub(super) fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// A key that may be absent.
pub(super) type Key<T> = Option<Setting<T>>;

/// What may stand behind a key as one value.
pub(super) trait Leaf: Sized {
    /// What is wanted, with its article.
    const WANTED: &'static str;

    /// The value; `Err(None)`: of the wrong type, `Err(Some)`: of the right type, but wrong.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>>;
}

impl Leaf for String {
    const WANTED: &'static str = "a string";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_str().map(str::to_owned).ok_or(None)
    }
}

impl Leaf for bool {
    const WANTED: &'static str = "true or false";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_bool().ok_or(None)
    }
}

impl Leaf for u32 {
    const WANTED: &'static str = "a whole number";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let integer = value.as_integer().ok_or(None)?;
        Self::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| Some(format!("wants a number from 0 to {}", Self::MAX)))
    }
}

impl Leaf for f64 {
    const WANTED: &'static str = "a number";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = match value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => return Err(None),
        };
        text.parse().map_err(|_| None)
    }
}

impl Leaf for Duration {
    const WANTED: &'static str = "a duration like \"20s\"";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        parse_duration(value.as_str().ok_or(None)?).map_err(Some)
    }
}

/// A list of strings, or one string.
impl Leaf for Vec<String> {
    const WANTED: &'static str = "a string or a list of strings";
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        match value {
            DeValue::String(one) => Ok(vec![one.clone().into_owned()]),
            DeValue::Array(many) => many
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned).ok_or(None))
                .collect(),
            _ => Err(None),
        }
    }
}

/// What may stand behind a key: a leaf, a section, or many of them.
pub(super) trait Field: Default {
    /// Reads it; what is wrong goes to the reader.
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self;

    /// The paths of every key in it; `*` stands for a name that the user chooses.
    fn keys(path: &str, out: &mut Vec<String>);
}

impl<T: Leaf> Field for Key<T> {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        match T::from_toml(value.get_ref()) {
            Ok(read) => Some(Setting::new(read, reader.origin(&value.span()))),
            Err(reason) => {
                let reason = reason.unwrap_or_else(|| format!("wants {}, not {}", T::WANTED, kind(value.get_ref())));
                reader.problem(&value.span(), format!("`{}` {reason}", text::safe(path)), String::new());
                None
            }
        }
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        out.push(path.to_owned());
    }
}

/// Fields under names that the user chooses.
impl<T: Field> Field for BTreeMap<String, T> {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        let Some(table) = reader.table(path, value) else {
            return Self::new();
        };
        table
            .into_iter()
            .map(|(name, value)| {
                let name = name.into_inner().into_owned();
                let read = T::read(reader, &join(path, &name), value);
                (name, read)
            })
            .collect()
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        T::keys(&join(path, "*"), out);
    }
}

/// A table with a fixed set of keys.
pub(super) trait Section: Default {
    /// Takes its keys out of the table.
    fn take(table: &mut Table<'_, '_>) -> Self;

    /// The paths of every key in it.
    fn section_keys(path: &str, out: &mut Vec<String>);
}

/// Declares a section: a struct whose fields are the keys of a table.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $($(#[$doc])* pub(super) $key: $kind,)*
        }

        impl $crate::config::document::Section for $name {
            fn take(table: &mut $crate::config::document::Table<'_, '_>) -> Self {
                Self { $($key: table.take(stringify!($key)),)* }
            }

            fn section_keys(path: &str, out: &mut Vec<String>) {
                $(<$kind as $crate::config::document::Field>::keys(
                    &$crate::config::document::join(path, stringify!($key)), out);)*
            }
        }
    };
}
pub(super) use section;

/// A section behind a key is read as a table.
impl<S: Section> Field for Nested<S> {
    fn read(reader: &mut Reader, path: &str, value: Spanned<DeValue<'_>>) -> Self {
        let Some(table) = reader.table(path, value) else {
            return Self::default();
        };
        Self(reader.section(path, table))
    }

    fn keys(path: &str, out: &mut Vec<String>) {
        S::section_keys(path, out);
    }
}

/// A section as a field of another.
#[derive(Clone, Debug, Default)]
pub(super) struct Nested<S>(pub(super) S);

impl<S> std::ops::Deref for Nested<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> std::ops::DerefMut for Nested<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

/// A table from which keys are taken one by one; what is left over is unknown.
pub(super) struct Table<'r, 'i> {
    reader: &'r mut Reader,
    path: String,
    left: DeTable<'i>,
    known: Vec<&'static str>,
}

impl Table<'_, '_> {
    /// The field behind `key`, or its default.
    pub(super) fn take<F: Field>(&mut self, key: &'static str) -> F {
        self.known.push(key);
        match self.left.remove(key) {
            Some(value) => F::read(self.reader, &join(&self.path, key), value),
            None => F::default(),
        }
    }
}

/// Reads one file and collects what is wrong with it.
pub(super) struct Reader {
    file: Arc<Path>,
    /// Offsets at which lines begin.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    /// Every key of the file, to say where one belongs.
    keys: Vec<String>,
}

impl Reader {
    /// Reads `source` as `S`.
    pub(super) fn read<S: Section>(file: &Path, source: &str) -> (S, Vec<Problem>) {
        let lines = std::iter::once(0)
            .chain(source.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let mut keys = Vec::new();
        S::section_keys("", &mut keys);
        let mut reader = Self {
            file: file.into(),
            lines,
            problems: Vec::new(),
            keys,
        };
        let (table, errors) = DeTable::parse_recoverable(source);
        if !errors.is_empty() {
            // After a syntax error the rest is guesswork: unknown keys would be phantoms.
            for error in errors {
                let span = error.span().unwrap_or(0..0);
                reader.problem(
                    &span,
                    format!("not TOML: {}", text::safe(error.message())),
                    String::new(),
                );
            }
            return (S::default(), reader.problems);
        }
        let section = reader.section("", table.into_inner());
        reader.problems.sort_by_key(|problem| match problem.at {
            Some(Origin::File(_, line)) => line,
            _ => 0,
        });
        (section, reader.problems)
    }

    /// Reads a table as a section; keys that it does not have are problems.
    pub(super) fn section<S: Section>(&mut self, path: &str, table: DeTable<'_>) -> S {
        let mut table = Table {
            reader: self,
            path: path.to_owned(),
            left: table,
            known: Vec::new(),
        };
        let section = S::take(&mut table);
        let Table { left, known, .. } = table;
        for (key, _) in left {
            self.unknown(path, &key, known.iter().copied());
        }
        section
    }

    /// Reports a key that is not known here.
    pub(super) fn unknown<'a>(
        &mut self,
        path: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) {
        let place = if path.is_empty() {
            "at the top level".to_owned()
        } else {
            format!("in [{}]", text::safe(path))
        };
        let what = format!("unknown key `{}` {place}", text::safe(key.get_ref()));
        let is_it = |path: &&String| path.rsplit('.').next() == Some(key.get_ref()) && !path.contains('*');
        let mut elsewhere: Vec<&String> = self.keys.iter().filter(is_it).collect();
        // Of several places, the one that lies least deep is meant.
        let depth = |path: &str| path.matches('.').count();
        let least = elsewhere.iter().map(|path| depth(path)).min();
        elsewhere.retain(|path| Some(depth(path)) == least);
        let next = match (nearest(key.get_ref(), known.clone()), elsewhere.as_slice()) {
            (None, [place]) if place.contains('.') => format!("did you mean `{place}`?"),
            (None, [_]) => "it belongs at the top, before the first [section]".to_owned(),
            _ => suggest(key.get_ref(), known),
        };
        self.problem(&key.span(), what, next);
    }

    /// The table behind a key, or a problem.
    pub(super) fn table<'i>(&mut self, path: &str, value: Spanned<DeValue<'i>>) -> Option<DeTable<'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(table),
            other => {
                let path = text::safe(path).into_owned();
                let what = format!("`{path}` wants a table, not {}", kind(&other));
                self.problem(&span, what, format!("begin it with [{path}]"));
                None
            }
        }
    }

    /// Where a span stands.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        let line = self.lines.partition_point(|begin| *begin <= span.start);
        Origin::File(self.file.clone(), line)
    }

    /// Reports a problem at a span.
    pub(super) fn problem(&mut self, span: &Range<usize>, what: String, next: String) {
        let problem = Problem::new(&self.origin(span), what).next(next);
        self.problems.push(problem);
    }
}

/// The path of a key within a table.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A value's type with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    section! {
        Inner {
            wait: Key<Duration>,
            share: Key<f64>,
            count: Key<u32>,
        }
    }

    section! {
        Outer {
            name: Key<String>,
            names: Key<Vec<String>>,
            on: Key<bool>,
            inner: Nested<Inner>,
            each: BTreeMap<String, Nested<Inner>>,
        }
    }

    fn read(source: &str) -> (Outer, Vec<String>) {
        let (outer, problems) = Reader::read(Path::new("f.toml"), source);
        (outer, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_kind_of_value_is_read_with_its_line() {
        let (outer, problems) = read(
            "name = 'x'\n# a comment\nnames = ['a', 'b']\non = true\n[inner]\nwait = '20s'\nshare = 1\ncount = 0x10\n[each.one]\ncount = 7\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(outer.names.unwrap().value, ["a", "b"]);
        assert!(outer.on.unwrap().value);
        assert_eq!(outer.inner.wait.as_ref().unwrap().value, Duration::from_secs(20));
        assert!(outer.inner.share.as_ref().unwrap().value.total_cmp(&1.0).is_eq());
        assert_eq!(outer.inner.count.as_ref().unwrap().value, 16);
        let count = outer.each["one"].count.as_ref().unwrap();
        assert_eq!(count.origin.to_string(), "f.toml:10");
    }

    #[test]
    fn one_string_may_stand_for_a_list() {
        assert_eq!(read("names = 'a'").0.names.unwrap().value, ["a"]);
    }

    #[test]
    fn everything_wrong_is_reported_at_once_in_the_order_of_the_file() {
        let (outer, problems) = read(
            "nmae = 'x'\nname = 5\non = 'yes'\nnames = ['a', 1]\n[inner]\nwait = '20'\ncount = -1\ncuont = 1\n[each]\none = 3\n[each.two]\nother = 1\n",
        );
        assert_eq!(
            problems,
            [
                "f.toml:1: unknown key `nmae` at the top level → did you mean `name`?",
                "f.toml:2: `name` wants a string, not a whole number",
                "f.toml:3: `on` wants true or false, not a string",
                "f.toml:4: `names` wants a string or a list of strings, not a list",
                "f.toml:6: `inner.wait` the unit is missing: write it like 500ms, 20s or 2m",
                "f.toml:7: `inner.count` wants a number from 0 to 4294967295",
                "f.toml:8: unknown key `cuont` in [inner] → did you mean `count`?",
                "f.toml:10: `each.one` wants a table, not a whole number → begin it with [each.one]",
                "f.toml:12: unknown key `other` in [each.two] → there are: wait, share, count",
            ]
        );
        assert!(outer.name.is_none());
    }

    #[test]
    fn a_key_in_the_wrong_section_is_told_where_it_belongs() {
        let (_, problems) = read("names = 'a'\n[inner]\nnames = 'a'\n");
        assert_eq!(
            problems,
            ["f.toml:3: unknown key `names` in [inner] → it belongs at the top, before the first [section]"]
        );
        let (_, problems) = read("wait = '1s'\n");
        assert_eq!(
            problems,
            ["f.toml:1: unknown key `wait` at the top level → did you mean `inner.wait`?"]
        );
    }

    #[test]
    fn a_syntax_error_names_its_line_and_nothing_else() {
        let (_, problems) = read("name = 'x'\non = \nbogus = 1\n");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("f.toml:2: not TOML: "), "{problems:?}");
    }

    #[test]
    fn a_problem_never_quotes_a_value() {
        let (_, problems) = read("on = 'hunter2'\nname = ['hunter2']\nx = 'hunter2'\ny = hunter2\n");
        assert!(
            !problems.is_empty() && problems.iter().all(|p| !p.contains("hunter2")),
            "{problems:?}"
        );
    }

    #[test]
    fn every_key_is_listed() {
        let mut keys = Vec::new();
        Outer::section_keys("", &mut keys);
        assert_eq!(
            keys,
            [
                "name",
                "names",
                "on",
                "inner.wait",
                "inner.share",
                "inner.count",
                "each.*.wait",
                "each.*.share",
                "each.*.count"
            ]
        );
    }
}
