//! What frames refer to by an id: the series of a metrics page, configurations. Written at its
//! first use in every chunk, so that a chunk can be read alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::sample::{ConsumerConfig, Layout, SeriesId, StreamConfig};

/// The id of a layout or configuration, unique in its chunk.
pub(super) type Id = Arc<str>;

/// A frame refers to something that the chunk does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing;

/// One entry, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Word {
    id: Id,
    #[serde(flatten)]
    meaning: Meaning,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Meaning {
    Series(Vec<Arc<SeriesId>>),
    Like(Likeness),
    Stream(Arc<StreamConfig>),
    Consumer(Arc<ConsumerConfig>),
}

/// The series of a page that differ from those of another one: a thousand processes of one program
/// have the same series but for their names.
#[derive(Debug, Serialize, Deserialize)]
struct Likeness {
    /// The other one.
    of: Id,
    /// Places in its list whose series this one does not have, ascending.
    without: Vec<u32>,
    /// Series that it has besides, by their place in its own list, ascending.
    with: Vec<(u32, Arc<SeriesId>)>,
}

impl Likeness {
    /// What makes `base` into `layout`; `None`: too much.
    fn find(of: &Id, base: &[Arc<SeriesId>], layout: &[Arc<SeriesId>]) -> Option<Self> {
        let most = layout.len() / LIKE;
        let mut found = Self {
            of: of.clone(),
            without: Vec::new(),
            with: Vec::new(),
        };
        let place = |at: usize| u32::try_from(at).ok();
        let (mut old, mut new) = (0, 0);
        while old < base.len() || new < layout.len() {
            if found.without.len() + found.with.len() > most {
                return None;
            }
            match (base.get(old), layout.get(new)) {
                (Some(before), Some(after)) if before == after => (old, new) = (old + 1, new + 1),
                (Some(before), after) if after.is_none_or(|after| before < after) => {
                    found.without.push(place(old)?);
                    old += 1;
                }
                (_, Some(after)) => {
                    found.with.push((place(new)?, after.clone()));
                    new += 1;
                }
                (_, None) => break,
            }
        }
        Some(found)
    }

    /// The list that it describes, from the other one's.
    fn resolve(self, base: &[Arc<SeriesId>]) -> Vec<Arc<SeriesId>> {
        let mut without = self.without.into_iter().peekable();
        let mut kept = (0..).zip(base).filter_map(|(at, series)| {
            let gone = without.next_if_eq(&at).is_some();
            (!gone).then(|| series.clone())
        });
        let mut series = Vec::with_capacity(base.len());
        for (place, new) in self.with {
            let before = usize::try_from(place)
                .unwrap_or(usize::MAX)
                .saturating_sub(series.len());
            series.extend(kept.by_ref().take(before));
            series.push(new);
        }
        series.extend(kept);
        series
    }
}

/// A list is described by another one when no more than one in so many of its series differ.
const LIKE: usize = 4;

/// Lists of a chunk that others are described by.
const BASES: usize = 8;

/// The writer's side: which entries the chunk holds already, and which must be written first.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: BTreeSet<Id>,
    fresh: Vec<Word>,
    /// Lists that the chunk holds whole.
    bases: Vec<(Id, Arc<Layout>)>,
}

impl Words {
    /// A new chunk holds nothing.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.fresh.clear();
        self.bases.clear();
    }

    /// What must be written before the frame.
    pub(super) fn take_fresh(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn layout(&mut self, layout: &Arc<Layout>) -> Id {
        let id: Id = format!("{:016x}", layout.hash).into();
        if self.known.contains(&id) {
            return id;
        }
        let mut bases = self.bases.iter();
        let like = bases.find_map(|(of, base)| Likeness::find(of, &base.series, &layout.series));
        if like.is_none() && self.bases.len() < BASES {
            self.bases.push((id.clone(), layout.clone()));
        }
        self.add(&id, || match like {
            Some(like) => Meaning::Like(like),
            None => Meaning::Series(layout.series.clone()),
        });
        id
    }

    pub(super) fn stream(&mut self, config: &Arc<StreamConfig>) -> serde_json::Result<Id> {
        let id = id_of('s', &**config)?;
        self.add(&id, || Meaning::Stream(config.clone()));
        Ok(id)
    }

    pub(super) fn consumer(&mut self, config: &Arc<ConsumerConfig>) -> serde_json::Result<Id> {
        let id = id_of('c', &**config)?;
        self.add(&id, || Meaning::Consumer(config.clone()));
        Ok(id)
    }

    fn add(&mut self, id: &Id, meaning: impl FnOnce() -> Meaning) {
        if self.known.insert(id.clone()) {
            self.fresh.push(Word {
                id: id.clone(),
                meaning: meaning(),
            });
        }
    }
}

/// An id by content. It need be the same within one chunk only.
fn id_of(kind: char, value: &impl Serialize) -> serde_json::Result<Id> {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(value)?.hash(&mut hasher);
    Ok(format!("{kind}{:016x}", hasher.finish()).into())
}

/// The reader's side. What is the same as in an earlier chunk is shared with it.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// Of the chunk at hand.
    layouts: BTreeMap<Id, Arc<Layout>>,
    streams: BTreeMap<Id, Arc<StreamConfig>>,
    consumers: BTreeMap<Id, Arc<ConsumerConfig>>,
    /// Of any chunk.
    seen: Arc<Mutex<Seen>>,
}

type Seen = BTreeMap<Id, Known>;

/// A list that was read.
#[derive(Debug)]
struct Known {
    /// As it was written.
    text: Vec<u8>,
    /// The one that it is like.
    like: Option<(Id, Arc<Layout>)>,
    layout: Arc<Layout>,
}

impl Known {
    /// Whether `data` says the same in a chunk that holds `layouts`. What a chunk means rests on that
    /// chunk alone: a list that is like another one is known where that one is, too.
    fn says(&self, data: &[u8], layouts: &BTreeMap<Id, Arc<Layout>>) -> bool {
        let holds = |(of, base): &(Id, Arc<Layout>)| layouts.get(of).is_some_and(|held| Arc::ptr_eq(held, base));
        self.text == data && self.like.as_ref().is_none_or(holds)
    }
}

impl Dictionary {
    /// Another one for other chunks: what is the same in both is shared between them.
    pub(super) fn beside(&self) -> Self {
        Self {
            seen: self.seen.clone(),
            ..Self::default()
        }
    }

    /// A new chunk holds nothing.
    pub(super) fn forget(&mut self) {
        self.layouts.clear();
        self.streams.clear();
        self.consumers.clear();
    }

    pub(super) fn learn(&mut self, data: &[u8]) -> serde_json::Result<()> {
        // A layout is a long text that seldom changes: it is read once.
        if let Some((id, layout)) = self.known(data) {
            self.layouts.insert(id, layout);
            return Ok(());
        }
        let word: Word = serde_json::from_slice(data)?;
        match word.meaning {
            Meaning::Series(series) => self.keep(word.id, series, None, data),
            // Without the other one it is not known: frames that refer to it are missing.
            Meaning::Like(like) => {
                if let Some(base) = self.layouts.get(&like.of).cloned() {
                    let of = like.of.clone();
                    self.keep(word.id, like.resolve(&base.series), Some((of, base)), data);
                }
            }
            Meaning::Stream(config) => {
                self.streams.insert(word.id, config);
            }
            Meaning::Consumer(config) => {
                self.consumers.insert(word.id, config);
            }
        }
        Ok(())
    }

    fn keep(&mut self, id: Id, series: Vec<Arc<SeriesId>>, like: Option<(Id, Arc<Layout>)>, data: &[u8]) {
        let seen = self.seen.clone();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let layout = match seen.get(&id) {
            // It was read beside this one meanwhile.
            Some(known) if known.says(data, &self.layouts) => known.layout.clone(),
            _ => {
                let hash = u64::from_str_radix(&id, 16).unwrap_or_default();
                let (text, layout) = (data.to_vec(), Arc::new(Layout { series, hash }));
                let known = Known {
                    text,
                    like,
                    layout: layout.clone(),
                };
                seen.insert(id.clone(), known);
                layout
            }
        };
        self.layouts.insert(id, layout);
    }

    fn known(&self, data: &[u8]) -> Option<(Id, Arc<Layout>)> {
        let id = data.strip_prefix(br#"{"id":""#)?.get(..16)?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, known) = seen.get_key_value(std::str::from_utf8(id).ok()?)?;
        known
            .says(data, &self.layouts)
            .then(|| (id.clone(), known.layout.clone()))
    }

    pub(super) fn layout(&self, id: &Id) -> Result<Arc<Layout>, Missing> {
        self.layouts.get(id).cloned().ok_or(Missing)
    }

    pub(super) fn stream(&self, id: &Id) -> Result<Arc<StreamConfig>, Missing> {
        self.streams.get(id).cloned().ok_or(Missing)
    }

    pub(super) fn consumer(&self, id: &Id) -> Result<Arc<ConsumerConfig>, Missing> {
        self.consumers.get(id).cloned().ok_or(Missing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::SeriesKind;

    fn layout(numbers: &BTreeSet<u16>) -> Arc<Layout> {
        let series = |number: &u16| SeriesId {
            name: format!("webhook_{}_total", number % 3).into(),
            labels: vec![("provider".into(), number.to_string().into())]
                .into_iter()
                .collect(),
            kind: SeriesKind::Counter,
        };
        Arc::new(Layout::new(numbers.iter().map(series).collect()))
    }

    fn written(words: &mut Words, layout: &Arc<Layout>) -> Vec<Vec<u8>> {
        words.layout(layout);
        let fresh = words.take_fresh();
        fresh.iter().map(|word| serde_json::to_vec(word).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn every_list_is_read_as_it_was_written(
            common in proptest::collection::btree_set(0u16..300, 0..80),
            pages in proptest::collection::vec(
                (proptest::collection::btree_set(0u16..300, 0..6), proptest::collection::btree_set(0u16..300, 0..6)),
                1..6,
            ),
        ) {
            let mut words = Words::default();
            let mut dictionary = Dictionary::default();
            for (more, fewer) in pages {
                let numbers = common.union(&more).copied().filter(|number| !fewer.contains(number)).collect();
                let layout = layout(&numbers);
                for word in written(&mut words, &layout) {
                    dictionary.learn(&word).unwrap();
                }
                let id = format!("{:016x}", layout.hash).into();
                prop_assert_eq!(dictionary.layout(&id).unwrap(), layout);
            }
        }
    }

    #[test]
    fn pages_that_differ_by_a_name_cost_that_name() {
        let mut words = Words::default();
        let all: BTreeSet<u16> = (0..500).collect();
        let whole: usize = written(&mut words, &layout(&all)).iter().map(Vec::len).sum();
        for other in 500..600 {
            let mut numbers = all.clone();
            numbers.remove(&(other - 400));
            numbers.insert(other);
            let more: usize = written(&mut words, &layout(&numbers)).iter().map(Vec::len).sum();
            assert!(more * 50 < whole, "{more} beside {whole}");
        }
    }

    #[test]
    fn without_the_list_that_it_is_like_a_list_is_missing() {
        let mut words = Words::default();
        let all: BTreeSet<u16> = (0..50).collect();
        let whole = written(&mut words, &layout(&all));
        let other = layout(&(1..50).collect());
        let like = written(&mut words, &other);
        let id = format!("{:016x}", other.hash).into();
        let mut dictionary = Dictionary::default();
        dictionary.learn(&like[0]).unwrap();
        assert_eq!(dictionary.layout(&id), Err(Missing));
        // Whatever an earlier chunk held.
        whole
            .iter()
            .chain(&like)
            .for_each(|word| dictionary.learn(word).unwrap());
        assert_eq!(dictionary.layout(&id), Ok(other));
        dictionary.forget();
        dictionary.learn(&like[0]).unwrap();
        assert_eq!(dictionary.layout(&id), Err(Missing));
    }
}
