//! What `$JS.API` answers, read leniently over the raw JSON of nats-server 2.9 to current.
//!
//! Unknown fields are skipped, a field of an odd type counts as absent, and an unknown word
//! stays a word. What a reading cannot do without must be there, or the answer is
//! [`Unreadable`]: an absent counter never becomes 0.

mod advisory;
mod consumer;
pub(crate) mod scalar;
mod stream;

pub(crate) use advisory::{AdvisoryEvent, parse};
pub(crate) use consumer::ConsumerInfo;
pub(crate) use stream::StreamInfo;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use scalar::{Count, Many, Maybe, Names, Pairs, Text, Time};

use crate::sample::{AccountReading, ClusterReading, PeerReading};

/// An answer that lacks what a reading cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no usable {0}")]
pub(crate) struct Unreadable(pub(crate) &'static str);

/// The error inside an answer. Servers answer 200 and say what went wrong in the body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorBody {
    code: Count,
    err_code: Count,
    description: Text,
}

impl ErrorBody {
    /// HTTP-like code; 0 when the server gave none.
    pub(crate) fn code(&self) -> u64 {
        self.code.0.unwrap_or(0)
    }

    /// JetStream's own error code; 0 when the server gave none.
    pub(crate) fn err_code(&self) -> u64 {
        self.err_code.0.unwrap_or(0)
    }

    /// The server's words.
    pub(crate) fn description(&self) -> &str {
        self.description.0.as_deref().unwrap_or("no description")
    }
}

/// Something that `$JS.API` answers.
pub(crate) trait Answer: DeserializeOwned + Send {
    /// The error that it holds instead of a body.
    fn error(&mut self) -> Option<ErrorBody>;
}

macro_rules! answers {
    ($($name:ident),*) => { $(
        impl Answer for $name {
            fn error(&mut self) -> Option<ErrorBody> {
                self.error.0.take()
            }
        }
    )* };
}
answers!(
    StreamInfo,
    ConsumerInfo,
    AccountInfo,
    NamesPage,
    StreamPage,
    ConsumerPage,
    StoredMessage
);

/// `$JS.API.INFO`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountInfo {
    error: Maybe<ErrorBody>,
    #[serde(flatten)]
    usage: AccountUsage,
    api: Maybe<ApiUsage>,
    tiers: Pairs<Maybe<AccountUsage>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AccountUsage {
    memory: Count,
    storage: Count,
    streams: Count,
    consumers: Count,
    limits: Maybe<AccountLimits>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AccountLimits {
    max_memory: Count,
    max_storage: Count,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ApiUsage {
    total: Count,
    errors: Count,
}

impl AccountInfo {
    /// As a sample.
    pub(crate) fn reading(self) -> Result<AccountReading, Unreadable> {
        let api = self.api.0.unwrap_or_default();
        let tiers: Vec<AccountUsage> = self.tiers.0.into_iter().filter_map(|(_, tier)| tier.0).collect();
        // An account with tiers has its limits there; one tier without a limit leaves the sum without one.
        let limit = |of: fn(&AccountLimits) -> Count| {
            if tiers.is_empty() {
                self.usage.limits.0.as_ref().and_then(|limits| of(limits).0)
            } else {
                tiers
                    .iter()
                    .map(|tier| tier.limits.0.as_ref().and_then(|limits| of(limits).0))
                    .try_fold(0_u64, |sum, limit| Some(sum.saturating_add(limit?)))
            }
        };
        Ok(AccountReading {
            max_memory: limit(|limits| limits.max_memory),
            max_storage: limit(|limits| limits.max_storage),
            memory: self.usage.memory.0.ok_or(Unreadable("memory"))?,
            storage: self.usage.storage.0.ok_or(Unreadable("storage"))?,
            streams: self.usage.streams.0.ok_or(Unreadable("streams"))?,
            consumers: self.usage.consumers.0.ok_or(Unreadable("consumers"))?,
            api_total: api.total.0.ok_or(Unreadable("api.total"))?,
            api_errors: api.errors.0.ok_or(Unreadable("api.errors"))?,
        })
    }
}

/// A page of `STREAM.NAMES` or `CONSUMER.NAMES`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NamesPage {
    error: Maybe<ErrorBody>,
    total: Count,
    streams: Names,
    consumers: Names,
}

impl NamesPage {
    /// The names on it, and how many there are on all pages.
    pub(crate) fn into_parts(mut self) -> (Vec<String>, Option<u64>) {
        self.streams.0.append(&mut self.consumers.0);
        (self.streams.0, self.total.0)
    }
}

/// A page of `STREAM.LIST`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamPage {
    error: Maybe<ErrorBody>,
    /// How many there are on all pages.
    pub(crate) total: Count,
    /// The streams on it.
    pub(crate) streams: Many<Maybe<StreamInfo>>,
    /// Streams that the cluster could not answer for.
    pub(crate) missing: Names,
    /// Streams whose servers are offline (2.12+).
    pub(crate) offline: Names,
}

/// A page of `CONSUMER.LIST`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConsumerPage {
    error: Maybe<ErrorBody>,
    /// How many there are on all pages.
    pub(crate) total: Count,
    /// The consumers on it.
    pub(crate) consumers: Many<Maybe<ConsumerInfo>>,
}

/// `STREAM.MSG.GET`: where and when a message was stored. Its payload, its headers and its
/// subject are skipped while reading and never kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoredMessage {
    error: Maybe<ErrorBody>,
    message: Maybe<Stored>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    seq: Count,
    time: Time,
}

impl StoredMessage {
    /// The message's sequence and the time at which it was stored.
    pub(crate) fn position(self) -> Result<(u64, crate::base::time::Timestamp), Unreadable> {
        let stored = self.message.0.unwrap_or_default();
        Ok((
            stored.seq.0.ok_or(Unreadable("message.seq"))?,
            stored.time.0.ok_or(Unreadable("message.time"))?,
        ))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cluster {
    name: Text,
    leader: Text,
    replicas: Many<Maybe<Peer>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Peer {
    name: Text,
    current: scalar::Flag,
    offline: scalar::Flag,
    active: Count,
    lag: Count,
}

impl Cluster {
    fn reading(self) -> ClusterReading {
        ClusterReading {
            name: self.name.0,
            leader: self.leader.0,
            replicas: self
                .replicas
                .0
                .into_iter()
                .filter_map(|peer| peer.0)
                .map(|peer| PeerReading {
                    name: peer.name.0.unwrap_or_default(),
                    current: peer.current.is_set(),
                    offline: peer.offline.is_set(),
                    active: peer.active.nanos().unwrap_or_default(),
                    // The server leaves a lag of 0 out.
                    lag: peer.lag.0.unwrap_or(0),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
