//! Who knows whether a webhook was processed: a query that a person configured. It is asked in
//! read-only transactions, and only its yes is believed: a no may come too early.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::database::Rows;
use super::exchange::Stored;
use crate::config::{PostgresLink, Profile};
use crate::model::letters;

/// How long connecting and any answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A query, and where a letter says the id that it asks for.
#[derive(Clone, Debug)]
pub struct Oracle {
    postgres: Option<PostgresLink>,
    query: String,
    header: Option<String>,
    path: Option<JsonPath>,
}

impl Oracle {
    /// What a profile says of it; `None`: it has no such query.
    #[must_use]
    pub fn of(profile: &Profile) -> Option<Self> {
        let settings = &profile.dead_letters;
        Some(Self {
            postgres: profile.postgres.clone(),
            query: settings.processed.clone()?,
            header: settings.id_header.clone(),
            // The configuration has checked it.
            path: settings.id_path.as_deref().and_then(|path| JsonPath::parse(path).ok()),
        })
    }

    /// Which of these letters, each with the id of its replay's message, were processed.
    ///
    /// # Errors
    /// Why it cannot be asked, in one safe line.
    pub(super) async fn ask(&self, letters: &[(Stored, &str)]) -> Result<BTreeSet<u64>, String> {
        let postgres = self.postgres.as_ref().ok_or("no Postgres is configured")?;
        let mut rows = Rows::open(postgres, &self.query, ANSWER).await?;
        let mut processed = BTreeSet::new();
        for (letter, replay) in letters {
            if let Some(id) = self.id(letter)
                && rows.is_known(&id, replay).await?
            {
                processed.insert(letter.sequence);
            }
        }
        Ok(processed)
    }

    /// The id of a letter's webhook.
    fn id(&self, letter: &Stored) -> Option<String> {
        if let Some(name) = &self.header {
            return letter.header(name).map(ToString::to_string);
        }
        if let Some(path) = &self.path {
            let payload: Value = serde_json::from_slice(&letter.payload).ok()?;
            return match path.query(&payload).first()? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
        }
        letters::webhook_id(&letter.headers).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_id_is_where_the_profile_says() {
        let letter = Stored {
            sequence: 1,
            subject: "a".into(),
            headers: vec![("webhook-id".into(), "usual".into()), ("X-Own".into(), "own".into())],
            payload: bytes::Bytes::from_static(br#"{"data":{"id":17}}"#),
            at: None,
        };
        let mut profile = Profile::empty("p");
        assert!(Oracle::of(&profile).is_none());
        profile.dead_letters.processed = Some("SELECT $1".to_owned());
        let id = |profile: &Profile| Oracle::of(profile).unwrap().id(&letter);
        assert_eq!(id(&profile).as_deref(), Some("usual"));
        profile.dead_letters.id_path = Some("$.data.id".to_owned());
        assert_eq!(id(&profile).as_deref(), Some("17"));
        profile.dead_letters.id_header = Some("x-own".to_owned());
        assert_eq!(id(&profile).as_deref(), Some("own"));
        profile.dead_letters.id_header = Some("X-Missing".to_owned());
        assert_eq!(id(&profile), None, "another id is not asked for");
    }
}
