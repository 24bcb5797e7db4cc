//! What becomes of a webhook, and what its sender is told.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// What becomes of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The stream has it.
    Queued {
        /// Its sequence in the stream.
        sequence: u64,
        /// Whether the stream had it already.
        duplicate: bool,
    },
    /// It is not taken, and will not be if it is sent again as it is.
    Refused(Refusal),
    /// It is not known to be in the stream. The sender is to send it again.
    Unconfirmed(Unconfirmed),
}

/// Why a webhook is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownProvider,
    /// The signature's problem, as `signature::Rejection::label` names it.
    Signature(&'static str),
    Malformed,
    TooLarge,
    SlowBody,
}

impl Refusal {
    /// Every refusal, so that each has its series from the start.
    pub(super) const ALL: [Self; 8] = [
        Self::UnknownProvider,
        Self::Signature("missing"),
        Self::Signature("malformed"),
        Self::Signature("stale"),
        Self::Signature("mismatch"),
        Self::Malformed,
        Self::TooLarge,
        Self::SlowBody,
    ];

    /// The label `reason`.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::Signature("missing") => "signature_missing",
            Self::Signature("malformed") => "signature_malformed",
            Self::Signature("stale") => "signature_stale",
            Self::Signature(_) => "signature_mismatch",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::SlowBody => "slow_body",
        }
    }

    fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownProvider => (StatusCode::NOT_FOUND, r#"{"error":"unknown provider"}"#),
            // A sender that cannot sign learns nothing about why.
            Self::Signature("stale") => (StatusCode::UNAUTHORIZED, r#"{"error":"stale timestamp"}"#),
            Self::Signature(_) => (StatusCode::UNAUTHORIZED, r#"{"error":"invalid signature"}"#),
            Self::Malformed => (StatusCode::BAD_REQUEST, r#"{"error":"not the documented JSON"}"#),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, r#"{"error":"body too large"}"#),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, r#"{"error":"body too slow"}"#),
        }
    }
}

/// Why a webhook is not known to be in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unconfirmed {
    /// No connection to NATS: it was not sent.
    Disconnected,
    /// No `PubAck` in time.
    Timeout,
    /// The connection broke before the `PubAck`.
    ConnectionLost,
    /// The sender hung up before it was sent.
    SenderGone,
    /// Too many publishes wait for their `PubAck`: it was not sent.
    Overloaded,
    /// No stream takes the subject.
    NoStream,
    /// As many webhooks wait on the subject as may.
    SubjectFull,
    /// The stream holds as much as it may.
    StreamFull,
    /// The server or account holds as much as it may.
    StorageFull,
    /// The stream refused it for another reason.
    Rejected,
}

impl Unconfirmed {
    /// Every one, so that each has its series from the start.
    pub(super) const ALL: [Self; 10] = [
        Self::Disconnected,
        Self::Timeout,
        Self::ConnectionLost,
        Self::SenderGone,
        Self::Overloaded,
        Self::NoStream,
        Self::SubjectFull,
        Self::StreamFull,
        Self::StorageFull,
        Self::Rejected,
    ];

    /// The label `reason`.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Timeout => "timeout",
            Self::ConnectionLost => "connection_lost",
            Self::SenderGone => "sender_gone",
            Self::Overloaded => "overloaded",
            Self::NoStream => "no_stream",
            Self::SubjectFull => "subject_full",
            Self::StreamFull => "stream_full",
            Self::StorageFull => "storage_full",
            Self::Rejected => "rejected",
        }
    }

    /// Seconds after which another attempt makes sense: a full queue takes longer to drain than
    /// a connection to come back.
    fn retry_after(self) -> &'static str {
        match self {
            Self::SubjectFull | Self::StreamFull | Self::StorageFull => "5",
            _ => "1",
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Outcome {
    /// What its sender is told.
    pub(super) fn answer(self) -> Response {
        match self {
            Self::Queued { sequence, duplicate } => {
                let body = format!(r#"{{"status":"queued","sequence":{sequence},"duplicate":{duplicate}}}"#);
                answer(StatusCode::OK, body.into())
            }
            Self::Refused(refusal) => {
                let (status, body) = refusal.answer();
                answer(status, body.into())
            }
            Self::Unconfirmed(reason) => {
                let body = format!(r#"{{"error":"not queued: {}"}}"#, reason.label());
                let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, body.into());
                let after = HeaderValue::from_static(reason.retry_after());
                response.headers_mut().insert(header::RETRY_AFTER, after);
                response
            }
        }
    }
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let refusals: BTreeSet<_> = Refusal::ALL.into_iter().map(Refusal::label).collect();
        assert_eq!(refusals.len(), Refusal::ALL.len());
        let unconfirmed: BTreeSet<_> = Unconfirmed::ALL.into_iter().map(Unconfirmed::label).collect();
        assert_eq!(unconfirmed.len(), Unconfirmed::ALL.len());
    }

    #[test]
    fn only_a_confirmed_webhook_is_answered_2xx() {
        let queued = Outcome::Queued {
            sequence: 7,
            duplicate: true,
        };
        assert_eq!(queued.answer().status(), StatusCode::OK);
        for refusal in Refusal::ALL {
            assert!(Outcome::Refused(refusal).answer().status().is_client_error());
        }
        for reason in Unconfirmed::ALL {
            let response = Outcome::Unconfirmed(reason).answer();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER), "{reason:?}");
        }
    }
}
