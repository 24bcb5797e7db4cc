//! Names that were found, and the pseudonyms that take their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::places::{Places, visit_series};
use super::text::scrub;
use crate::sample::{Layout, SeriesId};

/// What a name is of. One that is of several is called after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A provider.
    Provider,
    /// A stream.
    Stream,
    /// A consumer.
    Consumer,
    /// A worker.
    Worker,
    /// A token of a subject.
    Subject,
    /// A server, a metrics endpoint, an address.
    Host,
    /// A cluster.
    Cluster,
    /// What a session of the database calls itself.
    Application,
    /// A profile.
    Profile,
    /// A label of a series, a template, metadata.
    Label,
    /// What stood quoted in a text: a database, a relation, a role.
    Quoted,
}

impl Class {
    /// Its word, which its pseudonyms begin with.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Stream => "stream",
            Self::Consumer => "consumer",
            Self::Worker => "worker",
            Self::Subject => "subject",
            Self::Host => "host",
            Self::Cluster => "cluster",
            Self::Application => "application",
            Self::Profile => "profile",
            Self::Label => "label",
            Self::Quoted => "name",
        }
    }

    /// Its word for several.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Stream => "streams",
            Self::Consumer => "consumers",
            Self::Worker => "workers",
            Self::Subject => "tokens of subjects",
            Self::Host => "hosts",
            Self::Cluster => "clusters",
            Self::Application => "applications",
            Self::Profile => "profiles",
            Self::Label => "labels",
            Self::Quoted => "quoted names",
        }
    }
}

/// The tokens of a subject that are names: wildcards and NATS's own are not.
fn is_name(token: &str) -> bool {
    token != "*" && token != ">" && !token.starts_with('$') && !is_figure(token) && !NOBODY.contains(&token)
}

/// Figures stay.
fn is_figure(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// What pipelines call those without a name, and those beyond the number that they tell apart.
const NOBODY: &[&str] = &["", "other", "unknown"];

fn names_nobody(class: Class, word: &str) -> bool {
    NOBODY.contains(&word) || (class == Class::Label && is_figure(word))
}

/// First reading: which names there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<String, Class>,
    layouts: BTreeSet<u64>,
}

impl Names {
    fn note(&mut self, class: Class, name: &str) {
        if names_nobody(class, name) {
            return;
        }
        match self.known.get_mut(name) {
            Some(known) => *known = class.min(*known),
            None => {
                self.known.insert(name.to_owned(), class);
            }
        }
    }

    /// Pseudonyms in the order of the names, so that the same recording gives the same ones.
    pub(super) fn into_pseudonyms(self) -> Pseudonyms {
        let originals: BTreeSet<String> = self.known.keys().map(|name| name.to_lowercase()).collect();
        let mut pseudonyms = Pseudonyms {
            originals,
            ..Pseudonyms::default()
        };
        for (name, class) in self.known {
            pseudonyms.assign(class, &name);
        }
        pseudonyms
    }
}

impl Places for Names {
    fn word<T: AsRef<str> + From<String>>(&mut self, class: Class, word: &mut T) {
        self.note(class, (*word).as_ref());
    }

    fn subject<T: AsRef<str> + From<String>>(&mut self, subject: &mut T) {
        for token in (*subject).as_ref().split('.').filter(|token| is_name(token)) {
            self.note(Class::Subject, token);
        }
    }

    fn text<T: AsRef<str> + From<String>>(&mut self, _text: &mut T) {}

    fn layout(&mut self, layout: &Arc<Layout>) -> Option<(Arc<Layout>, Arc<[usize]>)> {
        if self.layouts.insert(layout.hash) {
            for series in &layout.series {
                visit_series(&mut SeriesId::clone(series), self);
            }
        }
        None
    }
}

/// Second reading: pseudonyms take the names' places.
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
    layouts: BTreeMap<u64, (Arc<Layout>, Arc<[usize]>)>,
}

impl Pseudonyms {
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

impl Places for Pseudonyms {
    fn word<T: AsRef<str> + From<String>>(&mut self, class: Class, word: &mut T) {
        let name = (*word).as_ref();
        if names_nobody(class, name) {
            return;
        }
        *word = self.of(class, name).into();
    }

    fn subject<T: AsRef<str> + From<String>>(&mut self, subject: &mut T) {
        let tokens: Vec<String> = (*subject)
            .as_ref()
            .split('.')
            .map(|token| {
                if is_name(token) {
                    self.of(Class::Subject, token)
                } else {
                    token.to_owned()
                }
            })
            .collect();
        *subject = tokens.join(".").into();
    }

    fn text<T: AsRef<str> + From<String>>(&mut self, text: &mut T) {
        *text = scrub((*text).as_ref(), self).into();
    }

    fn layout(&mut self, layout: &Arc<Layout>) -> Option<(Arc<Layout>, Arc<[usize]>)> {
        if let Some(known) = self.layouts.get(&layout.hash) {
            return Some(known.clone());
        }
        let series = layout.series.iter().map(|series| SeriesId::clone(series));
        let mut series: Vec<_> = series.enumerate().collect();
        for (_, series) in &mut series {
            visit_series(series, self);
        }
        series.sort_by(|(_, a), (_, b)| a.cmp(b));
        let stood: Arc<[usize]> = series.iter().map(|(at, _)| *at).collect();
        let clean = Arc::new(Layout::new(series.into_iter().map(|(_, series)| series).collect()));
        self.layouts.insert(layout.hash, (clean.clone(), stood.clone()));
        Some((clean, stood))
    }
}
