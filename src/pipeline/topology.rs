//! The pipeline's streams and consumer: what they are called, how they are configured, and how
//! they come to be. Existing ones are never changed.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, PullConsumer};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{self, ConsumerErrorKind, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use jiff::Timestamp;

/// First token of the subjects that webhooks are published to: `webhook.<provider>.<event>`.
pub const SUBJECT_PREFIX: &str = "webhook";

/// What a dead letter's subject begins with: `dlq.webhook.<provider>.<event>`.
pub const DLQ_PREFIX: &str = "dlq";

/// Longest token of a subject, in bytes.
const TOKEN: usize = 100;

/// Names and limits of the streams and the consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The stream that webhooks wait in.
    pub stream: String,
    /// The durable pull consumer that all workers share.
    pub consumer: String,
    /// The stream of dead letters.
    pub dlq: String,
    /// Replicas of both streams.
    pub replicas: usize,
    /// Webhooks waiting on one subject at most; further ones are refused.
    pub max_msgs_per_subject: i64,
    /// Age after which a waiting webhook is dropped.
    pub max_age: Duration,
    /// Bytes of the stream at most; further webhooks are refused.
    pub max_bytes: i64,
    /// For how long a message id is remembered.
    pub duplicate_window: Duration,
    /// For how long the DLQ remembers a letter's id: longer than a worker may take from a
    /// letter's `PubAck` to the ack of its original, crash and redelivery included.
    pub dlq_duplicate_window: Duration,
    /// Time after which an unacked message is delivered again.
    pub ack_wait: Duration,
    /// Deliveries after which the server gives up. A backstop above the workers' own limit of
    /// attempts: they copy to the DLQ, the server would only park.
    pub max_deliver: i64,
    /// Messages in flight at most, all workers together.
    pub max_ack_pending: i64,
    /// What the consumer takes; `None`: everything.
    pub filter_subject: Option<String>,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            stream: "webhooks".to_owned(),
            consumer: "webhook-workers".to_owned(),
            dlq: "webhooks_dlq".to_owned(),
            replicas: 1,
            max_msgs_per_subject: 10_000,
            max_age: Duration::from_hours(24),
            max_bytes: 1 << 30,
            duplicate_window: Duration::from_mins(1),
            dlq_duplicate_window: Duration::from_mins(10),
            ack_wait: Duration::from_secs(30),
            max_deliver: 10,
            max_ack_pending: 10_000,
            filter_subject: None,
        }
    }
}

impl Topology {
    /// The configuration of the stream that webhooks wait in. At a limit it refuses instead of
    /// evicting: a `PubAck` is a promise.
    #[must_use]
    pub fn stream_config(&self) -> stream::Config {
        stream::Config {
            name: self.stream.clone(),
            subjects: vec![format!("{SUBJECT_PREFIX}.*.*")],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: self.max_msgs_per_subject,
            max_age: self.max_age,
            max_bytes: self.max_bytes,
            duplicate_window: self.duplicate_window,
            num_replicas: self.replicas,
            allow_direct: true,
            ..Default::default()
        }
    }

    /// The configuration of the dead letter stream: no limit, nothing is evicted.
    #[must_use]
    pub fn dlq_config(&self) -> stream::Config {
        stream::Config {
            name: self.dlq.clone(),
            subjects: vec![format!("{DLQ_PREFIX}.{SUBJECT_PREFIX}.*.*")],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            duplicate_window: self.dlq_duplicate_window,
            num_replicas: self.replicas,
            allow_direct: true,
            ..Default::default()
        }
    }

    /// The configuration of the workers' consumer.
    #[must_use]
    pub fn consumer_config(&self) -> consumer::pull::Config {
        consumer::pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: self.max_deliver,
            max_ack_pending: self.max_ack_pending,
            filter_subject: self.filter_subject.clone().unwrap_or_default(),
            ..Default::default()
        }
    }
}

/// What stands, after [`ensure`].
#[derive(Clone, Debug)]
pub struct Standing {
    /// The workers' consumer, as it is configured.
    pub consumer: PullConsumer,
    /// When the stream was created: with a sequence it identifies a message for ever.
    pub stream_created: Timestamp,
}

/// A part that could not be looked up or created.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {name}: {reason}")]
pub struct TopologyError {
    /// What was tried.
    pub operation: &'static str,
    /// The stream's or consumer's name.
    pub name: String,
    /// Why it failed.
    pub reason: String,
}

/// Creates the streams and the consumer that are missing. What exists stays as it is.
///
/// # Errors
/// When a part can neither be found nor created.
pub async fn ensure(context: &Context, topology: &Topology) -> Result<Standing, TopologyError> {
    let stream = ensure_stream(context, topology.stream_config()).await?;
    ensure_stream(context, topology.dlq_config()).await?;
    let fail = |operation, reason: &dyn ToString| TopologyError {
        operation,
        name: topology.consumer.clone(),
        reason: reason.to_string(),
    };
    // An existing consumer is taken as it is, whatever its configuration.
    let consumer = match context
        .get_consumer_from_stream(&topology.consumer, &topology.stream)
        .await
    {
        Ok(consumer) => consumer,
        Err(error) => match error.kind() {
            ConsumerErrorKind::JetStream(inner) if inner.error_code() == ErrorCode::CONSUMER_NOT_FOUND => stream
                .create_consumer(topology.consumer_config())
                .await
                .map_err(|error| fail("create consumer", &error))?,
            _ => return Err(fail("look up consumer", &error)),
        },
    };
    let created = stream.cached_info().created.unix_timestamp_nanos();
    Ok(Standing {
        consumer,
        stream_created: Timestamp::from_nanosecond(created).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

async fn ensure_stream(context: &Context, config: stream::Config) -> Result<stream::Stream, TopologyError> {
    let name = config.name.clone();
    let fail = |operation, reason: &dyn ToString| TopologyError {
        operation,
        name: name.clone(),
        reason: reason.to_string(),
    };
    match context.get_stream(&name).await {
        Ok(stream) => return Ok(stream),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(inner) if inner.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(fail("look up stream", &error)),
        },
    }
    match context.create_stream(config).await {
        Ok(stream) => Ok(stream),
        // Another process was faster, perhaps with other limits: its stream stands.
        Err(created) => context
            .get_stream(&name)
            .await
            .map_err(|_| fail("create stream", &created)),
    }
}

/// An event's or provider's name as a token of a subject: dots become `_`, as does every
/// character outside `[A-Za-z0-9_-]`; `unknown` when nothing is left; at most 100 bytes.
#[must_use]
pub fn token(name: &str) -> String {
    // Collected, it would grow step by step.
    let mut token = String::with_capacity(name.len().min(TOKEN));
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    token.extend(name.chars().take(TOKEN).map(word));
    if token.is_empty() {
        "unknown".clone_into(&mut token);
    }
    token
}

/// Provider and event of a webhook's subject. `None` when the subject is not of the form
/// `webhook.<provider>.<event>`.
#[must_use]
pub fn parts(subject: &str) -> Option<(&str, &str)> {
    let (provider, event) = subject
        .strip_prefix(SUBJECT_PREFIX)?
        .strip_prefix('.')?
        .split_once('.')?;
    (!provider.is_empty() && !event.is_empty() && !event.contains('.')).then_some((provider, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_one_token() {
        assert_eq!(token("message.finalized"), "message_finalized");
        assert_eq!(token("email-sent_2"), "email-sent_2");
        assert_eq!(token("a b>*.é"), "a_b____");
        assert_eq!(token(""), "unknown");
        assert_eq!(token(&"x".repeat(500)).len(), TOKEN);
    }

    #[test]
    fn a_subject_gives_its_provider_and_event_back() {
        assert_eq!(parts("webhook.telnyx.message_sent"), Some(("telnyx", "message_sent")));
        for other in [
            "webhook.telnyx",
            "webhook..x",
            "webhook.a.b.c",
            "dlq.webhook.a.b",
            "webhooks.a.b",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_token_never_changes_the_shape_of_a_subject(provider in ".{0,20}", event in ".{0,200}") {
            let subject = format!("{SUBJECT_PREFIX}.{}.{}", token(&provider), token(&event));
            let (p, e) = parts(&subject).unwrap();
            proptest::prop_assert_eq!(p, token(&provider));
            proptest::prop_assert_eq!(e, token(&event));
            proptest::prop_assert!(!subject.contains(['*', '>', ' ', '\t']));
        }
    }
}
