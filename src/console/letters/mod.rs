//! What the console knows of dead letters: the part of the list that is here, the groups, the open
//! letter, the replay. All of it is answers to questions that `follow` asks.

mod choose;
mod commands;
mod fill;
mod follow;
pub mod form;
mod lock;
mod plan;
mod steer;
mod told;
mod words;

pub(super) use words::{rows as plan_rows, share};

use std::sync::Arc;
use std::time::Duration;

use crate::act::calls::CallReport;
use crate::act::fire::Library;
use crate::act::keys;
use crate::act::letters::{Opened, Scanned, SignAs, Standing};
use crate::act::permit::{Gate, Write};
use crate::act::replay::{Progress, Report};
use crate::base::text;
use crate::base::time::Timestamp;
use crate::config::Profile;
use crate::model::letters::payload::Look;
use crate::model::letters::{Group, GroupBy, LetterFilter, LetterRow};
use crate::sample::LetterForm;

/// Letters of a page.
pub(super) const PAGE: usize = 256;

/// Letters that are kept of those that were read: what was scrolled past is read again.
pub(super) const KEPT: usize = 4_096;

/// Letters that a search shows; the others are counted.
pub(super) const FOUND: usize = 5_000;

/// Up to so many letters are grouped without being asked to.
pub(super) const UNASKED: f64 = 100_000.0;

/// Rates that a replay can have, letters a second; the last one is as fast as it goes.
pub(super) const PACES: [Option<f64>; 6] = [Some(1.0), Some(10.0), Some(50.0), Some(200.0), Some(1_000.0), None];

/// Who may change something, as far as the console goes. The permit itself is given elsewhere.
#[derive(Clone, Debug)]
pub struct Office {
    pub(super) profile: Profile,
    /// Keys that letters can be signed with.
    pub(super) keys: Vec<SignAs>,
}

impl Office {
    /// That of a profile; templates know how providers sign.
    #[must_use]
    pub fn new(profile: &Profile, library: &Library) -> Self {
        Self {
            profile: profile.clone(),
            keys: keys::keys(&profile.fire, library),
        }
    }

    fn gate(&self, write: Write) -> Gate {
        Gate::new(&self.profile, write)
    }
}

/// What is known of dead letters.
#[derive(Clone, Debug)]
pub struct Letters {
    /// The number of the last question.
    asked: u64,
    /// The list.
    pub list: List,
    /// The groups.
    pub groups: GroupList,
    /// The letter that is open.
    pub opened: Option<Open>,
    /// How the payload is shown.
    pub look: Look,
    /// Who else is at work, and what was left unfinished.
    pub standing: Standing,
    /// The question after it, 0 once it was answered, when it was asked, and of which form.
    standing_asked: Option<(u64, Duration, LetterForm)>,
    /// The replay.
    pub deed: Deed,
    /// Until when changes are unlocked, time since session start.
    pub unlocked: Option<Duration>,
    /// The rate of the next replay: a place in `PACES`.
    pub pace: usize,
    /// The file that is written.
    pub export: Option<Export>,
}

impl Default for Letters {
    fn default() -> Self {
        Self {
            asked: 0,
            list: List::default(),
            groups: GroupList::default(),
            opened: None,
            look: Look::default(),
            standing: Standing::default(),
            standing_asked: None,
            deed: Deed::None,
            unlocked: None,
            pace: 2,
            export: None,
        }
    }
}

impl Letters {
    /// Letters a second of the next replay; `None`: as fast as it goes.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        PACES[self.pace]
    }

    /// Letters in the stream, as the figures say.
    #[must_use]
    pub fn dead(&self, figure: Option<f64>) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of messages"
        )]
        figure.filter(|dead| *dead >= 0.0).map(|dead| dead as u64)
    }

    fn number(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }
}

/// What the list shows: every part of it makes it another list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What was typed.
    pub typed: String,
    /// The group that it is narrowed to.
    pub group: Option<(GroupBy, Arc<str>)>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// Another form than copies.
    pub other: Option<LetterForm>,
}

impl Shown {
    /// In which form they are.
    #[must_use]
    pub fn form(&self) -> LetterForm {
        self.other.unwrap_or(LetterForm::Copy)
    }

    /// Which letters that means.
    ///
    /// # Errors
    /// What cannot be read of what was typed.
    pub fn filter(&self, now: Timestamp) -> Result<LetterFilter, String> {
        let mut filter = LetterFilter::parse(&self.typed, now)?;
        if self.group.is_some() {
            filter.group.clone_from(&self.group);
        }
        Ok(filter)
    }
}

/// The part of the list that is here.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// What is wanted.
    pub wanted: Shown,
    /// What was asked for last, and the filter that it means.
    shown: Option<Shown>,
    /// The filter that the rows passed, frozen at the time when it was asked for.
    pub filter: LetterFilter,
    /// The letters.
    pub rows: Vec<LetterRow>,
    /// Whether there are letters before the first and after the last.
    pub beyond: (bool, bool),
    /// Letters in the stream.
    pub total: Option<u64>,
    /// How far a search is; `None`: these are pages of everything.
    pub scan: Option<Scanned>,
    /// Whether every letter that the list means is marked.
    pub all_marked: bool,
    /// Why there is nothing, or what cannot be read of the filter.
    pub problem: Option<String>,
    /// What is being read.
    loading: Option<(u64, Part)>,
    /// Whether the rows that are here are of another list.
    stale: bool,
    loaded_at: Duration,
    /// Letters in the stream when the list was asked for, as the figures say.
    dead: Option<f64>,
    /// Whether the end is to be gone to.
    pub(super) jump: Option<Part>,
}

impl List {
    /// Whether something is being read.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// How many letters came (`+12`) or went since the list was read, if the figures say so.
    #[must_use]
    pub fn newer(&self, dead: Option<f64>) -> Option<String> {
        #[expect(clippy::cast_possible_truncation, reason = "messages of a stream are far below 2^53")]
        let change = (dead? - self.dead?) as i64;
        (change != 0 && !self.is_loading()).then(|| text::signed(change))
    }

    /// Whether a search goes on.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        self.loading.is_some_and(|(_, part)| part == Part::Search)
    }
}

/// Which part of the list is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    First,
    After,
    Before,
    Last,
    Search,
    /// The first page again, because letters came or went.
    Again,
}

/// The groups.
#[derive(Clone, Debug, Default)]
pub struct GroupList {
    /// By what.
    pub by: GroupBy,
    /// The largest groups.
    pub rows: Vec<Group>,
    /// Letters of groups that are not kept.
    pub left_out: u64,
    /// How far the scan is; `None`: nobody asked yet.
    pub scan: Option<Scanned>,
    /// Why there are none.
    pub problem: Option<String>,
    /// What was asked for: by what, which letters, in which form.
    shown: Option<(GroupBy, String, LetterForm)>,
    /// Whether somebody asked for it although there are many letters.
    pub(super) forced: bool,
    loading: Option<u64>,
    loaded_at: Duration,
    dead: Option<f64>,
    /// The groups by cause as they were last known: siblings of an open letter.
    pub causes: Option<Vec<Group>>,
}

impl GroupList {
    /// Whether the scan goes on.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }
}

/// The letter that is open.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its key.
    pub key: String,
    /// The letter: not there yet, gone, or what is known of it.
    pub letter: Answered,
    /// The lines of its payload as it is shown.
    pub lines: Vec<String>,
    /// What its payload is, in a word.
    pub kind: &'static str,
    /// Every letter of its webhook, the newest first; `None`: nobody looked.
    pub kin: Option<Kin>,
    asked: u64,
}

/// Letters of one webhook.
#[derive(Clone, Debug, Default)]
pub struct Kin {
    /// The letters, as far as they are found.
    pub rows: Vec<LetterRow>,
    /// How far the search is.
    pub scan: Scanned,
    asked: u64,
}

/// How a question stands.
#[derive(Clone, Debug)]
pub enum Answered {
    /// It is under way.
    Waiting,
    /// There is no such letter any more.
    Gone,
    /// It was answered.
    Here(Box<Opened>),
    /// Why it was not.
    Failed(String),
}

/// How far a replay is.
#[derive(Clone, Debug, Default)]
pub enum Deed {
    /// There is none.
    #[default]
    None,
    /// It runs.
    Running {
        /// What it is called.
        title: String,
        /// How it goes.
        progress: Box<Progress>,
        /// Whether a person paused it.
        paused: bool,
        /// Whether a person ended it.
        cancelled: bool,
    },
    /// It has ended.
    Ended {
        /// What it is called.
        title: String,
        /// What it did, or why it did not.
        end: Result<Box<Report>, String>,
    },
    /// Failed calls are put back.
    Retrying(String),
    /// They were, or why not: what it is called, and what it did.
    Retried(String, Result<CallReport, String>),
    /// There is no plan.
    Refused(String),
}

/// A file that is written.
#[derive(Clone, Debug)]
pub struct Export {
    number: u64,
    /// The file.
    pub file: Arc<str>,
    /// How far it is.
    pub scan: Scanned,
}
