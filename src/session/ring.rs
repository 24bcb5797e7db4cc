//! The last 15 minutes in memory: sealed, redacted chunks, the same bytes as in a file. One
//! mechanism for rewinding a live session, saving it after the fact, and playing it.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use crate::base::secret::Redactor;
use crate::base::time::Moment;
use crate::model::{History, Model, Settings};
use crate::record::{
    CHUNK, Item, Progress, RecordError, RecordWriter, Recorder, RecorderOptions, RecorderState, Recording,
    RecordingFile, Redaction, SessionInfo, Target,
};

use super::describe;
use super::playback::{feed, pass};

/// Items that may wait to be sealed.
const QUEUE: usize = 8_192;

/// The last 15 minutes of a live session, or as much of them as fits. A thread seals the chunks: whoever offers never waits.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Not a bounded channel: that one takes the room for all of its items from the beginning.
    sender: Sender<Order>,
    waiting: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Order {
    Take(Box<Item>),
    Remember(Box<History>),
    Give(SyncSender<Result<(Recording, Model), RecordError>>),
}

impl Ring {
    /// How far back it reaches at most.
    pub const REACH: Duration = Duration::from_mins(15);

    /// What its sealed chunks may take, bytes: with more, it reaches less far back.
    pub const CAP: usize = 32 << 20;

    /// A ring for a model that begins at `start`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(settings: Settings, start: Moment, redactor: Redactor) -> io::Result<Self> {
        let (sender, orders) = channel();
        let (waiting, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut chunks = Chunks::new(settings, start, redactor);
        let (taken, told) = (waiting.clone(), bytes.clone());
        std::thread::Builder::new().name("ring".to_owned()).spawn(move || {
            while let Ok(order) = orders.recv() {
                match order {
                    Order::Take(item) => {
                        taken.fetch_sub(1, Ordering::Relaxed);
                        chunks.offer(*item);
                    }
                    Order::Remember(history) => chunks.remember(*history),
                    // Nobody may be waiting any more.
                    Order::Give(reply) => drop(reply.send(chunks.recording())),
                }
                told.store(chunks.bytes, Ordering::Relaxed);
            }
        })?;
        Ok(Self { sender, waiting, bytes })
    }

    /// Takes what the model was given.
    pub fn offer(&self, item: Item) {
        // Full only when the machine is so busy that 8,192 items wait: then rewind has a gap.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        // The thread ends only with the last sender.
        let _ = self.sender.send(Order::Take(Box::new(item)));
    }

    /// Takes what was before the session's start, so that it is charted in the last minutes, too.
    pub fn remember(&self, history: History) {
        let _ = self.sender.send(Order::Remember(Box::new(history)));
    }

    /// What its sealed chunks take, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The last 15 minutes as a recording, with the model as it was at their beginning: what
    /// [`Playback::rewind`](super::Playback::rewind) takes. The ring goes on. Waits for the
    /// ring's thread: call it from a job.
    ///
    /// # Errors
    /// When nothing was taken yet.
    pub fn recording(&self) -> Result<(Recording, Model), RecordError> {
        let (reply, answer) = sync_channel(1);
        let gone = || RecordError::NoRecording(PathBuf::new());
        self.sender.send(Order::Give(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Writes the last 15 minutes to a file or folder. Waits for the disk: not for a screen's loop.
    ///
    /// # Errors
    /// When it cannot be written, or the ring is empty.
    pub fn save(recording: Recording, target: &Target, redactor: &Redactor) -> Result<Progress, RecordError> {
        let recording = Arc::new(recording);
        let (mut reader, mut recorder) = (recording.reader(), None);
        for chunk in 0..recording.chunks().len() {
            for (_, item) in reader.read(chunk).unwrap_or_default() {
                if let Item::Session(mut info) = item {
                    if recorder.is_none() {
                        // A file of its own, which begins where the ring does.
                        info.start = first_moment(&recording).unwrap_or(info.start);
                        recorder = Some(Recorder::start(RecorderOptions {
                            target: target.clone(),
                            info: *info,
                            redactor: redactor.clone(),
                        })?);
                    }
                } else if let Some(recorder) = &mut recorder {
                    recorder.offer_waiting(item);
                }
            }
        }
        let progress = recorder.map(Recorder::finish).unwrap_or_default();
        match &progress.state {
            RecorderState::Stopped(reason) => Err(RecordError::Encode {
                path: progress.path.clone(),
                reason: reason.clone(),
            }),
            _ => Ok(progress),
        }
    }
}

/// The chunks of a ring.
#[derive(Debug)]
struct Chunks {
    info: SessionInfo,
    redactor: Redactor,
    sealed: VecDeque<Sealed>,
    bytes: usize,
    /// What is not sealed yet.
    open: Vec<Item>,
    /// The model as it was when the oldest chunk began: it follows the live one at a distance, so
    /// that going back gives exactly what was on screen.
    base: Model,
}

#[derive(Clone, Debug)]
struct Sealed {
    bytes: Arc<[u8]>,
    end: Duration,
}

impl Chunks {
    fn new(settings: Settings, start: Moment, redactor: Redactor) -> Self {
        Self {
            info: describe::info(&settings, start),
            redactor,
            sealed: VecDeque::new(),
            bytes: 0,
            open: Vec::new(),
            base: Model::new(settings, start),
        }
    }

    fn offer(&mut self, item: Item) {
        let now = item.moment().mono;
        self.open.push(item);
        let begun = self.open.first().map_or(now, |first| first.moment().mono);
        if now.saturating_sub(begun) >= CHUNK {
            self.seal(now);
        }
    }

    /// The model at the ring's beginning knows it from there on: no later one is kept.
    fn remember(&mut self, history: History) {
        let begin = self.base.view().now;
        self.base.remember(history, begin);
    }

    fn seal(&mut self, end: Duration) {
        let items = std::mem::take(&mut self.open);
        let Ok(bytes) = encode(&self.info, &self.redactor, items) else {
            return;
        };
        self.bytes += bytes.len();
        self.sealed.push_back(Sealed {
            bytes: bytes.into(),
            end,
        });
        while self.bytes > Ring::CAP
            || self
                .sealed
                .front()
                .is_some_and(|oldest| end.saturating_sub(oldest.end) > Ring::REACH)
        {
            let Some(oldest) = self.sealed.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
            self.step_base(&oldest);
        }
    }

    /// The model at the ring's beginning moves on over what leaves the ring.
    fn step_base(&mut self, oldest: &Sealed) {
        let Ok(file) = RecordingFile::in_memory(oldest.bytes.clone()) else {
            return;
        };
        let Ok(recording) = Recording::of(vec![file], Vec::new()) else {
            return;
        };
        let recording = Arc::new(recording);
        let mut reader = recording.reader();
        for chunk in 0..recording.chunks().len() {
            let items = reader.read(chunk).unwrap_or_default();
            // What it shows is asked for between two chunks only.
            let shown = items.iter().rposition(|(_, item)| matches!(item, Item::Tick(_)));
            for (number, (_, item)) in items.iter().enumerate() {
                if Some(number) == shown {
                    feed(&mut self.base, item);
                } else {
                    pass(&mut self.base, item);
                }
            }
        }
    }

    /// Seals what is there, and gives it all.
    fn recording(&mut self) -> Result<(Recording, Model), RecordError> {
        if let Some(last) = self.open.last() {
            let end = last.moment().mono;
            self.seal(end);
        }
        let files: Result<Vec<_>, _> = self
            .sealed
            .iter()
            .map(|sealed| RecordingFile::in_memory(sealed.bytes.clone()))
            .collect();
        Ok((Recording::of(files?, Vec::new())?, self.base.clone()))
    }
}

fn first_moment(recording: &Arc<Recording>) -> Option<Moment> {
    let items = recording.reader().read(0).ok()?;
    let first = items.iter().find(|(_, item)| !matches!(item, Item::Session(_)))?;
    Some(first.1.moment())
}

fn encode(info: &SessionInfo, redactor: &Redactor, items: Vec<Item>) -> Result<Vec<u8>, crate::record::WriteError> {
    let begun = items.first().map_or(info.start, Item::moment);
    let mut writer = RecordWriter::light(Vec::new(), info.clone(), begun, Redaction::new(redactor.clone()))?;
    for item in items {
        writer.write(item)?;
    }
    writer.finish().map_err(|(error, _)| error)
}
