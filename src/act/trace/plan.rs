//! How a webhook is found again: checked before anything is sent.

use std::time::Duration;

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::base::secret::Redactor;
use crate::base::sql::one_select;
use crate::base::text;
use crate::config::{NatsLink, Pipeline, PostgresLink, Profile, TraceSettings};
use crate::sample::Stored;

/// Finds the row of the reference schema.
const QUERY: &str = "SELECT processed_at FROM webhook_events WHERE webhook_id = $1";

/// Where the reference gateway says the stream sequence.
const SEQUENCE: &str = "$.sequence";

/// How long the whole way may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Headers that commonly hold a webhook's id.
const HEADERS: [&str; 5] = ["X-Webhook-Id", "Nats-Msg-Id", "webhook-id", "svix-id", "X-Event-Id"];

/// Why nothing can be followed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TraceError {
    /// Neither NATS nor Postgres.
    #[error("trace: neither NATS nor Postgres is configured → give --nats and --stream, --postgres, or a --profile")]
    Nothing,
    /// NATS, but which stream?
    #[error("trace: no stream is named → give --stream, or set pipeline.stream in the profile")]
    NoStream,
    /// A path that is none.
    #[error("fire.trace.{key}: {reason} → give a JSONPath like $.data.id")]
    Path {
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A query that changes something, or several of them.
    #[error("fire.trace.query: {0} → give one SELECT that returns a row once the webhook is written")]
    Query(&'static str),
    /// The shot could not be fired.
    #[error(transparent)]
    Fire(std::sync::Arc<crate::act::fire::FireError>),
}

/// How a webhook is followed.
#[derive(Clone, Debug)]
pub struct TracePlan {
    pub(super) nats: Option<NatsLink>,
    pub(super) pipeline: Pipeline,
    pub(super) postgres: Option<PostgresLink>,
    pub(super) finder: Finder,
    pub(super) sequence: JsonPath,
    pub(super) query: String,
    pub(super) within: Duration,
    pub(super) redactor: Redactor,
}

impl TracePlan {
    /// What a profile says of it; what it does not say has the reference pipeline's form.
    ///
    /// # Errors
    /// When there is nothing to look at, or a path or the query makes no sense.
    pub fn of(profile: &Profile) -> Result<Self, TraceError> {
        let TraceSettings {
            header,
            path,
            sequence,
            query,
            within,
        } = &profile.fire.trace;
        if profile.nats.is_none() && profile.postgres.is_none() {
            return Err(TraceError::Nothing);
        }
        if profile.nats.is_some() && profile.pipeline.stream.is_none() {
            return Err(TraceError::NoStream);
        }
        let query = query.as_deref().unwrap_or(QUERY);
        one_select(query).map_err(TraceError::Query)?;
        Ok(Self {
            nats: profile.nats.clone(),
            pipeline: profile.pipeline.clone(),
            postgres: profile.postgres.clone(),
            finder: Finder {
                header: header.clone(),
                path: path.as_deref().map(|path| parse("path", path)).transpose()?,
            },
            sequence: parse("sequence", sequence.as_deref().unwrap_or(SEQUENCE))?,
            query: query.trim_end_matches([';', ' ', '\n']).to_owned(),
            within: within.unwrap_or(WITHIN),
            redactor: profile.redactor.clone(),
        })
    }

    /// Whether rows are looked for as the reference schema has them.
    pub(super) fn is_reference(&self) -> bool {
        self.query == QUERY
    }

    /// How long the whole way may take.
    #[must_use]
    pub fn within(&self) -> Duration {
        self.within
    }
}

fn parse(key: &'static str, path: &str) -> Result<JsonPath, TraceError> {
    JsonPath::parse(path).map_err(|error| TraceError::Path {
        key,
        reason: text::safe(&error.to_string()).into_owned(),
    })
}

/// Tells a webhook's message from others.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    header: Option<String>,
    path: Option<JsonPath>,
}

impl Finder {
    /// The value by which a message is that of the webhook `id`: a header's or a payload's, whole
    /// or after a prefix of the gateway's. `None`: it is another's.
    pub(super) fn key(&self, message: &Stored, id: &str) -> Option<String> {
        if let Some(name) = &self.header {
            return header(message, name)
                .filter(|value| is_id(value, id))
                .map(ToOwned::to_owned);
        }
        if let Some(path) = &self.path {
            let payload: Value = serde_json::from_slice(&message.payload).ok()?;
            let found = path.query(&payload).all();
            let values = found.into_iter().map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            return values.into_iter().find(|value| is_id(value, id));
        }
        let in_header = HEADERS
            .iter()
            .filter_map(|name| header(message, name))
            .find(|value| is_id(value, id));
        if let Some(value) = in_header {
            return Some(value.to_owned());
        }
        // Ids are long and random: a payload that holds one is its webhook's.
        let is_inside = id.len() >= 8 && memchr::memmem::find(&message.payload, id.as_bytes()).is_some();
        is_inside.then(|| id.to_owned())
    }
}

/// The first header of a name, without blanks around it.
fn header<'a>(message: &'a Stored, name: &str) -> Option<&'a str> {
    message.header(name).map(|value| value.trim())
}

/// Whether a value is the id, whole or after a prefix.
fn is_id(value: &str, id: &str) -> bool {
    let prefix = value.strip_suffix(id);
    prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(|c: char| !c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &[(&str, &str)], payload: &str) -> Stored {
        Stored {
            sequence: 1,
            subject: "webhooks.x".into(),
            headers: headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            payload: payload.to_owned().into(),
            at: None,
        }
    }

    fn finder(header: Option<&str>, path: Option<&str>) -> Finder {
        Finder {
            header: header.map(ToOwned::to_owned),
            path: path.map(|path| parse("path", path).unwrap()),
        }
    }

    #[test]
    fn a_message_is_known_by_its_header_whole_or_after_a_prefix() {
        let known = finder(None, None);
        let of = |value: &str| known.key(&message(&[("x-webhook-id", value)], ""), "abc-123");
        assert_eq!(of("telnyx-abc-123").as_deref(), Some("telnyx-abc-123"));
        assert_eq!(of("abc-123").as_deref(), Some("abc-123"));
        assert_eq!(of("xabc-123"), None);
        let own = finder(Some("My-Id"), None);
        assert_eq!(
            own.key(&message(&[("X-Webhook-Id", "abc-123")], "abc-123"), "abc-123"),
            None
        );
        assert!(own.key(&message(&[("my-id", "abc-123")], ""), "abc-123").is_some());
    }

    #[test]
    fn a_message_is_known_by_a_path_in_its_payload_or_by_the_id_within_it() {
        let by_path = finder(None, Some("$.data.id"));
        assert!(
            by_path
                .key(&message(&[], r#"{"data":{"id":"abc-123"}}"#), "abc-123")
                .is_some()
        );
        assert_eq!(by_path.key(&message(&[], r#"{"other":"abc-123"}"#), "abc-123"), None);
        let plain = finder(None, None);
        assert_eq!(
            plain.key(&message(&[], "…abc-12345…"), "abc-12345").as_deref(),
            Some("abc-12345")
        );
        assert_eq!(
            plain.key(&message(&[], "a 1 b"), "1"),
            None,
            "too short to mean anything"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_sent() {
        let mut profile = Profile::empty("p");
        assert!(matches!(TracePlan::of(&profile), Err(TraceError::Nothing)));
        profile.postgres = Some(PostgresLink {
            url: "postgres://h/d".to_owned().into(),
            shown: String::new(),
            statement_timeout: WITHIN,
            pool: 1,
        });
        assert!(TracePlan::of(&profile).is_ok());
        for query in ["DELETE FROM x", "SELECT 1; DROP TABLE x"] {
            profile.fire.trace.query = Some(query.to_owned());
            assert!(matches!(TracePlan::of(&profile), Err(TraceError::Query(_))), "{query}");
        }
        profile.fire.trace.query = None;
        profile.fire.trace.path = Some("data.id".to_owned());
        let error = TracePlan::of(&profile).unwrap_err().to_string();
        assert!(error.contains("fire.trace.path") && error.contains(" → "), "{error}");
    }
}
