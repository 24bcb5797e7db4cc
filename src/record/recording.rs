//! A recording: one file, or a folder of rotated files, on one axis of time.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::damage::{Damage, Health};
use super::dictionary::Dictionary;
use super::error::RecordError;
use super::file::RecordingFile;
use super::item::{Item, SessionInfo};
use super::outline::Outline;

/// A recording: one file, or a folder of rotated files. Its axis of time is unix nanoseconds that
/// never go back.
#[derive(Clone, Debug)]
pub struct Recording {
    files: Vec<RecordingFile>,
    chunks: Vec<ChunkAt>,
    /// What could not be opened at all.
    unreadable: Vec<String>,
    seam: Option<Seam>,
}

/// Chunks that are read at a time, ahead of their use: a chunk takes longer to read than to fold.
const READERS: usize = 2;

/// Chunks that each reader has ready besides.
const READY: usize = 1;

/// Where one recording ends and another one of the same pipeline begins.
#[derive(Clone, Copy, Debug)]
struct Seam {
    /// From when on the earlier one is needed at all, unix nanoseconds.
    from: u64,
    /// Where the later one begins: nothing of the earlier one counts from here on.
    at: u64,
    /// The first chunk of the later one.
    chunk: usize,
}

/// Where a chunk stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkAt {
    file: usize,
    chunk: usize,
    /// When it begins, unix nanoseconds.
    pub start: u64,
    /// When it ends.
    pub end: u64,
}

impl Recording {
    /// Opens a file, or all recordings of a folder.
    ///
    /// # Errors
    /// When nothing in it can be read, or another process still writes the file.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let kind = std::fs::metadata(path).map_err(|error| RecordError::io("open", path, error))?;
        if !kind.is_dir() {
            return Self::of(vec![RecordingFile::open(path, false)?], Vec::new());
        }
        let entries = std::fs::read_dir(path).map_err(|error| RecordError::io("read", path, error))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| is_recording(path));
        paths.sort();
        let (mut files, mut unreadable) = (Vec::new(), Vec::new());
        let mut first = None;
        for path in &paths {
            // A service may be writing the last one.
            match RecordingFile::open(path, true) {
                Ok(file) => files.push(file),
                // A writer that was just started, or was killed before its first chunk.
                Err(RecordError::Empty(_)) if is_part(path) => {}
                Err(error) => {
                    unreadable.push(error.to_string());
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if files.is_empty() => Err(error),
            _ if files.is_empty() => Err(RecordError::NoRecording(path.to_owned())),
            _ => Self::of(files, unreadable),
        }
    }

    /// A recording of files that are open, in memory for instance.
    ///
    /// # Errors
    /// When there is no file.
    pub fn of(mut files: Vec<RecordingFile>, unreadable: Vec<String>) -> Result<Self, RecordError> {
        if files.is_empty() {
            return Err(RecordError::NoRecording(PathBuf::new()));
        }
        files.sort_by_key(|file| (file.info().start.at, file.info().session.clone(), file.info().file));
        let mut chunks: Vec<ChunkAt> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            for (place, chunk) in file.chunks.iter().enumerate() {
                // Two sessions in one folder do not overlap, whatever the machine's clock did.
                let start = chunk.start.max(chunks.last().map_or(0, |last| last.end));
                chunks.push(ChunkAt {
                    file: number,
                    chunk: place,
                    start,
                    end: chunk.end.max(start),
                });
            }
        }
        Ok(Self {
            files,
            chunks,
            unreadable,
            seam: None,
        })
    }

    /// The same with the sessions only that are wanted.
    ///
    /// # Errors
    /// When none is.
    pub fn of_sessions(mut self, mut wanted: impl FnMut(&SessionInfo) -> bool) -> Result<Self, RecordError> {
        self.files.retain(|file| wanted(file.info()));
        Self::of(self.files, self.unreadable)
    }

    /// The same after what another recording knows of the `reach` before it. What both of them
    /// know is taken from this one alone, so that no sample counts twice.
    #[must_use]
    pub fn after(self, earlier: Self, reach: Duration) -> Self {
        let (begin, _) = self.span();
        let from = begin.saturating_sub(u64::try_from(reach.as_nanos()).unwrap_or(u64::MAX));
        let (mut files, mut chunks) = (Vec::new(), Vec::new());
        for (number, file) in earlier.files.into_iter().enumerate() {
            let known = earlier.chunks.iter().filter(|chunk| chunk.file == number);
            let kept: Vec<ChunkAt> = known
                .filter(|chunk| chunk.end >= from && chunk.start < begin)
                .map(|chunk| ChunkAt {
                    file: files.len(),
                    end: chunk.end.min(begin),
                    ..*chunk
                })
                .collect();
            if !kept.is_empty() {
                files.push(file);
                chunks.extend(kept);
            }
        }
        let seam = (!chunks.is_empty()).then_some(Seam {
            from,
            at: begin,
            chunk: chunks.len(),
        });
        let before = files.len();
        chunks.extend(self.chunks.into_iter().map(|chunk| ChunkAt {
            file: chunk.file + before,
            ..chunk
        }));
        files.extend(self.files);
        let mut unreadable = earlier.unreadable;
        unreadable.extend(self.unreadable);
        Self {
            files,
            chunks,
            unreadable,
            seam,
        }
    }

    /// Where what an earlier recording knew ends: [`Recording::after`]. Unix nanoseconds.
    #[must_use]
    pub fn seam(&self) -> Option<u64> {
        self.seam.map(|seam| seam.at)
    }

    /// Its files, in order.
    #[must_use]
    pub fn files(&self) -> &[RecordingFile] {
        &self.files
    }

    /// Files of the folder that could not be read at all, and why.
    #[must_use]
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// The session of its first file.
    #[must_use]
    pub fn info(&self) -> &Arc<SessionInfo> {
        self.files[0].info()
    }

    /// Its first and last moment, unix nanoseconds. Equal when it is empty.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        let info = self.info();
        let start = self
            .chunks
            .first()
            .map_or_else(|| info.axis(info.start), |chunk| chunk.start);
        (start, self.chunks.last().map_or(start, |chunk| chunk.end))
    }

    /// Its chunks, in order.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkAt] {
        &self.chunks
    }

    /// The session that a chunk belongs to.
    #[must_use]
    pub fn session_of(&self, chunk: usize) -> &Arc<SessionInfo> {
        self.files[self.chunks[chunk].file].info()
    }

    /// The chunk that holds `at`, or the last one before it.
    #[must_use]
    pub fn chunk_before(&self, at: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.start <= at).saturating_sub(1)
    }

    /// What is wrong with its records. Chunks are checked when they are read.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.files.iter().flat_map(|file| file.damage().to_vec()).collect()
    }

    /// A reader of its chunks.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> ChunkReader {
        ChunkReader {
            recording: self.clone(),
            dictionary: Dictionary::default(),
        }
    }

    /// Reads chunks in order, a few ahead of whoever takes them: several are read at a time, while
    /// those before them are folded.
    pub fn each_chunk(
        self: &Arc<Self>,
        chunks: RangeInclusive<usize>,
        mut take: impl FnMut(usize, Result<Vec<(u64, Item)>, Damage>) -> ControlFlow<()>,
    ) {
        let mut own = self.reader();
        std::thread::scope(|scope| {
            // Chunks are dealt out to the readers in turn, and taken from them in turn.
            let readers: Vec<_> = (0..READERS.min(chunks.clone().count()))
                .map(|number| {
                    let (sender, read) = sync_channel(READY);
                    let (mut reader, dealt) = (own.beside(), chunks.clone().skip(number).step_by(READERS));
                    let read_ahead = move || {
                        for chunk in dealt {
                            // Whoever takes them has seen enough.
                            if sender.send(reader.read(chunk)).is_err() {
                                return;
                            }
                        }
                    };
                    let thread = std::thread::Builder::new().name("read-ahead".to_owned());
                    thread.spawn_scoped(scope, read_ahead).ok().map(|_| read)
                })
                .collect();
            let mut dealt = chunks.zip(readers.iter().cycle());
            let _ = dealt.try_for_each(|(chunk, reader)| {
                // Where no thread could be had, it is read here.
                let items = reader.as_ref().and_then(|read| read.recv().ok());
                take(chunk, items.unwrap_or_else(|| own.read(chunk)))
            });
        });
    }

    /// What a timeline shows. Files that were finished say it of themselves; others are read.
    #[must_use]
    pub fn outline(self: &Arc<Self>) -> Outline {
        let mut outline = Outline::default();
        let mut reader = self.reader();
        let later = self.seam.and_then(|seam| self.chunks.get(seam.chunk));
        let earlier = later.map_or(0, |chunk| chunk.file);
        for (number, file) in self.files.iter().enumerate() {
            if let Some(closing) = file.closing() {
                let mut own = closing.outline.clone();
                if let Some(seam) = self.seam.filter(|_| number < earlier) {
                    own.clip(seam.from, seam.at);
                }
                outline.extend(own);
                continue;
            }
            let mut own = Outline::default();
            for (i, _) in self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.file == number) {
                for (at, item) in reader.read(i).unwrap_or_default() {
                    own.note(at, &item);
                }
            }
            outline.extend(own);
        }
        outline
    }

    /// Reads every byte and compares every checksum: what is wrong, and how many items there are.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn verify(&self) -> Result<(Health, Vec<Damage>, u64), RecordError> {
        let (mut all, mut items) = (Vec::new(), 0);
        for file in &self.files {
            let (damage, count) = file.verify()?;
            all.extend(damage);
            items += count;
        }
        let health = if all.is_empty() && self.unreadable.is_empty() {
            Health::Intact
        } else {
            Health::Damaged
        };
        Ok((health, all, items))
    }
}

/// Reads chunks of a recording, one at a time.
#[derive(Debug)]
pub struct ChunkReader {
    recording: Arc<Recording>,
    dictionary: Dictionary,
}

impl ChunkReader {
    /// Another reader of the same recording, for another thread: what they learn they share.
    fn beside(&self) -> Self {
        Self {
            recording: self.recording.clone(),
            dictionary: self.dictionary.beside(),
        }
    }

    /// The items of a chunk with their times on the recording's axis.
    ///
    /// # Errors
    /// When it is damaged: none of its items is delivered.
    pub fn read(&mut self, chunk: usize) -> Result<Vec<(u64, Item)>, Damage> {
        let at = self.recording.chunks[chunk];
        let file = &self.recording.files[at.file];
        let mut items = file.items(at.chunk, &mut self.dictionary)?;
        if let Some(seam) = self.recording.seam.filter(|seam| chunk < seam.chunk) {
            items.retain(|(time, _)| *time < seam.at);
        }
        for (time, _) in &mut items {
            *time = (*time).max(at.start);
        }
        Ok(items)
    }
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "part")
}

/// `x.mcap`, and `x.mcap.part`, which its writer did not finish or still writes.
fn is_recording(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".part").unwrap_or(name);
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("mcap"))
}
