//! Names and the pseudonyms that take their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Class;
use crate::sample::Layout;

/// Names and their pseudonyms.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
    /// In lower case.
    originals: BTreeSet<String>,
    known: BTreeMap<String, (Class, String)>,
    /// Names by length, longest first, for texts.
    sorted: Vec<String>,
    next: BTreeMap<Class, usize>,
    counts: BTreeMap<Class, usize>,
    places: u64,
    /// Layouts without names, by the hash of the one that each stands for.
    pub(super) layouts: BTreeMap<u64, (Arc<Layout>, Arc<[usize]>)>,
}

impl Pseudonyms {
    /// Pseudonyms of these names, in their order.
    pub(super) fn of_all(names: BTreeMap<String, Class>) -> Self {
        let mut pseudonyms = Self {
            originals: names.keys().map(|name| name.to_lowercase()).collect(),
            ..Self::default()
        };
        for (name, class) in names {
            pseudonyms.assign(class, &name);
        }
        pseudonyms
    }

    /// Places where a name was replaced.
    pub(super) fn places(&self) -> u64 {
        self.places
    }

    /// Distinct names by what they are of.
    pub(super) fn counts(self) -> BTreeMap<Class, usize> {
        self.counts
    }

    fn assign(&mut self, class: Class, name: &str) -> String {
        let next = self.next.entry(class).or_default();
        let pseudonym = loop {
            *next += 1;
            let candidate = format!("{}-{next}", class.name());
            // One that somebody really has would mislead.
            if !self.originals.contains(&candidate) {
                break candidate;
            }
        };
        *self.counts.entry(class).or_default() += 1;
        self.known.insert(name.to_owned(), (class, pseudonym.clone()));
        let at = self.sorted.partition_point(|known| known.len() >= name.len());
        self.sorted.insert(at, name.to_owned());
        pseudonym
    }

    /// The pseudonym of a name; one that was not known gets its own.
    pub(super) fn of(&mut self, class: Class, name: &str) -> String {
        self.places += 1;
        match self.known.get(name) {
            Some((_, pseudonym)) => pseudonym.clone(),
            None => self.assign(class, name),
        }
    }

    /// The longest known name that `text` begins with and that ends where a word does.
    pub(super) fn starting(&self, text: &str) -> Option<&str> {
        let names = self.sorted.iter().map(String::as_str);
        let ends = |name: &str| !text[name.len()..].chars().next().is_some_and(is_inside_word);
        names.into_iter().find(|name| text.starts_with(name) && ends(name))
    }
}

/// Whether a character goes on with a word.
pub(super) fn is_inside_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
