//! From a filter to a plan: what is selected is frozen, and its targets are looked up.

use super::exchange::{ConnectError, Exchange, ExchangeError};
use super::journal::{Folder, How, MOST_IN_A_WINDOW, Purpose};
use super::parked::{self, ParkedError};
use super::plan::{Plan, PlanError, Selection, archive_of};
use super::search::Place;
use super::select::{self, SelectError};
use crate::base::time::SharedClock;
use crate::config::NatsLink;
use crate::model::letters::{LetterFilter, Origins};
use crate::observe::letters::{LetterError, Mailbox};
use crate::sample::LetterForm;

/// Letters that are on their way to a gateway at the same time.
const AT_A_GATEWAY: usize = 16;

/// Letters in a window at most: so many may be in doubt after a crash.
#[must_use]
pub fn window(is_protected: bool, to_gateway: bool) -> usize {
    match (is_protected, to_gateway) {
        (true, _) => 1,
        (false, true) => AT_A_GATEWAY,
        (false, false) => MOST_IN_A_WINDOW,
    }
}

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

/// How the letters lie in their stream.
#[derive(Clone, Copy, Debug)]
pub enum Lying<'a> {
    /// As copies, in a stream of dead letters.
    Copied,
    /// As messages of the source stream that a consumer gave up.
    Parked {
        /// Which; `None`: the stream's only one.
        consumer: Option<&'a str>,
    },
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
        mut self,
        lying: Lying<'_>,
        journals: &Folder,
        clock: &SharedClock,
        progress: impl FnMut(u64, u64),
    ) -> Result<Plan, DraftError> {
        let mailbox = Mailbox::open(self.link, self.dlq, clock).await?;
        let exchange = Exchange::connect(self.link, clock).await?;
        let at = match lying {
            Lying::Copied => (Place::new(Origins::new(self.how.headers.clone())), LetterForm::Copy),
            Lying::Parked { consumer } => {
                let idle = parked::find(&mailbox, &exchange, consumer, &self.how.headers, Some(journals)).await?;
                if idle.count == 0 && idle.held > 0 {
                    return Err(ParkedError::InHands(idle.held).into());
                }
                self.how.parked = Some(idle.by);
                (idle.place, idle.form)
            }
        };
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
