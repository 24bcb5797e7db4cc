//! When rates mean too little to be judged: after a start, and after a reset or the return of the
//! source that they are from. One process that comes and goes must not silence what others tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::sources::Sources;
use crate::sample::SourceKind;

/// Rules about rates wait for this long.
const MUTED: Duration = Duration::from_secs(5);

/// What the rates of a rule are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Rates {
    /// Streams and consumers.
    Queues,
    /// What gateways and workers count, and what Postgres says of webhooks.
    Answers,
    /// Counters of several sources, one against the other.
    Ledger,
}

/// Which rates are not to be judged yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::model) struct Muted {
    pub(super) queues: bool,
    pub(super) answers: bool,
    pub(super) ledger: bool,
}

impl Muted {
    /// Whether rates of this kind are not to be judged yet.
    pub(super) fn is(self, rates: Rates) -> bool {
        match rates {
            Rates::Queues => self.queues,
            Rates::Answers => self.answers,
            Rates::Ledger => self.ledger,
        }
    }
}

/// When rates last became meaningless, since session start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::model) struct Resets {
    queues: Duration,
    answers: Duration,
    ledger: Duration,
    /// Of one stream and its consumers alone.
    streams: BTreeMap<Arc<str>, Duration>,
}

impl Resets {
    /// The counters of the server, or of the stream that is followed, began anew.
    pub(in crate::model) fn queues(&mut self, now: Duration) {
        self.queues = now;
        self.ledger = now;
    }

    /// Those of another stream, or of a consumer of it, did.
    pub(in crate::model) fn stream(&mut self, name: &Arc<str>, now: Duration) {
        self.streams.insert(name.clone(), now);
    }

    /// Those of a process did. What a worker counted is left out of every sum; what a gateway
    /// says of its providers is all that is known of them.
    pub(in crate::model) fn process(&mut self, is_gateway: bool, now: Duration) {
        if is_gateway {
            self.answers = now;
        }
        self.ledger = now;
    }

    /// Rows in Postgres went back.
    pub(in crate::model) fn rows(&mut self, now: Duration) {
        self.ledger = now;
    }

    /// Forgets what is long over.
    pub(super) fn forget(&mut self, now: Duration) {
        self.streams.retain(|_, at| now.saturating_sub(*at) < MUTED);
    }

    /// Whether a stream's counters began anew just now.
    pub(super) fn has_stream(&self, name: &str) -> bool {
        self.streams.contains_key(name)
    }

    /// What is not to be judged yet.
    pub(super) fn muted(&self, started: Duration, sources: &Sources, now: Duration) -> Muted {
        let since = |kinds: &[SourceKind], reset: Duration| {
            let back = kinds.iter().map(|kind| sources.last_recovery(*kind)).max();
            let quiet_from = started.max(reset).max(back.unwrap_or_default());
            now.saturating_sub(quiet_from) < MUTED
        };
        Muted {
            queues: since(&[SourceKind::Jetstream], self.queues),
            answers: since(&[SourceKind::Metrics, SourceKind::Postgres], self.answers),
            ledger: since(
                &[SourceKind::Jetstream, SourceKind::Metrics, SourceKind::Postgres],
                self.ledger,
            ),
        }
    }
}
