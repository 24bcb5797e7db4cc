//! Advisories: `io.nats.jetstream.advisory.v1.*`.

use std::sync::Arc;

use serde::Deserialize;

use super::scalar::{Count, Text, Time};
use crate::base::time::Timestamp;
use crate::sample::{Advisory, AdvisoryKind};

/// Characters that are kept of a reason: a stranger may have written a book.
const REASON: usize = 500;

/// An advisory and the server's time of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdvisoryEvent {
    /// The sample.
    pub(crate) advisory: Advisory,
    /// When the server wrote it.
    pub(crate) at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    timestamp: Time,
    stream: Text,
    consumer: Text,
    stream_seq: Count,
    deliveries: Count,
    reason: Text,
    leader: Text,
    dropped: Count,
}

/// What an advisory's subject is about.
fn kind_of(subject: &str) -> Option<AdvisoryKind> {
    let rest = subject.strip_prefix("$JS.EVENT.ADVISORY.")?;
    let mut tokens = rest.split('.');
    Some(match (tokens.next()?, tokens.next()?) {
        ("CONSUMER", "MAX_DELIVERIES") => AdvisoryKind::MaxDeliveries,
        ("CONSUMER", "MSG_TERMINATED") => AdvisoryKind::Terminated,
        ("CONSUMER", "MSG_NAKED") => AdvisoryKind::Naked,
        ("STREAM" | "CONSUMER", "LEADER_ELECTED") => AdvisoryKind::LeaderElected,
        ("STREAM" | "CONSUMER", "QUORUM_LOST") => AdvisoryKind::QuorumLost,
        ("API", "LIMIT_REACHED") => AdvisoryKind::ApiLimitReached,
        _ => return None,
    })
}

/// Reads an advisory that came on `subject`. Its kind and the names in the subject are known
/// even when the body is garbage.
pub(crate) fn parse(subject: &str, payload: &[u8]) -> Option<AdvisoryEvent> {
    let kind = kind_of(subject)?;
    let body: Body = serde_json::from_slice(payload).unwrap_or_default();
    let mut names = subject.split('.').skip(5).map(str::to_owned);
    let (stream, consumer) = (names.next(), names.next());
    let (stream, consumer) = (body.stream.0.or(stream), body.consumer.0.or(consumer));
    let reason = match kind {
        AdvisoryKind::LeaderElected => body.leader.0,
        AdvisoryKind::ApiLimitReached => body.dropped.0.map(|count| format!("{count} requests dropped")),
        _ => body.reason.0,
    };
    Some(AdvisoryEvent {
        at: body.timestamp.0,
        advisory: Advisory {
            kind,
            stream: stream.map(Arc::from),
            consumer: consumer.map(Arc::from),
            stream_seq: body.stream_seq.0,
            deliveries: body.deliveries.0,
            reason: reason.map(|text| text.chars().take(REASON).collect()),
            count: 1,
        },
    })
}
