//! The log: a file, never the terminal. Each event is one line without secrets and without
//! anything that could steer a terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder};

use crate::base::secret::Redactor;
use crate::base::text;
use crate::base::time::SharedClock;

/// What is logged when `HOOKWATCH_LOG` does not say.
const FILTER: &str = "warn,hookwatch=info";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be written.
    #[error("--log: cannot write {}: {reason} → name a file in a folder that you may write to", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The filter cannot be read.
    #[error("$HOOKWATCH_LOG: not a filter: {reason} → write it like info, or hookwatch=debug,async_nats=info")]
    Filter {
        /// Why.
        reason: String,
    },
    /// Somebody logs already.
    #[error("--log: a log is written already")]
    Started,
}

/// A log that is being written.
#[derive(Clone, Debug)]
pub struct OpenLog {
    path: PathBuf,
    failed: Arc<OnceLock<String>>,
}

impl OpenLog {
    /// Why lines are missing in it, if some are.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let reason = self.failed.get()?;
        let path = self.path.display();
        Some(format!(
            "--log: lines are missing in {path}: {reason} → make room, or name another file"
        ))
    }
}

/// Starts to log to `path`, which is created for its owner alone.
///
/// # Errors
/// When the file cannot be written, or the filter not read.
pub fn start_log(
    path: &Path,
    filter: Option<&str>,
    redactor: Redactor,
    clock: SharedClock,
) -> Result<OpenLog, LogError> {
    let filter = EnvFilter::try_new(filter.unwrap_or(FILTER)).map_err(|error| LogError::Filter {
        reason: text::safe(&error.to_string()).into_owned(),
    })?;
    let file = open(path).map_err(|reason| LogError::Open {
        path: path.to_owned(),
        reason,
    })?;
    let log = OpenLog {
        path: path.to_owned(),
        failed: Arc::default(),
    };
    let subscriber = SubscriberBuilder::default()
        .with_ansi(false)
        .with_env_filter(filter)
        .with_timer(Timer(clock))
        .with_writer(Log {
            redactor: redactor.into(),
            file: Arc::new(Mutex::new(file)),
            failed: log.failed.clone(),
        })
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    Ok(log)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The one clock, for the lines' times.
struct Timer(SharedClock);

impl FormatTime for Timer {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:.3}", self.0.now().at)
    }
}

/// Where events go.
#[derive(Clone)]
struct Log<W = File> {
    redactor: Arc<Redactor>,
    file: Arc<Mutex<W>>,
    /// Why a line could not be written: the first time.
    failed: Arc<OnceLock<String>>,
}

impl<W: Write + 'static> MakeWriter<'_> for Log<W> {
    type Writer = Event<W>;

    fn make_writer(&self) -> Event<W> {
        Event {
            log: Self {
                redactor: self.redactor.clone(),
                file: self.file.clone(),
                failed: self.failed.clone(),
            },
            text: Vec::new(),
        }
    }
}

/// One event on its way to the file. Collected whole, so that a secret that is written in two
/// pieces is still found; written when it is complete.
struct Event<W: Write> {
    log: Log<W>,
    text: Vec<u8>,
}

impl<W: Write> Write for Event<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for Event<W> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let clean = self.log.redactor.clean(text.trim_end_matches('\n'));
        // Line breaks inside are escaped too: a stranger's text cannot forge a line.
        let line = format!("{}\n", text::safe(&clean));
        let mut file = self.log.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the console: it is told at the end.
        if let Err(error) = file.write_all(line.as_bytes()) {
            self.log.failed.get_or_init(|| error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::base::time::SystemClock;

    fn logged(events: impl FnOnce()) -> String {
        let mut redactor = Redactor::default();
        redactor.learn("hunter2");
        let log = Log {
            redactor: redactor.into(),
            file: Arc::new(Mutex::new(Vec::new())),
            failed: Arc::default(),
        };
        let subscriber = SubscriberBuilder::default()
            .with_ansi(false)
            .with_timer(Timer(SystemClock::shared()))
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = log.file.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_without_secrets_and_escapes() {
        let text = logged(|| {
            tracing::info!(url = "nats://bob:s3cret@h", "token hunter2\nFORGED \u{1b}[31mred");
            tracing::warn!("second");
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].contains("token •••\\nFORGED") && lines[0].contains("nats://•••@h"),
            "{text}"
        );
        assert!(!text.contains("hunter2") && !text.contains("s3cret") && !text.contains('\u{1b}'));
        assert!(lines[1].ends_with("second") && lines[1].contains("WARN"), "{text}");
    }

    #[test]
    fn the_file_is_its_owners_alone_and_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        open(&path).unwrap().write_all(b"one\n").unwrap();
        open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_logged_to_is_named() {
        let clock = SystemClock::shared();
        let error = start_log(Path::new("/nowhere/log"), None, Redactor::default(), clock.clone()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("--log: cannot write /nowhere/log: No such file"),
            "{error}"
        );
        let error = start_log(Path::new("/nowhere/log"), Some("a=b=c"), Redactor::default(), clock).unwrap_err();
        assert!(error.to_string().starts_with("$HOOKWATCH_LOG: not a filter"), "{error}");
    }
}
