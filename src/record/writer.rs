//! Writes one file: items in, MCAP out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use mcap::{Compression, McapError, WriteOptions};
use serde::Serialize;

use super::dictionary::Words;
use super::item::{Item, SessionInfo, Topic, span};
use super::outline::Outline;
use super::redaction::Redaction;
use super::wire::EnvelopeWire;
use crate::base::time::Moment;

/// The longest time in one chunk: what a kill can cost.
pub const CHUNK: Duration = Duration::from_secs(10);

/// A tick this long after the chunk's begin seals it, so that the next one does not come too late.
const SEALED_BY_TICK: Duration = Duration::from_millis(9_500);

/// A chunk this large is sealed early, bytes of JSON.
const LARGEST: usize = 8 << 20;

/// Precious items seal a chunk at once if it is this old, else the next tick does.
const YOUNG: Duration = Duration::from_secs(1);

/// The profile in the MCAP header.
pub(super) const PROFILE: &str = "hookwatch";

/// The metadata records: at the start, and at the end of a file that was finished.
pub(super) const SESSION: &str = "session";
/// See [`SESSION`].
pub(super) const CLOSING: &str = "closing";
/// The key under which a metadata record, which MCAP does not protect, holds its checksum.
pub(super) const CHECKSUM: &str = "crc32";

/// Why an item was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refuses.
    #[error(transparent)]
    Io(io::Error),
    /// It cannot be encoded.
    #[error("{0}")]
    Encode(String),
}

impl From<McapError> for WriteError {
    fn from(error: McapError) -> Self {
        match error {
            McapError::Io(error) => Self::Io(error),
            other => Self::Encode(other.to_string()),
        }
    }
}

impl From<serde_json::Error> for WriteError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error.to_string())
    }
}

/// What a writer has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items.
    pub items: u64,
    /// Chunks.
    pub chunks: u64,
    /// Texts that held a secret.
    pub redacted: u64,
}

/// Writes items into one MCAP file.
pub struct RecordWriter<W: Write> {
    mcap: mcap::Writer<NoSeek<W>>,
    info: SessionInfo,
    words: Words,
    redaction: Redaction,
    outline: Outline,
    counts: Counts,
    /// Of the chunk: when it began, and its bytes so far.
    chunk: Option<(u64, usize)>,
    due: bool,
    last: u64,
    sequence: u32,
}

impl<W: Write> std::fmt::Debug for RecordWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordWriter")
            .field("info", &self.info)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<W: Write> RecordWriter<W> {
    /// Begins a file of the session that `info` describes, at `begun`: where the session did, or
    /// later.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W, info: SessionInfo, begun: Moment, redaction: Redaction) -> Result<Self, WriteError> {
        // A chunk is sealed every 10 s, away from everything else: there is time for a tenth less.
        Self::with_level(6, out, info, begun, redaction)
    }

    /// The same for what stays in memory: a tenth larger, and 10 MB less while it is written.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn light(out: W, info: SessionInfo, begun: Moment, redaction: Redaction) -> Result<Self, WriteError> {
        Self::with_level(1, out, info, begun, redaction)
    }

    fn with_level(
        level: u32,
        out: W,
        mut info: SessionInfo,
        begun: Moment,
        mut redaction: Redaction,
    ) -> Result<Self, WriteError> {
        redaction.clean(&mut info.settings);
        let options = WriteOptions::new()
            .profile(PROFILE)
            .library(concat!("hookwatch ", env!("CARGO_PKG_VERSION")))
            .compression(Some(Compression::Zstd))
            .compression_level(level)
            .compression_threads(0)
            // When a chunk ends is decided here. Without seeking, a chunk is one append.
            .chunk_size(None)
            .disable_seeking(true)
            // 16 bytes a message for what a reader of whole chunks does not need.
            .emit_message_indexes(false);
        let mut mcap = options.create(NoSeek::new(out))?;
        mcap.write_metadata(&Metadata {
            name: SESSION.to_owned(),
            metadata: sealed(session_fields(&info)?),
        })?;
        let nothing = BTreeMap::new();
        for topic in Topic::ALL {
            let (channel, name) = (topic.channel(), format!("hookwatch.{}", topic.name()));
            mcap.add_schema_with_id(channel, &name, "jsonschema", topic.schema())?;
            mcap.add_channel_with_id(channel, channel, topic.name(), "json", &nothing)?;
        }
        let mut writer = Self {
            mcap,
            words: Words::default(),
            redaction,
            outline: Outline::default(),
            counts: Counts::default(),
            chunk: None,
            due: false,
            last: info.axis(begun),
            sequence: 0,
            info,
        };
        // Once more where a checksum protects it.
        let text = serde_json::to_vec(&writer.info)?;
        writer.put(Topic::Session, writer.last, writer.last, &text)?;
        Ok(writer)
    }

    /// What was written so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            redacted: self.redaction.count(),
            ..self.counts
        }
    }

    /// What a timeline shows of it.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Writes an item; the chunk is sealed when it is full, or when the item must not be lost.
    ///
    /// # Errors
    /// When it cannot be written: then nothing more can be.
    pub fn write(&mut self, item: Item) -> Result<(), WriteError> {
        let moment = item.moment();
        let at = self.info.axis(moment).max(self.last);
        let published = u64::try_from(moment.at.as_nanosecond()).unwrap_or(0);
        self.last = at;
        self.outline.note(at, &item);
        let (tick, precious) = (matches!(item, Item::Tick(_)), item.is_precious());
        let (topic, text) = self.encode(item)?;
        for word in self.words.take_fresh() {
            let text = self.redacted(&word)?;
            self.put(Topic::Layout, at, published, &text)?;
        }
        self.put(topic, at, published, &text)?;
        self.counts.items += 1;
        let (begun, bytes) = self.chunk.unwrap_or((at, 0));
        let age = span(begun, at);
        self.due |= precious;
        let seal = age >= CHUNK
            || bytes >= LARGEST
            || (tick && (age >= SEALED_BY_TICK || self.due))
            || (precious && age >= YOUNG);
        if seal { self.flush() } else { Ok(()) }
    }

    fn encode(&mut self, item: Item) -> Result<(Topic, Vec<u8>), WriteError> {
        Ok(match item {
            Item::Session(info) => (Topic::Session, self.redacted(&info)?),
            Item::Envelope(envelope) => {
                let wire = EnvelopeWire::new(*envelope, &mut self.words)?;
                // Thousands of numbers a second need not be looked through for secrets.
                let texts = wire.texts_of_page();
                let harmless = texts.is_some_and(|texts| !texts.iter().any(|text| self.redaction.finds(text)));
                let text = if harmless {
                    serde_json::to_vec(&wire)?
                } else {
                    self.redacted(&wire)?
                };
                (Topic::Envelopes, text)
            }
            Item::Tick(tick) => (Topic::Ticks, serde_json::to_vec(&tick)?),
            Item::Gap(gap) => (Topic::Gaps, self.redacted(&gap)?),
            Item::Action(action) => (Topic::Actions, self.redacted(&action)?),
            Item::Marker(marker) => (Topic::Markers, self.redacted(&marker)?),
            Item::Event(event) => (Topic::Events, self.redacted(&event)?),
        })
    }

    /// `value` as JSON without secrets. They are looked for in its texts, not in the JSON, in
    /// which they may stand escaped.
    fn redacted(&mut self, value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
        let mut value = serde_json::to_value(value)?;
        self.redaction.clean(&mut value);
        Ok(serde_json::to_vec(&value)?)
    }

    fn put(&mut self, topic: Topic, at: u64, published: u64, text: &[u8]) -> Result<(), WriteError> {
        let header = MessageHeader {
            channel_id: topic.channel(),
            sequence: self.sequence,
            log_time: at,
            publish_time: published,
        };
        self.mcap.write_to_known_channel(&header, text)?;
        self.sequence = self.sequence.wrapping_add(1);
        let (begun, bytes) = self.chunk.unwrap_or((at, 0));
        self.chunk = Some((begun, bytes + text.len()));
        Ok(())
    }

    /// Seals the chunk: what is in it is on its way to the disk.
    ///
    /// # Errors
    /// When it cannot be written: then nothing more can be.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.due = false;
        if self.chunk.take().is_some() {
            self.counts.chunks += 1;
            self.words.forget();
            self.mcap.flush()?;
        }
        Ok(())
    }

    /// Ends the file. Returns what it was written to.
    ///
    /// # Errors
    /// When its end cannot be written; with what it was written to.
    pub fn finish(mut self) -> Result<W, (WriteError, W)> {
        match self.close() {
            Ok(()) => Ok(self.mcap.into_inner().into_inner()),
            Err(error) => Err((error, self.mcap.into_inner().into_inner())),
        }
    }

    /// Gives up: what was sealed is in the file, nothing more is written.
    pub fn abandon(self) -> W {
        self.mcap.into_inner().into_inner()
    }

    fn close(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        let outline = String::from_utf8_lossy(&self.redacted(&self.outline.clone())?).into_owned();
        let fields = [
            ("items", self.counts.items.to_string()),
            ("chunks", self.counts.chunks.to_string()),
            ("redacted", self.redaction.count().to_string()),
            ("end", self.last.to_string()),
            ("outline", outline),
        ];
        let fields = fields.into_iter().map(|(key, text)| (key.to_owned(), text)).collect();
        self.mcap.write_metadata(&Metadata {
            name: CLOSING.to_owned(),
            metadata: sealed(fields),
        })?;
        self.mcap.finish()?;
        Ok(())
    }
}

fn session_fields(info: &SessionInfo) -> Result<BTreeMap<String, String>, WriteError> {
    let fields = [
        ("schema", info.schema.clone()),
        ("hookwatch", info.hookwatch.clone()),
        ("session", info.session.clone()),
        ("file", info.file.to_string()),
        ("profile", info.profile.clone()),
        ("start", serde_json::to_string(&info.start)?),
        ("settings", serde_json::to_string(&info.settings)?),
    ];
    Ok(fields.into_iter().map(|(key, text)| (key.to_owned(), text)).collect())
}

/// The session that a metadata record describes.
pub(super) fn session_of(fields: &BTreeMap<String, String>) -> Option<SessionInfo> {
    let text = |key: &str| fields.get(key).cloned();
    Some(SessionInfo {
        schema: text("schema")?,
        hookwatch: text("hookwatch").unwrap_or_default(),
        session: text("session")?,
        file: text("file")?.parse().ok()?,
        profile: text("profile")?,
        start: serde_json::from_str(&text("start")?).ok()?,
        settings: serde_json::from_str(&text("settings")?).ok()?,
    })
}

fn sealed(mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let sum = checksum(&fields);
    fields.insert(CHECKSUM.to_owned(), sum);
    fields
}

/// The checksum of a metadata record's other fields.
pub(super) fn checksum(fields: &BTreeMap<String, String>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for (key, text) in fields.iter().filter(|(key, _)| *key != CHECKSUM) {
        for part in [key, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    format!("{:08x}", hasher.finalize())
}
