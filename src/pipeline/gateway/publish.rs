//! From an authentic webhook to its `PubAck`.

use std::error::Error as _;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap as Headers;
use async_nats::header::{HeaderName, HeaderValue, NATS_MESSAGE_ID};
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use axum::body::Bytes;
use axum::http::HeaderMap;

use super::InFlight;
use super::metrics::Event;
use super::outcome::{Outcome, Refusal, Unconfirmed};
use crate::base::time::Timestamp;
use crate::pipeline::bus::Link;
use crate::pipeline::envelope;
use crate::pipeline::provider::Provider;
use crate::pipeline::topology::{self, SUBJECT_PREFIX};

/// How long a publish's outcome is waited for after its sender has been answered.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A publish that was on its way when the connection broke may still go out after the next one
/// stands. What has no `PubAck` this long after that was lost with the connection.
const AFTERMATH: Duration = Duration::from_secs(2);

impl InFlight {
    /// Checks a webhook that arrived `now` and publishes it.
    pub(super) async fn accept(self, provider: Provider, headers: &HeaderMap, body: Bytes, now: Timestamp) -> Outcome {
        let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(verifier) = self.config.verifiers.get(&provider) else {
            return self.refuse(provider.name(), Refusal::UnknownProvider);
        };
        let verdict = verifier.verify(&lookup, &body, "", now, self.config.tolerance);
        self.metrics.verified(provider, verdict.is_ok());
        if let Err(rejection) = verdict {
            return self.refuse(provider.name(), Refusal::Signature(rejection.label()));
        }
        let Ok(identity) = provider.identify(&lookup, &body) else {
            return self.refuse(provider.name(), Refusal::Malformed);
        };
        let event = topology::token(&identity.event);
        let id = [provider.name(), "-", &identity.id].concat();
        let subject = [SUBJECT_PREFIX, ".", provider.name(), ".", &event].concat();
        let message = PublishMessage::build()
            .headers(message_headers(provider, &id, now, headers))
            .payload(body.clone());
        let delivery = Delivery {
            provider,
            event: self.metrics.received(provider, &event),
            link: self.bus.link_now(),
            ack: None,
            settled: false,
            gateway: self,
        };
        delivery.run(subject, message).await
    }
}

/// A `PubAck` that is awaited.
type Ack = <PublishAckFuture as IntoFuture>::IntoFuture;

/// A webhook that has arrived and whose outcome is counted once, whatever happens to its sender:
/// when the sender hangs up the server drops the request's future, and with it this.
struct Delivery {
    gateway: InFlight,
    provider: Provider,
    event: Arc<Event>,
    /// The connection when it began.
    link: Link,
    /// There once it is sent, and until it is settled.
    ack: Option<Ack>,
    /// Its outcome is counted.
    settled: bool,
}

impl Delivery {
    /// Publishes and waits for the `PubAck` as long as a sender does.
    async fn run(mut self, subject: String, message: PublishMessage) -> Outcome {
        // In the client it would wait for the next connection and be published long after its
        // sender was told that it was not.
        if !self.gateway.bus.is_up() {
            return self.settle(Outcome::Unconfirmed(Unconfirmed::Disconnected));
        }
        let deadline = tokio::time::sleep(self.gateway.config.publish_timeout);
        tokio::pin!(deadline);
        let sent = tokio::select! {
            biased;
            sent = self.gateway.bus.publisher().send_publish(subject, message) => sent,
            // Not handed to the connection yet: it will never be sent.
            () = &mut deadline => return self.settle(Outcome::Unconfirmed(Unconfirmed::Timeout)),
        };
        let ack = match sent {
            Ok(ack) => self.ack.insert(ack.into_future()),
            Err(error) => return self.settle(outcome(Err(error))),
        };
        tokio::select! {
            biased;
            acked = ack => self.settle(outcome(acked)),
            // Answered, not settled: dropped, it goes on waiting.
            () = &mut deadline => Outcome::Unconfirmed(Unconfirmed::Timeout),
        }
    }

    /// Counts what became of the webhook.
    fn settle(&mut self, outcome: Outcome) -> Outcome {
        self.gateway.metrics.settled(self.provider, &self.event, &outcome);
        if outcome == Outcome::Unconfirmed(Unconfirmed::NoStream) {
            self.gateway.missing.notify_one();
        }
        self.ack = None;
        self.settled = true;
        outcome
    }

    /// Waits for a late `PubAck` until none can come any more.
    async fn settle_late(mut self, ack: Ack) {
        let mut changes = self.gateway.bus.link();
        let since = self.link;
        let lost = async {
            let reconnected = changes.wait_for(|now| now.connects > since.connects).await;
            drop(reconnected);
            tokio::time::sleep(AFTERMATH).await;
        };
        let late = tokio::select! {
            acked = ack => outcome(acked),
            () = lost => Outcome::Unconfirmed(Unconfirmed::ConnectionLost),
        };
        self.settle(late);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let Some(ack) = self.ack.take() else {
            // The sender hung up before it was handed to the connection: it will never be sent.
            self.settle(Outcome::Unconfirmed(Unconfirmed::SenderGone));
            return;
        };
        let late = Self {
            gateway: InFlight::new(self.gateway.0.clone()),
            provider: self.provider,
            event: self.event.clone(),
            link: self.link,
            ack: None,
            settled: false,
        };
        // Its outcome is counted elsewhere.
        self.settled = true;
        self.gateway.unsettled.spawn(late.settle_late(ack));
    }
}

/// The headers that travel with a webhook: its id, when it arrived, and what a replay needs to
/// be verified again.
fn message_headers(provider: Provider, id: &str, now: Timestamp, received: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    headers.insert(NATS_MESSAGE_ID, id);
    headers.insert(HeaderName::from_static(envelope::ID), id);
    headers.insert(HeaderName::from_static(envelope::RECEIVED_AT), now.to_string());
    for name in provider.signature_headers().iter().copied() {
        for value in received.get_all(name) {
            // HTTP forbids line breaks in values, as NATS does; what is no text was not signed.
            if let Some(value) = value.to_str().ok().and_then(|text| text.parse::<HeaderValue>().ok()) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
    headers
}

/// What a publish's answer means for the webhook.
fn outcome(answer: Result<PublishAck, PublishError>) -> Outcome {
    let error = match answer {
        Ok(ack) => {
            return Outcome::Queued {
                sequence: ack.sequence,
                duplicate: ack.duplicate,
            };
        }
        Err(error) => error,
    };
    Outcome::Unconfirmed(match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => return Outcome::Refused(Refusal::TooLarge),
        PublishErrorKind::StreamNotFound => Unconfirmed::NoStream,
        PublishErrorKind::TimedOut => Unconfirmed::Timeout,
        PublishErrorKind::BrokenPipe => Unconfirmed::ConnectionLost,
        PublishErrorKind::MaxAckPending => Unconfirmed::Overloaded,
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence | PublishErrorKind::Other => {
            let source = error
                .source()
                .and_then(|source| source.downcast_ref::<jetstream::Error>());
            tracing::debug!(%error, "publish refused");
            source.map_or(Unconfirmed::Rejected, refused_by_stream)
        }
    })
}

/// Which limit a stream's refusal names. The server has one code for all limits of a stream.
fn refused_by_stream(error: &jetstream::Error) -> Unconfirmed {
    use jetstream::ErrorCode as Code;
    match error.error_code() {
        Code::STREAM_STORE_FAILED if error.to_string().contains("per subject") => Unconfirmed::SubjectFull,
        Code::STREAM_STORE_FAILED if error.to_string().contains("maximum") => Unconfirmed::StreamFull,
        Code::STORAGE_RESOURCES_EXCEEDED
        | Code::MEMORY_RESOURCES_EXCEEDED
        | Code::ACCOUNT_RESOURCES_EXCEEDED
        | Code::INSUFFICIENT_RESOURCES => Unconfirmed::StorageFull,
        _ => Unconfirmed::Rejected,
    }
}
