//! What frames refer to by an id: the series of a metrics page, configurations. Written at its
//! first use in every chunk, so that a chunk can be read alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire::Id;
use crate::sample::{ConsumerConfig, Layout, SeriesId, StreamConfig};

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
    Series(Vec<SeriesId>),
    Stream(Arc<StreamConfig>),
    Consumer(Arc<ConsumerConfig>),
}

/// The writer's side: which entries the chunk holds already, and which must be written first.
#[derive(Debug, Default)]
pub(super) struct Words {
    known: BTreeSet<Id>,
    fresh: Vec<Word>,
}

impl Words {
    /// A new chunk holds nothing.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.fresh.clear();
    }

    /// What must be written before the frame.
    pub(super) fn take_fresh(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn layout(&mut self, layout: &Layout) -> Id {
        let id: Id = format!("{:016x}", layout.hash).into();
        self.add(&id, || Meaning::Series(layout.series.clone()));
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
    /// Of any chunk: what was written, and what it means.
    seen: BTreeMap<Id, (Vec<u8>, Arc<Layout>)>,
}

impl Dictionary {
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
            Meaning::Series(series) => {
                let hash = u64::from_str_radix(&word.id, 16).unwrap_or_default();
                let layout = Arc::new(Layout { series, hash });
                self.seen.insert(word.id.clone(), (data.to_vec(), layout.clone()));
                self.layouts.insert(word.id, layout);
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

    fn known(&self, data: &[u8]) -> Option<(Id, Arc<Layout>)> {
        let id = data.strip_prefix(br#"{"id":""#)?.get(..16)?;
        let (id, (text, layout)) = self.seen.get_key_value(std::str::from_utf8(id).ok()?)?;
        (text == data).then(|| (id.clone(), layout.clone()))
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
