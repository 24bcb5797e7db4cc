//! Providers' names: strangers' text, so no more than a fixed number of them is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::base::text;

/// Distinct providers kept.
const KEPT: usize = 200;
/// Distinct names that are counted as left out; beyond it the count is a lower bound.
const COUNTED: usize = 100_000;
/// Columns of a name.
const COLUMNS: usize = 200;

/// A provider, by position.
pub(in crate::model) type ProviderId = u16;

/// Every provider that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Providers {
    ids: BTreeMap<Arc<str>, ProviderId>,
    shown: Vec<Arc<str>>,
    left_out: BTreeSet<u64>,
}

impl Providers {
    /// The id of a name as it stands on a page; `None` when there are too many.
    pub(in crate::model) fn id(&mut self, raw: &Arc<str>) -> Option<ProviderId> {
        if let Some(id) = self.ids.get(raw) {
            return Some(*id);
        }
        if self.shown.len() >= KEPT {
            if self.left_out.len() < COUNTED {
                let mut hasher = DefaultHasher::new();
                raw.hash(&mut hasher);
                self.left_out.insert(hasher.finish());
            }
            return None;
        }
        let id = ProviderId::try_from(self.shown.len()).ok()?;
        self.shown.push(safe_name(raw));
        self.ids.insert(raw.clone(), id);
        Some(id)
    }

    /// Whether the name has an id already.
    pub(in crate::model) fn knows(&self, raw: &str) -> bool {
        self.ids.contains_key(raw)
    }

    /// The names as they are shown, by id.
    pub(in crate::model) fn shown(&self) -> &[Arc<str>] {
        &self.shown
    }

    /// Distinct names left out.
    pub(in crate::model) fn left_out(&self) -> u64 {
        self.left_out.len() as u64
    }
}

/// A stranger's name, harmless and no wider than a screen.
pub(in crate::model) fn safe_name(raw: &str) -> Arc<str> {
    // What is far longer than the cut need not be cleaned to its end.
    let end = raw.char_indices().nth(COLUMNS * 8).map_or(raw.len(), |(at, _)| at);
    text::cut(&text::safe(&raw[..end]), COLUMNS).into()
}

/// The same of a name that is shared: most are harmless, and this is asked for every second.
pub(in crate::model) fn safe_shared(raw: &Arc<str>) -> Arc<str> {
    if raw.len() <= COLUMNS && raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return raw.clone();
    }
    safe_name(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_the_rest_is_counted() {
        let mut providers = Providers::default();
        for n in 0..1_000 {
            let name: Arc<str> = format!("p{n}").into();
            providers.id(&name);
            providers.id(&name);
        }
        assert_eq!(providers.shown().len(), KEPT);
        assert_eq!(providers.left_out(), 800);
    }

    #[test]
    fn a_hostile_name_is_harmless_and_cut() {
        for raw in ["w-1", "", "\u{1b}[31m", &"x".repeat(10_000), "größe"] {
            assert_eq!(safe_shared(&raw.into()), safe_name(raw), "{raw}");
        }
        let name = safe_name(&format!("\u{1b}[31m{}", "x".repeat(10_000)));
        assert!(name.starts_with("\\x1b[31m"));
        assert!(text::width(&name) <= COLUMNS);
    }
}
