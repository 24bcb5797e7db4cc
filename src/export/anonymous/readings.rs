//! The two readings of a recording: its names are noted, then pseudonyms take their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Class;
use super::places::Places;
use super::pseudonyms::Pseudonyms;
use super::text::scrub;
use super::visit::visit_series;
use crate::sample::{Layout, SeriesId};

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
        Pseudonyms::of_all(self.known)
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

/// Second reading.
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
