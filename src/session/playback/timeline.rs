//! What the strip under the screen shows of a recording.

use std::sync::Arc;
use std::time::Duration;

use crate::record::{BUCKET, Outline, Point, Recording};

/// What one can jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A marked moment.
    Marker,
    /// A verdict that was raised.
    Alert,
}

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
}

/// One column of the strip.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each mark that may stand in a column"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// The highest mean of webhooks per second in it; `None`: unknown.
    pub load: Option<f32>,
    /// A verdict was raised in it.
    pub alert: bool,
    /// Somebody marked a moment in it.
    pub marker: bool,
    /// Somebody acted in it.
    pub action: bool,
    /// Something is missing in it.
    pub gap: bool,
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
        }
    }

    /// Its length.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end - self.start)
    }

    /// It in so many columns.
    #[must_use]
    pub fn strip(&self, columns: usize) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); columns];
        let span = u128::from((self.end - self.start).max(1));
        let column = |at: u64| {
            let into = u128::from(at.saturating_sub(self.start));
            usize::try_from(into * columns as u128 / span)
                .unwrap_or(usize::MAX)
                .min(columns.saturating_sub(1))
        };
        if columns == 0 {
            return cells;
        }
        for (bucket, load) in &self.outline.load {
            let (from, to) = (column(bucket * BUCKET), column((bucket + 1) * BUCKET));
            for cell in &mut cells[from..=to.max(from)] {
                cell.load = Some(cell.load.unwrap_or(0.0).max(*load));
            }
        }
        let mut mark = |points: &[Point], set: fn(&mut Cell)| {
            for point in points {
                set(&mut cells[column(point.at)]);
            }
        };
        mark(&self.outline.alerts, |cell| cell.alert = true);
        mark(&self.outline.markers, |cell| cell.marker = true);
        mark(&self.outline.actions, |cell| cell.action = true);
        mark(&self.outline.gaps, |cell| cell.gap = true);
        for (from, to) in &self.holes {
            for cell in &mut cells[column(*from)..=column(*to)] {
                cell.gap = true;
            }
        }
        cells
    }

    /// The next mark after `from`, or the last one before it.
    #[must_use]
    pub fn find(&self, mark: Mark, from: u64, forward: bool) -> Option<u64> {
        let points = match mark {
            Mark::Marker => &self.outline.markers,
            Mark::Alert => &self.outline.alerts,
        };
        if forward {
            points.iter().map(|point| point.at).find(|at| *at > from)
        } else {
            points.iter().rev().map(|point| point.at).find(|at| *at < from)
        }
    }

    /// How far it is to whatever happens next or happened last.
    pub(super) fn nearest(&self, at: u64) -> Duration {
        let outline = &self.outline;
        let points = [&outline.alerts, &outline.markers, &outline.actions, &outline.gaps];
        let nearest = points.into_iter().flatten().map(|point| point.at.abs_diff(at)).min();
        Duration::from_nanos(nearest.unwrap_or(u64::MAX))
    }
}
