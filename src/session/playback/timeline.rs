//! A recording at a glance: what the strip under the screen shows of it.

use std::sync::Arc;
use std::time::Duration;

use crate::record::{Outline, Recording};

/// A recording at a glance. Times are unix nanoseconds on its axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Its first moment.
    pub start: u64,
    /// Its last moment.
    pub end: u64,
    /// Load, alerts, markers, actions, gaps.
    pub outline: Outline,
    /// Spans of which nothing is known: damage, and time between two sessions.
    pub holes: Vec<(u64, u64)>,
    /// Where what recordings know ends and the memory of a live session begins.
    pub seam: Option<u64>,
}

/// Chunks further apart than this have a hole between them.
const APART: u64 = 5_000_000_000;

impl Timeline {
    pub(super) fn of(recording: &Arc<Recording>) -> Self {
        let (start, end) = recording.span();
        let pairs = recording.chunks().windows(2);
        let holes = pairs
            .filter(|pair| pair[1].start.saturating_sub(pair[0].end) > APART)
            .map(|pair| (pair[0].end, pair[1].start))
            .collect();
        Self {
            start,
            end,
            outline: recording.outline(),
            holes,
            seam: recording.seam(),
        }
    }

    /// Its length.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end - self.start)
    }

    /// How far it is to whatever happens next or happened last.
    pub(super) fn nearest(&self, at: u64) -> Duration {
        let outline = &self.outline;
        let points = [&outline.alerts, &outline.markers, &outline.actions, &outline.gaps];
        let nearest = points.into_iter().flatten().map(|point| point.at.abs_diff(at)).min();
        Duration::from_nanos(nearest.unwrap_or(u64::MAX))
    }
}
