//! Walks through a file from record to record, past damage, and finds its chunks. Nothing that
//! is found is trusted until its checksum was compared.

use std::collections::BTreeMap;
use std::io;

use mcap::MAGIC;
use mcap::records::{Footer, MessageHeader, Metadata, Record, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

use super::store::Store;
use super::writer::{CHECKSUM, checksum};

/// A record or a chunk above this size is damage, bytes.
const LIMIT: u64 = 64 << 20;

/// Opcode and length.
const HEAD: u64 = 9;

/// A chunk's own header, with the name of its compression, `zstd`.
const CHUNK_HEAD: u64 = 44;

/// Where the compression's name stands in a chunk record, after opcode and length.
const MARK_AT: u64 = 28;
const MARK: &[u8] = b"\x04\0\0\0zstd";

/// How much is searched at a time.
const WINDOW: usize = 1 << 20;

/// A chunk that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: u64,
    /// With opcode and length.
    pub(super) length: u64,
    /// As its header says, which no checksum protects.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// A damaged place: where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wound {
    pub(super) offset: u64,
    pub(super) what: &'static str,
    /// Whether something could have been lost.
    pub(super) loses: bool,
}

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) chunks: Vec<Found>,
    pub(super) wounds: Vec<Wound>,
    /// Metadata records whose checksum is right.
    pub(super) metadata: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether it begins like an MCAP file.
    pub(super) magic: bool,
    /// Metadata records of any name, checked or not: whose file it is.
    pub(super) named: Vec<String>,
    /// Whether it was ended in order.
    pub(super) finished: bool,
}

pub(super) fn scan(store: &Store) -> io::Result<Scan> {
    let mut walk = Walk {
        store,
        scan: Scan::default(),
        indexed: indexed_chunks(store),
    };
    walk.run()?;
    walk.add_what_was_stepped_over()?;
    Ok(walk.scan)
}

struct Walk<'a> {
    store: &'a Store,
    scan: Scan,
    /// Where the summary says that chunks are. Empty when there is none, or it is damaged.
    indexed: Vec<u64>,
}

impl Walk<'_> {
    fn run(&mut self) -> io::Result<()> {
        let size = self.store.size();
        let magic = MAGIC.len() as u64;
        self.scan.magic = self.store.read(0, MAGIC.len())? == MAGIC;
        if !self.scan.magic {
            self.wound(0, "it does not begin like an MCAP file", false);
        }
        let mut at = magic.min(size);
        // A record without a checksum is believed only when a record follows it.
        let mut believed = at;
        while at < size {
            let head = self.store.read(at, usize::try_from(HEAD).unwrap_or(9))?;
            let Ok(head) = <[u8; 9]>::try_from(head.as_slice()) else {
                self.wound(at, "it ends in the middle of a record", true);
                return Ok(());
            };
            let opcode = head[0];
            let length = u64::from_le_bytes([head[1], head[2], head[3], head[4], head[5], head[6], head[7], head[8]]);
            let end = at.saturating_add(HEAD).saturating_add(length);
            let mut from = believed;
            if let Some(chunk) = self.sound_chunk(at)? {
                if chunk.offset + chunk.length <= size {
                    if opcode != op::CHUNK {
                        self.wound(at, "the kind of a chunk is damaged", false);
                    }
                    self.scan.chunks.push(chunk);
                    at += chunk.length;
                    believed = at;
                    continue;
                }
                self.wound(at, "it ends in the middle of a chunk", true);
                from = at + 1;
            } else if opcode == op::CHUNK {
                self.wound(at, "the header of a chunk is damaged", true);
                from = at + 1;
            } else if opcode == op::FOOTER && length == 20 && end + magic == size {
                return self.check_ending(at);
            } else if opcode == 0 || length > LIMIT || opcode == op::FOOTER || end > size {
                self.wound(at, "a record is damaged or cut off", true);
            } else {
                self.take(opcode, at, length)?;
                believed = at;
                at = end;
                continue;
            }
            // Whatever was believed without proof since the last chunk may have been wrong, too.
            match self.next_chunk(from)? {
                Some(chunk) => at = chunk,
                None => break,
            }
            believed = at;
        }
        Ok(())
    }

    fn wound(&mut self, offset: u64, what: &'static str, loses: bool) {
        self.scan.wounds.push(Wound { offset, what, loses });
    }

    fn take(&mut self, opcode: u8, at: u64, length: u64) -> io::Result<()> {
        if opcode != op::METADATA {
            return Ok(());
        }
        let body = self.store.read(at + HEAD, usize::try_from(length).unwrap_or(0))?;
        let Ok(Record::Metadata(Metadata { name, metadata })) = mcap::parse_record(opcode, &body) else {
            self.wound(at, "a metadata record is damaged", false);
            return Ok(());
        };
        if metadata.get(CHECKSUM) == Some(&checksum(&metadata)) {
            self.scan.metadata.insert(name.clone(), metadata);
        } else if metadata.contains_key(CHECKSUM) {
            self.wound(at, "a metadata record is damaged", false);
        }
        self.scan.named.push(name);
        Ok(())
    }

    /// The footer is there: is the summary before it as it was written?
    fn check_ending(&mut self, at: u64) -> io::Result<()> {
        self.scan.finished = true;
        let size = self.store.size();
        let magic = MAGIC.len();
        if self.store.read(size - magic as u64, magic)? != MAGIC || summary(self.store)?.is_none() {
            self.wound(at, "the summary is damaged", false);
        }
        Ok(())
    }

    /// A chunk whose header makes sense, its opcode apart.
    fn sound_chunk(&self, at: u64) -> io::Result<Option<Found>> {
        let bytes = self.store.read(at, usize::try_from(HEAD + CHUNK_HEAD).unwrap_or(53))?;
        let number = |from: usize| {
            let bytes = bytes.get(from..from + 8)?;
            bytes.try_into().ok().map(u64::from_le_bytes)
        };
        let (Some(length), Some(start), Some(end), Some(size), Some(compressed)) =
            (number(1), number(9), number(17), number(25), number(45))
        else {
            return Ok(None);
        };
        let marked = bytes.get(37..45) == Some(MARK);
        // A checksum of 0 means that there is none; ours always is.
        let summed = bytes.get(33..37).is_some_and(|sum| sum != [0; 4]);
        let sound = marked && summed && size <= LIMIT && compressed <= LIMIT && length == compressed + CHUNK_HEAD;
        Ok(sound.then_some(Found {
            offset: at,
            length: HEAD + length,
            start,
            end,
        }))
    }

    /// The next chunk from `from` on: as the summary says, or by the look of it.
    fn next_chunk(&self, from: u64) -> io::Result<Option<u64>> {
        let listed = self.indexed.iter().copied().find(|offset| *offset >= from);
        let finder = memchr::memmem::Finder::new(MARK);
        let mut at = from;
        while at < listed.unwrap_or(self.store.size()) {
            let bytes = self.store.read(at, WINDOW + MARK.len())?;
            for hit in finder.find_iter(&bytes) {
                let place = at + hit as u64;
                if let Some(begin) = place.checked_sub(HEAD + MARK_AT)
                    && begin >= from
                    && self.sound_chunk(begin)?.is_some()
                    && self.store.read(begin, 1)? == [op::CHUNK]
                {
                    return Ok(Some(begin));
                }
            }
            at += WINDOW as u64;
        }
        Ok(listed)
    }

    /// A length that was damaged may have led past chunks which the summary knows.
    fn add_what_was_stepped_over(&mut self) -> io::Result<()> {
        for offset in std::mem::take(&mut self.indexed) {
            if self
                .scan
                .chunks
                .binary_search_by_key(&offset, |chunk| chunk.offset)
                .is_err()
                && let Some(chunk) = self.sound_chunk(offset)?
            {
                self.scan.chunks.push(chunk);
                self.scan.chunks.sort_by_key(|chunk| chunk.offset);
            }
        }
        Ok(())
    }
}

/// The summary section, when its checksum is right.
fn summary(store: &Store) -> io::Result<Option<Vec<u8>>> {
    let tail = HEAD + 20 + MAGIC.len() as u64;
    let Some(at) = store.size().checked_sub(tail) else {
        return Ok(None);
    };
    let head = store.read(at, 29)?;
    let Ok(Record::Footer(Footer {
        summary_start,
        summary_crc,
        ..
    })) = mcap::parse_record(op::FOOTER, head.get(9..).unwrap_or_default())
    else {
        return Ok(None);
    };
    if head[0] != op::FOOTER || summary_start > at || at - summary_start > LIMIT {
        return Ok(None);
    }
    // The checksum covers the summary and the footer up to the checksum itself.
    let length = at - summary_start + HEAD + 16;
    let bytes = store.read(summary_start, usize::try_from(length).unwrap_or(0))?;
    Ok((crc32fast::hash(&bytes) == summary_crc && summary_crc != 0).then_some(bytes))
}

fn indexed_chunks(store: &Store) -> Vec<u64> {
    let Ok(Some(bytes)) = summary(store) else {
        return Vec::new();
    };
    let mut offsets = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((head, tail)) = rest.split_at_checked(9) {
        let length = head[1..9].try_into().map_or(u64::MAX, u64::from_le_bytes);
        let Some((body, after)) = usize::try_from(length)
            .ok()
            .and_then(|length| tail.split_at_checked(length))
        else {
            break;
        };
        if let Ok(Record::ChunkIndex(index)) = mcap::parse_record(head[0], body) {
            offsets.push(index.chunk_start_offset);
        }
        rest = after;
    }
    offsets.sort_unstable();
    offsets
}

/// The data section's checksum, where the file has one: whether it is right.
pub(super) fn data_section_is_right(store: &Store) -> io::Result<Option<bool>> {
    let Some(bytes) = summary(store)? else { return Ok(None) };
    let tail = store.size() - HEAD - 20 - MAGIC.len() as u64;
    let Some(end) = (tail + HEAD + 16).checked_sub(bytes.len() as u64 + HEAD + 4) else {
        return Ok(None);
    };
    let record = store.read(end, 13)?;
    if record.first() != Some(&op::DATA_END) {
        return Ok(Some(false));
    }
    let saved = record[9..13].try_into().map_or(0, u32::from_le_bytes);
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < end {
        let window = (WINDOW as u64).min(end - at);
        hasher.update(&store.read(at, usize::try_from(window).unwrap_or(WINDOW))?);
        at += window;
    }
    Ok(Some(saved == 0 || saved == hasher.finalize()))
}

/// Why a chunk cannot be used.
pub(super) type Broken = String;

/// The messages of a chunk, in order, after its checksum was compared; `take` is given the name of
/// the topic's channel where the chunk declares it.
pub(super) fn messages(store: &Store, chunk: Found, mut take: impl FnMut(Message<'_>)) -> Result<(), Broken> {
    let length = usize::try_from(chunk.length).map_err(|error| error.to_string())?;
    let mut bytes = store.read(chunk.offset, length).map_err(|error| error.to_string())?;
    // Its opcode may be what was damaged.
    bytes[0] = op::CHUNK;
    let limit = usize::try_from(LIMIT).unwrap_or(usize::MAX);
    let mut reader = LinearReader::new_with_options(
        LinearReaderOptions::default()
            .with_skip_start_magic(true)
            .with_skip_end_magic(true)
            .with_validate_chunk_crcs(true)
            .with_prevalidate_chunk_crcs(true)
            .with_record_length_limit(limit),
    );
    let mut given = 0;
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| error.to_string())? {
            LinearReadEvent::ReadRequest(need) => {
                let part = &bytes[given..bytes.len().min(given + need)];
                reader.insert(need)[..part.len()].copy_from_slice(part);
                reader.notify_read(part.len());
                given += part.len();
            }
            LinearReadEvent::Record { opcode, data } => {
                match mcap::parse_record(opcode, data).map_err(|error| error.to_string())? {
                    Record::Message { header, data } => take(Message::Data(header, &data)),
                    Record::Channel(channel) => take(Message::Channel(channel.id, &channel.topic)),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// What a chunk holds.
#[derive(Clone, Copy)]
pub(super) enum Message<'a> {
    /// A channel is declared: its number and its topic.
    Channel(u16, &'a str),
    /// A message.
    Data(MessageHeader, &'a [u8]),
}
