//! The parent's side. It needs no runtime of its own: a thread reads the reports, so a handle
//! may be shared by several runtimes and outlive each of them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::watch;

use super::{Exit, Order, Report, Signal, Start};

/// Why the guard did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The guard itself could not be started.
    #[error("start the lab's guard {program}: {reason}")]
    Spawn {
        /// Its executable.
        program: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The guard could not make the lab's folder.
    #[error("open the lab: {0}")]
    Open(String),
    /// The guard is gone, and everything that it owned with it.
    #[error("the lab's guard has ended{}", .0.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Gone(Option<String>),
    /// A process could not be started.
    #[error("start {name} ({}): {reason}", program.display())]
    Refused {
        /// Its name in the lab.
        name: String,
        /// Its executable.
        program: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A process ended that was to go on.
    #[error("{name} ended: {exit}")]
    Ended {
        /// Its name in the lab.
        name: String,
        /// How it ended.
        exit: Exit,
    },
    /// No process of that name runs.
    #[error("no process named {0} runs in this lab")]
    NotRunning(String),
    /// The guard ended without removing everything.
    #[error("the lab's guard could not remove everything from {}", .0.display())]
    LeftBehind(PathBuf),
}

/// How a process of the lab is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Asked for.
    Starting,
    /// It runs.
    Running {
        /// Its process id.
        pid: u32,
        /// The first line that it wrote to its standard output, if it is one that announces.
        line: Option<String>,
    },
    /// It could not be started.
    Refused(String),
    /// It ended.
    Ended(Exit),
    /// The guard is gone, and it with it.
    Gone,
}

/// The folder, or why there is none.
type Opening = Option<Result<PathBuf, String>>;

#[derive(Debug)]
struct Shared {
    opened: watch::Sender<Opening>,
    processes: Mutex<BTreeMap<String, watch::Sender<Status>>>,
    /// The guard's exit code (-1 for a signal), once it has ended.
    ended: watch::Sender<Option<i32>>,
    failure: Mutex<Option<String>>,
}

impl Shared {
    fn status(&self, name: &str) -> watch::Sender<Status> {
        let mut processes = lock(&self.processes);
        if let Some(sender) = processes.get(name) {
            return sender.clone();
        }
        let sender = watch::Sender::new(Status::Gone);
        processes.insert(name.to_owned(), sender.clone());
        sender
    }

    fn gone(&self) -> GuardError {
        GuardError::Gone(lock(&self.failure).clone())
    }

    fn take(&self, report: Report) {
        match report {
            Report::Opened { folder } => {
                self.opened.send_replace(Some(Ok(folder)));
            }
            Report::Failed { reason } => {
                lock(&self.failure).replace(reason.clone());
                self.opened.send_if_modified(|opened| {
                    let first = opened.is_none();
                    if first {
                        *opened = Some(Err(reason));
                    }
                    first
                });
            }
            Report::Started { name, pid } => {
                self.status(&name).send_replace(Status::Running { pid, line: None });
            }
            Report::Refused { name, reason } => {
                self.status(&name).send_replace(Status::Refused(reason));
            }
            Report::Line {
                name,
                pid,
                line: written,
            } => {
                self.status(&name).send_if_modified(|status| match status {
                    Status::Running { pid: running, line } if *running == pid && line.is_none() => {
                        *line = Some(written);
                        true
                    }
                    _ => false,
                });
            }
            Report::Exited { name, exit } => {
                self.status(&name).send_replace(Status::Ended(exit));
            }
        }
    }
}

/// The handle of a running guard. Dropping it ends the lab; [`Guard::down`] also waits for it.
#[derive(Debug)]
pub struct Guard {
    orders: Mutex<ChildStdin>,
    shared: Arc<Shared>,
    folder: PathBuf,
}

impl Guard {
    /// Starts `program lab guard`, which makes the lab's folder inside `base`.
    ///
    /// # Errors
    /// When the guard can't be started or can't make the folder.
    pub async fn open(program: &Path, base: &Path) -> Result<Self, GuardError> {
        let spawn = |reason: String| GuardError::Spawn {
            program: program.to_owned(),
            reason,
        };
        let mut child = Command::new(program)
            .args(["lab", "guard"])
            // It needs none of our variables; this one tells people whose guard it is.
            .env_clear()
            .env("TMPDIR", base)
            // Not to keep a file system busy that somebody wants to unmount.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| spawn(error.to_string()))?;
        let (Some(orders), Some(reports)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(spawn("it has no pipes".to_owned()));
        };
        let shared = Arc::new(Shared {
            opened: watch::Sender::new(None),
            processes: Mutex::default(),
            ended: watch::Sender::new(None),
            failure: Mutex::default(),
        });
        let listener = shared.clone();
        thread::Builder::new()
            .name("lab guard".to_owned())
            .spawn(move || {
                read_reports(reports, &listener);
                // Its pipe is closed: it is ending.
                let code = child.wait().ok().and_then(|status| status.code());
                listener.ended.send_replace(Some(code.unwrap_or(-1)));
            })
            .map_err(|error| spawn(error.to_string()))?;
        let mut guard = Self {
            orders: Mutex::new(orders),
            shared,
            folder: PathBuf::new(),
        };
        guard.order(&Order::Open { base: base.to_owned() })?;
        let mut opened = guard.shared.opened.subscribe();
        guard.folder = match opened.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(folder))) => folder.clone(),
            Ok(Some(Err(reason))) => return Err(GuardError::Open(reason.clone())),
            _ => return Err(guard.shared.gone()),
        };
        Ok(guard)
    }

    /// The lab's folder. The guard removes it with everything in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a process and returns its id.
    ///
    /// # Errors
    /// When it can't be started, when one of its name runs, or when the guard is gone.
    pub async fn start(&self, start: Start) -> Result<u32, GuardError> {
        let (name, program) = (start.name.clone(), start.program.clone());
        let sender = self.shared.status(&name);
        let mut status = sender.subscribe();
        let refused = |reason: String| GuardError::Refused { name, program, reason };
        if matches!(*status.borrow(), Status::Starting | Status::Running { .. }) {
            return Err(refused("it runs already".to_owned()));
        }
        sender.send_replace(Status::Starting);
        if let Err(error) = self.order(&Order::Start(start)) {
            sender.send_replace(Status::Gone);
            return Err(error);
        }
        match status.wait_for(|status| *status != Status::Starting).await.as_deref() {
            Ok(Status::Running { pid, .. } | Status::Ended(Exit { pid, .. })) => Ok(*pid),
            Ok(Status::Refused(reason)) => Err(refused(reason.clone())),
            Ok(Status::Gone | Status::Starting) | Err(_) => Err(self.shared.gone()),
        }
    }

    /// How a process is, now and from now on.
    #[must_use]
    pub fn watch(&self, name: &str) -> watch::Receiver<Status> {
        self.shared.status(name).subscribe()
    }

    /// Waits for the first line that a process writes to its standard output.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn announced(&self, name: &str) -> Result<String, GuardError> {
        let mut status = self.watch(name);
        let spoke = |status: &Status| !matches!(status, Status::Starting | Status::Running { line: None, .. });
        match status.wait_for(spoke).await.as_deref() {
            Ok(Status::Running { line: Some(line), .. }) => Ok(line.clone()),
            Ok(Status::Ended(exit)) => Err(GuardError::Ended {
                name: name.to_owned(),
                exit: exit.clone(),
            }),
            _ => Err(self.shared.gone()),
        }
    }

    /// Waits for the end of a process.
    ///
    /// # Errors
    /// When it never ran, or when the guard is gone.
    pub async fn exited(&self, name: &str) -> Result<Exit, GuardError> {
        let mut status = self.watch(name);
        let over = |status: &Status| !matches!(status, Status::Starting | Status::Running { .. });
        match status.wait_for(over).await.as_deref() {
            Ok(Status::Ended(exit)) => Ok(exit.clone()),
            Ok(Status::Refused(_)) => Err(GuardError::NotRunning(name.to_owned())),
            _ => Err(self.shared.gone()),
        }
    }

    /// Waits until the guard itself is gone, which it never is by itself while this handle lives.
    pub async fn gone(&self) -> GuardError {
        let mut ended = self.shared.ended.subscribe();
        // An error means that nobody is left to tell: gone as well.
        let _ = ended.wait_for(Option::is_some).await;
        self.shared.gone()
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// When it does not run, or when the guard is gone.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<(), GuardError> {
        self.running(name)?;
        self.order(&Order::Signal {
            name: name.to_owned(),
            signal,
        })
    }

    /// Asks a process to end in its own way, has it killed when its grace is over, and waits.
    ///
    /// # Errors
    /// When it does not run, or when the guard is gone.
    pub async fn stop(&self, name: &str) -> Result<Exit, GuardError> {
        self.running(name)?;
        self.order(&Order::Stop { name: name.to_owned() })?;
        self.exited(name).await
    }

    /// The process id of a running process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn running(&self, name: &str) -> Result<u32, GuardError> {
        match &*self.shared.status(name).borrow() {
            Status::Running { pid, .. } => Ok(*pid),
            _ => Err(GuardError::NotRunning(name.to_owned())),
        }
    }

    /// Ends every process, removes the folder, and waits for both.
    ///
    /// # Errors
    /// When something was left behind, which the guard does only when a process can't be killed
    /// or a file can't be deleted.
    pub async fn down(self) -> Result<(), GuardError> {
        let Self { orders, shared, folder } = self;
        drop(orders);
        let mut ended = shared.ended.subscribe();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(0)) => Ok(()),
            Ok(Some(1)) => Err(GuardError::LeftBehind(folder)),
            _ => Err(shared.gone()),
        }
    }

    fn order(&self, order: &Order) -> Result<(), GuardError> {
        let mut line = serde_json::to_vec(order).map_err(|error| GuardError::Gone(Some(error.to_string())))?;
        line.push(b'\n');
        let mut orders = lock(&self.orders);
        orders.write_all(&line).map_err(|_| self.shared.gone())
    }
}

fn read_reports(reports: ChildStdout, shared: &Shared) {
    for line in BufReader::new(reports).lines().map_while(Result::ok) {
        if let Ok(report) = serde_json::from_str(&line) {
            shared.take(report);
        }
    }
    shared.opened.send_if_modified(|opened| {
        let waiting = opened.is_none();
        if waiting {
            *opened = Some(Err("the guard ended".to_owned()));
        }
        waiting
    });
    for status in lock(&shared.processes).values() {
        status.send_if_modified(|status| {
            let running = matches!(status, Status::Starting | Status::Running { .. });
            if running {
                *status = Status::Gone;
            }
            running
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
