//! `hookwatch snapshot`: one reading of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use super::contract::contract;
use super::dlq::browse::{BrowseError, Browser};
use super::json;
use super::observe::{observe, unanswered, unreadable};
use super::record::record;
use super::summary::summary;
use crate::base::time::SharedClock;
use crate::config::Profile;
use crate::model::View;
use crate::model::letters::{GroupBy, LetterFilter};
use crate::record::{Progress, Recording};
use crate::sample::SourceId;
use crate::session::{PlaybackError, Session, Tap, source_ids, state_at};

/// What was seen of a profile in a while, and who did not answer.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What was seen.
    pub view: View,
    /// Configured sources that do not answer.
    pub unanswered: Vec<SourceId>,
}

impl Snapshot {
    /// Watches `profile` for `wait`.
    pub async fn take(profile: &Profile, clock: &SharedClock, wait: Duration) -> Self {
        let model = observe(Session::live(profile, clock), clock, wait).await;
        let view = model.view().clone();
        Self {
            unanswered: unanswered(&view, &source_ids(profile)),
            view,
        }
    }

    /// Reads every dead letter besides, and groups them by cause.
    ///
    /// # Errors
    /// When there is no dead letter stream, or it cannot be read.
    pub async fn group_letters(&mut self, profile: &Profile, clock: &SharedClock) -> Result<(), BrowseError> {
        let browser = Browser::open(profile, clock).await?;
        let groups = browser.grouped(&LetterFilter::default(), GroupBy::Cause).await?;
        self.view.letter_groups = Some(groups.sorted().into());
        Ok(())
    }

    /// The same, and what the sources see is recorded by `tap` meanwhile.
    pub async fn record(
        profile: &Profile,
        session: Session,
        tap: Tap,
        clock: &SharedClock,
        wait: Duration,
    ) -> (Self, Progress) {
        let mut view = View::empty(&profile.name, session.started);
        let each = |newest: &View| view.clone_from(newest);
        let progress = record(session, tap, clock, tokio::time::sleep(wait), each).await;
        let unanswered = unanswered(&view, &source_ids(profile));
        (Self { view, unanswered }, progress)
    }

    /// The last reading of a recording.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub fn of_recording(recording: Recording) -> Result<Self, PlaybackError> {
        let (_, end) = recording.span();
        let model = state_at(&Arc::new(recording), end)?;
        Ok(Self {
            view: model.view().clone(),
            unanswered: Vec::new(),
        })
    }

    /// As JSON on one line, by the contract. A snapshot can change nothing, so it is
    /// read-only whatever the profile allows.
    ///
    /// # Errors
    /// None that is known: every value of the contract can be written as JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        json::line(&contract(&self.view, true))
    }

    /// As text for a person, in plain characters without colours.
    #[must_use]
    pub fn text(&self) -> String {
        summary(&self.view)
    }

    /// 0 when every configured source can be read, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.unanswered.is_empty() || unreadable(&self.view).next().is_some())
    }
}
