//! What is kept between runs: theme, range, sort and columns of tables, what was typed.
//! Plain data in and out; [`run`](super::run) reads and writes the file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::widget::grid::Sort;
use crate::base::time::{Timestamp, since};
use crate::model::{Answer, Hush};

/// For how long after a run what it acknowledged still counts.
const ACKNOWLEDGED: Duration = Duration::from_mins(10);

/// Lines of the palette that are kept.
pub const TYPED: usize = 100;

/// A table's choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptTable {
    /// The sort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// Columns that are shown or hidden against the table's own choice.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, bool>,
}

/// What somebody answered a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The profile.
    pub profile: String,
    /// The rule.
    pub id: String,
    /// What the verdict is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it last counted: an acknowledgement of long ago is of another incident.
    pub seen: Timestamp,
    /// The answer.
    pub hush: Hush,
}

impl KeptAnswer {
    /// Keeps a profile's answer.
    #[must_use]
    pub fn of(profile: &str, answer: &Answer, seen: Timestamp) -> Self {
        Self {
            profile: profile.to_owned(),
            id: answer.id.to_string(),
            subject: answer.subject.as_deref().map(str::to_owned),
            seen,
            hush: answer.hush,
        }
    }

    /// The answer, where it is one of this profile and may still count.
    #[must_use]
    pub fn answer(&self, profile: &str, now: Timestamp) -> Option<Answer> {
        let counts = match self.hush {
            Hush::Silenced { until } => until > now,
            Hush::Acknowledged { .. } => since(self.seen, now) <= ACKNOWLEDGED,
        };
        (counts && self.profile == profile).then(|| Answer {
            id: self.id.as_str().into(),
            subject: self.subject.as_deref().map(Into::into),
            hush: self.hush,
        })
    }
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The theme, where it was chosen with a key or in the palette.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// How far charts reach back, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_s: Option<u64>,
    /// Lines typed in the palette, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub typed: Vec<String>,
    /// The tables, by their panels' names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, KeptTable>,
    /// Verdicts that were acknowledged or silenced, of every profile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<KeptAnswer>,
}

impl Kept {
    /// Reads it. What this version does not know is left alone.
    ///
    /// # Errors
    /// Says where the text stops making sense.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })
    }

    /// Writes it.
    #[must_use]
    pub fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let kept = Kept {
            theme: Some("light".to_owned()),
            range_s: Some(300),
            typed: vec!["sort pending".to_owned(), "theme \"x\"".to_owned()],
            tables: BTreeMap::from([(
                "queues.list".to_owned(),
                KeptTable {
                    sort: Some(Sort {
                        column: "ack pending".to_owned(),
                        down: true,
                    }),
                    columns: BTreeMap::from([("leader".to_owned(), true)]),
                },
            )]),
            answers: vec![KeptAnswer {
                profile: "production".to_owned(),
                id: "stalled".to_owned(),
                subject: Some("webhooks/workers".to_owned()),
                seen: Timestamp::UNIX_EPOCH,
                hush: Hush::Silenced {
                    until: Timestamp::UNIX_EPOCH + Duration::from_hours(1),
                },
            }],
        };
        assert_eq!(Kept::parse(&kept.text()), Ok(kept));
        assert_eq!(Kept::parse(""), Ok(Kept::default()));
        assert_eq!(Kept::parse("later = 1\n"), Ok(Kept::default()));
    }

    #[test]
    fn an_answer_counts_for_its_profile_and_its_time() {
        let at = |minutes: u64| Timestamp::UNIX_EPOCH + Duration::from_mins(minutes);
        let kept = |hush| KeptAnswer {
            profile: "a".to_owned(),
            id: "stalled".to_owned(),
            subject: None,
            seen: at(5),
            hush,
        };
        let silenced = kept(Hush::Silenced { until: at(60) });
        assert!(silenced.answer("a", at(59)).is_some());
        assert_eq!(silenced.answer("b", at(59)), None);
        assert_eq!(silenced.answer("a", at(61)), None);
        let acknowledged = kept(Hush::Acknowledged { at: at(1) });
        assert!(acknowledged.answer("a", at(14)).is_some());
        assert_eq!(acknowledged.answer("a", at(16)), None, "of another incident");
    }

    #[test]
    fn a_broken_file_says_where() {
        let error = Kept::parse("theme = \"dark\"\nrange_s = \"long\"\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
