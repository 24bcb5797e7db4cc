//! One recording file, read tolerantly: what is damaged is left out and told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::damage::Damage;
use super::dictionary::Dictionary;
use super::error::RecordError;
use super::item::{Item, SessionInfo, Topic, VERSION, Version};
use super::outline::Outline;
use super::scan::{Found, Message, Wound, data_section_is_right, messages, scan};
use super::store::Store;
use super::wire::EnvelopeWire;
use super::writer::{CLOSING, SESSION, session_of};

/// What a file says of itself at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Items written.
    pub items: u64,
    /// Texts that held a secret.
    pub redacted: u64,
    /// What a timeline shows of it.
    pub outline: Outline,
}

/// One recording file, or the same in memory.
#[derive(Clone, Debug)]
pub struct RecordingFile {
    path: PathBuf,
    store: Store,
    pub(super) info: Arc<SessionInfo>,
    pub(super) chunks: Vec<Found>,
    damage: Vec<Damage>,
    /// Whether it was ended in order; else its writer was killed, or is still at work.
    finished: bool,
    closing: Option<Finished>,
    busy: bool,
}

impl RecordingFile {
    /// Opens a file. `waits` says what to do about one that another process writes: refuse it, or
    /// take what is there.
    pub(super) fn open(path: &Path, take_busy: bool) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|error| RecordError::io("open", path, error))?;
        let kind = file.metadata().map_err(|error| RecordError::io("read", path, error))?;
        if kind.is_dir() {
            return Err(RecordError::io("read", path, io::ErrorKind::IsADirectory.into()));
        }
        // The writer holds it alone for as long as it writes.
        let busy = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
        if busy && !take_busy {
            return Err(RecordError::Busy {
                operation: "read",
                path: path.to_owned(),
            });
        }
        let store = Store::file(file).map_err(|error| RecordError::io("read", path, error))?;
        Self::read(path, store, busy)
    }

    /// A recording in memory.
    ///
    /// # Errors
    /// When it is none.
    pub fn in_memory(bytes: Arc<[u8]>) -> Result<Self, RecordError> {
        Self::read(Path::new(""), Store::Memory(bytes), false)
    }

    fn read(path: &Path, store: Store, busy: bool) -> Result<Self, RecordError> {
        if store.size() == 0 {
            return Err(RecordError::Empty(path.to_owned()));
        }
        let scan = scan(&store).map_err(|error| RecordError::io("read", path, error))?;
        if !scan.magic && scan.chunks.is_empty() {
            return Err(RecordError::NotMcap(path.to_owned()));
        }
        let mut file = Self {
            path: path.to_owned(),
            store,
            info: Arc::new(SessionInfo::new(
                "",
                crate::record::item::EPOCH,
                serde_json::Value::Null,
            )),
            chunks: scan.chunks,
            damage: Vec::new(),
            finished: scan.finished,
            closing: scan.metadata.get(CLOSING).and_then(closing_of),
            busy,
        };
        let told = scan.metadata.get(SESSION);
        let Some(info) = told.and_then(session_of).or_else(|| file.session_in_chunks()) else {
            let ours = scan.named.iter().any(|name| name == SESSION);
            return Err(file.without_session(told, ours));
        };
        check_version(path, &info.schema)?;
        file.info = Arc::new(info);
        file.mend_times();
        file.damage = scan.wounds.iter().map(|wound| file.damage_of(wound)).collect();
        if !file.finished && !busy && file.damage.iter().all(|damage| damage.lost.is_none()) {
            file.damage.push(file.unfinished());
        }
        Ok(file)
    }

    /// Its writer was killed, or what it wrote last was cut off.
    fn unfinished(&self) -> Damage {
        let start = || self.info.axis(self.info.start);
        let (what, lost) = match self.closing {
            Some(_) => ("its summary was cut off", None),
            None => {
                let end = self.chunks.last().map_or_else(start, |chunk| chunk.end);
                (
                    "its writer ended before the file was finished: at most 10 s were not yet on the disk",
                    Some((end, None)),
                )
            }
        };
        Damage {
            file: self.path.clone(),
            offset: self.store.size(),
            what: what.to_owned(),
            lost,
        }
    }

    fn without_session(&self, told: Option<&BTreeMap<String, String>>, ours: bool) -> RecordError {
        let schema = told.and_then(|fields| fields.get("schema"));
        if let Some(Err(too_new)) = schema.map(|schema| check_version(&self.path, schema)) {
            return too_new;
        }
        if ours {
            return RecordError::Nothing {
                path: self.path.clone(),
                reason: "the session's description and the first chunk are both damaged".to_owned(),
            };
        }
        RecordError::Foreign {
            path: self.path.clone(),
            found: "it has no session record".to_owned(),
        }
    }

    /// The description that stands in the first chunk, where a checksum protects it.
    fn session_in_chunks(&self) -> Option<SessionInfo> {
        self.chunks.iter().take(3).find_map(|chunk| {
            let mut found = None;
            let mut channels = Channels::default();
            messages(&self.store, *chunk, |message| {
                if let Some((Topic::Session, data)) = channels.resolve(message) {
                    found = found.take().or_else(|| serde_json::from_slice(data).ok());
                }
            })
            .ok()?;
            found
        })
    }

    /// No checksum protects the times in a chunk's header. One that does not fit between its
    /// neighbours is read from the chunk's messages.
    fn mend_times(&mut self) {
        let mut before = self.info.axis(self.info.start);
        for i in 0..self.chunks.len() {
            let after = self.chunks.get(i + 1).map_or(u64::MAX, |next| next.start);
            let chunk = self.chunks[i];
            if chunk.start < before || chunk.end < chunk.start || chunk.end > after {
                let mut times: Option<(u64, u64)> = None;
                let read = messages(&self.store, chunk, |message| {
                    if let Message::Data(header, _) = message {
                        let (start, _) = times.unwrap_or((header.log_time, 0));
                        times = Some((start, header.log_time));
                    }
                });
                let mended = times.filter(|_| read.is_ok()).unwrap_or((before, before));
                (self.chunks[i].start, self.chunks[i].end) = mended;
            }
            before = self.chunks[i].end;
        }
    }

    fn damage_of(&self, wound: &Wound) -> Damage {
        Damage {
            file: self.path.clone(),
            offset: wound.offset,
            what: wound.what.to_owned(),
            lost: wound.loses.then(|| self.around(wound.offset)),
        }
    }

    /// What was readable before a place, and what is after it.
    fn around(&self, offset: u64) -> (u64, Option<u64>) {
        let before = self.chunks.iter().rev().find(|chunk| chunk.offset < offset);
        let after = self.chunks.iter().find(|chunk| chunk.offset > offset);
        let from = before.map_or_else(|| self.info.axis(self.info.start), |chunk| chunk.end);
        (from, after.map(|chunk| chunk.start))
    }

    /// The items of a chunk, in order. One that is damaged gives none, and says so.
    pub(super) fn items(&self, chunk: usize, dictionary: &mut Dictionary) -> Result<Vec<(u64, Item)>, Damage> {
        let found = self.chunks[chunk];
        let mut items = Vec::new();
        let mut channels = Channels::default();
        let mut missing = 0_u64;
        dictionary.forget();
        let read = messages(&self.store, found, |message| {
            let at = match &message {
                Message::Data(header, _) => header.log_time,
                Message::Channel(..) => 0,
            };
            let Some((topic, data)) = channels.resolve(message) else {
                return;
            };
            match item(topic, data, dictionary) {
                Ok(Some(item)) => items.push((at, item)),
                Ok(None) => {}
                Err(()) => missing += 1,
            }
        });
        let damage = |what: String| Damage {
            file: self.path.clone(),
            offset: found.offset,
            what,
            lost: Some((found.start, Some(found.end))),
        };
        match read {
            Err(reason) => Err(damage(format!("a chunk is damaged ({reason})"))),
            Ok(()) if missing > 0 => {
                // Said in its place; the rest of the chunk is whole.
                let moment = items.last().map_or(self.info.start, |(_, item)| item.moment());
                let gap = super::item::Gap {
                    moment,
                    lost: missing,
                    reason: "frames that cannot be read".to_owned(),
                };
                items.push((found.end, Item::Gap(gap)));
                Ok(items)
            }
            Ok(()) => Ok(items),
        }
    }

    /// Where it is; empty for one in memory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn info(&self) -> &Arc<SessionInfo> {
        &self.info
    }

    /// What is wrong with its records. Chunks are checked when they are read.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// What it says of itself at its end; `None` when it was not finished.
    #[must_use]
    pub fn closing(&self) -> Option<&Finished> {
        self.closing.as_ref()
    }

    /// Whether another process is writing it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Its size, bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.store.size()
    }

    /// Reads every byte and compares every checksum. Returns all that is wrong.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self) -> Result<(Vec<Damage>, u64), RecordError> {
        let mut damage = self.damage.clone();
        let mut dictionary = Dictionary::default();
        let mut items = 0;
        for chunk in 0..self.chunks.len() {
            match self.items(chunk, &mut dictionary) {
                Ok(found) => {
                    items += found
                        .iter()
                        .filter(|(_, item)| !matches!(item, Item::Session(_)))
                        .count() as u64;
                }
                Err(found) => damage.push(found),
            }
        }
        let right = data_section_is_right(&self.store).map_err(|error| RecordError::io("read", &self.path, error))?;
        if right == Some(false) && damage.is_empty() {
            damage.push(Damage {
                file: self.path.clone(),
                offset: 0,
                what: "the file's checksum is wrong, though every chunk is right".to_owned(),
                lost: None,
            });
        }
        damage.sort_by_key(|damage| damage.offset);
        Ok((damage, items))
    }
}

fn closing_of(fields: &BTreeMap<String, String>) -> Option<Finished> {
    Some(Finished {
        items: fields.get("items")?.parse().ok()?,
        redacted: fields.get("redacted")?.parse().ok()?,
        outline: serde_json::from_str(fields.get("outline")?).ok()?,
    })
}

fn check_version(path: &Path, schema: &str) -> Result<(), RecordError> {
    match schema.parse::<Version>() {
        Ok(found) if found.major > VERSION.major => Err(RecordError::TooNew {
            path: path.to_owned(),
            found,
        }),
        Ok(_) => Ok(()),
        Err(_) => Err(RecordError::Foreign {
            path: path.to_owned(),
            found: "its schema has no version".to_owned(),
        }),
    }
}

/// Which topic a channel is: as the file declares it, else as schema version 1 fixes it.
#[derive(Default)]
struct Channels(BTreeMap<u16, Option<Topic>>);

impl Channels {
    fn resolve<'a>(&mut self, message: Message<'a>) -> Option<(Topic, &'a [u8])> {
        match message {
            Message::Channel(channel, name) => {
                let topic = Topic::ALL.iter().copied().find(|topic| topic.name() == name);
                self.0.insert(channel, topic);
                None
            }
            Message::Data(header, data) => {
                let known = self.0.get(&header.channel_id).copied();
                let topic = known.unwrap_or_else(|| Topic::of_channel(header.channel_id))?;
                Some((topic, data))
            }
        }
    }
}

/// The item that a message says. A later minor version may say more than is understood here: that
/// is counted, not guessed.
fn item(topic: Topic, data: &[u8], dictionary: &mut Dictionary) -> Result<Option<Item>, ()> {
    fn read<'a, T: serde::Deserialize<'a>>(data: &'a [u8]) -> Result<T, ()> {
        // Looked at once, not string by string.
        serde_json::from_str(std::str::from_utf8(data).map_err(drop)?).map_err(drop)
    }
    Ok(Some(match topic {
        Topic::Layout => {
            dictionary.learn(data).map_err(drop)?;
            return Ok(None);
        }
        Topic::Session => Item::Session(read(data)?),
        Topic::Envelopes => {
            let wire: EnvelopeWire = read(data)?;
            Item::Envelope(Box::new(wire.resolve(dictionary).map_err(drop)?))
        }
        Topic::Ticks => Item::Tick(read(data)?),
        Topic::Gaps => Item::Gap(read(data)?),
        Topic::Actions => Item::Action(read(data)?),
        Topic::Markers => Item::Marker(read(data)?),
        Topic::Events => Item::Event(read(data)?),
    }))
}
