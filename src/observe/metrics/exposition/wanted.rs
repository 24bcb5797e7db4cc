//! Which lines of a page are wanted: decided by name, before anything is parsed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Families;
use crate::sample::SeriesId;

/// What [`Families::of`] takes off a sample name to find its family.
const SUFFIXES: [&str; 4] = ["_bucket", "_sum", "_count", "_total"];

/// The names of wanted samples and families, ready to be asked once a line.
#[derive(Debug)]
pub struct Wanted {
    /// Whether a wanted name begins with this byte: tells most lines apart without hashing.
    first: [bool; 256],
    /// Names as configured.
    configured: HashSet<Box<[u8]>>,
    /// Names of samples.
    samples: HashSet<Box<[u8]>>,
    /// Names that a `# TYPE` line of a wanted family may have: `OpenMetrics` leaves `_total` off.
    families: HashSet<Box<[u8]>>,
    /// Series of the readers that ask here.
    shared: Mutex<Shared>,
}

/// Series, one copy of each: a thousand processes of one program have nearly the same ones.
#[derive(Debug, Default)]
pub(super) struct Shared {
    series: HashSet<Arc<SeriesId>>,
    /// How many there were when those that nobody has any more were last looked for.
    looked: usize,
}

/// Series below which nobody is looked for.
const FEW: usize = 10_000;

impl Shared {
    /// The one copy of a series.
    pub(super) fn share(&mut self, series: Arc<SeriesId>) -> Arc<SeriesId> {
        if let Some(known) = self.series.get(&series) {
            return known.clone();
        }
        if self.series.len() >= (2 * self.looked).max(FEW) {
            self.series.retain(|series| Arc::strong_count(series) > 1);
            self.looked = self.series.len();
        }
        self.series.insert(series.clone());
        series
    }
}

impl Wanted {
    /// The names of `families`.
    #[must_use]
    pub fn new(families: &Families) -> Self {
        let boxed = |name: &str| Box::from(name.as_bytes());
        let names = || families.names.keys().map(|name| &**name);
        let suffixed = names().flat_map(|name| SUFFIXES.map(|suffix| boxed(&format!("{name}{suffix}"))));
        let mut first = [false; 256];
        for byte in names().filter_map(|name| name.bytes().next()) {
            first[usize::from(byte)] = true;
        }
        Self {
            first,
            configured: names().map(boxed).collect(),
            samples: names().map(boxed).chain(suffixed).collect(),
            families: names()
                .map(boxed)
                .chain(names().filter_map(|name| name.strip_suffix("_total")).map(boxed))
                .collect(),
            shared: Mutex::default(),
        }
    }

    /// The series that its readers share.
    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_begin(&self, name: &[u8]) -> bool {
        name.first().is_some_and(|&byte| self.first[usize::from(byte)])
    }

    /// Whether samples of this name are wanted.
    pub(super) fn sample(&self, name: &[u8]) -> bool {
        self.may_begin(name) && self.samples.contains(name)
    }

    /// Whether a `# TYPE` line of this name tells about wanted samples.
    pub(super) fn family(&self, name: &[u8]) -> bool {
        self.may_begin(name) && (self.families.contains(name) || self.samples.contains(name))
    }

    /// Whether a family of exactly this name is configured.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured.contains(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::SeriesKind;

    #[test]
    fn a_sample_is_wanted_exactly_when_it_has_a_meaning() {
        let families = Families::default();
        let wanted = Wanted::new(&families);
        let suffixes = ["", "_bucket", "_sum", "_count", "_total", "_created", "_total_sum", "x"];
        for name in families
            .names
            .keys()
            .map(|name| &**name)
            .chain(["webhook_batch", "up", ""])
        {
            for suffix in suffixes {
                let name = format!("{name}{suffix}");
                assert_eq!(wanted.sample(name.as_bytes()), families.of(&name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_series_is_kept_once_and_no_longer_than_somebody_has_it() {
        let series = |number: usize| {
            Arc::new(SeriesId {
                name: "webhook_received_total".into(),
                labels: vec![("provider".into(), number.to_string().into())],
                kind: SeriesKind::Counter,
            })
        };
        let wanted = Wanted::new(&Families::default());
        let mut shared = wanted.shared();
        let kept = shared.share(series(0));
        assert!(Arc::ptr_eq(&kept, &shared.share(series(0))));
        for number in 1..=100_000 {
            shared.share(series(number));
        }
        assert!(shared.series.len() <= FEW, "{}", shared.series.len());
        assert!(Arc::ptr_eq(&kept, &shared.share(series(0))));
    }

    #[test]
    fn an_openmetrics_counter_is_declared_without_its_ending() {
        let wanted = Wanted::new(&Families::default());
        assert!(wanted.family(b"webhook_received"));
        assert!(wanted.family(b"webhook_received_total"));
        assert!(wanted.family(b"webhook_batch_size"));
        assert!(!wanted.family(b"webhook"));
        assert!(!wanted.sample(b"webhook_received"));
    }
}
