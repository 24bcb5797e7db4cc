//! Why a pass of a replay ended before its end.

use super::ReplayError;
use crate::act::bucket::BucketError;
use crate::act::exchange::ExchangeError;
use crate::act::lease::LeaseError;
use crate::observe::SourceError;

/// Why a pass ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection is gone, or an answer did not come: what was sent is in limbo.
    Lost,
    /// It cannot go on.
    Broken(ReplayError),
    /// It stops by itself.
    Stopped(String),
    /// The operator ended it.
    Cancelled,
}

impl From<ExchangeError> for Halt {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Refused { .. } => Self::Broken(ReplayError::Exchange {
                operation: "replay",
                source: error,
                next: "see what the server refuses, then --resume",
            }),
            // Unsent because the connection is gone, nobody there because the server restarts.
            _ => Self::Lost,
        }
    }
}

impl From<ReplayError> for Halt {
    fn from(error: ReplayError) -> Self {
        Self::Broken(error)
    }
}

impl From<BucketError> for Halt {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Exchange(error) => error.into(),
            error => Self::Broken(error.into()),
        }
    }
}

impl From<LeaseError> for Halt {
    fn from(error: LeaseError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<SourceError> for Halt {
    fn from(error: SourceError) -> Self {
        Self::Broken(error.into())
    }
}
