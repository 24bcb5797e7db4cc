//! From an authentic webhook to its `PubAck`.

use std::error::Error as _;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap as Headers;
use async_nats::header::{HeaderValue, NATS_MESSAGE_ID};
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};

use super::Gateway;
use super::metrics::{Event, InFlight};
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

/// A webhook on its way.
struct Parcel {
    provider: Provider,
    event: Arc<Event>,
    subject: String,
    message: PublishMessage,
    link: Link,
    in_flight: InFlight,
}

impl Gateway {
    /// Checks a webhook and publishes it.
    pub(super) async fn accept(
        self: Arc<Self>,
        provider: Provider,
        headers: &HeaderMap,
        body: Bytes,
        in_flight: InFlight,
    ) -> Outcome {
        let now = self.clock.now().at;
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
        let id = format!("{}-{}", provider.name(), identity.id);
        let parcel = Parcel {
            provider,
            subject: format!("{SUBJECT_PREFIX}.{}.{event}", provider.name()),
            message: PublishMessage::build()
                .headers(message_headers(provider, &id, now, headers))
                .payload(body.clone()),
            link: *self.bus.link().borrow(),
            // From here on the webhook has arrived, and is settled below whatever happens to its sender.
            event: self.metrics.received(provider, &event),
            in_flight,
        };
        // In the client it would wait for the next connection and be published long after its
        // sender was told that it was not.
        if !self.bus.is_up() {
            return self.settle(&parcel.event, provider, Outcome::Unconfirmed(Unconfirmed::Disconnected));
        }
        // A task of its own: when the sender hangs up, the server drops the request's future.
        let (event, gateway) = (parcel.event.clone(), self.clone());
        match self.unsettled.spawn(async move { gateway.publish(parcel).await }).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "a publish ended early");
                self.settle(&event, provider, Outcome::Unconfirmed(Unconfirmed::Rejected))
            }
        }
    }

    /// Publishes, waits for the `PubAck` as long as a sender does, and sees to it that the outcome is counted.
    async fn publish(self: Arc<Self>, parcel: Parcel) -> Outcome {
        let Parcel {
            provider,
            event,
            subject,
            message,
            link,
            in_flight,
        } = parcel;
        let deadline = tokio::time::sleep(self.config.publish_timeout);
        tokio::pin!(deadline);
        let sent = tokio::select! {
            sent = self.bus.publisher().send_publish(subject, message) => sent,
            // Not handed to the connection yet: it will never be sent.
            () = &mut deadline => return self.settle(&event, provider, Outcome::Unconfirmed(Unconfirmed::Timeout)),
        };
        let mut ack = match sent {
            Ok(ack) => ack.into_future(),
            Err(error) => return self.settle(&event, provider, outcome(Err(error))),
        };
        tokio::select! {
            acked = &mut ack => return self.settle(&event, provider, outcome(acked)),
            () = &mut deadline => {}
        }
        let gateway = self.clone();
        self.unsettled.spawn(async move {
            let lost = async {
                let mut changes = gateway.bus.link();
                let reconnected = changes.wait_for(|now| now.connects > link.connects).await;
                drop(reconnected);
                tokio::time::sleep(AFTERMATH).await;
            };
            let late = tokio::select! {
                acked = ack => outcome(acked),
                () = lost => Outcome::Unconfirmed(Unconfirmed::ConnectionLost),
            };
            gateway.settle(&event, provider, late);
            drop(in_flight);
        });
        Outcome::Unconfirmed(Unconfirmed::Timeout)
    }

    fn settle(&self, event: &Event, provider: Provider, outcome: Outcome) -> Outcome {
        self.metrics.settled(provider, event, &outcome);
        if outcome == Outcome::Unconfirmed(Unconfirmed::NoStream) {
            self.missing.notify_one();
        }
        outcome
    }
}

/// The headers that travel with a webhook: its id, when it arrived, and what a replay needs to
/// be verified again.
fn message_headers(provider: Provider, id: &str, now: Timestamp, received: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    headers.insert(NATS_MESSAGE_ID, id);
    headers.insert(envelope::ID, id);
    headers.insert(envelope::RECEIVED_AT, now.to_string());
    let content_type = header::CONTENT_TYPE.as_str();
    for name in provider.signature_headers().iter().copied().chain([content_type]) {
        for value in received.get_all(name) {
            // HTTP forbids line breaks in values, as NATS does; what is no text was not signed.
            if let Some(value) = value.to_str().ok().and_then(|text| text.parse::<HeaderValue>().ok()) {
                headers.append(name, value);
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
