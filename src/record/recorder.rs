//! Records in a thread of its own, behind a bounded queue: whoever offers an item never waits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::{FlockOperation, flock};

use super::error::RecordError;
use super::folder::{Limits, file_name, keep_within};
use super::item::{Gap, Item, SessionInfo, span};
use super::redaction::Redaction;
use super::writer::{RecordWriter, WriteError};
use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::Moment;

/// Items that may wait for the disk: some seconds of the widest session.
const QUEUE: usize = 8_192;

/// Where to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One file; one that is there is overwritten only when forced.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether it may be overwritten.
        force: bool,
    },
    /// A folder of rotated files.
    Folder(PathBuf, Limits),
}

impl Target {
    /// A folder when there is one, or when the path ends in `/`; else a file.
    #[must_use]
    pub fn of(path: &Path, force: bool) -> Self {
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Self::Folder(path.to_owned(), Limits::default());
        }
        Self::File {
            path: path.to_owned(),
            force,
        }
    }
}

/// How to record.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    /// Where.
    pub target: Target,
    /// The session.
    pub info: SessionInfo,
    /// The secrets of the profile.
    pub redactor: Redactor,
}

/// How a recorder is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecorderState {
    /// It writes.
    #[default]
    Recording,
    /// It ended in order.
    Finished,
    /// It gave up, and why: a full disk, for instance. What was sealed before can be read.
    Stopped(String),
}

/// What a recorder has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How it is.
    pub state: RecorderState,
    /// The file that it writes, as it will be named.
    pub path: PathBuf,
    /// Files begun.
    pub files: u32,
    /// Bytes on disk, in all files.
    pub bytes: u64,
    /// Items written.
    pub items: u64,
    /// Items left out because the disk was too slow; each run of them stands as a gap.
    pub dropped: u64,
    /// Texts that held a secret.
    pub redacted: u64,
}

impl Progress {
    /// What it has done, for a person.
    #[must_use]
    pub fn told(&self) -> String {
        let path = self.path.display().to_string();
        let mut parts = vec![format!(
            "recorded {} items, {}, in {}",
            text::count(self.items),
            text::bytes(self.bytes),
            text::safe(&path)
        )];
        if self.files > 1 {
            parts.push(format!("files before it: {}", self.files - 1));
        }
        if self.redacted > 0 {
            parts.push(format!("secrets taken out: {}", text::count(self.redacted)));
        }
        if self.dropped > 0 {
            let dropped = text::count(self.dropped);
            parts.push(format!("left out because the disk was too slow: {dropped}"));
        }
        parts.join("; ")
    }
}

/// A recorder at work. Dropped, it finishes its file.
#[derive(Debug)]
pub struct Recorder {
    sender: Option<SyncSender<Order>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Items left out since the last one that was taken.
    skipped: u64,
}

#[derive(Debug)]
enum Order {
    Write(Box<Item>),
    Flush,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    dropped: AtomicU64,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Recorder {
    /// Creates the first file, so that what is wrong is told at once, and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be created, is there already, or another process is writing it.
    pub fn start(options: RecorderOptions) -> Result<Self, RecordError> {
        let shared = Arc::new(Shared::default());
        let mut room = Room {
            target: options.target,
            info: options.info,
            redactor: options.redactor,
            shared: shared.clone(),
            before: (0, 0, 0),
            writing: None,
        };
        room.begin_file(room.info.start)?;
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || room.work(&receiver))
            .map_err(|error| RecordError::io("start the recorder of", &shared.path(), error))?;
        Ok(Self {
            sender: Some(sender),
            shared,
            thread: Some(thread),
            skipped: 0,
        })
    }

    /// Takes an item. Never waits: while the queue is full, items are left out and counted.
    pub fn offer(&mut self, item: Item) {
        let Some(sender) = &self.sender else { return };
        if self.skipped > 0 {
            let gap = Item::Gap(Gap {
                moment: item.moment(),
                lost: self.skipped,
                reason: "the disk was too slow".to_owned(),
            });
            if sender.try_send(Order::Write(Box::new(gap))).is_err() {
                self.skip();
                return;
            }
            self.skipped = 0;
        }
        if let Err(TrySendError::Full(_)) = sender.try_send(Order::Write(Box::new(item))) {
            self.skip();
        }
    }

    /// Takes an item, and waits for the disk while the queue is full. Nothing is left out.
    pub fn offer_waiting(&mut self, item: Item) {
        if let Some(sender) = &self.sender {
            // Nobody listens after a failure, which `finish` tells.
            let _ = sender.send(Order::Write(Box::new(item)));
        }
    }

    fn skip(&mut self) {
        self.skipped += 1;
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks for what was taken so far to be put on the disk.
    pub fn flush(&self) {
        if let Some(sender) = &self.sender {
            // A full queue is on its way to the disk anyway.
            let _ = sender.try_send(Order::Flush);
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = self
            .shared
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        progress.dropped = self.shared.dropped.load(Ordering::Relaxed);
        progress
    }

    /// Writes what is waiting, finishes the file and waits until it is on the disk.
    #[must_use]
    pub fn finish(mut self) -> Progress {
        self.join();
        self.progress()
    }

    fn join(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            let gave_up = RecorderState::Stopped("the recorder's thread panicked".to_owned());
            self.shared.change(|progress| progress.state = gave_up);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn path(&self) -> PathBuf {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .path
            .clone()
    }
}

/// Where the thread works.
struct Room {
    target: Target,
    info: SessionInfo,
    redactor: Redactor,
    shared: Arc<Shared>,
    /// Bytes, items and redactions of the files before.
    before: (u64, u64, u64),
    writing: Option<Writing>,
}

/// A file that is being written.
struct Writing {
    writer: RecordWriter<Output>,
    path: PathBuf,
    part: PathBuf,
    written: Arc<AtomicU64>,
    begun: u64,
}

impl Room {
    fn work(mut self, orders: &Receiver<Order>) {
        let outcome = self.follow(orders);
        let state = match outcome.and_then(|()| self.end_file()) {
            Ok(()) => RecorderState::Finished,
            Err(error) => {
                self.give_up();
                tracing::error!(%error, "the recording stopped");
                RecorderState::Stopped(error.to_string())
            }
        };
        self.shared.change(|progress| progress.state = state);
    }

    fn follow(&mut self, orders: &Receiver<Order>) -> Result<(), RecordError> {
        while let Ok(order) = orders.recv() {
            let Some(writing) = &mut self.writing else { break };
            let chunks = writing.writer.counts().chunks;
            let (moment, outcome) = match order {
                Order::Write(item) => (Some(item.moment()), writing.writer.write(*item)),
                Order::Flush => (None, writing.writer.flush()),
            };
            let path = writing.path.clone();
            outcome.map_err(|error| refused(&path, error))?;
            if writing.writer.counts().chunks > chunks {
                self.report();
                if let Some(moment) = moment {
                    self.rotate(moment)?;
                }
            }
        }
        Ok(())
    }

    /// After a chunk: is it time for another file?
    fn rotate(&mut self, moment: Moment) -> Result<(), RecordError> {
        let Target::Folder(folder, limits) = &self.target else {
            return Ok(());
        };
        let Some(writing) = &self.writing else { return Ok(()) };
        let (folder, limits) = (folder.clone(), *limits);
        let full = writing.written.load(Ordering::Relaxed) >= limits.largest
            || span(writing.begun, self.info.axis(moment)) >= limits.longest;
        if full {
            self.end_file()?;
            self.info.file += 1;
            self.begin_file(moment)?;
        }
        let path = self.shared.path();
        match keep_within(&folder, limits.total, &path) {
            Ok(removed) => removed
                .iter()
                .for_each(|path| tracing::info!(path = %path.display(), "removed: over the total cap")),
            Err(error) => tracing::warn!(%error, "cannot keep the folder within its cap"),
        }
        Ok(())
    }

    fn begin_file(&mut self, moment: Moment) -> Result<(), RecordError> {
        let path = self.next_path(moment)?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = claim(&part)?;
        let written = Arc::new(AtomicU64::new(0));
        let output = Output {
            file,
            held: Vec::new(),
            written: written.clone(),
        };
        let redaction = Redaction::new(self.redactor.clone());
        let begun = RecordWriter::new(output, self.info.clone(), moment, redaction).and_then(|mut writer| {
            // The description is on the disk before anything else happens.
            writer.flush()?;
            Ok(writer)
        });
        let writer = begun.map_err(|error| refused(&part, error))?;
        self.shared.change(|progress| {
            progress.path.clone_from(&path);
            progress.files += 1;
        });
        self.writing = Some(Writing {
            writer,
            path,
            part,
            written,
            begun: self.info.axis(moment),
        });
        Ok(())
    }

    fn next_path(&self, moment: Moment) -> Result<PathBuf, RecordError> {
        match &self.target {
            Target::File { path, force } => {
                if !force && path.exists() {
                    return Err(RecordError::Exists(path.clone()));
                }
                Ok(path.clone())
            }
            Target::Folder(folder, _) => {
                fs::create_dir_all(folder).map_err(|error| RecordError::io("create", folder, error))?;
                let free = (self.info.file..u32::MAX)
                    .map(|number| folder.join(file_name(moment.at, number)))
                    .find(|path| !path.exists() && !path.with_extension("mcap.part").exists());
                free.ok_or_else(|| RecordError::Exists(folder.clone()))
            }
        }
    }

    /// Finishes the file, puts it on the disk and gives it its name.
    fn end_file(&mut self) -> Result<(), RecordError> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        let Writing {
            writer,
            path,
            part,
            written,
            ..
        } = writing;
        let redacted = writer.counts().redacted;
        let items = writer.counts().items;
        let mut output = writer.finish().map_err(|(error, mut output)| {
            output.cut();
            refused(&path, error)
        })?;
        if let Err(error) = output.flush().and_then(|()| output.file.sync_all()) {
            output.cut();
            return Err(RecordError::io("write", &path, error));
        }
        fs::rename(&part, &path).map_err(|error| RecordError::io("finish", &path, error))?;
        // The name is on the disk when its folder is.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        let bytes = written.load(Ordering::Relaxed);
        self.before = (self.before.0 + bytes, self.before.1 + items, self.before.2 + redacted);
        self.report();
        Ok(())
    }

    /// What was sealed stays, and can be read; what was being written when it failed is cut off.
    fn give_up(&mut self) {
        if let Some(writing) = self.writing.take() {
            let mut output = writing.writer.abandon();
            output.cut();
        }
    }

    fn report(&self) {
        let (mut bytes, mut items, mut redacted) = self.before;
        if let Some(writing) = &self.writing {
            let counts = writing.writer.counts();
            bytes += writing.written.load(Ordering::Relaxed);
            items += counts.items;
            redacted += counts.redacted;
        }
        self.shared.change(|progress| {
            progress.bytes = bytes;
            progress.items = items;
            progress.redacted = redacted;
        });
    }
}

fn refused(path: &Path, error: WriteError) -> RecordError {
    match error {
        WriteError::Io(error) => RecordError::io("write", path, error),
        WriteError::Encode(reason) => RecordError::Encode {
            path: path.to_owned(),
            reason,
        },
    }
}

/// Creates a file that nobody else is writing, and holds it alone. What a killed writer left
/// there is moved out of the way, not lost.
fn claim(part: &Path) -> Result<File, RecordError> {
    let refuse = |error| RecordError::io("create", part, error);
    let lock = |file: &File| {
        flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|_| RecordError::Busy {
            operation: "write",
            path: part.to_owned(),
        })
    };
    match File::open(part) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refuse(error)),
        Ok(old) => {
            lock(&old)?;
            let kept = (1..u32::MAX)
                .map(|number| part.with_extension(format!("{number}.mcap.part")))
                .find(|path| !path.exists());
            if let Some(kept) = kept {
                fs::rename(part, kept).map_err(refuse)?;
            }
        }
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(part)
        .map_err(refuse)?;
    lock(&file)?;
    Ok(file)
}

/// The file. What is written to it is held back until it is whole: a chunk is one append.
#[derive(Debug)]
struct Output {
    file: File,
    held: Vec<u8>,
    written: Arc<AtomicU64>,
}

impl Output {
    /// Cuts off what was written in part.
    fn cut(&mut self) {
        self.held.clear();
        if let Err(error) = self.file.set_len(self.written.load(Ordering::Relaxed)) {
            tracing::warn!(%error, "cannot cut off the end of the recording");
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.held)?;
        self.written.fetch_add(self.held.len() as u64, Ordering::Relaxed);
        self.held.clear();
        self.file.sync_data()
    }
}
