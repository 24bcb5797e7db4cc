//! What the journal says, a record a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::config::LetterHeaders;

/// The first 16 bytes of a SHA-256 in hex: of a payload, or of what names a publish.
pub type Hash = Arc<str>;

/// What a replay is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Its id.
    pub replay: Arc<str>,
    /// The profile's name.
    pub profile: Arc<str>,
    /// The stream that the letters lie in.
    pub dlq: Arc<str>,
    /// When that stream was created.
    pub dlq_created: Timestamp,
    /// The last sequence there when the replay began: what lies above may be letters of its own.
    pub dlq_last_seq: u64,
    /// Who: `user@host`.
    pub who: Arc<str>,
    /// Which letters, as they were asked for.
    pub filter: String,
    /// Why.
    pub reason: Option<String>,
    /// The confirmed plan's hash.
    pub plan: Hash,
    /// How many letters were selected.
    pub count: u64,
    /// How it is done.
    pub how: How,
}

/// How letters are replayed. Part of the plan, and what a resume goes by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct How {
    /// What becomes of them.
    pub purpose: Purpose,
    /// To this subject instead of each letter's own.
    pub to_subject: Option<Arc<str>>,
    /// Letters a second at most; `None`: unpaced.
    pub rate: Option<f64>,
    /// Letters that go first and are followed to their end before the others; 0: none.
    pub canary: u64,
    /// Letters in a window at most.
    pub window: usize,
    /// Whether a letter waits until the one before it under the same subject has landed.
    pub ordered: bool,
    /// Whether the workers take a webhook twice without doing harm.
    pub idempotent_workers: bool,
    /// Another payload, for the one letter of an edited replay, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// To this gateway instead of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_url: Option<Arc<str>>,
    /// Signed anew by this scheme. The key is asked for again at a resume: it is written nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<Arc<str>>,
    /// They are parked in their own stream, given up by this consumer; `None`: copies in a DLQ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<GivenUpBy>,
    /// Configured headers, which are the DLQ's and not the webhook's.
    #[serde(default, skip_serializing_if = "LetterHeaders::is_empty")]
    pub headers: LetterHeaders,
}

/// The consumer that gave messages up. Another one of its name would deliver them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUpBy {
    /// Its name.
    pub consumer: Arc<str>,
    /// When it was created.
    pub created: Timestamp,
}

impl Default for How {
    fn default() -> Self {
        Self {
            purpose: Purpose::Replay,
            to_subject: None,
            rate: None,
            canary: 1,
            window: MOST_IN_A_WINDOW,
            ordered: false,
            idempotent_workers: false,
            payload: None,
            to_url: None,
            sign: None,
            parked: None,
            headers: LetterHeaders::default(),
        }
    }
}

/// Letters in a window at most: so many may be in doubt after a crash.
pub const MOST_IN_A_WINDOW: usize = 256;

/// What becomes of the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// They are processed again.
    Replay,
    /// They are put aside, their own headers kept.
    Archive,
}

impl Purpose {
    /// What the action is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Archive => "archive",
        }
    }
}

/// A target stream as it stood before a window was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetMark {
    /// When it was created.
    pub created: Timestamp,
    /// Its last sequence: what the window stored lies above.
    pub last_seq: u64,
    /// Its leader, in a cluster.
    pub leader: Option<String>,
}

/// What was known when a window was about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its number, from 1.
    pub window: u64,
    /// Letters in it.
    pub letters: u64,
    /// The server that we were connected to: changes at every restart.
    pub server_id: String,
    /// Who sends it: `user@host`. Another machine's clock is not ours.
    pub who: Arc<str>,
    /// How old it was, by the server's clock, when another operator took it over, milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub age_ms: u64,
    /// The streams that it goes to.
    pub targets: BTreeMap<Arc<str>, TargetMark>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A letter that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its window.
    pub window: u64,
    /// Its sequence in the DLQ.
    pub letter: u64,
    /// The hash of its payload as it lies in the DLQ.
    pub hash: Hash,
    /// Its message id, and its replay id.
    pub id: Hash,
    /// Where it goes.
    pub subject: Arc<str>,
    /// The stream that takes that subject.
    pub stream: Arc<str>,
}

/// How a letter in doubt is settled, by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// Sent again under the same id.
    Resend,
    /// Left where it is.
    Keep,
    /// Moved to the archive.
    Drop,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every letter is settled.
    Done,
    /// Some letters were refused or left in doubt.
    Partial,
    /// A person ended it.
    Cancelled,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The first.
    Begin(Box<Begin>),
    /// The frozen selection, or a part of it.
    Selected {
        /// Where they go: subjects, each with the stream that takes it.
        targets: Vec<(Arc<str>, Arc<str>)>,
        /// The letters, in the order in which they go: sequence, payload hash, index of the target.
        letters: Vec<(u64, Hash, usize)>,
    },
    /// A letter is about to be sent.
    Intent(Intent),
    /// The window is complete. Nothing of it is sent before this line is on disk.
    Window(Window),
    /// A letter is stored in its target.
    Landed {
        /// Its sequence in the DLQ.
        letter: u64,
        /// Its sequence in the target; `None`: it was found by its consequences.
        stored: Option<u64>,
        /// Whether the server had it already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    },
    /// The server did not take it: it was not stored.
    Refused {
        /// Its sequence in the DLQ.
        letter: u64,
        /// What the server said.
        reason: String,
    },
    /// Nobody can know whether it was stored.
    Doubt {
        /// Its sequence in the DLQ.
        letter: u64,
        /// Why.
        reason: String,
    },
    /// A person settled a doubt.
    Settled {
        /// Its sequence in the DLQ.
        letter: u64,
        /// How.
        settlement: Settlement,
    },
    /// It was no longer there, or another payload was, when its turn came.
    Gone {
        /// Its sequence in the DLQ.
        letter: u64,
    },
    /// Letters that landed are deleted from the DLQ.
    Deleted {
        /// Their sequences in the DLQ.
        letters: Vec<u64>,
    },
    /// The last.
    End {
        /// How it ended.
        outcome: Outcome,
    },
}

/// A record and when it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By our own clock.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}
