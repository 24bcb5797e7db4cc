//! Answers to questions. Reading changes nothing and consumes nothing.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use super::{Desk, Reason, TYPING, said};
use crate::act::exchange::Exchange;
use crate::act::journal::Stand;
use crate::act::lease;
use crate::act::letters::{Answer, Opened, Page, Query, Scanned, Standing};
use crate::act::plan::REPLAY_ID;
use crate::act::search::{Found, Search};
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::model::letters::{GroupBy, Groups, LetterFilter, LetterRow, json, origin};
use crate::observe::letters::Direction;
use crate::sample::{LetterForm, Stored};

/// How often the screen is told how far a scan is.
pub(super) const NEWS: Duration = Duration::from_millis(150);

/// Groups that a screen shows.
const GROUPS: usize = 1_000;

/// Journals that a letter's history is looked for in, newest first.
const JOURNALS: usize = 50;

impl Desk {
    pub(super) async fn answer(&self, number: u64, query: Query) -> Result<(), Reason> {
        match query {
            Query::Page(page) => self.page(number, page).await,
            Query::Search {
                filter,
                oldest_first,
                most,
            } => self.search(number, filter, oldest_first, most).await,
            Query::Groups { by, filter } => self.groups(number, by, filter).await,
            Query::Others(LetterForm::Row) => self.failed_rows(number).await,
            Query::Others(_) => self.parked(number).await,
            Query::Letter(sequence) => self.letter(number, sequence).await,
            Query::Standing => {
                let standing = self.standing().await?;
                self.tell(number, Answer::Standing(standing)).await;
                Ok(())
            }
            Query::Plan(wish) => self.plan(number, *wish).await,
            Query::PlanCalls(calls) => self.plan_calls(number, &calls).await,
            Query::Export { filter, file } => self.export(number, filter, file).await,
        }
    }

    async fn page(&self, number: u64, page: Page) -> Result<(), Reason> {
        let mailbox = self.mailbox().await?;
        let total = mailbox.state().await.map_err(said)?.state.messages;
        let direction = if page.upwards {
            Direction::Oldest
        } else {
            Direction::Newest
        };
        let most = page.most.saturating_add(1);
        let mut letters = mailbox.page(page.from, direction, most).await.map_err(said)?;
        let wanted = usize::try_from(page.most).unwrap_or(usize::MAX);
        let more = letters.len() > wanted;
        letters.truncate(wanted);
        let rows = letters.iter().map(row).collect();
        self.tell(number, Answer::Page { rows, more, total }).await;
        Ok(())
    }

    async fn search(&self, number: u64, filter: LetterFilter, oldest_first: bool, most: usize) -> Result<(), Reason> {
        tokio::time::sleep(TYPING).await;
        let direction = if oldest_first {
            Direction::Oldest
        } else {
            Direction::Newest
        };
        let mut left = most;
        let mut rows = Vec::new();
        let mut walk = self.walk(filter, direction, false).await?;
        while let Some((found, scan, news)) = walk.next().await? {
            let shown = found.letters.iter().take(left);
            rows.extend(shown.map(|(letter, origin)| LetterRow::new(letter, origin, LetterForm::Copy)));
            left = left.saturating_sub(found.letters.len());
            if news {
                let rows = std::mem::take(&mut rows);
                self.tell(number, Answer::Found { rows, scan }).await;
            }
        }
        Ok(())
    }

    async fn groups(&self, number: u64, by: GroupBy, filter: LetterFilter) -> Result<(), Reason> {
        tokio::time::sleep(TYPING).await;
        let mut groups = Groups::new(by);
        let mut walk = self.walk(filter, Direction::Newest, false).await?;
        while let Some((found, scan, news)) = walk.next().await? {
            for (letter, origin) in &found.letters {
                groups.add(letter.sequence, origin, letter.at);
            }
            if news {
                let mut sorted = groups.sorted();
                sorted.truncate(GROUPS);
                let answer = Answer::Groups {
                    groups: sorted,
                    left_out: groups.left_out(),
                    scan,
                };
                self.tell(number, answer).await;
            }
        }
        Ok(())
    }

    async fn walk(&self, filter: LetterFilter, direction: Direction, exact: bool) -> Result<Walk, Reason> {
        let mailbox = self.mailbox().await?;
        let search = Search::begin(&mailbox, filter, direction, exact).await.map_err(said)?;
        Ok(Walk {
            search,
            clock: self.setting.clock.clone(),
            scan: Scanned::default(),
            next: Duration::ZERO,
        })
    }

    async fn letter(&self, number: u64, sequence: u64) -> Result<(), Reason> {
        let mailbox = self.mailbox().await?;
        let opened = match mailbox.get(sequence).await.map_err(said)? {
            None => None,
            Some(letter) => {
                let created = mailbox.state().await.map_err(said)?.created;
                let replays = created.map_or_else(Vec::new, |created| self.replays(&letter, created));
                Some(Box::new(Opened {
                    origin: origin(&letter.headers),
                    letter,
                    replays,
                }))
            }
        };
        self.tell(number, Answer::Letter(opened)).await;
        Ok(())
    }

    /// Replays of this letter that our journals know, and of the one that it was before it died again.
    fn replays(&self, letter: &Stored, created: Timestamp) -> Vec<(Timestamp, String)> {
        let (Ok(journals), Ok(dlq)) = (self.journals(), self.dlq()) else {
            return Vec::new();
        };
        let Ok(known) = journals.of(dlq, created) else {
            return Vec::new();
        };
        let carried = letter.header(REPLAY_ID);
        let mut replays = VecDeque::new();
        for standings in known.iter().rev().take(JOURNALS) {
            let at = standings.windows.values().next().map(|window| window.at);
            let (Some(begin), Some(at)) = (&standings.begin, at) else {
                continue;
            };
            let intent = |id: &Arc<str>| {
                let mut letters = standings.letters.iter();
                letters.find(|(_, standing)| standing.intent.as_ref().is_some_and(|intent| intent.id == *id))
            };
            let own = standings.letters.get_key_value(&letter.sequence);
            let Some((sequence, standing)) = own.or_else(|| carried.and_then(intent)) else {
                continue;
            };
            let became = match &standing.stand {
                Stand::Waiting => "not sent".to_owned(),
                Stand::Sent => "in limbo".to_owned(),
                Stand::Landed | Stand::Deleted if *sequence == letter.sequence => "published, and came back".to_owned(),
                Stand::Landed | Stand::Deleted => format!("published as letter {sequence}, and died again"),
                Stand::Refused(reason) => format!("refused: {reason}"),
                Stand::Doubt(reason) => format!("in doubt: {reason}"),
                Stand::Kept => "kept".to_owned(),
                Stand::Gone => "gone before its turn".to_owned(),
            };
            replays.push_front((at, text::safe(&format!("{became} · {}", begin.who)).into_owned()));
        }
        replays.into()
    }

    pub(super) async fn standing(&self) -> Result<Standing, Reason> {
        let dlq = self.dlq()?;
        let exchange = Exchange::connect(self.link()?, &self.setting.clock).await;
        let exchange = exchange.map_err(|error| error.to_string())?;
        let claim = lease::look(&exchange, dlq).await.map_err(|error| error.to_string())?;
        let claim = claim.map(|found| found.value).filter(|claim| !claim.is_free());
        let ours = claim.as_ref().is_some_and(|claim| claim.holder == self.setting.who);
        let created = self.mailbox().await?.state().await.map_err(said)?.created;
        let unfinished = match (created, self.journals()) {
            (Some(created), Ok(journals)) => {
                let known = journals.of(dlq, created).map_err(|error| error.to_string())?;
                let open = known
                    .iter()
                    .rfind(|standings| standings.outcome.is_none() && standings.is_begun());
                open.map(|standings| {
                    let counts = standings.counts();
                    (counts.landed, counts.selected)
                })
            }
            _ => None,
        };
        Ok(Standing {
            claim: claim.map(Box::new),
            ours,
            unfinished,
        })
    }

    async fn export(&self, number: u64, filter: LetterFilter, file: Arc<str>) -> Result<(), Reason> {
        let failed = |error: std::io::Error| format!("write {file}: {error} → another file name");
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            // Payloads are not for everybody.
            .mode(0o600)
            .open(&*file)
            .map_err(failed)?;
        let mut out = BufWriter::new(opened);
        let mut walk = self.walk(filter, Direction::Newest, true).await?;
        while let Some((found, scan, news)) = walk.next().await? {
            for (letter, origin) in &found.letters {
                writeln!(out, "{}", json::whole(letter, origin)).map_err(failed)?;
            }
            if scan.done {
                out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
            }
            if news {
                let file = file.clone();
                self.tell(number, Answer::Exported { file, scan }).await;
            }
        }
        Ok(())
    }
}

/// A search that knows how far it is, and when it is time for news.
struct Walk {
    search: Search,
    clock: SharedClock,
    scan: Scanned,
    next: Duration,
}

impl Walk {
    /// The next letters, how far it is, and whether the screen should be told: at first, now and
    /// then, and at the end, where no letters follow.
    async fn next(&mut self) -> Result<Option<(Found, Scanned, bool)>, Reason> {
        if self.scan.done {
            return Ok(None);
        }
        let Some(found) = self.search.next().await.map_err(said)? else {
            self.scan.done = true;
            return Ok(Some((Found::default(), self.scan, true)));
        };
        (self.scan.looked_at, self.scan.span) = (found.looked_at, found.span);
        self.scan.found += found.letters.len() as u64;
        let now = self.clock.now().mono;
        let news = now >= self.next;
        if news {
            self.next = now + NEWS;
        }
        Ok(Some((found, self.scan, news)))
    }
}

fn row(letter: &Stored) -> LetterRow {
    LetterRow::new(letter, &origin(&letter.headers), LetterForm::Copy)
}
