//! What a console asks about dead letters, what it orders, and what it is told. Plain data.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::calls::{CallPlan, CallReport};
use super::journal::Purpose;
use super::lease::Claim;
use super::permit::Write;
use super::plan::Plan;
use super::replay::{Progress, Report, Steering};
use crate::base::time::Timestamp;
use crate::model::letters::{Group, GroupBy, LetterFilter, LetterRow};
use crate::sample::{LetterForm, LetterOrigin, Stored};

/// Which part of the screen a question is of: of each part, the latest question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The list.
    List,
    /// The groups.
    Groups,
    /// The letter that is open.
    Letter,
    /// Other letters of the webhook that is open.
    Kin,
    /// Who else is at work, and what was left unfinished.
    Standing,
    /// The plan that is drawn.
    Plan,
    /// A file that is written.
    Export,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Letters of a page.
    Page(Page),
    /// Letters that a filter means, as they are found.
    Search {
        /// In which form they are.
        form: LetterForm,
        /// Which.
        filter: LetterFilter,
        /// Whether the oldest come first.
        oldest_first: bool,
        /// Letters that are wanted; the others are counted.
        most: usize,
    },
    /// How many there are of each kind.
    Groups {
        /// In which form they are.
        form: LetterForm,
        /// By what.
        by: GroupBy,
        /// Of which letters.
        filter: LetterFilter,
    },
    /// One letter with everything that is known of it.
    Letter(LetterForm, u64),
    /// Every letter of the webhook with this id.
    Kin(LetterForm, Arc<str>),
    /// Who else is at work on letters of this form, and what was left unfinished.
    Standing(LetterForm),
    /// What a replay would do.
    Plan(Box<Wish>),
    /// How failed calls of the queue in Postgres would be put back: which of them.
    PlanCalls(BTreeSet<Arc<str>>),
    /// Writes letters to a new file, a JSON object a line.
    Export {
        /// In which form they are.
        form: LetterForm,
        /// Which.
        filter: LetterFilter,
        /// The file.
        file: Arc<str>,
    },
}

impl Query {
    /// Which part of the screen it is of.
    #[must_use]
    pub fn slot(&self) -> Slot {
        match self {
            Self::Page(_) | Self::Search { .. } => Slot::List,
            Self::Groups { .. } => Slot::Groups,
            Self::Letter(..) => Slot::Letter,
            Self::Kin(..) => Slot::Kin,
            Self::Standing(_) => Slot::Standing,
            Self::Plan(_) | Self::PlanCalls(_) => Slot::Plan,
            Self::Export { .. } => Slot::Export,
        }
    }
}

/// A page of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Whether it goes from old to new.
    pub upwards: bool,
    /// The sequence that it begins with; `None`: the end that it comes from.
    pub from: Option<u64>,
    /// Letters at most.
    pub most: u64,
}

/// What is to be replayed, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// In which form they are: copies in the dead letter stream, or parked in the source stream.
    pub form: LetterForm,
    /// Which letters.
    pub filter: LetterFilter,
    /// What for.
    pub purpose: Purpose,
    /// Where they go.
    pub to: Destination,
    /// Whose key signs them anew; `None`: the signatures stay.
    pub sign: Option<SignAs>,
    /// Another payload, for one letter.
    pub payload: Option<Bytes>,
    /// Letters a second; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Letters that go first and are followed to their end; 0: none.
    pub canary: u64,
    /// Whether the order under a subject is kept.
    pub ordered: bool,
}

/// Where letters go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Each to the subject that it came from.
    #[default]
    Own,
    /// All to this subject.
    Subject(Arc<str>),
    /// To the gateway at this URL instead of a stream.
    Gateway(Arc<str>),
}

/// A key of the profile that letters can be signed with, and how. The key itself is read when it
/// is needed, and told to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignAs {
    /// Whose key it is.
    pub provider: Arc<str>,
    /// The scheme.
    pub scheme: Arc<str>,
}

/// An order: something that is done once it was confirmed.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Do what a plan holds.
    Replay {
        /// The plan.
        plan: Arc<Plan>,
        /// Whose key signs the letters anew.
        sign: Option<SignAs>,
        /// What was confirmed.
        said: Said,
    },
    /// Put failed calls back.
    Retry {
        /// The plan.
        plan: Arc<CallPlan>,
        /// What was confirmed.
        said: Said,
    },
    /// Go on with what was left unfinished.
    Resume {
        /// The stream.
        dlq: Arc<str>,
        /// The holder's name, typed, to go on in another's place.
        take_over: Option<String>,
        /// What was confirmed.
        said: Said,
    },
}

/// What a person said, and whether changes were unlocked then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The count.
    pub count: u64,
    /// The protected profile's name.
    pub profile: Option<String>,
    /// The host that letters go to, where it is neither this machine nor listed.
    pub host: Option<String>,
    /// Why, for the audit log.
    pub reason: Option<String>,
    /// The lock.
    pub write: Write,
}

/// What a console wants of whoever reads and replays letters.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// An answer; the number is in it. An earlier question of the same slot is dropped.
    Ask(u64, Query),
    /// No answer any more.
    Drop(Slot),
    /// Something done.
    Perform(Order),
    /// Something of the replay that runs.
    Steer(Steering),
}

/// A part of an answer, or news of what was ordered.
#[derive(Clone, Debug)]
pub enum Told {
    /// To a question.
    Answer(u64, Answer),
    /// How what was ordered goes.
    Progress(Box<Progress>),
    /// What it did, or why it did not.
    Ended(Result<Box<Report>, String>),
    /// What became of failed calls that were put back, or why none was.
    Retried(Result<CallReport, String>),
}

/// An answer, or a part of one.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Letters of a page, in its direction.
    Page {
        /// The letters.
        rows: Vec<LetterRow>,
        /// Whether more follow.
        more: bool,
        /// Letters in the stream.
        total: u64,
    },
    /// Letters that were found, and how far the search is.
    Found {
        /// Letters that are shown.
        rows: Vec<LetterRow>,
        /// How far it is.
        scan: Scanned,
    },
    /// The groups so far.
    Groups {
        /// The largest groups.
        groups: Vec<Group>,
        /// Letters of groups that are not kept.
        left_out: u64,
        /// How far it is.
        scan: Scanned,
    },
    /// One letter.
    Letter(Option<Box<Opened>>),
    /// Letters of one webhook, the newest first, as they are found.
    Kin {
        /// The letters.
        rows: Vec<LetterRow>,
        /// How far the search is.
        scan: Scanned,
    },
    /// Who else is at work, and what was left unfinished.
    Standing(Standing),
    /// How far the selection is.
    Planning(Scanned),
    /// What a replay would do.
    Planned {
        /// The plan.
        plan: Arc<Plan>,
        /// The payload of the only letter, to be edited.
        payload: Option<Bytes>,
        /// Who else is at work, and what was left unfinished.
        standing: Standing,
    },
    /// How failed calls would be put back.
    CallsPlanned(Arc<CallPlan>),
    /// Letters that were written so far.
    Exported {
        /// The file.
        file: Arc<str>,
        /// How far it is.
        scan: Scanned,
    },
    /// Why there is none.
    Failed(String),
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Sequences that were looked at.
    pub looked_at: u64,
    /// Sequences to look at.
    pub span: u64,
    /// Letters that were found.
    pub found: u64,
    /// Whether that was all.
    pub done: bool,
}

/// One letter and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The letter.
    pub letter: Stored,
    /// In which form it is.
    pub form: LetterForm,
    /// Where it came from.
    pub origin: LetterOrigin,
    /// Replays that it was in, oldest first: when they began, and what became of it.
    pub replays: Vec<(Timestamp, String)>,
}

/// Who else is at work, and what was left unfinished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the lease says, unless it is free.
    pub claim: Option<Box<Claim>>,
    /// Whether that is ours.
    pub ours: bool,
    /// Letters that landed and letters in all of a journal of ours without an end.
    pub unfinished: Option<(u64, u64)>,
}

/// For how long changes are unlocked.
pub const UNLOCKED: Duration = Duration::from_mins(15);
