//! What a series is: what the page declared, or else what the formats' own naming makes of it.

use std::collections::BTreeMap;

use prometheus_parse::SampleType;

use super::wanted::Wanted;
use crate::sample::{SeriesId, SeriesKind};

/// A declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    Counter,
    Gauge,
    Histogram,
    GaugeHistogram,
    Summary,
    Untyped,
}

/// The `# TYPE` lines of a page. They may stand anywhere on it.
#[derive(Debug, Default)]
pub(super) struct Declarations(BTreeMap<Box<str>, Declared>);

impl Declarations {
    /// Takes a declaration; the first one of a family counts.
    pub(super) fn add(&mut self, family: &str, kind: &str) {
        let kind = kind.to_ascii_lowercase();
        let declared = match &*kind {
            "gaugehistogram" => Declared::GaugeHistogram,
            "stateset" | "info" => Declared::Gauge,
            other => match SampleType::parse(other) {
                SampleType::Counter => Declared::Counter,
                SampleType::Gauge => Declared::Gauge,
                SampleType::Histogram => Declared::Histogram,
                SampleType::Summary => Declared::Summary,
                SampleType::Untyped => Declared::Untyped,
            },
        };
        self.0.entry(family.into()).or_insert(declared);
    }

    /// The kind of a series.
    pub(super) fn kind(&self, id: &SeriesId, wanted: &Wanted) -> SeriesKind {
        let declared = |name: &str| self.0.get(name).copied();
        match declared(&id.name) {
            Some(Declared::Counter) => return SeriesKind::Counter,
            Some(Declared::Gauge) => return SeriesKind::Gauge,
            Some(Declared::Summary) if id.label("quantile").is_some() => return SeriesKind::Quantile,
            _ => {}
        }
        for (suffix, part) in [
            ("_bucket", SeriesKind::Bucket),
            ("_sum", SeriesKind::Sum),
            ("_count", SeriesKind::Count),
            ("_total", SeriesKind::Counter),
        ] {
            let Some(stem) = id.name.strip_suffix(suffix) else {
                continue;
            };
            return match (declared(stem), part) {
                (Some(Declared::Histogram), SeriesKind::Bucket | SeriesKind::Sum | SeriesKind::Count)
                | (Some(Declared::Summary), SeriesKind::Sum | SeriesKind::Count)
                | (Some(Declared::Counter), SeriesKind::Counter) => part,
                (Some(Declared::GaugeHistogram), SeriesKind::Bucket) => SeriesKind::Gauge,
                // Not declared: by structure, where it leaves no doubt.
                _ if part == SeriesKind::Counter => part,
                _ if wanted.is_configured(&id.name) => SeriesKind::Untyped,
                _ if part == SeriesKind::Bucket && id.label("le").is_none() => SeriesKind::Untyped,
                _ if wanted.is_configured(stem) => part,
                _ => SeriesKind::Untyped,
            };
        }
        SeriesKind::Untyped
    }
}
