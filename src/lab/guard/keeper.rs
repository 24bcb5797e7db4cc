//! The guard's side: one loop over orders, signals and deadlines.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal as Number, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use super::{Exit, Order, Report, Signal, Start};
use crate::base::time::{Clock as _, SystemClock};

/// How much of a process's standard error its exit report carries, bytes.
const TAIL: u64 = 2_048;

/// How long a killed process may take to vanish before the guard goes on without it.
const VANISH: Duration = Duration::from_secs(5);

/// How long the guard waits at its end for a parent that does not read its reports.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The folder inside the lab's folder that takes the logs.
const LOGS: &str = "log";

enum Event {
    Order(Order),
    NotUnderstood(String),
    Closed,
    Signal(i32),
}

/// The guard's process: reads orders from `input`, writes reports to `output`, and returns the
/// exit code when everything that it started has ended and its folder is gone: 0, or 1 when
/// something would not go.
pub fn run(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> u8 {
    // Refused only when this process already leads a group, as from a shell: then ^C arrives
    // as a signal, which ends the lab as well.
    let _ = rustix::process::setsid();
    adopt_orphans();
    let (events, inbox) = mpsc::channel();
    let Ok(mut signals) = Signals::new([SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT]) else {
        return 1;
    };
    let from_signals = events.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if from_signals.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || read_orders(input, &events));
    let (reports, written) = writer(output);
    let code = Keeper {
        clock: SystemClock::start(),
        folder: None,
        children: Vec::new(),
        reports,
    }
    .keep(&inbox);
    // The last words say why; the writer is done when its end of this is gone.
    let _ = written.recv_timeout(LAST_WORDS);
    code
}

/// What a dead child leaves behind (the processes of a killed Postgres) becomes ours, so that
/// it can be waited for.
#[cfg(target_os = "linux")]
fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

fn read_orders(input: impl Read, events: &Sender<Event>) {
    for line in BufReader::new(input).lines() {
        let event = match line {
            Ok(line) => {
                serde_json::from_str(&line).map_or_else(|error| Event::NotUnderstood(error.to_string()), Event::Order)
            }
            Err(_) => break,
        };
        if events.send(event).is_err() {
            return;
        }
    }
    let _ = events.send(Event::Closed);
}

/// Reports are written by a thread of their own: a parent that does not read must not keep the
/// guard from its work. They are lost once the parent is gone.
fn writer(mut output: impl Write + Send + 'static) -> (Sender<Report>, Receiver<Infallible>) {
    let (reports, queue) = mpsc::channel::<Report>();
    let (done, written) = mpsc::channel();
    thread::spawn(move || {
        let _done = done;
        for report in queue {
            let Ok(mut line) = serde_json::to_vec(&report) else {
                continue;
            };
            line.push(b'\n');
            if output.write_all(&line).and_then(|()| output.flush()).is_err() {
                return;
            }
        }
    });
    (reports, written)
}

struct Child {
    name: String,
    pid: Pid,
    stage: u8,
    stop: Signal,
    grace: Duration,
    log: PathBuf,
    /// When it is killed (time since the guard's start), once it has been asked to end.
    deadline: Option<Duration>,
}

struct Keeper {
    clock: SystemClock,
    folder: Option<TempDir>,
    children: Vec<Child>,
    reports: Sender<Report>,
}

impl Keeper {
    fn keep(mut self, inbox: &Receiver<Event>) -> u8 {
        loop {
            match self.next_event(inbox) {
                Some(Event::Order(order)) => {
                    if !self.obey(order) {
                        break;
                    }
                }
                Some(Event::NotUnderstood(reason)) => {
                    self.report(Report::Failed { reason });
                    break;
                }
                Some(Event::Signal(SIGCHLD)) | None => {}
                Some(Event::Signal(_) | Event::Closed) => break,
            }
        }
        self.close(inbox)
    }

    /// The next event, or `None` after a deadline; exits and deadlines are looked after before.
    fn next_event(&mut self, inbox: &Receiver<Event>) -> Option<Event> {
        self.reap();
        self.enforce();
        let now = self.clock.now().mono;
        let wait = self.children.iter().filter_map(|child| child.deadline).min();
        let wait = wait.map_or(Duration::from_mins(1), |deadline| deadline.saturating_sub(now));
        match inbox.recv_timeout(wait) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::Closed),
        }
    }

    /// Returns false when the lab can't go on.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Open { base } => match open(&base) {
                Ok(folder) => {
                    self.report(Report::Opened {
                        folder: folder.path().to_owned(),
                    });
                    self.folder = Some(folder);
                }
                Err(error) => {
                    let reason = format!(
                        "create a folder in {}: {error} → set TMPDIR to a folder that you may write to",
                        base.display()
                    );
                    self.report(Report::Failed { reason });
                    return false;
                }
            },
            Order::Start(start) => {
                let name = start.name.clone();
                if let Err(reason) = self.start(start) {
                    self.report(Report::Refused { name, reason });
                }
            }
            Order::Signal { name, signal } => {
                if let Some(child) = self.children.iter().find(|child| child.name == name) {
                    send(child.pid, signal.number());
                }
            }
            Order::Stop { name } => {
                let now = self.clock.now().mono;
                if let Some(child) = self.children.iter_mut().find(|child| child.name == name) {
                    child.ask_to_end(now);
                }
            }
        }
        true
    }

    fn start(&mut self, start: Start) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            return Err("the lab has no folder yet".to_owned());
        };
        if self.children.iter().any(|child| child.name == start.name) {
            return Err("it runs already".to_owned());
        }
        let log = folder.path().join(LOGS).join(format!("{}.log", start.name));
        let stderr = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| format!("open {}: {error}", log.display()))?;
        let stdout = if start.announces {
            Stdio::piped()
        } else {
            stderr.try_clone().map_err(|error| error.to_string())?.into()
        };
        let mut command = Command::new(&start.program);
        command
            .args(&start.args)
            .env_clear()
            .envs(&start.env)
            .current_dir(start.cwd.as_deref().unwrap_or(folder.path()))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        if let Some((uid, gid)) = start.user {
            command.uid(uid).gid(gid);
        }
        let mut spawned = command.spawn().map_err(|error| error.to_string())?;
        let pid = Pid::from_child(&spawned);
        self.children.push(Child {
            name: start.name.clone(),
            pid,
            stage: start.stage,
            stop: start.stop,
            grace: start.grace,
            log,
            deadline: None,
        });
        self.report(Report::Started {
            name: start.name.clone(),
            pid: spawned.id(),
        });
        if let Some(stdout) = spawned.stdout.take() {
            let (reports, pid) = (self.reports.clone(), spawned.id());
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let name = start.name.clone();
                    if reports.send(Report::Line { name, pid, line }).is_err() {
                        return;
                    }
                }
            });
        }
        // `spawned` is dropped without being waited for: `reap` waits for whatever ends.
        Ok(())
    }

    /// Collects what has ended and reports it. Returns whether any child, adopted ones
    /// included, is left.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.ended(pid, status),
                Ok(None) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus) {
        let Some(at) = self.children.iter().position(|child| child.pid == pid) else {
            return;
        };
        let child = self.children.remove(at);
        self.report(Report::Exited {
            name: child.name,
            exit: Exit {
                pid: pid.as_raw_nonzero().get().unsigned_abs(),
                code: status.exit_status(),
                signal: status.terminating_signal(),
                tail: tail(&child.log).unwrap_or_default(),
            },
        });
    }

    /// Kills what did not end in time.
    fn enforce(&mut self) {
        let now = self.clock.now().mono;
        for child in &mut self.children {
            if child.deadline.is_some_and(|deadline| deadline <= now) {
                send(child.pid, Number::KILL);
                child.deadline = Some(now + VANISH);
            }
        }
    }

    /// Ends everything, last stage first, and removes the folder.
    fn close(mut self, inbox: &Receiver<Event>) -> u8 {
        let stages: BTreeSet<u8> = self.children.iter().map(|child| child.stage).collect();
        for stage in stages.into_iter().rev() {
            let now = self.clock.now().mono;
            let mut limit = now;
            for child in self.children.iter_mut().filter(|child| child.stage == stage) {
                child.ask_to_end(now);
                limit = limit.max(now + child.grace + VANISH);
            }
            self.wait_while(inbox, limit, |keeper| {
                keeper.reap();
                keeper.children.iter().any(|child| child.stage == stage)
            });
        }
        let limit = self.clock.now().mono + VANISH;
        let gone = self.wait_while(inbox, limit, |keeper| {
            let left = keeper.reap();
            if left {
                kill_adopted();
            }
            left
        });
        let removed = self.folder.take().is_none_or(|folder| folder.close().is_ok());
        u8::from(!(gone && removed))
    }

    /// Waits for exits until `holds` is false (true) or `limit` is over (false).
    fn wait_while(&mut self, inbox: &Receiver<Event>, limit: Duration, holds: impl Fn(&mut Self) -> bool) -> bool {
        while holds(self) {
            self.enforce();
            let now = self.clock.now().mono;
            if now >= limit {
                return false;
            }
            let deadline = self.children.iter().filter_map(|child| child.deadline).min();
            let wait = deadline.unwrap_or(limit).min(limit).saturating_sub(now);
            // Whatever arrives, orders and further signals included, only wakes this loop. Once
            // every sender is gone it would spin, but the signal thread lives as long as we do.
            let _ = inbox.recv_timeout(wait);
        }
        true
    }

    fn report(&self, report: Report) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.reports.send(report);
    }
}

impl Child {
    fn ask_to_end(&mut self, now: Duration) {
        if self.deadline.is_none() {
            send(self.pid, self.stop.number());
            // A process that was stopped by SIGSTOP would not see it.
            send(self.pid, Number::CONT);
            self.deadline = Some(now + self.grace);
        }
    }
}

/// Sends a signal to a child that has not been waited for, so its id can't be another's.
/// SIGKILL goes to its whole group: initdb, for one, has children of its own.
fn send(pid: Pid, signal: Number) {
    let _ = if signal == Number::KILL {
        rustix::process::kill_process_group(pid, signal)
    } else {
        rustix::process::kill_process(pid, signal)
    };
}

/// Kills the children that were adopted from dead ones and did not end by themselves.
#[cfg(target_os = "linux")]
fn kill_adopted() {
    let own = std::process::id();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else {
            continue;
        };
        // `pid (name) state ppid …`; the name may hold anything, parentheses included.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if parent.and_then(|parent| parent.parse().ok()) == Some(own)
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process(pid, Number::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_adopted() {}

/// The lab's folder: others may pass through it to a folder of their own (Postgres runs as
/// another user where the lab runs as root), but not look around.
fn open(base: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("hookwatch-lab-").tempdir_in(base)?;
    std::fs::create_dir(folder.path().join(LOGS))?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711))?;
    std::fs::set_permissions(folder.path().join(LOGS), PermissionsExt::from_mode(0o700))?;
    Ok(folder)
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
