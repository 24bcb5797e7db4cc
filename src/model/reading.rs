//! A figure that knows where it is from and how old it is.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::sample::SourceId;

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadingState {
    /// From a reading younger than three periods of its source.
    Fresh,
    /// The last known value; its source has not answered since.
    Stale,
    /// A bound, not a measurement (`at most`); shown with `≤`.
    AtMost,
    /// Not known: no source, or not enough samples.
    #[default]
    Unknown,
}

/// One figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The value in SI units; `None`: unknown, never shown as 0.
    pub value: Option<f64>,
    /// When the newest sample behind it was taken.
    pub at: Option<Timestamp>,
    /// Where it is from.
    pub source: Option<SourceId>,
    /// How far it can be trusted.
    pub state: ReadingState,
}

impl Reading {
    /// A fresh value.
    #[must_use]
    pub fn fresh(value: f64, at: Timestamp, source: SourceId) -> Self {
        Self {
            value: Some(value),
            at: Some(at),
            source: Some(source),
            state: ReadingState::Fresh,
        }
    }

    /// An unknown value.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Whether it is drawn as stale.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state == ReadingState::Stale
    }
}
