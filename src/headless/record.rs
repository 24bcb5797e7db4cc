//! `hookwatch record` and `verify`: recordings without a screen.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use crate::base::text;
use crate::base::time::{SharedClock, Timestamp};
use crate::model::{Model, View};
use crate::record::{Damage, Health, Progress, RecordError, RecorderState, Recording};
use crate::session::{Session, Tap, Ticker};

/// Records a session until `stop`, with the console's own ticks, and puts the end on the disk.
/// `each` is called after every tick, for what else is to be known of it.
pub async fn record(
    mut session: Session,
    mut tap: Tap,
    clock: &SharedClock,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(&View),
) -> Progress {
    let mut model = Model::new(session.settings.clone(), session.started);
    let mut ticker = Ticker::new(clock.now());
    tokio::pin!(stop);
    loop {
        let now = clock.now();
        if ticker.is_due(now) {
            model.advance(now);
            tap.tick(model.view());
            each(model.view());
            let stopped = |progress: &Progress| matches!(progress.state, RecorderState::Stopped(_));
            if tap.progress().as_ref().is_some_and(stopped) {
                break;
            }
        }
        let pause = ticker.at().saturating_sub(now.mono);
        tokio::select! {
            () = &mut stop => break,
            Some(envelope) = session.envelopes.recv() => {
                tap.envelope(&envelope);
                model.apply(&envelope);
                if model.has_news() {
                    ticker.hurry(clock.now());
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    tap.stop_recording().unwrap_or_default()
}

/// What is to be said of a recording's state.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Whether anything is wrong.
    pub health: Health,
    /// For a person, a line each.
    pub lines: Vec<String>,
}

impl Verification {
    /// 0 intact, 1 damaged but readable. What cannot be read is an error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.health != Health::Intact)
    }
}

/// Reads every byte of a recording and compares every checksum.
///
/// # Errors
/// When nothing in it can be read.
pub fn verify(path: &Path) -> Result<Verification, RecordError> {
    let recording = Recording::open(path)?;
    let (health, damage, items) = recording.verify()?;
    let (start, end) = recording.span();
    let length = text::duration(Duration::from_nanos(end - start));
    let what = match health {
        Health::Intact => "intact",
        Health::Damaged => "damaged, and readable",
    };
    let files = recording.files();
    let size = files.iter().map(crate::record::RecordingFile::size).sum();
    let mut lines = vec![format!(
        "{what}: {} {}, {}, {} items, {length} from {}",
        files.len(),
        if files.len() == 1 { "file" } else { "files" },
        text::bytes(size),
        text::count(items),
        wall(start)
    )];
    for file in files.iter().filter(|file| file.is_busy()) {
        let path = file.path().display().to_string();
        lines.push(format!(
            "{}: still being written; read up to its last sealed chunk",
            text::safe(&path)
        ));
    }
    lines.extend(damage.iter().map(Damage::to_string));
    lines.extend(
        recording
            .unreadable()
            .iter()
            .map(|reason| text::safe(reason).into_owned()),
    );
    Ok(Verification { health, lines })
}

/// A moment of a recording's axis, unix nanoseconds, as a time.
pub(super) fn wall(at: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(at)).unwrap_or(Timestamp::UNIX_EPOCH)
}
