//! `hookwatch dlq list`, `show`, `groups` and `export`: reading changes nothing, and consumes
//! nothing: messages are got by sequence.

use std::io::{self, IsTerminal as _, Write};

use serde_json::{Value, json};

use crate::act::exchange::{ConnectError, Exchange};
use crate::act::journal::Folder;
use crate::act::parked::{self, Idle, ParkedError};
use crate::act::search::{Place, Search};
use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::config::{NatsLink, Profile};
use crate::model::letters::json::{summary, whole};
use crate::model::letters::payload::{self, Look};
use crate::model::letters::{self, GroupBy, Groups, LetterFilter, Origins, died};
use crate::observe::letters::{Direction, LetterError, Mailbox};
use crate::sample::{LetterForm, LetterOrigin, Stored};

/// Lines of a payload in `show`.
const LINES: usize = 500;

/// Letters that are read in so short a time that nobody wants to be told how far it is.
const SHORT: u64 = 20_000;

/// Tells on a terminal how far a long reading is, on one line that is gone in the end.
struct Told {
    wanted: bool,
    percent: Option<u64>,
}

impl Told {
    /// `lines`: whether letters go to standard output meanwhile, among which nothing is told.
    fn new(lines: bool) -> Self {
        Self {
            wanted: io::stderr().is_terminal() && !(lines && io::stdout().is_terminal()),
            percent: None,
        }
    }

    fn tell(&mut self, looked_at: u64, span: u64) {
        let percent = looked_at.saturating_mul(100).checked_div(span);
        if !self.wanted || span < SHORT || self.percent == percent {
            return;
        }
        self.percent = percent;
        let all = text::counted(span, "sequence", "sequences");
        let line = format!("\r\u{1b}[K{} % of {all} looked at", percent.unwrap_or(100));
        // Whoever cannot be told reads all the same.
        self.wanted = io::stderr().write_all(line.as_bytes()).is_ok();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.percent.is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

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
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Parked messages cannot be told from others.
    #[error(transparent)]
    Parked(#[from] ParkedError),
    /// They cannot be read.
    #[error(transparent)]
    Letters(#[from] LetterError),
    /// The output cannot be written.
    #[error("write the letters: {0}")]
    Write(#[from] io::Error),
}

/// A stream whose dead letters are read.
#[derive(Debug)]
pub struct Browser {
    mailbox: Mailbox,
    place: Place,
    /// Of letters that lie in the source stream, what is known of them.
    source: Option<Source>,
}

/// Messages of a source stream that were delivered and lie there in nobody's hands.
#[derive(Debug)]
struct Source {
    idle: Idle,
    /// The form that is asked for.
    asked: LetterForm,
}

impl Browser {
    /// Connects to the dead letter stream of a profile.
    ///
    /// # Errors
    /// When it names none, or it cannot be reached.
    pub async fn open(profile: &Profile, clock: &SharedClock) -> Result<Self, BrowseError> {
        let dlq = profile.pipeline.dlq.as_deref();
        let dlq = dlq.ok_or(BrowseError::Missing("no dead letter stream is configured → give --dlq"))?;
        Ok(Self {
            mailbox: Mailbox::open(link(profile)?, dlq, clock).await?,
            place: Place::new(Origins::new(profile.dead_letters.headers.clone())),
            source: None,
        })
    }

    /// Connects to the source stream of a profile, for the letters of this form that lie there.
    ///
    /// # Errors
    /// When it names none, it cannot be reached, or they cannot be told from other messages.
    pub async fn open_source(
        profile: &Profile,
        asked: LetterForm,
        journals: Option<&Folder>,
        clock: &SharedClock,
    ) -> Result<Self, BrowseError> {
        let stream = profile.pipeline.stream.as_deref();
        let stream = stream.ok_or(BrowseError::Missing("no source stream is configured → give --stream"))?;
        let mailbox = Mailbox::open(link(profile)?, stream, clock).await?;
        let exchange = Exchange::connect(link(profile)?, clock).await?;
        let consumer = profile.pipeline.consumer.as_deref();
        let headers = &profile.dead_letters.headers;
        let idle = parked::find(&mailbox, &exchange, consumer, headers, journals).await?;
        let mut place = idle.place.clone();
        if idle.form != asked {
            place.up_to = 0;
        }
        Ok(Self {
            mailbox,
            place,
            source: Some(Source { idle, asked }),
        })
    }

    fn dlq(&self) -> String {
        text::safe(self.mailbox.stream()).into_owned()
    }

    /// What is known of when a letter died: of a message in its own stream only when it was stored.
    fn moment(&self, letter: &Stored, origin: &LetterOrigin) -> Option<Timestamp> {
        match self.source {
            None => died(origin, letter.at),
            Some(_) => letter.at,
        }
    }

    /// What that moment is called.
    fn moment_name(&self) -> &'static str {
        if self.source.is_some() { "stored" } else { "died" }
    }

    /// A letter as JSON: of a message in its own stream with its form, and without a time of death.
    fn object(&self, letter: &Stored, origin: &LetterOrigin, mut value: Value) -> Value {
        if let (Some(source), Some(object)) = (&self.source, value.as_object_mut()) {
            object.insert("form".to_owned(), json!(source.asked));
            object.insert("died_at".to_owned(), json!(origin.failed_at));
            object.insert("stored_at".to_owned(), json!(letter.at));
        }
        value
    }

    /// What a list of messages in their own stream does not show.
    fn remark(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(Source { idle, asked }) = &self.source else {
            return Ok(());
        };
        if idle.form != *asked && idle.count > 0 {
            let (are, form) = match idle.form {
                LetterForm::Parked => ("past max_deliver", "parked"),
                _ => (
                    "not acked, or acked before a server crash: nobody can say which",
                    "orphaned",
                ),
            };
            let count = text::counted(idle.count, "message", "messages");
            writeln!(out, "{count} in nobody's hands, {are} → --form {form}")?;
        }
        if idle.held > 0 {
            let held = text::counted(idle.held, "message", "messages");
            writeln!(
                out,
                "{held} in the workers' hands, parked ones after sequence {} cannot be told from them → look again later",
                idle.place.up_to
            )?;
        }
        Ok(())
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
        each: impl FnMut(&Stored, &LetterOrigin) -> io::Result<()>,
    ) -> Result<u64, BrowseError> {
        self.read(filter, exact, most, Told::new(true), each).await
    }

    async fn read(
        &self,
        filter: &LetterFilter,
        exact: bool,
        most: u64,
        mut told: Told,
        mut each: impl FnMut(&Stored, &LetterOrigin) -> io::Result<()>,
    ) -> Result<u64, BrowseError> {
        let mut search = Search::begin_at(
            &self.mailbox,
            filter.clone(),
            self.place.clone(),
            Direction::Newest,
            exact,
        )
        .await?;
        let mut seen = 0;
        while seen < most
            && let Some(found) = search.next().await?
        {
            told.tell(found.looked_at, found.span);
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
                "sequence",
                self.moment_name(),
                "provider",
                "event",
                "tries"
            )?;
        }
        let seen = self
            .each(filter, false, most, |letter, origin| {
                if as_json {
                    return writeln!(out, "{}", self.object(letter, origin, summary(letter, origin)));
                }
                let (provider, event) = letters::label(origin);
                let cell =
                    |value: Option<&str>, columns| text::cut(&text::safe(value.unwrap_or("–")), columns).into_owned();
                writeln!(
                    out,
                    "{:>10}  {:<20}  {:<10}  {:<24}  {:>5}  {}",
                    letter.sequence,
                    self.moment(letter, origin).map_or_else(|| "–".to_owned(), shown),
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
            let all = match &self.source {
                None => self.mailbox.state().await?.state.messages,
                Some(source) if source.idle.form == source.asked => source.idle.count,
                Some(_) => 0,
            };
            writeln!(out, "{} of {} in {}", text::count(seen), text::count(all), self.dlq())?;
            self.remark(out)?;
        }
        Ok(out.flush()?)
    }

    /// One letter with everything that is known of it.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn show(&self, sequence: u64, as_json: bool, out: &mut impl Write) -> Result<(), BrowseError> {
        let letter = self.mailbox.get(sequence).await?;
        let letter = letter.filter(|letter| self.place.holds(letter));
        let letter = letter.ok_or_else(|| BrowseError::NoLetter {
            sequence,
            dlq: self.dlq(),
        })?;
        let origin = self.place.origins.of(&letter);
        if as_json {
            writeln!(out, "{}", self.object(&letter, &origin, whole(&letter, &origin)))?;
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
        row(self.moment_name(), self.moment(&letter, &origin).map(shown))?;
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
        self.read(filter, false, u64::MAX, Told::new(false), add).await?;
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
                writeln!(out, "{}", self.object(letter, origin, whole(letter, origin)))
            })
            .await?;
        out.flush()?;
        Ok(seen)
    }
}

fn link(profile: &Profile) -> Result<&NatsLink, BrowseError> {
    let link = profile.nats.as_ref();
    link.ok_or(BrowseError::Missing("no NATS server is configured → give --nats"))
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
