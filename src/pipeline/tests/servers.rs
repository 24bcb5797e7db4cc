//! Private servers for one test process: on the loopback, in temporary folders, gone with their owner.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

/// A server's process; killed when dropped.
struct Process(Child);

impl Process {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("the server is running");
    }

    fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        self.0.wait().expect("the server ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it works.
fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2_000 {
        if let Some(value) = ready() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come up within 10 s");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A nats-server with JetStream on a port that survives its restarts.
pub(super) struct Nats {
    folder: TempDir,
    port: u16,
    process: Mutex<Option<Process>>,
}

impl Nats {
    pub(super) fn start() -> Self {
        let nats = Self {
            folder: TempDir::new().unwrap(),
            port: free_port(),
            process: Mutex::default(),
        };
        nats.resume();
        nats
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it (again), with what it stored before.
    pub(super) fn resume(&self) {
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts: apt-get install nats-server");
        *held(&self.process) = Some(Process(child));
        let port = self.port;
        until("nats-server", || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            let mut greeting = [0; 4];
            stream.read_exact(&mut greeting).ok()?;
            (&greeting == b"INFO").then_some(())
        });
    }

    /// Stops it gracefully.
    pub(super) fn stop(&self) {
        stop(&self.process, Signal::TERM);
    }

    /// Ends it without a word.
    pub(super) fn kill(&self) {
        stop(&self.process, Signal::KILL);
    }

    /// Stops the clock of its process: it accepts and answers nothing.
    pub(super) fn freeze(&self) {
        signal(&self.process, Signal::STOP);
        // The signal is on its way: wait until it has arrived.
        let process = held(&self.process);
        let pid = Pid::from_child(&process.as_ref().expect("running").0);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped());
    }

    pub(super) fn thaw(&self) {
        signal(&self.process, Signal::CONT);
    }
}

fn held(process: &Mutex<Option<Process>>) -> MutexGuard<'_, Option<Process>> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal(process: &Mutex<Option<Process>>, signal: Signal) {
    held(process).as_ref().expect("running").signal(signal);
}

fn stop(process: &Mutex<Option<Process>>, signal: Signal) {
    held(process).take().expect("running").stop(signal);
}

/// A Postgres cluster on a port that survives its restarts.
pub(super) struct Postgres {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    process: Mutex<Option<Process>>,
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

impl Postgres {
    /// The cluster that tests share as long as one of them uses it.
    pub(super) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    pub(super) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let user = rustix::process::getuid().is_root().then(unprivileged);
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let postgres = Self {
            folder,
            binaries: binaries(),
            port: free_port(),
            user,
            process: Mutex::default(),
        };
        let made = postgres
            .command("initdb")
            .args([
                "-U",
                "test",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-instructions",
                "-D",
            ])
            .arg(postgres.data())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        postgres.resume();
        postgres
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://test@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts it (again), with what it stored before.
    pub(super) fn resume(&self) {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.path().display()),
            "max_connections=200".to_owned(),
            "fsync=off".to_owned(),
            "synchronous_commit=off".to_owned(),
            "full_page_writes=off".to_owned(),
        ];
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        *held(&self.process) = Some(Process(command.stdout(Stdio::null()).stderr(log).spawn().unwrap()));
        let port = self.port;
        until("postgres", || answers(port).ok().filter(|answer| *answer).map(drop));
    }

    /// Stops it at once: its sessions are cut off.
    pub(super) fn stop(&self) {
        stop(&self.process, Signal::INT);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut process) = held(&self.process).take() {
            process.stop(Signal::INT);
        }
    }
}

/// Whether a startup packet is answered with a request to authenticate.
fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let parameters = b"user\0test\0database\0postgres\0\0";
    let length = u32::try_from(parameters.len() + 8).unwrap();
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&196_608_u32.to_be_bytes())?;
    stream.write_all(parameters)?;
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(first == *b"R")
}

fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("postgres").exists())
        .collect();
    versions.sort();
    let on_path = || {
        let found = Command::new("sh").args(["-c", "command -v postgres"]).output().ok()?;
        let path = String::from_utf8(found.stdout).ok()?;
        Some(Path::new(path.trim()).parent()?.to_owned())
    };
    versions
        .pop()
        .or_else(on_path)
        .expect("Postgres is installed: apt-get install postgresql")
}

/// Postgres refuses to run as root.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .expect("a user to run Postgres as")
}
