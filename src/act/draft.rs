//! From a filter to a plan: what is selected is frozen, and its targets are looked up.

use super::exchange::{ConnectError, Exchange, ExchangeError};
use super::journal::{Folder, How, Purpose};
use super::parked::{self, ParkedError};
use super::plan::{Plan, PlanError, Selection, archive_of};
use super::search::Place;
use super::select::{self, SelectError};
use crate::base::time::SharedClock;
use crate::config::NatsLink;
use crate::model::letters::{LetterFilter, Origins};
use crate::observe::letters::{LetterError, Mailbox};
use crate::sample::LetterForm;

/// What a plan is wanted of.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Where NATS is.
    pub link: &'a NatsLink,
    /// The stream that the letters lie in.
    pub dlq: &'a str,
    /// Which of them.
    pub filter: &'a LetterFilter,
    /// How it is done.
    pub how: How,
    /// Letters at most.
    pub max: Option<u64>,
    /// Whether an archive that is missing is made; else it is planned as if there was one.
    pub makes_archive: bool,
}

/// Why there is no plan. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server did not answer as it should.
    #[error("ask the server: {0} → check the connection and the rights")]
    Exchange(#[from] ExchangeError),
    /// The letters cannot be read.
    #[error(transparent)]
    Letters(#[from] LetterError),
    /// They cannot be selected.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Parked messages cannot be told from others.
    #[error(transparent)]
    Parked(#[from] ParkedError),
    /// They cannot be sent.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Draft<'_> {
    /// Draws the plan. `progress` is told how many sequences were looked at, and of how many.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn draw(
        self,
        journals: &Folder,
        clock: &SharedClock,
        progress: impl FnMut(u64, u64),
    ) -> Result<Plan, DraftError> {
        let mailbox = Mailbox::open(self.link, self.dlq, clock).await?;
        let exchange = Exchange::connect(self.link, clock).await?;
        let place = Place::new(Origins::new(self.how.headers.clone()));
        let at = (place, LetterForm::Copy);
        let selection = select::select_at(&mailbox, self.filter, at, journals, clock, progress).await?;
        self.finish(&exchange, &selection).await
    }

    /// Draws the plan of messages that are parked in the stream itself, given up by its only
    /// consumer or by the one that is named.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn draw_parked(
        mut self,
        consumer: Option<&str>,
        journals: &Folder,
        clock: &SharedClock,
        progress: impl FnMut(u64, u64),
    ) -> Result<Plan, DraftError> {
        let mailbox = Mailbox::open(self.link, self.dlq, clock).await?;
        let exchange = Exchange::connect(self.link, clock).await?;
        let idle = parked::find(&mailbox, &exchange, consumer, &self.how.headers, Some(journals)).await?;
        if idle.count == 0 && idle.held > 0 {
            return Err(ParkedError::InHands(idle.held).into());
        }
        self.how.parked = Some(idle.by);
        let at = (idle.place, idle.form);
        let selection = select::select_at(&mailbox, self.filter, at, journals, clock, progress).await?;
        self.finish(&exchange, &selection).await
    }

    async fn finish(self, exchange: &Exchange, selection: &Selection) -> Result<Plan, DraftError> {
        let archives = self.how.purpose == Purpose::Archive;
        if archives && self.makes_archive {
            select::ensure_archive(exchange, &selection.dlq, &archive_of(self.dlq)).await?;
        }
        let (mut takers, mut streams) = select::targets(exchange, selection, &self.how).await?;
        if archives {
            select::assume_archive(selection, &self.how, &mut takers, &mut streams);
        }
        Ok(Plan::draw(selection, self.how, self.max, &takers, &streams)?)
    }
}
