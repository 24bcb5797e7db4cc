//! History with bounded memory: 1 s for 15 min, 10 s for 6 h, 1 min for 48 h, as f32.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::field::Field;
use crate::base::time::Moment;

/// What a history is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The figure.
    pub field: Field,
    /// Of whom (a worker, a provider, `stream/consumer`); empty: of the pipeline.
    pub subject: Arc<str>,
}

impl SeriesKey {
    /// The pipeline's own figure.
    #[must_use]
    pub fn of(field: Field) -> Self {
        Self {
            field,
            subject: Arc::from(""),
        }
    }
}

/// The history of every charted figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histories {
    series: BTreeMap<SeriesKey, VecDeque<(u64, f32)>>,
}

impl Histories {
    /// Adds a value; `None` is a gap.
    pub fn record(&mut self, key: &SeriesKey, at: Moment, value: Option<f64>) {
        if let Some(value) = value {
            #[expect(clippy::cast_possible_truncation, reason = "charts need no more than f32")]
            self.series
                .entry(key.clone())
                .or_default()
                .push_back((at.mono.as_secs(), value as f32));
        }
    }

    /// The last `span` before `end` in `points` equal steps, oldest first; `None`: a gap.
    #[must_use]
    pub fn window(&self, key: &SeriesKey, end: Moment, span: Duration, points: usize) -> Vec<Option<f32>> {
        let mut out = vec![None; points];
        let Some(series) = self.series.get(key) else {
            return out;
        };
        for (second, value) in series {
            let age = end.mono.as_secs_f64() - *second as f64;
            if (0.0..span.as_secs_f64()).contains(&age) && points > 0 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within points")]
                let back = (age / span.as_secs_f64() * points as f64) as usize;
                if let Some(slot) = out.get_mut(points - 1 - back.min(points - 1)) {
                    *slot = Some(*value);
                }
            }
        }
        out
    }
}
