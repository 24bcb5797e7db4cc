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
use crate::model::letters::{GroupBy, Groups, LetterFilter, LetterRow, Origins, json, webhook_id};
use crate::observe::letters::Direction;
use crate::sample::{LetterForm, LetterOrigin, Stored};

/// How often the screen is told how far a scan is.
pub(super) const NEWS: Duration = Duration::from_millis(150);

/// Groups that a screen shows.
const GROUPS: usize = 1_000;

/// Letters of one webhook that are told.
const KIN: usize = 200;

/// Journals that a letter's history is looked for in, newest first.
const JOURNALS: usize = 50;

impl Desk {
    pub(super) async fn answer(&self, number: u64, query: Query) -> Result<(), Reason> {
        match query {
            Query::Page(page) => self.page(number, page).await,
            Query::Search {
                form: LetterForm::Row,
                filter,
                oldest_first,
                ..
            } => self.search_calls(number, &filter, oldest_first).await,
            Query::Search {
                form,
                filter,
                oldest_first,
                most,
            } => self.search(number, form, filter, oldest_first, most).await,
            Query::Groups {
                form: LetterForm::Row,
                by,
                filter,
            } => self.group_calls(number, by, &filter).await,
            Query::Groups { form, by, filter } => self.groups(number, form, by, filter).await,
            Query::Letter(form, sequence) => self.letter(number, form, sequence).await,
            Query::Kin(form, id) => self.kin(number, form, &id).await,
            Query::Standing(form) => {
                let standing = self.standing(form).await?;
                self.tell(number, Answer::Standing(standing)).await;
                Ok(())
            }
            Query::Plan(wish) => self.plan(number, *wish).await,
            Query::PlanCalls(calls) => self.plan_calls(number, &calls).await,
            Query::Export { form, filter, file } => self.export(number, form, filter, file).await,
        }
    }

    async fn page(&self, number: u64, page: Page) -> Result<(), Reason> {
        let mailbox = self.mailbox(LetterForm::Copy).await?;
        let origins = Origins::new(self.setting.profile.dead_letters.headers.clone());
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
        let row = |letter: &Stored| LetterRow::new(letter, &origins.of(letter), LetterForm::Copy);
        let rows = letters.iter().map(row).collect();
        self.tell(number, Answer::Page { rows, more, total }).await;
        Ok(())
    }

    async fn search(
        &self,
        number: u64,
        form: LetterForm,
        filter: LetterFilter,
        oldest_first: bool,
        most: usize,
    ) -> Result<(), Reason> {
        tokio::time::sleep(TYPING).await;
        let direction = if oldest_first {
            Direction::Oldest
        } else {
            Direction::Newest
        };
        let mut left = most;
        let mut rows = Vec::new();
        let mut walk = self.walk(form, filter, direction, false).await?;
        let form = walk.form;
        while let Some((found, scan, news)) = walk.next().await? {
            let shown = found.letters.iter().take(left);
            rows.extend(shown.map(|(letter, origin)| row(letter, origin, form)));
            left = left.saturating_sub(found.letters.len());
            if news {
                let rows = std::mem::take(&mut rows);
                self.tell(number, Answer::Found { rows, scan }).await;
            }
        }
        Ok(())
    }

    async fn groups(&self, number: u64, form: LetterForm, by: GroupBy, filter: LetterFilter) -> Result<(), Reason> {
        tokio::time::sleep(TYPING).await;
        let mut groups = Groups::new(by);
        let mut walk = self.walk(form, filter, Direction::Newest, false).await?;
        while let Some((found, scan, news)) = walk.next().await? {
            for (letter, origin) in &found.letters {
                groups.add(letter.sequence, origin, stored_at_death(letter, form));
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

    async fn walk(
        &self,
        form: LetterForm,
        filter: LetterFilter,
        direction: Direction,
        exact: bool,
    ) -> Result<Walk, Reason> {
        let mailbox = self.mailbox(form).await?;
        let (place, form) = self.place(form).await?;
        let search = Search::begin_at(&mailbox, filter, place, direction, exact).await;
        Ok(Walk {
            search: search.map_err(said)?,
            form,
            clock: self.setting.clock.clone(),
            scan: Scanned::default(),
            next: Duration::ZERO,
        })
    }

    async fn letter(&self, number: u64, form: LetterForm, sequence: u64) -> Result<(), Reason> {
        let mailbox = self.mailbox(form).await?;
        let letter = mailbox.get(sequence).await.map_err(said)?;
        let (place, form) = self.place(form).await?;
        let opened = match letter.filter(|letter| place.holds(letter)) {
            None => None,
            Some(letter) => {
                let created = mailbox.state().await.map_err(said)?.created;
                let replays = created.map_or_else(Vec::new, |created| self.replays(form, &letter, created));
                Some(Box::new(Opened {
                    form,
                    origin: place.origins.of(&letter),
                    letter,
                    replays,
                }))
            }
        };
        self.tell(number, Answer::Letter(opened)).await;
        Ok(())
    }

    /// Letters of the webhook with this id: it may have died more than once.
    async fn kin(&self, number: u64, form: LetterForm, id: &str) -> Result<(), Reason> {
        tokio::time::sleep(TYPING).await;
        let filter = LetterFilter {
            // What stands in a header is found by one of its words; the id itself is compared below.
            text: id
                .split_whitespace()
                .find(|word| !word.starts_with('!'))
                .map(str::to_owned),
            ..LetterFilter::default()
        };
        let mut rows = Vec::new();
        let mut walk = self.walk(form, filter, Direction::Newest, false).await?;
        let form = walk.form;
        while let Some((found, mut scan, news)) = walk.next().await? {
            let same = found
                .letters
                .iter()
                .filter(|(letter, _)| webhook_id(&letter.headers) == Some(id));
            rows.extend(same.map(|(letter, origin)| row(letter, origin, form)));
            rows.truncate(KIN);
            if news {
                scan.found = rows.len() as u64;
                self.tell(
                    number,
                    Answer::Kin {
                        rows: rows.clone(),
                        scan,
                    },
                )
                .await;
            }
        }
        Ok(())
    }

    /// Replays of this letter that our journals know, and of the one that it was before it died again.
    fn replays(&self, form: LetterForm, letter: &Stored, created: Timestamp) -> Vec<(Timestamp, String)> {
        let (Ok(journals), Ok(dlq)) = (self.journals(), self.stream(form)) else {
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

    pub(super) async fn standing(&self, form: LetterForm) -> Result<Standing, Reason> {
        // Failed calls are put back in one go.
        if form == LetterForm::Row {
            return Ok(Standing::default());
        }
        let dlq = self.stream(form)?;
        let exchange = Exchange::connect(self.link()?, &self.setting.clock).await;
        let exchange = exchange.map_err(|error| error.to_string())?;
        let claim = lease::look(&exchange, dlq).await.map_err(|error| error.to_string())?;
        let claim = claim.map(|found| found.value).filter(|claim| !claim.is_free());
        let ours = claim.as_ref().is_some_and(|claim| claim.holder == self.setting.who);
        let created = self.mailbox(form).await?.state().await.map_err(said)?.created;
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

    async fn export(&self, number: u64, form: LetterForm, filter: LetterFilter, file: Arc<str>) -> Result<(), Reason> {
        let failed = |error: std::io::Error| format!("write {file}: {error} → another file name");
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            // Payloads are not for everybody.
            .mode(0o600)
            .open(&*file)
            .map_err(failed)?;
        let mut out = BufWriter::new(opened);
        let mut walk = self.walk(form, filter, Direction::Newest, true).await?;
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
    /// What they turned out to be.
    form: LetterForm,
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

fn row(letter: &Stored, origin: &LetterOrigin, form: LetterForm) -> LetterRow {
    let row = LetterRow::new(letter, origin, form);
    LetterRow {
        died: row
            .died
            .filter(|_| form == LetterForm::Copy || origin.failed_at.is_some()),
        ..row
    }
}

/// When a copy was stored is about when it died; of a message in its own stream it says nothing.
fn stored_at_death(letter: &Stored, form: LetterForm) -> Option<Timestamp> {
    letter.at.filter(|_| form == LetterForm::Copy)
}
