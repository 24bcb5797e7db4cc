//! `hookwatch dlq list`, `show`, `groups` and `export`: reading changes nothing, and consumes
//! nothing: messages are got by sequence.

use std::io::{self, Write};

use serde_json::json;

use crate::act::search::Search;
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::config::Profile;
use crate::model::letters::json::{summary, whole};
use crate::model::letters::payload::{self, Look};
use crate::model::letters::{self, GroupBy, Groups, LetterFilter, died};
use crate::observe::letters::{Direction, LetterError, Mailbox};
use crate::sample::{LetterOrigin, Stored};

/// Lines of a payload in `show`.
const LINES: usize = 500;

/// Why letters cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// Nothing says where the letters are.
    #[error("{0}")]
    Missing(&'static str),
    /// There is no such letter.
    #[error("there is no letter {sequence} in {dlq}: it was replayed or deleted, or never was → hookwatch dlq list")]
    NoLetter {
        /// The sequence.
        sequence: u64,
        /// The stream.
        dlq: String,
    },
    /// They cannot be read.
    #[error(transparent)]
    Letters(#[from] LetterError),
    /// The output cannot be written.
    #[error("write the letters: {0}")]
    Write(#[from] io::Error),
}

/// A dead letter stream that is read.
#[derive(Debug)]
pub struct Browser {
    mailbox: Mailbox,
}

impl Browser {
    /// Connects to the dead letter stream of a profile.
    ///
    /// # Errors
    /// When it names none, or it cannot be reached.
    pub async fn open(profile: &Profile, clock: &SharedClock) -> Result<Self, BrowseError> {
        let link = profile.nats.as_ref();
        let link = link.ok_or(BrowseError::Missing("no NATS server is configured → give --nats"))?;
        let dlq = profile.pipeline.dlq.as_deref();
        let dlq = dlq.ok_or(BrowseError::Missing("no dead letter stream is configured → give --dlq"))?;
        Ok(Self {
            mailbox: Mailbox::open(link, dlq, clock).await?,
        })
    }

    fn dlq(&self) -> String {
        text::safe(self.mailbox.stream()).into_owned()
    }

    /// Gives every letter that is meant to `each`, newest first, until it has had `most` of them.
    /// `exact`: with headers to the byte.
    ///
    /// # Errors
    /// When the stream cannot be read, or `each` fails.
    pub async fn each(
        &self,
        filter: &LetterFilter,
        exact: bool,
        most: u64,
        mut each: impl FnMut(&Stored, &LetterOrigin) -> io::Result<()>,
    ) -> Result<u64, BrowseError> {
        let mut search = Search::begin(&self.mailbox, filter.clone(), Direction::Newest, exact).await?;
        let mut seen = 0;
        while seen < most
            && let Some(found) = search.next().await?
        {
            for (letter, origin) in &found.letters {
                if seen == most {
                    break;
                }
                each(letter, origin)?;
                seen += 1;
            }
        }
        Ok(seen)
    }

    /// The letters, a line each.
    ///
    /// # Errors
    /// See [`Browser::each`].
    pub async fn list(
        &self,
        filter: &LetterFilter,
        most: u64,
        as_json: bool,
        out: &mut impl Write,
    ) -> Result<(), BrowseError> {
        if !as_json {
            writeln!(
                out,
                "{:>10}  {:<20}  {:<10}  {:<24}  {:>5}  reason",
                "sequence", "died", "provider", "event", "tries"
            )?;
        }
        let seen = self
            .each(filter, false, most, |letter, origin| {
                if as_json {
                    return writeln!(out, "{}", summary(letter, origin));
                }
                let (provider, event) = letters::label(origin);
                let cell =
                    |value: Option<&str>, columns| text::cut(&text::safe(value.unwrap_or("–")), columns).into_owned();
                writeln!(
                    out,
                    "{:>10}  {:<20}  {:<10}  {:<24}  {:>5}  {}",
                    letter.sequence,
                    died(origin, letter.at).map_or_else(|| "–".to_owned(), shown),
                    cell(provider, 10),
                    cell(event, 24),
                    origin
                        .deliveries
                        .map_or_else(|| "–".to_owned(), |tries| tries.to_string()),
                    cell(origin.reason.as_deref(), 120),
                )
            })
            .await?;
        if !as_json {
            let all = text::count(self.mailbox.state().await?.state.messages);
            writeln!(out, "{} of {all} in {}", text::count(seen), self.dlq())?;
        }
        Ok(out.flush()?)
    }

    /// One letter with everything that is known of it.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn show(&self, sequence: u64, as_json: bool, out: &mut impl Write) -> Result<(), BrowseError> {
        let letter = self.mailbox.get(sequence).await?;
        let letter = letter.ok_or_else(|| BrowseError::NoLetter {
            sequence,
            dlq: self.dlq(),
        })?;
        let origin = letters::origin(&letter.headers);
        if as_json {
            writeln!(out, "{}", whole(&letter, &origin))?;
            return Ok(out.flush()?);
        }
        let mut row = |name: &str, value: Option<String>| match value {
            Some(value) => writeln!(out, "{name:<10}  {}", text::safe(&value)),
            None => writeln!(out, "{name:<10}  –"),
        };
        row(
            "letter",
            Some(format!("{} in {}", letter.sequence, self.mailbox.stream())),
        )?;
        row("subject", origin.subject.as_deref().map(str::to_owned))?;
        row("died", died(&origin, letter.at).map(shown))?;
        row("why", origin.reason.as_deref().map(str::to_owned))?;
        row("tries", origin.deliveries.map(|tries| tries.to_string()))?;
        let from = (origin.stream.as_deref(), origin.sequence, origin.consumer.as_deref());
        let from = from.0.map(|stream| {
            let sequence = from.1.map_or_else(String::new, |sequence| format!(" #{sequence}"));
            let consumer = from
                .2
                .map_or_else(String::new, |consumer| format!(", given up by {consumer}"));
            format!("{stream}{sequence}{consumer}")
        });
        row("from", from)?;
        writeln!(out)?;
        for (name, value) in &letter.headers {
            writeln!(out, "{}: {}", text::safe(name), text::safe(value))?;
        }
        writeln!(out)?;
        for line in payload::lines(&letter.payload, Look::Tree, LINES) {
            writeln!(out, "{line}")?;
        }
        Ok(out.flush()?)
    }

    /// Counts letters by kind.
    ///
    /// # Errors
    /// See [`Browser::each`].
    pub async fn grouped(&self, filter: &LetterFilter, by: GroupBy) -> Result<Groups, BrowseError> {
        let mut groups = Groups::new(by);
        let add = |letter: &Stored, origin: &LetterOrigin| {
            groups.add(letter.sequence, origin, letter.at);
            Ok(())
        };
        self.each(filter, false, u64::MAX, add).await?;
        Ok(groups)
    }

    /// How many letters there are of each kind, the most first.
    ///
    /// # Errors
    /// See [`Browser::each`].
    pub async fn groups(
        &self,
        filter: &LetterFilter,
        by: GroupBy,
        as_json: bool,
        out: &mut impl Write,
    ) -> Result<(), BrowseError> {
        let groups = self.grouped(filter, by).await?;
        for group in groups.sorted() {
            if as_json {
                let line = json!({
                    "signature": group.key, "count": group.count, "first_at": group.first, "last_at": group.last,
                    "example": group.example,
                });
                writeln!(out, "{line}")?;
                continue;
            }
            let moment = |at: Option<Timestamp>| at.map_or_else(|| "–".to_owned(), shown);
            let key = text::safe(&group.key).into_owned();
            let (first, last) = (moment(group.first), moment(group.last));
            writeln!(
                out,
                "{:>10}  {}  first {first}, last {last}, for example {}",
                text::count(group.count),
                text::cut(&key, 120),
                group.example
            )?;
        }
        if groups.left_out() > 0 && !as_json {
            writeln!(
                out,
                "left out: {} of further groups",
                text::counted(groups.left_out(), "letter", "letters")
            )?;
        }
        Ok(out.flush()?)
    }

    /// The letters with headers and payloads, a JSON object a line, byte for byte.
    ///
    /// # Errors
    /// See [`Browser::each`].
    pub async fn export(&self, filter: &LetterFilter, most: u64, out: &mut impl Write) -> Result<u64, BrowseError> {
        let seen = self
            .each(filter, true, most, |letter, origin| {
                writeln!(out, "{}", whole(letter, origin))
            })
            .await?;
        out.flush()?;
        Ok(seen)
    }
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
