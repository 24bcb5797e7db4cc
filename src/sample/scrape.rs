//! A metrics page, positional: the series' names once in a layout, then values only.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the page's `# TYPE` line said of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeriesKind {
    /// Only grows, until its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// One cumulative bucket of a histogram (`le` is among the labels).
    Bucket,
    /// The sum of a histogram or summary.
    Sum,
    /// The count of a histogram or summary.
    Count,
    /// A quantile of a summary (`quantile` is among the labels).
    Quantile,
    /// No type was declared.
    Untyped,
}

/// One series: a sample name and its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesId {
    /// The sample name as it stands on the page (`webhook_queued_total`, `x_bucket`).
    pub name: Arc<str>,
    /// Labels, sorted by name; values unescaped, raw: a stranger's text.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Its declared kind.
    pub kind: SeriesKind,
}

impl SeriesId {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(key, _)| &**key == name)
            .map(|(_, value)| &**value)
    }
}

/// The sorted list of series that a target's pages share. Two pages with the same series have
/// layouts with the same hash, and the same layout is shared by `Arc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Sorted, without repetition. Processes of one program share what they have in common.
    pub series: Vec<Arc<SeriesId>>,
    /// A hash of `series`, the same in every process that runs this version.
    pub hash: u64,
}

impl Layout {
    /// Sorts `series` and computes its hash. Repetitions must have been removed.
    #[must_use]
    pub fn new(series: Vec<SeriesId>) -> Self {
        Self::of(series.into_iter().map(Arc::new).collect())
    }

    /// The same of series that are shared already.
    #[must_use]
    pub fn of(mut series: Vec<Arc<SeriesId>>) -> Self {
        series.sort_unstable();
        // `DefaultHasher::new` has fixed keys; `RandomState` would not.
        let mut hasher = DefaultHasher::new();
        series.hash(&mut hasher);
        Self {
            hash: hasher.finish(),
            series,
        }
    }
}

/// One metrics page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// The target's name: equal to the source's.
    pub target: Arc<str>,
    /// What the values mean, by position.
    pub layout: Arc<Layout>,
    /// One value per series of the layout. NaN where the page said NaN: unknown.
    pub values: Vec<f64>,
    /// From sending the request to the last byte. The values are from somewhere in between.
    pub took: Duration,
    /// Size of the page in bytes, uncompressed.
    pub bytes: u64,
    /// Lines of wanted families that could not be read, and the first of them with its reason.
    pub skipped: u64,
    /// The first skipped line and why, made safe and cut.
    pub first_skipped: Option<String>,
    /// Series left out because the page holds more than the limit.
    pub left_out: u64,
}
